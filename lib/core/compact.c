/*
 * Compaction: live chunks of a sealed segment are written again at the
 * tail, in file order and compressed where that pays; then the segment is
 * dead and goes.
 *
 * A move is a record: all rows of the window that use the old places use
 * the new one from then on. Runs in the maintenance thread, so the index may
 * be changed directly: it is committed with a later LSN than the record's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cache.h"
#include "chunk_format.h"
#include "space.h"
#include "store_impl.h"

#define IDLE_NS INT64_C(3000000000)

enum { DEAD_PERCENT = 50, SAMPLE_CHUNKS = 32 };

/* Windows that a segment's records name. */
struct window_list {
	struct window_number *numbers;
	size_t count, capacity;
	uint32_t segment;
};

/* What is to be moved of one window. */
struct sources {
	struct slot slots[WINDOW_BLOCKS * 4];
	size_t count;
};

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
	qsort(list->numbers, list->count, sizeof(*list->numbers), by_number);
	for (i = 0; i < list->count; i++)
		if (kept == 0 ||
		    by_number(&list->numbers[kept - 1], &list->numbers[i]) != 0)
			list->numbers[kept++] = list->numbers[i];
	list->count = kept;
	return 0;
}

static bool same_place(const struct slot *a, const struct slot *b)
{
	return slot_same_chunk(a, b) && a->kind == b->kind && a->lz4 == b->lz4;
}

static void add_sources(struct sources *sources, const struct slot *slots,
			size_t slot_count, uint32_t segment)
{
	size_t i, j;

	for (i = 0; i < slot_count; i++) {
		if (slots[i].segment != segment)
			continue;
		for (j = 0; j < sources->count; j++)
			if (same_place(&sources->slots[j], &slots[i]))
				break;
		if (j == sources->count &&
		    j < sizeof(sources->slots) / sizeof(sources->slots[0]))
			sources->slots[sources->count++] = slots[i];
	}
}

/* Visits every version of a window: rows, then unsaved and cached ones. */
typedef int version_visit(void *context, const struct window_key *key,
			  struct slot *slots, size_t slot_count,
			  bool *out_changed);

