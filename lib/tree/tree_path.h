/* Whole paths in a tree, for those who look at it from outside. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "tree.h"

/*
 * The node of a path from the root, with a reference: names with '/' between,
 * none of them "..". No symlink is followed. "" is the root. -ENOENT,
 * -ENOTDIR, -EINVAL: "..".
 */
NODISCARD int tree_find_path(struct tree *tree, const char *path,
			     struct tree_node **out_node,
			     struct tree_attr *out_attr);

/* What serves an object. */
struct tree_source {
	uint32_t layer;		   /* that has it; 0: none */
	char layer_path[PATH_MAX]; /* where, from the layer's root */
	bool stored;		   /* the store has an item of it */
	bool stored_data;	   /* and bytes of a file, or it is new */
	bool layer_data;	   /* bytes of a file come from the layer */
};
NODISCARD int tree_which(struct tree_node *node,
			 struct tree_source *out_source);

/* Removes a name with all that is below it, and adds how many names went. */
NODISCARD int tree_remove_all(struct tree_node *parent, const char *name,
			      uint64_t *count);

/*
 * Calls visit with every name in the tree, directories before what is in
 * them; path: from the root, without a slash before it. A return that is not 0
 * ends it, a negative one is returned. What changes meanwhile may be missed,
 * or be told twice.
 */
typedef int tree_name_visit(void *context, const char *path, uint64_t inode,
			    uint32_t kind);
NODISCARD int tree_walk_names(struct tree *tree, tree_name_visit *visit,
			      void *context);
/* Where a directory is now: as above, of malloc. -ENOENT: nowhere any more. */
NODISCARD int tree_directory_path(struct tree_node *directory, char **out_path);
