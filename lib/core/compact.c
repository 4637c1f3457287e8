/*
 * Compaction: live chunks of a sealed segment are written again at the
 * tail (move.c), in file order and compressed where that pays; then the
 * segment is dead and goes. Runs in the maintenance thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "move.h"

#define IDLE_NS INT64_C(3000000000)

enum {
	DEAD_PERCENT = 50,
	SAMPLE_CHUNKS = 32,
};

/* Windows that a segment's records name. */
struct window_list {
	struct window_number *numbers;
	size_t count, capacity;
	uint32_t segment;
};

static int add_window(struct window_list *list, struct window_number number)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 256;
		void *grown = realloc(list->numbers,
				      capacity * sizeof(*list->numbers));

		if (!grown)
			return -ENOMEM;
		list->numbers = grown;
		list->capacity = capacity;
	}
	list->numbers[list->count++] = number;
	return 0;
}

static int note_window(void *context, const struct record *record, bool durable)
{
	struct window_list *list = context;
	struct extent_record extent;
	struct move_record move;
	struct window_number number;
	int rc;

	(void)durable;
	if (record->type == RECORD_TYPE_RAW ||
	    record->type == RECORD_TYPE_LZ4) {
		rc = extent_record_decode(record, &extent);
		if (rc < 0 || extent.chunk.segment != list->segment)
			return rc;
		number.inode = extent.inode;
		number.window = extent.first_block / WINDOW_BLOCKS;
	} else if (record->type == RECORD_TYPE_MOVE) {
		rc = move_record_decode(record, &move);
		if (rc < 0 || move.chunk.segment != list->segment)
			return rc;
		number.inode = move.inode;
		number.window = move.window;
	} else {
		return 0;
	}
	return add_window(list, number);
}

static int by_number(const void *a, const void *b)
{
	const struct window_number *left = a, *right = b;

	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	if (left->window != right->window)
		return left->window < right->window ? -1 : 1;
	return 0;
}

/* Records of a segment's last chunks may stand in the next segment. */
static int list_windows(struct store *store, uint32_t segment,
			struct window_list *list)
{
	size_t i, kept = 0;
	int rc;

	list->segment = segment;
	rc = log_walk_segment(store->log, segment, note_window, list);
	if (rc == 0)
		rc = log_walk_segment(store->log, segment + 1, note_window,
				      list);
	if (rc < 0)
		return rc;
	if (list->count)
		qsort(list->numbers, list->count, sizeof(*list->numbers),
		      by_number);
	for (i = 0; i < list->count; i++)
		if (kept == 0 ||
		    by_number(&list->numbers[kept - 1], &list->numbers[i]) != 0)
			list->numbers[kept++] = list->numbers[i];
	list->count = kept;
	return 0;
}

/* By the whole index: when the segment that has the last records is gone. */
static int find_windows(struct store *store, struct window_list *list)
{
	AUTO_FREE uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	AUTO_FREE struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	struct window_key key = { 0 };
	size_t row_bytes, slot_count, i;
	int rc;

	if (!row || !slots)
		return -ENOMEM;
	while ((rc = index_window_scan(store->index, &key, row, &row_bytes)) ==
	       0) {
		rc = window_decode(store->seed, &key, row, row_bytes, slots,
				   &slot_count);
		for (i = 0; rc == 0 && i < slot_count; i++)
			if (slots[i].segment == list->segment)
				break;
		if (rc == 0 && i < slot_count)
			rc = add_window(list, (struct window_number){
						      key.inode, key.window });
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

static int move_listed(struct mover *mover, const struct window_list *list)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < list->count && rc == 0; i++)
		rc = move_window(mover, list->segment, list->numbers[i].inode,
				 list->numbers[i].window);
	return rc;
}

