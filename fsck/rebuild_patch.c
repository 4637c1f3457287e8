/*
 * What records say: of windows, of ranges of files, of inodes. Each goes into
 * a table of its own with the line, generation and number that it counts at;
 * versions are made of them when all are there.
 *
 * I1: blocks that are all zeros where a sum says otherwise were given back:
 *     such a record says nothing any more. What else does not fit its sum is
 *     damage, and is left to the pass that tells it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rebuild_impl.h"

enum { FEW_WINDOWS = 64, FIRST_TREE_INODE = 16 };

int rebuild_patches_begin(struct rebuild *rebuild)
{
	static const char *const tables[] = {
		"CREATE TEMP TABLE patches(inode, window, line, gen, lsn,"
		" slots)",
		"CREATE TEMP TABLE ranges(inode, first, last, line, gen, lsn)",
		"CREATE TEMP TABLE changes(inode, line, gen, lsn, kind,"
		" payload)",
		"CREATE INDEX temp.patches_by_window"
		" ON patches(inode, window, line, gen, lsn)",
		"CREATE INDEX temp.ranges_by_inode ON ranges(inode, first)",
		"CREATE INDEX temp.changes_by_inode"
		" ON changes(inode, line, gen, lsn)",
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]) && rc == 0; i++)
		rc = query_run(&rebuild->stored->queries, tables[i], "");
	return rc;
}

/* A line that was folded after the dump is one of its own here: what has been
 * said since of the line that it is in, and is of its generations, is its. */
static bool climb(const struct rebuild *rebuild, uint32_t *line, uint32_t gen)
{
	const struct apply_line *at = apply_line_of(rebuild->apply, *line);

	while (at && at->parent && at->parent < at->id && gen <= at->fork_gen) {
		*line = at->parent;
		at = apply_line_of(rebuild->apply, *line);
	}
	return at != NULL;
}

bool rebuild_line(const struct rebuild *rebuild, uint32_t *line, uint32_t gen)
{
	size_t i, steps = 0;

	while (!apply_line_of(rebuild->apply, *line)) {
		for (i = 0; i < rebuild->fold_count; i++)
			if (rebuild->folds[i].line == *line)
				break;
		if (i == rebuild->fold_count || gen > rebuild->folds[i].gen ||
		    ++steps > rebuild->fold_count)
			return false;
		*line = rebuild->folds[i].into;
	}
	return climb(rebuild, line, gen);
}

static int put_patch(struct rebuild *rebuild, uint64_t inode, uint64_t window,
		     uint32_t line, uint32_t gen, uint64_t lsn,
		     const struct slot *slots, size_t count)
{
	if (count == 0)
		return 0;
	return query_run(&rebuild->stored->queries,
			 "INSERT INTO patches(inode, window, line, gen, lsn,"
			 " slots) VALUES(?, ?, ?, ?, ?, ?)",
			 "iiiiib", (int64_t)inode, (int64_t)window,
			 (int64_t)line, (int64_t)gen, (int64_t)lsn, slots,
			 count * sizeof(*slots));
}

/* What is behind the end of a file, or zeros that hide nothing: blocks that
 * are not covered from there on. */
static int put_range(struct rebuild *rebuild, uint64_t inode, uint64_t first,
		     uint64_t last, uint32_t line, uint32_t gen, uint64_t lsn)
{
	return query_run(&rebuild->stored->queries,
			 "INSERT INTO ranges(inode, first, last, line, gen,"
			 " lsn) VALUES(?, ?, ?, ?, ?, ?)",
			 "iiiiii", (int64_t)inode, (int64_t)first,
			 (int64_t)last, (int64_t)line, (int64_t)gen,
			 (int64_t)lsn);
}

/* I1. 0: given back. */
static int still_there(struct rebuild *rebuild, struct location at,
		       uint32_t blocks, uint64_t sum)
{
	uint8_t data[CHUNK_BLOCKS_MAX * FORMAT_BLOCK_BYTES];
	size_t len = (size_t)blocks * FORMAT_BLOCK_BYTES, i;
	int rc = segment_read(&rebuild->stored->reader, at, data, blocks);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EIO)
		return 1;
	if (rc < 0)
		return rc;
	if (block_checksum(rebuild->check->seed, data, len) == sum)
		return 1;
	for (i = 0; i < len; i++)
		if (data[i])
			return 1;
	return 0;
}

