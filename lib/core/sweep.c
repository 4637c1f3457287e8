/*
 * Blocks that several windows use (copies of files, what is restored) have no
 * owner that could tell when they are free. A sweep looks at all rows and
 * frees those that it has seen in none.
 *
 * I1: whatever refers to a shared block when the sweep ends does so in a row
 *     that it has seen, or since a record that came after its begin and
 *     counts as seen. For at the begin everything is saved; rows change by
 *     checkpoints only while maintenance_lock is held; and a version of a
 *     window has its blocks from an older version of it, whose row stays, or
 *     by a record.
 * I2: a block that one row alone refers to, and of which no record came since
 *     the begin, is that window's own again: a later version may have it, as
 *     that row's neighbour.
 */
#include <errno.h>
#include <stdlib.h>

#include "store_impl.h"

enum { ROWS_AT_ONCE = 1000 };

static void see_slots(struct store *store, const struct slot *slots,
		      size_t slot_count)
{
	size_t i;

	for (i = 0; i < slot_count; i++) {
		struct location at = { slots[i].segment, slots[i].block };

		if (!slot_has_place(&slots[i]) ||
		    (slots[i].kind == SLOT_KIND_LZ4 && i > 0 &&
		     slot_same_chunk(&slots[i], &slots[i - 1]) &&
		     slots[i].first == slots[i - 1].first + 1))
			continue; /* the rest of the chunk */
		space_map_see(&store->space, at, slot_stored_blocks(&slots[i]));
	}
}

static int see_rows(struct store *store) REQUIRES(store->maintenance_lock)
{
	AUTO_FREE uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	AUTO_FREE struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	struct window_key key = { 0 };
	size_t row_bytes, slot_count;
	uint32_t none = 0;
	unsigned count = 0;
	int rc;

	if (!row || !slots)
		return -ENOMEM;
	while ((rc = index_window_scan(store->index, &key, row, &row_bytes)) ==
	       0) {
		rc = window_decode(store->seed, &key, row, row_bytes, slots,
				   &slot_count);
		if (rc < 0)
			return rc;
		see_slots(store, slots, slot_count);
		if (++count % ROWS_AT_ONCE == 0)
			rc = worker_breathe(store, &none);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

int sweep_run(struct store *store)
{
	int rc = space_map_begin_sweep(&store->space);

	if (rc < 0)
		return rc;
	rc = checkpoint_run(store, false);
	if (rc == 0)
		rc = see_rows(store);
	if (rc == 0)
		(void)space_map_end_sweep(&store->space);
	else
		space_map_abort_sweep(&store->space);
	return rc < 0 ? rc : checkpoint_run(store, false);
}
