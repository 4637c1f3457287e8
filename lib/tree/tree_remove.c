/*
 * Removing names; and inodes, once they have no name and nobody uses them.
 *
 * I1: an inode without names that is used has an ORPHAN item: if the daemon
 *     dies it is deleted when the head is opened again. Used is what is open,
 *     and what is not base's and a rename took the name of, as long as
 *     somebody knows the inode.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"

void change_unlink(struct change *change, struct touched *touched,
		   bool replaced)
{
	struct tree_node *node = touched->node;
	bool is_directory = node->kind == S_IFDIR >> MODE_KIND_SHIFT;
	bool used;

	touched->item.ctime_ns = change_time(change, &touched->item);
	if (touched->item.nlink > 0)
		touched->item.nlink--;
	if (touched->item.nlink > 0 && !is_directory) {
		touched->put = true;
		return;
	}
	touched->item.nlink = 0;
	mutex_lock(&change->tree->nodes_lock);
	/* Who has looked a name up may be about to open the file, and is told
	 * to look again, once: what replaces it must not be gone by then. */
	used = node->open_count > 0 || (replaced && !is_directory &&
					!node->base && node->references > 1);
	mutex_unlock(&change->tree->nodes_lock);
	touched->put = touched->orphan = used; /* I1 */
	touched->remove = !used;
}

static int delete_orphan(struct change *change, struct tree_node *node)
{
	struct touched *touched;
	int rc = change_touch(change, node, &touched);

	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	touched->remove = true;
	return change_commit(change);
}

/* Who comes by a handle can still find it. */
static bool is_last(struct tree_node *node, uint64_t count)
{
	bool last;

	mutex_lock(&node->tree->nodes_lock);
	last = node->orphan && node->references == count;
	mutex_unlock(&node->tree->nodes_lock);
	return last;
}

void node_delete_orphan(struct tree_node *node, uint64_t count)
{
	struct tree *tree = node->tree;
	struct change change;

	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	if (is_last(node, count)) {
		/* What can't be done now is when the head is opened again. */
		(void)!delete_orphan(&change, node);
		node->orphan = false;
	}
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
}

struct orphans {
	uint64_t *inodes;
	size_t count;
};

static int note_orphan(void *context, const struct item_key *key,
		       const void *payload, size_t payload_bytes)
{
	struct orphans *orphans = context;
	uint64_t number, *inodes;

	(void)payload;
	(void)payload_bytes;
	memcpy(&number, key->name, sizeof(number));
	inodes = realloc(orphans->inodes,
			 (orphans->count + 1) * sizeof(*inodes));
	if (!inodes)
		return -ENOMEM;
	orphans->inodes = inodes;
	inodes[orphans->count++] = be64toh(number);
	return 0;
}

static int delete_by_number(struct tree *tree, uint64_t inode)
{
	struct inode_item item = { 0 };
	struct tree_node *node;
	int rc = view_inode_get(tree->view, inode, &item);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	/* Where base has it is of no interest any more. */
	rc = node_open(tree, inode, item.mode >> MODE_KIND_SHIFT,
		       base_node_get(tree->root->base), &node);
	if (rc < 0)
		return rc;
	node->has_origin = true;
	node->orphan = true;
	tree_node_put(node, 1);
	return 0;
}

int tree_delete_orphans(struct tree *tree)
{
	struct orphans orphans = { 0 };
	size_t i;
	int rc = view_items_scan(tree->view, 0, ITEM_TYPE_ORPHAN, note_orphan,
				 &orphans);

	for (i = 0; i < orphans.count && rc == 0; i++)
		rc = delete_by_number(tree, orphans.inodes[i]);
	free(orphans.inodes);
	return rc;
}

/* What removing a name leaves in its place. */
struct below {
	bool hidden;	/* base's object, by a whiteout */
	bool directory; /* is seen again */
	uint64_t shown; /* the inode that is; 0: none */
};

/* Has nothing ever become of base's object of that name? It may be elsewhere,
 * changed, or in the past of a snapshot: its number is for one thing only. */
static int look_below(struct tree_node *parent, const char *name,
		      struct below *below)
{
	struct item_key key = { .type = ITEM_TYPE_ORIGIN };
	struct base_node *base = NULL;
	struct item_copy *copy = NULL;
	struct base_stat stat;
	int rc = parent->base ? base_lookup(parent->base, name, &base, &stat) :
				-ENOENT;

