/*
 * Before a segment is removed: what its records say of what stays (format.md,
 * 4.11, 8.6).
 *
 * I1: every live block is named by a record that is there. A record may be in
 *     a later segment than its blocks (the tail moved on in between), and a
 *     SHARE names blocks anywhere: it is copied while any of them is live.
 * I2: zeros have no place that would keep their record alive. The version
 *     that came with them says where there still are some, and of each line
 *     the first one after; as of the checkpoint, whose rows these are.
 *
 * A discard of much, on many lines, is looked at up to a limit; behind that
 * its record is copied as it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fold_notes.h"
#include "keep.h"
#include "state_format.h"

enum { LOOKUPS_MAX = 20000 };

/* Zeros, or nothing, in these blocks of a file. */
struct zeroed {
	uint64_t inode, first, end, lsn;
	uint32_t line, gen;
};

struct zeroed_list {
	struct zeroed *items;
	size_t count, capacity;
};

struct keeper {
	struct store *store;
	struct zeroed_list found, said;
	uint8_t *copies; /* a length (2) and a payload each */
	size_t copies_bytes, copies_capacity;
	uint8_t *row;
	struct slot *slots;
	unsigned lookups;
};

static int grow(void **array, size_t *capacity, size_t need, size_t width)
{
	size_t more = *capacity ? *capacity : 64;
	void *grown;

	if (need <= *capacity)
		return 0;
	while (more < need)
		more *= 2;
	grown = reallocarray(*array, more, width);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = more;
	return 0;
}

static int add_zeroed(struct zeroed_list *list, const struct zeroed *zeroed)
{
	int rc = grow((void **)&list->items, &list->capacity, list->count + 1,
		      sizeof(*list->items));

	if (rc == 0)
		list->items[list->count++] = *zeroed;
	return rc;
}

/* A folded line is named as what it became. */
static bool rename_line(struct keeper *keeper, const struct record *record,
			uint8_t *payload)
	REQUIRES(keeper->store->maintenance_lock)
{
	bool is_move = record->type == RECORD_TYPE_MOVE;
	uint8_t *line_at = payload + (is_move ? MOVE_LINE_OFFSET : 0);
	uint8_t *gen_at = is_move ? payload + MOVE_BIRTH_OFFSET : payload + 4;
	struct le32 line, gen;
	uint32_t found;

	memcpy(&line, line_at, sizeof(line));
	memcpy(&gen, gen_at, sizeof(gen));
	found = le32_get(line);
	if (!fold_note_find(keeper->store, &found, le32_get(gen)))
		return false;
	line = le32_put(found);
	memcpy(line_at, &line, sizeof(line));
	return true;
}

static int copy(struct keeper *keeper, const struct record *record)
	REQUIRES(keeper->store->maintenance_lock)
{
	const struct kept_record kept = { *record };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint16_t bytes;
	int rc;

	if (record->payload_bytes > sizeof(payload) - KEPT_HEADER_BYTES)
		return 0; /* a SHARE of an earlier version */
	bytes = (uint16_t)kept_record_encode(&kept, payload);
	if (!rename_line(keeper, record, payload + KEPT_HEADER_BYTES))
		return 0;
	rc = grow((void **)&keeper->copies, &keeper->copies_capacity,
		  keeper->copies_bytes + sizeof(bytes) + bytes, 1);
	if (rc < 0)
		return rc;
	memcpy(keeper->copies + keeper->copies_bytes, &bytes, sizeof(bytes));
	memcpy(keeper->copies + keeper->copies_bytes + sizeof(bytes), payload,
	       bytes);
	keeper->copies_bytes += sizeof(bytes) + bytes;
	return 0;
}

static bool any_live(struct keeper *keeper, struct location at, uint32_t blocks)
{
	uint32_t i;

	for (i = 0; i < blocks; i++)
		if (space_map_is_live(&keeper->store->space,
				      (struct location){ at.segment,
							 at.block + i }))
			return true;
	return false;
}

static bool any_shared_live(struct keeper *keeper,
			    const struct share_record *share)
{
	size_t i;

	for (i = 0; i < share->slot_count; i++)
		if (any_live(keeper,
			     (struct location){ share->slots[i].segment,
						share->slots[i].block },
			     slot_stored_blocks(&share->slots[i])))
			return true;
	return false;
}

