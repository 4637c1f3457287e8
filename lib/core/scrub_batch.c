/*
 * What a scrub looks at in one go: as many segments as a quarter of the
 * store's memory has room for, with what each block must be. The sums are
 * in the rows of windows: all rows are read once for a batch, and damaged ones
 * found by that.
 *
 * I1: what is in the batch and still in use has these sums: places are handed
 *     out once. What is not any more is no damage, whatever it reads as.
 */
#include <errno.h>
#include <stdlib.h>

#include "scrub_impl.h"

enum { ROWS_BEFORE_LOOK = 256 };

/* The next segments that are in use. */
static void choose(struct scrub_batch *batch, uint32_t after, size_t most)
{
	struct space_map *map = &batch->scrub->store->space;
	uint32_t last = batch->scrub->record.end_segment;
	size_t i;

	mutex_lock(&map->lock);
	for (i = 0; i < map->count && batch->count < most; i++) {
		const struct segment_space *s = map->segments[i];

		if (s->id > after && s->id <= last && s->live_blocks > 0)
			batch->segments[batch->count++].id = s->id;
	}
	mutex_unlock(&map->lock);
}

static void tell_old(struct scrub_batch *batch)
{
	struct store *store = batch->scrub->store;
	struct log_position position;
	size_t i;

	mutex_lock(&store->order_lock);
	log_get_position(store->log, &position);
	mutex_unlock(&store->order_lock);
	for (i = 0; i < batch->count; i++)
		batch->segments[i].is_old = batch->segments[i].id <
					    position.segment;
}

static int get_room(struct scrub_batch *batch)
{
	void *buffer = NULL;
	size_t i;

	batch->sums =
		calloc(batch->count * SEGMENT_BLOCKS, sizeof(batch->sums[0]));
	batch->chunk_blocks = calloc(batch->count, SEGMENT_BLOCKS);
	batch->resident = malloc(SEGMENT_BLOCKS);
	batch->bad_rows =
		calloc(SCRUB_BAD_ROWS_MAX, sizeof(batch->bad_rows[0]));
	if (!batch->sums || !batch->chunk_blocks || !batch->resident ||
	    !batch->bad_rows ||
	    posix_memalign(&buffer, BLOCK_BYTES,
			   (size_t)SCRUB_PIECE_BLOCKS * BLOCK_BYTES) != 0)
		return -ENOMEM;
	batch->buffer = buffer;
	for (i = 0; i < batch->count; i++) {
		batch->segments[i].sums = batch->sums + i * SEGMENT_BLOCKS;
		batch->segments[i].chunk_blocks =
			batch->chunk_blocks + i * SEGMENT_BLOCKS;
	}
	return 0;
}

static struct scrub_segment *find(struct scrub_batch *batch, uint32_t id)
{
	size_t low = 0, high = batch->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (batch->segments[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < batch->count && batch->segments[low].id == id ?
		       &batch->segments[low] :
		       NULL;
}

static void note_slots(struct scrub_batch *batch, const struct slot *slots,
		       size_t slot_count)
{
	struct scrub_segment *segment = NULL;
	size_t i;

	for (i = 0; i < slot_count; i++) {
		const struct slot *slot = &slots[i];
		uint8_t *blocks;

		if (slot->segment == 0)
			continue;
		if (!segment || segment->id != slot->segment)
			segment = find(batch, slot->segment);
		if (!segment)
			continue;
		blocks = &segment->chunk_blocks[slot->block];
		if (*blocks == 0) {
			*blocks = (uint8_t)slot_stored_blocks(slot);
			segment->sums[slot->block] = slot->sum;
		} else if (*blocks != slot_stored_blocks(slot) ||
			   segment->sums[slot->block] != slot->sum) {
			*blocks = SCRUB_CONFLICT;
		}
	}
}

static int read_rows(struct scrub_batch *batch)
{
	struct store *store = batch->scrub->store;
	AUTO_FREE uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	AUTO_FREE struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	struct window_key key = { 0 };
	size_t row_bytes, slot_count;
	unsigned count = 0;
	int rc;

	if (!row || !slots)
		return -ENOMEM;
	while ((rc = index_window_scan(store->index, &key, row, &row_bytes)) ==
	       0) {
		rc = window_decode(store->seed, &key, row, row_bytes, slots,
				   &slot_count);
		if (rc == 0)
			note_slots(batch, slots, slot_count);
		else if (batch->bad_row_count < SCRUB_BAD_ROWS_MAX)
			batch->bad_rows[batch->bad_row_count++] = key;
		if (++count % ROWS_BEFORE_LOOK == 0 &&
		    scrub_stops(batch->scrub))
			return -EINTR;
	}
	return rc == -ENOENT ? 0 : rc;
}

int scrub_batch_begin(struct scrub *scrub, uint32_t after,
		      struct scrub_batch **out_batch)
{
	struct scrub_batch *batch = calloc(1, sizeof(*batch));
	uint64_t most = scrub->store->live.cache_bytes / 4 /
			(SEGMENT_BLOCKS * (sizeof(uint64_t) + 1));
	int rc;

	if (!batch)
		return -ENOMEM;
	batch->scrub = scrub;
	most = most < SCRUB_BATCH_SEGMENTS_MIN ? SCRUB_BATCH_SEGMENTS_MIN :
	       most > SCRUB_BATCH_SEGMENTS_MAX ? SCRUB_BATCH_SEGMENTS_MAX :
						 most;
	choose(batch, after, (size_t)most);
	tell_old(batch);
	rc = batch->count ? get_room(batch) : 0;
	if (rc == 0 && batch->count)
		rc = read_rows(batch);
	if (rc < 0) {
		scrub_batch_free(batch);
		return rc;
	}
	*out_batch = batch;
	return 0;
}

void scrub_batch_free(struct scrub_batch *batch)
{
	if (!batch)
		return;
	free(batch->sums);
	free(batch->chunk_blocks);
	free(batch->resident);
	free(batch->bad_rows);
	free(batch->buffer);
	free(batch->hits);
	free(batch);
}

int scrub_batch_hit(struct scrub_batch *batch, struct location at,
		    uint32_t blocks, enum scrub_kind kind)
{
	struct scrub_hit hit = { at, blocks, kind };

	if (!space_map_is_live(&batch->scrub->store->space, at)) /* I1 */
		return 0;
	if (batch->hit_count == SCRUB_HITS_MAX) {
		batch->hits_lost++;
		return 0;
	}
	if (batch->hit_count == batch->hit_capacity) {
		size_t capacity =
			batch->hit_capacity ? batch->hit_capacity * 2 : 64;
		void *grown =
			realloc(batch->hits, capacity * sizeof(batch->hits[0]));

		if (!grown)
			return -ENOMEM;
		batch->hits = grown;
		batch->hit_capacity = capacity;
	}
	batch->hits[batch->hit_count++] = hit;
	return 0;
}
