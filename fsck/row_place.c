/*
 * A path is put together from the newest names that the index has, whatever
 * line they are of: it tells a user which file is meant, no more.
 */
#include "row_place.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "item_format.h"
#include "stored.h"

enum { DEPTH_MAX = 64 };

static bool parent_of(struct queries *queries, uint64_t inode,
		      uint64_t *out_parent)
{
	uint8_t key[ITEM_PREFIX_BYTES];
	struct inode_item item;
	sqlite3_stmt *row;
	bool found = false;
	int rc;

	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	rc = query_begin(queries, &row,
			 "SELECT value FROM items WHERE key = ?"
			 " AND length(value) > 8"
			 " ORDER BY line DESC, gen DESC LIMIT 1",
			 "b", key, sizeof(key));
	if (rc == 1) {
		const uint8_t *value = sqlite3_column_blob(row, 0);
		int bytes = sqlite3_column_bytes(row, 0);

		found = inode_item_decode(value + ITEM_CHECKSUM_BYTES,
					  (size_t)bytes - ITEM_CHECKSUM_BYTES,
					  &item) == 0;
		query_end(row);
	}
	if (found)
		*out_parent = item.parent;
	return found;
}

/* The name of an inode in a directory. */
static bool name_in(struct queries *queries, uint64_t directory, uint64_t inode,
		    char *name)
{
	uint8_t from[ITEM_PREFIX_BYTES], to[ITEM_PREFIX_BYTES];
	bool found = false;
	sqlite3_stmt *row;
	int rc;

	item_key_prefix(directory, ITEM_TYPE_DIRENT, from);
	item_key_prefix(directory, ITEM_TYPE_XATTR, to);
	rc = query_begin(queries, &row,
			 "SELECT key, value FROM items WHERE key > ?"
			 " AND key < ?",
			 "bb", from, sizeof(from), to, sizeof(to));
	while (rc == 1 && !found) {
		const uint8_t *value = sqlite3_column_blob(row, 1);
		int bytes = sqlite3_column_bytes(row, 1);
		struct dirent_item dirent;
		struct item_key key;

		if (bytes > ITEM_CHECKSUM_BYTES &&
		    dirent_item_decode(value + ITEM_CHECKSUM_BYTES,
				       (size_t)bytes - ITEM_CHECKSUM_BYTES,
				       &dirent) == 0 &&
		    dirent.inode == inode &&
		    item_key_decode(sqlite3_column_blob(row, 0),
				    (size_t)sqlite3_column_bytes(row, 0),
				    &key) == 0) {
			memcpy(name, key.name, key.name_bytes);
			name[key.name_bytes] = '\0';
			found = true;
			query_end(row);
		} else {
			rc = query_next(row);
		}
	}
	return found;
}

/* By its ORIGIN: where base has it. */
static bool name_in_base(struct queries *queries, uint64_t inode,
			 uint64_t *out_parent, char *name)
{
	uint8_t key[ITEM_PREFIX_BYTES];
	struct origin_item origin;
	sqlite3_stmt *row;
	bool found = false;
	int rc;

	item_key_prefix(inode, ITEM_TYPE_ORIGIN, key);
	rc = query_begin(queries, &row, "SELECT value FROM items WHERE key = ?",
			 "b", key, sizeof(key));
	if (rc != 1)
		return false;
	if (sqlite3_column_bytes(row, 0) > ITEM_CHECKSUM_BYTES &&
	    origin_item_decode((const uint8_t *)sqlite3_column_blob(row, 0) +
				       ITEM_CHECKSUM_BYTES,
			       (size_t)sqlite3_column_bytes(row, 0) -
				       ITEM_CHECKSUM_BYTES,
			       &origin) == 0) {
		memcpy(name, origin.name, origin.name_bytes);
		name[origin.name_bytes] = '\0';
		*out_parent = origin.parent;
		found = true;
	}
	query_end(row);
	return found;
}

static void find_path(struct queries *queries, uint64_t inode, char *path,
		      size_t path_bytes)
{
	char name[ITEM_NAME_BYTES_MAX + 1];
	size_t at = path_bytes - 1;
	int depth;

	path[at] = '\0';
	for (depth = 0; inode != 1 && depth < DEPTH_MAX; depth++) {
		uint64_t parent = 1;
		size_t len;

		if ((!parent_of(queries, inode, &parent) ||
		     !name_in(queries, parent ? parent : 1, inode, name)) &&
		    !name_in_base(queries, inode, &parent, name))
			break;
		len = strlen(name);
		if (len + 1 > at)
			break;
		at -= len;
		memcpy(path + at, name, len);
		path[--at] = '/';
		inode = parent ? parent : 1;
	}
	memmove(path, path + at, path_bytes - at);
}

/* A snapshot of the line that sees this very version, or the head. */
static bool name_view(struct check *check, const struct window_key *key,
		      struct problem_where *where)
{
	const struct past *past = &check->past;
	uint32_t next = UINT32_MAX;
	sqlite3_stmt *row;
	size_t i;
	int rc = query_begin(&check->stored->queries, &row,
			     "SELECT gen FROM windows WHERE inode = ?"
			     " AND window = ? AND line = ? AND gen > ?"
			     " ORDER BY gen LIMIT 1",
			     "iiii", (int64_t)key->inode, (int64_t)key->window,
			     (int64_t)key->line, (int64_t)key->gen);

	if (rc == 1) {
		next = query_u32(row, 0);
		query_end(row);
	}
	for (i = 0; next != UINT32_MAX && i < past->snapshot_count; i++) {
		const struct past_snapshot *snapshot = &past->snapshots[i];
		const struct past_branch *branch;

		if (snapshot->line != key->line || snapshot->gen < key->gen ||
		    snapshot->gen >= next)
			continue;
		branch = past_find_branch(past, snapshot->branch);
		where->branch = branch ? branch->name : NULL;
		where->snapshot = snapshot->name;
		return true;
	}
	return past_name_view(past, key->line, key->gen, where);
}

void row_place(struct check *check, const struct window_key *key, int block,
	       struct row_place *out)
{
	memset(out, 0, sizeof(*out));
	out->where.inode = key->inode;
	out->where.has_offset = true;
	out->where.offset_bytes = (key->window * WINDOW_BLOCKS +
				   (block < 0 ? 0U : (unsigned)block)) *
				  FORMAT_BLOCK_BYTES;
	if (!name_view(check, key, &out->where)) {
		out->where.line = key->line;
		out->where.gen = key->gen;
	}
	find_path(&check->stored->queries, key->inode, out->path,
		  sizeof(out->path));
	if (out->path[0])
		out->where.path = out->path;
}
