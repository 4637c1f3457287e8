/* The index's insides: the connection and its prepared statements. */
#pragma once

#include <sqlite3.h>
#include <stdatomic.h>

#include "index.h"
#include "mutex.h"

/* One statement per SQL text; prepared at first use. */
enum statement {
	STATEMENT_META_PUT,
	STATEMENT_META_GET,
	STATEMENT_WINDOW_FIND,
	STATEMENT_WINDOW_PUT,
	STATEMENT_WINDOW_DELETE,
	STATEMENT_WINDOW_RELABEL,
	STATEMENT_WINDOW_NEXT,
	STATEMENT_WINDOW_PREVIOUS,
	STATEMENT_WINDOW_SCAN,
	STATEMENT_WINDOWS_OF_GEN,
	STATEMENT_WINDOWS_OF_LINE,
	STATEMENT_WINDOW_NUMBER,
	STATEMENT_ITEM_FIND,
	STATEMENT_ITEM_PUT,
	STATEMENT_ITEM_DELETE,
	STATEMENT_ITEM_RELABEL,
	STATEMENT_ITEM_NEXT,
	STATEMENT_ITEM_PREVIOUS,
	STATEMENT_ITEM_VERSION,
	STATEMENT_ITEM_SCAN,
	STATEMENT_ITEMS_OF_GEN,
	STATEMENT_ITEMS_OF_LINE,
	STATEMENT_LINES,
	STATEMENT_BRANCHES,
	STATEMENT_SNAPSHOTS,
	STATEMENT_HOLDS,
	STATEMENT_OPERATIONS,
	STATEMENT_LINE_PUT,
	STATEMENT_BRANCH_PUT,
	STATEMENT_SNAPSHOT_PUT,
	STATEMENT_HOLD_PUT,
	STATEMENT_OPERATION_PUT,
	STATEMENT_LINE_DELETE,
	STATEMENT_BRANCH_DELETE,
	STATEMENT_SNAPSHOT_DELETE,
	STATEMENT_SNAPSHOT_HOLDS_DELETE,
	STATEMENT_HOLD_DELETE,
	STATEMENT_OPERATIONS_TRIM,
	STATEMENT_SEGMENTS,
	STATEMENT_SEGMENT_PUT,
	STATEMENT_SEGMENT_DELETE,
	STATEMENT_BASE_PUT,
	STATEMENT_BASE_GET,
	STATEMENT_BASES,
	STATEMENT_BASE_DELETE,
	STATEMENT_COUNT,
};

/* The SQL of each; the tests look at their plans. */
extern const char *const sql_texts[STATEMENT_COUNT];

struct index {
	struct mutex lock;
	sqlite3 *connection;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	bool dirty; /* something was written since the last commit */
	int failed; /* what ended the transaction: nothing is written after */
	index_failed *on_failure; /* may be NULL */
	void *context;
	uint64_t commit_count; /* how often index.db may have changed */
	atomic_bool waits;     /* a commit is not on disk: there is no room */

	int database_fd, wal_fd; /* for room.c */
	atomic_uint_fast64_t pages, keep_bytes;
	struct mutex room_lock; /* a leaf */
	uint64_t wal_room_bytes;
	bool no_room_kept; /* the file system can't */
};

/* Every object of schema.sql, by name (as sqlite_schema is read). */
struct schema_object {
	const char *name;
	const char *sql;
};

extern const struct schema_object schema_objects[];
extern const size_t schema_object_count;

/* From now on nothing is written (I2 of index.c). */
void index_fail(struct index *index, int rc) REQUIRES(index->lock);
/* After an error: some roll the whole transaction back. If there was nothing
 * in it, it begins anew, and the error is that of one call. */
void index_look_after(struct index *index, int rc) REQUIRES(index->lock);

/* The errno of an SQLite code: 0 when done, 1 for a row. */
int sql_errno_of(sqlite3 *connection, int code);
/* As sql_errno_of; logs what is unexpected. */
int sql_errno(sqlite3 *connection, int code);
/* Executes plain SQL. */
NODISCARD int sql_exec(sqlite3 *connection, const char *sql);

/*
 * Binds and runs a statement, taking the lock. format has a letter for each
 * parameter: i (uint64_t or int64_t as 64 bits), s (text), b (const void *,
 * size_t). For statements without rows.
 */
