/*
 * Items while records are applied: batches, and the one inode whose item
 * changes with what is written to it.
 *
 * I1: a version that nobody but the head saw goes when a newer one comes, and
 *     an absent one is a row only if it hides an older one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply_impl.h"

struct key {
	const uint8_t *bytes;
	size_t count;
	uint32_t line, gen;
};

/* The newest row that the path sees, as find_row of windows. 0: none. Its
 * value is in apply->value. A row with numbers that are none is none. */
static int find_row(struct apply *apply, const struct apply_level *path,
		    size_t count, struct key *key, size_t *out_bytes)
{
	uint32_t line = UINT32_MAX, gen = UINT32_MAX;
	const struct apply_level *level;
	sqlite3_stmt *row;
	int rc;

	for (;;) {
		rc = query_begin(
			apply->queries, &row,
			"SELECT line, gen, value FROM items"
			" WHERE key = ? AND (line, gen) <= (?, ?)"
			" AND line >= 0 AND gen BETWEEN 0 AND "
			"4294967295 ORDER BY line DESC, gen DESC LIMIT 1",
			"bii", key->bytes, key->count, (int64_t)line,
			(int64_t)gen);
		if (rc <= 0)
			return rc;
		line = query_u32(row, 0);
		gen = query_u32(row, 1);
		level = apply_level_at(path, count, line);
		if (level && level->line == line && gen <= level->gen)
			break;
		query_end(row);
		if (!level)
			return 0;
		line = level->line;
		gen = level->gen;
	}
	key->line = line;
	key->gen = gen;
	*out_bytes = (size_t)sqlite3_column_bytes(row, 2);
	if (*out_bytes <= sizeof(apply->value))
		memcpy(apply->value, sqlite3_column_blob(row, 2), *out_bytes);
	query_end(row);
	return 1;
}

int apply_row_of_item(struct apply *apply, struct item_identity *identity,
		      uint8_t *value, size_t *out_bytes)
{
	struct key key = { identity->key, identity->key_bytes, 0, 0 };
	struct apply_level fact = { 0, 0 }, *path = NULL;
	size_t count = 0, capacity = 0;
	int rc = 0;

	if (identity->line)
		rc = apply_path(apply, identity->line, identity->gen, &path,
				&count, &capacity);
	if (rc == 0)
		rc = find_row(apply, identity->line ? path : &fact,
			      identity->line ? count : 1, &key, out_bytes);
	else if (rc == 1)
		rc = 0;
	free(path);
	if (rc == 1 && *out_bytes > ITEM_VALUE_BYTES_MAX)
		rc = 0;
	if (rc == 1)
		memcpy(value, apply->value, *out_bytes);
	identity->line = key.line;
	identity->gen = key.gen;
	return rc;
}

int apply_inode_get(struct apply *apply, uint64_t inode)
{
	uint8_t bytes[ITEM_PREFIX_BYTES];
	struct key key = { bytes, sizeof(bytes), 0, 0 };
	struct item_identity identity = { bytes, sizeof(bytes), 0, 0 };
	struct apply_inode *live = &apply->inode;
	size_t len = 0;
	int rc;

	if (live->valid && live->inode == inode &&
	    live->head_line == apply->target.line)
		return 0;
	rc = apply_inode_flush(apply);
	if (rc < 0)
		return rc;
	live->valid = false;
	item_key_prefix(inode, ITEM_TYPE_INODE, bytes);
	rc = find_row(apply, apply->target.path, apply->target.path_count, &key,
		      &len);
	if (rc <= 0)
		return rc < 0 ? rc : 1;
	identity.line = key.line;
	identity.gen = key.gen;
	if (len > sizeof(apply->value) || item_value_absent(len) ||
	    item_value_verify(apply->seed, &identity, apply->value, len) < 0 ||
	    inode_item_decode(apply->value + ITEM_CHECKSUM_BYTES,
			      len - ITEM_CHECKSUM_BYTES, &live->item) < 0)
		return 1;
	live->valid = true;
	live->dirty = false;
	live->head_line = apply->target.line;
	live->inode = inode;
	live->line = key.line;
	live->gen = key.gen;
	return 0;
}

void apply_inode_touch(struct apply *apply, bool times)
{
	struct apply_inode *live = &apply->inode;
	const struct apply_target *target = &apply->target;

	if (live->line != target->line || live->gen <= target->last_point) {
		live->line = target->line;
		live->gen = target->gen;
	}
	live->dirty = true;
	if (times && !apply->is_tree)
		live->item.mtime_ns = live->item.ctime_ns = apply->now_ns;
	if (target->branch) {
		target->branch->changed = true;
		target->branch->dirty = true;
	}
}

