/*
 * What differs between two views: only windows with a row that one path
 * sees and the other does not are compared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

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

static int add_rows(struct differ *differ, uint32_t line, uint32_t gen_begin,
		    uint64_t gen_end)
{
	struct window_key keys[64];
	int64_t cursor[2] = { 0, 0 };
	uint32_t end = gen_end > UINT32_MAX ? UINT32_MAX : (uint32_t)gen_end;
	int count = 64, i, rc = 0;

	while (count == 64 && rc == 0) {
		count = index_windows_of_line(differ->store->index, line,
					      gen_begin, end, keys, 64, cursor);
		if (count < 0)
			return count;
		for (i = 0; i < count && rc == 0; i++)
			rc = add_number(differ, keys[i].window);
	}
	return rc;
}

/* Rows on a's path that b's does not see. */
static int add_path(struct differ *differ, const struct line_path *a,
		    const struct line_path *b)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < a->count && rc == 0; i++) {
		const struct line_limit *mine = &a->level[i];
		const struct line_limit *other =
			b ? line_path_find(b, mine->line) : NULL;

		if (!other || other->gen < mine->gen)
			rc = add_rows(differ, mine->line,
				      other ? other->gen + 1 : 0,
				      (uint64_t)mine->gen + 1);
	}
	return rc;
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

static const struct slot *slot_of(const struct slot *slots, unsigned count,
				  unsigned *i, unsigned block)
{
	while (*i < count &&
	       (unsigned)slots[*i].first + slots[*i].count <= block)
		(*i)++;
	return *i < count && slots[*i].first <= block ? &slots[*i] : NULL;
}

static bool same(const struct slot *a, const struct slot *b)
{
	if (!a || !b)
		return a == b;
	if (a->kind == SLOT_KIND_ZERO || b->kind == SLOT_KIND_ZERO)
		return a->kind == b->kind;
	return slot_same_chunk(a, b) && a->lz4 == b->lz4;
}

static int compare_window(struct differ *differ, uint64_t number)
{
	unsigned from_count = 0, to_count, i = 0, j = 0, block;
	int rc = file_map_window(view_image(differ->to), number,
				 differ->to_slots, &to_count);

	if (rc == 0 && differ->from)
		rc = file_map_window(view_image(differ->from), number,
				     differ->from_slots, &from_count);
	for (block = 0; block < WINDOW_BLOCKS && rc == 0; block++) {
		const struct slot *from =
			slot_of(differ->from_slots, from_count, &i, block);
		const struct slot *to =
			slot_of(differ->to_slots, to_count, &j, block);
		uint64_t at =
			number * WINDOW_BYTES + (uint64_t)block * BLOCK_BYTES;
		enum extent_kind kind = !to ? EXTENT_KIND_BASE :
					to->kind == SLOT_KIND_ZERO ?
					      EXTENT_KIND_ZERO :
					      EXTENT_KIND_DATA;
		struct diff_extent *run = &differ->run;

		if (same(from, to))
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
	size_t i;
	int rc = store_checkpoint(differ->store);

	if (rc == 0)
		rc = add_path(differ, differ->to->path,
			      differ->from ? differ->from->path : NULL);
	if (rc == 0 && differ->from)
		rc = add_path(differ, differ->from->path, differ->to->path);
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
