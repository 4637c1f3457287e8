/*
 * Items: look-ups in memory and in the index, and what a checkpoint saves.
 *
 * I1: what is in a table is in the log too; a checkpoint makes rows of it.
 * I2: of one key and version the newer table has the newer payload, and both
 *     have newer ones than the index.
 * I3: a row is there because somebody sees it: who saves a newer one of its
 *     line, and nobody else saw it, drops it.
 * I4: an absent row is there because it hides an older one. Who drops a row
 *     looks at the next version (here, and in reap_items.c).
 *
 * item_lock guards the tables; it is a leaf. Tables change under order_lock as
 * well.
 */
#include "items.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const union {
	struct line_path path;
	struct {
		uint32_t references, count;
		struct line_limit level;
	} one; /* line 0, gen 0 */
} facts = { .one = { .references = 1, .count = 1 } };

const struct line_path *const items_facts_path = &facts.path;

struct item_copy *item_copy_new(struct item_version version,
				const uint8_t *payload, size_t payload_bytes)
{
	struct item_copy *copy = malloc(sizeof(*copy) + payload_bytes);

	if (!copy)
		return NULL;
	copy->version = version;
	copy->payload_bytes = payload_bytes;
	copy->payload = (uint8_t *)(copy + 1);
	if (payload_bytes > 0)
		memcpy(copy->payload, payload, payload_bytes);
	return copy;
}

int items_copy_row(struct store *store, const struct item_found *row,
		   struct item_copy **out_copy)
{
	const struct item_identity identity = {
		.key = row->key,
		.key_bytes = row->key_bytes,
		.line = row->version.line,
		.gen = row->version.gen,
	};
	struct item_key key = { 0 };

	if (item_value_verify(store->seed, &identity, row->value,
			      row->value_bytes) < 0) {
		if (item_key_decode(row->key, row->key_bytes, &key) < 0)
			key.inode = 0;
		return log_errno(-EUCLEAN,
				 "%s: the index has a damaged item of inode "
				 "%" PRIu64,
				 store->path, key.inode);
	}
	*out_copy = item_copy_new(row->version,
				  row->value + ITEM_CHECKSUM_BYTES,
				  row->value_bytes - ITEM_CHECKSUM_BYTES);
	return *out_copy ? 0 : -ENOMEM;
}

/* The newest unsaved version, copied; NULL in *out_copy: none. */
static int find_unsaved(struct store *store, const struct line_path *path,
			const uint8_t *key, size_t key_bytes,
			struct item_copy **out_copy)
{
	const struct item *item, *older;
	int rc = 0;

	*out_copy = NULL;
	mutex_lock(&store->item_lock);
	item = item_table_find(&store->items, path, key, key_bytes);
	older = item_table_find(&store->saving_items, path, key, key_bytes);
	if (!item ||
	    (older && item_version_newer(older->version, item->version)))
		item = older;
	if (item) {
		*out_copy = item_copy_new(item->version, item_payload(item),
					  item->payload_bytes);
		rc = *out_copy ? 0 : -ENOMEM;
	}
	mutex_unlock(&store->item_lock);
	return rc;
}

/* The newest saved version. -ENOENT. */
static int find_saved(struct store *store, const struct line_path *path,
		      const uint8_t *key, size_t key_bytes,
		      struct item_copy **out_copy)
{
	uint8_t small[1024];
	AUTO_FREE uint8_t *large = NULL;
	struct item_found row = { .key = key,
				  .key_bytes = (uint32_t)key_bytes,
				  .value = small };
	size_t value_bytes;
	int rc = index_item_find(store->index, path, key, key_bytes,
				 &row.version, small, sizeof(small),
				 &value_bytes);

	while (rc == -ERANGE) { /* it may have grown meanwhile */
		free(large);
		row.value = large = malloc(value_bytes);
		if (!large)
			return -ENOMEM;
		rc = index_item_find(store->index, path, key, key_bytes,
				     &row.version, large, value_bytes,
				     &value_bytes);
	}
	if (rc < 0)
		return rc;
	row.value_bytes = (uint32_t)value_bytes;
	return items_copy_row(store, &row, out_copy);
}

/* Nothing that the path sees can be newer than what is unsaved on its last
 * line (I2). */
static bool is_newest(const struct line_path *path,
		      const struct item_copy *unsaved)
{
	return unsaved->version.line == path->level[path->count - 1].line;
}

int items_find(struct store *store, const struct line_path *path,
	       const uint8_t *key, size_t key_bytes,
	       struct item_copy **out_copy)
{
	AUTO_FREE struct item_copy *unsaved = NULL;
	AUTO_FREE struct item_copy *saved = NULL;
	struct item_copy **best = &unsaved;
	int rc = find_unsaved(store, path, key, key_bytes, &unsaved);

	/* First memory, then the index: what a checkpoint saves in between
	 * is seen. */
	if (rc == 0 && (!unsaved || !is_newest(path, unsaved)))
		rc = find_saved(store, path, key, key_bytes, &saved);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (!unsaved ||
	    (saved && item_version_newer(saved->version, unsaved->version)))
		best = &saved;
	if (!*best || (*best)->payload_bytes == 0)
		return -ENOENT;
	*out_copy = TAKE_PTR(*best);
	return 0;
}

