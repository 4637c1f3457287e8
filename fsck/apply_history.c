/*
 * Records of history. What an operation does to branches and counters is
 * saved later (apply_graph_save); new rows, names and states at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply_impl.h"

enum { IMAGE_FILE_INODE = 2, KIND_ROLLBACK = 2 };

static void raise_counter(struct apply *apply, int64_t *counter, int64_t used)
{
	if (used < *counter)
		return;
	*counter = used + 1;
	apply->meta_dirty = true;
}

static void use_ids(struct apply *apply, const struct history_record *h)
{
	raise_counter(apply, &apply->next_line, h->line);
	raise_counter(apply, &apply->next_gen, h->gen);
	if (h->op == HISTORY_OP_SNAPSHOT)
		raise_counter(apply, &apply->next_snapshot, h->snapshot);
	raise_counter(apply, &apply->next_snapshot, h->kept_snapshot);
	raise_counter(apply, &apply->next_branch, h->branch);
	raise_counter(apply, &apply->next_operation, (int64_t)h->operation);
}

/* 1: it contradicts what is there; told. */
static int contradicts(struct apply *apply, const struct history_record *h)
{
	apply_trouble(apply, APPLY_TROUBLE_RECORD,
		      h->line ? h->line : h->from_line, h->gen, 0, 0);
	return 1;
}

static int image_size(struct apply *apply, uint32_t line, uint32_t gen,
		      uint64_t *out_bytes)
{
	int rc;

	*out_bytes = 0;
	if (apply->is_tree)
		return 0;
	rc = apply_target_at(apply, line, gen, 0, 0);
	if (rc == 0)
		rc = apply_inode_get(apply, IMAGE_FILE_INODE);
	if (rc == 0)
		*out_bytes = apply->inode.item.size_bytes;
	return rc < 0 ? rc : 0;
}

static int keep_head(struct apply *apply, const struct apply_branch *branch,
		     uint32_t id, uint32_t kind, const struct history_record *h)
{
	const struct apply_snapshot snapshot = {
		.id = id,
		.branch = branch->id,
		.line = branch->line,
		.gen = branch->gen,
		.refer_blocks = branch->refer_blocks,
	};
	uint64_t size_bytes;
	int rc = image_size(apply, branch->line, branch->gen, &size_bytes);

	if (rc == 0)
		rc = apply_add_snapshot(apply, &snapshot);
	if (rc < 0)
		return rc;
	return query_run(apply->queries,
			 "INSERT OR REPLACE INTO snapshots(id, name, branch,"
			 " line, gen, state, kind, created_ns, deleted_ns,"
			 " size_bytes, refer_blocks, written_blocks, note)"
			 " VALUES(?, ?, ?, ?, ?, 0, ?, ?, 0, ?, ?, ?, ?)",
			 "itiiiiiiiit", (int64_t)id, h->name,
			 (int64_t)branch->id, (int64_t)branch->line,
			 (int64_t)branch->gen, (int64_t)kind, h->time_ns,
			 (int64_t)size_bytes, branch->refer_blocks,
			 branch->written_blocks, h->note);
}

static int add_line(struct apply *apply, const struct history_record *h)
{
	const struct apply_line line = { h->line, h->from_line, h->from_gen,
					 h->gen };
	int rc = apply_add_line(apply, &line);

	if (rc < 0)
		return rc;
	return query_run(apply->queries,
			 "INSERT OR REPLACE INTO lines(id, parent, fork_gen,"
			 " first_gen) VALUES(?, ?, ?, ?)",
			 "iiii", (int64_t)line.id, (int64_t)line.parent,
			 (int64_t)line.fork_gen, (int64_t)line.first_gen);
}

static int snapshot(struct apply *apply, const struct history_record *h)
{
	struct apply_branch *branch = apply_branch_of(apply, h->branch);
	int rc;

	if (!branch || h->gen <= branch->gen || h->snapshot == 0)
		return contradicts(apply, h);
	rc = keep_head(apply, branch, h->snapshot, h->state, h);
	if (rc < 0)
		return rc;
	branch->gen = h->gen;
	branch->written_blocks = 0;
	branch->changed = false;
	branch->dirty = true;
	apply->target.valid = false;
	return 0;
}

