/*
 * Items: the versioned keys and values of a tree's metadata (inodes, names,
 * xattrs), whether saved or not. See docs/format.md for keys and payloads.
 *
 * A version is in memory (item_table) until a checkpoint saves it. While the
 * checkpoint runs there are two tables: what it saves, and what is newer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "batch_format.h"
#include "item_format.h"
#include "store_impl.h"
#include "view_items.h"

static inline bool item_version_newer(struct item_version a,
				      struct item_version b)
{
	return a.line > b.line || (a.line == b.line && a.gen > b.gen);
}

/* NULL: no memory. */
struct item_copy *item_copy_new(struct item_version version,
				const uint8_t *payload, size_t payload_bytes);
/* A row that the index found, verified. -EUCLEAN. */
NODISCARD int items_copy_row(struct store *store, const struct item_found *row,
			     struct item_copy **out_copy);

/* Of facts, which have no versions (origins). */
extern const struct line_path *const items_facts_path;

/*
 * The newest version that the path sees. -ENOENT: none, or it is absent.
 * -EUCLEAN: damaged.
 */
NODISCARD int items_find(struct store *store, const struct line_path *path,
			 const uint8_t *key, size_t key_bytes,
			 struct item_copy **out_copy);
/*
 * Calls visit for the newest version of every key that begins with the prefix
 * and is not absent, in order. A negative return ends and is returned.
 */
typedef int items_visit(void *context, const uint8_t *key, size_t key_bytes,
			const struct item_copy *copy);
NODISCARD int items_scan(struct store *store, const struct line_path *path,
			 const uint8_t *prefix, size_t prefix_bytes,
			 items_visit *visit, void *context);

/*
 * What one operation changes: all of it, or nothing, is in the log. Begin with
 * a zeroed batch. payload_bytes 0: absent from now on. -E2BIG, -ENOMEM.
 */
NODISCARD int item_edits_add(struct batch *edits, const uint8_t *key,
			     size_t key_bytes, const void *payload,
			     size_t payload_bytes);
void item_edits_fini(struct batch *edits);

/* Appends the edits to the log and applies them to the head. -EROFS, -ENOSPC:
 * nothing was done. */
NODISCARD int items_commit_locked(struct view *view, struct batch *edits)
	REQUIRES(view->store->order_lock);
/* The effect of a whole batch; for replay as well. -EUCLEAN: damaged. */
NODISCARD int items_apply_locked(struct view *view, const struct batch *edits)
	REQUIRES(view->store->order_lock);
/* An unsaved version that is in the log otherwise. */
NODISCARD int items_put_locked(struct store *store, const uint8_t *key,
			       size_t key_bytes, struct item_version version,
			       const void *payload, size_t payload_bytes)
	REQUIRES(store->order_lock);

/* For the checkpoint. begin: what is unsaved now is what save writes; end:
 * it is in the index. Between them it is still found. */
void items_begin_save_locked(struct store *store) REQUIRES(store->order_lock);
NODISCARD int items_save(struct store *store);
void items_end_save(struct store *store);
/* Is there an older row that is not absent, and that the line saw before this
 * version? Else an absent one is of no use. */
NODISCARD int items_hide_locked(struct store *store, const uint8_t *key,
				size_t key_bytes, struct item_version version,
				bool *out_hides) REQUIRES(store->order_lock);
/* Unsaved versions of a line up to gen? */
bool items_unsaved(struct store *store, uint32_t line, uint32_t gen);
uint64_t items_memory_bytes(struct store *store);
