/*
 * Nodes: what the kernel knows by number, and how a name becomes one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse_impl.h"
#include "history.h"

fuse_ino_t image_node(struct mount *mount)
{
	fuse_ino_t node;

	mutex_lock(&mount->lock);
	node = IMAGE_NODE + ((fuse_ino_t)mount->epoch << 32);
	mutex_unlock(&mount->lock);
	return node;
}

struct snapshot_node *node_find(struct mount *mount, fuse_ino_t node)
{
	struct snapshot_node *found;

	if (node < SNAPSHOT_NODE || node_is_image(node))
		return NULL;
	for (found = mount->nodes; found; found = found->next)
		if (SNAPSHOT_NODE + (fuse_ino_t)found->id == node)
			return found;
	return NULL;
}

void node_drop_if_unused(struct mount *mount, struct snapshot_node *node)
	REQUIRES(mount->lock)
{
	struct snapshot_node **link = &mount->nodes;

	if (node->lookups > 0 || node->opens > 0)
		return;
	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	if (node->view)
		view_put(node->view);
	free(node);
}

void image_forget_nodes(struct mount *mount)
{
	mutex_lock(&mount->lock);
	while (mount->nodes) {
		mount->nodes->lookups = 0;
		mount->nodes->opens = 0;
		node_drop_if_unused(mount, mount->nodes);
	}
	mutex_unlock(&mount->lock);
}

/* A node for a snapshot that the kernel doesn't know yet. */
static int new_node(struct mount *mount, uint32_t id,
		    struct snapshot_node **out_node) REQUIRES(mount->lock)
{
	struct snapshot_node *node = calloc(1, sizeof(*node));
	struct view *view;
	int rc;

	if (!node)
		return -ENOMEM;
	rc = view_open_snapshot(mount->store, id, &view, NULL);
	if (rc < 0) {
		free(node);
		return rc;
	}
	node->id = id;
	image_fill_file(mount, SNAPSHOT_NODE + (fuse_ino_t)id, view_image(view),
			&node->attributes);
	view_put(view);
	node->next = mount->nodes;
	mount->nodes = node;
	*out_node = node;
	return 0;
}

static int snapshot_lookup(struct mount *mount, const char *name,
			   struct fuse_entry_param *entry)
{
	struct snapshot_node *node;
	struct snapshot_info info;
	char branch[STORE_NAME_BYTES_MAX + 1];
	int rc;

	mount_branch(mount, branch);
	rc = history_find_snapshot(mount->store, branch, name, &info, NULL);
	/* Not ~1, latest or the beginning of an id. */
	if (rc < 0 || strcmp(info.name, name) != 0)
		return -ENOENT;
	entry->ino = SNAPSHOT_NODE + (fuse_ino_t)info.id;
	mutex_lock(&mount->lock);
	node = node_find(mount, entry->ino);
	if (!node)
		rc = new_node(mount, info.id, &node);
	if (rc == 0) {
		node->lookups++;
		entry->attr = node->attributes;
	}
	mutex_unlock(&mount->lock);
	/* The name may be given to another snapshot, the content never
	 * changes. */
	entry->attr_timeout = mount->options.attr_timeout_s;
	entry->entry_timeout = 0;
	return rc;
}

void image_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *mount = image_mount(req);
	struct fuse_entry_param entry = { 0 };
	int rc = -ENOENT;

	entry.attr_timeout = mount->options.attr_timeout_s;
	entry.entry_timeout = mount->options.entry_timeout_s;
	if (parent == SNAPDIR_NODE) {
		rc = snapshot_lookup(mount, name, &entry);
	} else if (parent == FUSE_ROOT_ID &&
		   strcmp(name, mount->options.name) == 0) {
		entry.ino = image_node(mount);
		image_fill_file(mount, entry.ino, view_image(mount->view),
				&entry.attr);
		rc = 0;
	} else if (parent == FUSE_ROOT_ID && strcmp(name, SNAPDIR_NAME) == 0 &&
		   mount->options.snapdir != SNAPDIR_OFF) {
		entry.ino = SNAPDIR_NODE;
		image_fill_directory(mount, SNAPDIR_NODE, &entry.attr);
		rc = 0;
	}
	if (rc == -ENOENT && parent == FUSE_ROOT_ID) {
		/* Nothing else ever appears there. */
		entry.entry_timeout = mount->options.negative_timeout_s;
		rc = 0;
	}
	if (rc < 0)
		fuse_reply_err(req, image_errno(rc));
	else
		fuse_reply_entry(req, &entry);
}

static void forget_one(struct mount *mount, fuse_ino_t node, uint64_t count)
{
	struct snapshot_node *found;

	mutex_lock(&mount->lock);
	found = node_find(mount, node);
	if (found) {
		found->lookups -= count < found->lookups ? count :
							   found->lookups;
		node_drop_if_unused(mount, found);
	}
	mutex_unlock(&mount->lock);
}

void image_forget(fuse_req_t req, fuse_ino_t node, uint64_t count)
{
	forget_one(image_mount(req), node, count);
	fuse_reply_none(req);
}

void image_forget_multi(fuse_req_t req, size_t count,
			struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		forget_one(image_mount(req), forgets[i].ino,
			   forgets[i].nlookup);
	fuse_reply_none(req);
}
