/* The insides of tree_restore, shared by tree_restore*.c only. */
#pragma once

#include <sys/stat.h>

#include "hash.h"
#include "tree_impl.h"
#include "tree_restore.h"

enum { DIRECTORY = S_IFDIR >> MODE_KIND_SHIFT, COPY_BYTES = 1 << 20 };

/* A file with several names that was restored under one. */
struct linked {
	uint64_t from;
	struct tree_node *to;
	UT_hash_handle hh;
};

struct restore {
	struct tree *from, *to;
	struct tree_restored *counts;
	struct linked *linked;
	uint8_t *buffer; /* two of COPY_BYTES */
};

/* One object on both sides; to may be NULL. */
struct pair {
	struct tree_node *parent; /* in the head */
	const char *name;
	struct tree_node *from, *to;
	struct tree_attr from_attr, to_attr;
};

/* tree_restore_content.c: what `to` has becomes what `from` has. */
NODISCARD int restore_data(struct restore *restore, struct pair *pair,
			   bool is_new);
NODISCARD int restore_xattrs(struct restore *restore, struct pair *pair);
NODISCARD int restore_attributes(struct pair *pair);
