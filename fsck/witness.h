/* Others who know what a damaged row of history said: index.bak, and the
 * operations that made it. */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "past.h"
#include "scope.h"

struct check;

/* 1: *out_line is what it was; 0: nobody knows. */
NODISCARD int witness_line(struct check *check, uint32_t id,
			   struct past_line *out_line);
/*
 * The row of a table of index.bak with this id, "*" of its columns. 1: the
 * statement stands on it, and is to be finalized in any case.
 */
NODISCARD int witness_row(struct check *check, const char *table, int64_t id,
			  sqlite3_stmt **out_statement);
