/*
 * What the views of a store show: learned when it is whole, compared when it
 * was damaged. Each answer must be right, or an error.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "file.h"
#include "fuzz_store.h"
#include "tree.h"

struct known_image {
	uint64_t size_bytes;
	uint64_t *sums; /* of each block */
};

struct known_node {
	char name[16];
	struct tree_attr attr;
	char target[64]; /* of a symlink */
	char value[16];	 /* of user.key; "": none */
	struct known_image data;
	size_t child_count;
	struct known_node *children;
};

void known_image_learn(struct known_image *known, struct file *file);
void known_image_compare(const struct known_image *known, struct file *file);
void known_node_learn(struct known_node *known, struct tree_node *node,
		      const char *name);
void known_node_compare(const struct known_node *known, struct tree_node *node);

/* A head (of branch) or a snapshot, and what it shows. */
struct known_view {
	char branch[32];
	uint32_t snapshot_id;
	struct known_image image;
	struct known_node root;
};

enum { KNOWN_VIEWS_MAX = 16 };
struct known_views {
	bool is_tree;
	size_t count;
	struct known_view view[KNOWN_VIEWS_MAX];
};

/* Makes the store, and notes what it shows. */
void known_views_learn(struct known_views *known, struct fuzz_store *made,
		       bool is_tree);
/* All that was synced is there, and right if it can be read. */
void known_views_compare(const struct known_views *known, struct store *store);
