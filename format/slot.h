/*
 * A slot: what one block of a file is mapped to, as windows hold it in
 * memory. What no slot covers is base.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "segment_format.h"

enum { WINDOW_BLOCKS = 512, WINDOW_BYTES = WINDOW_BLOCKS * 4096 };

enum slot_kind {
	SLOT_KIND_RAW = 1,
	SLOT_KIND_LZ4,
	SLOT_KIND_ZERO,
	SLOT_KIND_LOST, /* given up by cowd-fsck: can't be read */
};

struct slot {
	uint64_t sum;	  /* RAW: of the block; LZ4: of the stored bytes */
	uint32_t segment; /* ZERO, LOST: 0 */
	uint32_t birth;	  /* generation in which it was written */
	uint16_t block;	  /* RAW: its place; LZ4: where the chunk begins */
	uint16_t first;	  /* block in the window */
	uint16_t count;	  /* ZERO: 1..512 blocks; others: 1 */
	uint8_t kind;	  /* enum slot_kind */
	uint8_t lz4;	  /* skip << 4 | stored blocks - 1 */
};

/* Is it stored in a segment? Else it is ZERO or LOST. */
static inline bool slot_has_place(const struct slot *slot)
{
	return slot->kind == SLOT_KIND_RAW || slot->kind == SLOT_KIND_LZ4;
}

static inline unsigned slot_skip(const struct slot *slot)
{
	return slot->lz4 >> 4;
}

/* Blocks that the chunk behind the slot takes in its segment. */
static inline unsigned slot_stored_blocks(const struct slot *slot)
{
	return slot->kind == SLOT_KIND_LZ4 ? (slot->lz4 & 15U) + 1U : 1U;
}

static inline bool slot_same_chunk(const struct slot *a, const struct slot *b)
{
	return a->segment == b->segment && a->block == b->block &&
	       a->segment != 0;
}
