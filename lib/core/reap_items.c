/*
 * Dropping and folding versions of items, as reap_row.c and fold.c do it with
 * those of windows; but nothing is freed with an item.
 *
 * I1: an absent row hides an older one (item_store.c, I4): whenever a row
 *     goes, the next version of its key may have lost what it hid, on the
 *     line or, if the line is folded, first on the child. It is the only one:
 *     a row stays while any other line has left it in its generations.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"
#include "reap_impl.h"

enum { BATCH_KEYS = 128 };

struct item_visit {
	struct store *store;
	uint32_t line;
	const struct item_row_key *row;
};

static struct item_version version_of(const struct item_visit *visit)
{
	return (struct item_version){ visit->line, visit->row->gen };
}

/* Generation of the item's first version on a line from gen on, saved or
 * not; UINT32_MAX: none. */
static int next_gen(const struct item_visit *visit, uint32_t line, uint32_t gen,
		    uint32_t *out_gen)
{
	struct store *store = visit->store;
	const struct item_row_key *row = visit->row;
	const struct item_version from = { line, gen };
	struct item_version found = { line, UINT32_MAX };
	uint32_t unsaved;
	size_t value_bytes;
	int rc = index_item_next_version(store->index, row->key, row->key_bytes,
					 &from, &found, NULL, 0, &value_bytes);

	if (rc == -ENOENT)
		found.gen = UINT32_MAX;
	else if (rc < 0 && rc != -ERANGE)
		return rc;
	mutex_lock(&store->item_lock);
	unsaved = item_table_next_gen(&store->items, row->key, row->key_bytes,
				      line, gen);
	if (unsaved < found.gen)
		found.gen = unsaved;
	unsaved = item_table_next_gen(&store->saving_items, row->key,
				      row->key_bytes, line, gen);
	if (unsaved < found.gen)
		found.gen = unsaved;
	mutex_unlock(&store->item_lock);
	*out_gen = found.gen;
	return 0;
}

typedef int item_row_visit(const struct item_visit *visit, void *context);

static int visit_rows(struct store *store, uint32_t line, uint32_t gen_begin,
		      uint32_t gen_end, item_row_visit *each, void *context)
{
	AUTO_FREE struct item_row_key *keys = calloc(BATCH_KEYS, sizeof(*keys));
	int64_t cursor[2] = { 0, 0 };
	uint32_t most = BATCH_KEYS;
	int count = BATCH_KEYS, i, rc = 0;

	mutex_assert_held(&store->maintenance_lock); /* by reap_run() */
	if (!keys)
		return -ENOMEM;
	while (count == (int)most && rc == 0) {
		most = BATCH_KEYS;
		rc = worker_breathe(store, &most);
		if (rc < 0)
			return rc;
		count = index_items_of_line(store->index, line, gen_begin,
					    gen_end, keys, (int)most, cursor);
		if (count < 0)
			return count;
		mutex_lock(&store->order_lock);
		for (i = 0; i < count && rc == 0; i++) {
			const struct item_visit visit = { store, line,
							  &keys[i] };

			rc = each(&visit, context);
		}
		mutex_unlock(&store->order_lock);
	}
	return rc;
}

/* The first row of the item on a line from gen on, if it is absent and hides
 * nothing. Unsaved versions are looked at when they are saved. */
static int drop_needless(const struct item_visit *visit, uint32_t line,
			 uint32_t gen) REQUIRES(visit->store->order_lock)
{
	struct store *store = visit->store;
	const struct item_row_key *row = visit->row;
	const struct item_version from = { line, gen };
	struct item_version found;
	size_t value_bytes;
	bool hides = false;
	int rc = index_item_next_version(store->index, row->key, row->key_bytes,
					 &from, &found, NULL, 0, &value_bytes);

	if (rc != -ERANGE)
		return rc == -ENOENT ? 0 : rc;
	if (!item_value_absent(value_bytes))
		return 0;
	mutex_assert_held(&store->order_lock);
	rc = items_hide_locked(store, row->key, row->key_bytes, found, &hides);
	if (rc < 0 || hides)
		return rc;
	return index_item_delete(store->index, row->key, row->key_bytes,
				 &found);
}

