/*
 * What differs between two views: only windows with a row that one path
 * sees and the other does not are compared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"
#include "view_rows.h"

struct differ {
	struct store *store;
	struct view *from, *to; /* from NULL: base */
	uint64_t *numbers;
	size_t count, capacity;
	struct slot from_slots[WINDOW_BLOCKS], to_slots[WINDOW_BLOCKS];
	struct diff_extent run; /* length 0: none yet */
	diff_visit *visit;
	void *context;
};

static int add_number(struct differ *differ, uint64_t number)
{
	if (differ->count == differ->capacity) {
		size_t capacity = differ->capacity ? differ->capacity * 2 : 256;
		void *grown = realloc(differ->numbers,
				      capacity * sizeof(*differ->numbers));

		if (!grown)
			return -ENOMEM;
		differ->numbers = grown;
		differ->capacity = capacity;
	}
	differ->numbers[differ->count++] = number;
	return 0;
}

static int add_row(void *context, uint64_t inode, uint64_t window)
{
	(void)inode;
	return add_number(context, window);
}

static int by_number(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static int emit(struct differ *differ)
{
	int rc = differ->run.length_bytes ?
			 differ->visit(differ->context, &differ->run) :
			 0;

	differ->run.length_bytes = 0;
	return rc;
}

static int compare_window(struct differ *differ, uint64_t number)
{
	struct slot_walk from_walk = { .slots = differ->from_slots };
	struct slot_walk to_walk = { .slots = differ->to_slots };
	unsigned block;
	int rc = file_map_window(view_image(differ->to), number,
				 differ->to_slots, &to_walk.count);

	if (rc == 0 && differ->from)
		rc = file_map_window(view_image(differ->from), number,
				     differ->from_slots, &from_walk.count);
	for (block = 0; block < WINDOW_BLOCKS && rc == 0; block++) {
		const struct slot *from = slot_walk(&from_walk, block);
		const struct slot *to = slot_walk(&to_walk, block);
		uint64_t at =
			number * WINDOW_BYTES + (uint64_t)block * BLOCK_BYTES;
		enum extent_kind kind =
			!to			   ? EXTENT_KIND_BASE :
			to->kind == SLOT_KIND_ZERO ? EXTENT_KIND_ZERO :
			to->kind == SLOT_KIND_LOST ? EXTENT_KIND_LOST :
						     EXTENT_KIND_DATA;
		struct diff_extent *run = &differ->run;

		if (slot_same_content(from, to))
			continue;
		if (run->length_bytes && run->kind == kind &&
		    run->start_bytes + run->length_bytes == at) {
			run->length_bytes += BLOCK_BYTES;
			continue;
		}
		rc = emit(differ);
		*run = (struct diff_extent){ at, BLOCK_BYTES, kind };
	}
	return rc;
}

static int run_diff(struct differ *differ)
{
	const struct view_rows_visitor visitor = { .window = add_row };
	size_t i;
	int rc = view_rows_between(differ->from, differ->to, &visitor, differ);

	if (rc < 0)
		return rc;
	if (differ->count)
		qsort(differ->numbers, differ->count, sizeof(*differ->numbers),
		      by_number);
	for (i = 0; i < differ->count && rc == 0; i++)
		if (i == 0 || differ->numbers[i] != differ->numbers[i - 1])
			rc = compare_window(differ, differ->numbers[i]);
	return rc == 0 ? emit(differ) : rc;
}

int history_diff(struct store *store, uint32_t from_snapshot_id,
		 const char *to_branch, uint32_t to_snapshot_id,
		 diff_visit *visit, void *context, struct failure *failure)
{
	AUTO_FREE struct differ *differ = calloc(1, sizeof(*differ));
	int rc;

	if (!differ)
		return failure_errno(failure, -ENOMEM, NULL, "can't compare");
	if (store->is_tree)
		return failure_set(failure, FAILURE_USAGE, store->path,
				   "extents are of images, and the store is "
				   "over directories");
	differ->store = store;
	differ->visit = visit;
	differ->context = context;
	rc = to_snapshot_id ?
		     view_open_snapshot(store, to_snapshot_id, &differ->to,
					failure) :
		     view_open_branch(store, to_branch, &differ->to, failure);
	if (rc < 0)
		return rc;
	if (from_snapshot_id)
		rc = view_open_snapshot(store, from_snapshot_id, &differ->from,
					failure);
	if (rc == 0) {
		rc = run_diff(differ);
		if (rc < 0)
			failure_errno(failure, rc, store->path,
				      "can't compare");
	}
	free(differ->numbers);
	if (differ->from)
		view_put(differ->from);
	view_put(differ->to);
	return rc;
}
