/*
 * Which layers a branch sees: listing, adding and removing them.
 *
 * I1: the row of a layer is in the index, and in its copy, before anything in
 *     the log refers to it.
 * I2: an id is never used for another directory: rows never go.
 * I3: what the head has changed has its names in the store before the stack
 *     changes (layer_names.c).
 *
 * I4: the hold of a layer that is a snapshot is there before its row, and
 *     stays.
 *
 * A crash between the row and the change of the stack leaves a layer that
 * nobody sees; one before the row a hold that nobody needs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "history.h"
#include "history_impl.h"
#include "items.h"
#include "layer_names.h"
#include "new_layer.h"

static const struct item_key stack_key = { .type = ITEM_TYPE_STACK };

static void fill_info(const struct base_row *row,
		      const struct stack_item *stack,
		      struct layer_info *out_info)
{
	uint32_t i;

	new_layer_info(row, out_info);
	for (i = 0; i < stack->count; i++)
		if (stack->layers[i] == row->layer)
			out_info->position = i + 1;
}

/* Of the nr-th row. */
static void fill_health(struct store *store, size_t nr, struct layer_info *info)
{
	const struct layer_health *health = &store->layer_health[nr];

	mutex_lock(&store->worker_lock);
	info->state =
		layer_health_now(health, info->reason, sizeof(info->reason));
	info->changed_files = health->changed_files;
	info->branches = health->branches;
	mutex_unlock(&store->worker_lock);
}

