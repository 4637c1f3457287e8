/*
 * Dropping one row of a window.
 *
 * A row of a line covers the generations up to the line's next row of that
 * window. It stays while the line's head, a snapshot or a line that left in
 * these generations may need it, so a row that goes has one neighbour on
 * either side, and versions that use a chunk are never parted:
 *
 * I1: all versions of a window that use a chunk are neighbours of each
 *     other. What a dropped row uses and its neighbours don't is dead.
 * I2: a row without slots is there because it hides an older one that has
 *     some: whenever a row goes, the next of its window may have lost what
 *     it hid; as in reap_items.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cache.h"
#include "reap_impl.h"

enum { BATCH_KEYS = 256 };

static int decode(struct reaper *reaper, const struct window_key *key,
		  size_t row_bytes, struct version *version)
{
	int rc = window_decode(reaper->store->seed, key, reaper->bytes,
			       row_bytes, version->slots, &version->slot_count);

	version->key = *key;
	if (rc < 0)
		return store_fail(reaper->store, rc,
				  "index: row of window %llu is damaged",
				  (unsigned long long)key->window);
	return 0;
}

static void copy_version(const struct window *window, struct version *version)
{
	version->key = (struct window_key){ window->number.inode,
					    window->number.window, window->line,
					    window->gen };
	version->slot_count = window->slot_count;
	if (window->slot_count)
		memcpy(version->slots, window->slots,
		       window->slot_count * sizeof(struct slot));
}

/* The unsaved version on the line with the least generation >= gen. */
static bool next_unsaved(struct store *store, uint32_t line, uint32_t gen,
			 const struct window_key *key, struct version *version)
{
	const struct window *best = NULL, *window;
	struct window_cache *cache;

	mutex_lock(&store->map_lock);
	DL_FOREACH2(store->caches, cache, next)
	{
		if (cache->line != line || cache->dirty_count == 0)
			continue;
		window = cache_find(cache, key->inode, key->window);
		for (; window; window = window->older)
			if (window->dirty && window->line == line &&
			    window->gen >= gen &&
			    (!best || window->gen <= best->gen))
				best = window;
	}
	if (best)
		copy_version(best, version);
	mutex_unlock(&store->map_lock);
	return best != NULL;
}

int reap_next_version(struct reaper *reaper, uint32_t line, uint32_t gen,
		      const struct window_key *key, struct version *version)
{
	struct window_key found;
	size_t row_bytes;
	bool unsaved = next_unsaved(reaper->store, line, gen, key, version);
	int rc = index_window_next(reaper->store->index, key->inode,
				   key->window, line, gen, &found,
				   reaper->bytes, &row_bytes);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && (!unsaved || found.gen < version->key.gen))
		return decode(reaper, &found, row_bytes, version);
	return unsaved ? 0 : -ENOENT;
}

/* The last version on a line up to gen. -ENOENT. */
static int last_version(struct reaper *reaper, uint32_t line, uint32_t gen,
			const struct window_key *key, struct version *version)
{
	struct store *store = reaper->store;
	const struct window *unsaved;
	struct window_key found;
	size_t row_bytes;
	int rc;

	mutex_lock(&store->map_lock);
	unsaved = cache_find_unsaved(store, line, gen, key->inode, key->window);
	if (unsaved)
		copy_version(unsaved, version);
	mutex_unlock(&store->map_lock);
	rc = index_window_previous(store->index, key->inode, key->window, line,
				   gen, &found, reaper->bytes, &row_bytes);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && (!unsaved || found.gen > version->key.gen))
		return decode(reaper, &found, row_bytes, version);
	return unsaved ? 0 : -ENOENT;
}

int reap_previous_version(struct reaper *reaper, const struct window_key *key,
			  struct version *version)
{
	const struct line *line;
	uint32_t id = key->line, limit = key->gen - 1;
	int rc = -ENOENT;

	for (; id && rc == -ENOENT; id = line->row.parent) {
		line = graph_line(&reaper->store->graph, id);
		if (!line)
			return -EUCLEAN;
		rc = last_version(reaper, id, limit, key, version);
		limit = line->row.fork_gen;
	}
	return rc;
}

/* Snapshots in [begin, end), and all lines that left there: also ones that
 * are still to be dropped, whose rows look here for their neighbour. */
static bool point_between(const struct graph *graph, uint32_t line,
			  uint32_t gen_begin, uint32_t gen_end)
{
	return graph_next_point(graph, line, gen_begin) < gen_end;
}

