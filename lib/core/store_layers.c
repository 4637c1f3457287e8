/*
 * Layers: which directories a store was made over (rows of `base`), and which
 * of them a view sees, in which order (its STACK item).
 */
#include "store_layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "items.h"
#include "new_layer.h"

static const struct item_key stack_key = { .type = ITEM_TYPE_STACK };

bool store_is_tree(const struct store *store)
{
	return store->is_tree;
}

const struct base_row *store_layer_rows(const struct store *store,
					size_t *out_count)
{
	*out_count = atomic_load(&store->layer_count);
	return store->layer_rows;
}

void store_uuid_halves(const struct store *store, uint64_t out_uuid[2])
{
	size_t i;

	out_uuid[0] = out_uuid[1] = 0;
	for (i = 0; i < FORMAT_UUID_BYTES; i++)
		out_uuid[i / 8] = out_uuid[i / 8] << 8 | store->uuid[i];
}

static int add_row(void *context, const struct base_row *row)
{
	struct store *store = context;
	size_t count = atomic_load(&store->layer_count);

	if (row->fingerprint.kind != BASE_KIND_DIRECTORY &&
	    !layer_is_snapshot(&row->fingerprint))
		return 0;
	if (count == LAYER_ID_MAX || row->layer < 1 ||
	    row->layer > LAYER_ID_MAX)
		return -EUCLEAN;
	store->layer_rows[count] = *row;
	atomic_store(&store->layer_count, count + 1);
	store->is_tree = true;
	return 0;
}

int store_load_layers(struct store *store)
{
	store->layer_rows = calloc(LAYER_ID_MAX, sizeof(*store->layer_rows));
	if (!store->layer_rows || layer_health_init(store) < 0)
		return -ENOMEM;
	return index_bases_load(store->index, add_row, store);
}

static int no_such_layer(const struct store *store, const char *name,
			 struct failure *failure)
{
	failure_set(failure, FAILURE_NOT_FOUND, name, "there is no such layer");
	failure_hint(failure, "cowd layer list %s", store->path);
	return -ENOENT;
}

static struct base_row *row_named(const struct store *store, const char *name,
				  size_t name_bytes)
{
	size_t i, count = atomic_load(&store->layer_count);

	for (i = 0; i < count; i++) {
		struct base_row *row = &store->layer_rows[i];

		if (strncmp(row->name, name, name_bytes) == 0 &&
		    !row->name[name_bytes])
			return row;
	}
	return NULL;
}

int store_check_mountpoint(const struct store *store, const char *mountpoint,
			   struct failure *failure)
{
	size_t i, count = atomic_load(&store->layer_count);
	int rc = 0;

	for (i = 0; rc == 0 && i < count; i++)
		rc = new_layer_check_mountpoint(&store->layer_rows[i],
						mountpoint, failure);
	return rc;
}

/* The layer is there now, or called so. */
static int find_moved(struct store *store, struct base_row *row,
		      const char *spec, struct failure *failure)
{
	struct base_fingerprint *f = &row->fingerprint;
	AUTO_FREE struct base_fingerprint *now = calloc(1, sizeof(*now));
	int rc;

	if (!now)
		return -ENOMEM;
	if (!layer_is_snapshot(f))
		return layer_fingerprint_check(f, layer_spec_path(spec), f,
					       failure);
	rc = new_layer_find(store, spec, store->snapshot_source, now, failure);
	if (rc == 0)
		rc = layer_snapshot_compare(f, now, failure);
	if (rc == 0)
		*f = *now;
	return rc;
}

/* "NAME=PATH", or the path of the only one. */
int store_open_layers(struct store *store, const char *base_path,
		      struct failure *failure)
{
	const char *path = base_path ? layer_spec_path(base_path) : NULL;
	struct base_row *row = &store->layer_rows[0];
	int rc;

