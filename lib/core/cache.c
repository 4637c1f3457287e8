/*
 * Windows in memory: who has them, how they come and go.
 *
 * A view's miss is answered by the newest of: an unsaved version of a line
 * on its path, and the index. Loading happens without map_lock; a load that
 * raced with a save of the same window is repeated (load_sequence).
 */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static uint32_t *load_sequence(struct store *store, uint64_t inode,
			       uint64_t number)
{
	return &store->load_sequence[(inode * 31 + number) % LOAD_SEQUENCES];
}

struct window_cache *cache_new(struct store *store, uint32_t line)
{
	struct window_cache *cache;

	/* One cache a line: unsaved windows of a closed head are its newest. */
	DL_FOREACH2(store->caches, cache, next)
	{
		if (!line || cache->line != line)
			continue;
		cache->retired = false;
		return cache;
	}
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return NULL;
	cache->line = line;
	DL_APPEND2(store->caches, cache, previous, next);
	return cache;
}

struct window *cache_find(struct window_cache *cache, uint64_t inode,
			  uint64_t number)
{
	struct window_number key = { inode, number };
	struct window *window;

	/* NOLINTNEXTLINE(clang-analyzer-core.*): it has no garbage in it */
	HASH_FIND(hh, cache->windows, &key, sizeof(key), window);
	return window;
}

static void window_free(struct window *window)
{
	free(window->slots);
	free(window);
}

static void set_dirty(struct store *store, struct window *window)
	REQUIRES(store->map_lock)
{
	if (window->dirty)
		return;
	window->dirty = true;
	window->cache->dirty_count++;
	store->dirty_windows++;
	DL_APPEND2(store->dirty, window, dirty_previous, dirty_next);
	store->dirty_bytes += window_bytes(window);
}

void cache_mark_clean(struct store *store, struct window *window)
{
	if (!window->dirty)
		return;
	window->dirty = false;
	window->cache->dirty_count--;
	store->dirty_windows--;
	DL_DELETE2(store->dirty, window, dirty_previous, dirty_next);
	store->dirty_bytes -= window_bytes(window);
}

void cache_drop_window(struct store *store, struct window *window)
{
	struct window_cache *cache = window->cache;

	store->cache_used_bytes -= window_bytes(window);
	if (window->frozen) {
		struct window *live = cache_find(cache, window->number.inode,
						 window->number.window);
		struct window **link = &live->older;

		while (*link != window)
			link = &(*link)->older;
		*link = window->older;
	} else {
		HASH_DEL(cache->windows, window);
		DL_DELETE2(store->lru, window, lru_previous, lru_next);
	}
	window_free(window);
}

void cache_free(struct store *store, struct window_cache *cache)
{
	struct window *window, *next, *older;

	HASH_ITER(hh, cache->windows, window, next)
	{
		while ((older = window->older) != NULL) {
			cache_mark_clean(store, older);
			cache_drop_window(store, older);
		}
		cache_mark_clean(store, window);
		cache_drop_window(store, window);
	}
	DL_DELETE2(store->caches, cache, previous, next);
	free(cache);
}

void cache_retire(struct store *store, struct window_cache *cache)
{
	if (!cache)
		return;
	cache->retired = true;
	if (cache->dirty_count == 0)
		cache_free(store, cache);
}

/*
 * Second chance: clean windows that were not used since the last round.
 * Never the newest: who has just loaded it would find it gone, again and
 * again when all the others are unsaved.
 */
static void evict(struct store *store) REQUIRES(store->map_lock)
{
	const struct window *newest = store->lru->lru_previous;
	struct window *window, *next;
	unsigned looked = 0;

	DL_FOREACH_SAFE2(store->lru, window, next, lru_next)
	{
		if (store->cache_used_bytes <= store->live.cache_bytes ||
		    ++looked > 256)
			return;
		if (window == newest || window->dirty || window->older ||
		    window->referenced) {
			window->referenced = false;
			DL_DELETE2(store->lru, window, lru_previous, lru_next);
			DL_APPEND2(store->lru, window, lru_previous, lru_next);
			continue;
		}
		cache_drop_window(store, window);
	}
}

const struct window *cache_find_unsaved(struct store *store, uint32_t line,
					uint32_t limit, uint64_t inode,
					uint64_t number)
{
	const struct window *best = NULL;
	struct window_cache *cache;

	DL_FOREACH2(store->caches, cache, next)
	{
		const struct window *window;

		if (cache->line != line || cache->dirty_count == 0)
			continue;
		window = cache_find(cache, inode, number);
		for (; window; window = window->older)
			if (window->dirty && window->line == line &&
			    window->gen <= limit &&
			    (!best || window->gen > best->gen))
				best = window;
	}
	return best;
}

