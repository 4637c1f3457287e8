/*
 * What is done to a store: from a table of the fields of every structure in
 * docs/format.md, of files, and by chance.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuzz_store.h"

enum damage_how {
	DAMAGE_FLIP, /* a bit */
	DAMAGE_ZERO,
	DAMAGE_ONES,
	DAMAGE_TOP, /* the highest bit of a field */
	DAMAGE_NOISE,
	DAMAGE_SWAP, /* of two blocks */
	DAMAGE_CUT,
	DAMAGE_GROW,
	DAMAGE_REMOVE,
	DAMAGE_COPY,   /* over another file */
	DAMAGE_ROTATE, /* two files change places */
	DAMAGE_ROW,    /* of the index, by SQL */
};

struct damage {
	enum damage_how how;
	unsigned file, other; /* of the store's files */
	uint64_t at, other_at;
	size_t len;
	uint64_t random;
	char text[120];
};

enum { DAMAGES_MAX = 4 };

/* One case: what happens to which of the stores. */
struct plan {
	unsigned variant;
	struct damage list[DAMAGES_MAX];
	unsigned count;
};

/* Of all cases of the table; 0 behind the last one. */
bool plan_of_table(const struct fuzz_store *stores, unsigned variants,
		   uint64_t nr, struct plan *out_plan);
void plan_random(const struct fuzz_store *stores, unsigned variants,
		 uint64_t seed, struct plan *out_plan);
/* To the files in path, which are those of the store. */
void plan_apply(const struct plan *plan, const struct fuzz_store *store);
/* All of it is in segments and so small that it hides nothing else: what is
 * shown must be right or an error. */
bool plan_is_small(const struct plan *plan, const struct fuzz_store *store);
bool plan_has_rows(const struct plan *plan);
bool plan_is_data_only(const struct plan *plan, const struct fuzz_store *store);
void plan_text(const struct plan *plan, char *text, size_t text_bytes);
