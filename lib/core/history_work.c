/*
 * Many changes of a head that happen all together or not at all: they are
 * made on a line beside it, of a work branch, which then takes the head's
 * place with one record.
 *
 * I1: the name of a work branch begins with a dot: nobody can name it, and
 *     who lists branches leaves it out.
 * I2: it is adopted only by the line that it left, which may have new
 *     snapshots by then but is not another.
 *
 * A crash leaves the head as it was, and a work branch that goes with the
 * next opening; or the work adopted and its branch deleted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "history_impl.h"

int history_begin_work(struct store *store, const char *branch,
		       const struct actor *actor, struct work *out_work,
		       struct failure *failure)
{
	struct history_record record;
	struct branch *from;
	uint64_t lsn;
	int rc;

	mutex_lock(&store->order_lock);
	rc = history_branch_locked(store, branch, &from, failure);
	if (rc == 0) {
		history_begin_record(store, &record, HISTORY_OP_CLONE, actor);
		record.operation = 0; /* not in the operation log */
		record.from_line = from->row.line;
		record.from_gen = from->row.gen;
		record.branch = store->next_branch;
		record.line = store->next_line;
		record.gen = store->next_gen;
		snprintf(out_work->branch, sizeof(out_work->branch), ".work-%u",
			 record.branch); /* I1 */
		strcpy_bounded(record.name, out_work->branch,
			       sizeof(record.name));
		strcpy_bounded(record.old_name, from->row.name,
			       sizeof(record.old_name));
		out_work->id = record.branch;
		rc = history_log_locked(store, &record, &lsn);
	}
	mutex_unlock(&store->order_lock);
	if (rc < 0)
		failure_errno(failure, rc, branch, "can't change it");
	return rc;
}

static int adopt_locked(struct store *store, const char *branch_name,
			const struct work *work, const char *from,
			const char *note, const struct actor *actor,
			struct rollback_result *result, uint64_t *lsn,
			struct failure *failure) REQUIRES(store->order_lock)
{
	const struct branch *beside = graph_branch(&store->graph, work->id);
	const struct line *line = NULL;
	struct history_record record;
	struct branch *branch;
	int rc = history_branch_locked(store, branch_name, &branch, failure);

	if (rc < 0)
		return rc;
	if (beside && beside->row.state == BRANCH_STATE_LIVE)
		line = graph_line(&store->graph, beside->row.line);
	if (!line || line->row.parent != branch->row.line) { /* I2 */
		failure_set(failure, FAILURE_BUSY, branch_name,
			    "was rolled back meanwhile");
		return -EBUSY;
	}
	history_begin_record(store, &record, HISTORY_OP_ROLLBACK, actor);
	record.branch = branch->row.id;
	record.line = store->next_line;
	record.from_line = beside->row.line;
	record.from_gen = beside->row.gen;
	record.gen = store->next_gen;
	record.kept_snapshot = store->next_snapshot;
	history_kept_name(&store->graph, "restore", record.name,
			  sizeof(record.name));
	strcpy_bounded(record.note, note, sizeof(record.note));
	strcpy_bounded(record.old_name, from, sizeof(record.old_name));
	result->operation_id = record.operation;
	result->kept = true;
	result->kept_as.id = record.kept_snapshot;
	return history_log_locked(store, &record, lsn);
}

int history_adopt_work(struct store *store, const char *branch,
		       const struct work *work, const char *from,
		       const char *note, const struct actor *actor,
		       struct rollback_result *out_result,
		       struct failure *failure)
{
	struct view *view;
	uint64_t lsn = 0;
	int rc = view_open_branch(store, branch, &view, failure);

	memset(out_result, 0, sizeof(*out_result));
	if (rc < 0)
		return rc;
	view_hold_writers(view);
	mutex_lock(&store->order_lock);
	rc = adopt_locked(store, branch, work, from, note, actor, out_result,
			  &lsn, failure);
	mutex_unlock(&store->order_lock);
	view_release_writers(view);
	view_put(view);
	rc = history_finish(store, rc, lsn, branch, "change it", failure);
	if (rc == 0)
		rc = history_get_snapshot(store, out_result->kept_as.id,
					  &out_result->kept_as);
	return rc;
}

static int drop_locked(struct store *store, const struct branch *branch)
	REQUIRES(store->order_lock)
{
	struct history_record record;
	uint64_t lsn;

	history_begin_record(store, &record, HISTORY_OP_BRANCH_STATE, NULL);
	record.operation = 0;
	record.branch = branch->row.id;
	record.state = BRANCH_STATE_DELETING;
	strcpy_bounded(record.name, branch->row.name, sizeof(record.name));
	return history_log_locked(store, &record, &lsn);
}

void history_drop_work(struct store *store, const struct work *work)
{
	const struct branch *branch;
	int rc = 0;

	mutex_lock(&store->order_lock);
	branch = graph_branch(&store->graph, work->id);
	if (branch && branch->row.state == BRANCH_STATE_LIVE)
		rc = drop_locked(store, branch);
	mutex_unlock(&store->order_lock);
	if (rc == 0) /* else the next opening does it */
		worker_kick(store);
}

void history_drop_left_work(struct store *store)
{
	const struct graph *graph = &store->graph;
	size_t i;
	int rc = 0;

	mutex_lock(&store->order_lock);
	for (i = 0; i < graph->branch_count && rc == 0; i++) {
		const struct branch *branch = graph->branches[i];

		if (branch_is_work(&branch->row) &&
		    branch->row.state == BRANCH_STATE_LIVE)
			rc = drop_locked(store, branch);
	}
	mutex_unlock(&store->order_lock);
}
