/*
 * What a history record does: to memory at once, to the index with the next
 * checkpoint. The same for a new operation and for replay.
 */
#include <errno.h>
#include <string.h>

#include "dump.h"

/* New rows are saved by the next checkpoint. */
static int add_line(struct store *store, const struct line_row *row)
	REQUIRES(store->order_lock)
{
	int rc = graph_add_line(&store->graph, row);

	if (rc == 0)
		graph_line(&store->graph, row->id)->dirty = true;
	return rc;
}

static void use_ids(struct store *store, const struct history_record *h)
	REQUIRES(store->order_lock)
{
	if (h->line >= store->next_line)
		store->next_line = h->line + 1;
	if (h->gen >= store->next_gen)
		store->next_gen = h->gen + 1;
	if (h->op == HISTORY_OP_SNAPSHOT && h->snapshot >= store->next_snapshot)
		store->next_snapshot = h->snapshot + 1;
	if (h->kept_snapshot >= store->next_snapshot)
		store->next_snapshot = h->kept_snapshot + 1;
	if (h->branch >= store->next_branch)
		store->next_branch = h->branch + 1;
	if (h->operation >= store->next_operation)
		store->next_operation = h->operation + 1;
}

/* The head's present generation ends and is seen by a new snapshot. */
static int keep_head(struct store *store, struct branch *branch, uint32_t id,
		     const char *name, const char *note, uint32_t kind,
		     int64_t time_ns) REQUIRES(store->order_lock)
{
	struct snapshot_row row = {
		.id = id,
		.branch = branch->row.id,
		.line = branch->row.line,
		.gen = branch->row.gen,
		.state = SNAPSHOT_STATE_LIVE,
		.kind = kind,
		.created_ns = time_ns,
		.size_bytes = branch_size_locked(store, branch),
		.refer_blocks = branch->row.refer_blocks,
		.written_blocks = branch->row.written_blocks,
	};
	int rc;

	strcpy_bounded(row.name, name, sizeof(row.name));
	strcpy_bounded(row.note, note, sizeof(row.note));
	rc = graph_add_snapshot(&store->graph, &row);
	if (rc == 0)
		graph_snapshot(&store->graph, id)->dirty = true;
	return rc;
}

static int apply_snapshot(struct store *store, const struct history_record *h)
	REQUIRES(store->order_lock)
{
	struct branch *branch = graph_branch(&store->graph, h->branch);
	int rc;

	if (!branch || h->gen <= branch->row.gen)
		return -EUCLEAN;
	if (branch->head) {
		rc = view_keep_inodes_locked(store, branch->head);
		if (rc < 0)
			return rc;
	}
	rc = keep_head(store, branch, h->snapshot, h->name, h->note, h->state,
		       h->time_ns);
	if (rc < 0)
		return rc;
	branch->row.gen = h->gen;
	branch->row.written_blocks = 0;
	branch->row.changed = false;
	if (branch->head) {
		mutex_lock(&store->map_lock);
		branch->head->gen = h->gen;
		mutex_unlock(&store->map_lock);
	}
	branch->dirty = true;
	view_points_locked(store);
	return 0;
}

/* A work branch gives what it has to the branch, and goes. */
static int adopt(struct store *store, struct branch *branch,
		 struct branch *work) REQUIRES(store->order_lock)
{
	int rc = work->head ? view_keep_inodes_locked(store, work->head) : 0;

	if (rc < 0)
		return rc;
	branch->row.refer_blocks = work->row.refer_blocks;
	branch->row.written_blocks = work->row.written_blocks;
	branch->row.changed = true; /* it equals no snapshot */
	work->row.state = BRANCH_STATE_DELETING;
	work->dirty = true;
	return 0;
}

static int apply_rollback(struct store *store, const struct history_record *h)
	REQUIRES(store->order_lock)
{
	struct branch *branch = graph_branch(&store->graph, h->branch);
	struct snapshot *target = graph_snapshot(&store->graph, h->snapshot);
	struct branch *work = graph_branch_of_line(&store->graph, h->from_line);
	struct line_row line = { h->line, h->from_line, h->from_gen, h->gen };
	int rc;

	if (!branch || !graph_line(&store->graph, h->from_line) ||
	    (!h->snapshot && (!work || work == branch)))
		return -EUCLEAN;
	if (branch->head) {
		rc = view_keep_inodes_locked(store, branch->head);
		if (rc < 0)
			return rc;
	}
	if (h->kept_snapshot) {
		rc = keep_head(store, branch, h->kept_snapshot, h->name,
			       h->note, SNAPSHOT_KIND_ROLLBACK, h->time_ns);
		if (rc < 0)
			return rc;
	}
	rc = add_line(store, &line);
	if (rc < 0)
		return rc;
	branch->row.line = h->line;
	branch->row.gen = h->gen;
	branch->row.written_blocks = 0;
	branch->row.changed = false;
	if (target) {
		branch->row.refer_blocks = target->row.refer_blocks;
		branch->size_bytes = target->row.size_bytes;
	}
	if (!h->snapshot) {
		rc = adopt(store, branch, work);
		if (rc < 0)
			return rc;
	}
	atomic_store(&store->reap_pending, true);
	branch->dirty = true;
	if (branch->head)
		rc = view_repoint_locked(store, branch->head, h->line, h->gen);
	view_points_locked(store);
	return rc;
}

