/* Bitmaps of segments, as rows of the index hold them. */
#include "block_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void block_map_fini(struct block_map *map)
{
	size_t i;

	for (i = 0; i < map->count; i++)
		free(map->segments[i]);
	free(map->segments);
	memset(map, 0, sizeof(*map));
}

static size_t place_of(const struct block_map *map, uint32_t id)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->segments[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct segment_blocks *block_map_segment(const struct block_map *map,
					 uint32_t id)
{
	size_t i = place_of(map, id);

	return i < map->count && map->segments[i]->id == id ? map->segments[i] :
							      NULL;
}

struct segment_blocks *block_map_add(struct block_map *map, uint32_t id)
{
	struct segment_blocks *segment = block_map_segment(map, id);
	size_t i = place_of(map, id);

	if (segment)
		return segment;
	if (map->count == map->capacity) {
		size_t capacity = map->capacity ? map->capacity * 2 : 64;
		void *grown = realloc(map->segments,
				      capacity * sizeof(*map->segments));

		if (!grown)
			return NULL;
		map->segments = grown;
		map->capacity = capacity;
	}
	segment = calloc(1, sizeof(*segment));
	if (!segment)
		return NULL;
	segment->id = id;
	memmove(map->segments + i + 1, map->segments + i,
		(map->count - i) * sizeof(*map->segments));
	map->segments[i] = segment;
	map->count++;
	return segment;
}

uint32_t block_bits_count(const uint8_t *bits)
{
	uint32_t count = 0;
	size_t i;

	for (i = 0; i < BLOCK_MAP_BYTES; i++)
		count += (uint32_t)__builtin_popcount(bits[i]);
	return count;
}

static int load_row(struct block_map *map, sqlite3_stmt *row)
{
	int64_t id = sqlite3_column_int64(row, 0);
	int64_t used = sqlite3_column_int64(row, 2);
	const uint8_t *bits = sqlite3_column_blob(row, 7);
	int len = sqlite3_column_bytes(row, 7);
	struct segment_blocks *segment;

	if (id < 1 || id > UINT32_MAX || used < 0 || used > SEGMENT_BLOCKS ||
	    (len != BLOCK_MAP_BYTES && len != 2 * BLOCK_MAP_BYTES))
		return -EUCLEAN;
	segment = block_map_add(map, (uint32_t)id);
	if (!segment)
		return -ENOMEM;
	segment->has_row = true;
	segment->sealed = sqlite3_column_int(row, 1) != 0;
	segment->used_blocks = (uint32_t)used;
	segment->metadata_blocks = query_u32(row, 3);
	segment->last_lsn = (uint64_t)sqlite3_column_int64(row, 4);
	segment->punch = sqlite3_column_int(row, 5) != 0;
	segment->packed = sqlite3_column_int(row, 6) != 0;
	memcpy(segment->live, bits, BLOCK_MAP_BYTES);
	if (len == 2 * BLOCK_MAP_BYTES)
		memcpy(segment->shared, bits + BLOCK_MAP_BYTES,
		       BLOCK_MAP_BYTES);
	return 0;
}

int block_map_load(struct block_map *map, struct queries *queries)
{
	sqlite3_stmt *row;
	bool damaged = false;
	int rc = query_begin(queries, &row,
			     "SELECT id, sealed, used_blocks, metadata_blocks,"
			     " last_lsn, punch, packed, live FROM segments"
			     " ORDER BY id",
			     "");

	while (rc == 1) {
		int loaded = load_row(map, row);

		damaged = damaged || loaded == -EUCLEAN;
		if (loaded < 0 && loaded != -EUCLEAN) {
			query_end(row);
			return loaded;
		}
		rc = query_next(row);
	}
	return rc == 0 && damaged ? -EUCLEAN : rc;
}

static int save_row(const struct segment_blocks *segment,
		    struct queries *queries)
{
	uint8_t bits[2 * BLOCK_MAP_BYTES];
	size_t len = block_bits_count(segment->shared) ? sizeof(bits) :
							 BLOCK_MAP_BYTES;

	memcpy(bits, segment->live, BLOCK_MAP_BYTES);
	memcpy(bits + BLOCK_MAP_BYTES, segment->shared, BLOCK_MAP_BYTES);
	return query_run(queries,
			 "INSERT OR REPLACE INTO segments(id, sealed,"
			 " used_blocks, metadata_blocks, last_lsn, punch,"
			 " packed, live) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
			 "iiiiiiib", (int64_t)segment->id,
			 (int64_t)segment->sealed,
			 (int64_t)segment->used_blocks,
			 (int64_t)segment->metadata_blocks,
			 (int64_t)segment->last_lsn, (int64_t)segment->punch,
			 (int64_t)segment->packed, bits, len);
}

int block_map_save(struct block_map *map, struct queries *queries)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < map->count && rc == 0; i++) {
		if (!map->segments[i]->dirty || map->segments[i]->gone)
			continue;
		rc = save_row(map->segments[i], queries);
		map->segments[i]->dirty = rc < 0;
		map->segments[i]->has_row = rc == 0;
	}
	return rc;
}

int block_map_use(struct block_map *map, struct location at, uint32_t blocks,
		  bool metadata)
{
	struct segment_blocks *segment = block_map_add(map, at.segment);
	uint32_t i;

	if (!segment)
		return -ENOMEM;
	if (at.block + blocks > SEGMENT_BLOCKS)
		return -EUCLEAN;
	for (i = at.block; i < at.block + blocks; i++) {
		segment->metadata_blocks += metadata &&
					    !block_bit(segment->live, i);
		block_bit_set(segment->live, i);
	}
	if (at.block + blocks > segment->used_blocks)
		segment->used_blocks = at.block + blocks;
	segment->dirty = true;
	return 0;
}

int block_map_share(struct block_map *map, struct location at, uint32_t blocks)
{
	struct segment_blocks *segment;
	uint32_t i;
	int rc = block_map_use(map, at, blocks, false);

	if (rc < 0)
		return rc;
	segment = block_map_segment(map, at.segment);
	for (i = at.block; i < at.block + blocks; i++)
		block_bit_set(segment->shared, i);
	return 0;
}

bool block_map_is_shared(const struct block_map *map, struct location at,
			 uint32_t blocks)
{
	const struct segment_blocks *segment =
		block_map_segment(map, at.segment);
	bool shared = false;
	uint32_t i;

	for (i = at.block;
	     segment && i < at.block + blocks && i < SEGMENT_BLOCKS; i++)
		shared = shared || block_bit(segment->shared, i);
	return shared;
}

void block_map_give_up(struct block_map *map, struct location at,
		       uint32_t blocks)
{
	struct segment_blocks *segment = block_map_segment(map, at.segment);
	uint32_t i;

	for (i = at.block;
	     segment && i < at.block + blocks && i < SEGMENT_BLOCKS; i++)
		block_bit_set(segment->given_up, i);
}

void block_map_seal(struct block_map *map, uint32_t id, uint64_t last_lsn)
{
	struct segment_blocks *segment = block_map_segment(map, id);

	if (!segment)
		return;
	segment->sealed = true;
	segment->used_blocks = SEGMENT_BLOCKS;
	segment->last_lsn = last_lsn;
	segment->dirty = true;
}
