/*
 * States of trees by number: the head, heads that were, and snapshots.
 *
 * I1: a slot's number is used again only when nobody knows a node of it: a
 *     forged or old id never leads into another state.
 * I2: a tree is closed after its last node was put: node_count is lowered
 *     behind that.
 */
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "stat_time.h"
#include "tree_virtual.h"

static bool is_used(const struct front *front, uint16_t nr)
{
	const struct front_slot *slot;

	for (slot = front->slots; slot; slot = slot->next)
		if (slot->nr == nr)
			return true;
	return false;
}

static struct front_slot *new_slot(struct mount *mount, struct tree *tree,
				   uint32_t snapshot_id) REQUIRES(mount->lock)
{
	struct front *front = mount->tree;
	struct front_slot *slot = calloc(1, sizeof(*slot));
	unsigned tries = 0;

	if (!slot)
		return NULL;
	while (front->next_slot == FRONT_VIRTUAL_SLOT ||
	       is_used(front, front->next_slot)) { /* I1 */
		front->next_slot++;
		if (++tries > FRONT_SLOTS) {
			free(slot);
			return NULL;
		}
	}
	slot->nr = front->next_slot++;
	/* The first one's stays: handles by name_to_handle_at outlive us. */
	slot->generation = slot->nr == 0 ? 0 : front->next_generation++;
	slot->snapshot_id = snapshot_id;
	slot->tree = tree;
	slot->next = front->slots;
	front->slots = slot;
	return slot;
}

static void remove_slot(struct front *front, struct front_slot *slot)
{
	struct front_slot **link = &front->slots;

	while (*link != slot)
		link = &(*link)->next;
	*link = slot->next;
}

void front_slot_put_node(struct mount *mount, struct front_slot *slot)
{
	struct tree *tree = NULL;
	bool gone;

	mutex_lock(&mount->lock);
	gone = --slot->node_count == 0 && slot != mount->tree->head;
	if (gone) {
		remove_slot(mount->tree, slot);
		tree = slot->tree;
	}
	mutex_unlock(&mount->lock);
	if (!gone)
		return;
	if (tree)
		tree_close(tree); /* I2 */
	free(slot);
}

int front_open_view(struct mount *mount, struct view **out_view)
{
	char branch[STORE_NAME_BYTES_MAX + 1];

	if (mount->snapshot_id)
		return view_open_snapshot(mount->store, mount->snapshot_id,
					  out_view, NULL);
	mount_branch(mount, branch);
	return view_open_branch(mount->store, branch, out_view, NULL);
}

static int open_tree(struct mount *mount, struct view *view,
		     struct tree **out_tree, struct failure *failure)
{
	int rc = tree_open(view, out_tree, failure);

	if (rc == 0 && mount->options.follow_base)
		tree_follow_base(*out_tree);
	return rc;
}

static int open_head(struct mount *mount, struct tree **out_tree,
		     struct failure *failure)
{
	struct view *view;
	int rc = front_open_view(mount, &view);

	return rc < 0 ? rc : open_tree(mount, view, out_tree, failure);
}

int front_root(struct mount *mount, struct tree *tree,
	       struct tree_node **out_node)
{
	AUTO_FREE char *path = strdup(mount->options.subdir);
	struct tree_node *node = tree_node_get(tree_root(tree)), *below;
	char *rest = path, *name;
	struct tree_attr attr;
	int rc = path ? tree_get_attr(node, &attr) : -ENOMEM;

	while (rc == 0 && (name = strsep(&rest, "/")) != NULL) {
		if (!*name)
			continue;
		rc = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ?
			     -EINVAL :
			     tree_lookup(node, name, &below, &attr);
		if (rc == 0) {
			tree_node_put(node, 1);
			node = below;
		}
	}
	if (rc == 0 && !S_ISDIR(attr.mode))
		rc = -ENOTDIR;
	if (rc < 0)
		tree_node_put(node, 1);
	else
		*out_node = node;
	return rc;
}

static struct front_node *find_root(struct front *front)
{
	fuse_ino_t id = FUSE_ROOT_ID;
	struct front_node *root;

	HASH_FIND(hh, front->nodes, &id, sizeof(id), root);
	return root;
}

/* What the tree has is never hidden. */
static void warn_of_name(struct mount *mount)
{
	const char *name = mount->options.cowddir;

	if (*name && !mount->snapshot_id &&
	    !virtual_is_name(mount, FUSE_ROOT_ID, name))
		mount_options_warn(&mount->options, "cowddir",
				   "the tree has something of that name, "
				   "which is what is shown");
}

