/*
 * The directory that a commit changes: objects in it by their paths, beneath
 * it and through no symlink. Each is written under a temporary name, synced
 * and renamed: it is the old one or the new one, never a part.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "scope.h"
#include "tree.h"

struct commit_target {
	int root_fd;
	uint8_t *buffer; /* COMMIT_BUFFER_BYTES */
	uint64_t written_bytes;
};

enum { COMMIT_BUFFER_BYTES = 1 << 20 };

/* The name under which something is written. */
#define COMMIT_TEMPORARY ".cowd-commit"

/* The directory that a path is in, for the calls that end in "at", and the
 * last name of it, or "." for the root. -ENOENT, -ENOTDIR, -ELOOP. */
NODISCARD int commit_parent(const struct commit_target *target,
			    const char *path, int *out_fd,
			    const char **out_name);
/* -ENOENT: nothing is there. */
NODISCARD int commit_stat(const struct commit_target *target, const char *path,
			  struct stat *out_stat);
/* Is it as the tree has it? Data by size and time, directories always. */
NODISCARD int commit_compare(const struct commit_target *target,
			     const char *path, struct tree_node *node,
			     const struct tree_attr *attr, bool *out_same);
/* What is in the way of a file goes with it, or before a directory. */
NODISCARD int commit_write(struct commit_target *target, const char *path,
			   struct tree_node *node,
			   const struct tree_attr *attr);
/* Another name of what was written. */
NODISCARD int commit_link(struct commit_target *target, const char *first,
			  const char *path);
/* With all that is in it; nothing there is no error. */
NODISCARD int commit_remove(const struct commit_target *target,
			    const char *path);
/* Owner, mode, xattrs and times of what is there. */
NODISCARD int commit_attributes(struct commit_target *target, const char *path,
				struct tree_node *node,
				const struct tree_attr *attr);