static int look_at_extent(struct keeper *keeper, const struct record *record)
{
	struct extent_record extent;
	int rc = extent_record_decode(record, &extent);

	if (rc == 0 && any_live(keeper, extent.chunk, extent.stored_blocks))
		rc = copy(keeper, record);
	return rc;
}

static int look_at_move(struct keeper *keeper, const struct record *record)
{
	struct move_record move;
	int rc = move_record_decode(record, &move);

	if (rc == 0 && any_live(keeper, move.chunk, move.stored_blocks))
		rc = copy(keeper, record);
	return rc;
}

static int look_at_share(struct keeper *keeper, const struct record *record)
{
	AUTO_FREE struct share_record *share = malloc(sizeof(*share));
	int rc = share ? share_record_decode(record, share) : -ENOMEM;

	if (rc == 0 && any_shared_live(keeper, share))
		rc = copy(keeper, record);
	return rc;
}

static int look_at_zero(struct keeper *keeper, const struct record *record)
{
	struct zero_record zero;
	struct zeroed zeroed;
	int rc = zero_record_decode(record, &zero);

	if (rc < 0)
		return rc;
	if (!fold_note_find(keeper->store, &zero.line, zero.gen))
		return 0;
	zeroed = (struct zeroed){ zero.inode,
				  zero.first_block,
				  zero.first_block + zero.block_count,
				  record->lsn,
				  zero.line,
				  zero.gen };
	return add_zeroed(&keeper->found, &zeroed);
}

/* Cut off and grown again, it is zeros too. Files of a tree grow all the
 * time, and without their names they are of less use. */
static int look_at_resize(struct keeper *keeper, const struct record *record)
{
	struct resize_record resize;
	struct zeroed zeroed;
	int rc = resize_record_decode(record, &resize);

	if (rc < 0 || resize.inode >= FIRST_NEW_INODE ||
	    !fold_note_find(keeper->store, &resize.line, resize.gen))
		return rc;
	zeroed = (struct zeroed){ resize.inode,
				  (resize.size_bytes + BLOCK_BYTES - 1) /
					  BLOCK_BYTES,
				  INT64_MAX / BLOCK_BYTES,
				  record->lsn,
				  resize.line,
				  resize.gen };
	return zeroed.first < zeroed.end ? add_zeroed(&keeper->found, &zeroed) :
					   0;
}

static int look_at(void *context, const struct record *record, bool durable)
{
	struct keeper *keeper = context;
	struct kept_record kept;
	int rc;

	(void)durable;
	if (record->type == RECORD_TYPE_RAW || record->type == RECORD_TYPE_LZ4)
		return look_at_extent(keeper, record);
	if (record->type == RECORD_TYPE_MOVE)
		return look_at_move(keeper, record);
	if (record->type == RECORD_TYPE_SHARE)
		return look_at_share(keeper, record);
	if (record->type == RECORD_TYPE_ZERO)
		return look_at_zero(keeper, record);
	if (record->type == RECORD_TYPE_RESIZE)
		return look_at_resize(keeper, record);
	if (record->type != RECORD_TYPE_KEPT)
		return 0;
	rc = kept_record_decode(record, &kept);
	return rc < 0 ? rc : look_at(context, &kept.record, durable);
}