static int delete_row(const struct item_visit *visit)
	REQUIRES(visit->store->order_lock)
{
	const struct item_version version = version_of(visit);
	int rc = index_item_delete(visit->store->index, visit->row->key,
				   visit->row->key_bytes, &version);

	if (rc < 0)
		return rc;
	return drop_needless(visit, visit->line, version.gen + 1); /* I1 */
}

/* A row stays while something sees the generations that it covers. */
static int drop_unseen(const struct item_visit *visit, void *context)
	REQUIRES(visit->store->order_lock)
{
	const struct graph *graph = &visit->store->graph;
	uint32_t end;
	int rc = next_gen(visit, visit->line, visit->row->gen + 1, &end);

	(void)context;
	if (rc < 0)
		return rc;
	if (end == UINT32_MAX && graph_branch_of_line(graph, visit->line))
		return 0; /* the head sees it */
	if (graph_next_point(graph, visit->line, visit->row->gen) < end)
		return 0;
	return delete_row(visit);
}

int reap_items(struct store *store, uint32_t line, uint32_t gen_begin,
	       uint32_t gen_end)
{
	return visit_rows(store, line, gen_begin, gen_end, drop_unseen, NULL);
}

/* Does the child see the row of the line that it left? */
static int seen_by_child(const struct item_visit *visit,
			 const struct line_row *child, bool *out_seen)
	REQUIRES(visit->store->order_lock)
{
	const struct graph *graph = &visit->store->graph;
	uint32_t next, first;
	int rc = next_gen(visit, visit->line, visit->row->gen + 1, &next);

	if (rc == 0)
		rc = next_gen(visit, child->id, 0, &first);
	if (rc < 0)
		return rc;
	*out_seen = visit->row->gen <= child->fork_gen &&
		    next > child->fork_gen &&
		    (graph_next_point(graph, child->id, 0) < first ||
		     (first == UINT32_MAX &&
		      graph_branch_of_line(graph, child->id)));
	return 0;
}

static int hand_down(const struct item_visit *visit, uint32_t child)
	REQUIRES(visit->store->order_lock)
{
	const struct item_row_key *row = visit->row;
	const struct item_version version = version_of(visit);
	struct item_identity identity = { row->key, row->key_bytes, child,
					  row->gen };
	AUTO_FREE uint8_t *value = malloc(ITEM_VALUE_BYTES_MAX);
	AUTO_FREE struct item_copy *copy = NULL;
	struct item_found found = { .version = version,
				    .key = row->key,
				    .key_bytes = row->key_bytes,
				    .value = value };
	struct item_version at;
	size_t value_bytes;
	int rc;

	if (!value)
		return -ENOMEM;
	rc = index_item_next_version(visit->store->index, row->key,
				     row->key_bytes, &version, &at, value,
				     ITEM_VALUE_BYTES_MAX, &value_bytes);
	if (rc == -ENOENT || (rc == 0 && at.gen != version.gen))
		return 0; /* it was needless, and is gone */
	if (rc < 0)
		return rc;
	found.value_bytes = (uint32_t)value_bytes;
	rc = items_copy_row(visit->store, &found, &copy);
	if (rc < 0)
		return rc;
	value_bytes = item_value_encode(visit->store->seed, &identity,
					copy->payload, copy->payload_bytes,
					value);
	return index_item_relabel(visit->store->index, row->key, row->key_bytes,
				  &version, child, value, value_bytes);
}

static int fold_row(const struct item_visit *visit, void *context)
	REQUIRES(visit->store->order_lock)
{
	const struct line_row *child = context;
	bool seen;
	int rc = seen_by_child(visit, child, &seen);

	if (rc < 0)
		return rc;
	if (seen)
		return hand_down(visit, child->id);
	rc = delete_row(visit);
	return rc < 0 ? rc : drop_needless(visit, child->id, 0); /* I1 */
}

int fold_items(struct store *store, uint32_t line, struct line_row *child)
{
	return visit_rows(store, line, 0, UINT32_MAX, fold_row, child);
}
