/* Unsaved items, sorted by key and version. */
#include "item_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int compare_versions(struct item_version a, struct item_version b)
{
	if (a.line != b.line)
		return a.line < b.line ? -1 : 1;
	if (a.gen != b.gen)
		return a.gen < b.gen ? -1 : 1;
	return 0;
}

static int compare(const struct item *a, const struct item *b)
{
	int order = item_key_compare(a->bytes, a->key_bytes, b->bytes,
				     b->key_bytes);

	return order ? order : compare_versions(a->version, b->version);
}

/* NOLINTNEXTLINE: a tree of macros */
RB_GENERATE_INTERNAL(item_tree, item, entry, compare,
		     static __attribute__((unused)))

static struct item *new_item(const uint8_t *key, size_t key_bytes,
			     struct item_version version,
			     const uint8_t *payload, size_t payload_bytes)
{
	struct item *item = malloc(sizeof(*item) + key_bytes + payload_bytes);

	if (!item)
		return NULL;
	memset(item, 0, sizeof(*item));
	item->version = version;
	item->key_bytes = (uint32_t)key_bytes;
	item->payload_bytes = (uint32_t)payload_bytes;
	memcpy(item->bytes, key, key_bytes);
	if (payload_bytes > 0)
		memcpy(item->bytes + key_bytes, payload, payload_bytes);
	return item;
}

static size_t memory_bytes(const struct item *item)
{
	/* What malloc adds is not seen, but counts. */
	return sizeof(*item) + item->key_bytes + item->payload_bytes + 16;
}

static void drop(struct item_table *table, struct item *item)
{
	RB_REMOVE(item_tree, &table->tree, item);
	table->count--;
	table->memory_bytes -= memory_bytes(item);
	free(item);
}

int item_table_put(struct item_table *table, const uint8_t *key,
		   size_t key_bytes, struct item_version version,
		   const uint8_t *payload, size_t payload_bytes)
{
	struct item *item =
		new_item(key, key_bytes, version, payload, payload_bytes);
	struct item *there;

	if (!item)
		return -ENOMEM;
	there = RB_FIND(item_tree, &table->tree, item);
	if (there)
		drop(table, there);
	RB_INSERT(item_tree, &table->tree, item);
	table->count++;
	table->memory_bytes += memory_bytes(item);
	return 0;
}

static bool sees(const struct line_path *path, struct item_version version)
{
	const struct line_limit *level = line_path_find(path, version.line);

	return level && version.gen <= level->gen;
}

/* A key to look for, as an item; room for the longest. */
union probe {
	struct item item;
	uint8_t room[sizeof(struct item) + ITEM_KEY_BYTES_MAX];
};

static void set_probe(union probe *probe, const uint8_t *key, size_t key_bytes,
		      uint32_t line, uint32_t gen)
{
	probe->item.version = (struct item_version){ line, gen };
	probe->item.key_bytes = (uint32_t)key_bytes;
	probe->item.payload_bytes = 0;
	memcpy(probe->item.bytes, key, key_bytes);
}

static bool same_key(const struct item *a, const struct item *b)
{
	return a->key_bytes == b->key_bytes &&
	       memcmp(a->bytes, b->bytes, a->key_bytes) == 0;
}

const struct item *item_table_find(const struct item_table *table,
				   const struct line_path *path,
				   const uint8_t *key, size_t key_bytes)
{
	/* The macros of tree.h take no const. */
	struct item_tree tree = table->tree;
	const struct item *found = NULL;
	struct item *item;
	union probe probe;

	set_probe(&probe, key, key_bytes, 0, 0);
	for (item = RB_NFIND(item_tree, &tree, &probe.item);
	     item && same_key(item, &probe.item);
	     item = RB_NEXT(item_tree, &tree, item))
		if (sees(path, item->version))
			found = item;
	return found;
}

const struct item *item_table_next(const struct item_table *table,
				   const struct line_path *path,
				   const uint8_t *key, size_t key_bytes,
				   size_t prefix_bytes)
{
	struct item_tree tree = table->tree;
	const struct item *found = NULL;
	struct item *item;
	union probe probe;

	set_probe(&probe, key, key_bytes, UINT32_MAX, UINT32_MAX);
	for (item = RB_NFIND(item_tree, &tree, &probe.item); item;
	     item = RB_NEXT(item_tree, &tree, item)) {
		if (same_key(item, &probe.item))
			continue;
		if (found && !same_key(item, found))
			break;
		if (item->key_bytes < prefix_bytes ||
		    memcmp(item->bytes, key, prefix_bytes) != 0)
			break;
		if (sees(path, item->version))
			found = item;
	}
	return found;
}

uint32_t item_table_next_gen(const struct item_table *table, const uint8_t *key,
			     size_t key_bytes, uint32_t line, uint32_t gen)
{
	struct item_tree tree = table->tree;
	const struct item *item;
	union probe probe;

	set_probe(&probe, key, key_bytes, line, gen);
	item = RB_NFIND(item_tree, &tree, &probe.item);
	return item && same_key(item, &probe.item) &&
			       item->version.line == line ?
		       item->version.gen :
		       UINT32_MAX;
}

const struct item *item_table_first(const struct item_table *table)
{
	struct item_tree tree = table->tree;

	return RB_MIN(item_tree, &tree);
}

const struct item *item_table_after(const struct item *item)
{
	struct item *at =
		RB_NEXT(item_tree, NULL, (struct item *)(uintptr_t)item);

	return at;
}

void item_table_fini(struct item_table *table)
{
	struct item *item, *next;

	for (item = RB_MIN(item_tree, &table->tree); item; item = next) {
		next = RB_NEXT(item_tree, &table->tree, item);
		drop(table, item);
	}
}
