/*
 * Damages the metadata of a store with checksums that are right, for cases of
 * cowd-fsck.
 *
 *   damage_items STORE list
 *   damage_items STORE inode NR FIELD VALUE    newest version: nlink, parent,
 *                                              mode
 *   damage_items STORE name DIRECTORY NAME NR KIND
 *   damage_items STORE absent NR TYPE [NAME]   at the newest version's place
 *   damage_items STORE delete NR TYPE [NAME]   all versions
 *   damage_items STORE orphan NR               as the newest inode's version
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "item_format.h"

static sqlite3 *db;
static uint64_t seed;

static int fail(const char *text)
{
	fprintf(stderr, "damage_items: %s: %s\n", text,
		db ? sqlite3_errmsg(db) : "");
	exit(1);
}

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail(sql);
	return statement;
}

static void finish(sqlite3_stmt *statement)
{
	if (sqlite3_step(statement) != SQLITE_DONE)
		fail("step");
	sqlite3_finalize(statement);
}

static void list(void)
{
	sqlite3_stmt *rows = prepare("SELECT key, line, gen, value FROM items "
				     "ORDER BY key, line, gen");

	while (sqlite3_step(rows) == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(rows, 0);
		const char *value = sqlite3_column_blob(rows, 3);
		size_t value_bytes = (size_t)sqlite3_column_bytes(rows, 3);
		struct dirent_item dirent;
		struct inode_item inode;
		struct item_key key;

		if (item_key_decode(bytes,
				    (size_t)sqlite3_column_bytes(rows, 0),
				    &key) < 0)
			continue;
		printf("%" PRIu64 " %d %.*s %d %d", key.inode, (int)key.type,
		       (int)key.name_bytes, key.name,
		       sqlite3_column_int(rows, 1),
		       sqlite3_column_int(rows, 2));
		if (item_value_absent(value_bytes))
			printf(" absent");
		else if (key.type == ITEM_TYPE_DIRENT &&
			 dirent_item_decode(value + 8, value_bytes - 8,
					    &dirent) == 0)
			printf(" -> %" PRIu64, dirent.inode);
		else if (key.type == ITEM_TYPE_INODE &&
			 inode_item_decode(value + 8, value_bytes - 8,
					   &inode) == 0)
			printf(" nlink %u parent %" PRIu64 " mode %o",
			       inode.nlink, inode.parent, inode.mode);
		printf("\n");
	}
	sqlite3_finalize(rows);
}

/* The newest version of the key: its line and generation, and its value. */
static size_t newest(const struct item_key *key, int *line, int *gen,
		     uint8_t *value)
{
	sqlite3_stmt *row = prepare("SELECT line, gen, value FROM items WHERE "
				    "key = ? ORDER BY line DESC, gen DESC");
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	size_t value_bytes;

	sqlite3_bind_blob(row, 1, bytes, (int)item_key_encode(key, bytes),
			  SQLITE_STATIC);
	if (sqlite3_step(row) != SQLITE_ROW)
		fail("there is no such item");
	*line = sqlite3_column_int(row, 0);
	*gen = sqlite3_column_int(row, 1);
	value_bytes = (size_t)sqlite3_column_bytes(row, 2);
	memcpy(value, sqlite3_column_blob(row, 2), value_bytes);
	sqlite3_finalize(row);
	return value_bytes;
}

static void put(const struct item_key *key, int line, int gen,
		const void *payload, size_t payload_bytes)
{
	sqlite3_stmt *row = prepare("INSERT OR REPLACE INTO items(key, line, "
				    "gen, value) VALUES(?, ?, ?, ?)");
	uint8_t bytes[ITEM_KEY_BYTES_MAX], value[ITEM_VALUE_BYTES_MAX];
	const struct item_identity identity = {
		.key = bytes,
		.key_bytes = item_key_encode(key, bytes),
		.line = (uint32_t)line,
		.gen = (uint32_t)gen,
	};

	sqlite3_bind_blob(row, 1, bytes, (int)identity.key_bytes,
			  SQLITE_STATIC);
	sqlite3_bind_int(row, 2, line);
	sqlite3_bind_int(row, 3, gen);
	sqlite3_bind_blob(row, 4, value,
			  (int)item_value_encode(seed, &identity, payload,
						 payload_bytes, value),
			  SQLITE_STATIC);
	finish(row);
}

