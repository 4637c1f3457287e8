/* Records of compaction: all versions of a window have their blocks in
 * another place from then on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply_impl.h"

struct move {
	struct apply *apply;
	struct move_record record;
	uint32_t found; /* bit i: a version had source i */
	struct slot old[CHUNK_BLOCKS_MAX];
	struct slot slots[WINDOW_BLOCKS];
};

static int source_of(const struct move *move, const struct slot *slot)
{
	const struct move_record *record = &move->record;
	int i;

	if (slot->kind != SLOT_KIND_RAW && slot->kind != SLOT_KIND_LZ4)
		return -1;
	for (i = 0; i < record->block_count; i++)
		if (slot->segment == record->source[i].at.segment &&
		    slot->block == record->source[i].at.block &&
		    (slot->kind == SLOT_KIND_RAW ||
		     slot_skip(slot) == record->source[i].skip))
			return i;
	return -1;
}

static bool change(struct move *move, size_t count)
{
	const struct move_record *record = &move->record;
	bool changed = false;
	size_t n;

	for (n = 0; n < count; n++) {
		struct slot *slot = &move->slots[n];
		int i = source_of(move, slot);

		if (i < 0)
			continue;
		move->found |= 1U << i;
		move->old[i] = *slot;
		slot->segment = record->chunk.segment;
		slot->block = (uint16_t)(record->chunk.block +
					 (record->is_lz4 ? 0U : (unsigned)i));
		slot->kind = record->is_lz4 ? SLOT_KIND_LZ4 : SLOT_KIND_RAW;
		slot->lz4 = record->is_lz4 ?
				    (uint8_t)((unsigned)i << 4 |
					      (record->stored_blocks - 1U)) :
				    0;
		slot->sum = record->sums[record->is_lz4 ? 0 : i];
		changed = true;
	}
	return changed;
}

static int change_row(struct move *move, int64_t id, struct window_key *key,
		      size_t bytes)
{
	struct apply *apply = move->apply;
	size_t count;

	if (bytes > sizeof(apply->row) ||
	    window_decode(apply->seed, key, apply->row, bytes, move->slots,
			  &count) < 0) {
		apply_trouble(apply, APPLY_TROUBLE_ROW, key->line, key->gen,
			      key->inode, key->window * WINDOW_BLOCKS);
		return 0;
	}
	if (!change(move, count))
		return 0;
	bytes = window_encode(apply->seed, key, move->slots, count, apply->row);
	return query_run(apply->queries,
			 "UPDATE windows SET slots = ? WHERE id = ?", "bi",
			 apply->row, bytes, id);
}

/* The next row of the window after *key. 0: none. */
static int next_row(struct apply *apply, struct window_key *key, int64_t *id,
		    size_t *bytes)
{
	sqlite3_stmt *row;
	int rc = query_begin(apply->queries, &row,
			     "SELECT id, line, gen, slots FROM windows"
			     " WHERE inode = ? AND window = ?"
			     " AND (line, gen) > (?, ?)"
			     " ORDER BY line, gen LIMIT 1",
			     "iiii", (int64_t)key->inode, (int64_t)key->window,
			     (int64_t)key->line, (int64_t)key->gen);

	if (rc <= 0)
		return rc;
	*id = sqlite3_column_int64(row, 0);
	key->line = query_u32(row, 1);
	key->gen = query_u32(row, 2);
	*bytes = (size_t)sqlite3_column_bytes(row, 3);
	if (*bytes <= sizeof(apply->row))
		memcpy(apply->row, sqlite3_column_blob(row, 3), *bytes);
	query_end(row);
	return 1;
}

static int change_rows(struct move *move)
{
	struct window_key key = { move->record.inode, move->record.window, 0,
				  0 };
	size_t bytes = 0;
	int64_t id = 0;
	int rc = apply_windows_flush(move->apply, key.inode, true);

	if (rc == 0)
		rc = next_row(move->apply, &key, &id, &bytes);
	while (rc == 1) {
		rc = change_row(move, id, &key, bytes);
		if (rc == 0)
			rc = next_row(move->apply, &key, &id, &bytes);
	}
	return rc;
}

static int account(struct move *move)
{
	const struct move_record *record = &move->record;
	struct block_map *map = move->apply->map;
	bool shared = false;
	unsigned i;
	int rc = 0;

	for (i = 0; i < record->block_count && rc == 0; i++) {
		const struct location to = { record->chunk.segment,
					     record->chunk.block + i };
		const struct location from = record->source[i].at;
		unsigned blocks = slot_stored_blocks(&move->old[i]);

		if (!(move->found >> i & 1))
			continue;
		shared = shared || block_map_is_shared(map, from, blocks);
		block_map_give_up(map, from, blocks);
		rc = record->is_lz4 ?
			     block_map_use(map, record->chunk,
					   record->stored_blocks, false) :
			     block_map_use(map, to, 1, false);
	}
	if (rc == 0 && shared)
		rc = block_map_share(map, record->chunk, record->stored_blocks);
	return rc;
}

int apply_move(struct apply *apply, const struct record *record, bool verify)
{
	AUTO_FREE struct move *move = calloc(1, sizeof(*move));
	int rc = move ? move_record_decode(record, &move->record) : -ENOMEM;

	if (rc == 0 && verify)
		rc = apply_verify(apply, move->record.chunk,
				  move->record.stored_blocks,
				  move->record.is_lz4, move->record.sums);
	if (rc != 0)
		return rc;
	move->apply = apply;
	rc = change_rows(move);
	return rc < 0 ? rc : account(move);
}
