/* Statements, and the one place where SQLite's codes become errno. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "index_impl.h"
#include "logging.h"

const char *const sql_texts[STATEMENT_COUNT] = {
	[STATEMENT_META_PUT] = "INSERT OR REPLACE INTO meta VALUES(?, ?)",
	[STATEMENT_META_GET] = "SELECT value FROM meta WHERE key = ?",
	[STATEMENT_WINDOW_FIND] =
		"SELECT line, gen, slots FROM windows WHERE inode = ? AND "
		"window = ? AND (line, gen) <= (?, ?) "
		"ORDER BY line DESC, gen DESC LIMIT 1",
	[STATEMENT_WINDOW_PUT] =
		"INSERT INTO windows(inode, window, line, gen, slots) "
		"VALUES(?, ?, ?, ?, ?) ON CONFLICT(inode, window, line, gen) "
		"DO UPDATE SET slots = excluded.slots",
	[STATEMENT_WINDOW_DELETE] =
		"DELETE FROM windows WHERE inode = ? AND window = ? AND "
		"line = ? AND gen = ?",
	[STATEMENT_WINDOW_RELABEL] =
		"UPDATE windows SET line = ?, slots = ? WHERE inode = ? AND "
		"window = ? AND line = ? AND gen = ?",
	[STATEMENT_WINDOW_NEXT] =
		"SELECT line, gen, slots FROM windows WHERE inode = ? AND "
		"window = ? AND line = ? AND gen >= ? ORDER BY gen LIMIT 1",
	[STATEMENT_WINDOW_PREVIOUS] =
		"SELECT line, gen, slots FROM windows WHERE inode = ? AND "
		"window = ? AND line = ? AND gen <= ? "
		"ORDER BY gen DESC LIMIT 1",
	[STATEMENT_WINDOW_SCAN] =
		"SELECT inode, window, line, gen, slots FROM windows WHERE "
		"(inode, window, line, gen) > (?, ?, ?, ?) "
		"ORDER BY inode, window, line, gen LIMIT 1",
	[STATEMENT_WINDOWS_OF_GEN] =
		"SELECT gen, id, inode, window FROM windows INDEXED BY "
		"windows_by_line WHERE line = ? AND gen = ? AND id > ? "
		"ORDER BY id LIMIT ?",
	[STATEMENT_WINDOWS_OF_LINE] =
		"SELECT gen, id, inode, window FROM windows INDEXED BY "
		"windows_by_line WHERE line = ? AND gen > ? AND gen < ? "
		"ORDER BY gen, id LIMIT ?",
	[STATEMENT_WINDOW_NUMBER] =
		"SELECT window FROM windows WHERE inode = ? AND window >= ? "
		"ORDER BY window LIMIT 1",
	[STATEMENT_ITEM_FIND] =
		"SELECT line, gen, value FROM items WHERE key = ? AND "
		"(line, gen) <= (?, ?) ORDER BY line DESC, gen DESC LIMIT 1",
	[STATEMENT_ITEM_PUT] =
		"INSERT INTO items(key, line, gen, value) VALUES(?, ?, ?, ?) "
		"ON CONFLICT(key, line, gen) "
		"DO UPDATE SET value = excluded.value",
	[STATEMENT_ITEM_DELETE] =
		"DELETE FROM items WHERE key = ? AND line = ? AND gen = ?",
	[STATEMENT_ITEM_RELABEL] =
		"UPDATE items SET line = ?, value = ? WHERE key = ? AND "
		"line = ? AND gen = ?",
	[STATEMENT_ITEM_NEXT] =
		"SELECT line, gen, value FROM items WHERE key = ? AND "
		"line = ? AND gen >= ? ORDER BY gen LIMIT 1",
	[STATEMENT_ITEM_PREVIOUS] =
		"SELECT line, gen, value FROM items WHERE key = ? AND "
		"line = ? AND gen <= ? ORDER BY gen DESC LIMIT 1",
	[STATEMENT_ITEM_VERSION] =
		"SELECT line, gen, value FROM items WHERE key = ? AND "
		"(line, gen) > (?, ?) ORDER BY line, gen LIMIT 1",
	[STATEMENT_ITEM_SCAN] =
		"SELECT key, line, gen, value FROM items WHERE key >= ? "
		"ORDER BY key, line, gen",
	[STATEMENT_ITEMS_OF_GEN] =
		"SELECT gen, id, key FROM items INDEXED BY items_by_line "
		"WHERE line = ? AND gen = ? AND id > ? ORDER BY id LIMIT ?",
	[STATEMENT_ITEMS_OF_LINE] =
		"SELECT gen, id, key FROM items INDEXED BY items_by_line "
		"WHERE line = ? AND gen > ? AND gen < ? "
		"ORDER BY gen, id LIMIT ?",
	[STATEMENT_LINES] =
		"SELECT id, parent, fork_gen, first_gen FROM lines ORDER BY id",
	[STATEMENT_BRANCHES] =
		"SELECT id, name, line, gen, state, parent_snapshot, "
		"parent_branch, created_ns, deleted_ns, refer_blocks, "
		"written_blocks, changed FROM branches ORDER BY id",
	[STATEMENT_SNAPSHOTS] =
		"SELECT id, name, branch, line, gen, state, kind, created_ns, "
		"deleted_ns, size_bytes, refer_blocks, written_blocks, note "
		"FROM snapshots ORDER BY id",
	[STATEMENT_HOLDS] = "SELECT snapshot, tag, created_ns FROM holds "
			    "ORDER BY snapshot, tag",
	[STATEMENT_OPERATIONS] = "SELECT id, lsn, undone, record FROM "
				 "operations ORDER BY id DESC LIMIT ?",
	[STATEMENT_LINE_PUT] = "INSERT OR REPLACE INTO lines VALUES(?,?,?,?)",
	[STATEMENT_BRANCH_PUT] = "INSERT OR REPLACE INTO branches "
				 "VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
	[STATEMENT_SNAPSHOT_PUT] = "INSERT OR REPLACE INTO snapshots "
				   "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[STATEMENT_HOLD_PUT] = "INSERT OR REPLACE INTO holds VALUES(?,?,?)",
	[STATEMENT_OPERATION_PUT] =
		"INSERT OR REPLACE INTO operations VALUES(?,?,?,?)",
	[STATEMENT_LINE_DELETE] = "DELETE FROM lines WHERE id = ?",
	[STATEMENT_BRANCH_DELETE] = "DELETE FROM branches WHERE id = ?",
	[STATEMENT_SNAPSHOT_DELETE] = "DELETE FROM snapshots WHERE id = ?",
	[STATEMENT_SNAPSHOT_HOLDS_DELETE] =
		"DELETE FROM holds WHERE snapshot = ?",
	[STATEMENT_HOLD_DELETE] =
		"DELETE FROM holds WHERE snapshot = ? AND tag = ?",
	[STATEMENT_OPERATIONS_TRIM] = "DELETE FROM operations WHERE id <= ?",
	[STATEMENT_SEGMENTS] = "SELECT id, sealed, used_blocks, "
			       "metadata_blocks, last_lsn, punch, packed, "
			       "live FROM segments ORDER BY id",
	[STATEMENT_SEGMENT_PUT] =
		"INSERT OR REPLACE INTO segments VALUES(?,?,?,?,?,?,?,?)",
	[STATEMENT_SEGMENT_DELETE] = "DELETE FROM segments WHERE id = ?",
	[STATEMENT_BASE_PUT] =
		"INSERT OR REPLACE INTO base VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[STATEMENT_BASE_GET] =
		"SELECT layer, name, kind, path, device, inode, size_bytes, "
		"mtime_ns, sample_hash, has_full_hash, full_hash FROM base "
		"WHERE layer = ?",
	[STATEMENT_BASES] =
		"SELECT layer, name, kind, path, device, inode, size_bytes, "
		"mtime_ns, sample_hash, has_full_hash, full_hash FROM base "
		"ORDER BY layer",
	[STATEMENT_BASE_DELETE] = "DELETE FROM base WHERE layer = ?",
};

int sql_errno_of(sqlite3 *connection, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return 0;
	case SQLITE_ROW:
		return 1;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		if (connection && sqlite3_system_errno(connection) == ENOSPC)
			return -ENOSPC;
		return -EIO;
	}
}

int sql_errno(sqlite3 *connection, int code)
{
	int rc = sql_errno_of(connection, code);

	if (rc < 0 && rc != -EEXIST && rc != -EBUSY)
		log_message(LOG_LEVEL_ERROR, "index: %s (%s)",
			    connection ? sqlite3_errmsg(connection) : "open",
			    sqlite3_errstr(code));
	return rc;
}

int sql_exec(sqlite3 *connection, const char *sql)
{
	return sql_errno(connection,
			 sqlite3_exec(connection, sql, NULL, NULL, NULL));
}

static int bind_all(sqlite3_stmt *prepared, const char *format,
		    va_list arguments)
{
	int column = 1, code = SQLITE_OK;

	for (; *format && code == SQLITE_OK; format++, column++) {
		if (*format == 'i') {
			code = sqlite3_bind_int64(prepared, column,
						  va_arg(arguments, int64_t));
		} else if (*format == 's') {
			code = sqlite3_bind_text(prepared, column,
						 va_arg(arguments, char *), -1,
						 SQLITE_STATIC);
		} else {
			const void *data = va_arg(arguments, void *);

			/* NULL would be stored as NULL, not as empty. */
			code = sqlite3_bind_blob64(prepared, column,
						   data ? data : "",
						   va_arg(arguments, size_t),
						   SQLITE_STATIC);
		}
	}
	return code;
}