static int visit_rows(struct store *store, uint64_t inode, uint64_t window,
		      version_visit *visit, void *context)
{
	AUTO_FREE uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	AUTO_FREE struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	struct window_key key = { inode, window, 0, 0 };
	size_t row_bytes, slot_count;
	int rc;

	if (!row || !slots)
		return -ENOMEM;
	while ((rc = index_window_scan(store->index, &key, row, &row_bytes)) ==
	       0) {
		bool changed = false;

		if (key.inode != inode || key.window != window)
			return 0;
		rc = window_decode(store->seed, &key, row, row_bytes, slots,
				   &slot_count);
		if (rc == 0)
			rc = visit(context, &key, slots, slot_count, &changed);
		if (rc == 0 && changed) {
			row_bytes = window_encode(store->seed, &key, slots,
						  slot_count, row);
			rc = index_window_put(store->index, &key, row,
					      row_bytes);
		}
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

static int visit_cached(struct store *store, uint64_t inode, uint64_t number,
			version_visit *visit, void *context)
	REQUIRES(store->map_lock)
{
	struct window_cache *cache;
	struct window *window;
	int rc = 0;

	DL_FOREACH2(store->caches, cache, next)
	{
		window = cache_find(cache, inode, number);
		for (; window && rc == 0; window = window->older) {
			struct window_key key = { inode, number, window->line,
						  window->gen };
			bool changed = false;

			rc = visit(context, &key, window->slots,
				   window->slot_count, &changed);
		}
	}
	return rc;
}

struct gather {
	struct sources *sources;
	uint32_t segment;
};

static int gather_version(void *context, const struct window_key *key,
			  struct slot *slots, size_t slot_count,
			  bool *out_changed)
{
	struct gather *gather = context;

	(void)key;
	*out_changed = false;
	add_sources(gather->sources, slots, slot_count, gather->segment);
	return 0;
}

struct apply_context {
	const struct move_record *move;
	struct store *store;
	uint32_t found;	     /* bit i: source i was in use */
	uint32_t still_used; /* bit i: other blocks of its chunk are */
	struct slot old[CHUNK_BLOCKS_MAX];
};

static int find_source(const struct move_record *move, const struct slot *slot)
{
	int i;

	for (i = 0; i < move->block_count; i++)
		if (slot->segment == move->source[i].at.segment &&
		    slot->block == move->source[i].at.block &&
		    (slot->kind != SLOT_KIND_LZ4 ||
		     slot_skip(slot) == move->source[i].skip))
			return i;
	return -1;
}

static int move_version(void *context, const struct window_key *key,
			struct slot *slots, size_t slot_count,
			bool *out_changed)
{
	struct apply_context *apply = context;
	const struct move_record *move = apply->move;
	size_t n;

	(void)key;
	for (n = 0; n < slot_count; n++) {
		struct slot *slot = &slots[n];
		int i = slot->kind == SLOT_KIND_ZERO ? -1 :
						       find_source(move, slot);

		if (i < 0)
			continue;
		apply->found |= 1U << i;
		apply->old[i] = *slot;
		slot->segment = move->chunk.segment;
		slot->block = (uint16_t)(move->chunk.block +
					 (move->is_lz4 ? 0 : (unsigned)i));
		slot->kind = move->is_lz4 ? SLOT_KIND_LZ4 : SLOT_KIND_RAW;
		slot->lz4 = move->is_lz4 ?
				    (uint8_t)((unsigned)i << 4 |
					      (move->stored_blocks - 1U)) :
				    0;
		slot->sum = move->sums[move->is_lz4 ? 0 : i];
		*out_changed = true;
	}
	return 0;
}

/* A compressed chunk may be moved in parts: the last one frees it. */
static int find_users(void *context, const struct window_key *key,
		      struct slot *slots, size_t slot_count, bool *out_changed)
{
	struct apply_context *apply = context;
	int i;

	(void)key;
	*out_changed = false;
	for (i = 0; i < apply->move->block_count; i++)
		if ((apply->found >> i & 1) &&
		    apply->old[i].kind == SLOT_KIND_LZ4 &&
		    window_uses_chunk(slots, (unsigned)slot_count,
				      &apply->old[i]))
			apply->still_used |= 1U << i;
	return 0;
}

static int visit_all(struct store *store, const struct move_record *move,
		     version_visit *visit, struct apply_context *apply)
	REQUIRES(store->order_lock)
{
	int rc = visit_rows(store, move->inode, move->window, visit, apply);

	if (rc < 0)
		return rc;
	mutex_lock(&store->map_lock);
	rc = visit_cached(store, move->inode, move->window, visit, apply);
	cache_note_change(store, move->inode, move->window);
	mutex_unlock(&store->map_lock);
	return rc;
}

int compact_apply_move_locked(struct store *store,
			      const struct move_record *move)
{
	struct apply_context apply = { .move = move, .store = store };
	int rc, i;

	rc = visit_all(store, move, move_version, &apply);
	if (rc == 0 && apply.found)
		rc = visit_all(store, move, find_users, &apply);
	if (rc < 0)
		return rc;
	for (i = 0; i < move->block_count; i++) {
		struct location to = { move->chunk.segment,
				       move->chunk.block + (unsigned)i };
		struct location from = move->source[i].at;

		if (!(apply.found >> i & 1))
			continue;
		if (move->is_lz4)
			space_map_use(&store->space, move->chunk,
				      move->stored_blocks, false);
		else
			space_map_use(&store->space, to, 1, false);
		if (!(apply.still_used >> i & 1))
			space_map_free(&store->space, from,
				       slot_stored_blocks(&apply.old[i]));
	}
	return 0;
}

static int by_block(const void *a, const void *b)
{
	const struct slot *left = a, *right = b;

	if (left->birth != right->birth)
		return left->birth < right->birth ? -1 : 1;
	if (left->first != right->first)
		return left->first < right->first ? -1 : 1;
	return left->block < right->block ? -1 : left->block > right->block;
}

/* How many sources go into the next chunk: consecutive blocks of one birth,
 * so that one row never keeps a chunk that another has freed. */
static unsigned group(const struct slot *slots, size_t count)
{
	unsigned n = 1;

	while (n < count && n < CHUNK_BLOCKS_MAX &&
	       slots[n].birth == slots[0].birth &&
	       slots[n].first == slots[0].first + n)
		n++;
	return n;
}

struct mover {
	struct store *store;
	struct sources sources;
	struct compact_result result;
	uint8_t data[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
	uint8_t stored[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
};

static int write_moved(struct mover *mover, struct move_record *move)
{
	struct store *store = mover->store;
	const uint8_t *bytes = mover->data;
	uint32_t blocks = 0, i;
	int rc;

	if (store->config.compress != COMPRESS_MODE_OFF &&
	    move->block_count > 1)
		blocks = chunk_compress(mover->data, move->block_count,
					mover->stored);
	move->is_lz4 = blocks > 0;
	if (move->is_lz4)
		bytes = mover->stored;
	else
		blocks = move->block_count;
	move->stored_blocks = (uint16_t)blocks;
	rc = log_reserve(store->log, blocks, &move->chunk);
	if (rc < 0)
		return rc;
	if (move->is_lz4)
		move->sums[0] = block_checksum(store->seed, bytes,
					       (size_t)blocks * BLOCK_BYTES);
	for (i = 0; !move->is_lz4 && i < blocks; i++)
		move->sums[i] = block_checksum(store->seed,
					       bytes + (size_t)i * BLOCK_BYTES,
					       BLOCK_BYTES);
	mover->result.moved_bytes += (uint64_t)blocks * BLOCK_BYTES;
	mover->result.saved_by_compression_bytes +=
		(uint64_t)(move->block_count - blocks) * BLOCK_BYTES;
	return log_write_blocks(store->log, move->chunk, bytes, blocks);
}

static int move_group(struct mover *mover, uint64_t inode, uint64_t window,
		      const struct slot *slots, unsigned count)
{
	struct store *store = mover->store;
	struct move_record move = {
		.inode = inode,
		.window = window,
		.block_count = (uint16_t)count,
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;
	unsigned i;
	int rc;

	for (i = 0; i < count; i++) {
		move.source[i].at =
			(struct location){ slots[i].segment, slots[i].block };
		move.source[i].skip = (uint8_t)slot_skip(&slots[i]);
		rc = chunk_read_block(store, &slots[i],
				      mover->data + i * (size_t)BLOCK_BYTES);
		if (rc < 0)
			return rc;
	}
	rc = write_moved(mover, &move);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	rc = log_append(store->log, RECORD_TYPE_MOVE, payload,
			move_record_encode(&move, payload), &lsn);
	if (rc == 0) {
		rc = compact_apply_move_locked(store, &move);
		if (rc < 0)
			rc = store_fail(store, rc, "can't apply a logged move");
	}
	mutex_unlock(&store->order_lock);
	atomic_fetch_add(&store->count.moved_bytes,
			 (uint64_t)move.stored_blocks * BLOCK_BYTES);
	return rc;
}

static int move_window(struct mover *mover, uint32_t segment, uint64_t inode,
		       uint64_t window)
{
	struct store *store = mover->store;
	struct sources *sources = &mover->sources;
	struct gather gather = { sources, segment };
	size_t i;
	unsigned n;
	int rc;

	sources->count = 0;
	rc = visit_rows(store, inode, window, gather_version, &gather);
	if (rc < 0)
		return rc;
	mutex_lock(&store->map_lock);
	rc = visit_cached(store, inode, window, gather_version, &gather);
	mutex_unlock(&store->map_lock);
	qsort(sources->slots, sources->count, sizeof(sources->slots[0]),
	      by_block);
	for (i = 0; i < sources->count && rc == 0; i += n) {
		n = group(sources->slots + i, sources->count - i);
		rc = move_group(mover, inode, window, sources->slots + i, n);
	}
	return rc;
}

static int move_segment(struct mover *mover, uint32_t segment)
{
	struct window_list list = { 0 };
	size_t i;
	int rc = list_windows(mover->store, segment, &list);

	for (i = 0; i < list.count && rc == 0; i++)
		rc = move_window(mover, segment, list.numbers[i].inode,
				 list.numbers[i].window);
	free(list.numbers);
	if (rc == 0)
		mover->result.segments++;
	return rc;
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

		if (s->id <= segment || !s->sealed || data == 0)
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
	int rc;

	if (!mover)
		return -ENOMEM;
	mover->store = store;
	rc = dry_run ? 0 : checkpoint_run(store, false);
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
		struct gather gather = { &mover->sources, list->segment };
		unsigned n, k;

		mover->sources.count = 0;
		if (visit_rows(store, list->numbers[i].inode,
			       list->numbers[i].window, gather_version,
			       &gather) < 0)
			return false;
		qsort(mover->sources.slots, mover->sources.count,
		      sizeof(mover->sources.slots[0]), by_block);
		if (mover->sources.count == 0 ||
		    mover->sources.slots[0].kind != SLOT_KIND_RAW)
			continue;
		n = group(mover->sources.slots, mover->sources.count);
		for (k = 0; k < n; k++)
			if (chunk_read_block(
				    store, &mover->sources.slots[k],
				    mover->data + k * (size_t)BLOCK_BYTES) < 0)
				return false;
		k = n > 1 ? chunk_compress(mover->data, n, mover->stored) : 0;
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

		if (s->sealed && !s->packed &&
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
	if (now - store->last_activity_ns < IDLE_NS ||
	    store_check_writable(store, SEGMENT_BYTES) < 0)
		return 0;
	if (next_candidate(store, 0, DEAD_PERCENT, &dead))
		return compact_locked(store, DEAD_PERCENT, false, NULL, NULL,
				      &result);
	if (store->config.compress == COMPRESS_MODE_IDLE)
		return pack_one(store, out_more);
	return 0;
}
