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
	free(segment->shared);
	free(segment->seen);
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

static uint32_t count_bits(const uint8_t *bits)
{
	uint32_t i, count = 0;

	for (i = 0; i < SEGMENT_BITMAP_BYTES; i++)
		count += (uint32_t)__builtin_popcount(bits[i]);
	return count;
}

static int load_shared(struct space_map *map, struct segment_space *segment,
		       const uint8_t *bits) REQUIRES(map->lock)
{
	segment->shared = malloc(SEGMENT_BITMAP_BYTES);
	if (!segment->shared)
		return -ENOMEM;
	memcpy(segment->shared, bits, SEGMENT_BITMAP_BYTES);
	segment->shared_blocks = count_bits(bits);
	map->shared_blocks += segment->shared_blocks;
	/* Some may have been freed before. */
	map->kept_blocks += segment->shared_blocks;
	return 0;
}

static int load_one(void *context, const struct segment_row *row)
{
	struct space_map *map = context;
	struct segment_space *segment;

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
	segment->live_blocks = count_bits(row->live);
	map->live_blocks += segment->live_blocks;
	map->metadata_blocks += segment->metadata_blocks;
	return row->shared ? load_shared(map, segment, row->shared) : 0;
}

int space_map_load(struct space_map *map, struct index *index)
{
	int rc;

	mutex_lock(&map->lock);
	rc = index_segments_load(index, load_one, map);
	mutex_unlock(&map->lock);
	return rc;
}

static void set_bit(uint8_t *bits, uint32_t nr)
{
	bits[nr / 8] |= (uint8_t)(1U << (nr % 8));
}

static void clear_bit(uint8_t *bits, uint32_t nr)
{
	bits[nr / 8] &= (uint8_t) ~(1U << (nr % 8));
}

