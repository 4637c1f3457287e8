/*
 * Pass 5: rows of windows. A row that can't be decoded is taken from index.bak
 * and the log; if that has it not, what it said is lost, and reading its
 * blocks is an error from then on: never older data, or zeros.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "item_format.h"
#include "row_place.h"
#include "stored.h"
#include "twin.h"
#include "window_scan.h"

enum row_fault {
	ROW_FAULT_DAMAGED = 1,
	ROW_FAULT_GEN,	 /* newer than its line's head */
	ROW_FAULT_BIRTH, /* a slot is younger than the version */
	ROW_FAULT_INODE, /* there is no such inode */
};

struct faulty_row {
	int64_t id;
	struct window_key key;
	enum row_fault fault;
	uint32_t limit; /* generation that nothing of it is younger than */
};

struct window_pass {
	struct check *check;
	struct faulty_row *faulty;
	size_t count, capacity;
	uint64_t seen, total;
	uint64_t inode; /* of the row before, and whether it is there */
	bool inode_found;
};

static int note(struct window_pass *pass, const struct window_row *row,
		enum row_fault fault, uint32_t limit)
{
	if (pass->count == pass->capacity) {
		size_t capacity = pass->capacity ? pass->capacity * 2 : 64;
		void *grown =
			realloc(pass->faulty, capacity * sizeof(*pass->faulty));

		if (!grown)
			return -ENOMEM;
		pass->faulty = grown;
		pass->capacity = capacity;
	}
	pass->faulty[pass->count++] =
		(struct faulty_row){ row->id, row->key, fault, limit };
	return 0;
}

/* Any version of its item; whether a view sees both is not asked: rows go
 * one after the other. */
static int find_inode(struct window_pass *pass, uint64_t inode)
{
	uint8_t key[ITEM_PREFIX_BYTES];
	sqlite3_stmt *row;
	int rc;

	if (pass->inode == inode)
		return 0;
	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	rc = query_begin(&pass->check->stored->queries, &row,
			 "SELECT 1 FROM items WHERE key = ?"
			 " AND length(value) > 8 LIMIT 1",
			 "b", key, sizeof(key));
	if (rc < 0)
		return rc;
	pass->inode = inode;
	pass->inode_found = rc == 1;
	if (rc == 1)
		query_end(row);
	return 0;
}

/* The newest generation that the line's head writes, if it has one. */
static uint32_t head_gen(const struct past *past, uint32_t line)
{
	const struct past_line *found = past_find_line(past, line);
	const struct past_branch *branch =
		found ? past_find_branch(past, found->head) : NULL;

	return branch ? branch->gen : UINT32_MAX;
}

/* A version may be changed until the next one of its line begins. */
static uint32_t youngest(const struct past *past, const struct window_row *row)
{
	return row->next_gen != UINT32_MAX ? row->next_gen :
					     head_gen(past, row->key.line);
}

static int visit(void *context, const struct window_row *row, bool first,
		 bool last)
{
	struct window_pass *pass = context;
	uint32_t limit = youngest(&pass->check->past, row);
	size_t i;
	int rc = 0;

	(void)first, (void)last;
	if (++pass->seen % 1024 == 0)
		rc = check_progress(pass->check, pass->seen, pass->total);
	if (rc < 0)
		return rc;
	if (row->damaged)
		return note(pass, row, ROW_FAULT_DAMAGED, limit);
	if (row->key.gen > head_gen(&pass->check->past, row->key.line))
		rc = note(pass, row, ROW_FAULT_GEN, limit);
	for (i = 0; i < row->slot_count && rc == 0; i++)
		if (row->slots[i].birth > limit) {
			rc = note(pass, row, ROW_FAULT_BIRTH, limit);
			break;
		}
	if (rc == 0)
		rc = find_inode(pass, row->key.inode);
	if (rc == 0 && !pass->inode_found && row->slot_count > 0)
		rc = note(pass, row, ROW_FAULT_INODE, limit);
	return rc;
}

static int put_row(struct check *check, int64_t id, const uint8_t *blob,
		   size_t bytes)
{
	return work_repair(check, "UPDATE windows SET slots = ? WHERE id = ?",
			   "bi", blob, bytes, id);
}