/* Only those that are still there. */
static int keep_slots(struct rebuild *rebuild, struct slot *slots, size_t count,
		      size_t *out_count)
{
	struct slot last = { 0 };
	size_t i, kept = 0;
	int there = 0;

	for (i = 0; i < count; i++) {
		const struct location at = { slots[i].segment, slots[i].block };

		if (!slot_has_place(&slots[i])) {
			there = 1;
		} else if (slots[i].kind != SLOT_KIND_LZ4 ||
			   !slot_same_chunk(&slots[i], &last)) {
			there = still_there(rebuild, at,
					    slot_stored_blocks(&slots[i]),
					    slots[i].sum);
			last = slots[i];
		}
		if (there < 0)
			return there;
		if (there)
			slots[kept++] = slots[i];
	}
	*out_count = kept;
	return 0;
}

static int note_extent(struct rebuild *rebuild, const struct record *record)
{
	bool is_lz4 = record->type == RECORD_TYPE_LZ4;
	struct extent_record extent;
	struct slot slots[RECORD_RAW_BLOCKS_MAX];
	size_t count;
	uint32_t i;
	int rc = extent_record_decode(record, &extent);

	if (rc < 0)
		return 0;
	if (!rebuild_line(rebuild, &extent.line, extent.gen)) {
		rebuild->dropped++;
		return 0;
	}
	for (i = 0; i < extent.block_count; i++)
		slots[i] = (struct slot){
			.segment = extent.chunk.segment,
			.block = (uint16_t)(extent.chunk.block +
					    (is_lz4 ? 0 : i)),
			.birth = extent.gen,
			.first = (uint16_t)((extent.first_block + i) %
					    WINDOW_BLOCKS),
			.count = 1,
			.kind = is_lz4 ? SLOT_KIND_LZ4 : SLOT_KIND_RAW,
			.lz4 = is_lz4 ? (uint8_t)(i << 4 |
						  (extent.stored_blocks - 1U)) :
					0,
			.sum = extent.sums[is_lz4 ? 0 : i],
		};
	rc = keep_slots(rebuild, slots, extent.block_count, &count);
	return rc < 0 ? rc :
			put_patch(rebuild, extent.inode,
				  extent.first_block / WINDOW_BLOCKS,
				  extent.line, extent.gen, record->lsn, slots,
				  count);
}

/* Versions that are no neighbours may have them. Those that nobody has in the
 * end are not marked. */
static int mark_shared(struct rebuild *rebuild, const struct slot *slots,
		       size_t count)
{
	size_t i;
	unsigned n;

	for (i = 0; i < count; i++) {
		struct segment_blocks *segment =
			block_map_add(&rebuild->stored->map, slots[i].segment);

		if (!segment)
			return -ENOMEM;
		for (n = 0; n < slot_stored_blocks(&slots[i]); n++)
			block_bit_set(segment->shared, slots[i].block + n);
	}
	return 0;
}

static int note_share(struct rebuild *rebuild, const struct record *record)
{
	AUTO_FREE struct share_record *share = malloc(sizeof(*share));
	size_t count;
	int rc;

	if (!share)
		return -ENOMEM;
	if (share_record_decode(record, share) < 0)
		return 0;
	if (!rebuild_line(rebuild, &share->line, share->gen)) {
		rebuild->dropped++;
		return 0;
	}
	rc = keep_slots(rebuild, share->slots, share->slot_count, &count);
	if (rc == 0)
		rc = mark_shared(rebuild, share->slots, count);
	return rc < 0 ? rc :
			put_patch(rebuild, share->inode, share->window,
				  share->line, share->gen, record->lsn,
				  share->slots, count);
}

static int note_move(struct rebuild *rebuild, const struct record *record)
{
	struct slot slots[CHUNK_BLOCKS_MAX];
	struct move_record move;
	size_t count;
	unsigned i;
	int rc = move_record_decode(record, &move);

	if (rc < 0)
		return 0;
	if (!rebuild_line(rebuild, &move.line, move.birth)) {
		rebuild->dropped++;
		return 0;
	}
	for (i = 0; i < move.block_count; i++)
		slots[i] = (struct slot){
			.segment = move.chunk.segment,
			.block = (uint16_t)(move.chunk.block +
					    (move.is_lz4 ? 0 : i)),
			.birth = move.birth,
			.first = move.source[i].first,
			.count = 1,
			.kind = move.is_lz4 ? SLOT_KIND_LZ4 : SLOT_KIND_RAW,
			.lz4 = move.is_lz4 ?
				       (uint8_t)(i << 4 |
						 (move.stored_blocks - 1U)) :
				       0,
			.sum = move.sums[move.is_lz4 ? 0 : i],
		};
	rc = keep_slots(rebuild, slots, move.block_count, &count);
	return rc < 0 ? rc :
			put_patch(rebuild, move.inode, move.window, move.line,
				  move.birth, record->lsn, slots, count);
}

