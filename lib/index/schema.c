/* The schema: the statements of schema.sql, which a test compares. */
#include "index_impl.h"

const struct schema_object schema_objects[] = {
	{ "base", "CREATE TABLE base(layer INTEGER PRIMARY KEY, name TEXT NOT "
		  "NULL, kind INTEGER NOT NULL, path TEXT NOT NULL, device "
		  "INTEGER NOT NULL, inode INTEGER NOT NULL, size_bytes "
		  "INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sample_hash "
		  "INTEGER NOT NULL, has_full_hash INTEGER NOT NULL, "
		  "full_hash INTEGER NOT NULL)" },
	{ "branches",
	  "CREATE TABLE branches(id INTEGER PRIMARY KEY, name TEXT "
	  "NOT NULL, line INTEGER NOT NULL, gen INTEGER NOT NULL, "
	  "state INTEGER NOT NULL, parent_snapshot INTEGER NOT NULL, "
	  "parent_branch INTEGER NOT NULL, created_ns INTEGER NOT "
	  "NULL, deleted_ns INTEGER NOT NULL, refer_blocks INTEGER "
	  "NOT NULL, written_blocks INTEGER NOT NULL, changed "
	  "INTEGER NOT NULL)" },
	{ "holds", "CREATE TABLE holds(snapshot INTEGER NOT NULL, tag TEXT "
		   "NOT NULL, created_ns INTEGER NOT NULL, PRIMARY "
		   "KEY(snapshot, tag)) WITHOUT ROWID" },
	{ "items", "CREATE TABLE items(id INTEGER PRIMARY KEY, key BLOB NOT "
		   "NULL, line INTEGER NOT NULL, gen INTEGER NOT NULL, value "
		   "BLOB NOT NULL)" },
	{ "items_by_key",
	  "CREATE UNIQUE INDEX items_by_key ON items(key, line, gen)" },
	{ "items_by_line", "CREATE INDEX items_by_line ON items(line, gen)" },
	{ "lines", "CREATE TABLE lines(id INTEGER PRIMARY KEY, parent INTEGER "
		   "NOT NULL, fork_gen INTEGER NOT NULL, first_gen INTEGER "
		   "NOT NULL)" },
	{ "meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT "
		  "ROWID" },
	{ "operations",
	  "CREATE TABLE operations(id INTEGER PRIMARY KEY, lsn "
	  "INTEGER NOT NULL, undone INTEGER NOT NULL, record BLOB "
	  "NOT NULL)" },
	{ "segments", "CREATE TABLE segments(id INTEGER PRIMARY KEY, sealed "
		      "INTEGER NOT NULL, used_blocks INTEGER NOT NULL, "
		      "metadata_blocks INTEGER NOT NULL, last_lsn INTEGER NOT "
		      "NULL, punch INTEGER NOT NULL, packed INTEGER NOT NULL, "
		      "live BLOB NOT NULL)" },
	{ "snapshots",
	  "CREATE TABLE snapshots(id INTEGER PRIMARY KEY, name TEXT "
	  "NOT NULL, branch INTEGER NOT NULL, line INTEGER NOT NULL, "
	  "gen INTEGER NOT NULL, state INTEGER NOT NULL, kind "
	  "INTEGER NOT NULL, created_ns INTEGER NOT NULL, deleted_ns "
	  "INTEGER NOT NULL, size_bytes INTEGER NOT NULL, "
	  "refer_blocks INTEGER NOT NULL, written_blocks INTEGER NOT "
	  "NULL, note TEXT NOT NULL)" },
	{ "windows", "CREATE TABLE windows(id INTEGER PRIMARY KEY, inode "
		     "INTEGER NOT NULL, window INTEGER NOT NULL, line INTEGER "
		     "NOT NULL, gen INTEGER NOT NULL, slots BLOB NOT NULL)" },
	{ "windows_by_key",
	  "CREATE UNIQUE INDEX windows_by_key ON windows(inode, "
	  "window, line, gen)" },
	{ "windows_by_line",
	  "CREATE INDEX windows_by_line ON windows(line, gen)" },
};

const size_t schema_object_count =
	sizeof(schema_objects) / sizeof(schema_objects[0]);