static bool has_data(struct store *store, uint32_t segment, bool give_up)
{
	struct segment_space *s;
	bool found;

	mutex_lock(&store->space.lock);
	s = space_map_segment(&store->space, segment);
	found = s && s->live_blocks > s->metadata_blocks;
	if (found && give_up)
		s->stuck = true;
	mutex_unlock(&store->space.lock);
	return found;
}

static int move_segment(struct mover *mover, uint32_t segment)
{
	struct store *store = mover->store;
	struct window_list list = { 0 };
	int rc = list_windows(store, segment, &list);

	if (rc == 0)
		rc = move_listed(mover, &list);
	if (rc == 0 && has_data(store, segment, false)) {
		list.count = 0;
		rc = find_windows(store, &list);
		if (rc == 0)
			rc = move_listed(mover, &list);
	}
	free(list.numbers);
	if (rc < 0)
		return rc;
	mover->result.segments++;
	(void)has_data(store, segment, true); /* not again and again */
	return 0;
}

/* The next sealed segment after *segment that is worth it, 0: none. */
static uint32_t next_candidate(struct store *store, uint32_t segment,
			       unsigned threshold_percent, uint64_t *out_dead)
{
	struct space_map *map = &store->space;
	uint32_t found = 0;
	size_t i;

	mutex_lock(&map->lock);
	for (i = 0; i < map->count && !found; i++) {
		const struct segment_space *s = map->segments[i];
		uint32_t data = s->live_blocks - s->metadata_blocks;
		uint32_t dead = s->used_blocks - s->live_blocks;

		/* Of what is shared, no record tells who has it. */
		if (s->id <= segment || !s->sealed || data == 0 || s->stuck ||
		    s->shared_blocks)
			continue;
		if ((uint64_t)dead * 100 <
		    (uint64_t)s->used_blocks * threshold_percent)
			continue;
		found = s->id;
		*out_dead = (uint64_t)dead * BLOCK_BYTES;
	}
	mutex_unlock(&map->lock);
	return found;
}

static int compact_locked(struct store *store, unsigned threshold_percent,
			  bool dry_run, space_progress *progress, void *context,
			  struct compact_result *result)
	REQUIRES(store->maintenance_lock)
{
	AUTO_FREE struct mover *mover = calloc(1, sizeof(*mover));
	uint32_t last = 0, segment;
	uint64_t dead = 0, live_before, live_after, done = 0;
	bool more;
	int rc;

	if (!mover)
		return -ENOMEM;
	mover->store = store;
	rc = dry_run ? 0 : checkpoint_run(store, false);
	/* Rows that are to be dropped may refer to free blocks as well. */
	while (rc == 0 && !dry_run && reap_needed(store))
		rc = reap_run(store, &more);
	if (rc == 0 && !dry_run)
		rc = dump_tell_folds(store);
	live_before = space_map_live_blocks(&store->space);
	segment = space_map_newest(&store->space);
	while (rc == 0 && last < segment &&
	       (last = next_candidate(store, last, threshold_percent, &dead)) !=
		       0) {
		if (dry_run) {
			mover->result.segments++;
			mover->result.freed_bytes += dead;
			continue;
		}
		rc = move_segment(mover, last);
		if (rc == 0 && progress && progress(context, ++done, segment))
			rc = -EINTR;
	}
	if (!dry_run && (rc == 0 || rc == -EINTR)) {
		int saved = checkpoint_run(store, true);

		rc = rc < 0 ? rc : saved;
		live_after = space_map_live_blocks(&store->space);
		if (live_before > live_after)
			mover->result.freed_bytes =
				(live_before - live_after) * BLOCK_BYTES;
	}
	*result = mover->result;
	return rc;
}

int space_compact(struct store *store, unsigned threshold_percent, bool dry_run,
		  space_progress *progress, void *context,
		  struct compact_result *out_result, struct failure *failure)
{
	int rc = store_check_writable(store, 0);

