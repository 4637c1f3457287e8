/*
 * Nodes: what the kernel knows by number, and how a name becomes one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse_impl.h"
#include "history.h"

fuse_ino_t image_node(const struct mount *mount)
{
	return IMAGE_NODE +
	       ((fuse_ino_t)atomic_load(&((struct mount *)mount)->image_epoch)
		<< 32);
}

struct snapshot_node *node_find(struct mount *mount, uint32_t id)
	REQUIRES(mount->lock)
{
	struct snapshot_node *node;

	for (node = mount->nodes; node; node = node->next)
		if (node->id == id)
			return node;
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

struct file *node_file(struct mount *mount, fuse_ino_t node)
{
	struct snapshot_node *found;
	struct file *file = NULL;

	if (node_is_image(node))
		return view_image(mount->view);
	mutex_lock(&mount->lock);
	found = node >= SNAPSHOT_NODE ?
			node_find(mount, (uint32_t)(node - SNAPSHOT_NODE)) :
			NULL;
	if (found)
		file = view_image(found->view);
	mutex_unlock(&mount->lock);
	return file;
}

static int snapshot_lookup(struct mount *mount, const char *name,
			   struct fuse_entry_param *entry)
{
	struct snapshot_node *node;
	struct snapshot_info info;
	struct view *view;
	int rc = history_find_snapshot(mount->store, mount->branch, name, &info,
				       NULL);

	if (rc < 0 || strcmp(info.name, name) != 0)
		return -ENOENT;
	mutex_lock(&mount->lock);
	node = node_find(mount, info.id);
	if (!node) {
		node = calloc(1, sizeof(*node));
		rc = node ? view_open_snapshot(mount->store, info.id, &view,
					       NULL) :
			    -ENOMEM;
		if (rc < 0) {
			free(node);
			mutex_unlock(&mount->lock);
			return rc;
		}
		node->id = info.id;
		node->view = view;
		node->next = mount->nodes;
		mount->nodes = node;
	}
	node->lookups++;
	mutex_unlock(&mount->lock);
	entry->ino = SNAPSHOT_NODE + (fuse_ino_t)info.id;
	image_fill_file(mount, entry->ino, view_image(node->view),
			&entry->attr);
	/* The name may be given to another snapshot, the content never
	 * changes. */
	entry->attr_timeout = LONG_TIMEOUT_S;
	entry->entry_timeout = 0;
	return 0;
}

void image_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *mount = image_mount(req);
	struct fuse_entry_param entry = { 0 };
	int rc = -ENOENT;

	entry.attr_timeout = entry.entry_timeout = LONG_TIMEOUT_S;
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
	if (rc < 0)
		fuse_reply_err(req, image_errno(rc));
	else
		fuse_reply_entry(req, &entry);
}

static void forget_one(struct mount *mount, fuse_ino_t node, uint64_t count)
{
	struct snapshot_node *found;

	if (node < SNAPSHOT_NODE || node_is_image(node))
		return;
	mutex_lock(&mount->lock);
	found = node_find(mount, (uint32_t)(node - SNAPSHOT_NODE));
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