int front_open(struct mount *mount, struct failure *failure)
{
	struct front *front = calloc(1, sizeof(*front));
	struct front_node *root = calloc(1, sizeof(*root));
	struct tree *tree = NULL;
	int rc = front && root ? open_head(mount, &tree, failure) : -ENOMEM;

	if (rc == 0)
		rc = front_root(mount, tree, &root->node);
	if (rc < 0) {
		if (tree)
			tree_close(tree);
		free(front);
		free(root);
		return failure_errno(failure, rc, mount->mountpoint,
				     "can't show the tree");
	}
	for (size_t i = 0; i < FRONT_STRIPES; i++)
		mutex_init(&front->opening[i]);
	mount->tree = front;
	front->next_generation = (uint64_t)stat_time_now_ns();
	mutex_lock(&mount->lock);
	front->head = new_slot(mount, tree, 0);
	root->id = FUSE_ROOT_ID;
	root->slot = front->head;
	root->lookups = 1; /* for ever */
	if (front->head)
		front->head->root_inode = tree_node_inode(root->node);
	if (front->head) {
		front->head->node_count++;
		HASH_ADD(hh, front->nodes, id, sizeof(root->id), root);
		DL_PREPEND(front->head->nodes, root);
	}
	mutex_unlock(&mount->lock);
	if (front->head) {
		warn_of_name(mount);
		return 0;
	}
	tree_node_put(root->node, 1);
	tree_close(tree);
	free(root);
	return failure_errno(failure, -ENOMEM, mount->mountpoint,
			     "can't show the tree");
}

/* Nobody uses its tree any more; what has it open gets errors. */
static void revoke_node(struct mount *mount, struct front_node *node)
{
	struct front_listing *listing;

	mutex_lock(&mount->lock);
	listing = front_take_listing(mount, node);
	mutex_unlock(&mount->lock);
	front_listing_put(mount, listing);
	if (!node->node)
		return;
	for (unsigned i = 0; i < node->opens; i++)
		tree_file_close(node->node);
	tree_node_put(node->node, 1);
	node->node = NULL;
}

void front_close(struct mount *mount)
{
	struct front *front = mount->tree;
	struct front_node *node, *next_node;
	struct front_handle *handle;
	struct front_slot *slot;

	if (!front)
		return;
	HASH_ITER(hh, front->nodes, node, next_node)
	{
		revoke_node(mount, node);
		HASH_DEL(front->nodes, node);
		free(node);
	}
	while ((slot = front->slots) != NULL) {
		front->slots = slot->next;
		if (slot->tree)
			tree_close(slot->tree);
		free(slot);
	}
	while ((handle = front->handles) != NULL) {
		front->handles = handle->next;
		free(handle);
	}
	virtual_close(front);
	for (size_t i = 0; i < FRONT_STRIPES; i++)
		mutex_fini(&front->opening[i]);
	free(front);
	mount->tree = NULL;
}

void front_revoke_head(struct mount *mount)
{
	struct front *front = mount->tree;
	struct front_slot *old = front->head;
	struct front_node *node;

	DL_FOREACH(old->nodes, node)
	revoke_node(mount, node);
	mutex_lock(&mount->lock);
	mount->writers = mount->readers = 0;
	mutex_unlock(&mount->lock);
	if (old->tree)
		tree_close(old->tree);
	old->tree = NULL;
}

int front_renew_head(struct mount *mount, struct view *view)
{
	struct front *front = mount->tree;
	struct front_node *root = find_root(front);
	struct front_slot *slot, *old = front->head;
	struct tree *tree = NULL;
	struct tree_node *node;
	int rc = open_tree(mount, view, &tree, NULL);

	if (rc < 0)
		return rc;
	rc = front_root(mount, tree, &node);
	if (rc < 0) {
		tree_close(tree);
		return rc;
	}
	mutex_lock(&mount->lock);
	slot = new_slot(mount, tree, 0);
	if (slot) {
		front->head = slot;
		slot->node_count++;
		slot->root_inode = tree_node_inode(node);
		DL_DELETE(old->nodes, root);
		root->slot = slot;
		DL_PREPEND(slot->nodes, root);
		root->node = node;
	}
	mutex_unlock(&mount->lock);
	if (!slot) {
		tree_node_put(node, 1);
		tree_close(tree);
		return -ENOMEM;
	}
	front_slot_put_node(mount, old);
	return 0;
}

static struct front_slot *find_snapshot(struct front *front, uint32_t id)
{
	struct front_slot *slot;

	for (slot = front->slots; slot; slot = slot->next)
		if (slot->snapshot_id == id && slot->tree)
			return slot;
	return NULL;
}

static int open_snapshot(struct mount *mount, uint32_t snapshot_id,
			 struct front_slot **out_slot) REQUIRES(mount->lock)
{
	struct front_slot *slot;
	struct tree *tree = NULL;
	struct view *view;
	int rc = view_open_snapshot(mount->store, snapshot_id, &view, NULL);

	if (rc < 0)
		return rc;
	rc = open_tree(mount, view, &tree, NULL);
	if (rc < 0)
		return rc;
	slot = new_slot(mount, tree, snapshot_id);
	if (!slot) {
		tree_close(tree);
		return -ENOMEM;
	}
	*out_slot = slot;
	return 0;
}

int front_snapshot(struct mount *mount, uint32_t snapshot_id,
		   struct front_node **out_root)
{
	struct front_slot *slot;
	struct tree_node *node;
	int rc = 0;

	mutex_lock(&mount->lock);
	slot = find_snapshot(mount->tree, snapshot_id);
	if (!slot)
		rc = open_snapshot(mount, snapshot_id, &slot);
	if (rc == 0)
		slot->node_count++; /* it stays until the root is known */
	mutex_unlock(&mount->lock);
	if (rc < 0)
		return rc;
	rc = front_root(mount, slot->tree, &node);
	if (rc == 0)
		rc = front_know(mount, slot, node, out_root);
	front_slot_put_node(mount, slot);
	return rc;
}
