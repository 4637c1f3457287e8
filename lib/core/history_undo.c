/*
 * Undo: a new operation that reverts an older one, so that an undo can be
 * undone too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history_impl.h"

/* What a kind needs to be reverted is in its record. */
struct undo {
	struct history_record record;
	struct operation_info info;
	uint32_t lines_snapshot; /* ROLLBACK: what the branch was at before */
};

static bool can_undo(const struct operation_info *info)
{
	return !info->undone && info->kind != OPERATION_PURGE;
}

/* The snapshot that holds what a rollback left: the one it kept, or, when
 * nothing had changed, the last one before it on that line. */
static uint32_t before_rollback(const struct graph *graph,
				const struct history_record *h)
{
	uint32_t best = 0;
	size_t i;

	if (h->kept_snapshot)
		return h->kept_snapshot;
	/* Unchanged: the newest operation before it that left the branch at
	 * a snapshot. */
	for (i = 0; i < graph->operation_count; i++) {
		const struct history_record *other =
			graph->operations[i].record;

		if (graph->operations[i].id >= h->operation)
			break;
		if (other->branch != h->branch)
			continue;
		if (other->op == HISTORY_OP_SNAPSHOT ||
		    other->op == HISTORY_OP_ROLLBACK ||
		    other->op == HISTORY_OP_CLONE)
			best = other->snapshot;
	}
	return best;
}

static int choose_locked(struct store *store, uint64_t operation_id,
			 struct undo *undo, struct failure *failure)
	REQUIRES(store->order_lock)
{
	const struct graph *graph = &store->graph;
	size_t i;

	for (i = graph->operation_count; i-- > 0;) {
		const struct operation *operation = &graph->operations[i];

		if (operation_id ? operation->id != operation_id :
				   operation->undone)
			continue;
		history_fill_operation(graph, operation, &undo->info);
		/* Without a number, undo walks back: what only reverts
		 * something is not taken back again. */
		if (!operation_id && undo->info.undoes)
			continue;
		if (!can_undo(&undo->info)) {
			failure_set(failure, FAILURE_UNSUPPORTED,
				    undo->info.text,
				    undo->info.undone ?
					    "was undone already" :
					    "can't be undone: its space was "
					    "given back");
			return -EOPNOTSUPP;
		}
		undo->record = *operation->record;
		if (undo->info.kind == OPERATION_ROLLBACK ||
		    undo->info.kind == OPERATION_RESTORE)
			undo->lines_snapshot =
				before_rollback(graph, operation->record);
		return 0;
	}
	failure_set(failure, FAILURE_NOT_FOUND, NULL,
		    operation_id ? "there is no such operation" :
				   "there is nothing to undo");
	failure_hint(failure, "cowd log %s", store->path);
	return -ENOENT;
}

static int undo_branch_name(struct store *store, uint32_t id, char *name,
			    size_t name_bytes)
{
	const struct branch *branch;

	mutex_lock(&store->order_lock);
	branch = graph_branch(&store->graph, id);
	if (branch)
		strcpy_bounded(name, branch->row.name, name_bytes);
	mutex_unlock(&store->order_lock);
	return branch ? 0 : -ENOENT;
}

static int undo_rollback(struct store *store, const struct undo *undo,
			 const struct actor *actor, struct undo_result *result,
			 struct failure *failure)
{
	struct rollback_result rollback;

	if (!undo->lines_snapshot) {
		failure_set(failure, FAILURE_UNSUPPORTED, undo->info.text,
			    "can't be undone: the state before it was the "
			    "unchanged base and has no snapshot");
		return -EOPNOTSUPP;
	}
	return history_rollback_undoing(store, result->branch,
					undo->lines_snapshot, NULL,
					undo->info.id, actor, &rollback,
					failure);
}