/* How many blocks of base the file may still show in this version. */
static int visible_blocks(struct keeper *keeper, const struct window_key *row,
			  uint64_t *out_blocks)
{
	struct store *store = keeper->store;
	uint8_t key[ITEM_PREFIX_BYTES];
	uint8_t value[ITEM_CHECKSUM_BYTES + INODE_ITEM_BYTES];
	struct item_version version;
	struct inode_item item = { 0 };
	struct line_path *path;
	size_t bytes;
	int rc;

	mutex_lock(&store->order_lock);
	path = graph_path(&store->graph, row->line, row->gen);
	mutex_unlock(&store->order_lock);
	if (!path)
		return -ENOMEM;
	item_key_prefix(row->inode, ITEM_TYPE_INODE, key);
	rc = index_item_find(store->index, path, key, sizeof(key), &version,
			     value, sizeof(value), &bytes);
	line_path_put(path);
	if (rc == 0 && !item_value_absent(bytes))
		rc = inode_item_decode(value + ITEM_CHECKSUM_BYTES,
				       bytes - ITEM_CHECKSUM_BYTES, &item);
	*out_blocks = (item.base_visible_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	return rc == -ENOENT ? 0 : rc;
}

/* What of [begin, end) of the row, blocks of its window, is zeros. */
static int say_row(struct keeper *keeper, const struct window_key *key,
		   size_t slot_count, unsigned begin, unsigned end)
{
	struct slot_walk walk = { .slots = keeper->slots,
				  .count = (unsigned)slot_count };
	struct zeroed run = { key->inode, 0,
			      0,	  keeper->store->checkpoint_lsn,
			      key->line,  key->gen };
	uint64_t visible;
	unsigned block;
	int rc = visible_blocks(keeper, key, &visible);

	for (block = begin; block <= end && rc == 0; block++) {
		const struct slot *slot =
			block < end ? slot_walk(&walk, block) : NULL;
		uint64_t at = key->window * WINDOW_BLOCKS + block;
		bool is_zero =
			block < end &&
			(slot ? slot->kind == SLOT_KIND_ZERO : at >= visible);

		if (is_zero && run.end != at)
			run.first = at;
		if (is_zero)
			run.end = at + 1;
		else if (run.end == at && run.first < run.end)
			rc = add_zeroed(&keeper->said, &run);
	}
	return rc;
}

/* The row's window, from the block on that the zeros begin with. */
static int say_zeros_of(struct keeper *keeper, const struct zeroed *zeroed,
			struct window_key *key, size_t row_bytes)
{
	uint64_t at = key->window * WINDOW_BLOCKS;
	size_t slot_count;
	unsigned begin = zeroed->first > at ? (unsigned)(zeroed->first - at) :
					      0;
	unsigned end = zeroed->end - at < WINDOW_BLOCKS ?
			       (unsigned)(zeroed->end - at) :
			       WINDOW_BLOCKS;
	int rc = window_decode(keeper->store->seed, key, keeper->row, row_bytes,
			       keeper->slots, &slot_count);

	if (key->gen < zeroed->gen)
		key->gen = zeroed->gen;
	return rc < 0 ? rc : say_row(keeper, key, slot_count, begin, end);
}

/* Is the line at gen, and up to before end, seen by anybody? */
static bool is_seen(struct store *store, uint32_t line, uint32_t gen,
		    uint32_t end)
{
	bool seen;

	mutex_lock(&store->order_lock);
	seen = graph_next_point(&store->graph, line, gen) < end ||
	       (end == UINT32_MAX && graph_branch_of_line(&store->graph, line));
	mutex_unlock(&store->order_lock);
	return seen;
}

/*
 * The version that came with the zeros; the one before, if nobody else saw
 * that and it was changed in place; and the next one, if these are gone.
 */
static int look_at_line(struct keeper *keeper, const struct zeroed *zeroed,
			uint64_t window, uint32_t line)
{
	struct store *store = keeper->store;
	struct window_key key;
	uint32_t next = UINT32_MAX;
	size_t row_bytes;
	int rc = index_window_next(store->index, zeroed->inode, window, line,
				   zeroed->gen + 1, &key, keeper->row,
				   &row_bytes);

	keeper->lookups++;
	if (rc == 0) {
		next = key.gen;
		rc = say_zeros_of(keeper, zeroed, &key, row_bytes);
	}
	if ((rc < 0 && rc != -ENOENT) || line != zeroed->line)
		return rc == -ENOENT ? 0 : rc;
	rc = index_window_previous(store->index, zeroed->inode, window, line,
				   zeroed->gen, &key, keeper->row, &row_bytes);
	if (rc == 0 &&
	    (key.gen == zeroed->gen || is_seen(store, line, zeroed->gen, next)))
		rc = say_zeros_of(keeper, zeroed, &key, row_bytes);
	return rc == -ENOENT ? 0 : rc;
}

/* Lines that the zeros' own was left by have greater ids. */
static int look_at_window(struct keeper *keeper, const struct zeroed *zeroed,
			  uint64_t window)
{
	struct store *store = keeper->store;
	uint32_t line = zeroed->line;
	size_t i = 0;
	int rc = 0;

	while (rc == 0) {
		mutex_lock(&store->order_lock);
		while (i < store->graph.line_count &&
		       store->graph.lines[i]->row.id < line)
			i++;
		line = i < store->graph.line_count ?
			       store->graph.lines[i]->row.id :
			       0;
		mutex_unlock(&store->order_lock);
		if (line == 0)
			return 0;
		rc = look_at_line(keeper, zeroed, window, line++);
	}
	return rc;
}

static int say_zeroed(struct keeper *keeper, const struct zeroed *zeroed)
{
	uint64_t window = zeroed->first / WINDOW_BLOCKS;
	int rc = 0;

	if (keeper->lookups >= LOOKUPS_MAX)
		return add_zeroed(&keeper->said, zeroed);
	while (rc == 0 &&
	       (rc = index_window_number(keeper->store->index, zeroed->inode,
					 window, &window)) == 0 &&
	       window * WINDOW_BLOCKS < zeroed->end) {
		rc = look_at_window(keeper, zeroed, window++);
		if (rc == 0 && keeper->lookups >= LOOKUPS_MAX)
			return add_zeroed(&keeper->said, zeroed);
	}
	return rc == -ENOENT ? 0 : rc;
}

static int by_place(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct zeroed));
}

