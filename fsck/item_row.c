/* Versions of items: the rows, and their checksums. */
#include "item_row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* The row that the statement (id, line, gen, value) stands on. */
static bool take(struct check *check, sqlite3_stmt *row, const uint8_t *key,
		 size_t key_bytes, struct item_row *out)
{
	struct item_identity identity = { .key = key, .key_bytes = key_bytes };
	size_t bytes;
	const uint8_t *value = work_blob(row, 3, &bytes);

	if (!value || !work_u32(row, 1, &identity.line) ||
	    !work_u32(row, 2, &identity.gen) ||
	    item_value_verify(check->seed, &identity, value, bytes) < 0)
		return false;
	out->id = sqlite3_column_int64(row, 0);
	out->line = identity.line;
	out->gen = identity.gen;
	out->payload_bytes = bytes - ITEM_CHECKSUM_BYTES;
	memcpy(out->payload, value + ITEM_CHECKSUM_BYTES, out->payload_bytes);
	return true;
}

int item_row_find(struct check *check, const struct item_key *key,
		  uint32_t line, uint32_t gen, struct item_row *out)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = item_key_encode(key, bytes);
	int rc = work_query(check, &rows,
			    "SELECT id, line, gen, value FROM items WHERE "
			    "key = ? AND line <= ? "
			    "ORDER BY line DESC, gen DESC",
			    "bi", bytes, key_bytes, (int64_t)line);

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		uint32_t at_line, at_gen, limit;

		rc = 0;
		if (!work_u32(rows, 1, &at_line) || !work_u32(rows, 2, &at_gen))
			continue;
		limit = past_limit(&check->past, line, gen, at_line);
		if (at_gen <= limit && take(check, rows, bytes, key_bytes, out))
			return 1;
	}
	return rc;
}

int item_row_put(struct check *check, const struct item_key *key, uint32_t line,
		 uint32_t gen, const void *payload, size_t payload_bytes)
{
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	struct item_identity identity = {
		.key = bytes,
		.key_bytes = item_key_encode(key, bytes),
		.line = line,
		.gen = gen,
	};
	AUTO_FREE uint8_t *value = malloc(ITEM_CHECKSUM_BYTES + payload_bytes);

	if (!value)
		return -ENOMEM;
	return work_repair(
		check,
		"INSERT INTO items(key, line, gen, value) VALUES(?, ?, ?, ?) "
		"ON CONFLICT(key, line, gen) DO UPDATE SET "
		"value = excluded.value",
		"biib", bytes, identity.key_bytes, (int64_t)line, (int64_t)gen,
		value,
		item_value_encode(check->seed, &identity, payload,
				  payload_bytes, value));
}

int item_row_inode(struct check *check, uint64_t inode, uint32_t line,
		   uint32_t gen, struct inode_item *out)
{
	const struct item_key key = { .inode = inode, .type = ITEM_TYPE_INODE };
	AUTO_FREE struct item_row *row = malloc(sizeof(*row));
	int rc = row ? item_row_find(check, &key, line, gen, row) : -ENOMEM;

	if (rc <= 0 || row->payload_bytes == 0)
		return rc < 0 ? rc : 0;
	return inode_item_decode(row->payload, row->payload_bytes, out) == 0;
}

int item_row_put_inode(struct check *check, uint64_t inode, uint32_t line,
		       uint32_t gen, const struct inode_item *item)
{
	const struct item_key key = { .inode = inode, .type = ITEM_TYPE_INODE };
	uint8_t payload[INODE_ITEM_BYTES];

	return item_row_put(check, &key, line, gen, payload,
			    inode_item_encode(item, payload));
}

int item_row_put_name(struct check *check, uint64_t directory, const char *name,
		      uint32_t line, uint32_t gen, uint64_t inode,
		      uint32_t mode)
{
	const struct item_key key = {
		.inode = directory,
		.type = ITEM_TYPE_DIRENT,
		.name = name,
		.name_bytes = strlen(name),
	};
	const struct dirent_item dirent = { inode, (uint8_t)(mode >> 12) };
	uint8_t payload[DIRENT_ITEM_BYTES];

	return item_row_put(check, &key, line, gen, payload,
			    dirent_item_encode(&dirent, payload));
}
