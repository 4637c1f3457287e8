/*
 * Restoring what one object is: data, xattrs, attributes.
 *
 * Data that the store has is shared with the snapshot (file_share), not stored
 * again. Where the head still has the inode, only what differs is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree_restore_impl.h"
#include "view_rows.h"

/* --- data --- */

static int share_range(struct restore *restore, struct file *from,
		       struct file *to, uint64_t offset_bytes,
		       uint64_t len_bytes)
{
	uint64_t step_bytes;
	int rc = 0;

	restore->counts->written_bytes += len_bytes;
	while (len_bytes > 0 && rc == 0) {
		rc = file_share(from, offset_bytes, to, offset_bytes, len_bytes,
				&step_bytes);
		if (rc == 0 && step_bytes == 0)
			rc = -EIO; /* a snapshot does not end before it ends */
		if (rc < 0)
			break;
		offset_bytes += step_bytes;
		len_bytes -= step_bytes;
	}
	return rc;
}

/* The next run of blocks that differ, from at on; the end: none. */
static size_t find_run(const uint8_t *old, const uint8_t *new, size_t at,
		       size_t len_bytes, size_t *out_begin)
{
	size_t end;
	bool in_run = false;

	*out_begin = len_bytes;
	for (; at < len_bytes; at = end) {
		end = at + BLOCK_BYTES < len_bytes ? at + BLOCK_BYTES :
						     len_bytes;
		if (memcmp(old + at, new + at, end - at) == 0) {
			if (in_run)
				return at;
			continue;
		}
		if (!in_run)
			*out_begin = at;
		in_run = true;
	}
	return len_bytes;
}

/* The blocks of a range that differ, whole as far as the file goes. */
static int copy_range(struct restore *restore, struct file *from,
		      struct file *to, uint64_t offset_bytes, size_t len_bytes)
{
	uint8_t *new = restore->buffer, *old = restore->buffer + COPY_BYTES;
	size_t new_bytes, old_bytes, begin, end = 0;
	int rc = file_read(from, offset_bytes, new, len_bytes, &new_bytes);

	if (rc == 0)
		rc = file_read(to, offset_bytes, old, len_bytes, &old_bytes);
	if (rc < 0)
		return rc;
	if (old_bytes < new_bytes)
		memset(old + old_bytes, 0, new_bytes - old_bytes);
	while (end < new_bytes && rc == 0) {
		end = find_run(old, new, end, new_bytes, &begin);
		if (begin < end)
			rc = share_range(restore, from, to,
					 offset_bytes + begin, end - begin);
	}
	return rc;
}

/* Do both show the same of base where nothing is stored? */
static bool same_base(const struct pair *pair)
{
	uint64_t size_bytes = pair->from_attr.size_bytes;
	struct inode_item from, to;

	if (node_load(pair->from, &from) < 0 || node_load(pair->to, &to) < 0)
		return false;
	if (from.base_visible_bytes > size_bytes)
		from.base_visible_bytes = size_bytes;
	if (to.base_visible_bytes > size_bytes)
		to.base_visible_bytes = size_bytes;
	return from.base_visible_bytes == to.base_visible_bytes;
}

/* Of one inode, whose windows tell where it may differ. */
static int copy_windows(struct restore *restore, const struct pair *pair,
			struct file *from, struct file *to)
{
	struct window_difference difference = { .changed_blocks = 1 };
	uint64_t size_bytes = pair->from_attr.size_bytes, at;
	bool same = same_base(pair);
	int rc = 0;

	for (at = 0; at < size_bytes && rc == 0; at += COPY_BYTES) {
		if (same && at % WINDOW_BYTES == 0)
			rc = view_window_compare(restore->from->view,
						 restore->to->view,
						 pair->to->inode,
						 at / WINDOW_BYTES,
						 &difference);
		if (rc == 0 && difference.changed_blocks > 0)
			rc = copy_range(restore, from, to, at, COPY_BYTES);
	}
	return rc;
}

/* A new file has holes where the other has. */
static int copy_data(struct restore *restore, const struct pair *pair,
		     struct file *from, struct file *to)
{
	uint64_t size_bytes = pair->from_attr.size_bytes, at = 0, end = 0;
	int rc = 0;

	if (pair->from->inode == pair->to->inode)
		return copy_windows(restore, pair, from, to);
	while (rc == 0 && at < size_bytes) {
		rc = file_seek(from, at, true, &at);
		if (rc == -ENXIO)
			return 0;
		if (rc == 0)
			rc = file_seek(from, at, false, &end);
		if (rc == 0)
			rc = share_range(restore, from, to, at, end - at);
		at = end;
	}
	return rc;
}

int restore_data(struct restore *restore, struct pair *pair, bool is_new)
{
	struct file *from, *to;
	int rc = tree_file_open(pair->from, false, &from);

	if (rc < 0)
		return rc;
	rc = tree_file_open(pair->to, true, &to);
	if (rc == 0) {
		if (!is_new)
			rc = file_resize(to, pair->from_attr.size_bytes);
		if (rc == 0)
			rc = copy_data(restore, pair, from, to);
		if (rc == 0 && is_new)
			rc = file_resize(to, pair->from_attr.size_bytes);
		tree_file_close(pair->to);
	}
	tree_file_close(pair->from);
	return rc;
}

/* --- metadata --- */

static int list_names(struct tree_node *node, char **out_names,
		      size_t *out_bytes)
{
	int rc = tree_list_xattr(node, NULL, 0, out_bytes);

	*out_names = NULL;
	if (rc < 0 || *out_bytes == 0)
		return rc == -ENOTSUP ? 0 : rc;
	*out_names = malloc(*out_bytes);
	return *out_names ? tree_list_xattr(node, *out_names, *out_bytes,
					    out_bytes) :
			    -ENOMEM;
}

static int copy_xattrs(struct restore *restore, struct pair *pair,
		       const char *names, size_t names_bytes)
{
	size_t at, len_bytes;
	int rc = 0;

	for (at = 0; at < names_bytes && rc == 0;
	     at += strlen(names + at) + 1) {
		rc = tree_get_xattr(pair->from, names + at, restore->buffer,
				    COPY_BYTES, &len_bytes);
		if (rc == 0)
			rc = tree_set_xattr(pair->to, names + at,
					    restore->buffer, len_bytes, 0);
	}
	return rc;
}

static bool has_name(const char *names, size_t names_bytes, const char *name)
{
	size_t at;

	for (at = 0; at < names_bytes; at += strlen(names + at) + 1)
		if (strcmp(names + at, name) == 0)
			return true;
	return false;
}

int restore_xattrs(struct restore *restore, struct pair *pair)
{
	AUTO_FREE char *names = NULL;
	AUTO_FREE char *old = NULL;
	size_t names_bytes = 0, old_bytes = 0, at;
	int rc = list_names(pair->from, &names, &names_bytes);

	if (rc == 0)
		rc = list_names(pair->to, &old, &old_bytes);
	for (at = 0; rc == 0 && at < old_bytes; at += strlen(old + at) + 1)
		if (!has_name(names, names_bytes, old + at))
			rc = tree_remove_xattr(pair->to, old + at);
	return rc < 0 ? rc : copy_xattrs(restore, pair, names, names_bytes);
}

int restore_attributes(struct pair *pair)
{
	return tree_set_attr(pair->to,
			     TREE_SET_MODE | TREE_SET_UID | TREE_SET_GID |
				     TREE_SET_ATIME | TREE_SET_MTIME,
			     &pair->from_attr, NULL);
}
