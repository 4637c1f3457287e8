/*
 * Unsaved items, sorted: in memory from their record until the checkpoint
 * that writes their rows. No locks of its own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <bsd/sys/cdefs.h>
#include <bsd/sys/tree.h>

#include "err.h"
#include "index.h"

struct item {
	RB_ENTRY(item) entry;
	struct item_version version;
	uint32_t key_bytes, payload_bytes; /* payload 0: absent */
	uint8_t bytes[];		   /* key, then payload */
};

RB_HEAD(item_tree, item);

struct item_table {
	struct item_tree tree;
	size_t count;
	size_t memory_bytes;
};

static inline const uint8_t *item_payload(const struct item *item)
{
	return item->bytes + item->key_bytes;
}

/* Replaces what is there of this key and version. */
NODISCARD int item_table_put(struct item_table *table, const uint8_t *key,
			     size_t key_bytes, struct item_version version,
			     const uint8_t *payload, size_t payload_bytes);
/* The newest version that the path sees, or NULL. */
const struct item *item_table_find(const struct item_table *table,
				   const struct line_path *path,
				   const uint8_t *key, size_t key_bytes);
/* The same of the first key above this one that begins with its first
 * prefix_bytes bytes and has such a version. */
const struct item *item_table_next(const struct item_table *table,
				   const struct line_path *path,
				   const uint8_t *key, size_t key_bytes,
				   size_t prefix_bytes);
/* The least generation >= gen of the key's versions on the line; UINT32_MAX:
 * none. */
uint32_t item_table_next_gen(const struct item_table *table, const uint8_t *key,
			     size_t key_bytes, uint32_t line, uint32_t gen);
/* All, in order of key and version. */
const struct item *item_table_first(const struct item_table *table);
const struct item *item_table_after(const struct item *item);
void item_table_fini(struct item_table *table);
