/*
 * Nodes: what the kernel knows by number, and how a name becomes one.
 *
 * I1: a node's tree_node is put without mount->lock (it may delete a file),
 *     and with the gate held, so that its tree is still open.
 */
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "tree_virtual.h"

void front_enter(struct mount *mount)
{
	pthread_rwlock_rdlock(&mount->gate);
}

void front_leave(struct mount *mount)
{
	pthread_rwlock_unlock(&mount->gate);
}

static struct front_node *find(struct front *front, fuse_ino_t id)
{
	struct front_node *node;

	HASH_FIND(hh, front->nodes, &id, sizeof(id), node);
	return node;
}

static fuse_ino_t id_of(const struct front *front,
			const struct front_slot *slot, uint64_t inode)
{
	return slot == front->head && inode == slot->root_inode ?
		       FUSE_ROOT_ID :
		       (fuse_ino_t)slot->nr << FRONT_SLOT_SHIFT | inode;
}

int front_pin(struct mount *mount, fuse_ino_t id, struct front_node **out_node)
{
	struct front_node *node;
	int rc = -ESTALE;

	mutex_lock(&mount->lock);
	node = find(mount->tree, id);
	if (node && node->node) {
		node->users++;
		*out_node = node;
		rc = 0;
	}
	mutex_unlock(&mount->lock);
	return rc;
}

bool front_detach(struct mount *mount, struct front_node *node)
{
	if (node->users > 0 || node->lookups > 0 || node->opens > 0)
		return false;
	HASH_DEL(mount->tree->nodes, node);
	DL_DELETE(node->slot->nodes, node);
	return true;
}

void front_destroy(struct mount *mount, struct front_node *node)
{
	struct front_listing *listing;

	mutex_lock(&mount->lock);
	listing = front_take_listing(mount, node);
	mutex_unlock(&mount->lock);
	front_listing_put(mount, listing);
	if (node->node)
		tree_node_put(node->node, 1); /* I1 */
	front_slot_put_node(mount, node->slot);
	free(node);
}

void front_unpin(struct mount *mount, struct front_node *node)
{
	bool unused;

	mutex_lock(&mount->lock);
	node->users--;
	unused = front_detach(mount, node);
	mutex_unlock(&mount->lock);
	if (unused)
		front_destroy(mount, node);
}

int front_begin(struct mount *mount, fuse_ino_t id,
		struct front_node **out_node)
{
	int rc;

	front_enter(mount);
	rc = front_pin(mount, id, out_node);
	if (rc < 0)
		front_leave(mount);
	return rc;
}

void front_end(struct mount *mount, struct front_node *node)
{
	front_unpin(mount, node);
	front_leave(mount);
}

int front_know(struct mount *mount, struct front_slot *slot,
	       struct tree_node *tree_node, struct front_node **out_node)
{
	uint64_t inode = tree_node_inode(tree_node);
	struct front_node *fresh = calloc(1, sizeof(*fresh)), *node;
	fuse_ino_t id;

	if (!fresh) {
		tree_node_put(tree_node, 1);
		return -ENOMEM;
	}
	mutex_lock(&mount->lock);
	id = id_of(mount->tree, slot, inode);
	node = find(mount->tree, id);
	if (!node) {
		fresh->id = id;
		fresh->slot = slot;
		fresh->node = tree_node;
		slot->node_count++;
		HASH_ADD(hh, mount->tree->nodes, id, sizeof(fresh->id), fresh);
		DL_PREPEND(slot->nodes, fresh);
		node = fresh;
		fresh = NULL;
	}
	node->lookups++;
	node->revealed = false;
	mutex_unlock(&mount->lock);
	if (fresh) /* it was known: one reference is enough */
		tree_node_put(tree_node, 1);
	free(fresh);
	*out_node = node;
	return 0;
}

void front_forget(struct mount *mount, fuse_ino_t id, uint64_t count)
{
	struct front_node *node;
	bool unused = false;

	if (id == FUSE_ROOT_ID || id == FRONT_SNAPDIR)
		return;
	if (front_is_virtual(id)) {
		virtual_forget(mount, id, count);
		return;
	}
	mutex_lock(&mount->lock);
	node = find(mount->tree, id);
	if (node) {
		node->lookups -= count < node->lookups ? count : node->lookups;
		unused = front_detach(mount, node);
	}
	mutex_unlock(&mount->lock);
	if (unused)
		front_destroy(mount, node);
}

bool front_is_snapdir(const struct mount *mount, fuse_ino_t parent,
		      const char *name)
{
	return parent == FUSE_ROOT_ID &&
	       mount->options.snapdir != SNAPDIR_OFF && !mount->snapshot_id &&
	       strcmp(name, FRONT_SNAPDIR_NAME) == 0;
}

bool front_is_fixed_name(struct mount *mount, fuse_ino_t parent,
			 const char *name)
{
	return front_is_snapdir(mount, parent, name) ||
	       virtual_is_name(mount, parent, name);
}

int front_fill_entry(struct mount *mount, struct front_node *node,
		     const struct tree_attr *attr,
		     struct fuse_entry_param *entry)
{
	struct tree_attr now;
	int rc = attr ? 0 : tree_get_attr(node->node, &now);

	if (rc < 0)
		return rc;
	memset(entry, 0, sizeof(*entry));
	entry->ino = node->id;
	entry->generation = node->slot->generation;
	entry->attr_timeout = mount->options.attr_timeout_s;
	entry->entry_timeout = mount->options.entry_timeout_s;
	front_fill_stat(mount, node->slot, attr ? attr : &now, &entry->attr);
	return 0;
}

