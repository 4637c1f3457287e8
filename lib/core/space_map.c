/* Bitmaps of the blocks in use, by segment. */
#include "space_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "logging.h"

void space_map_init(struct space_map *map)
{
	memset(map, 0, sizeof(*map));
	mutex_init(&map->lock);
}

static void segment_free(struct segment_space *segment)
{
	if (!segment)
		return;
	free(segment->live);
	free(segment->freed);
	free(segment);
}

void space_map_fini(struct space_map *map)
{
	size_t i;

	for (i = 0; i < map->count; i++)
		segment_free(map->segments[i]);
	free(map->segments);
	mutex_fini(&map->lock);
}

static size_t search(const struct space_map *map, uint32_t id)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (map->segments[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct segment_space *space_map_segment(struct space_map *map, uint32_t id)
{
	size_t i = search(map, id);

	return i < map->count && map->segments[i]->id == id ? map->segments[i] :
							      NULL;
}

static struct segment_space *add_locked(struct space_map *map, uint32_t id)
	REQUIRES(map->lock)
{
	struct segment_space *segment;
	size_t i = search(map, id);

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
	if (segment)
		segment->live = calloc(1, SEGMENT_BITMAP_BYTES);
	if (!segment || !segment->live) {
		segment_free(segment);
		return NULL;
	}
	segment->id = id;
	memmove(map->segments + i + 1, map->segments + i,
		(map->count - i) * sizeof(*map->segments));
	map->segments[i] = segment;
	map->count++;
	return segment;
}

static bool bit(const uint8_t *bits, uint32_t nr)
{
	return bits[nr / 8] >> (nr % 8) & 1;
}

static int load_one(void *context, const struct segment_row *row)
{
	struct space_map *map = context;
	struct segment_space *segment;
	uint32_t i;

	mutex_assert_held(&map->lock); /* by space_map_load() */
	segment = add_locked(map, row->id);
	if (!segment)
		return -ENOMEM;
	segment->sealed = row->sealed;
	segment->punch = row->punch;
	segment->packed = row->packed;
	segment->used_blocks = row->used_blocks;
	segment->metadata_blocks = row->metadata_blocks;
	segment->last_lsn = row->last_lsn;
	memcpy(segment->live, row->live, SEGMENT_BITMAP_BYTES);
	for (i = 0; i < SEGMENT_BITMAP_BYTES; i++)
		segment->live_blocks +=
			(uint32_t)__builtin_popcount(row->live[i]);
	map->live_blocks += segment->live_blocks;
	map->metadata_blocks += segment->metadata_blocks;
	return 0;
}

int space_map_load(struct space_map *map, struct index *index)
{
	int rc;

	mutex_lock(&map->lock);
	rc = index_segments_load(index, load_one, map);
	mutex_unlock(&map->lock);
	return rc;
}

void space_map_use(struct space_map *map, struct location at, uint32_t blocks,
		   bool metadata)
{
	struct segment_space *segment;
	uint32_t i;

	mutex_lock(&map->lock);
	segment = space_map_segment(map, at.segment);
	if (!segment)
		segment = add_locked(map, at.segment);
	if (!segment) {
		map->failed = true;
		mutex_unlock(&map->lock);
		return;
	}
	for (i = at.block; i < at.block + blocks; i++) {
		if (bit(segment->live, i))
			continue;
		segment->live[i / 8] |= (uint8_t)(1U << (i % 8));
		segment->live_blocks++;
		map->live_blocks++;
		if (metadata) {
			segment->metadata_blocks++;
			map->metadata_blocks++;
		}
	}
	if (at.block + blocks > segment->used_blocks)
		segment->used_blocks = at.block + blocks;
	segment->dirty = true;
	mutex_unlock(&map->lock);
}

void space_map_free(struct space_map *map, struct location at, uint32_t blocks)
{
	struct segment_space *segment;
	uint32_t i;

	mutex_lock(&map->lock);
	segment = space_map_segment(map, at.segment);
	if (segment && !segment->freed)
		segment->freed = calloc(1, SEGMENT_BITMAP_BYTES);
	if (!segment || !segment->freed) { /* it stays in use */
		mutex_unlock(&map->lock);
		return;
	}
	for (i = at.block; i < at.block + blocks; i++) {
		if (!bit(segment->live, i))
			continue;
		segment->live[i / 8] &= (uint8_t) ~(1U << (i % 8));
		segment->freed[i / 8] |= (uint8_t)(1U << (i % 8));
		segment->live_blocks--;
		map->live_blocks--;
		map->freed_blocks++;
	}
	segment->punch = true;
	segment->dirty = true;
	mutex_unlock(&map->lock);
}

static void free_dead(struct space_map *map, struct segment_space *segment)
	REQUIRES(map->lock)
{
	uint32_t i;

	if (!segment->freed)
		segment->freed = calloc(1, SEGMENT_BITMAP_BYTES);
	if (!segment->freed)
		return; /* the mark stays */
	for (i = 1; i < segment->used_blocks; i++) {
		if (bit(segment->live, i))
			continue;
		segment->freed[i / 8] |= (uint8_t)(1U << (i % 8));
		map->freed_blocks++;
	}
	segment->dirty = true;
}

void space_map_free_marked(struct space_map *map)
{
	size_t i;

	mutex_lock(&map->lock);
	for (i = 0; i < map->count; i++)
		if (map->segments[i]->punch)
			free_dead(map, map->segments[i]);
	mutex_unlock(&map->lock);
}

bool space_map_is_live(struct space_map *map, struct location at)
{
	struct segment_space *segment;
	bool live;

	mutex_lock(&map->lock);
	segment = space_map_segment(map, at.segment);
	live = segment && at.block < SEGMENT_BLOCKS &&
	       bit(segment->live, at.block);
	mutex_unlock(&map->lock);
	return live;
}

void space_map_seal(struct space_map *map, uint32_t id, uint32_t used_blocks,
		    uint64_t last_lsn)
{
	struct segment_space *segment;

	mutex_lock(&map->lock);
	segment = space_map_segment(map, id);
	if (segment) {
		segment->sealed = true;
		segment->used_blocks = used_blocks;
		segment->last_lsn = last_lsn;
		segment->dirty = true;
	}
	mutex_unlock(&map->lock);
}

static int copy_segment(struct segment_space *to, struct segment_space *from)
{
	*to = *from;
	to->live = malloc(SEGMENT_BITMAP_BYTES);
	if (!to->live)
		return -ENOMEM;
	memcpy(to->live, from->live, SEGMENT_BITMAP_BYTES);
	from->freed = NULL; /* moves into the copy */
	from->dirty = false;
	return 0;
}

int space_map_begin_save(struct space_map *map, struct space_save *out_save)
{
	size_t i;
	int rc = 0;

	out_save->count = 0;
	mutex_lock(&map->lock);
	out_save->segments =
		calloc(map->count + 1, sizeof(*out_save->segments));
	if (!out_save->segments || map->failed)
		rc = -ENOMEM;
	for (i = 0; rc == 0 && i < map->count; i++) {
		map->segments[i]->was_dead = map->segments[i]->live_blocks ==
					     map->segments[i]->metadata_blocks;
		if (!map->segments[i]->dirty)
			continue;
		rc = copy_segment(&out_save->segments[out_save->count],
				  map->segments[i]);
		if (rc == 0)
			out_save->count++;
	}
	if (rc == 0)
		map->freed_blocks = 0;
	mutex_unlock(&map->lock);
	return rc;
}

void space_save_fini(struct space_save *save)
{
	size_t i;

	for (i = 0; i < save->count; i++) {
		free(save->segments[i].live);
		free(save->segments[i].freed);
	}
	free(save->segments);
	*save = (struct space_save){ 0 };
}

void space_map_remove(struct space_map *map, uint32_t id)
{
	size_t i;

	mutex_lock(&map->lock);
	i = search(map, id);
	if (i < map->count && map->segments[i]->id == id) {
		map->live_blocks -= map->segments[i]->live_blocks;
		map->metadata_blocks -= map->segments[i]->metadata_blocks;
		segment_free(map->segments[i]);
		memmove(map->segments + i, map->segments + i + 1,
			(map->count - i - 1) * sizeof(*map->segments));
		map->count--;
	}
	mutex_unlock(&map->lock);
}

uint64_t space_map_live_blocks(struct space_map *map)
{
	uint64_t blocks;

	mutex_lock(&map->lock);
	blocks = map->live_blocks;
	mutex_unlock(&map->lock);
	return blocks;
}

uint64_t space_map_freed_blocks(struct space_map *map)
{
	uint64_t blocks;

	mutex_lock(&map->lock);
	blocks = map->freed_blocks;
	mutex_unlock(&map->lock);
	return blocks;
}

uint32_t space_map_newest(struct space_map *map)
{
	uint32_t id;

	mutex_lock(&map->lock);
	id = map->count ? map->segments[map->count - 1]->id : 0;
	mutex_unlock(&map->lock);
	return id;
}
