/*
 * Walks all rows. A window's blocks are marked when all of its versions were
 * seen, so that those of an earlier window are told from its own.
 */
#include "space_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "points.h"
#include "window_scan.h"

struct place {
	uint32_t segment;
	uint16_t block;
	uint16_t blocks;
};

struct space_scan {
	struct block_map *map;
	struct points points;
	space_foreign *foreign;
	void *context;
	struct place *own; /* of this window */
	size_t own_count, own_capacity;
};

static void mark(struct segment_blocks *segment, struct place place,
		 uint8_t *bits)
{
	uint32_t i;

	(void)segment;
	for (i = place.block; i < (uint32_t)place.block + place.blocks; i++)
		block_bit_set(bits, i);
}

static int keep(struct space_scan *scan, struct place place)
{
	if (scan->own_count == scan->own_capacity) {
		size_t capacity = scan->own_capacity ? scan->own_capacity * 2 :
						       1024;
		void *grown = realloc(scan->own, capacity * sizeof(place));

		if (!grown)
			return -ENOMEM;
		scan->own = grown;
		scan->own_capacity = capacity;
	}
	scan->own[scan->own_count++] = place;
	return 0;
}

static int see(struct space_scan *scan, const struct window_row *row,
	       const struct slot *slot, bool needed)
{
	struct place place = { slot->segment, slot->block,
			       (uint16_t)slot_stored_blocks(slot) };
	struct segment_blocks *segment =
		block_map_segment(scan->map, place.segment);
	uint32_t i;

	if (!segment) {
		const struct location at = { place.segment, place.block };

		if (scan->foreign)
			scan->foreign(scan->context, row->key.inode,
				      row->key.window, at);
		return 0;
	}
	for (i = place.block; i < (uint32_t)place.block + place.blocks; i++)
		if (block_bit(segment->named, i))
			block_bit_set(segment->several, i);
	if (needed)
		mark(segment, place, segment->needed);
	return keep(scan, place);
}

static void mark_own(struct space_scan *scan)
{
	size_t i;

	for (i = 0; i < scan->own_count; i++) {
		struct segment_blocks *segment =
			block_map_segment(scan->map, scan->own[i].segment);

		mark(segment, scan->own[i], segment->named);
	}
	scan->own_count = 0;
}

static int by_place(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct place));
}

/* Versions of a window mostly have the same blocks. */
static void drop_doubles(struct space_scan *scan)
{
	size_t i, kept = 0;

	qsort(scan->own, scan->own_count, sizeof(*scan->own), by_place);
	for (i = 0; i < scan->own_count; i++)
		if (i == 0 || by_place(&scan->own[i], &scan->own[kept - 1]))
			scan->own[kept++] = scan->own[i];
	scan->own_count = kept;
}

static int visit(void *context, const struct window_row *row, bool first,
		 bool last)
{
	struct space_scan *scan = context;
	int rc = points_need(&scan->points, row);
	bool needed = rc == 1;
	size_t i;

	(void)first;
	scan->map->unread_rows += row->damaged;
	if (rc == 1)
		rc = 0;
	for (i = 0; i < row->slot_count && rc == 0; i++) {
		const struct slot *slot = &row->slots[i];

		if (slot->segment == 0 ||
		    (slot->kind == SLOT_KIND_LZ4 && i > 0 &&
		     slot_same_chunk(slot, slot - 1)))
			continue;
		rc = see(scan, row, slot, needed);
	}
	if (rc == 0 && scan->own_count > 64 * 1024)
		drop_doubles(scan);
	if (last)
		mark_own(scan);
	return rc;
}

int space_scan(struct block_map *map, struct queries *queries, uint64_t seed,
	       space_foreign *foreign, void *context)
{
	struct space_scan scan = {
		.map = map,
		.foreign = foreign,
		.context = context,
	};
	size_t i;
	int rc = points_load(&scan.points, queries);

	map->unread_rows = 0;
	for (i = 0; i < map->count; i++) {
		memset(map->segments[i]->named, 0, BLOCK_MAP_BYTES);
		memset(map->segments[i]->needed, 0, BLOCK_MAP_BYTES);
		memset(map->segments[i]->several, 0, BLOCK_MAP_BYTES);
	}
	if (rc == 0)
		rc = window_scan(queries, seed, visit, &scan);
	points_fini(&scan.points);
	free(scan.own);
	return rc;
}

static void clear(struct segment_blocks *segment, uint32_t nr)
{
	block_bit_clear(segment->live, nr);
	block_bit_clear(segment->shared, nr);
	segment->punch = true;
	segment->dirty = true;
}

void space_settle(struct block_map *map)
{
	size_t i;
	uint32_t nr;

	for (i = 0; i < map->count && map->unread_rows == 0; i++) {
		struct segment_blocks *segment = map->segments[i];

		for (nr = 0; nr < SEGMENT_BLOCKS; nr++)
			if (block_bit(segment->given_up, nr) &&
			    block_bit(segment->live, nr) &&
			    !block_bit(segment->named, nr))
				clear(segment, nr);
	}
}
