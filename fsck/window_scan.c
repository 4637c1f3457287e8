/* Reads ahead one row, which tells what the one before covers. */
#include "window_scan.h"

#include <errno.h>
#include <stdlib.h>

static void take(sqlite3_stmt *from, uint64_t seed, struct window_row *row)
{
	const void *blob = sqlite3_column_blob(from, 5);
	size_t bytes = (size_t)sqlite3_column_bytes(from, 5);

	row->id = sqlite3_column_int64(from, 0);
	row->key = (struct window_key){
		(uint64_t)sqlite3_column_int64(from, 1),
		(uint64_t)sqlite3_column_int64(from, 2),
		query_u32(from, 3),
		query_u32(from, 4),
	};
	row->next_gen = UINT32_MAX;
	row->slot_count = 0;
	row->damaged = window_decode(seed, &row->key, blob ? blob : "", bytes,
				     row->slots, &row->slot_count) < 0;
	if (row->damaged)
		row->slot_count = 0;
}

static bool same_window(const struct window_row *a, const struct window_row *b)
{
	return a->key.inode == b->key.inode && a->key.window == b->key.window;
}

int window_scan(struct queries *queries, uint64_t seed, window_row_visit *visit,
		void *context)
{
	AUTO_FREE struct window_row *rows = calloc(2, sizeof(*rows));
	struct window_row *now = rows, *next = rows + 1;
	bool first = true;
	sqlite3_stmt *from;
	int rc;

	if (!rows)
		return -ENOMEM;
	rc = query_begin(queries, &from,
			 "SELECT id, inode, window, line, gen, slots"
			 " FROM windows ORDER BY inode, window, line, gen",
			 "");
	if (rc == 1)
		take(from, seed, now);
	while (rc == 1) {
		struct window_row *swap = now;
		bool last = true;

		rc = query_next(from);
		if (rc == 1) {
			take(from, seed, next);
			last = !same_window(now, next);
			if (!last && now->key.line == next->key.line)
				now->next_gen = next->key.gen;
		}
		if (rc >= 0) {
			int visited = visit(context, now, first, last);

			if (visited < 0 && rc == 1)
				query_end(from);
			if (visited < 0)
				return visited;
		}
		first = last;
		now = next;
		next = swap;
	}
	return rc;
}
