/*
 * Moving the chunks of one window out of a segment.
 *
 * A move is a record: all rows of the window that use the old places use
 * the new one from then on. Runs in the maintenance thread, so the index may
 * be changed directly: it is committed with a later LSN than the record's.
 */
#include "move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cache.h"
#include "chunk_format.h"

static bool same_place(const struct slot *a, const struct slot *b)
{
	return slot_same_chunk(a, b) && a->kind == b->kind && a->lz4 == b->lz4;
}

/* All versions with blocks of one birth come from one, on the first line. */
static void note_birth(struct sources *sources, uint32_t birth, uint32_t line)
{
	size_t i;

	for (i = 0; i < sources->birth_count; i++)
		if (sources->births[i].birth == birth)
			break;
	if (i == sources->birth_count)
		sources->births[sources->birth_count++] =
			(struct birth_line){ birth, line };
	else if (line < sources->births[i].line)
		sources->births[i].line = line;
}

static uint32_t line_of_birth(const struct sources *sources, uint32_t birth)
{
	size_t i = 0;

	while (sources->births[i].birth != birth)
		i++;
	return sources->births[i].line;
}

static void add_sources(struct sources *sources, const struct slot *slots,
			size_t slot_count, uint32_t segment, uint32_t line)
{
	size_t i, j;

	for (i = 0; i < slot_count; i++) {
		if (slots[i].segment != segment)
			continue;
		for (j = 0; j < sources->count; j++)
			if (same_place(&sources->slots[j], &slots[i]))
				break;
		if (j == sizeof(sources->slots) / sizeof(sources->slots[0]))
			continue;
		if (j == sources->count)
			sources->slots[sources->count++] = slots[i];
		note_birth(sources, sources->slots[j].birth, line);
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
		/* What only an outdated row refers to may be free. */
		if (cache_replaces_row(store, &key))
			continue;
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

	*out_changed = false;
	add_sources(gather->sources, slots, slot_count, gather->segment,
		    key->line);
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
		int i = slot_has_place(slot) ? find_source(move, slot) : -1;

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

int move_apply_locked(struct store *store, const struct move_record *move)
{
	struct apply_context apply = { .move = move, .store = store };
	bool shared = false;
	int rc, i;

	rc = visit_all(store, move, move_version, &apply);
	if (rc == 0 && apply.found)
		rc = visit_all(store, move, find_users, &apply);
	if (rc < 0)
		return rc;
	for (i = 0; i < move->block_count && !shared; i++)
		shared = (apply.found >> i & 1) &&
			 space_map_is_shared(&store->space, move->source[i].at,
					     slot_stored_blocks(&apply.old[i]));
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
	/* Versions that are no neighbours may have had a shared block. */
	if (shared)
		space_map_share(&store->space, move->chunk,
				move->stored_blocks);
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

unsigned move_group_blocks(const struct slot *slots, size_t count)
{
	unsigned n = 1;

	while (n < count && n < CHUNK_BLOCKS_MAX &&
	       slots[n].birth == slots[0].birth &&
	       slots[n].first == slots[0].first + n)
		n++;
	return n;
}

static int write_moved(struct mover *mover, struct move_record *move)
{
	struct store *store = mover->store;
	const uint8_t *bytes = mover->data;
	uint32_t blocks = 0, i;
	int rc;

	if (store->live.compress != COMPRESS_MODE_OFF && !mover->raw &&
	    move->block_count > 1)
		blocks = chunk_compress(mover->data, move->block_count,
					mover->stored);
	move->is_lz4 = blocks > 0;
	if (move->is_lz4)
		bytes = mover->stored;
	else
		blocks = move->block_count;
	move->stored_blocks = (uint16_t)blocks;
	rc = store_logged(store, log_reserve(store->log, blocks, &move->chunk));
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
	return store_logged(store, log_write_blocks(store->log, move->chunk,
						    bytes, blocks));
}

static bool any_shared(struct store *store, const struct slot *slots,
		       unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (space_map_is_shared(&store->space,
					(struct location){ slots[i].segment,
							   slots[i].block },
					slot_stored_blocks(&slots[i])))
			return true;
	return false;
}

static int move_group(struct mover *mover, uint64_t inode, uint64_t window,
		      const struct slot *slots, unsigned count)
{
	struct store *store = mover->store;
	struct move_record move = {
		.inode = inode,
		.window = window,
		.block_count = (uint16_t)count,
		.birth = slots[0].birth,
		.line = line_of_birth(&mover->sources, slots[0].birth),
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;
	unsigned i;
	int rc;

	for (i = 0; i < count; i++) {
		move.source[i].at =
			(struct location){ slots[i].segment, slots[i].block };
		move.source[i].skip = (uint8_t)slot_skip(&slots[i]);
		move.source[i].first = slots[i].first;
		rc = chunk_read_block(store, &slots[i],
				      mover->data + i * (size_t)BLOCK_BYTES);
		if (rc < 0)
			return rc;
	}
	rc = write_moved(mover, &move);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	/* Others have it since, in places that the record can't tell. */
	if (any_shared(store, slots, count)) {
		mutex_unlock(&store->order_lock);
		return 0;
	}
	rc = store_logged(store,
			  log_append(store->log, RECORD_TYPE_MOVE, payload,
				     move_record_encode(&move, payload), &lsn));
	if (rc == 0) {
		rc = move_apply_locked(store, &move);
		if (rc < 0)
			rc = store_fail(store, rc, "can't apply a logged move");
	}
	mutex_unlock(&store->order_lock);
	atomic_fetch_add(&store->count.moved_bytes,
			 (uint64_t)move.stored_blocks * BLOCK_BYTES);
	return rc;
}

int move_gather(struct mover *mover, uint32_t segment, uint64_t inode,
		uint64_t window)
{
	struct store *store = mover->store;
	struct sources *sources = &mover->sources;
	struct gather gather = { sources, segment };
	int rc;

	sources->count = sources->birth_count = 0;
	rc = visit_rows(store, inode, window, gather_version, &gather);
	if (rc < 0)
		return rc;
	mutex_lock(&store->map_lock);
	rc = visit_cached(store, inode, window, gather_version, &gather);
	mutex_unlock(&store->map_lock);
	qsort(sources->slots, sources->count, sizeof(sources->slots[0]),
	      by_block);
	return rc;
}

/* A block may be seen by versions of several lines: one that says so counts
 * for all. What is unsaved says it from the next time on. */
int move_look_at(struct mover *mover, uint64_t inode)
{
	struct store *store = mover->store;
	struct item_version version = { 0, 0 };
	uint8_t key[ITEM_PREFIX_BYTES];
	uint8_t value[ITEM_CHECKSUM_BYTES + INODE_ITEM_BYTES];
	struct inode_item item;
	size_t bytes;
	int rc = -ENOENT;

	if (mover->raw_inode == inode)
		return 0;
	mover->raw = false;
	mover->raw_inode = inode;
	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	while (!mover->raw &&
	       (rc = index_item_version_after(store->index, key, sizeof(key),
					      &version, &version, value,
					      sizeof(value), &bytes)) == 0) {
		struct item_identity identity = { key, sizeof(key),
						  version.line, version.gen };

		rc = item_value_verify(store->seed, &identity, value, bytes);
		if (rc == 0 && !item_value_absent(bytes))
			rc = inode_item_decode(value + ITEM_CHECKSUM_BYTES,
					       bytes - ITEM_CHECKSUM_BYTES,
					       &item);
		if (rc < 0)
			return rc;
		mover->raw = !item_value_absent(bytes) &&
			     (item.flags & INODE_FLAG_RAW);
	}
	return mover->raw || rc == -ENOENT ? 0 : rc;
}

int move_window(struct mover *mover, uint32_t segment, uint64_t inode,
		uint64_t window)
{
	struct sources *sources = &mover->sources;
	size_t i;
	unsigned n;
	int rc = move_look_at(mover, inode);

	if (rc == 0)
		rc = move_gather(mover, segment, inode, window);
	for (i = 0; i < sources->count && rc == 0; i += n) {
		n = move_group_blocks(sources->slots + i, sources->count - i);
		rc = move_group(mover, inode, window, sources->slots + i, n);
	}
	return rc;
}