/* Sorted anyhow, so that equal ones are neighbours. */
static void drop_equal(struct zeroed_list *list)
{
	size_t i, kept = 0;

	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), by_place);
	for (i = 0; i < list->count; i++)
		if (kept == 0 ||
		    by_place(&list->items[kept - 1], &list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static int copy_zeroed(struct keeper *keeper, const struct zeroed *zeroed)
{
	const struct zero_record zero = { zeroed->line, zeroed->gen,
					  zeroed->inode, zeroed->first,
					  zeroed->end - zeroed->first };
	uint8_t payload[64];
	const struct record record = {
		.lsn = zeroed->lsn,
		.type = RECORD_TYPE_ZERO,
		.payload = payload,
		.payload_bytes = zero_record_encode(&zero, payload),
	};

	return copy(keeper, &record);
}

static int gather(struct keeper *keeper, const struct rowless *dead)
{
	size_t i;
	int rc = keeper->row && keeper->slots ? 0 : -ENOMEM;

	for (i = 0; i < dead->count && rc == 0; i++)
		rc = log_walk_segment(keeper->store->log, dead->ids[i], look_at,
				      keeper);
	for (i = 0; i < keeper->found.count && rc == 0; i++)
		rc = say_zeroed(keeper, &keeper->found.items[i]);
	drop_equal(&keeper->said);
	for (i = 0; i < keeper->said.count && rc == 0; i++)
		rc = copy_zeroed(keeper, &keeper->said.items[i]);
	return rc;
}

static int append(struct keeper *keeper, uint64_t *lsn)
{
	struct store *store = keeper->store;
	size_t at = 0;
	uint16_t bytes;
	int rc = 0;

	while (rc == 0 && at < keeper->copies_bytes) {
		memcpy(&bytes, keeper->copies + at, sizeof(bytes));
		at += sizeof(bytes);
		mutex_lock(&store->order_lock);
		rc = store_logged(store,
				  log_append(store->log, RECORD_TYPE_KEPT,
					     keeper->copies + at, bytes, lsn));
		mutex_unlock(&store->order_lock);
		at += bytes;
	}
	return rc;
}

int keep_records(struct store *store, const struct rowless *dead, uint64_t *lsn)
{
	struct keeper keeper = {
		.store = store,
		.row = malloc(WINDOW_ROW_BYTES_MAX),
		.slots = calloc(WINDOW_BLOCKS, sizeof(struct slot)),
	};
	int rc = gather(&keeper, dead);

	if (rc == 0)
		rc = append(&keeper, lsn);
	free(keeper.found.items);
	free(keeper.said.items);
	free(keeper.copies);
	free(keeper.row);
	free(keeper.slots);
	return rc;
}