/* How many blocks of base an inode may show: of an image, or of its origin. */
static int base_blocks(struct rebuild *rebuild, uint64_t inode, uint64_t *out)
{
	uint8_t key[ITEM_PREFIX_BYTES];
	uint64_t bytes = inode == 2 ? rebuild->base_bytes : 0;
	struct origin_item origin;
	sqlite3_stmt *row;
	int rc;

	item_key_prefix(inode, ITEM_TYPE_ORIGIN, key);
	rc = query_begin(&rebuild->stored->queries, &row,
			 "SELECT value FROM items WHERE key = ?", "b", key,
			 sizeof(key));
	if (rc == 1) {
		size_t len = (size_t)sqlite3_column_bytes(row, 0);

		if (len > ITEM_CHECKSUM_BYTES &&
		    origin_item_decode((const uint8_t *)sqlite3_column_blob(row,
									    0) +
					       ITEM_CHECKSUM_BYTES,
				       len - ITEM_CHECKSUM_BYTES, &origin) == 0)
			bytes = origin.size_bytes;
		query_end(row);
	}
	*out = (bytes + FORMAT_BLOCK_BYTES - 1) / FORMAT_BLOCK_BYTES;
	return rc < 0 ? rc : 0;
}

static int put_zeros(struct rebuild *rebuild, const struct zero_record *zero,
		     uint64_t first, uint64_t end, uint64_t lsn)
{
	int rc = 0;

	while (first < end && rc == 0) {
		uint64_t window = first / WINDOW_BLOCKS;
		uint64_t stop = (window + 1) * WINDOW_BLOCKS;
		struct slot slot = {
			.kind = SLOT_KIND_ZERO,
			.first = (uint16_t)(first % WINDOW_BLOCKS),
			.birth = zero->gen,
		};

		if (stop > end)
			stop = end;
		slot.count = (uint16_t)(stop - first);
		rc = put_patch(rebuild, zero->inode, window, zero->line,
			       zero->gen, lsn, &slot, 1);
		first = stop;
	}
	return rc;
}

static int note_zero(struct rebuild *rebuild, const struct record *record)
{
	struct zero_record zero;
	uint64_t base, end, hidden;
	int rc = zero_record_decode(record, &zero);

	if (rc < 0)
		return 0;
	if (!rebuild_line(rebuild, &zero.line, zero.gen)) {
		rebuild->dropped++;
		return 0;
	}
	rc = base_blocks(rebuild, zero.inode, &base);
	end = zero.first_block + zero.block_count;
	hidden = end < base ? end : base;
	if (hidden < zero.first_block)
		hidden = zero.first_block;
	if (rc == 0)
		rc = put_zeros(rebuild, &zero, zero.first_block, hidden,
			       record->lsn);
	if (rc == 0 && hidden < end)
		rc = put_range(rebuild, zero.inode, hidden, end, zero.line,
			       zero.gen, record->lsn);
	return rc;
}

static int put_change(struct rebuild *rebuild, uint64_t inode, uint32_t line,
		      uint32_t gen, const struct record *record,
		      const void *payload, size_t payload_bytes)
{
	/* The dump has all of these, as they were then. */
	if (inode < FIRST_TREE_INODE && record->lsn <= rebuild->as_of_lsn)
		return 0;
	return query_run(&rebuild->stored->queries,
			 "INSERT INTO changes(inode, line, gen, lsn, kind,"
			 " payload) VALUES(?, ?, ?, ?, ?, ?)",
			 "iiiiib", (int64_t)inode, (int64_t)line, (int64_t)gen,
			 (int64_t)record->lsn, (int64_t)record->type, payload,
			 payload_bytes);
}

static int note_resize(struct rebuild *rebuild, const struct record *record)
{
	struct resize_record resize;
	uint64_t first;
	int rc = resize_record_decode(record, &resize);

	if (rc < 0 || !rebuild_line(rebuild, &resize.line, resize.gen))
		return 0;
	first = (resize.size_bytes + FORMAT_BLOCK_BYTES - 1) /
		FORMAT_BLOCK_BYTES;
	rc = put_range(rebuild, resize.inode, first, INT64_MAX, resize.line,
		       resize.gen, record->lsn);
	return rc < 0 ? rc :
			put_change(rebuild, resize.inode, resize.line,
				   resize.gen, record, record->payload,
				   record->payload_bytes);
}

