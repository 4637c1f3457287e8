/* What differs of an inode between two trees. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_diff_impl.h"
#include "view_rows.h"

static int load(struct diff_side *side, struct tree_node *node,
		struct diff_object *out_object)
{
	int rc = node_load(node, &out_object->item);

	if (rc < 0) {
		tree_node_put(node, 1);
		return rc;
	}
	out_object->side = side;
	out_object->node = node;
	return 0;
}

int object_by_number(struct diff_side *side, uint64_t inode, uint32_t kind,
		     struct diff_object *out_object)
{
	struct tree_node *node;
	int rc = node_open(side->tree, inode, kind, NULL, &node);

	if (rc == 0)
		rc = load(side, node, out_object);
	return rc == -ESTALE ? -ENOENT : rc;
}

int object_by_name(struct diff_side *side, struct place *directory,
		   const char *name, struct diff_object *out_object)
{
	struct tree_node *node;
	struct found_name found;
	int rc = find_name(directory->node, name, &found);

	if (rc < 0)
		return rc;
	rc = node_open(side->tree, found.inode, found.kind, found.base, &node);
	return rc < 0 ? rc : load(side, node, out_object);
}

void object_fini(struct diff_object *object)
{
	if (object->node)
		tree_node_put(object->node, 1);
	object->node = NULL;
}

/* --- xattrs --- */

struct xattrs {
	char *names;
	size_t names_bytes;
};

static int list_xattrs(struct tree_node *node, struct xattrs *all)
{
	int rc = tree_list_xattr(node, NULL, 0, &all->names_bytes);

	if (rc < 0 || all->names_bytes == 0)
		return rc;
	all->names = malloc(all->names_bytes);
	return all->names ? tree_list_xattr(node, all->names, all->names_bytes,
					    &all->names_bytes) :
			    -ENOMEM;
}

/* 1: the other has the same value. */
static int same_xattr(struct tree_node *a, struct tree_node *b,
		      const char *name)
{
	AUTO_FREE char *values = malloc(2 * (ITEM_XATTR_BYTES_MAX + 1));
	char *other = values + ITEM_XATTR_BYTES_MAX + 1;
	size_t a_bytes, b_bytes;
	int rc;

	if (!values)
		return -ENOMEM;
	rc = tree_get_xattr(a, name, values, ITEM_XATTR_BYTES_MAX + 1,
			    &a_bytes);
	if (rc == 0)
		rc = tree_get_xattr(b, name, other, ITEM_XATTR_BYTES_MAX + 1,
				    &b_bytes);
	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	return a_bytes == b_bytes && memcmp(values, other, a_bytes) == 0;
}

/* 1: they have the same ones. */
static int same_xattrs(struct tree_node *a, struct tree_node *b)
{
	struct xattrs mine = { 0 }, others = { 0 };
	size_t at, count = 0, other_count = 0;
	int rc = list_xattrs(a, &mine), same = 1;

	if (rc == 0)
		rc = list_xattrs(b, &others);
	for (at = 0; rc == 0 && at < others.names_bytes; other_count++)
		at += strlen(others.names + at) + 1;
	for (at = 0; rc == 0 && same == 1 && at < mine.names_bytes; count++) {
		same = same_xattr(a, b, mine.names + at);
		at += strlen(mine.names + at) + 1;
	}
	free(mine.names);
	free(others.names);
	if (rc < 0 || same < 0)
		return rc < 0 ? rc : same;
	return same && count == other_count;
}

static int compare_xattrs(const struct diff_object *from,
			  const struct diff_object *to, unsigned *changes)
{
	bool one = from->node->inode == to->node->inode;
	int rc;

	/* Those of base are the same for one inode. */
	if (one && !((from->item.flags | to->item.flags) & INODE_FLAG_XATTRS))
		return 0;
	rc = same_xattrs(from->node, to->node);
	if (rc == 0)
		*changes |= TREE_DIFF_XATTRS;
	return rc < 0 && rc != -ENOTSUP ? rc : 0;
}

/* --- data --- */

static int compare_windows(const struct diff_object *from,
			   const struct diff_object *to,
			   const struct diff_windows *windows,
			   unsigned *changes, uint64_t *stored_bytes)
{
	struct window_difference difference;
	size_t i;
	int rc = 0;

	for (i = 0; i < windows->count && rc == 0; i++) {
		rc = view_window_compare(from->side->tree->view,
					 to->side->tree->view, to->node->inode,
					 windows->numbers[i], &difference);
		if (rc < 0)
			break;
		if (difference.changed_blocks > 0)
			*changes |= TREE_DIFF_DATA;
		*stored_bytes +=
			(uint64_t)difference.stored_blocks * BLOCK_BYTES;
	}
	return rc;
}

static int compare_targets(const struct diff_object *from,
			   const struct diff_object *to, unsigned *changes)
{
	char a[PATH_MAX + 1], b[PATH_MAX + 1];
	int rc = tree_readlink(from->node, a, sizeof(a));

	if (rc == 0)
		rc = tree_readlink(to->node, b, sizeof(b));
	if (rc == 0 && strcmp(a, b) != 0)
		*changes |= TREE_DIFF_DATA;
	return rc;
}

static int compare_files(const struct diff_object *from,
			 const struct diff_object *to,
			 const struct diff_windows *windows, unsigned *changes,
			 uint64_t *stored_bytes)
{
	bool empty = from->item.size_bytes == 0 && to->item.size_bytes == 0;

	if (from->node->inode != to->node->inode) {
		*stored_bytes = to->item.data_blocks * BLOCK_BYTES;
		*changes |= empty ? 0 : TREE_DIFF_DATA;
		return 0;
	}
	if (from->item.size_bytes != to->item.size_bytes ||
	    from->item.base_visible_bytes != to->item.base_visible_bytes)
		*changes |= TREE_DIFF_DATA;
	return compare_windows(from, to, windows, changes, stored_bytes);
}

int objects_compare(const struct diff_object *from,
		    const struct diff_object *to,
		    const struct diff_windows *windows, unsigned *out_changes,
		    uint64_t *out_stored_bytes)
{
	const struct inode_item *a = &from->item, *b = &to->item;
	unsigned changes = 0;
	int rc = 0;

	*out_stored_bytes = 0;
	if ((a->mode ^ b->mode) & 07777)
		changes |= TREE_DIFF_MODE;
	if (a->uid != b->uid || a->gid != b->gid)
		changes |= TREE_DIFF_OWNER;
	if (a->mtime_ns != b->mtime_ns)
		changes |= TREE_DIFF_TIMES;
	if (S_ISREG(b->mode))
		rc = compare_files(from, to, windows, &changes,
				   out_stored_bytes);
	else if (S_ISLNK(b->mode))
		rc = compare_targets(from, to, &changes);
	else if (!S_ISDIR(b->mode) && a->rdev != b->rdev)
		changes |= TREE_DIFF_DATA;
	if (rc == 0)
		rc = compare_xattrs(from, to, &changes);
	*out_changes = changes;
	return rc;
}
