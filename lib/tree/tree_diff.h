/*
 * What differs between two trees of a store, as paths. Costs what changed:
 * only names and inodes are looked at of which one tree's view has rows that
 * the other's does not see; and all of both if they have other layers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tree.h"

enum tree_diff_kind {
	TREE_DIFF_ADDED,
	TREE_DIFF_MODIFIED, /* or another inode of the same type */
	TREE_DIFF_DELETED,
	TREE_DIFF_RENAMED,
	TREE_DIFF_TYPE, /* another type at this path */
};

enum tree_diff_change {
	TREE_DIFF_DATA = 1, /* or a symlink's text, a device's number */
	TREE_DIFF_MODE = 2,
	TREE_DIFF_OWNER = 4,
	TREE_DIFF_XATTRS = 8,
	TREE_DIFF_TIMES = 16, /* the time of modification */
};

struct tree_diff_entry {
	enum tree_diff_kind kind;
	unsigned changes;      /* MODIFIED and RENAMED: enum tree_diff_change */
	const char *path;      /* from the root, no '/' in front; "." is it */
	const char *path_from; /* RENAMED; else NULL */
	uint32_t type_from, type_to; /* S_IFMT >> 12; 0: it was not there */
	uint64_t size_from, size_to; /* of regular files */
	uint64_t stored_bytes;	     /* what `to` has in the store of it */
};

/*
 * Calls visit for each entry, sorted by path; a nonzero return ends and is
 * returned. A directory that was renamed is one entry; one that came or went
 * is listed with all that is in it. Hard links: each name. with_times: also
 * what differs in its time of modification only.
 * The trees are used for reading, and nobody else may use them meanwhile:
 * open readers.
 */
typedef int tree_diff_visit(void *context, const struct tree_diff_entry *entry);
NODISCARD int tree_diff(struct tree *from, struct tree *to, bool with_times,
			tree_diff_visit *visit, void *context);
