/* Operations on branches: rollback, clone, delete, rename, resize. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "history_impl.h"

/* Those in the trash count: they must be able to come back. */
void history_kept_name(const struct graph *graph, const char *prefix,
		       char *name, size_t name_bytes)
{
	time_t now = time(NULL);
	unsigned long taken = 0, n;
	char stamp[48], when[32];
	size_t stamp_bytes, i;
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	stamp_bytes =
		(size_t)snprintf(stamp, sizeof(stamp), "%s-%s", prefix, when);
	for (i = 0; i < graph->snapshot_count; i++) {
		const char *other = graph->snapshots[i]->row.name;

		if (strncmp(other, stamp, stamp_bytes) != 0)
			continue;
		n = other[stamp_bytes] == '-' ?
			    strtoul(other + stamp_bytes + 1, NULL, 10) :
			    1;
		taken = n > taken ? n : taken;
	}
	if (taken)
		snprintf(name, name_bytes, "%s-%lu", stamp, taken + 1);
	else
		snprintf(name, name_bytes, "%s", stamp);
}

static int rollback_locked(struct store *store, const char *branch_name,
			   uint32_t snapshot_id, const char *note,
			   uint64_t undoes, const struct actor *actor,
			   struct rollback_result *result, uint64_t *lsn,
			   struct failure *failure) REQUIRES(store->order_lock)
{
	struct snapshot *target = graph_snapshot(&store->graph, snapshot_id);
	struct history_record record;
	struct branch *branch;
	int rc = history_branch_locked(store, branch_name, &branch, failure);

	if (rc < 0)
		return rc;
	if (!target || target->row.state == SNAPSHOT_STATE_DELETING)
		return failure_set(failure, FAILURE_NOT_FOUND, NULL,
				   "there is no such snapshot");
	history_begin_record(store, &record, HISTORY_OP_ROLLBACK, actor);
	record.branch = branch->row.id;
	record.snapshot = snapshot_id;
	record.line = store->next_line;
	record.from_line = target->row.line;
	record.from_gen = target->row.gen;
	record.gen = store->next_gen;
	record.undoes = undoes;
	if (branch->row.changed) {
		record.kept_snapshot = store->next_snapshot;
		history_kept_name(&store->graph, "rollback", record.name,
				  sizeof(record.name));
	}
	strcpy_bounded(record.note, note ? note : "", sizeof(record.note));
	strcpy_bounded(record.old_name, target->row.name,
		       sizeof(record.old_name));
	result->operation_id = record.operation;
	result->kept = record.kept_snapshot != 0;
	result->kept_as.id = record.kept_snapshot;
	return history_log_locked(store, &record, lsn);
}

int history_rollback_undoing(struct store *store, const char *branch,
			     uint32_t snapshot_id, const char *note,
			     uint64_t undoes, const struct actor *actor,
			     struct rollback_result *out_result,
			     struct failure *failure)
{
	struct view *view;
	uint64_t lsn = 0;
	int rc = view_open_branch(store, branch, &view, failure);

	memset(out_result, 0, sizeof(*out_result));
	if (rc == -ENOENT)
		failure_hint(failure, "cowd branch list %s", store->path);
	if (rc < 0)
		return rc;
	view_hold_writers(view);
	mutex_lock(&store->order_lock);
	rc = rollback_locked(store, branch, snapshot_id, note, undoes, actor,
			     out_result, &lsn, failure);
	mutex_unlock(&store->order_lock);
	view_release_writers(view);
	view_put(view);
	rc = history_finish(store, rc, lsn, branch, "roll back", failure);
	if (rc == 0 && out_result->kept)
		rc = history_get_snapshot(store, out_result->kept_as.id,
					  &out_result->kept_as);
	return rc;
}

int history_rollback(struct store *store, const char *branch,
		     uint32_t snapshot_id, const char *note,
		     const struct actor *actor,
		     struct rollback_result *out_result,
		     struct failure *failure)
{
	return history_rollback_undoing(store, branch, snapshot_id, note, 0,
					actor, out_result, failure);
}

static int clone_locked(struct store *store, const char *branch_name,
			uint32_t snapshot_id, const char *name,
			const struct actor *actor, uint64_t *lsn,
			struct failure *failure) REQUIRES(store->order_lock)
{
	struct history_record record;
	struct snapshot *snapshot;
	struct branch *branch;
	int rc;