static int note_attributes(struct rebuild *rebuild, const struct record *record)
{
	struct attributes_record attributes;

	if (attributes_record_decode(record, &attributes) < 0 ||
	    !rebuild_line(rebuild, &attributes.line, attributes.gen))
		return 0;
	return put_change(rebuild, attributes.inode, attributes.line,
			  attributes.gen, record, record->payload,
			  record->payload_bytes);
}

static int put_item(struct rebuild *rebuild, const struct batch_entry *entry,
		    uint32_t line, uint32_t gen)
{
	const struct item_identity identity = { entry->key, entry->key_bytes,
						line, gen };
	AUTO_FREE uint8_t *value = malloc(ITEM_VALUE_BYTES_MAX);

	if (!value)
		return -ENOMEM;
	return query_run(&rebuild->stored->queries,
			 "INSERT OR REPLACE INTO items(key, line, gen, value)"
			 " VALUES(?, ?, ?, ?)",
			 "biib", entry->key, entry->key_bytes, (int64_t)line,
			 (int64_t)gen, value,
			 item_value_encode(rebuild->check->seed, &identity,
					   entry->payload, entry->payload_bytes,
					   value));
}

static int note_entry(struct rebuild *rebuild, const struct batch_entry *entry,
		      uint32_t line, const struct record *record)
{
	uint32_t gen = rebuild->batch.gen;
	uint64_t inode = entry->item.inode;

	if (entry->item.type == ITEM_TYPE_ORIGIN)
		return entry->payload_bytes ? put_item(rebuild, entry, 0, 0) :
					      0;
	/* The dump has it, as put_change(). */
	if (entry->item.type == ITEM_TYPE_STACK &&
	    record->lsn <= rebuild->as_of_lsn)
		return 0;
	if (entry->item.type == ITEM_TYPE_INODE)
		return put_change(rebuild, inode, line, gen, record,
				  entry->payload, entry->payload_bytes);
	return put_item(rebuild, entry, line, gen);
}

static int note_items(struct rebuild *rebuild, const struct record *record)
{
	struct items_record piece;
	struct batch_entry entry;
	uint32_t line;
	size_t at = 0;
	int rc = items_record_decode(record, &piece);

	if (rc == 0)
		rc = batch_add_piece(&rebuild->batch, &piece);
	line = rebuild->batch.line;
	if (rc < 0 || rebuild->batch.goes_on ||
	    !rebuild_line(rebuild, &line, rebuild->batch.gen))
		return 0;
	while ((rc = batch_next(&rebuild->batch, &at, &entry)) == 0) {
		rc = note_entry(rebuild, &entry, line, record);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT || rc == -EUCLEAN ? 0 : rc;
}

static int note_kept(struct rebuild *rebuild, const struct record *record)
{
	struct kept_record kept;

	if (kept_record_decode(record, &kept) < 0 ||
	    kept.record.type == RECORD_TYPE_KEPT)
		return 0;
	return rebuild_note_record(rebuild, &kept.record);
}

int rebuild_note_record(struct rebuild *rebuild, const struct record *record)
{
	if (record->type != RECORD_TYPE_ITEMS &&
	    record->type != RECORD_TYPE_JUMP)
		batch_reset(&rebuild->batch);
	switch (record->type) {
	case RECORD_TYPE_RAW:
	case RECORD_TYPE_LZ4:
		return note_extent(rebuild, record);
	case RECORD_TYPE_ZERO:
		return note_zero(rebuild, record);
	case RECORD_TYPE_RESIZE:
		return note_resize(rebuild, record);
	case RECORD_TYPE_ATTRIBUTES:
		return note_attributes(rebuild, record);
	case RECORD_TYPE_MOVE:
		return note_move(rebuild, record);
	case RECORD_TYPE_ITEMS:
		return note_items(rebuild, record);
	case RECORD_TYPE_SHARE:
		return note_share(rebuild, record);
	case RECORD_TYPE_KEPT:
		return note_kept(rebuild, record);
	case RECORD_TYPE_HISTORY:
	case RECORD_TYPE_JUMP:
	case RECORD_TYPE_SYNCED:
	case RECORD_TYPE_STATE:
		break;
	}
	return 0;
}
