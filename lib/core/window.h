/*
 * Windows in memory. A cache holds what one view sees; the live window of a
 * (inode, number) may have frozen older versions behind it that only the
 * next checkpoint saves.
 *
 * I1: a dirty window is in its store's dirty list and is never evicted.
 * I2: a window's content is what the row of its key holds, or will hold.
 * I3: frozen versions are dirty, immutable, and newest first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "window_format.h"

struct window_number {
	uint64_t inode;
	uint64_t window;
};

struct window {
	struct window_number number;
	uint32_t line, gen; /* its row; line 0: there is none */
	struct slot *slots;
	uint16_t slot_count, slot_capacity;
	bool dirty, frozen, saving, referenced;
	uint64_t checkpoint_nr; /* in which it became dirty */
	struct window *older;	/* frozen versions */
	struct window_cache *cache;
	struct window *lru_previous, *lru_next;
	struct window *dirty_previous, *dirty_next;
	UT_hash_handle hh;
};

struct window_cache {
	uint32_t line; /* of the head; 0 for snapshots: nothing dirty */
	bool retired;  /* no view: waits for its dirty windows */
	uint32_t dirty_count;
	struct window *windows; /* by number */
	struct window_cache *previous, *next;
};

/* Accounted memory of a window. */
size_t window_bytes(const struct window *window);

/* Index of the first slot that ends after block. */
unsigned window_search(const struct window *window, unsigned block);
/* The slot that covers block, or NULL. */
const struct slot *window_slot(const struct window *window, unsigned block);
/*
 * Replaces what covers [begin, end) by slots (within it, sorted; none:
 * uncovered). Calls dropped for every part of a data slot that goes.
 * -ENOMEM leaves the window as it was.
 */
typedef void window_dropped(void *context, const struct slot *slot);
NODISCARD int window_replace(struct window *window, unsigned begin,
			     unsigned end, const struct slot *slots,
			     unsigned slot_count, window_dropped *dropped,
			     void *context);
/* Does any slot use the chunk of this one? */
bool window_uses_chunk(const struct slot *slots, unsigned slot_count,
		       const struct slot *chunk);

/* The slots of a window, asked for block by block in rising order. */
struct slot_walk {
	const struct slot *slots;
	unsigned count, at;
};
/* NULL: not covered. */
const struct slot *slot_walk(struct slot_walk *walk, unsigned block);
/* Are these, of one block in two versions of a window, the same bytes? Either
 * may be NULL. Stored twice counts as different. */
bool slot_same_content(const struct slot *a, const struct slot *b);