static int hides(struct apply *apply, const struct key *key, bool *out_hides)
{
	struct apply_level *path = NULL;
	struct key older = *key;
	size_t count = 0, capacity = 0, bytes = 0;
	int rc = apply_path(apply, key->line, key->gen - 1, &path, &count,
			    &capacity);

	if (rc == 0)
		rc = find_row(apply, path, count, &older, &bytes);
	else if (rc == 1)
		rc = 0;
	free(path);
	*out_hides = rc == 1 && !item_value_absent(bytes);
	return rc < 0 ? rc : 0;
}

static int put_row(struct apply *apply, const struct key *key,
		   const void *payload, size_t payload_bytes)
{
	const struct item_identity identity = { key->bytes, key->count,
						key->line, key->gen };
	size_t bytes = item_value_encode(apply->seed, &identity, payload,
					 payload_bytes, apply->value);

	return query_run(apply->queries,
			 "INSERT INTO items(key, line, gen, value)"
			 " VALUES(?, ?, ?, ?) ON CONFLICT(key, line, gen)"
			 " DO UPDATE SET value = excluded.value",
			 "biib", key->bytes, key->count, (int64_t)key->line,
			 (int64_t)key->gen, apply->value, bytes);
}

/* The newest generation of the line before gen that others may see. */
static int drop_replaced(struct apply *apply, const struct key *key)
{
	return query_run(apply->queries,
			 "DELETE FROM items WHERE key = ? AND line = ?"
			 " AND gen < ? AND gen > ?",
			 "biii", key->bytes, key->count, (int64_t)key->line,
			 (int64_t)key->gen, (int64_t)apply->target.last_point);
}

/* Of the target; line 0: a fact. */
static int put_item(struct apply *apply, const struct key *key,
		    const void *payload, size_t payload_bytes)
{
	bool needed = payload_bytes > 0;
	int rc = 0;

	if (key->line)
		rc = drop_replaced(apply, key); /* I1 */
	if (rc == 0 && !needed && key->line)
		rc = hides(apply, key, &needed);
	if (rc < 0)
		return rc;
	if (needed)
		return put_row(apply, key, payload, payload_bytes);
	return query_run(apply->queries,
			 "DELETE FROM items WHERE key = ? AND line = ?"
			 " AND gen = ?",
			 "bii", key->bytes, key->count, (int64_t)key->line,
			 (int64_t)key->gen);
}

int apply_inode_flush(struct apply *apply)
{
	struct apply_inode *live = &apply->inode;
	uint8_t bytes[ITEM_PREFIX_BYTES], payload[INODE_ITEM_BYTES];
	const struct key key = { bytes, sizeof(bytes), live->line, live->gen };

	if (!live->valid || !live->dirty)
		return 0;
	live->dirty = false;
	item_key_prefix(live->inode, ITEM_TYPE_INODE, bytes);
	return put_item(apply, &key, payload,
			inode_item_encode(&live->item, payload));
}

/* What it has in the store goes with it. */
static int drop_inode(struct apply *apply, uint64_t inode)
{
	int rc = apply_inode_get(apply, inode);

	if (rc == 1)
		return 0;
	if (rc == 0)
		rc = apply_cut(apply, 0, apply->inode.item.size_bytes);
	apply->inode.valid = false;
	return rc;
}

static int apply_entry(struct apply *apply, const struct batch_entry *entry)
{
	struct key key = { entry->key, entry->key_bytes, apply->target.line,
			   apply->target.gen };
	uint64_t inode = entry->item.inode;
	int rc = 0;

	if (entry->item.type == ITEM_TYPE_ORIGIN) {
		key.line = key.gen = 0;
	} else if (inode < (UINT64_C(1) << 40) &&
		   (int64_t)inode >= apply->next_inode) {
		apply->next_inode = (int64_t)inode + 1;
		apply->meta_dirty = true;
	}
	if (entry->item.type == ITEM_TYPE_INODE) {
		rc = apply_inode_flush(apply);
		if (rc == 0 && entry->payload_bytes == 0)
			rc = drop_inode(apply, inode);
		apply->inode.valid = false;
	}
	return rc != 0 ? rc :
			 put_item(apply, &key, entry->payload,
				  entry->payload_bytes);
}

static int apply_batch(struct apply *apply)
{
	const struct batch *batch = &apply->batch;
	struct batch_entry entry;
	size_t at = 0;
	int rc = apply_target_at(apply, batch->line, batch->gen, 0, 0);

	while (rc == 0 && (rc = batch_next(batch, &at, &entry)) == 0)
		rc = apply_entry(apply, &entry);
	if (rc == -ENOENT)
		rc = 0;
	if (rc == 0 && apply->target.branch) {
		apply->target.branch->changed = true;
		apply->target.branch->dirty = true;
	}
	return rc;
}

int apply_items(struct apply *apply, const struct record *record)
{
	struct items_record piece;
	int rc = items_record_decode(record, &piece);

	if (rc == 0)
		rc = batch_add_piece(&apply->batch, &piece);
	return rc < 0 || apply->batch.goes_on ? rc : apply_batch(apply);
}
