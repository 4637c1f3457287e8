/*
 * Changes to rows of the index, as somebody who knows the format makes them:
 * the checksums of windows and items are right again afterwards.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_assert.h"
#include "fuzz_seal.h"
#include "fuzz_store.h"

static const struct {
	const char *name, *row; /* the column that tells a row */
} tables[] = {
	{ "meta", "key" },     { "lines", "id" },  { "branches", "id" },
	{ "snapshots", "id" }, { "holds", "tag" }, { "operations", "id" },
	{ "windows", "id" },   { "items", "id" },  { "segments", "id" },
	{ "base", "layer" },
};
enum { TABLE_COUNT = sizeof(tables) / sizeof(tables[0]) };

static sqlite3_stmt *prepare(sqlite3 *db, char *sql)
{
	sqlite3_stmt *statement = NULL;

	FUZZ_ASSERT(sql);
	sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	sqlite3_free(sql);
	return statement;
}

/* NULL: there is none. */
static sqlite3_stmt *select_row(sqlite3 *db, const char *what, unsigned table,
				unsigned nr)
{
	const char *name = tables[table].name;
	sqlite3_stmt *statement = prepare(
		db, sqlite3_mprintf("SELECT %s FROM %s ORDER BY %s LIMIT 1 "
				    "OFFSET %u %% max(1, (SELECT count(*) "
				    "FROM %s))",
				    what, name, tables[table].row, nr, name));

	if (statement && sqlite3_step(statement) == SQLITE_ROW)
		return statement;
	sqlite3_finalize(statement);
	return NULL;
}

static void update(sqlite3 *db, const char *table, const char *column,
		   const char *by, sqlite3_value *row, sqlite3_value *value)
{
	sqlite3_stmt *statement =
		prepare(db, sqlite3_mprintf("UPDATE %s SET %s = ? WHERE %s = ?",
					    table, column, by));

	if (!statement)
		return;
	sqlite3_bind_value(statement, 1, value);
	sqlite3_bind_value(statement, 2, row);
	sqlite3_step(statement);
	sqlite3_finalize(statement);
}

/* The same with a value as the row of a SELECT. */
static void update_blob(sqlite3 *db, const char *table, const char *column,
			const char *by, sqlite3_value *row, const void *bytes,
			size_t len_bytes)
{
	sqlite3_stmt *one = prepare(db, sqlite3_mprintf("SELECT ?"));

	if (!one)
		return;
	sqlite3_bind_blob(one, 1, bytes, (int)len_bytes, SQLITE_TRANSIENT);
	if (sqlite3_step(one) == SQLITE_ROW)
		update(db, table, column, by, row,
		       sqlite3_column_value(one, 0));
	sqlite3_finalize(one);
}

/* A number, a text or NULL. */
static void update_plain(sqlite3 *db, const char *table, const char *column,
			 const char *by, sqlite3_value *row, uint64_t value,
			 unsigned width)
{
	char *text =
		width == 1 ? sqlite3_mprintf("SELECT NULL") :
		width == 2 ? sqlite3_mprintf("SELECT 'text %llu'",
					     (unsigned long long)value) :
			     sqlite3_mprintf("SELECT %lld", (long long)value);
	sqlite3_stmt *one = prepare(db, text);

	if (one && sqlite3_step(one) == SQLITE_ROW)
		update(db, table, column, by, row,
		       sqlite3_column_value(one, 0));
	sqlite3_finalize(one);
}

static void seal_window(const struct fuzz_store *store, sqlite3 *db,
			unsigned table, unsigned nr)
{
	sqlite3_stmt *row = select_row(
		db, "id, inode, window, line, gen, slots", table, nr);
	uint8_t slots[WINDOW_ROW_BYTES_MAX];
	struct window_key key;
	int len_bytes = row ? sqlite3_column_bytes(row, 5) : 0;

	if (len_bytes >= WINDOW_HEADER_BYTES &&
	    (size_t)len_bytes <= sizeof(slots)) {
		key = (struct window_key){
			.inode = (uint64_t)sqlite3_column_int64(row, 1),
			.window = (uint64_t)sqlite3_column_int64(row, 2),
			.line = (uint32_t)sqlite3_column_int64(row, 3),
			.gen = (uint32_t)sqlite3_column_int64(row, 4),
		};
		memcpy(slots, sqlite3_column_blob(row, 5), (size_t)len_bytes);
		seal_window_row(store->seed, &key, slots, (size_t)len_bytes);
		update_blob(db, "windows", "slots", "id",
			    sqlite3_column_value(row, 0), slots,
			    (size_t)len_bytes);
	}
	sqlite3_finalize(row);
}