int items_put_locked(struct store *store, const uint8_t *key, size_t key_bytes,
		     struct item_version version, const void *payload,
		     size_t payload_bytes)
{
	int rc;

	mutex_lock(&store->item_lock);
	rc = item_table_put(&store->items, key, key_bytes, version, payload,
			    payload_bytes);
	mutex_unlock(&store->item_lock);
	return rc;
}

void items_begin_save_locked(struct store *store)
{
	mutex_lock(&store->item_lock);
	assert(store->saving_items.count == 0);
	store->saving_items = store->items;
	store->items = (struct item_table){ 0 };
	mutex_unlock(&store->item_lock);
}

int items_hide_locked(struct store *store, const uint8_t *key, size_t key_bytes,
		      struct item_version version, bool *out_hides)
{
	AUTO_FREE struct item_copy *older = NULL;
	struct line_path *path =
		graph_path(&store->graph, version.line, version.gen - 1);
	int rc;

	if (!path)
		return -ENOMEM;
	rc = find_saved(store, path, key, key_bytes, &older);
	line_path_put(path);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*out_hides = older && older->payload_bytes > 0;
	return 0;
}

/* What a checkpoint saves, one after the other in the order of the table. */
struct save {
	struct store *store;
	const struct item *item;
	/* The last point before this version. */
	struct item_version version;
	uint32_t last_point;
	uint8_t value[ITEM_VALUE_BYTES_MAX];
};

static void find_last_point(struct save *save)
{
	struct store *store = save->store;
	struct item_version version = save->item->version;

	if (version.line == save->version.line &&
	    version.gen == save->version.gen)
		return;
	mutex_lock(&store->order_lock);
	save->last_point = graph_last_saved_point(&store->graph, version.line,
						  version.gen - 1);
	mutex_unlock(&store->order_lock);
	save->version = version;
}

/* Older rows of the line that somebody saw who is gone, and the head until
 * now (I3). */
static int drop_replaced(struct save *save)
{
	const struct item *item = save->item;
	struct item_version from = item->version, found;
	size_t value_bytes;
	int rc;

	if (from.gen == 0) /* a fact */
		return 0;
	find_last_point(save);
	for (from.gen--;; from.gen = found.gen - 1) {
		rc = index_item_previous_version(save->store->index,
						 item->bytes, item->key_bytes,
						 &from, &found, NULL, 0,
						 &value_bytes);
		if (rc == -ENOENT)
			return 0;
		if (rc < 0 && rc != -ERANGE)
			return rc;
		if (found.gen <= save->last_point)
			return 0;
		rc = index_item_delete(save->store->index, item->bytes,
				       item->key_bytes, &found);
		if (rc < 0)
			return rc;
	}
}

/* An absent version is a row only where it hides an older one (I4). */
static int is_needed(struct save *save, bool *out_needed)
{
	struct store *store = save->store;
	const struct item *item = save->item;
	int rc;

	*out_needed = item->payload_bytes > 0;
	if (*out_needed || item->version.gen == 0)
		return 0;
	mutex_lock(&store->order_lock);
	rc = items_hide_locked(store, item->bytes, item->key_bytes,
			       item->version, out_needed);
	mutex_unlock(&store->order_lock);
	return rc;
}

static int save_item(struct save *save)
{
	struct store *store = save->store;
	const struct item *item = save->item;
	const struct item_identity identity = {
		.key = item->bytes,
		.key_bytes = item->key_bytes,
		.line = item->version.line,
		.gen = item->version.gen,
	};
	size_t value_bytes;
	bool needed = true;
	int rc = drop_replaced(save);

	if (rc == 0)
		rc = is_needed(save, &needed);
	if (rc < 0)
		return rc;
	if (!needed)
		return index_item_delete(store->index, item->bytes,
					 item->key_bytes, &item->version);
	value_bytes = item_value_encode(store->seed, &identity,
					item_payload(item), item->payload_bytes,
					save->value);
	return index_item_put(store->index, item->bytes, item->key_bytes,
			      &item->version, save->value, value_bytes);
}

int items_save(struct store *store)
{
	AUTO_FREE struct save *save = calloc(1, sizeof(*save));
	int rc = 0;

	if (!save)
		return -ENOMEM;
	save->store = store;
	/* The table is only read now. */
	for (save->item = item_table_first(&store->saving_items);
	     save->item && rc == 0; save->item = item_table_after(save->item))
		rc = save_item(save);
	return rc;
}

void items_end_save(struct store *store)
{
	struct item_table saved;

	mutex_lock(&store->item_lock);
	saved = store->saving_items;
	store->saving_items = (struct item_table){ 0 };
	store->saves_ended++;
	mutex_unlock(&store->item_lock);
	item_table_fini(&saved);
}

static bool has_version(const struct item_table *table, uint32_t line,
			uint32_t gen)
{
	const struct item *item;

	for (item = item_table_first(table); item;
	     item = item_table_after(item))
		if (item->version.line == line && item->version.gen <= gen)
			return true;
	return false;
}

bool items_unsaved(struct store *store, uint32_t line, uint32_t gen)
{
	bool found;

	mutex_lock(&store->item_lock);
	found = has_version(&store->items, line, gen) ||
		has_version(&store->saving_items, line, gen);
	mutex_unlock(&store->item_lock);
	return found;
}

uint64_t items_memory_bytes(struct store *store)
{
	uint64_t bytes;

	mutex_lock(&store->item_lock);
	bytes = store->items.memory_bytes + store->saving_items.memory_bytes;
	mutex_unlock(&store->item_lock);
	return bytes;
}