/* Shrinking kept the old state; growing is taken back by shrinking. */
static int undo_resize(struct store *store, const struct undo *undo,
		       const struct actor *actor, struct undo_result *result,
		       struct failure *failure)
{
	uint64_t old_bytes = strtoull(undo->record.note, NULL, 10);
	struct rollback_result rollback;

	if (undo->record.snapshot)
		return history_rollback_undoing(store, result->branch,
						undo->record.snapshot, NULL,
						undo->info.id, actor, &rollback,
						failure);
	return history_resize_undoing(store, result->branch, old_bytes,
				      undo->info.id, actor, failure);
}

static int revert(struct store *store, const struct undo *undo,
		  const struct actor *actor, struct undo_result *result,
		  struct failure *failure)
{
	const struct history_record *h = &undo->record;
	uint64_t id = undo->info.id;

	switch (undo->info.kind) {
	case OPERATION_SNAPSHOT_CREATE:
	case OPERATION_SNAPSHOT_RESTORE:
		return history_set_snapshot_state(store, h->snapshot,
						  SNAPSHOT_STATE_TRASH, id,
						  actor, failure);
	case OPERATION_SNAPSHOT_DELETE:
		return history_set_snapshot_state(store, h->snapshot,
						  SNAPSHOT_STATE_LIVE, id,
						  actor, failure);
	case OPERATION_SNAPSHOT_RENAME:
		return history_rename_snapshot_undoing(
			store, h->snapshot, h->old_name, id, actor, failure);
	case OPERATION_HOLD:
	case OPERATION_RELEASE:
		return history_set_hold(store, h->snapshot, h->name,
					undo->info.kind == OPERATION_RELEASE,
					id, actor, failure);
	case OPERATION_ROLLBACK:
	case OPERATION_RESTORE:
		return undo_rollback(store, undo, actor, result, failure);
	case OPERATION_CLONE:
	case OPERATION_BRANCH_RESTORE:
		return history_set_branch_state(store, h->branch,
						BRANCH_STATE_TRASH, id, actor,
						failure);
	case OPERATION_BRANCH_DELETE:
		return history_set_branch_state(store, h->branch,
						BRANCH_STATE_LIVE, id, actor,
						failure);
	case OPERATION_BRANCH_RENAME:
		return history_rename_branch_undoing(
			store, h->branch, h->old_name, id, actor, failure);
	case OPERATION_RESIZE:
		return undo_resize(store, undo, actor, result, failure);
	case OPERATION_LAYER_ADD:
	case OPERATION_LAYER_REMOVE:
		return store_layers_undo(store, result->branch, h, id, actor,
					 failure);
	case OPERATION_PURGE:
		break;
	}
	abort();
}

int history_undo(struct store *store, uint64_t operation_id, bool dry_run,
		 const struct actor *actor, struct undo_result *out_result,
		 struct failure *failure)
{
	AUTO_FREE struct undo *undo = calloc(1, sizeof(*undo));
	int rc;

	if (!undo)
		return failure_errno(failure, -ENOMEM, NULL, "can't undo");
	memset(out_result, 0, sizeof(*out_result));
	mutex_lock(&store->order_lock);
	rc = choose_locked(store, operation_id, undo, failure);
	out_result->operation_id = store->next_operation;
	mutex_unlock(&store->order_lock);
	if (rc < 0)
		return rc;
	out_result->undone = undo->info;
	if (undo->info.kind == OPERATION_ROLLBACK ||
	    undo->info.kind == OPERATION_RESTORE ||
	    undo->info.kind == OPERATION_LAYER_ADD ||
	    undo->info.kind == OPERATION_LAYER_REMOVE ||
	    undo->info.kind == OPERATION_RESIZE) {
		if (undo_branch_name(store, undo->record.branch,
				     out_result->branch,
				     sizeof(out_result->branch)) < 0)
			return failure_set(failure, FAILURE_NOT_FOUND,
					   undo->info.text,
					   "its branch is gone");
	}
	if (dry_run)
		return 0;
	return revert(store, undo, actor, out_result, failure);
}
