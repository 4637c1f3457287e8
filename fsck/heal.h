/*
 * Damaged blocks: who has them, where another copy may be, and what becomes
 * of the rows if there is none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"
#include "slot.h"
#include "window_format.h"

struct check;

enum bad_kind {
	BAD_SUM,     /* the bytes are not what the sum says */
	BAD_MISSING, /* there is no such segment */
	BAD_AT_ODDS, /* another row says something else of the place */
};

/* A raw block, or a compressed chunk, as slots name it. */
struct bad_chunk {
	uint32_t segment;
	uint16_t block;
	uint8_t is_lz4, stored_blocks;
	uint8_t kind;
	bool healed;
	uint64_t sum;
	/* A row that has it, and which block of the window is the chunk's
	 * first; row 0: none was found. */
	int64_t row;
	struct window_key key;
	int first;
};

struct bad_list {
	struct bad_chunk *chunks; /* heal_all: sorted by place and sum */
	size_t count, capacity;
};

NODISCARD int bad_list_add(struct bad_list *list, const struct slot *slot,
			   enum bad_kind kind);
/* NULL: the slot is none of them. */
struct bad_chunk *bad_list_find(const struct bad_list *list,
				const struct slot *slot);
void bad_list_free(struct bad_list *list);

/* Tells each, with all that it belongs to, and mends what it can. */
NODISCARD int heal_all(struct check *check, struct bad_list *list);

/* heal_find.c: looks for copies, in base, in what --heal-from names, and in
 * all segments. Those that are found are written in place, if they may. */
NODISCARD int heal_find(struct check *check, struct bad_list *list);
