/*
 * How the layers of a store are: there, missing, another directory than it
 * was, with files that were seen to change. The background thread looks every
 * second; a command that opens the store looks at once.
 *
 * The store opens whatever is wrong with a layer, so that it can be told, and
 * the layer be taken out: it is mounting that needs it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "item_format.h"
#include "store_impl.h"

int layer_health_init(struct store *store)
{
	store->layer_health =
		calloc(LAYER_ID_MAX, sizeof(*store->layer_health));
	return store->layer_health ? 0 : -ENOMEM;
}

/* The stack that has the layer open, if one has; a reference. */
static struct layers *open_stack_of(struct store *store, uint32_t id)
{
	struct layers *found = NULL;
	struct view *view;
	size_t i;

	mutex_lock(&store->order_lock);
	DL_FOREACH2(store->views, view, next)
	{
		size_t count = view->layers ? layers_count(view->layers) : 0;

		for (i = 0; !found && i < count; i++)
			if (layers_id(view->layers, i) == id)
				found = layers_get(view->layers);
	}
	mutex_unlock(&store->order_lock);
	return found;
}

/* What nobody uses is not opened to look: that takes another daemon. */
static int look_at_snapshot(struct store *store, const struct base_row *row,
			    struct failure *failure)
{
	const struct base_fingerprint *f = &row->fingerprint;
	struct layers *layers = open_stack_of(store, row->layer);
	char path[PATH_MAX + 16];
	int rc;

	if (layers) {
		rc = layers_served(layers, row->layer);
		layers_put(layers);
		return rc == 0 ? 0 :
				 failure_set(failure, FAILURE_FAILED, f->path,
					     "the daemon that served it has "
					     "ended: unmount this store, and "
					     "mount it again");
	}
	snprintf(path, sizeof(path), "%.*s/index.db", (int)layer_store_bytes(f),
		 f->path);
	return access(path, F_OK) == 0 ?
		       0 :
		       failure_set(failure, FAILURE_FAILED, f->path,
				   "the store does not exist");
}

static void look(struct store *store, const struct base_row *row,
		 struct layer_health *out_health)
{
	struct failure failure = { .code = FAILURE_NONE };
	int rc = layer_is_snapshot(&row->fingerprint) ?
			 look_at_snapshot(store, row, &failure) :
			 layer_fingerprint_check(&row->fingerprint, NULL, NULL,
						 &failure);

	out_health->state = rc == 0	  ? LAYER_STATE_OK :
			    rc == -ESTALE ? LAYER_STATE_CHANGED :
					    LAYER_STATE_MISSING;
	strcpy_bounded(out_health->reason, failure.message,
		       sizeof(out_health->reason));
}

/* How many heads see each layer; counts is indexed by id. */
static void count_branches(struct store *store,
			   unsigned counts[LAYER_ID_MAX + 1])
{
	AUTO_FREE struct stack_item *stack = malloc(sizeof(*stack));
	struct graph *graph = &store->graph;
	size_t i, count = 1;
	uint32_t j;

	memset(counts, 0, (LAYER_ID_MAX + 1) * sizeof(counts[0]));
	for (i = 0; stack && i < count; i++) {
		mutex_lock(&store->order_lock);
		count = graph->branch_count;
		stack->count = 0;
		if (i < count &&
		    graph->branches[i]->row.state == BRANCH_STATE_LIVE &&
		    branch_stack_locked(store, graph->branches[i], stack) < 0)
			stack->count = 0;
		mutex_unlock(&store->order_lock);
		for (j = 0; j < stack->count; j++)
			counts[stack->layers[j]]++;
	}
}

/* Stacks change by records only. */
static void note_branches(struct store *store)
{
	uint64_t lsn = log_appended_lsn(store->log);
	unsigned branches[LAYER_ID_MAX + 1];
	size_t i, count = atomic_load(&store->layer_count);
	bool is_known;

	mutex_lock(&store->worker_lock);
	is_known = store->stacks_lsn == lsn + 1;
	mutex_unlock(&store->worker_lock);
	if (is_known)
		return;
	count_branches(store, branches);
	mutex_lock(&store->worker_lock);
	store->stacks_lsn = lsn + 1;
	for (i = 0; i < count; i++)
		store->layer_health[i].branches =
			branches[store->layer_rows[i].layer];
	mutex_unlock(&store->worker_lock);
}

static void note_change(struct store *store,
			const struct layers_changes *changes, uint64_t files)
	REQUIRES(store->worker_lock)
{
	size_t i, count = atomic_load(&store->layer_count);

	for (i = 0; i < count; i++) {
		struct layer_health *health = &store->layer_health[i];

		if (store->layer_rows[i].layer != changes->layer)
			continue;
		health->changed_files += files;
		strcpy_bounded(health->changed_path, changes->path,
			       sizeof(health->changed_path));
	}
}

/* All stacks that are open at a time report together. */
static void note_changes(struct store *store)
{
	struct layers *layers;
	struct layers_changes changes;

	mutex_lock(&store->order_lock);
	layers = store_open_stack_locked(store, NULL);
	mutex_unlock(&store->order_lock);
	if (!layers)
		return;
	layers_changes(layers, &changes);
	layers_put(layers);
	mutex_lock(&store->worker_lock);
	if (changes.count < store->changes_told) /* closed meanwhile */
		store->changes_told = 0;
	if (changes.count > store->changes_told)
		note_change(store, &changes,
			    changes.count - store->changes_told);
	store->changes_told = changes.count;
	mutex_unlock(&store->worker_lock);
}

void layer_health_check(struct store *store)
{
	size_t i, count = atomic_load(&store->layer_count);
	struct layer_health now;

	note_branches(store);
	note_changes(store);
	for (i = 0; i < count; i++) {
		const struct base_row *row = &store->layer_rows[i];
		struct layer_health *health = &store->layer_health[i];
		bool is_news;

		look(store, row, &now);
		mutex_lock(&store->worker_lock);
		/* At first it is the command's business to tell it. */
		is_news = now.state != health->state &&
			  now.state != LAYER_STATE_OK && health->branches &&
			  store->base_checked_ns;
		health->state = now.state;
		memcpy(health->reason, now.reason, sizeof(now.reason));
		mutex_unlock(&store->worker_lock);
		if (is_news)
			log_message(LOG_LEVEL_WARNING, "%s: layer %s: %s: %s",
				    store->path, row->name,
				    row->fingerprint.path, now.reason);
	}
	mutex_lock(&store->worker_lock);
	store->base_checked_ns = store_realtime_ns();
	mutex_unlock(&store->worker_lock);
}

enum layer_state layer_health_now(const struct layer_health *health,
				  char *reason, size_t reason_bytes)
{
	*reason = '\0';
	if (health->state != LAYER_STATE_OK) {
		strcpy_bounded(reason, health->reason, reason_bytes);
		return health->state;
	}
	if (!health->changed_files)
		return LAYER_STATE_OK;
	snprintf(reason, reason_bytes, "%s was changed underneath",
		 health->changed_path);
	return LAYER_STATE_CHANGED;
}

bool layer_health_reason(struct store *store, char *reason, size_t reason_bytes)
{
	size_t i, count = atomic_load(&store->layer_count);
	char text[LAYER_REASON_BYTES];

	for (i = 0; i < count; i++) {
		const struct layer_health *health = &store->layer_health[i];

		if (!health->branches ||
		    layer_health_now(health, text, sizeof(text)) ==
			    LAYER_STATE_OK)
			continue;
		snprintf(reason, reason_bytes, "layer %.100s: %.390s",
			 store->layer_rows[i].name, text);
		return true;
	}
	return false;
}