/* A branch that was made to be changed in place of this one. */
static void take_over(struct apply_branch *branch, struct apply_branch *work)
{
	branch->refer_blocks = work->refer_blocks;
	branch->written_blocks = work->written_blocks;
	branch->changed = true;
	work->state = APPLY_STATE_DELETING;
	work->dirty = true;
}

static int rollback(struct apply *apply, const struct history_record *h)
{
	struct apply_branch *branch = apply_branch_of(apply, h->branch);
	struct apply_branch *work = apply_branch_on_line(apply, h->from_line);
	const struct apply_snapshot *at = apply_snapshot_of(apply, h->snapshot);
	int64_t refer_blocks = at ? at->refer_blocks : 0;
	int rc = 0;

	if (!branch || !apply_line_of(apply, h->from_line) ||
	    (h->snapshot == 0 && (!work || work == branch)))
		return contradicts(apply, h);
	if (h->kept_snapshot)
		rc = keep_head(apply, branch, h->kept_snapshot, KIND_ROLLBACK,
			       h);
	if (rc == 0)
		rc = add_line(apply, h);
	if (rc < 0)
		return rc;
	branch->line = h->line;
	branch->gen = h->gen;
	branch->written_blocks = 0;
	branch->changed = false;
	branch->dirty = true;
	if (at)
		branch->refer_blocks = refer_blocks;
	if (h->snapshot == 0)
		take_over(branch, work);
	apply->target.valid = false;
	return 0;
}

static int clone(struct apply *apply, const struct history_record *h)
{
	struct apply_branch *from = apply_branch_on_line(apply, h->from_line);
	const struct apply_snapshot *at = apply_snapshot_of(apply, h->snapshot);
	struct apply_branch branch = {
		.id = h->branch,
		.line = h->line,
		.gen = h->gen,
		.refer_blocks = at   ? at->refer_blocks :
				from ? from->refer_blocks :
				       0,
	};
	uint32_t parent = at ? at->branch : from ? from->id : 0;
	int rc;

	if (h->branch == 0 || !apply_line_of(apply, h->from_line) ||
	    apply_line_of(apply, h->line))
		return contradicts(apply, h);
	if (!at && from) {
		from->gen = h->gen + 1;
		from->dirty = true;
		raise_counter(apply, &apply->next_gen, (int64_t)h->gen + 1);
	}
	rc = add_line(apply, h);
	if (rc == 0)
		rc = apply_add_branch(apply, &branch);
	if (rc < 0)
		return rc;
	return query_run(apply->queries,
			 "INSERT OR REPLACE INTO branches(id, name, line, gen,"
			 " state, parent_snapshot, parent_branch, created_ns,"
			 " deleted_ns, refer_blocks, written_blocks, changed)"
			 " VALUES(?, ?, ?, ?, 0, ?, ?, ?, 0, ?, 0, 0)",
			 "itiiiiii", (int64_t)h->branch, h->name,
			 (int64_t)h->line, (int64_t)h->gen,
			 (int64_t)h->snapshot, (int64_t)parent, h->time_ns,
			 branch.refer_blocks);
}

/* Heads that equalled the snapshot: nothing else keeps their state now. */
static void forget_equality(struct apply *apply,
			    const struct apply_snapshot *gone)
{
	size_t i;

	for (i = 0; i < apply->branch_count; i++) {
		struct apply_branch *branch = &apply->branches[i];
		const struct apply_line *line =
			apply_line_of(apply, branch->line);

		if (branch->line != gone->line &&
		    (!line || line->parent != gone->line ||
		     line->fork_gen != gone->gen))
			continue;
		branch->changed = true;
		branch->dirty = true;
	}
}