static int by_position(const void *a, const void *b)
{
	const struct layer_info *left = a, *right = b;

	/* 0, not seen, comes last. */
	if (left->position != right->position)
		return left->position - 1 < right->position - 1 ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

static int branch_stack(struct store *store, const char *name,
			struct stack_item *out_stack, struct failure *failure)
{
	struct branch *branch;
	int rc = -ENOENT;

	mutex_lock(&store->order_lock);
	branch = graph_branch_named(&store->graph, name);
	if (branch)
		rc = branch_stack_locked(store, branch, out_stack);
	mutex_unlock(&store->order_lock);
	if (!branch)
		return failure_set(failure, FAILURE_NOT_FOUND, name,
				   "there is no such branch");
	return rc < 0 ? failure_errno(failure, rc == -ENOENT ? -EUCLEAN : rc,
				      store->path,
				      "can't tell the layers of the store") :
			0;
}

static int need_tree(const struct store *store, struct failure *failure)
{
	if (store->is_tree)
		return 0;
	failure_set(failure, FAILURE_USAGE, store->path,
		    "the store is over an image, and has no layers");
	failure_hint(failure, "layers are directories: cowd create STORE "
			      "--base DIR");
	return -EINVAL;
}

int store_layers_list(struct store *store, const char *branch,
		      struct layer_info **out_list, size_t *out_count,
		      struct failure *failure)
{
	AUTO_FREE struct stack_item *stack = malloc(sizeof(*stack));
	size_t count = atomic_load(&store->layer_count), i;
	AUTO_FREE struct layer_info *list = calloc(count + 1, sizeof(*list));
	int rc = need_tree(store, failure);

	if (rc == 0 && (!stack || !list))
		rc = failure_errno(failure, -ENOMEM, store->path, "can't list");
	if (rc == 0)
		rc = branch_stack(store, branch, stack, failure);
	if (rc < 0)
		return rc;
	layer_health_check(store);
	for (i = 0; i < count; i++) {
		fill_info(&store->layer_rows[i], stack, &list[i]);
		fill_health(store, i, &list[i]);
	}
	qsort(list, count, sizeof(*list), by_position);
	*out_list = TAKE_PTR(list);
	*out_count = count;
	return 0;
}

/* What is to become of a branch's stack. */
struct stack_change {
	struct store *store;
	const char *branch;
	bool dry_run;
	const struct actor *actor;
	uint64_t undoes; /* an operation, or 0 */
	struct base_row row;
	size_t nr; /* its place in layer_rows; their count: not there yet */
	struct stack_item before, stack;
};

/* Of a layer in the stack; its count: it is not there. */
static uint32_t find(const struct stack_item *stack, uint32_t layer)
{
	uint32_t i;

	for (i = 0; i < stack->count && stack->layers[i] != layer; i++)
		;
	return i;
}

static void insert(struct stack_item *stack, uint32_t at, uint32_t layer)
{
	memmove(&stack->layers[at + 1], &stack->layers[at],
		(stack->count - at) * sizeof(stack->layers[0]));
	stack->layers[at] = layer;
	stack->count++;
}

static void drop(struct stack_item *stack, uint32_t at)
{
	stack->count--;
	memmove(&stack->layers[at], &stack->layers[at + 1],
		(stack->count - at) * sizeof(stack->layers[0]));
}

static bool same_stack(const struct stack_item *a, const struct stack_item *b)
{
	return a->count == b->count &&
	       memcmp(a->layers, b->layers, a->count * sizeof(a->layers[0])) ==
		       0;
}

/* By name, or by its path. -ENOENT. */
static int find_row(struct store *store, const char *name, size_t *out_nr,
		    struct failure *failure)
{
	size_t i, count = atomic_load(&store->layer_count);

	for (i = 0; i < count; i++) {
		const struct base_row *row = &store->layer_rows[i];

		if (strcmp(row->name, name) != 0 &&
		    strcmp(row->fingerprint.path, name) != 0)
			continue;
		*out_nr = i;
		return 0;
	}
	failure_set(failure, FAILURE_NOT_FOUND, name, "there is no such layer");
	failure_hint(failure, "cowd layer list %s", store->path);
	return -ENOENT;
}

/* -EBUSY: somebody has the head open beside us, or changed its layers. */
static int check_locked(const struct stack_change *change, struct view *view)
	REQUIRES(change->store->order_lock)
{
	AUTO_FREE struct stack_item *now = malloc(sizeof(*now));
	struct branch *branch =
		graph_branch(&change->store->graph, view->branch);
	int rc = now ? branch_stack_locked(change->store, branch, now) :
		       -ENOMEM;

	if (rc == 0 &&
	    (view->references > 1 || !same_stack(now, &change->before)))
		rc = -EBUSY;
	return rc;
}

static int edit_stack(const struct stack_change *change, struct view *view)
{
	uint8_t payload[STACK_ITEM_BYTES_MAX];
	struct view_edit edit;
	int rc = view_edit_begin(view, &edit);

	if (rc < 0)
		return rc;
	mutex_assert_held(&change->store->order_lock);
	rc = check_locked(change, view);
	if (rc < 0 || change->dry_run) {
		view_edit_abort(&edit);
		return rc;
	}
	view_edit_put(&edit, &stack_key, payload,
		      stack_item_encode(&change->stack, payload));
	return view_edit_commit(&edit);
}

static int write_stack(const struct stack_change *change,
		       struct failure *failure)
{
	struct store *store = change->store;
	struct view *view;
	bool is_told = false;
	int rc = view_open_branch(store, change->branch, &view, failure);

	if (rc < 0)
		return rc;
	if (!change->dry_run)
		rc = layer_names_keep(view, failure); /* I3 */
	if (rc == 0)
		rc = edit_stack(change, view);
	else if (rc != -EBUSY)
		is_told = true;
	view_put(view);
	if (is_told)
		return rc;
	if (rc == -EBUSY) {
		failure_set(failure, FAILURE_BUSY, change->branch,
			    "the branch is mounted or open");
		failure_hint(failure,
			     "unmount it, change its layers, mount it again: "
			     "cowd umount %s:%s",
			     store->path, change->branch);
		return rc;
	}
	if (rc == 0 && !change->dry_run)
		rc = store_sync(store);
	return rc < 0 ? failure_errno(failure, rc, change->branch,
				      "can't change the layers") :
			0;
}

/* The operation log's entry; the item is what changes the stack. */
static int log_change(const struct stack_change *change,
		      struct failure *failure)
{
	struct store *store = change->store;
	bool removed = change->stack.count < change->before.count;
	const struct stack_item *with = removed ? &change->before :
						  &change->stack;
	struct history_record record;
	struct branch *branch;
	uint64_t lsn = 0;
	int rc;

	mutex_lock(&store->order_lock);
	rc = history_branch_locked(store, change->branch, &branch, failure);
	if (rc == 0) {
		history_begin_record(store, &record, HISTORY_OP_LAYERS,
				     change->actor);
		record.branch = branch->row.id;
		record.state = removed ? LAYERS_STATE_REMOVED :
					 LAYERS_STATE_ADDED;
		record.undoes = change->undoes;
		strcpy_bounded(record.name, change->row.name,
			       sizeof(record.name));
		strcpy_bounded(record.old_name, change->branch,
			       sizeof(record.old_name));
		snprintf(record.note, sizeof(record.note),
			 "%" PRIu32 " %" PRIu32, change->row.layer,
			 find(with, change->row.layer) + 1);
		rc = history_log_locked(store, &record, &lsn);
	}
	mutex_unlock(&store->order_lock);
	return history_finish(store, rc, lsn, change->branch,
			      "change the layers of", failure);
}

static int finish(const struct stack_change *change,
		  struct layer_info *out_info, struct failure *failure)
{
	int rc = write_stack(change, failure);

	if (rc == 0 && !change->dry_run)
		rc = log_change(change, failure);
	if (rc < 0)
		return rc;
	layer_health_check(change->store);
	fill_info(&change->row, &change->stack, out_info);
	if (change->nr < atomic_load(&change->store->layer_count))
		fill_health(change->store, change->nr, out_info);
	return 0;
}

static int begin(struct store *store, const char *branch, bool dry_run,
		 const struct actor *actor, struct stack_change **out_change,
		 struct failure *failure)
{
	AUTO_FREE struct stack_change *change = calloc(1, sizeof(*change));
	int rc = need_tree(store, failure);

	if (rc == 0 && !change)
		rc = failure_errno(failure, -ENOMEM, store->path,
				   "can't change the layers");
	if (rc == 0)
		rc = branch_stack(store, branch, &change->before, failure);
	if (rc < 0)
		return rc;
	change->store = store;
	change->branch = branch;
	change->dry_run = dry_run;
	change->actor = actor;
	change->stack = change->before;
	*out_change = TAKE_PTR(change);
	return 0;
}

/* A directory that the store knows is that layer, whatever it is called. Else
 * change->nr is the place of a new one. */
static int find_known(struct stack_change *change, const char *spec, bool named,
		      struct failure *failure)
{
	struct store *store = change->store;
	size_t i, count = atomic_load(&store->layer_count);

	for (i = 0; i < count; i++)
		if (new_layer_same(&store->layer_rows[i], &change->row))
			break;
	change->nr = i;
	if (i == count)
		return 0;
	if (named && strcmp(store->layer_rows[i].name, change->row.name) != 0) {
		failure_set(failure, FAILURE_USAGE, spec,
			    "the store knows this %s as the layer %s",
			    layer_is_snapshot(&change->row.fingerprint) ?
				    "snapshot" :
				    "directory",
			    store->layer_rows[i].name);
		failure_hint(failure, "add it under that name, or none");
		return -EINVAL;
	}
	change->row = store->layer_rows[i];
	return 0;
}

/* I1 */
static int save_row(struct store *store, struct stack_change *change,
		    struct failure *failure) REQUIRES(store->maintenance_lock)
{
	const struct base_row *row = &change->row;
	int rc = new_layer_hold(row, store->snapshot_source, store->path,
				store->uuid, true, failure);

	if (rc < 0)
		return rc;
	rc = index_base_put(store->index, row->layer, row->name,
			    &row->fingerprint);
	if (rc == 0)
		rc = checkpoint_run(store, true);
	if (rc == 0)
		rc = dump_write(store);
	if (rc < 0)
		return failure_errno(failure, rc, store->path,
				     "can't note the layer");
	store->layer_rows[change->nr] = *row;
	atomic_store(&store->layer_count, change->nr + 1);
	return 0;
}

static int take_row(struct store *store, struct stack_change *change,
		    const char *spec, struct failure *failure)
	REQUIRES(store->maintenance_lock)
{
	size_t count = atomic_load(&store->layer_count);
	bool named;
	int rc = new_layer_name(spec, store->layer_rows, count, &change->row,
				&named, failure);

	if (rc == 0)
		rc = new_layer_check_outside(&change->row, store->path,
					     store->path, failure);
	if (rc == 0)
		rc = find_known(change, spec, named, failure);
	if (rc < 0 || change->nr < count)
		return rc;
	if (count == LAYER_ID_MAX)
		return failure_set(failure, FAILURE_USAGE, spec,
				   "a store can't know more than %d layers",
				   LAYER_ID_MAX);
	change->row.layer = store->layer_rows[count - 1].layer + 1; /* I2 */
	return 0;
}

static int place_row(struct stack_change *change, const char *spec,
		     const struct layer_place *place, struct failure *failure)
{
	struct store *store = change->store;
	struct stack_item *stack = &change->stack;
	uint32_t at = place->bottom ? stack->count : 0;
	size_t below;
	int rc;

	if (find(stack, change->row.layer) < stack->count)
		return failure_set(failure, FAILURE_EXISTS, spec,
				   "is a layer of the branch already");
	if (stack->count == LAYERS_MAX)
		return failure_set(failure, FAILURE_USAGE, spec,
				   "at most %d directories can be merged",
				   LAYERS_MAX);
	if (place->below) {
		rc = find_row(store, place->below, &below, failure);
		if (rc < 0)
			return rc;
		at = find(stack, store->layer_rows[below].layer) + 1;
		if (at > stack->count)
			return failure_set(failure, FAILURE_NOT_FOUND,
					   place->below,
					   "is no layer of this branch");
	}
	insert(stack, at, change->row.layer);
	return 0;
}

int store_layer_add(struct store *store, const char *branch, const char *spec,
		    const struct layer_place *place, bool dry_run,
		    const struct actor *actor, struct layer_info *out_info,
		    struct failure *failure)
{
	AUTO_FREE struct stack_change *change = NULL;
	int rc = begin(store, branch, dry_run, actor, &change, failure);

	if (rc == 0)
		rc = new_layer_find(store, spec, store->snapshot_source,
				    &change->row.fingerprint, failure);
	if (rc < 0)
		return rc;
	mutex_lock(&store->maintenance_lock);
	rc = take_row(store, change, spec, failure);
	if (rc == 0)
		rc = place_row(change, spec, place, failure);
	if (rc == 0 && !dry_run &&
	    change->nr == atomic_load(&store->layer_count))
		rc = save_row(store, change, failure);
	mutex_unlock(&store->maintenance_lock);
	return rc < 0 ? rc : finish(change, out_info, failure);
}

int store_layer_remove(struct store *store, const char *branch,
		       const char *name, bool dry_run,
		       const struct actor *actor, struct layer_info *out_info,
		       struct failure *failure)
{
	AUTO_FREE struct stack_change *change = NULL;
	struct stack_item *stack;
	uint32_t at;
	int rc = begin(store, branch, dry_run, actor, &change, failure);

	if (rc == 0)
		rc = find_row(store, name, &change->nr, failure);
	if (rc < 0)
		return rc;
	change->row = store->layer_rows[change->nr];
	stack = &change->stack;
	at = find(stack, change->row.layer);
	if (at == stack->count)
		return failure_set(failure, FAILURE_NOT_FOUND, name,
				   "is no layer of this branch");
	if (stack->count == 1) {
		failure_set(failure, FAILURE_USAGE, name,
			    "is the only layer of the branch");
		failure_hint(failure, "add another one first");
		return -EINVAL;
	}
	drop(stack, at);
	return finish(change, out_info, failure);
}

/* The layer whose id a record's note begins with. */
static const struct base_row *noted_row(struct store *store, const char *note,
					uint32_t *out_place)
{
	size_t i, count = atomic_load(&store->layer_count);
	char *rest;
	unsigned long id = strtoul(note, &rest, 10);

	*out_place = (uint32_t)strtoul(rest, NULL, 10);
	for (i = 0; i < count; i++)
		if (store->layer_rows[i].layer == id)
			return &store->layer_rows[i];
	return NULL;
}

static int undo_stack(struct stack_change *change,
		      const struct history_record *record,
		      struct failure *failure)
{
	struct store *store = change->store;
	struct stack_item *stack = &change->stack;
	bool removed = record->state == LAYERS_STATE_REMOVED;
	uint32_t place, at;
	const struct base_row *row = noted_row(store, record->note, &place);

	if (!row)
		return failure_errno(failure, -EUCLEAN, store->path,
				     "the layer is not in the index");
	change->row = *row;
	change->nr = (size_t)(row - store->layer_rows);
	at = find(stack, row->layer);
	if (removed == (at < stack->count) ||
	    (removed && stack->count == LAYERS_MAX) ||
	    (!removed && stack->count == 1)) {
		failure_set(failure, FAILURE_UNSUPPORTED, row->name,
			    "the layers were changed since: it can't be %s",
			    removed ? "put back" : "taken out");
		failure_hint(failure, "cowd layer list %s:%s", store->path,
			     change->branch);
		return -EOPNOTSUPP;
	}
	if (removed)
		insert(stack,
		       place == 0		? 0 :
		       place > stack->count + 1 ? stack->count :
						  place - 1,
		       row->layer);
	else
		drop(stack, at);
	return 0;
}

int store_layers_undo(struct store *store, const char *branch,
		      const struct history_record *record, uint64_t undoes,
		      const struct actor *actor, struct failure *failure)
{
	AUTO_FREE struct layer_info *info = calloc(1, sizeof(*info));
	AUTO_FREE struct stack_change *change = NULL;
	int rc = info ? begin(store, branch, false, actor, &change, failure) :
			-ENOMEM;

	if (rc == 0)
		rc = undo_stack(change, record, failure);
	if (rc < 0)
		return rc;
	change->undoes = undoes;
	return finish(change, info, failure);
}
