/*
 * Layers: which directories a store was made over (rows of `base`), and which
 * of them a view sees, in which order (its STACK item).
 */
#include "store_layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"

bool store_is_tree(const struct store *store)
{
	return store->is_tree;
}

const struct base_row *store_layer_rows(const struct store *store,
					size_t *out_count)
{
	*out_count = store->layer_count;
	return store->layer_rows;
}

static int add_row(void *context, const struct base_row *row)
{
	struct store *store = context;
	struct base_row *rows;

	if (row->fingerprint.kind != BASE_KIND_DIRECTORY)
		return 0;
	rows = realloc(store->layer_rows,
		       (store->layer_count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	store->layer_rows = rows;
	rows[store->layer_count++] = *row;
	store->is_tree = true;
	return 0;
}

int store_load_layers(struct store *store)
{
	return index_bases_load(store->index, add_row, store);
}

/* A directory that was moved, if there is but one. */
static int find_moved(struct store *store, const char *path,
		      struct failure *failure)
{
	struct base_row *row = &store->layer_rows[0];
	int rc;

	if (!path)
		return 0;
	if (store->layer_count > 1) {
		failure_set(failure, FAILURE_USAGE, path,
			    "the store has %zu layers, and one path was given",
			    store->layer_count);
		failure_hint(failure, "bind-mount the layers where they were");
		return -EINVAL;
	}
	rc = layer_fingerprint_check(&row->fingerprint, path, &row->fingerprint,
				     failure);
	if (rc < 0)
		return rc;
	rc = index_base_put(store->index, row->layer, row->name,
			    &row->fingerprint);
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't note the base's new path") :
			0;
}

int store_open_layers(struct store *store, const char *base_path,
		      struct failure *failure)
{
	size_t i;
	int rc = find_moved(store, base_path, failure);

	for (i = 0; i < store->layer_count && rc == 0; i++)
		rc = layer_fingerprint_check(&store->layer_rows[i].fingerprint,
					     NULL, NULL, failure);
	return rc;
}

static const struct base_row *find_row(const struct store *store, uint32_t id)
{
	size_t i;

	for (i = 0; i < store->layer_count; i++)
		if (store->layer_rows[i].layer == id)
			return &store->layer_rows[i];
	return NULL;
}

static int open_stack(struct store *store, const struct stack_item *stack,
		      struct layers **out_layers, struct failure *failure)
{
	struct layer_spec specs[LAYERS_MAX];
	uint32_t i;

	if (stack->count > LAYERS_MAX)
		return failure_errno(failure, -EUCLEAN, store->path,
				     "too many layers");
	for (i = 0; i < stack->count; i++) {
		const struct base_row *row = find_row(store, stack->layers[i]);

		if (!row)
			return failure_errno(failure, -EUCLEAN, store->path,
					     "a layer is not in the index");
		specs[i] = (struct layer_spec){
			.id = row->layer,
			.path = row->fingerprint.path,
			.expected = &row->fingerprint,
		};
	}
	return layers_open(specs, stack->count, out_layers, failure);
}

int view_open_layers(struct view *view, struct layers **out_layers,
		     struct failure *failure)
{
	struct store *store = view->store;
	AUTO_FREE struct stack_item *stack = malloc(sizeof(*stack));
	AUTO_FREE struct item_copy *copy = NULL;
	const struct item_key key = { .type = ITEM_TYPE_STACK };
	int rc = stack ? 0 : -ENOMEM;

	if (rc == 0)
		rc = view_item_get(view, &key, &copy);
	if (rc == 0)
		rc = stack_item_decode(copy->payload, copy->payload_bytes,
				       stack);
	if (rc < 0)
		return failure_errno(failure, rc == -ENOENT ? -EUCLEAN : rc,
				     store->path,
				     "can't tell the layers of the store");
	return open_stack(store, stack, out_layers, failure);
}