static void change_inode(const struct item_key *key, const char *field,
			 uint64_t number)
{
	uint8_t value[ITEM_VALUE_BYTES_MAX], payload[INODE_ITEM_BYTES];
	struct inode_item item;
	int line, gen;
	size_t bytes = newest(key, &line, &gen, value);

	if (inode_item_decode(value + 8, bytes - 8, &item) < 0)
		fail("no inode");
	if (strcmp(field, "nlink") == 0)
		item.nlink = (uint32_t)number;
	else if (strcmp(field, "parent") == 0)
		item.parent = number;
	else
		item.mode = (uint32_t)number;
	put(key, line, gen, payload, inode_item_encode(&item, payload));
}

static void put_orphan(uint64_t inode)
{
	const struct item_key of = { .inode = inode, .type = ITEM_TYPE_INODE };
	char name[ITEM_ORPHAN_NAME_BYTES];
	const struct item_key key = { .type = ITEM_TYPE_ORPHAN,
				      .name = name,
				      .name_bytes = sizeof(name) };
	uint8_t value[ITEM_VALUE_BYTES_MAX];
	int line, gen, i;

	(void)newest(&of, &line, &gen, value);
	for (i = 0; i < 8; i++)
		name[i] = (char)(inode >> (56 - 8 * i));
	put(&key, line, gen, "\1", 1);
}

static void delete (const struct item_key *key)
{
	sqlite3_stmt *row = prepare("DELETE FROM items WHERE key = ?");
	uint8_t bytes[ITEM_KEY_BYTES_MAX];

	sqlite3_bind_blob(row, 1, bytes, (int)item_key_encode(key, bytes),
			  SQLITE_STATIC);
	finish(row);
}

static void run(int count, char **words)
{
	const char *what = words[0];
	uint64_t nr = count > 1 ? strtoull(words[1], NULL, 0) : 0;
	struct item_key key = { .inode = nr, .type = ITEM_TYPE_INODE };
	uint8_t value[ITEM_VALUE_BYTES_MAX];
	struct dirent_item dirent;
	int line, gen;

	if (strcmp(what, "list") == 0) {
		list();
	} else if (strcmp(what, "inode") == 0 && count == 4) {
		change_inode(&key, words[2], strtoull(words[3], NULL, 0));
	} else if (strcmp(what, "orphan") == 0 && count == 2) {
		put_orphan(nr);
	} else if (strcmp(what, "name") == 0 && count == 5) {
		(void)newest(&key, &line, &gen, value);
		key.type = ITEM_TYPE_DIRENT;
		key.name = words[2];
		key.name_bytes = strlen(words[2]);
		dirent.inode = strtoull(words[3], NULL, 0);
		dirent.kind = (uint8_t)strtoul(words[4], NULL, 0);
		put(&key, line, gen, value, dirent_item_encode(&dirent, value));
	} else if (count >= 3) {
		key.type = (enum item_type)strtoul(words[2], NULL, 0);
		key.name = count > 3 ? words[3] : NULL;
		key.name_bytes = count > 3 ? strlen(words[3]) : 0;
		(void)newest(&key, &line, &gen, value);
		if (strcmp(what, "absent") == 0)
			put(&key, line, gen, NULL, 0);
		else
			delete (&key);
	} else {
		fail("what?");
	}
}

int main(int argc, char **argv)
{
	sqlite3_stmt *row;
	char path[4096];

	if (argc < 3)
		return fail("what?");
	snprintf(path, sizeof(path), "%s/index.db", argv[1]);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK)
		return fail("no index");
	row = prepare("SELECT value FROM meta WHERE key = 'seed'");
	if (sqlite3_step(row) != SQLITE_ROW)
		fail("no seed");
	seed = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	run(argc - 2, argv + 2);
	sqlite3_close(db);
	return 0;
}