	memset(out_result, 0, sizeof(*out_result));
	if (rc == 0) {
		mutex_lock(&store->maintenance_lock);
		rc = compact_locked(store, threshold_percent, dry_run, progress,
				    context, out_result);
		mutex_unlock(&store->maintenance_lock);
	}
	if (rc < 0)
		failure_errno(failure, rc, store->path, "can't compact");
	return rc;
}

/* Does a sample of the segment compress? Raw chunks only. */
static bool compresses(struct mover *mover, struct window_list *list)
{
	struct store *store = mover->store;
	size_t i, step = list->count / SAMPLE_CHUNKS + 1;
	uint64_t raw = 0, stored = 0;

	for (i = 0; i < list->count; i += step) {
		unsigned n, k;

		if (move_look_at(mover, list->numbers[i].inode) < 0 ||
		    move_gather(mover, list->segment, list->numbers[i].inode,
				list->numbers[i].window) < 0)
			return false;
		if (mover->sources.count == 0 ||
		    mover->sources.slots[0].kind != SLOT_KIND_RAW)
			continue;
		n = move_group_blocks(mover->sources.slots,
				      mover->sources.count);
		for (k = 0; k < n; k++)
			if (chunk_read_block(
				    store, &mover->sources.slots[k],
				    mover->data + k * (size_t)BLOCK_BYTES) < 0)
				return false;
		k = n > 1 && !mover->raw ?
			    chunk_compress(mover->data, n, mover->stored) :
			    0;
		raw += n;
		stored += k ? k : n;
	}
	return raw > 0 && stored * 8 <= raw * 7;
}

static uint32_t next_unpacked(struct store *store)
{
	struct space_map *map = &store->space;
	uint32_t found = 0;
	size_t i;

	mutex_lock(&map->lock);
	for (i = 0; i < map->count && !found; i++) {
		struct segment_space *s = map->segments[i];

		if (s->sealed && !s->packed && !s->shared_blocks &&
		    s->live_blocks > s->metadata_blocks) {
			found = s->id;
			s->packed = true; /* tried, whatever comes of it */
			s->dirty = true;
		}
	}
	mutex_unlock(&map->lock);
	return found;
}

static int pack_one(struct store *store, bool *out_more)
	REQUIRES(store->maintenance_lock)
{
	AUTO_FREE struct mover *mover = calloc(1, sizeof(*mover));
	struct window_list list = { 0 };
	uint32_t segment;
	int rc;

	if (!mover)
		return -ENOMEM;
	segment = next_unpacked(store);
	if (!segment)
		return 0;
	mover->store = store;
	*out_more = true;
	rc = checkpoint_run(store, false);
	if (rc == 0)
		rc = dump_tell_folds(store);
	if (rc == 0)
		rc = list_windows(store, segment, &list);
	if (rc == 0 && compresses(mover, &list))
		rc = move_segment(mover, segment);
	free(list.numbers);
	return rc < 0 ? rc : checkpoint_run(store, false);
}

int compact_idle(struct store *store, bool *out_more)
{
	struct compact_result result;
	uint64_t operations = atomic_load(&store->count.reads) +
			      atomic_load(&store->count.writes);
	int64_t now = store_monotonic_ns();
	uint64_t dead;

	if (operations != store->idle_operations) {
		store->idle_operations = operations;
		store->last_activity_ns = now;
	}
	if (now - store->last_activity_ns < IDLE_NS)
		return 0;
	/* It needs no room, it makes some. */
	if (space_map_kept_blocks(&store->space) >= SWEEP_BLOCKS)
		return sweep_run(store);
	if (store_check_writable(store, SEGMENT_BYTES) < 0)
		return 0;
	if (next_candidate(store, 0, DEAD_PERCENT, &dead))
		return compact_locked(store, DEAD_PERCENT, false, NULL, NULL,
				      &result);
	if (store->live.compress == COMPRESS_MODE_IDLE)
		return pack_one(store, out_more);
	return 0;
}
