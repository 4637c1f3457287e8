/*
 * What each block of each segment is used for: the bitmaps of the index's
 * segments, and those that rows and the log imply. Some KiB a segment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query.h"
#include "scope.h"
#include "segment_format.h"

enum { BLOCK_MAP_BYTES = SEGMENT_BLOCKS / 8 };

struct segment_blocks {
	uint32_t id;
	bool has_row; /* in the index */
	bool sealed, punch, packed, dirty;
	bool gone; /* it is not saved again */
	uint32_t used_blocks, metadata_blocks;
	uint64_t last_lsn;
	uint8_t live[BLOCK_MAP_BYTES];
	uint8_t shared[BLOCK_MAP_BYTES];
	/* By a row, while records were applied: it may be dead. */
	uint8_t given_up[BLOCK_MAP_BYTES];
	/* As rows imply it (space_scan.h). */
	uint8_t named[BLOCK_MAP_BYTES];	  /* by any row */
	uint8_t needed[BLOCK_MAP_BYTES];  /* by one that somebody sees */
	uint8_t several[BLOCK_MAP_BYTES]; /* by rows of several windows */
};

struct block_map {
	struct segment_blocks **segments; /* sorted by id */
	size_t count, capacity;
	/* Rows that can't be read, and may name anything (space_scan). */
	uint64_t unread_rows;
};

void block_map_fini(struct block_map *map);
/* -EUCLEAN: a row is not as it should be; it is left out. */
NODISCARD int block_map_load(struct block_map *map, struct queries *queries);
/* Rows of segments that are dirty. */
NODISCARD int block_map_save(struct block_map *map, struct queries *queries);

/* NULL: there is none. */
struct segment_blocks *block_map_segment(const struct block_map *map,
					 uint32_t id);
/* Makes it. NULL: no memory. */
struct segment_blocks *block_map_add(struct block_map *map, uint32_t id);
NODISCARD int block_map_use(struct block_map *map, struct location at,
			    uint32_t blocks, bool metadata);
NODISCARD int block_map_share(struct block_map *map, struct location at,
			      uint32_t blocks);
bool block_map_is_shared(const struct block_map *map, struct location at,
			 uint32_t blocks);
void block_map_give_up(struct block_map *map, struct location at,
		       uint32_t blocks);
void block_map_seal(struct block_map *map, uint32_t id, uint64_t last_lsn);

static inline bool block_bit(const uint8_t *bits, uint32_t nr)
{
	return bits[nr / 8] >> (nr % 8) & 1;
}

static inline void block_bit_set(uint8_t *bits, uint32_t nr)
{
	bits[nr / 8] |= (uint8_t)(1U << (nr % 8));
}

static inline void block_bit_clear(uint8_t *bits, uint32_t nr)
{
	bits[nr / 8] &= (uint8_t) ~(1U << (nr % 8));
}

uint32_t block_bits_count(const uint8_t *bits);
