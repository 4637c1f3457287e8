/*
 * What becomes of damaged blocks.
 *
 * I1: a slot is made LOST only if no copy of its block was found, and never
 *     without being told.
 */
#include "heal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "row_place.h"
#include "stored.h"
#include "window_scan.h"

int bad_list_add(struct bad_list *list, const struct slot *slot,
		 enum bad_kind kind)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		void *grown =
			realloc(list->chunks, capacity * sizeof(*list->chunks));

		if (!grown)
			return -ENOMEM;
		list->chunks = grown;
		list->capacity = capacity;
	}
	list->chunks[list->count++] = (struct bad_chunk){
		.segment = slot->segment,
		.block = slot->block,
		.is_lz4 = slot->kind == SLOT_KIND_LZ4,
		.stored_blocks = (uint8_t)slot_stored_blocks(slot),
		.kind = (uint8_t)kind,
		.sum = slot->sum,
	};
	return 0;
}

void bad_list_free(struct bad_list *list)
{
	free(list->chunks);
	memset(list, 0, sizeof(*list));
}

static int by_place(const void *a, const void *b)
{
	const struct bad_chunk *left = a, *right = b;

	if (left->segment != right->segment)
		return left->segment < right->segment ? -1 : 1;
	if (left->block != right->block)
		return left->block < right->block ? -1 : 1;
	if (left->is_lz4 != right->is_lz4)
		return left->is_lz4 ? 1 : -1;
	return left->sum < right->sum ? -1 : left->sum > right->sum;
}

static void sort(struct bad_list *list)
{
	size_t i, kept = 0;

	qsort(list->chunks, list->count, sizeof(*list->chunks), by_place);
	for (i = 0; i < list->count; i++)
		if (kept == 0 ||
		    by_place(&list->chunks[i], &list->chunks[kept - 1]) != 0)
			list->chunks[kept++] = list->chunks[i];
	list->count = kept;
}

struct bad_chunk *bad_list_find(const struct bad_list *list,
				const struct slot *slot)
{
	const struct bad_chunk want = {
		.segment = slot->segment,
		.block = slot->block,
		.is_lz4 = slot->kind == SLOT_KIND_LZ4,
		.sum = slot->sum,
	};

	if (!slot_has_place(slot) || list->count == 0)
		return NULL;
	return bsearch(&want, list->chunks, list->count, sizeof(want),
		       by_place);
}

static int note_rows(void *context, const struct window_row *row, bool first,
		     bool last)
{
	struct bad_list *list = context;
	size_t i;

	(void)first, (void)last;
	for (i = 0; i < row->slot_count; i++) {
		struct bad_chunk *chunk = bad_list_find(list, &row->slots[i]);

		if (!chunk || chunk->row)
			continue;
		chunk->row = row->id;
		chunk->key = row->key;
		chunk->first = (int)row->slots[i].first -
			       (int)slot_skip(&row->slots[i]);
	}
	return 0;
}

/* Rows that have a chunk for which there is no help. */
struct losing {
	struct bad_list *list;
	int64_t *rows;
	size_t count, capacity;
};

static int note_losing(void *context, const struct window_row *row, bool first,
		       bool last)
{
	struct losing *losing = context;
	const struct bad_chunk *chunk = NULL;
	size_t i;

	(void)first, (void)last;
	for (i = 0; i < row->slot_count && (!chunk || chunk->healed); i++)
		chunk = bad_list_find(losing->list, &row->slots[i]);
	if (!chunk || chunk->healed)
		return 0;
	if (losing->count == losing->capacity) {
		size_t capacity = losing->capacity ? losing->capacity * 2 : 64;
		void *grown =
			realloc(losing->rows, capacity * sizeof(*losing->rows));

		if (!grown)
			return -ENOMEM;
		losing->rows = grown;
		losing->capacity = capacity;
	}
	losing->rows[losing->count++] = row->id;
	return 0;
}

static bool is_lost(const struct bad_list *list, const struct slot *slot)
{
	const struct bad_chunk *chunk = bad_list_find(list, slot);

	return chunk && !chunk->healed;
}

/* A run of lost blocks of one version: I1. */
static bool tell(struct check *check, const struct window_key *key,
		 const struct slot *slots, size_t count)
{
	struct row_place place;

	row_place(check, key, slots[0].first, &place);
	place.where.segment = slots[0].segment;
	place.where.block = slots[0].block;
	return problem(check, PROBLEM_BLOCK_LOST, &place.where,
		       "%zu blocks of 4096 bytes", count);
}

static int lose(struct check *check, const struct bad_list *list, int64_t id)
{
	uint8_t blob[WINDOW_ROW_BYTES_MAX];
	struct slot slots[WINDOW_BLOCKS];
	struct window_key key;
	sqlite3_stmt *row;
	size_t count = 0, i, n;
	bool changed = false;
	int rc = query_begin(&check->stored->queries, &row,
			     "SELECT inode, window, line, gen, slots"
			     " FROM windows WHERE id = ?",
			     "i", id);

	if (rc <= 0)
		return rc;
	key = (struct window_key){ (uint64_t)sqlite3_column_int64(row, 0),
				   (uint64_t)sqlite3_column_int64(row, 1),
				   query_u32(row, 2), query_u32(row, 3) };
	rc = window_decode(check->seed, &key, sqlite3_column_blob(row, 4),
			   (size_t)sqlite3_column_bytes(row, 4), slots, &count);
	query_end(row);
	if (rc < 0)
		return 0;
	for (i = 0; i < count; i += n ? n : 1) {
		for (n = 0; i + n < count && is_lost(list, &slots[i + n]) &&
			    slots[i + n].first == slots[i].first + n;)
			n++;
		if (n == 0 || !tell(check, &key, slots + i, n))
			continue;
		changed = true;
		for (size_t j = i; j < i + n; j++)
			slots[j] = (struct slot){
				.kind = SLOT_KIND_LOST,
				.first = slots[j].first,
				.count = 1,
				.birth = slots[j].birth,
			};
	}
	if (!changed)
		return 0;
	return work_repair(check, "UPDATE windows SET slots = ? WHERE id = ?",
			   "bi", blob,
			   window_encode(check->seed, &key, slots, count, blob),
			   id);
}

int heal_all(struct check *check, struct bad_list *list)
{
	struct queries *queries = &check->stored->queries;
	struct losing losing = { .list = list };
	size_t i;
	int rc;

	sort(list);
	rc = window_scan(queries, check->seed, note_rows, list);
	if (rc == 0)
		rc = heal_find(check, list);
	if (rc == 0)
		rc = window_scan(queries, check->seed, note_losing, &losing);
	if (rc < 0)
		stored_failed(check, rc);
	for (i = 0; i < losing.count && rc == 0; i++)
		rc = lose(check, list, losing.rows[i]);
	free(losing.rows);
	return rc;
}
