/*
 * Which blocks of which segment are in use. Exact: a set bit is a block that
 * some row, or the log itself, refers to.
 *
 * Freed blocks wait in a second bitmap until a checkpoint that no longer
 * refers to them is durable (rule 4); only then are they punched out.
 *
 * A shared block is one that several windows may refer to, so that no one
 * row tells when it is free: it stays in use whoever frees it, until a sweep
 * has looked at all rows and seen it in none (sweep.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "mutex.h"

struct segment_space {
	uint32_t id;
	bool sealed, punch, packed, dirty;
	bool was_dead; /* when it was last saved: only records are left */
	bool stuck;    /* compaction left something in it */
	bool told;     /* it has records that a dump must repeat: dump.c */
	uint32_t used_blocks; /* up to where it was handed out */
	uint32_t live_blocks; /* set bits, metadata included */
	uint32_t metadata_blocks;
	uint64_t last_lsn; /* no record in it is newer, once sealed */
	uint32_t shared_blocks;
	uint8_t *live;	 /* SEGMENT_BITMAP_BYTES */
	uint8_t *freed;	 /* or NULL */
	uint8_t *shared; /* or NULL */
	uint8_t *seen;	 /* by the sweep that runs, or NULL; behind it, as */
			 /* large: seen again, or changed meanwhile */
};

struct space_map {
	struct mutex lock;
	struct segment_space **segments; /* sorted by id */
	size_t count, capacity;
	uint64_t live_blocks, metadata_blocks; /* totals */
	uint64_t freed_blocks;		       /* waiting */
	uint64_t shared_blocks;
	uint64_t kept_blocks; /* freed, but shared: since the last sweep */
	bool sweeping;
	bool failed; /* out of memory: what is in use is not all known */
};

void space_map_init(struct space_map *map);
void space_map_fini(struct space_map *map);
NODISCARD int space_map_load(struct space_map *map, struct index *index);
/* metadata: a header or record block. */
void space_map_use(struct space_map *map, struct location at, uint32_t blocks,
		   bool metadata);
void space_map_free(struct space_map *map, struct location at, uint32_t blocks);
/* Further windows refer to these blocks from now on. */
void space_map_share(struct space_map *map, struct location at,
		     uint32_t blocks);
/* Any of them? */
bool space_map_is_shared(struct space_map *map, struct location at,
			 uint32_t blocks);
uint64_t space_map_shared_blocks(struct space_map *map);
/* Blocks that were freed, but are shared. */
uint64_t space_map_kept_blocks(struct space_map *map);
/*
 * From begin on, what is shared counts as seen, and rows are looked at. end:
 * what is shared and was not seen is free; what was seen once, by one row, is
 * that window's own. abort: nothing is. -ENOMEM.
 */
NODISCARD int space_map_begin_sweep(struct space_map *map);
void space_map_see(struct space_map *map, struct location at, uint32_t blocks);
/* Returns how many blocks became free. */
uint64_t space_map_end_sweep(struct space_map *map);
void space_map_abort_sweep(struct space_map *map);
/*
 * Frees again what is dead in segments with a mark: it may not be punched
 * out yet. Once what replay found is in use, and before anything is written.
 */
void space_map_free_marked(struct space_map *map);
/* Id of the newest segment, 0: none. */
uint32_t space_map_newest(struct space_map *map);
uint64_t space_map_live_blocks(struct space_map *map);
uint64_t space_map_freed_blocks(struct space_map *map);
bool space_map_is_live(struct space_map *map, struct location at);
void space_map_seal(struct space_map *map, uint32_t segment,
		    uint32_t used_blocks, uint64_t last_lsn);
/* Copies of all changed segments as of now; freed marks move into *freed.
 * -ENOMEM for ever once a use was not noted: the log still knows it. */
struct space_save {
	struct segment_space *segments;
	size_t count;
};
NODISCARD int space_map_begin_save(struct space_map *map,
				   struct space_save *out_save);
void space_save_fini(struct space_save *save);
/* The segment, or NULL; under map->lock. */
struct segment_space *space_map_segment(struct space_map *map, uint32_t id)
	REQUIRES(map->lock);
void space_map_remove(struct space_map *map, uint32_t id);