static int apply_clone(struct store *store, const struct history_record *h)
	REQUIRES(store->order_lock)
{
	struct branch *from = graph_branch_of_line(&store->graph, h->from_line);
	struct snapshot *at = graph_snapshot(&store->graph, h->snapshot);
	struct line_row line = { h->line, h->from_line, h->from_gen, h->gen };
	struct branch_row row = {
		.id = h->branch,
		.line = h->line,
		.gen = h->gen,
		.state = BRANCH_STATE_LIVE,
		.parent_snapshot = h->snapshot,
		.parent_branch = at   ? at->row.branch :
				 from ? from->row.id :
					0,
		.created_ns = h->time_ns,
		.refer_blocks = at   ? at->row.refer_blocks :
				from ? from->row.refer_blocks :
				       0,
	};
	int rc = add_line(store, &line);

	if (rc < 0)
		return rc;
	strcpy_bounded(row.name, h->name, sizeof(row.name));
	rc = graph_add_branch(&store->graph, &row);
	if (rc < 0)
		return rc;
	graph_branch(&store->graph, row.id)->size_bytes =
		at ? at->row.size_bytes : BRANCH_SIZE_UNKNOWN;
	graph_branch(&store->graph, row.id)->dirty = true;
	if (!at && from) {
		/* The head that it starts at goes on in a generation of its
		 * own; no snapshot names the one that ends. */
		if (from->head)
			rc = view_keep_inodes_locked(store, from->head);
		from->row.gen = h->gen + 1;
		store->next_gen = h->gen + 2 > store->next_gen ?
					  h->gen + 2 :
					  store->next_gen;
		if (from->head) {
			mutex_lock(&store->map_lock);
			from->head->gen = from->row.gen;
			mutex_unlock(&store->map_lock);
		}
		from->dirty = true;
	}
	view_points_locked(store);
	return rc;
}

/* A head that equalled the snapshot has nothing left that keeps its state:
 * a rollback must keep it. */
static void forget_equality(struct store *store,
			    const struct snapshot_row *gone)
	REQUIRES(store->order_lock)
{
	struct graph *graph = &store->graph;
	size_t i;

	for (i = 0; i < graph->branch_count; i++) {
		struct branch *branch = graph->branches[i];
		const struct line *line = graph_line(graph, branch->row.line);

		if (branch->row.line != gone->line &&
		    (!line || line->row.parent != gone->line ||
		     line->row.fork_gen != gone->gen))
			continue;
		branch->row.changed = true;
		branch->dirty = true;
	}
}

static int apply_snapshot_state(struct store *store,
				const struct history_record *h)
	REQUIRES(store->order_lock)
{
	struct snapshot *snapshot = graph_snapshot(&store->graph, h->snapshot);

	if (!snapshot)
		return 0; /* replay: it was purged already */
	if (snapshot->row.state == SNAPSHOT_STATE_DELETING)
		return 0;
	snapshot->row.state = h->state;
	snapshot->row.deleted_ns = h->state == SNAPSHOT_STATE_LIVE ? 0 :
								     h->time_ns;
	if (h->state != SNAPSHOT_STATE_LIVE)
		forget_equality(store, &snapshot->row);
	if (h->state == SNAPSHOT_STATE_DELETING) {
		atomic_store(&store->reap_pending, true);
		view_points_locked(store);
	}
	snapshot->dirty = true;
	return 0;
}

static int apply_branch_state(struct store *store,
			      const struct history_record *h)
	REQUIRES(store->order_lock)
{
	struct branch *branch = graph_branch(&store->graph, h->branch);

	if (!branch || branch->row.state == BRANCH_STATE_DELETING)
		return 0;
	branch->row.state = h->state;
	branch->row.deleted_ns = h->state == BRANCH_STATE_LIVE ? 0 : h->time_ns;
	if (h->state == BRANCH_STATE_DELETING) {
		atomic_store(&store->reap_pending, true);
		view_points_locked(store);
	}
	branch->dirty = true;
	return 0;
}