static int begin_list(struct index *index, enum statement statement,
		      const char *format, va_list arguments)
	REQUIRES(index->lock)
{
	sqlite3_stmt **prepared = &index->statements[statement];
	int code = SQLITE_OK;

	if (!*prepared)
		code = sqlite3_prepare_v3(index->connection,
					  sql_texts[statement], -1,
					  SQLITE_PREPARE_PERSISTENT, prepared,
					  NULL);
	if (code == SQLITE_OK && index->failed &&
	    !sqlite3_stmt_readonly(*prepared))
		return index->failed;
	/* Rows that memory knows to be saved went with the transaction: what
	 * is left would pass for the newest (I4 of index.c). */
	if (code == SQLITE_OK && index->failed &&
	    sqlite3_get_autocommit(index->connection))
		return -EIO;
	if (code == SQLITE_OK && !sqlite3_stmt_readonly(*prepared))
		index->dirty = true;
	if (code == SQLITE_OK)
		code = bind_all(*prepared, format, arguments);
	return sql_errno(index->connection, code);
}

int sql_begin(struct index *index, enum statement statement, const char *format,
	      ...)
{
	va_list arguments;
	int rc;

	va_start(arguments, format);
	rc = begin_list(index, statement, format, arguments);
	va_end(arguments);
	return rc;
}