static struct segment_space *use_locked(struct space_map *map,
					struct location at, uint32_t blocks,
					bool metadata) REQUIRES(map->lock)
{
	struct segment_space *segment = space_map_segment(map, at.segment);
	uint32_t i;

	if (!segment)
		segment = add_locked(map, at.segment);
	if (!segment) {
		map->failed = true;
		return NULL;
	}
	for (i = at.block; i < at.block + blocks; i++) {
		if (bit(segment->live, i))
			continue;
		set_bit(segment->live, i);
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
	return segment;
}

void space_map_use(struct space_map *map, struct location at, uint32_t blocks,
		   bool metadata)
{
	mutex_lock(&map->lock);
	(void)use_locked(map, at, blocks, metadata);
	mutex_unlock(&map->lock);
}

static uint8_t *seen_again(const struct segment_space *segment)
{
	return segment->seen + SEGMENT_BITMAP_BYTES;
}

static void see_twice(struct segment_space *segment, uint32_t nr)
{
	set_bit(segment->seen, nr);
	set_bit(seen_again(segment), nr);
}

static void share_locked(struct space_map *map, struct segment_space *segment,
			 struct location at, uint32_t blocks)
	REQUIRES(map->lock)
{
	uint32_t i;

	for (i = at.block; i < at.block + blocks; i++) {
		if (segment->seen)
			see_twice(segment, i);
		if (bit(segment->shared, i))
			continue;
		set_bit(segment->shared, i);
		segment->shared_blocks++;
		map->shared_blocks++;
	}
}

void space_map_share(struct space_map *map, struct location at, uint32_t blocks)
{
	struct segment_space *segment;

	mutex_lock(&map->lock);
	segment = use_locked(map, at, blocks, false);
	if (segment && !segment->shared)
		segment->shared = calloc(1, SEGMENT_BITMAP_BYTES);
	if (segment && segment->shared && map->sweeping && !segment->seen)
		segment->seen = calloc(2, SEGMENT_BITMAP_BYTES);
	if (segment && segment->shared && (segment->seen || !map->sweeping))
		share_locked(map, segment, at, blocks);
	else
		map->failed = true;
	mutex_unlock(&map->lock);
}

/* Who shares it can't tell whether others do. */
static bool keep_shared(struct space_map *map, struct segment_space *segment,
			uint32_t nr) REQUIRES(map->lock)
{
	if (!segment->shared || !bit(segment->shared, nr))
		return false;
	if (segment->seen) /* for the next sweep */
		see_twice(segment, nr);
	map->kept_blocks++;
	return true;
}

static void free_bit(struct space_map *map, struct segment_space *segment,
		     uint32_t nr) REQUIRES(map->lock)
{
	clear_bit(segment->live, nr);
	set_bit(segment->freed, nr);
	segment->live_blocks--;
	map->live_blocks--;
	map->freed_blocks++;
	segment->punch = true;
	segment->dirty = true;
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
	for (i = at.block; i < at.block + blocks; i++)
		if (bit(segment->live, i) && !keep_shared(map, segment, i))
			free_bit(map, segment, i);
	mutex_unlock(&map->lock);
}

bool space_map_is_shared(struct space_map *map, struct location at,
			 uint32_t blocks)
{
	struct segment_space *segment;
	bool shared = false;
	uint32_t i;

	mutex_lock(&map->lock);
	segment = space_map_segment(map, at.segment);
	for (i = at.block; segment && segment->shared && !shared &&
			   i < at.block + blocks && i < SEGMENT_BLOCKS;
	     i++)
		shared = bit(segment->shared, i);
	mutex_unlock(&map->lock);
	return shared;
}

static void end_locked(struct space_map *map) REQUIRES(map->lock)
{
	size_t i;

	map->sweeping = false;
	for (i = 0; i < map->count; i++) {
		free(map->segments[i]->seen);
		map->segments[i]->seen = NULL;
	}
}

int space_map_begin_sweep(struct space_map *map)
{
	size_t i;
	int rc = 0;

	mutex_lock(&map->lock);
	map->sweeping = true;
	for (i = 0; i < map->count && rc == 0; i++) {
		struct segment_space *segment = map->segments[i];

		if (!segment->shared_blocks)
			continue;
		segment->seen = calloc(2, SEGMENT_BITMAP_BYTES);
		rc = segment->seen ? 0 : -ENOMEM;
	}
	if (rc < 0)
		end_locked(map);
	else
		map->kept_blocks = 0;
	mutex_unlock(&map->lock);
	return rc;
}

void space_map_see(struct space_map *map, struct location at, uint32_t blocks)
{
	struct segment_space *segment;
	uint32_t i;

	mutex_lock(&map->lock);
	segment = space_map_segment(map, at.segment);
	for (i = at.block; segment && segment->seen && i < at.block + blocks &&
			   i < SEGMENT_BLOCKS;
	     i++) {
		if (bit(segment->seen, i))
			set_bit(seen_again(segment), i);
		set_bit(segment->seen, i);
	}
	mutex_unlock(&map->lock);
}

static uint64_t free_unseen(struct space_map *map,
			    struct segment_space *segment) REQUIRES(map->lock)
{
	uint64_t count = 0;
	uint32_t i;

	if (!segment->freed)
		segment->freed = calloc(1, SEGMENT_BITMAP_BYTES);
	for (i = 0; segment->freed && i < segment->used_blocks; i++) {
		if (!bit(segment->shared, i) || bit(seen_again(segment), i))
			continue;
		clear_bit(segment->shared, i);
		segment->shared_blocks--;
		map->shared_blocks--;
		if (!bit(segment->seen, i) && bit(segment->live, i)) {
			free_bit(map, segment, i);
			count++;
		}
	}
	segment->dirty = true;
	return count;
}

uint64_t space_map_end_sweep(struct space_map *map)
{
	uint64_t count = 0;
	size_t i;

	mutex_lock(&map->lock);
	/* One that became shared since the begin has seen all that is. */
	for (i = 0; i < map->count; i++)
		if (map->segments[i]->seen)
			count += free_unseen(map, map->segments[i]);
	end_locked(map);
	mutex_unlock(&map->lock);
	return count;
}

void space_map_abort_sweep(struct space_map *map)
{
	mutex_lock(&map->lock);
	end_locked(map);
	map->kept_blocks += map->shared_blocks;
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
	to->seen = to->shared = NULL;
	if (from->shared_blocks) {
		to->shared = malloc(SEGMENT_BITMAP_BYTES);
		if (!to->shared) {
			free(to->live);
			return -ENOMEM;
		}
		memcpy(to->shared, from->shared, SEGMENT_BITMAP_BYTES);
	}
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
		free(save->segments[i].shared);
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
		map->shared_blocks -= map->segments[i]->shared_blocks;
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

uint64_t space_map_shared_blocks(struct space_map *map)
{
	uint64_t blocks;

	mutex_lock(&map->lock);
	blocks = map->shared_blocks;
	mutex_unlock(&map->lock);
	return blocks;
}

uint64_t space_map_kept_blocks(struct space_map *map)
{
	uint64_t blocks;

	mutex_lock(&map->lock);
	blocks = map->kept_blocks;
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
