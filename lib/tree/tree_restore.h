/* Bringing what a snapshot has at a path back into the head. */
#pragma once

#include <stdint.h>

#include "tree.h"

struct tree_restored {
	uint64_t created, changed, removed; /* objects */
	uint64_t written_bytes;		    /* of files */
};

/*
 * Makes the path in `to`, a tree of the head, what it is in `from`: content,
 * metadata, and of a directory all that is in it; what `from` does not have
 * there is removed. Directories above it that are missing are made.
 *
 * A file that is still the same inode gets back the blocks that differ, at
 * all its names; one that is not is a new inode. What base has and nobody had
 * changed becomes visible again, which costs a name. Names that were links of
 * each other below the path are so again.
 *
 * `from` may be of the same store only. Each step is an operation of its own:
 * after a failure, again. -ENOENT: `from` has no such path; -ENOTDIR: in `to`
 * something above it is no directory.
 */
NODISCARD int tree_restore(struct tree *from, struct tree *to, const char *path,
			   struct tree_restored *out_restored);