static int mend_damaged(struct check *check, const struct faulty_row *row)
{
	uint8_t blob[WINDOW_ROW_BYTES_MAX];
	struct slot slots[WINDOW_BLOCKS];
	struct row_place place;
	unsigned i;
	size_t bytes;
	int rc = twin_window(check, &row->key, blob, &bytes);

	if (rc < 0)
		return rc;
	row_place(check, &row->key, -1, &place);
	if (rc == 1)
		return problem(check, PROBLEM_WINDOW_ROW, &place.where, NULL) ?
			       put_row(check, row->id, blob, bytes) :
			       0;
	if (!problem(check, PROBLEM_WINDOW_LOST, &place.where, NULL))
		return 0;
	memset(slots, 0, sizeof(slots));
	for (i = 0; i < WINDOW_BLOCKS; i++) {
		slots[i].kind = SLOT_KIND_LOST;
		slots[i].first = (uint16_t)i;
		slots[i].count = 1;
		slots[i].birth = row->key.gen;
	}
	return put_row(check, row->id, blob,
		       window_encode(check->seed, &row->key, slots,
				     WINDOW_BLOCKS, blob));
}

/* Others may have the chunk, too: what is old is never freed too early. */
static int mend_births(struct check *check, const struct faulty_row *row)
{
	uint8_t blob[WINDOW_ROW_BYTES_MAX];
	struct slot slots[WINDOW_BLOCKS];
	sqlite3_stmt *found;
	size_t count, bytes, i;
	int rc = query_begin(&check->stored->queries, &found,
			     "SELECT slots FROM windows WHERE id = ?", "i",
			     row->id);

	if (rc <= 0)
		return rc;
	bytes = (size_t)sqlite3_column_bytes(found, 0);
	rc = window_decode(check->seed, &row->key,
			   sqlite3_column_blob(found, 0), bytes, slots, &count);
	query_end(found);
	for (i = 0; rc == 0 && i < count; i++)
		if (slots[i].birth > row->limit)
			slots[i].birth = 1;
	if (rc < 0)
		return 0;
	return put_row(check, row->id, blob,
		       window_encode(check->seed, &row->key, slots, count,
				     blob));
}

static int mend_gen(struct check *check, const struct faulty_row *row)
{
	struct past_line *line = past_find_line(&check->past, row->key.line);
	struct past_branch *branch =
		line ? past_find_branch(&check->past, line->head) : NULL;
	int rc;

	if (!branch || branch->gen >= row->key.gen)
		return 0; /* by an earlier row */
	branch->gen = row->key.gen;
	rc = work_repair(check, "UPDATE branches SET gen = ? WHERE id = ?",
			 "ii", (int64_t)row->key.gen, (int64_t)branch->id);
	if (rc == 0)
		rc = work_run(check,
			      "UPDATE meta SET value = ? WHERE key = 'next_gen'"
			      " AND value <= ?",
			      "ii", (int64_t)row->key.gen + 1,
			      (int64_t)row->key.gen);
	return rc;
}

static int mend(struct check *check, const struct faulty_row *row)
{
	struct row_place place;

	if (row->fault == ROW_FAULT_DAMAGED)
		return mend_damaged(check, row);
	row_place(check, &row->key, -1, &place);
	switch (row->fault) {
	case ROW_FAULT_DAMAGED:
		break;
	case ROW_FAULT_GEN:
		if (problem(check, PROBLEM_WINDOW_GEN, &place.where, NULL))
			return mend_gen(check, row);
		break;
	case ROW_FAULT_BIRTH:
		if (problem(check, PROBLEM_WINDOW_BIRTH, &place.where, NULL))
			return mend_births(check, row);
		break;
	case ROW_FAULT_INODE:
		if (problem(check, PROBLEM_WINDOW_INODE, &place.where, NULL))
			return work_repair(check,
					   "DELETE FROM windows WHERE id = ?",
					   "i", row->id);
		break;
	}
	return 0;
}

int pass5_windows(struct check *check)
{
	struct window_pass pass = { .check = check };
	sqlite3_stmt *row;
	size_t i;
	int rc = stored_begin(check);

	if (rc < 0)
		return rc;
	rc = query_begin(&check->stored->queries, &row,
			 "SELECT count(*) FROM windows", "");
	if (rc == 1) {
		pass.total = (uint64_t)sqlite3_column_int64(row, 0);
		query_end(row);
		rc = window_scan(&check->stored->queries, check->seed, visit,
				 &pass);
	}
	if (rc < 0)
		stored_failed(check, rc);
	for (i = 0; i < pass.count && rc == 0; i++)
		rc = mend(check, &pass.faulty[i]);
	free(pass.faulty);
	return rc;
}
