/* Operations on snapshots: check, log, flush. */
#include "history.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "history_impl.h"

int history_finish(struct store *store, int rc, uint64_t lsn,
		   const char *object, const char *what,
		   struct failure *failure)
{
	if (rc == 0) {
		rc = log_sync(store->log, lsn);
		if (rc < 0)
			(void)store_fail(store, rc, "a flush failed");
	}
	if (rc < 0) {
		failure_errno(failure, rc, object, "can't %s", what);
		if (rc == -EROFS || rc == -EIO)
			failure_hint(failure, "see 'cowd status %s'",
				     store->path);
	}
	return rc;
}

void history_begin_record(struct store *store, struct history_record *record,
			  enum history_op op, const struct actor *actor)
{
	memset(record, 0, sizeof(*record));
	record->op = op;
	record->uid = actor ? actor->uid : 0;
	record->operation = store->next_operation;
}

int history_check_name(const char *name, struct failure *failure)
{
	size_t len_bytes = strlen(name), i;

	if (len_bytes == 0 || len_bytes > STORE_NAME_BYTES_MAX)
		return failure_set(failure, FAILURE_USAGE, NULL,
				   "a name has 1 to %d bytes, this one %zu",
				   STORE_NAME_BYTES_MAX, len_bytes);
	for (i = 0; i < len_bytes; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < ' ' || c == 127 || strchr("/@:,%", c))
			return failure_set(failure, FAILURE_USAGE, NULL,
					   "a name can't contain '/', '@', "
					   "':', ',', '%%' or control "
					   "characters");
	}
	if (name[0] == '.' || name[0] == '-' || name[0] == '~' ||
	    strcmp(name, "latest") == 0 || strcmp(name, "base") == 0)
		return failure_set(failure, FAILURE_USAGE, name,
				   "a name can't begin with '.', '-' or '~', "
				   "and 'latest' and 'base' have a meaning");
	return 0;
}

int history_branch_locked(struct store *store, const char *name,
			  struct branch **out_branch, struct failure *failure)
{
	struct branch *branch = graph_branch_named(&store->graph, name);

	if (!branch) {
		failure_set(failure, FAILURE_NOT_FOUND, name,
			    "there is no such branch");
		failure_hint(failure, "cowd branch list %s", store->path);
		return -ENOENT;
	}
	*out_branch = branch;
	return 0;
}

int history_live_locked(struct store *store, uint32_t id,
			struct snapshot **out_snapshot, struct failure *failure)
{
	struct snapshot *snapshot = graph_snapshot(&store->graph, id);

	if (!snapshot || snapshot->row.state != SNAPSHOT_STATE_LIVE) {
		failure_set(failure, FAILURE_NOT_FOUND, NULL,
			    "there is no such snapshot");
		failure_hint(failure, "cowd snapshot list %s", store->path);
		return -ENOENT;
	}
	*out_snapshot = snapshot;
	return 0;
}

static int snapshot_locked(struct store *store, const char *branch_name,
			   const char *name, const char *note,
			   enum snapshot_kind kind, const struct actor *actor,
			   uint32_t *out_id, uint64_t *lsn,
			   struct failure *failure) REQUIRES(store->order_lock)
{
	struct history_record record;
	struct branch *branch;
	int rc = history_branch_locked(store, branch_name, &branch, failure);

	if (rc < 0)
		return rc;
	if (graph_snapshot_named(&store->graph, name)) {
		failure_set(failure, FAILURE_EXISTS, name,
			    "a snapshot of this name exists");
		failure_hint(failure,
			     "choose another name, or delete it with "
			     "'cowd snapshot delete %s@%s'",
			     store->path, name);
		return -EEXIST;
	}
	history_begin_record(store, &record, HISTORY_OP_SNAPSHOT, actor);
	record.branch = branch->row.id;
	record.snapshot = store->next_snapshot;
	record.gen = store->next_gen;
	record.state = kind;
	strcpy_bounded(record.name, name, sizeof(record.name));
	strcpy_bounded(record.note, note ? note : "", sizeof(record.note));
	strcpy_bounded(record.old_name, branch->row.name,
		       sizeof(record.old_name));
	*out_id = record.snapshot;
	return history_log_locked(store, &record, lsn);
}