	if (graph_branch_named(&store->graph, name))
		return failure_set(failure, FAILURE_EXISTS, name,
				   "a branch of this name exists");
	history_begin_record(store, &record, HISTORY_OP_CLONE, actor);
	if (snapshot_id) {
		rc = history_live_locked(store, snapshot_id, &snapshot,
					 failure);
		if (rc < 0)
			return rc;
		record.snapshot = snapshot_id;
		record.from_line = snapshot->row.line;
		record.from_gen = snapshot->row.gen;
		strcpy_bounded(record.old_name, snapshot->row.name,
			       sizeof(record.old_name));
	} else {
		rc = history_branch_locked(store, branch_name, &branch,
					   failure);
		if (rc < 0)
			return rc;
		record.from_line = branch->row.line;
		record.from_gen = branch->row.gen;
		strcpy_bounded(record.old_name, branch->row.name,
			       sizeof(record.old_name));
	}
	record.branch = store->next_branch;
	record.line = store->next_line;
	record.gen = store->next_gen;
	strcpy_bounded(record.name, name, sizeof(record.name));
	return history_log_locked(store, &record, lsn);
}

int history_clone(struct store *store, const char *branch, uint32_t snapshot_id,
		  const char *name, const struct actor *actor,
		  struct branch_info *out_info, struct failure *failure)
{
	uint64_t lsn = 0;
	int rc = history_check_name(name, failure);

	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	rc = clone_locked(store, branch, snapshot_id, name, actor, &lsn,
			  failure);
	mutex_unlock(&store->order_lock);
	rc = history_finish(store, rc, lsn, name, "clone", failure);
	if (rc == 0 && out_info)
		rc = history_find_branch(store, name, out_info, failure);
	return rc;
}

static int check_branch_unused(struct store *store, struct branch *branch,
			       struct failure *failure)
{
	const struct graph *graph = &store->graph;
	size_t i, live = 0;

	for (i = 0; i < graph->branch_count; i++)
		live += graph->branches[i]->row.state == BRANCH_STATE_LIVE;
	if (live < 2) {
		failure_set(failure, FAILURE_BUSY, branch->row.name,
			    "can't delete the last branch of a store");
		failure_hint(failure, "to remove the store, remove %s",
			     store->path);
		return -EBUSY;
	}
	if (branch->head) {
		failure_set(failure, FAILURE_BUSY, branch->row.name,
			    "can't delete a branch that is mounted or open");
		failure_hint(failure, "cowd umount %s:%s", store->path,
			     branch->row.name);
		return -EBUSY;
	}
	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;

		if (row->branch != branch->row.id ||
		    row->state != SNAPSHOT_STATE_LIVE)
			continue;
		failure_set(failure, FAILURE_HELD, branch->row.name,
			    "can't delete: it has snapshots, such as '%s'",
			    row->name);
		failure_hint(failure, "delete its snapshots first");
		return -EBUSY;
	}
	return 0;
}

static int branch_state_locked(struct store *store, uint32_t id, uint32_t state,
			       uint64_t undoes, const struct actor *actor,
			       uint64_t *lsn, struct failure *failure)
	REQUIRES(store->order_lock)
{
	struct branch *branch = graph_branch(&store->graph, id);
	struct history_record record;
	int rc;

	if (!branch || branch->row.state == BRANCH_STATE_DELETING)
		return failure_set(failure, FAILURE_NOT_FOUND, NULL,
				   "there is no such branch");
	if (branch->row.state == BRANCH_STATE_LIVE) {
		rc = check_branch_unused(store, branch, failure);
		if (rc < 0)
			return rc;
	} else if (state == BRANCH_STATE_LIVE &&
		   graph_branch_named(&store->graph, branch->row.name)) {
		return failure_set(failure, FAILURE_EXISTS, branch->row.name,
				   "another branch has taken its name");
	}
	history_begin_record(store, &record, HISTORY_OP_BRANCH_STATE, actor);
	record.branch = id;
	record.state = state;
	record.undoes = undoes;
	strcpy_bounded(record.name, branch->row.name, sizeof(record.name));
	return history_log_locked(store, &record, lsn);
}

int history_set_branch_state(struct store *store, uint32_t id, uint32_t state,
			     uint64_t undoes, const struct actor *actor,
			     struct failure *failure)
{
	uint64_t lsn = 0;
	int rc;

	mutex_lock(&store->order_lock);
	rc = branch_state_locked(store, id, state, undoes, actor, &lsn,
				 failure);
	mutex_unlock(&store->order_lock);
	rc = history_finish(store, rc, lsn, NULL, "change the branch", failure);
	if (rc == 0 && state == BRANCH_STATE_DELETING)
		worker_kick(store);
	return rc;
}

int history_delete_branch(struct store *store, const char *name, bool now,
			  const struct actor *actor, struct failure *failure)
{
	struct branch_info info;
	int rc = history_find_branch(store, name, &info, failure);

	if (rc < 0)
		return rc;
	return history_set_branch_state(store, info.id,
					now ? BRANCH_STATE_DELETING :
					      BRANCH_STATE_TRASH,
					0, actor, failure);
}

