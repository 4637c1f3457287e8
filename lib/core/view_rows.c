/* Rows of the index that one path sees and the other does not. */
#include "view_rows.h"

#include <errno.h>
#include <stdlib.h>

#include "store_impl.h"
#include "view_items.h"

enum { ROWS_AT_ONCE = 64 };

struct rows {
	struct index *index;
	const struct view_rows_visitor *visitor;
	void *context;
	struct item_row_key items[ROWS_AT_ONCE];
	struct window_key windows[ROWS_AT_ONCE];
};

static int visit_windows(struct rows *rows, uint32_t line, uint32_t begin,
			 uint32_t end)
{
	int64_t cursor[2] = { 0, 0 };
	int count = ROWS_AT_ONCE, i, rc = 0;

	if (!rows->visitor->window)
		return 0;
	while (count == ROWS_AT_ONCE && rc == 0) {
		count = index_windows_of_line(rows->index, line, begin, end,
					      rows->windows, ROWS_AT_ONCE,
					      cursor);
		if (count < 0)
			return count;
		for (i = 0; i < count && rc == 0; i++)
			rc = rows->visitor->window(rows->context,
						   rows->windows[i].inode,
						   rows->windows[i].window);
	}
	return rc;
}

static int visit_items(struct rows *rows, uint32_t line, uint32_t begin,
		       uint32_t end)
{
	int64_t cursor[2] = { 0, 0 };
	int count = ROWS_AT_ONCE, i, rc = 0;
	struct item_key key;

	if (!rows->visitor->item)
		return 0;
	while (count == ROWS_AT_ONCE && rc == 0) {
		count = index_items_of_line(rows->index, line, begin, end,
					    rows->items, ROWS_AT_ONCE, cursor);
		if (count < 0)
			return count;
		for (i = 0; i < count && rc == 0; i++) {
			rc = item_key_decode(rows->items[i].key,
					     rows->items[i].key_bytes, &key);
			if (rc == 0)
				rc = rows->visitor->item(rows->context, &key);
		}
	}
	return rc;
}

/* Rows on a's path that b's does not see. */
static int visit_path(struct rows *rows, const struct line_path *a,
		      const struct line_path *b)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < a->count && rc == 0; i++) {
		const struct line_limit *mine = &a->level[i];
		const struct line_limit *other =
			b ? line_path_find(b, mine->line) : NULL;
		uint32_t begin = other ? other->gen + 1 : 0;
		uint32_t end = mine->gen == UINT32_MAX ? UINT32_MAX :
							 mine->gen + 1;

		if (other && other->gen >= mine->gen)
			continue;
		rc = visit_items(rows, mine->line, begin, end);
		if (rc == 0)
			rc = visit_windows(rows, mine->line, begin, end);
	}
	return rc;
}

static void get_paths(struct view *from, struct view *to,
		      struct line_path **out_from, struct line_path **out_to)
{
	mutex_lock(&to->store->map_lock);
	*out_from = from ? line_path_get(from->path) : NULL;
	*out_to = line_path_get(to->path);
	mutex_unlock(&to->store->map_lock);
}

int view_rows_between(struct view *from, struct view *to,
		      const struct view_rows_visitor *visitor, void *context)
{
	AUTO_FREE struct rows *rows = calloc(1, sizeof(*rows));
	struct line_path *a, *b;
	int rc = rows ? store_checkpoint(to->store) : -ENOMEM;

	if (rc < 0)
		return rc;
	rows->index = to->store->index;
	rows->visitor = visitor;
	rows->context = context;
	get_paths(from, to, &a, &b);
	rc = visit_path(rows, b, a);
	if (rc == 0 && a)
		rc = visit_path(rows, a, b);
	line_path_put(a);
	line_path_put(b);
	return rc;
}

static int map_window(struct view *view, uint64_t inode, uint64_t window,
		      struct slot *slots, unsigned *out_count)
{
	struct file *file;
	int rc = view_file_get(view, inode, NULL, NULL, &file);

	*out_count = 0;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = file_map_window(file, window, slots, out_count);
	view_file_put(file);
	return rc;
}

int view_window_compare(struct view *from, struct view *to, uint64_t inode,
			uint64_t window,
			struct window_difference *out_difference)
{
	AUTO_FREE struct slot *slots =
		calloc(WINDOW_BLOCKS, 2 * sizeof(*slots));
	struct slot_walk a, b;
	unsigned block;
	int rc;

	if (!slots)
		return -ENOMEM;
	a = (struct slot_walk){ .slots = slots };
	b = (struct slot_walk){ .slots = slots + WINDOW_BLOCKS };
	rc = map_window(from, inode, window, slots, &a.count);
	if (rc == 0)
		rc = map_window(to, inode, window, slots + WINDOW_BLOCKS,
				&b.count);
	if (rc < 0)
		return rc;
	*out_difference = (struct window_difference){ 0 };
	for (block = 0; block < WINDOW_BLOCKS; block++) {
		const struct slot *old = slot_walk(&a, block);
		const struct slot *new = slot_walk(&b, block);

		if (slot_same_content(old, new))
			continue;
		out_difference->changed_blocks++;
		if (new &&slot_has_place(new))
			out_difference->stored_blocks++;
	}
	return 0;
}
