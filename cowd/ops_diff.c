/*
 * Method diff: the extents that differ between two states of an image, or
 * (ops_tree_diff.c) the paths of a tree.
 *
 * A page holds at most PAGE_EXTENTS of them, so that neither side needs
 * memory for all: the caller asks again with "start" until "next" is null.
 */
#include <errno.h>
#include <stdlib.h>

#include "ops_impl.h"
#include "store_layers.h"

enum { PAGE_EXTENTS = 65536 };

struct page {
	json_t *extents; /* NULL: totals only */
	uint64_t start, next;
	bool is_full;
	struct diff_extent run; /* length 0: none yet */
	uint64_t count, data_bytes, zero_bytes, base_bytes;
};

static void count_run(struct page *page)
{
	const struct diff_extent *run = &page->run;

	page->count++;
	switch (run->kind) {
	case EXTENT_KIND_BASE:
		page->base_bytes += run->length_bytes;
		break;
	case EXTENT_KIND_DATA:
	case EXTENT_KIND_LOST:
		page->data_bytes += run->length_bytes;
		break;
	case EXTENT_KIND_ZERO:
		page->zero_bytes += run->length_bytes;
		break;
	}
	if (page->extents) {
		bool lost = run->kind == EXTENT_KIND_LOST;
		json_t *extent =
			json_pack("{s:o, s:o, s:b, s:b}", "start",
				  json_size(run->start_bytes), "length",
				  json_size(run->length_bytes), "data",
				  run->kind == EXTENT_KIND_DATA || lost, "zero",
				  run->kind == EXTENT_KIND_ZERO);

		if (lost)
			json_object_set_new(extent, "lost", json_true());
		json_array_append_new(page->extents, extent);
	}
}

static int visit(void *context, const struct diff_extent *extent)
{
	struct page *page = context;
	struct diff_extent *run = &page->run;

	if (extent->start_bytes < page->start)
		return 0;
	if (run->length_bytes && run->kind == extent->kind &&
	    run->start_bytes + run->length_bytes == extent->start_bytes) {
		run->length_bytes += extent->length_bytes;
		return 0;
	}
	if (run->length_bytes)
		count_run(page);
	*run = *extent;
	if (page->extents && json_array_size(page->extents) >= PAGE_EXTENTS) {
		page->is_full = true;
		page->next = extent->start_bytes;
		return 1;
	}
	return 0;
}

struct sides {
	uint32_t from_id, to_id; /* 0: base; the head */
	struct snapshot_info from, to;
	struct branch_info head;
};

/* No snapshot to compare with: the newest of the branch, or its base. */
static int newest(struct call *call, struct sides *sides)
{
	struct failure ignored = { .code = FAILURE_NONE };
	int rc = history_find_snapshot(call->store, sides->head.name, "latest",
				       &sides->from, &ignored);

	if (rc == 0)
		sides->from_id = sides->from.id;
	return rc == -ENOENT ? 0 : rc;
}

static int find_sides(struct call *call, struct sides *sides)
{
	const char *from = call_text(call, "from");
	const char *to = call_text(call, "to");
	const char *branch = call_text(call, "from_branch");
	int rc = 0;

	if (from) {
		rc = call_find_snapshot(call, branch, from, &sides->from);
		sides->from_id = sides->from.id;
		if (rc == 0 && !branch)
			branch = sides->from.branch[0] ? sides->from.branch :
							 NULL;
	}
	if (call_text(call, "to_branch"))
		branch = call_text(call, "to_branch");
	if (rc == 0 && to) {
		rc = call_find_snapshot(call, branch, to, &sides->to);
		sides->to_id = sides->to.id;
		return rc;
	}
	if (rc == 0)
		rc = history_find_branch(call->store, branch, &sides->head,
					 call->failure);
	if (rc == 0 && !from && !call_flag(call, "from_base"))
		rc = newest(call, sides);
	if (rc == 0)
		rc = call_flush(call, sides->head.name);
	return rc;
}

static int put_page(struct call *call, struct page *page)
{
	int rc;

	if (page->run.length_bytes && !page->is_full)
		count_run(page);
	rc = call_put(call, "changes", json_null());
	if (rc == 0)
		rc = call_put(call, "extents",
			      page->extents ? json_incref(page->extents) :
					      json_array());
	if (rc == 0) {
		rc = call_put(
			call, "summary",
			json_pack("{s:o, s:o, s:o, s:o}", "extents",
				  json_size(page->count), "data_bytes",
				  json_size(page->data_bytes), "zero_bytes",
				  json_size(page->zero_bytes), "base_bytes",
				  json_size(page->base_bytes)));
	}
	return rc < 0 ? rc :
			call_put(call, "next",
				 page->is_full ? json_size(page->next) :
						 json_null());
}

static int diff(struct call *call)
{
	AUTO_FREE struct sides *sides = calloc(1, sizeof(*sides));
	struct page page = {
		.extents = call_flag(call, "stat") ? NULL : json_array(),
		.start = (uint64_t)call_number(call, "start", 0),
	};
	int rc = sides ? find_sides(call, sides) : -ENOMEM;
	bool is_tree = store_is_tree(call->store);

	if (rc == 0 && is_tree)
		rc = call_tree_diff(call, sides->from_id, sides->head.name,
				    sides->to_id);
	else if (rc == 0)
		rc = history_diff(call->store, sides->from_id,
				  sides->to_id ? NULL : sides->head.name,
				  sides->to_id, visit, &page, call->failure);
	if (rc >= 0)
		rc = call_put(call, "from",
			      sides->from_id ? json_text(sides->from.name) :
					       json_string("base"));
	if (rc == 0)
		rc = call_put(call, "to", json_text_or_null(sides->to.name));
	if (rc == 0)
		rc = call_put(call, "branch",
			      json_text_or_null(sides->to_id ?
							sides->to.branch :
							sides->head.name));
	if (rc == 0 && !is_tree)
		rc = put_page(call, &page);
	json_decref(page.extents);
	return rc;
}

const struct method methods_diff[] = {
	{ "diff",
	  "from_branch:s from:s from_base:b to_branch:s to:s stat:b start:i "
	  "times:b paths:l after:s",
	  diff },
	{ .name = NULL },
};