int reap_load_row(struct reaper *reaper, const struct window_key *key)
{
	struct window_key found;
	size_t row_bytes;
	int rc = index_window_next(reaper->store->index, key->inode,
				   key->window, key->line, key->gen, &found,
				   reaper->bytes, &row_bytes);

	if (rc == 0 && found.gen != key->gen)
		rc = -ENOENT;
	return rc < 0 ? rc : decode(reaper, key, row_bytes, &reaper->row);
}

void reap_subtract(struct reaper *reaper, const struct version *version)
{
	struct version *row = &reaper->row;
	size_t i, kept = 0;

	for (i = 0; i < row->slot_count; i++)
		if (!window_uses_chunk(version->slots,
				       (unsigned)version->slot_count,
				       &row->slots[i]))
			row->slots[kept++] = row->slots[i];
	row->slot_count = kept;
}

int window_hides_locked(struct store *store, const struct window_key *key,
			uint8_t *row, bool *out_hides)
{
	struct line_path *path =
		graph_path(&store->graph, key->line, key->gen - 1);
	struct window_key found;
	size_t row_bytes;
	int rc;

	if (!path)
		return -ENOMEM;
	rc = index_window_find(store->index, path, key->inode, key->window,
			       &found, row, &row_bytes);
	line_path_put(path);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*out_hides = rc == 0 && !window_row_empty(row_bytes);
	return 0;
}

int reap_drop_needless(struct reaper *reaper, uint32_t line, uint32_t gen,
		       const struct window_key *key)
{
	struct store *store = reaper->store;
	struct window_key found;
	bool hides = false;
	size_t row_bytes;
	int rc = index_window_next(store->index, key->inode, key->window, line,
				   gen, &found, reaper->bytes, &row_bytes);

	if (rc < 0 || !window_row_empty(row_bytes))
		return rc == -ENOENT ? 0 : rc;
	mutex_assert_held(&store->order_lock);
	rc = window_hides_locked(store, &found, reaper->bytes, &hides);
	if (rc < 0 || hides)
		return rc;
	return index_window_delete(store->index, &found);
}

int reap_drop_row(struct reaper *reaper)
{
	const struct window_key *key = &reaper->row.key;
	struct store *store = reaper->store;
	size_t i;
	int rc;

	for (i = 0; i < reaper->row.slot_count; i++) {
		const struct slot *slot = &reaper->row.slots[i];
		struct location at = { slot->segment, slot->block };

		if (slot_has_place(slot))
			space_map_free(&store->space, at,
				       slot_stored_blocks(slot));
	}
	rc = index_window_delete(store->index, key);
	if (rc < 0)
		return rc;
	return reap_drop_needless(reaper, key->line, key->gen + 1, key); /*I2*/
}

/* With the log order held: no writer can make a version between the look
 * and the drop. */
int reap_row(struct reaper *reaper, const struct window_key *key)
{
	const struct graph *graph = &reaper->store->graph;
	uint32_t end = UINT32_MAX;
	int rc = reap_load_row(reaper, key);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = reap_next_version(reaper, key->line, key->gen + 1, key,
			       &reaper->other);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0) {
		end = reaper->other.key.gen;
		reap_subtract(reaper, &reaper->other);
	} else if (graph_branch_of_line(graph, key->line)) {
		return 0; /* the head sees it */
	}
	if (point_between(graph, key->line, key->gen, end))
		return 0;
	rc = reap_previous_version(reaper, key, &reaper->other);
	if (rc == 0)
		reap_subtract(reaper, &reaper->other);
	else if (rc != -ENOENT)
		return rc;
	return reap_drop_row(reaper);
}

int reap_visit_rows(struct reaper *reaper, uint32_t line, uint32_t gen_begin,
		    uint32_t gen_end, row_visit *visit, void *context)
{
	struct store *store = reaper->store;
	AUTO_FREE struct window_key *keys = calloc(BATCH_KEYS, sizeof(*keys));
	int64_t cursor[2] = { 0, 0 };
	uint32_t most = BATCH_KEYS;
	int count = BATCH_KEYS, i, rc = 0;

	mutex_assert_held(&store->maintenance_lock); /* by reap_run() */
	if (!keys)
		return -ENOMEM;
	while (count == (int)most && rc == 0) {
		most = BATCH_KEYS;
		rc = worker_breathe(store, &most);
		if (rc < 0)
			return rc;
		count = index_windows_of_line(store->index, line, gen_begin,
					      gen_end, keys, (int)most, cursor);
		if (count < 0)
			return count;
		for (i = 0; i < count && rc == 0; i++) {
			mutex_lock(&store->order_lock);
			rc = visit(reaper, &keys[i], context);
			mutex_unlock(&store->order_lock);
		}
	}
	return rc;
}
