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

/* Both files, open, of the same size. */
struct content {
	struct file *from, *to;
	uint64_t size_bytes;
	uint8_t *buffer; /* two of COMPARE_BYTES */
};

enum { COMPARE_BYTES = 1 << 20 };

/* 1: the bytes of the range are the same. */
static int same_range(struct content *content, uint64_t at, uint64_t end)
{
	uint8_t *a = content->buffer, *b = content->buffer + COMPARE_BYTES;
	size_t a_bytes, b_bytes;
	int rc = 1;

	if (end > content->size_bytes)
		end = content->size_bytes;
	for (; rc == 1 && at < end; at += COMPARE_BYTES) {
		size_t len_bytes = end - at < COMPARE_BYTES ?
					   (size_t)(end - at) :
					   COMPARE_BYTES;

		rc = file_read(content->from, at, a, len_bytes, &a_bytes);
		if (rc == 0)
			rc = file_read(content->to, at, b, len_bytes, &b_bytes);
		if (rc == 0)
			rc = a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0;
	}
	return rc;
}

static int open_content(const struct diff_object *from,
			const struct diff_object *to, struct content *content)
{
	int rc = tree_file_open(from->node, false, &content->from);

	if (rc < 0)
		return rc;
	rc = tree_file_open(to->node, false, &content->to);
	if (rc < 0)
		tree_file_close(from->node);
	content->size_bytes = to->item.size_bytes;
	return rc;
}

/* Stored anew is not changed: until the first byte that differs. windows:
 * NULL: all of them. 1: they are the same. What can't be read differs. */
static int same_content(const struct diff_object *from,
			const struct diff_object *to,
			const struct diff_windows *windows)
{
	AUTO_FREE uint8_t *buffer = malloc(2 * COMPARE_BYTES);
	struct content content = { .buffer = buffer };
	size_t i;
	int same = 1;

	if (!buffer)
		return -ENOMEM;
	if (open_content(from, to, &content) < 0)
		return 0;
	if (!windows)
		same = same_range(&content, 0, content.size_bytes);
	for (i = 0; windows && same == 1 && i < windows->count; i++)
		same = same_range(&content, windows->numbers[i] * WINDOW_BYTES,
				  (windows->numbers[i] + 1) * WINDOW_BYTES);
	tree_file_close(from->node);
	tree_file_close(to->node);
	return same == 1;
}

static int compare_windows(const struct diff_object *from,
			   const struct diff_object *to,
			   const struct diff_windows *windows, bool *out_differ,
			   uint64_t *stored_bytes)
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
		*out_differ |= difference.changed_blocks > 0;
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
	bool differ = false;
	int rc = 0;

	if (from->node->inode != to->node->inode ||
	    from->item.base_visible_bytes != to->item.base_visible_bytes) {
		differ = true;
		*stored_bytes = to->item.data_blocks * BLOCK_BYTES;
		windows = NULL;
	} else {
		rc = compare_windows(from, to, windows, &differ, stored_bytes);
	}
	if (rc < 0)
		return rc;
	if (from->item.size_bytes != to->item.size_bytes)
		*changes |= TREE_DIFF_DATA;
	else if (differ)
		rc = same_content(from, to, windows);
	if (rc == 0 && differ)
		*changes |= TREE_DIFF_DATA;
	return rc < 0 ? rc : 0;
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
