/*
 * Scanning items: three sorted sources, two tables in memory and the index,
 * merged by key.
 *
 * I1: a checkpoint that ends moves items from a table to the index: what was
 *     read of the index before that is read again (saves_ended).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"

enum { SCAN_ITEMS = 256, SCAN_BYTES = ITEM_ARENA_BYTES_MIN + 64 * 1024 };

struct scan {
	struct store *store;
	const struct line_path *path;
	const uint8_t *prefix;
	size_t prefix_bytes;
	/* The last key that was visited; at first the prefix. */
	uint8_t at[ITEM_KEY_BYTES_MAX];
	size_t at_bytes;
	bool begun;
	uint64_t saves_ended;
	/* The index's part. */
	struct item_cursor cursor;
	struct item_batch saved;
	size_t next_saved;
	struct item_found found[SCAN_ITEMS];
	uint8_t arena[SCAN_BYTES];
};

/* From here on the index is read anew. */
static void restart_saved(struct scan *scan)
{
	scan->saved = (struct item_batch){
		.items = scan->found,
		.items_capacity = SCAN_ITEMS,
		.arena = scan->arena,
		.arena_bytes = sizeof(scan->arena),
	};
	scan->next_saved = 0;
	scan->cursor.key_bytes = scan->begun ? scan->at_bytes : 0;
	memcpy(scan->cursor.key, scan->at, scan->at_bytes);
}

/* The index's next row behind what was visited; NULL: none. */
static int peek_saved(struct scan *scan, const struct item_found **out_row)
{
	*out_row = NULL;
	for (;;) {
		int rc;

		for (; scan->next_saved < scan->saved.count;
		     scan->next_saved++) {
			const struct item_found *row =
				&scan->found[scan->next_saved];

			if (scan->begun &&
			    item_key_compare(row->key, row->key_bytes, scan->at,
					     scan->at_bytes) <= 0)
				continue;
			*out_row = row;
			return 0;
		}
		if (scan->saved.end)
			return 0;
		scan->next_saved = 0;
		rc = index_item_scan(scan->store->index, scan->path,
				     scan->prefix, scan->prefix_bytes,
				     &scan->cursor, &scan->saved);
		if (rc < 0)
			return rc;
	}
}

static const struct item *next_in(const struct scan *scan,
				  const struct item_table *table)
{
	const struct item *item;

	if (!scan->begun) { /* the prefix itself may be a key */
		item = item_table_find(table, scan->path, scan->prefix,
				       scan->prefix_bytes);
		if (item)
			return item;
	}
	return item_table_next(table, scan->path, scan->at, scan->at_bytes,
			       scan->prefix_bytes);
}

/* Of two sources: the smaller key, or the newer version of one key; of one
 * version a. */
static const struct item *first_of(const struct item *a, const struct item *b)
{
	int order;

	if (!a || !b)
		return a ? a : b;
	order = item_key_compare(a->bytes, a->key_bytes, b->bytes,
				 b->key_bytes);
	if (order)
		return order < 0 ? a : b;
	return item_version_newer(b->version, a->version) ? b : a;
}

/* The next unsaved item, copied to where the scan stands; 1: there is one
 * that comes before row or replaces it. -EAGAIN: a checkpoint ended. */
static int take_unsaved(struct scan *scan, const struct item_found *row,
			struct item_copy **out_copy)
	REQUIRES(scan->store->item_lock)
{
	struct store *store = scan->store;
	const struct item *item;

	if (scan->saves_ended != store->saves_ended) {
		scan->saves_ended = store->saves_ended;
		return -EAGAIN;
	}
	item = first_of(next_in(scan, &store->items),
			next_in(scan, &store->saving_items));
	if (!item)
		return 0;
	if (row) {
		int order = item_key_compare(item->bytes, item->key_bytes,
					     row->key, row->key_bytes);

		if (order > 0 ||
		    (order == 0 &&
		     item_version_newer(row->version, item->version)))
			return 0;
	}
	*out_copy = item_copy_new(item->version, item_payload(item),
				  item->payload_bytes);
	if (!*out_copy)
		return -ENOMEM;
	scan->at_bytes = item->key_bytes;
	memcpy(scan->at, item->bytes, item->key_bytes);
	scan->begun = true;
	return 1;
}

static int take_saved(struct scan *scan, const struct item_found *row,
		      struct item_copy **out_copy)
{
	int rc = items_copy_row(scan->store, row, out_copy);

	if (rc < 0)
		return rc;
	scan->at_bytes = row->key_bytes;
	memcpy(scan->at, row->key, row->key_bytes);
	scan->begun = true;
	return 1;
}

/* 1: *out_copy is the next; 0: the end. */
static int next(struct scan *scan, struct item_copy **out_copy)
{
	for (;;) {
		const struct item_found *row;
		int rc = peek_saved(scan, &row);

		if (rc < 0)
			return rc;
		mutex_lock(&scan->store->item_lock);
		mutex_assert_held(&scan->store->item_lock);
		rc = take_unsaved(scan, row, out_copy);
		mutex_unlock(&scan->store->item_lock);
		if (rc == -EAGAIN) { /* I1 */
			restart_saved(scan);
			continue;
		}
		if (rc != 0 || !row)
			return rc;
		return take_saved(scan, row, out_copy);
	}
}

int items_scan(struct store *store, const struct line_path *path,
	       const uint8_t *prefix, size_t prefix_bytes, items_visit *visit,
	       void *context)
{
	AUTO_FREE struct scan *scan = malloc(sizeof(*scan));
	int rc = 0;

	if (!scan)
		return -ENOMEM;
	scan->store = store;
	scan->path = path;
	scan->prefix = prefix;
	scan->prefix_bytes = prefix_bytes;
	scan->at_bytes = prefix_bytes;
	memcpy(scan->at, prefix, prefix_bytes);
	scan->begun = false;
	mutex_lock(&store->item_lock);
	scan->saves_ended = store->saves_ended;
	mutex_unlock(&store->item_lock);
	restart_saved(scan);
	while (rc >= 0) {
		AUTO_FREE struct item_copy *copy = NULL;

		rc = next(scan, &copy);
		if (rc <= 0)
			break;
		if (copy->payload_bytes > 0)
			rc = visit(context, scan->at, scan->at_bytes, copy);
	}
	return rc;
}
