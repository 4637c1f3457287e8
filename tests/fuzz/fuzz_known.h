/*
 * What the views of a store show: learned when it is whole, compared when it
 * was damaged. Each answer must be right, or an error.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "file.h"
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