static int snapshot_state(struct apply *apply, const struct history_record *h)
{
	struct apply_snapshot *at = apply_snapshot_of(apply, h->snapshot);

	if (!at || at->state == APPLY_STATE_DELETING)
		return 0;
	at->state = h->state;
	if (h->state != APPLY_STATE_LIVE)
		forget_equality(apply, at);
	return query_run(apply->queries,
			 "UPDATE snapshots SET state = ?, deleted_ns = ?"
			 " WHERE id = ?",
			 "iii", (int64_t)h->state,
			 h->state == APPLY_STATE_LIVE ? 0 : h->time_ns,
			 (int64_t)h->snapshot);
}

static int branch_state(struct apply *apply, const struct history_record *h)
{
	struct apply_branch *branch = apply_branch_of(apply, h->branch);

	if (!branch || branch->state == APPLY_STATE_DELETING)
		return 0;
	branch->state = h->state;
	branch->deleted_ns = h->state == APPLY_STATE_LIVE ? 0 : h->time_ns;
	branch->dirty = true;
	return 0;
}

static int hold(struct apply *apply, const struct history_record *h)
{
	if (h->op == HISTORY_OP_RELEASE)
		return query_run(apply->queries,
				 "DELETE FROM holds WHERE snapshot = ?"
				 " AND tag = ?",
				 "it", (int64_t)h->snapshot, h->name);
	return query_run(apply->queries,
			 "INSERT OR REPLACE INTO holds(snapshot, tag,"
			 " created_ns) VALUES(?, ?, ?)",
			 "iti", (int64_t)h->snapshot, h->name, h->time_ns);
}

static int by_op(struct apply *apply, const struct history_record *h)
{
	switch (h->op) {
	case HISTORY_OP_SNAPSHOT:
		return snapshot(apply, h);
	case HISTORY_OP_SNAPSHOT_STATE:
		return snapshot_state(apply, h);
	case HISTORY_OP_SNAPSHOT_RENAME:
		return query_run(apply->queries,
				 "UPDATE snapshots SET name = ? WHERE id = ?",
				 "ti", h->name, (int64_t)h->snapshot);
	case HISTORY_OP_BRANCH_RENAME:
		return query_run(apply->queries,
				 "UPDATE branches SET name = ? WHERE id = ?",
				 "ti", h->name, (int64_t)h->branch);
	case HISTORY_OP_HOLD:
	case HISTORY_OP_RELEASE:
		return hold(apply, h);
	case HISTORY_OP_ROLLBACK:
		return rollback(apply, h);
	case HISTORY_OP_CLONE:
		return clone(apply, h);
	case HISTORY_OP_BRANCH_STATE:
		return branch_state(apply, h);
	case HISTORY_OP_RESIZE:
	case HISTORY_OP_LAYERS:
		return 0; /* other records do it */
	}
	return -EUCLEAN;
}

static int note_operation(struct apply *apply, const struct history_record *h,
			  const struct record *record)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t bytes = history_record_encode(h, payload);
	int rc = 0;

	if (h->undoes)
		rc = query_run(apply->queries,
			       "UPDATE operations SET undone = 1 WHERE id = ?",
			       "i", (int64_t)h->undoes);
	if (rc < 0)
		return rc;
	apply->meta_dirty = true;
	return query_run(apply->queries,
			 "INSERT OR REPLACE INTO operations(id, lsn, undone,"
			 " record) VALUES(?, ?, 0, ?)",
			 "iib", (int64_t)h->operation, (int64_t)record->lsn,
			 payload, bytes);
}

int apply_history(struct apply *apply, const struct record *record)
{
	AUTO_FREE struct history_record *h = malloc(sizeof(*h));
	int rc = h ? history_record_decode(record, h) : -ENOMEM;

	if (rc == 0)
		rc = apply_inode_flush(apply);
	if (rc == 0)
		rc = by_op(apply, h);
	if (rc != 0)
		return rc;
	use_ids(apply, h);
	return h->operation ? note_operation(apply, h, record) : 0;
}