static int rename_branch_locked(struct store *store, uint32_t id,
				const char *new_name, uint64_t undoes,
				const struct actor *actor, uint64_t *lsn,
				struct failure *failure)
	REQUIRES(store->order_lock)
{
	struct branch *branch = graph_branch(&store->graph, id);
	struct history_record record;

	if (!branch || branch->row.state != BRANCH_STATE_LIVE)
		return failure_set(failure, FAILURE_NOT_FOUND, new_name,
				   "the branch to be renamed is gone");
	if (graph_branch_named(&store->graph, new_name))
		return failure_set(failure, FAILURE_EXISTS, new_name,
				   "a branch of this name exists");
	history_begin_record(store, &record, HISTORY_OP_BRANCH_RENAME, actor);
	record.branch = branch->row.id;
	record.undoes = undoes;
	strcpy_bounded(record.name, new_name, sizeof(record.name));
	strcpy_bounded(record.old_name, branch->row.name,
		       sizeof(record.old_name));
	return history_log_locked(store, &record, lsn);
}

int history_rename_branch_undoing(struct store *store, uint32_t id,
				  const char *new_name, uint64_t undoes,
				  const struct actor *actor,
				  struct failure *failure)
{
	uint64_t lsn = 0;
	int rc = history_check_name(new_name, failure);

	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	rc = rename_branch_locked(store, id, new_name, undoes, actor, &lsn,
				  failure);
	mutex_unlock(&store->order_lock);
	return history_finish(store, rc, lsn, new_name, "rename", failure);
}

int history_rename_branch(struct store *store, const char *name,
			  const char *new_name, const struct actor *actor,
			  struct failure *failure)
{
	struct branch_info info;
	int rc = history_find_branch(store, name, &info, failure);

	if (rc < 0)
		return rc;
	return history_rename_branch_undoing(store, info.id, new_name, 0, actor,
					     failure);
}

/* The operation log's entry; the file's own record changes the size. */
static int log_resize(struct store *store, const char *branch_name,
		      struct history_record *record, uint64_t undoes,
		      const struct actor *actor, struct failure *failure)
{
	struct history_record entry;
	struct branch *branch;
	uint64_t lsn = 0;
	int rc;

	mutex_lock(&store->order_lock);
	rc = history_branch_locked(store, branch_name, &branch, failure);
	if (rc == 0) {
		history_begin_record(store, &entry, HISTORY_OP_RESIZE, actor);
		entry.branch = branch->row.id;
		entry.snapshot = record->snapshot;
		entry.size_bytes = record->size_bytes;
		entry.undoes = undoes;
		strcpy_bounded(entry.note, record->note, sizeof(entry.note));
		strcpy_bounded(entry.name, branch_name, sizeof(entry.name));
		rc = history_log_locked(store, &entry, &lsn);
	}
	mutex_unlock(&store->order_lock);
	return history_finish(store, rc, lsn, branch_name, "resize", failure);
}

/* A snapshot of what shrinking cuts off, for undo. */
static int keep_before_shrink(struct store *store, const char *branch,
			      const struct actor *actor, uint32_t *out_id,
			      struct failure *failure)
{
	struct snapshot_info info;
	char name[64];
	int rc;

	mutex_lock(&store->order_lock);
	history_kept_name(&store->graph, "rollback", name, sizeof(name));
	mutex_unlock(&store->order_lock);
	rc = history_snapshot(store, branch, name, "before shrinking",
			      SNAPSHOT_KIND_ROLLBACK, actor, &info, failure);
	if (rc == 0)
		*out_id = info.id;
	return rc;
}

int history_resize_undoing(struct store *store, const char *branch,
			   uint64_t size_bytes, uint64_t undoes,
			   const struct actor *actor, struct failure *failure)
{
	struct history_record record = { .size_bytes = size_bytes };
	struct file_info info;
	struct view *view;
	int rc;

	if (store->is_tree)
		return failure_set(failure, FAILURE_USAGE, branch,
				   "a directory tree has no size");
	rc = view_open_branch(store, branch, &view, failure);
	if (rc < 0)
		return rc;
	file_get_info(view_image(view), &info);
	snprintf(record.note, sizeof(record.note), "%llu",
		 (unsigned long long)info.size_bytes);
	if (size_bytes < info.size_bytes)
		rc = keep_before_shrink(store, branch, actor, &record.snapshot,
					failure);
	if (rc == 0) {
		rc = file_resize(view_image(view), size_bytes);
		if (rc < 0)
			failure_errno(failure, rc, branch, "can't resize");
	}
	if (rc == 0)
		rc = log_resize(store, branch, &record, undoes, actor, failure);
	view_put(view);
	return rc;
}

int history_resize(struct store *store, const char *branch, uint64_t size_bytes,
		   const struct actor *actor, struct failure *failure)
{
	return history_resize_undoing(store, branch, size_bytes, 0, actor,
				      failure);
}