void front_reply_entry(fuse_req_t req, int rc, struct front_slot *slot,
		       struct tree_node *tree_node,
		       const struct tree_attr *attr)
{
	struct mount *mount = front_mount(req);
	struct fuse_entry_param entry;
	struct front_node *node = NULL;

	if (rc == 0)
		rc = front_know(mount, slot, tree_node, &node);
	if (rc == 0)
		rc = front_fill_entry(mount, node, attr, &entry);
	if (rc < 0) {
		if (node)
			front_forget(mount, node->id, 1);
		fuse_reply_err(req, front_errno(rc));
	} else if (fuse_reply_entry(req, &entry) == -ENOENT) {
		front_forget(mount, entry.ino, 1); /* interrupted */
	}
}

/* By the number in a file handle: nobody may know it any more. */
static void lookup_number(fuse_req_t req, fuse_ino_t id)
{
	struct mount *mount = front_mount(req);
	struct front_slot *slot = NULL;
	struct tree_node *node = NULL;
	struct tree_attr attr;
	int rc = -ESTALE;

	front_enter(mount);
	mutex_lock(&mount->lock);
	if (id == FUSE_ROOT_ID ||
	    id >> FRONT_SLOT_SHIFT == mount->tree->head->nr)
		slot = mount->tree->head;
	mutex_unlock(&mount->lock);
	if (slot && slot->tree)
		rc = tree_node_find(slot->tree,
				    id == FUSE_ROOT_ID ? slot->root_inode :
							 id & FRONT_INODE_MASK,
				    &node);
	if (rc == 0) {
		rc = tree_get_attr(node, &attr);
		if (rc < 0)
			tree_node_put(node, 1);
	}
	front_reply_entry(req, rc, slot, node, &attr);
	front_leave(mount);
}

static void lookup_snapshot(fuse_req_t req, const char *name)
{
	struct mount *mount = front_mount(req);
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));
	char branch[STORE_NAME_BYTES_MAX + 1];
	struct fuse_entry_param entry;
	struct front_node *root;
	int rc = info ? 0 : -ENOMEM;

	mount_branch(mount, branch);
	if (rc == 0)
		rc = history_find_snapshot(mount->store, branch, name, info,
					   NULL);
	/* Not ~1, latest or the beginning of an id. */
	if (rc < 0 || strcmp(info->name, name) != 0) {
		fuse_reply_err(req, rc == -ENOMEM ? ENOMEM : ENOENT);
		return;
	}
	front_enter(mount);
	rc = front_snapshot(mount, info->id, &root);
	if (rc == 0) {
		rc = front_fill_entry(mount, root, NULL, &entry);
		if (rc < 0)
			front_forget(mount, root->id, 1);
	}
	if (rc < 0) {
		fuse_reply_err(req, front_errno(rc));
	} else {
		/* The name may be given to another snapshot. */
		entry.entry_timeout = 0;
		if (fuse_reply_entry(req, &entry) == -ENOENT)
			front_forget(mount, entry.ino, 1);
	}
	front_leave(mount);
}

static void reply_snapdir(fuse_req_t req)
{
	const struct mount *mount = front_mount(req);
	struct fuse_entry_param entry = { .ino = FRONT_SNAPDIR };

	front_fill_snapdir(mount, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void reply_absent(fuse_req_t req)
{
	struct fuse_entry_param entry = {
		.entry_timeout = front_mount(req)->options.negative_timeout_s,
	};

	if (entry.entry_timeout > 0)
		fuse_reply_entry(req, &entry);
	else
		fuse_reply_err(req, ENOENT);
}

static void lookup_name(fuse_req_t req, struct front_node *parent,
			const char *name)
{
	const char *cowddir = front_mount(req)->options.cowddir;
	struct tree_node *node = NULL;
	struct tree_attr attr;
	int rc = strcmp(name, "..") == 0 ?
			 tree_parent(parent->node, &node, &attr) :
			 tree_lookup(parent->node, name, &node, &attr);

	if (rc == -ENOENT && parent->id == FUSE_ROOT_ID && *cowddir &&
	    strcmp(name, cowddir) == 0)
		virtual_reply_root(req);
	else if (rc == -ENOENT)
		reply_absent(req);
	else
		front_reply_entry(req, rc, parent->slot, node, &attr);
}

void front_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	int rc;

	if (front_is_snapdir(mount, parent, name)) {
		reply_snapdir(req);
		return;
	}
	if (front_is_virtual(parent)) {
		virtual_lookup(req, parent, name);
		return;
	}
	if (parent == FRONT_SNAPDIR) {
		if (strcmp(name, "..") == 0)
			lookup_number(req, FUSE_ROOT_ID);
		else if (strcmp(name, ".") == 0)
			reply_snapdir(req);
		else
			lookup_snapshot(req, name);
		return;
	}
	if (strcmp(name, ".") == 0 ||
	    (parent == FUSE_ROOT_ID && strcmp(name, "..") == 0)) {
		lookup_number(req, parent);
		return;
	}
	rc = front_begin(mount, parent, &node);
	if (rc < 0) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	lookup_name(req, node, name);
	front_end(mount, node);
}

void front_forget_one(fuse_req_t req, fuse_ino_t node, uint64_t count)
{
	struct mount *mount = front_mount(req);

	front_enter(mount);
	front_forget(mount, node, count);
	front_leave(mount);
	fuse_reply_none(req);
}

void front_forget_multi(fuse_req_t req, size_t count,
			struct fuse_forget_data *forgets)
{
	struct mount *mount = front_mount(req);
	size_t i;

	front_enter(mount);
	for (i = 0; i < count; i++)
		front_forget(mount, forgets[i].ino, forgets[i].nlookup);
	front_leave(mount);
	fuse_reply_none(req);
}