static void seal_item(const struct fuzz_store *store, sqlite3 *db,
		      unsigned table, unsigned nr)
{
	static uint8_t value[ITEM_VALUE_BYTES_MAX];
	sqlite3_stmt *row =
		select_row(db, "id, key, line, gen, value", table, nr);
	uint8_t key[ITEM_KEY_BYTES_MAX];
	int key_bytes = row ? sqlite3_column_bytes(row, 1) : 0;
	int len_bytes = row ? sqlite3_column_bytes(row, 4) : 0;
	struct item_identity identity = { .key = key };

	if (key_bytes > 0 && (size_t)key_bytes <= sizeof(key) &&
	    len_bytes >= ITEM_CHECKSUM_BYTES &&
	    (size_t)len_bytes <= sizeof(value)) {
		memcpy(key, sqlite3_column_blob(row, 1), (size_t)key_bytes);
		identity.key_bytes = (size_t)key_bytes;
		identity.line = (uint32_t)sqlite3_column_int64(row, 2);
		identity.gen = (uint32_t)sqlite3_column_int64(row, 3);
		memcpy(value, sqlite3_column_blob(row, 4), (size_t)len_bytes);
		seal_item_value(store->seed, &identity, value,
				(size_t)len_bytes);
		update_blob(db, "items", "value", "id",
			    sqlite3_column_value(row, 0), value,
			    (size_t)len_bytes);
	}
	sqlite3_finalize(row);
}

/* width 1: NULL; 2: a text; more: a number, which in a blob is put at `at`. */
static void set_column(sqlite3 *db, unsigned table, unsigned nr,
		       unsigned column, unsigned at, uint64_t value,
		       unsigned width)
{
	static uint8_t bytes[ITEM_VALUE_BYTES_MAX + sizeof(value)];
	const char *by = tables[table].row, *name = tables[table].name;
	char *what = sqlite3_mprintf("%s, *", by);
	sqlite3_stmt *row = select_row(db, what, table, nr);
	const char *column_name;
	size_t len_bytes;

	sqlite3_free(what);
	if (!row)
		return;
	column = 1 + column % ((unsigned)sqlite3_column_count(row) - 1);
	column_name = sqlite3_column_name(row, (int)column);
	len_bytes = (size_t)sqlite3_column_bytes(row, (int)column);
	if (sqlite3_column_type(row, (int)column) == SQLITE_BLOB &&
	    len_bytes > 0 && len_bytes <= ITEM_VALUE_BYTES_MAX) {
		memcpy(bytes, sqlite3_column_blob(row, (int)column), len_bytes);
		memcpy(bytes + at % len_bytes, &value, width);
		update_blob(db, name, column_name, by,
			    sqlite3_column_value(row, 0), bytes, len_bytes);
	} else {
		update_plain(db, name, column_name, by,
			     sqlite3_column_value(row, 0), value, width);
	}
	sqlite3_finalize(row);
}

/* Or there is another row like it. */
static void double_row(sqlite3 *db, unsigned table, unsigned nr, uint64_t value)
{
	static const char *const rest[TABLE_COUNT] = {
		[1] = "parent, fork_gen, first_gen",
		[2] = "name, line, gen, state, parent_snapshot, parent_branch, "
		      "created_ns, deleted_ns, refer_blocks, written_blocks, "
		      "changed",
		[3] = "name, branch, line, gen, state, kind, created_ns, "
		      "deleted_ns, size_bytes, refer_blocks, written_blocks, "
		      "note",
		[5] = "lsn, undone, record",
		[8] = "sealed, used_blocks, metadata_blocks, last_lsn, punch, "
		      "packed, live",
	};
	sqlite3_stmt *statement;

	if (!rest[table])
		return;
	statement = prepare(
		db, sqlite3_mprintf("INSERT OR REPLACE INTO %s SELECT %lld, %s "
				    "FROM %s ORDER BY id LIMIT 1 OFFSET %u",
				    tables[table].name, (long long)value,
				    rest[table], tables[table].name, nr));
	if (statement)
		sqlite3_step(statement);
	sqlite3_finalize(statement);
}

void fuzz_store_change_row(const struct fuzz_store *store, unsigned table,
			   uint32_t where, uint64_t value, unsigned width)
{
	char path[128];
	sqlite3 *db = NULL;
	unsigned nr = where & 0xff;
	bool doubles = table & 0x80;

	table %= TABLE_COUNT;
	snprintf(path, sizeof(path), "%s/index.db", store->path);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) ==
	    SQLITE_OK) {
		sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL,
			     NULL);
		if (doubles)
			double_row(db, table, nr, value);
		else
			set_column(db, table, nr, where >> 8 & 0xf, where >> 12,
				   value, width);
		if (strcmp(tables[table].name, "windows") == 0)
			seal_window(store, db, table, nr);
		if (strcmp(tables[table].name, "items") == 0)
			seal_item(store, db, table, nr);
	}
	sqlite3_close(db);
}