int sql_step(struct index *index, enum statement statement)
{
	int rc = sql_errno(index->connection,
			   sqlite3_step(index->statements[statement]));

	if (rc < 0)
		index_look_after(index, rc);
	return rc;
}

void sql_end(struct index *index, enum statement statement)
{
	if (!index->statements[statement])
		return;
	sqlite3_reset(index->statements[statement]);
	sqlite3_clear_bindings(index->statements[statement]);
}

int sql_run(struct index *index, enum statement statement, const char *format,
	    ...)
{
	va_list arguments;
	int rc;

	va_start(arguments, format);
	mutex_lock(&index->lock);
	rc = begin_list(index, statement, format, arguments);
	if (rc == 0)
		rc = sql_step(index, statement);
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	va_end(arguments);
	return rc > 0 ? 0 : rc;
}

int64_t sql_int(struct index *index, enum statement statement, int column,
		int *rc)
{
	sqlite3_stmt *prepared = index->statements[statement];

	if (sqlite3_column_type(prepared, column) != SQLITE_INTEGER)
		*rc = -EUCLEAN;
	return sqlite3_column_int64(prepared, column);
}

uint32_t sql_u32(struct index *index, enum statement statement, int column,
		 int *rc)
{
	int64_t value = sql_int(index, statement, column, rc);

	if (value < 0 || value > UINT32_MAX)
		*rc = -EUCLEAN; /* F-56 */
	return (uint32_t)value;
}

void sql_text(struct index *index, enum statement statement, int column,
	      char *text, size_t text_bytes, int *rc)
{
	sqlite3_stmt *prepared = index->statements[statement];
	/* The type first: the other calls convert, and change it. */
	bool is_text = sqlite3_column_type(prepared, column) == SQLITE_TEXT;
	const unsigned char *value = sqlite3_column_text(prepared, column);
	size_t len_bytes = (size_t)sqlite3_column_bytes(prepared, column);

	text[0] = '\0';
	if (!is_text || !value || len_bytes >= text_bytes ||
	    memchr(value, 0, len_bytes)) {
		*rc = -EUCLEAN; /* F-56 */
		return;
	}
	memcpy(text, value, len_bytes);
	text[len_bytes] = '\0';
}

const void *sql_blob(struct index *index, enum statement statement, int column,
		     size_t *out_bytes, int *rc)
{
	sqlite3_stmt *prepared = index->statements[statement];

	*out_bytes = 0;
	if (sqlite3_column_type(prepared, column) != SQLITE_BLOB) {
		*rc = -EUCLEAN;
		return NULL;
	}
	*out_bytes = (size_t)sqlite3_column_bytes(prepared, column);
	return sqlite3_column_blob(prepared, column);
}