NODISCARD int sql_run(struct index *index, enum statement statement,
		      const char *format, ...);

/* The same in parts, with the lock held by the caller: begin, then step
 * until 0 (a row: 1), then end. */
NODISCARD int sql_begin(struct index *index, enum statement statement,
			const char *format, ...) REQUIRES(index->lock);
NODISCARD int sql_step(struct index *index, enum statement statement)
	REQUIRES(index->lock);
void sql_end(struct index *index, enum statement statement)
	REQUIRES(index->lock);

/* Column readers that believe nothing: a wrong type sets *rc to -EUCLEAN. */
int64_t sql_int(struct index *index, enum statement statement, int column,
		int *rc);
uint32_t sql_u32(struct index *index, enum statement statement, int column,
		 int *rc);
void sql_text(struct index *index, enum statement statement, int column,
	      char *text, size_t text_bytes, int *rc);
const void *sql_blob(struct index *index, enum statement statement, int column,
		     size_t *out_bytes, int *rc);

/* --- versions of rows --- */

/* What a look-up is for. Its statement takes the key, then (line, gen), and
 * gives line and gen in columns 0 and 1. */
struct version_key {
	enum statement statement;
	uint64_t inode, window;
	const void *key; /* of an item */
	size_t key_bytes;
};

/* The version that a view with this path sees. On success the statement
 * stands on the row; it is to be ended in any case. -ENOENT. */
NODISCARD int version_find(struct index *index, const struct line_path *path,
			   const struct version_key *wanted, uint32_t *out_line,
			   uint32_t *out_gen) REQUIRES(index->lock);

/* The versions of a line with gen in [gen_begin, gen_end), at most so many.
 * The statements give gen and the row's id in columns 0 and 1. */
struct version_walk {
	enum statement of_gen, of_line;
	uint32_t line, gen_begin, gen_end;
	int most;
};

struct version_place {
	uint32_t line, gen;
	int nr; /* how many came before */
};

/* Reads the row that the statement stands on. */
typedef int version_reader(struct index *index, enum statement statement,
			   const struct version_place *place, void *context);

/* Takes the lock. Returns how many; cursor is in and out. */
NODISCARD int versions_of_line(struct index *index,
			       const struct version_walk *walk,
			       version_reader *read, void *context,
			       int64_t *cursor);

/* --- items --- */

/* A key or value of the row that a statement stands on; borrowed. Bounds are
 * checked: -EUCLEAN. */
NODISCARD int item_read_key(struct index *index, enum statement s, int column,
			    const uint8_t **out_key, size_t *out_key_bytes)
	REQUIRES(index->lock);
NODISCARD int item_read_value(struct index *index, enum statement s, int column,
			      const uint8_t **out_value,
			      size_t *out_value_bytes) REQUIRES(index->lock);

/* --- connections and their files --- */

enum {
	INDEX_APPLICATION_ID = 0x434f5744, /* "COWD" */
	INDEX_PATH_BYTES_MAX = 500, /* SQLite's own limit is 512, with "-wal" */
};

/* What each connection is told before it touches the file. */
extern const char *const connection_settings;
/* The directory resolved, and the name in it. */
NODISCARD int connection_path(const char *directory, const char *name,
			      char *path, struct failure *failure);
/* *out_connection is to be closed even after a failure. */
NODISCARD int connection_open(const char *path, sqlite3 **out_connection);
/* No trigger, view or extension runs, no schema is trusted or written. */
void connection_harden(sqlite3 *connection);
NODISCARD int connection_open_directory(const char *directory);
/* A new, empty file of ours. */
NODISCARD int connection_make_file(int dir_fd, const char *name);
NODISCARD int connection_sync_file(int dir_fd, const char *name);

/* After each commit, for index_keep_room(). */
void room_note_pages(struct index *index);

/* --- is it an index of ours? --- */

NODISCARD int index_check_files(const char *directory, struct failure *failure);
NODISCARD int index_check_header(const char *directory, sqlite3 *connection,
				 struct failure *failure);
NODISCARD int index_check_schema(const char *directory, sqlite3 *connection,
				 struct failure *failure);
/* What SQLite said about the file, as the user should hear it. */
int index_open_failure(const char *directory, sqlite3 *connection, int rc,
		       struct failure *failure);