int history_snapshot(struct store *store, const char *branch, const char *name,
		     const char *note, enum snapshot_kind kind,
		     const struct actor *actor, struct snapshot_info *out_info,
		     struct failure *failure)
{
	uint64_t lsn = 0;
	uint32_t id;
	int rc = history_check_name(name, failure);

	if (rc < 0)
		return rc;
	if (note && strlen(note) > STORE_NOTE_BYTES_MAX)
		return failure_set(failure, FAILURE_USAGE, name,
				   "a note has at most %d bytes",
				   STORE_NOTE_BYTES_MAX);
	mutex_lock(&store->order_lock);
	rc = snapshot_locked(store, branch, name, note, kind, actor, &id, &lsn,
			     failure);
	mutex_unlock(&store->order_lock);
	rc = history_finish(store, rc, lsn, name, "take a snapshot", failure);
	if (rc == 0 && out_info)
		rc = history_get_snapshot(store, id, out_info);
	return rc;
}

static int snapshot_state_locked(struct store *store, uint32_t id,
				 uint32_t state, const struct actor *actor,
				 uint64_t undoes, uint64_t *lsn,
				 struct failure *failure)
	REQUIRES(store->order_lock)
{
	struct snapshot *snapshot = graph_snapshot(&store->graph, id);
	struct history_record record;

	if (!snapshot || snapshot->row.state == SNAPSHOT_STATE_DELETING)
		return failure_set(failure, FAILURE_NOT_FOUND, NULL,
				   "there is no such snapshot");
	if (state != SNAPSHOT_STATE_LIVE && snapshot->hold_count > 0) {
		failure_set(failure, FAILURE_HELD, snapshot->row.name,
			    "can't delete: it is held");
		failure_hint(failure,
			     "cowd snapshot holds %s@%s names the holds",
			     store->path, snapshot->row.name);
		return -EBUSY;
	}
	if (state == SNAPSHOT_STATE_DELETING && snapshot->pin_count > 0) {
		failure_set(failure, FAILURE_BUSY, snapshot->row.name,
			    "can't delete for good: it is open or mounted");
		failure_hint(failure, "unmount it first");
		return -EBUSY;
	}
	if (state == SNAPSHOT_STATE_LIVE &&
	    graph_snapshot_named(&store->graph, snapshot->row.name))
		return failure_set(failure, FAILURE_EXISTS, snapshot->row.name,
				   "another snapshot has taken its name");
	history_begin_record(store, &record, HISTORY_OP_SNAPSHOT_STATE, actor);
	record.snapshot = id;
	record.state = state;
	record.undoes = undoes;
	strcpy_bounded(record.name, snapshot->row.name, sizeof(record.name));
	return history_log_locked(store, &record, lsn);
}

int history_set_snapshot_state(struct store *store, uint32_t id,
			       enum snapshot_state state, uint64_t undoes,
			       const struct actor *actor,
			       struct failure *failure)
{
	uint64_t lsn = 0;
	int rc;

	mutex_lock(&store->order_lock);
	rc = snapshot_state_locked(store, id, state, actor, undoes, &lsn,
				   failure);
	mutex_unlock(&store->order_lock);
	rc = history_finish(store, rc, lsn, NULL, "change the snapshot",
			    failure);
	if (rc == 0 && state == SNAPSHOT_STATE_DELETING)
		worker_kick(store);
	return rc;
}

int history_delete_snapshot(struct store *store, uint32_t id, bool now,
			    const struct actor *actor, struct failure *failure)
{
	return history_set_snapshot_state(
		store, id, now ? SNAPSHOT_STATE_DELETING : SNAPSHOT_STATE_TRASH,
		0, actor, failure);
}