bool cache_replaces_row(struct store *store, const struct window_key *key)
{
	const struct window *unsaved;
	bool found;

	mutex_lock(&store->map_lock);
	unsaved = cache_find_unsaved(store, key->line, key->gen, key->inode,
				     key->window);
	found = unsaved && unsaved->gen == key->gen;
	mutex_unlock(&store->map_lock);
	return found;
}

const struct window *cache_find_on_path(struct store *store,
					const struct line_path *path,
					uint64_t inode, uint64_t number)
{
	const struct window *best = NULL, *window;
	const struct line_limit *level;
	struct window_cache *cache;

	DL_FOREACH2(store->caches, cache, next)
	{
		if (cache->dirty_count == 0)
			continue;
		level = line_path_find(path, cache->line);
		if (!level)
			continue;
		window = cache_find_unsaved(store, cache->line, level->gen,
					    inode, number);
		if (window && (!best || window->line > best->line))
			best = window;
	}
	return best;
}

static struct window *window_new(struct window_cache *cache, uint64_t inode,
				 uint64_t number, const struct slot *slots,
				 size_t slot_count)
{
	struct window *window = calloc(1, sizeof(*window));

	if (!window)
		return NULL;
	window->number = (struct window_number){ inode, number };
	window->cache = cache;
	if (slot_count) {
		window->slots = calloc(slot_count, sizeof(*slots));
		if (!window->slots) {
			free(window);
			return NULL;
		}
		memcpy(window->slots, slots, slot_count * sizeof(*slots));
	}
	window->slot_count = (uint16_t)slot_count;
	window->slot_capacity = (uint16_t)slot_count;
	return window;
}

/* Takes the window, also when there is no memory. */
static int insert(struct store *store, struct window *window)
	REQUIRES(store->map_lock)
{
	HASH_ADD(hh, window->cache->windows, number, sizeof(window->number),
		 window);
	if (!window->hh.tbl) {
		free(window->slots);
		free(window);
		return -ENOMEM;
	}
	DL_APPEND2(store->lru, window, lru_previous, lru_next);
	store->cache_used_bytes += window_bytes(window);
	window->referenced = true;
	if (store->cache_used_bytes > store->live.cache_bytes)
		evict(store);
	return 0;
}

/* What a load found: a copy, so that no lock is needed to look at it. */
struct loaded {
	struct window_key key; /* line 0: nothing */
	size_t slot_count;
	struct slot slots[WINDOW_BLOCKS];
	uint8_t row[WINDOW_ROW_BYTES_MAX];
};

static int load_from_index(struct store *store, const struct line_path *path,
			   struct loaded *loaded)
{
	struct window_key key = loaded->key;
	size_t row_bytes;
	int rc = index_window_find(store->index, path, key.inode, key.window,
				   &key, loaded->row, &row_bytes);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	if (key.line < loaded->key.line ||
	    (key.line == loaded->key.line && key.gen <= loaded->key.gen))
		return 0; /* the unsaved version is newer */
	rc = window_decode(store->seed, &key, loaded->row, row_bytes,
			   loaded->slots, &loaded->slot_count);
	if (rc < 0) {
		atomic_fetch_add(&store->count.checksum_errors, 1);
		return store_fail(store, rc,
				  "index: row of window %llu is damaged",
				  (unsigned long long)key.window);
	}
	loaded->key = key;
	return 0;
}

static int load_once(struct view *view, struct loaded *loaded, bool *out_raced)
{
	struct store *store = view->store;
	uint64_t inode = loaded->key.inode, number = loaded->key.window;
	uint32_t *sequence = load_sequence(store, inode, number);
	const struct window *unsaved;
	struct window_cache *cache;
	struct line_path *path;
	struct window *window;
	uint32_t before;
	int rc;

	mutex_lock(&store->map_lock);
	before = *sequence;
	cache = view->cache;
	path = line_path_get(view->path);
	unsaved = cache_find_on_path(store, path, inode, number);
	if (unsaved) {
		loaded->key.line = unsaved->line;
		loaded->key.gen = unsaved->gen;
		loaded->slot_count = unsaved->slot_count;
		if (unsaved->slot_count)
			memcpy(loaded->slots, unsaved->slots,
			       unsaved->slot_count * sizeof(struct slot));
	}
	mutex_unlock(&store->map_lock);
	rc = load_from_index(store, path, loaded);
	line_path_put(path);
	if (rc < 0)
		return rc;
	mutex_lock(&store->map_lock);
	*out_raced = *sequence != before || view->cache != cache;
	if (!*out_raced && !cache_find(cache, inode, number)) {
		window = window_new(cache, inode, number, loaded->slots,
				    loaded->slot_count);
		if (window) {
			window->line = loaded->key.line;
			window->gen = loaded->key.gen;
			rc = insert(store, window);
		} else {
			rc = -ENOMEM;
		}
	}
	mutex_unlock(&store->map_lock);
	return rc;
}