	base_node_put(base);
	if (rc < 0) /* it may be in a layer that is not seen now */
		return rc == -ENOENT ? 0 : rc;
	key.inode = stat.inode;
	rc = view_item_get(parent->tree->view, &key, &copy);
	free(copy);
	below->hidden = rc != -ENOENT;
	below->shown = below->hidden ? 0 : stat.inode;
	below->directory = !below->hidden && S_ISDIR(stat.stat.st_mode);
	return rc == -ENOENT ? 0 : rc;
}

/* The parts of unlink and rmdir that are alike. */
static int remove_name(struct change *change, struct tree_node *parent,
		       const char *name, struct tree_node *node, bool reveal)
{
	struct touched *directory, *touched;
	struct below below = { .hidden = false };
	int rc = change_touch(change, parent, &directory);

	if (rc == 0)
		rc = change_touch(change, node, &touched);
	if (rc == 0)
		rc = find_below(parent, name, node, &below.hidden);
	if (rc == 0 && below.hidden && reveal)
		rc = look_below(parent, name, &below);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	if (node->kind == S_IFDIR >> MODE_KIND_SHIFT)
		change_count_directory(directory, -1);
	change_unlink(change, touched, false);
	if (below.directory)
		change_count_directory(directory, 1);
	change_drop_name(change, parent, name, below.hidden);
	change_directory(change, directory);
	rc = change_commit(change);
	if (rc == 0 && below.shown)
		node_comes_back(parent->tree, below.shown);
	return rc;
}

struct names {
	struct view_edit *edit;
	unsigned count;
};

enum { NAMES_AT_ONCE = 200 };

static int forget_name(void *context, const struct item_key *key,
		       const void *payload, size_t payload_bytes)
{
	struct names *names = context;

	(void)payload;
	(void)payload_bytes;
	view_edit_put(names->edit, key, NULL, 0);
	return ++names->count < NAMES_AT_ONCE ? 0 : -EAGAIN;
}

static void forget(struct tree_node *node, enum item_type type)
{
	int rc = -EAGAIN;

	while (rc == -EAGAIN) {
		struct view_edit edit;
		struct names names = { &edit, 0 };

		if (view_edit_begin(node->tree->view, &edit) < 0)
			return;
		rc = view_items_scan(node->tree->view, node->inode, type,
				     forget_name, &names);
		if (names.count == 0)
			view_edit_abort(&edit);
		else if (view_edit_commit(&edit) < 0)
			return;
	}
}

void node_forget_names(struct tree_node *node)
{
	if (node->kind == S_IFDIR >> MODE_KIND_SHIFT &&
	    (node->base || node->inode >= INODE_NEW_END))
		forget(node, ITEM_TYPE_DIRENT);
}

void node_forget_xattrs(struct tree_node *node)
{
	forget(node, ITEM_TYPE_XATTR);
}

static int remove_found(struct change *change, struct tree_node *parent,
			const char *name, bool directory, bool reveal,
			struct tree_node **out_node)
{
	struct found_name found;
	int rc = parent->remembered ? -ENOENT : find_name(parent, name, &found);

	if (rc < 0)
		return rc;
	if (reveal && found.from_base) {
		found_fini(&found);
		return -EROFS;
	}
	rc = node_open(parent->tree, found.inode, found.kind, found.base,
		       out_node);
	found.base = NULL;
	if (rc < 0)
		return rc;
	if (directory != ((*out_node)->kind == S_IFDIR >> MODE_KIND_SHIFT))
		return directory ? -ENOTDIR : -EISDIR;
	if (directory)
		rc = node_check_empty(*out_node);
	return rc < 0 ? rc :
			remove_name(change, parent, name, *out_node, reveal);
}

static int remove_one(struct tree_node *parent, const char *name,
		      bool directory, bool reveal)
{
	struct tree *tree = parent->tree;
	struct tree_node *node = NULL;
	struct change change;
	int rc;

	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = remove_found(&change, parent, name, directory, reveal, &node);
	if (rc == 0)
		node_forget_names(node);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	if (node)
		tree_node_put(node, 1);
	return rc;
}

int tree_unlink(struct tree_node *parent, const char *name)
{
	return remove_one(parent, name, false, false);
}

int tree_rmdir(struct tree_node *parent, const char *name)
{
	return remove_one(parent, name, true, false);
}

int tree_reveal(struct tree_node *parent, const char *name, bool directory)
{
	return remove_one(parent, name, directory, true);
}