static int rename_snapshot_locked(struct store *store, uint32_t id,
				  const char *name, uint64_t undoes,
				  const struct actor *actor, uint64_t *lsn,
				  struct failure *failure)
	REQUIRES(store->order_lock)
{
	struct history_record record;
	struct snapshot *snapshot;
	int rc = history_live_locked(store, id, &snapshot, failure);

	if (rc < 0)
		return rc;
	if (graph_snapshot_named(&store->graph, name))
		return failure_set(failure, FAILURE_EXISTS, name,
				   "a snapshot of this name exists");
	history_begin_record(store, &record, HISTORY_OP_SNAPSHOT_RENAME, actor);
	record.snapshot = id;
	record.undoes = undoes;
	strcpy_bounded(record.name, name, sizeof(record.name));
	strcpy_bounded(record.old_name, snapshot->row.name,
		       sizeof(record.old_name));
	return history_log_locked(store, &record, lsn);
}

int history_rename_snapshot_undoing(struct store *store, uint32_t id,
				    const char *name, uint64_t undoes,
				    const struct actor *actor,
				    struct failure *failure)
{
	uint64_t lsn = 0;
	int rc = history_check_name(name, failure);

	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	rc = rename_snapshot_locked(store, id, name, undoes, actor, &lsn,
				    failure);
	mutex_unlock(&store->order_lock);
	return history_finish(store, rc, lsn, name, "rename", failure);
}

int history_rename_snapshot(struct store *store, uint32_t id, const char *name,
			    const struct actor *actor, struct failure *failure)
{
	return history_rename_snapshot_undoing(store, id, name, 0, actor,
					       failure);
}

static bool hold_exists(const struct graph *graph, uint32_t id, const char *tag)
{
	size_t i;

	for (i = 0; i < graph->hold_count; i++)
		if (graph->holds[i].snapshot == id &&
		    strcmp(graph->holds[i].tag, tag) == 0)
			return true;
	return false;
}

static int hold_locked(struct store *store, uint32_t id, const char *tag,
		       bool hold, uint64_t undoes, const struct actor *actor,
		       uint64_t *lsn, struct failure *failure)
	REQUIRES(store->order_lock)
{
	bool exists = hold_exists(&store->graph, id, tag);
	struct history_record record;
	struct snapshot *snapshot;
	int rc = history_live_locked(store, id, &snapshot, failure);

	if (rc < 0)
		return rc;
	if (hold && exists)
		return failure_set(failure, FAILURE_EXISTS, tag,
				   "the snapshot has this hold already");
	if (!hold && !exists)
		return failure_set(failure, FAILURE_NOT_FOUND, tag,
				   "the snapshot has no such hold");
	history_begin_record(store, &record,
			     hold ? HISTORY_OP_HOLD : HISTORY_OP_RELEASE,
			     actor);
	record.snapshot = id;
	record.undoes = undoes;
	strcpy_bounded(record.name, tag, sizeof(record.name));
	strcpy_bounded(record.old_name, snapshot->row.name,
		       sizeof(record.old_name));
	return history_log_locked(store, &record, lsn);
}

int history_set_hold(struct store *store, uint32_t snapshot_id, const char *tag,
		     bool hold, uint64_t undoes, const struct actor *actor,
		     struct failure *failure)
{
	uint64_t lsn = 0;
	int rc = history_check_name(tag, failure);

	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	rc = hold_locked(store, snapshot_id, tag, hold, undoes, actor, &lsn,
			 failure);
	mutex_unlock(&store->order_lock);
	return history_finish(store, rc, lsn, tag, "change the hold", failure);
}

int history_hold(struct store *store, uint32_t snapshot_id, const char *tag,
		 const struct actor *actor, struct failure *failure)
{
	return history_set_hold(store, snapshot_id, tag, true, 0, actor,
				failure);
}

int history_release(struct store *store, uint32_t snapshot_id, const char *tag,
		    const struct actor *actor, struct failure *failure)
{
	return history_set_hold(store, snapshot_id, tag, false, 0, actor,
				failure);
}
