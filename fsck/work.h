/*
 * The working copy of the index: a private copy in a directory of its own,
 * opened with every defence that SQLite has, and SQL on it.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"

struct check;

/* The private directory; removed by work_fini. */
NODISCARD int work_init(struct check *check);
void work_fini(struct check *check);

/*
 * Copies `name` of the store (and its WAL) and opens the copy, instead of
 * the one that was open. -ENOENT: there is none; -EUCLEAN: it is no database,
 * or no regular file.
 */
NODISCARD int work_open(struct check *check, const char *name);
/* There is no index from here on. */
void work_close(struct check *check);
/* A new one, with the schema and nothing in it. */
NODISCARD int work_create(struct check *check);
/* Makes one file of it, ready to be installed as index.db, and closes it. */
NODISCARD int work_finish(struct check *check);
/* Ends the transaction and begins the next. */
NODISCARD int work_commit(struct check *check);

/*
 * Statements. A negative errno is told by check_failed(). format has a letter
 * for each parameter: i (64 bits), s (text), b (pointer, size_t).
 */
NODISCARD int work_query(struct check *check, sqlite3_stmt **out_statement,
			 const char *sql, const char *format, ...);
/* 1: a row; 0: the end. */
NODISCARD int work_step(struct check *check, sqlite3_stmt *statement);
/* For one that is used many times: back to its beginning, with other
 * parameters. */
NODISCARD int work_again(struct check *check, sqlite3_stmt *statement,
			 const char *format, ...);
/* Without result and told as a change: a repair. */
NODISCARD int work_repair(struct check *check, const char *sql,
			  const char *format, ...);
/* The same, silently: the log, or what follows from a repair that was told. */
NODISCARD int work_run(struct check *check, const char *sql, const char *format,
		       ...);
static inline void work_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
	*statement = NULL;
}
#define AUTO_STATEMENT __attribute__((cleanup(work_finalize)))

/* Column readers that believe nothing (F-56): false if the type or range is
 * wrong; *out is as near as can be then. */
NODISCARD bool work_u32(sqlite3_stmt *statement, int column, uint32_t *out);
NODISCARD bool work_int(sqlite3_stmt *statement, int column, int64_t *out);
/* Without NUL in it, and shorter than text_bytes. */
NODISCARD bool work_text(sqlite3_stmt *statement, int column, char *text,
			 size_t text_bytes);
/* NULL: it is no blob. */
const void *work_blob(sqlite3_stmt *statement, int column, size_t *out_bytes);

/* Of meta. -ENOENT: there is none, or it is no integer. */
NODISCARD int work_meta(struct check *check, const char *key, int64_t *out);
NODISCARD int work_meta_put(struct check *check, const char *key,
			    int64_t value);