/* Of an inode without windows there is nothing to load. 1: it has some. */
static int add_first(struct file *file, uint64_t number)
	REQUIRES(file->view->store->map_lock)
{
	struct window_cache *cache = file->view->cache;
	struct window *window;

	if (file->item.flags & INODE_FLAG_MAPPED)
		return 1;
	if (cache_find(cache, file->inode, number))
		return 0;
	window = window_new(cache, file->inode, number, NULL, 0);
	if (!window)
		return -ENOMEM;
	return insert(file->view->store, window);
}

int cache_load(struct file *file, uint64_t number)
{
	AUTO_FREE struct loaded *loaded = NULL;
	struct view *view = file->view;
	uint64_t inode = file->inode;
	bool raced = true;
	int rc;

	mutex_lock(&view->store->map_lock);
	mutex_assert_held(&file->view->store->map_lock);
	rc = add_first(file, number);
	mutex_unlock(&view->store->map_lock);
	if (rc <= 0)
		return rc;
	rc = 0;
	loaded = malloc(sizeof(*loaded));
	if (!loaded)
		return -ENOMEM;
	atomic_fetch_add(&view->store->count.window_loads, 1);
	while (raced && rc == 0) {
		loaded->key = (struct window_key){ inode, number, 0, 0 };
		loaded->slot_count = 0;
		rc = load_once(view, loaded, &raced);
	}
	return rc;
}

/* Puts a copy of the window as it is behind it, to be saved. */
static int freeze(struct store *store, struct window *window)
	REQUIRES(store->map_lock)
{
	struct window *copy = window_new(window->cache, window->number.inode,
					 window->number.window, window->slots,
					 window->slot_count);

	if (!copy)
		return -ENOMEM;
	copy->line = window->line;
	copy->gen = window->gen;
	copy->frozen = true;
	copy->dirty = true;
	copy->checkpoint_nr = window->checkpoint_nr;
	copy->older = window->older;
	window->older = copy;
	window->cache->dirty_count++;
	store->dirty_windows++;
	/* The list is in the order of checkpoints. */
	if (copy->checkpoint_nr == store->checkpoint_nr)
		DL_APPEND2(store->dirty, copy, dirty_previous, dirty_next);
	else
		DL_PREPEND2(store->dirty, copy, dirty_previous, dirty_next);
	store->dirty_bytes += window_bytes(copy);
	store->cache_used_bytes += window_bytes(copy);
	return 0;
}

int cache_begin_change(struct view *view, struct window *window)
{
	bool own = window->line == view->line && window->gen > view->last_kept;
	int rc = 0;

	if (window->dirty && !own)
		rc = freeze(view->store, window); /* others see this version */
	else if (window->dirty &&
		 window->checkpoint_nr != view->store->checkpoint_nr &&
		 !window->saving)
		rc = freeze(view->store, window); /* a checkpoint needs it */
	if (rc < 0)
		return rc;
	if (!own) {
		window->line = view->line;
		window->gen = view->gen;
	}
	/* Back in at the list's end. */
	if (window->dirty &&
	    window->checkpoint_nr != view->store->checkpoint_nr)
		cache_mark_clean(view->store, window);
	window->saving = false;
	window->checkpoint_nr = view->store->checkpoint_nr;
	set_dirty(view->store, window);
	return 0;
}

void cache_account(struct store *store, struct window *window,
		   size_t bytes_before)
{
	size_t bytes = window_bytes(window);

	store->cache_used_bytes += bytes - bytes_before;
	store->dirty_bytes += bytes - bytes_before;
	if (store->cache_used_bytes > store->live.cache_bytes)
		evict(store);
}

void cache_note_change(struct store *store, uint64_t inode, uint64_t number)
{
	(*load_sequence(store, inode, number))++;
}