static int apply_rename(struct store *store, const struct history_record *h)
	REQUIRES(store->order_lock)
{
	struct snapshot *snapshot = graph_snapshot(&store->graph, h->snapshot);
	struct branch *branch = graph_branch(&store->graph, h->branch);

	if (h->op == HISTORY_OP_BRANCH_RENAME) {
		if (!branch)
			return 0;
		strcpy_bounded(branch->row.name, h->name,
			       sizeof(branch->row.name));
		branch->dirty = true;
		return 0;
	}
	if (!snapshot)
		return 0;
	strcpy_bounded(snapshot->row.name, h->name, sizeof(snapshot->row.name));
	snapshot->dirty = true;
	return 0;
}

static int apply_hold(struct store *store, const struct history_record *h)
	REQUIRES(store->order_lock)
{
	struct hold_row row = { .snapshot = h->snapshot,
				.created_ns = h->time_ns };
	struct change *change;

	strcpy_bounded(row.tag, h->name, sizeof(row.tag));
	graph_remove_hold(&store->graph, h->snapshot, h->name);
	if (h->op == HISTORY_OP_HOLD) {
		int rc = graph_add_hold(&store->graph, &row);

		if (rc < 0)
			return rc;
	}
	change = change_add(
		&store->changes,
		h->op == HISTORY_OP_HOLD ? CHANGE_HOLD : CHANGE_HOLD_DELETE, 0);
	if (!change)
		return -ENOMEM;
	change->hold = row;
	return 0;
}

static int apply_by_op(struct store *store, const struct history_record *h)
	REQUIRES(store->order_lock)
{
	switch (h->op) {
	case HISTORY_OP_SNAPSHOT:
		return apply_snapshot(store, h);
	case HISTORY_OP_SNAPSHOT_STATE:
		return apply_snapshot_state(store, h);
	case HISTORY_OP_SNAPSHOT_RENAME:
	case HISTORY_OP_BRANCH_RENAME:
		return apply_rename(store, h);
	case HISTORY_OP_HOLD:
	case HISTORY_OP_RELEASE:
		return apply_hold(store, h);
	case HISTORY_OP_ROLLBACK:
		return apply_rollback(store, h);
	case HISTORY_OP_CLONE:
		return apply_clone(store, h);
	case HISTORY_OP_BRANCH_STATE:
		return apply_branch_state(store, h);
	case HISTORY_OP_RESIZE:
		return 0; /* the RESIZE record does it */
	case HISTORY_OP_LAYERS:
		return 0; /* the STACK item does it */
	}
	return -EUCLEAN;
}

static int queue_operation(struct store *store, enum change_kind kind,
			   uint64_t id, uint64_t lsn,
			   const struct history_record *h)
	REQUIRES(store->order_lock)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t bytes = history_record_encode(h, payload);
	struct change *change = change_add(&store->changes, kind, bytes);

	if (!change)
		return -ENOMEM;
	change->id = id;
	change->lsn = lsn;
	change->record.bytes = bytes;
	memcpy(change->record.data, payload, bytes);
	return 0;
}

/* The operation log; an undo marks what it reverts. */
static int note_operation(struct store *store, const struct history_record *h,
			  uint64_t lsn) REQUIRES(store->order_lock)
{
	struct graph *graph = &store->graph;
	size_t i;
	int rc;

	for (i = 0; h->undoes && i < graph->operation_count; i++) {
		struct operation *operation = &graph->operations[i];

		if (operation->id != h->undoes)
			continue;
		operation->undone = true;
		rc = queue_operation(store, CHANGE_OPERATION_UNDONE,
				     operation->id, operation->lsn,
				     operation->record);
		if (rc < 0)
			return rc;
	}
	rc = graph_add_operation(graph, h->operation, lsn, false, h);
	if (rc < 0)
		return rc;
	return queue_operation(store, CHANGE_OPERATION, h->operation, lsn, h);
}

int history_apply_locked(struct store *store, const struct history_record *h,
			 uint64_t lsn)
{
	int rc = apply_by_op(store, h);

	if (rc < 0)
		return rc;
	use_ids(store, h);
	return h->operation ? note_operation(store, h, lsn) : 0;
}

int history_log_locked(struct store *store, struct history_record *record,
		       uint64_t *lsn)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	int rc = store_check_writable(store, 0);

	if (rc < 0)
		return rc;
	record->time_ns = store_realtime_ns();
	rc = store_logged(
		store, log_append(store->log, RECORD_TYPE_HISTORY, payload,
				  history_record_encode(record, payload), lsn));
	if (rc < 0)
		return rc;
	dump_note_locked(store);
	rc = history_apply_locked(store, record, *lsn);
	if (rc < 0)
		return store_fail(store, rc, "can't apply a logged operation");
	return 0;
}