	if (!path)
		return 0;
	if (path != base_path) {
		row = row_named(store, base_path,
				(size_t)(path - base_path) - 1);
		if (!row)
			return no_such_layer(store, base_path, failure);
	} else if (atomic_load(&store->layer_count) > 1) {
		failure_set(failure, FAILURE_USAGE, path,
			    "the store has %zu layers, and one path was given",
			    atomic_load(&store->layer_count));
		failure_hint(failure, "say which one it is: --base NAME=%s",
			     path);
		return -EINVAL;
	}
	rc = find_moved(store, row, base_path, failure);
	if (rc < 0)
		return rc;
	rc = index_base_put(store->index, row->layer, row->name,
			    &row->fingerprint);
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't note the base's new path") :
			0;
}

static const struct base_row *find_row(const struct store *store, uint32_t id)
{
	size_t i, count = atomic_load(&store->layer_count);

	for (i = 0; i < count; i++)
		if (store->layer_rows[i].layer == id)
			return &store->layer_rows[i];
	return NULL;
}

/* beside: another stack of the store, or NULL. */
static int open_stack(struct store *store, const struct stack_item *stack,
		      struct layers *beside, struct layers **out_layers,
		      struct failure *failure)
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
			.source = store->snapshot_source,
		};
	}
	return beside ? layers_open_beside(beside, specs, stack->count,
					   out_layers, failure) :
			layers_open(specs, stack->count, out_layers, failure);
}

static int read_stack(struct view *view, struct stack_item *out_stack)
{
	AUTO_FREE struct item_copy *copy = NULL;
	int rc = view_item_get(view, &stack_key, &copy);

	return rc < 0 ? rc :
			stack_item_decode(copy->payload, copy->payload_bytes,
					  out_stack);
}

static bool is_stack(const struct layers *layers,
		     const struct stack_item *stack)
{
	uint32_t i;

	if (!layers || layers_count(layers) != stack->count)
		return false;
	for (i = 0; i < stack->count; i++)
		if (layers_id(layers, i) != stack->layers[i])
			return false;
	return true;
}

struct layers *store_open_stack_locked(struct store *store,
				       const struct stack_item *stack)
{
	struct view *view;

	DL_FOREACH2(store->views, view, next)
	if (view->layers && (!stack || is_stack(view->layers, stack)))
		return layers_get(view->layers);
	return NULL;
}

int view_open_layers(struct view *view, struct layers **out_layers,
		     struct failure *failure)
{
	struct store *store = view->store;
	AUTO_FREE struct stack_item *stack = malloc(sizeof(*stack));
	struct layers *layers, *beside;
	int rc = stack ? read_stack(view, stack) : -ENOMEM;

	if (rc < 0)
		return failure_errno(failure, rc == -ENOENT ? -EUCLEAN : rc,
				     store->path,
				     "can't tell the layers of the store");
	mutex_lock(&store->order_lock);
	layers = store_open_stack_locked(store, stack);
	beside = store_open_stack_locked(store, NULL);
	mutex_unlock(&store->order_lock);
	/* Who has a dead one keeps it; the new one is another. */
	if (layers && layers_served(layers, 0) < 0) {
		layers_put(layers);
		layers = NULL;
	}
	if (!layers)
		rc = open_stack(store, stack, beside, &layers, failure);
	layers_put(beside);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	layers_put(view->layers);
	view->layers = layers_get(layers);
	mutex_unlock(&store->order_lock);
	*out_layers = layers;
	return 0;
}

int store_open_layer(struct store *store, uint32_t id, struct layers *beside,
		     struct layers **out_layers, struct failure *failure)
{
	AUTO_FREE struct stack_item *stack = malloc(sizeof(*stack));

	if (!stack)
		return failure_errno(failure, -ENOMEM, store->path,
				     "can't open a layer");
	stack->count = 1;
	stack->layers[0] = id;
	return open_stack(store, stack, beside, out_layers, failure);
}

int branch_stack_locked(struct store *store, struct branch *branch,
			struct stack_item *out_stack)
{
	struct line_path *path =
		graph_path(&store->graph, branch->row.line, UINT32_MAX);
	uint8_t key[ITEM_KEY_BYTES_MAX];
	AUTO_FREE struct item_copy *copy = NULL;
	int rc = path ? items_find(store, path, key,
				   item_key_encode(&stack_key, key), &copy) :
			-ENOMEM;

	line_path_put(path);
	return rc < 0 ? rc :
			stack_item_decode(copy->payload, copy->payload_bytes,
					  out_stack);
}
