/* Window caches: look-up, loading, change of owner, eviction. */
#pragma once

#include "store_impl.h"

/* The cache of a line's head: the one that is there, or a new one. line 0:
 * a new one for a snapshot. */
struct window_cache *cache_new(struct store *store, uint32_t line)
	REQUIRES(store->map_lock);
/* No view uses it any more; it goes once its dirty windows are saved. */
void cache_retire(struct store *store, struct window_cache *cache)
	REQUIRES(store->map_lock);
void cache_free(struct store *store, struct window_cache *cache)
	REQUIRES(store->map_lock);

struct window *cache_find(struct window_cache *cache, uint64_t inode,
			  uint64_t number);

/*
 * Makes sure that the file's window is in memory. It may be gone again when
 * the caller takes map_lock: look, and call again. The caller holds no lock
 * that is below order_lock.
 */
NODISCARD int cache_load(struct file *file, uint64_t number);

/*
 * The window, ready to be changed by the head: a version that others see,
 * or that a running checkpoint has to save, is frozen first.
 */
NODISCARD int cache_begin_change(struct view *view, struct window *window)
	REQUIRES(view->store->map_lock);
/* Memory that the window took before the change; accounts the difference. */
void cache_account(struct store *store, struct window *window,
		   size_t bytes_before) REQUIRES(store->map_lock);

/* Newest unsaved version of the window on this line with gen <= limit. */
const struct window *cache_find_unsaved(struct store *store, uint32_t line,
					uint32_t limit, uint64_t inode,
					uint64_t number)
	REQUIRES(store->map_lock);

/* The same of all lines of a path. */
const struct window *cache_find_on_path(struct store *store,
					const struct line_path *path,
					uint64_t inode, uint64_t number)
	REQUIRES(store->map_lock);

/* Is there an unsaved version that replaces this very row? */
bool cache_replaces_row(struct store *store, const struct window_key *key);

/* A saved row changed under the caches' feet (put or moved). */
void cache_note_change(struct store *store, uint64_t inode, uint64_t number)
	REQUIRES(store->map_lock);
void cache_mark_clean(struct store *store, struct window *window)
	REQUIRES(store->map_lock);
void cache_drop_window(struct store *store, struct window *window)
	REQUIRES(store->map_lock);
