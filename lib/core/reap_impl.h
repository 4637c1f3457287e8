/*
 * The reaper's insides: versions of a window as the rows and the memory have
 * them, and what becomes of one row. Only the maintenance thread is here.
 */
#pragma once

#include "store_impl.h"

/* A version of a window, from the index or from memory. */
struct version {
	struct window_key key;
	size_t slot_count;
	struct slot slots[WINDOW_BLOCKS];
};

struct reaper {
	struct store *store;
	struct version row, other;
	uint8_t bytes[WINDOW_ROW_BYTES_MAX];
};

/* The first version of the window on a line from gen on. -ENOENT. */
NODISCARD int reap_next_version(struct reaper *reaper, uint32_t line,
				uint32_t gen, const struct window_key *key,
				struct version *version);
/* The version that the row was made from. -ENOENT: base. */
NODISCARD int reap_previous_version(struct reaper *reaper,
				    const struct window_key *key,
				    struct version *version);

/* Reads the row into reaper->row. -ENOENT: it is gone meanwhile. */
NODISCARD int reap_load_row(struct reaper *reaper,
			    const struct window_key *key);
/* Takes the chunks that the version uses out of reaper->row. */
void reap_subtract(struct reaper *reaper, const struct version *version);
/* Deletes the row of reaper->row, and frees the chunks left in it. */
NODISCARD int reap_drop_row(struct reaper *reaper)
	REQUIRES(reaper->store->order_lock);
/* Deletes the first row of the window on a line from gen on if it has no
 * slots and hides nothing. Unsaved versions are looked at when saved. */
NODISCARD int reap_drop_needless(struct reaper *reaper, uint32_t line,
				 uint32_t gen, const struct window_key *key)
	REQUIRES(reaper->store->order_lock);
/* Drops the row of a line unless something sees its generations. */
NODISCARD int reap_row(struct reaper *reaper, const struct window_key *key)
	REQUIRES(reaper->store->order_lock);

/* What is done with each row of a line in [gen_begin, gen_end); checkpoints
 * in between so that writers need not wait for the end. */
typedef int row_visit(struct reaper *reaper, const struct window_key *key,
		      void *context);
NODISCARD int reap_visit_rows(struct reaper *reaper, uint32_t line,
			      uint32_t gen_begin, uint32_t gen_end,
			      row_visit *visit, void *context);

/* reap_items.c: drops versions of items of a line that nobody sees; gives
 * what the child sees of the line to it, drops the rest. */
NODISCARD int reap_items(struct store *store, uint32_t line, uint32_t gen_begin,
			 uint32_t gen_end);
NODISCARD int fold_items(struct store *store, uint32_t line,
			 struct line_row *child);

/* fold.c: the line goes, what its only child sees of it becomes that one's. */
NODISCARD int fold_line(struct reaper *reaper, const struct line_row *row);
