/*
 * Prepared statements on the working copy of the index. A statement is known
 * by the address of its text, so use string constants.
 */
#pragma once

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"

enum { QUERIES_MAX = 128 };

struct queries {
	sqlite3 *db; /* borrowed */
	size_t count;
	struct {
		const char *text;
		sqlite3_stmt *statement;
	} prepared[QUERIES_MAX];
};

void queries_init(struct queries *queries, sqlite3 *db);
/* Before the connection is closed. */
void queries_fini(struct queries *queries);

/*
 * types has a letter for each parameter: i int64_t, b const void * and
 * size_t (blob), t const char *. Results: 0, 1: there is a row (begin,
 * next), or a negative errno; -EUCLEAN: the database is damaged. A statement
 * that is not at its end must be ended before it is begun again.
 */
NODISCARD int query_begin(struct queries *queries, sqlite3_stmt **out_row,
			  const char *text, const char *types, ...);
NODISCARD int query_next(sqlite3_stmt *row);
void query_end(sqlite3_stmt *row);
/* For statements without rows. */
NODISCARD int query_run(struct queries *queries, const char *text,
			const char *types, ...);

uint32_t query_u32(sqlite3_stmt *row, int column);
