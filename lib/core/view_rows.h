/*
 * What of the index one view sees and another does not: so that comparing two
 * views costs what changed between them.
 */
#pragma once

#include <stdint.h>

#include "item_format.h"
#include "store.h"

struct view;

/* A negative return ends and is returned. Either may be NULL. One key comes
 * as often as there are rows of it. */
struct view_rows_visitor {
	int (*item)(void *context, const struct item_key *key);
	int (*window)(void *context, uint64_t inode, uint64_t window);
};

/* Rows that the one's path sees and the other's does not; from NULL: all of
 * to's. What is unsaved is saved first. */
NODISCARD int view_rows_between(struct view *from, struct view *to,
				const struct view_rows_visitor *visitor,
				void *context);

/* Blocks of one window of a file in which two views differ. */
struct window_difference {
	unsigned changed_blocks;
	unsigned stored_blocks; /* of these, what `to` has in the store */
};
NODISCARD int view_window_compare(struct view *from, struct view *to,
				  uint64_t inode, uint64_t window,
				  struct window_difference *out_difference);

/* A view that sees nothing of what was ever stored; read-only. */
NODISCARD int view_open_base(struct store *store, struct view **out_view,
			     struct failure *failure);
