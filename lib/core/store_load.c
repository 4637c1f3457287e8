/* What the index says of a store when it is opened: history and counters. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_impl.h"

/* Of all counters (F-58): what one operation takes never wraps round. */
#define LAST_ID (UINT32_MAX - 65536)

static int add_line(void *context, const struct line_row *row)
{
	return graph_add_line(context, row);
}

static int add_branch(void *context, const struct branch_row *row)
{
	return graph_add_branch(context, row);
}

static int add_snapshot(void *context, const struct snapshot_row *row)
{
	return graph_add_snapshot(context, row);
}

static int add_hold(void *context, const struct hold_row *row)
{
	return graph_add_hold(context, row);
}

/* Newest first: turned round by load_graph. */
static int add_operation(void *context, const struct operation_row *row)
{
	struct record record = { .payload = row->record,
				 .payload_bytes = row->record_bytes };
	AUTO_FREE struct history_record *history = malloc(sizeof(*history));
	int rc;

	if (!history)
		return -ENOMEM;
	rc = history_record_decode(&record, history);
	if (rc < 0)
		return rc;
	return graph_add_operation(context, row->id, row->lsn, row->undone,
				   history);
}

static void reverse_operations(struct graph *graph)
{
	size_t i, count = graph->operation_count;

	for (i = 0; i < count / 2; i++) {
		struct operation swap = graph->operations[i];

		graph->operations[i] = graph->operations[count - 1 - i];
		graph->operations[count - 1 - i] = swap;
	}
}

/* Every head and snapshot is on a line that exists (F-57). */
static int check_graph(const struct graph *graph)
{
	size_t i;

	for (i = 0; i < graph->branch_count; i++)
		if (!graph_line(graph, graph->branches[i]->row.line))
			return -EUCLEAN;
	for (i = 0; i < graph->snapshot_count; i++)
		if (!graph_line(graph, graph->snapshots[i]->row.line))
			return -EUCLEAN;
	for (i = 0; i < graph->line_count; i++) {
		const struct line_row *row = &graph->lines[i]->row;

		if (row->parent && !graph_line(graph, row->parent))
			return -EUCLEAN;
	}
	return graph->branch_count ? 0 : -EUCLEAN;
}

/* Ids are never given out twice: what there is has smaller ones (F-58). */
static int check_counters(const struct store *store, const struct graph *graph)
{
	uint32_t line = 0, gen = 0, snapshot = 0, branch = 0;
	size_t i, operations = graph->operation_count;

	for (i = 0; i < graph->line_count; i++) {
		const struct line_row *row = &graph->lines[i]->row;

		line = row->id > line ? row->id : line;
		gen = row->fork_gen > gen ? row->fork_gen : gen;
		gen = row->first_gen > gen ? row->first_gen : gen;
	}
	for (i = 0; i < graph->branch_count; i++) {
		const struct branch_row *row = &graph->branches[i]->row;

		branch = row->id > branch ? row->id : branch;
		gen = row->gen > gen ? row->gen : gen;
	}
	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;

		snapshot = row->id > snapshot ? row->id : snapshot;
		gen = row->gen > gen ? row->gen : gen;
	}
	return store->next_line > line && store->next_gen > gen &&
			       store->next_snapshot > snapshot &&
			       store->next_branch > branch &&
			       (operations == 0 ||
				store->next_operation >
					graph->operations[operations - 1].id) ?
		       0 :
		       -EUCLEAN;
}

/* Has the reaper anything to do? */
static bool has_deleted(const struct graph *graph)
{
	bool found = false;
	size_t i;

	for (i = 0; i < graph->snapshot_count && !found; i++)
		found = graph->snapshots[i]->row.state ==
			SNAPSHOT_STATE_DELETING;
	for (i = 0; i < graph->branch_count && !found; i++)
		found = graph->branches[i]->row.state == BRANCH_STATE_DELETING;
	for (i = 0; i < graph->line_count && !found; i++)
		found = graph_is_ghost(graph, graph->lines[i]);
	return found;
}

int store_load_graph(struct store *store)
{
	struct graph *graph = &store->graph;
	int rc = index_lines_load(store->index, add_line, graph);

	if (rc == 0)
		rc = index_branches_load(store->index, add_branch, graph);
	if (rc == 0)
		rc = index_snapshots_load(store->index, add_snapshot, graph);
	if (rc == 0)
		rc = index_holds_load(store->index, add_hold, graph);
	if (rc == 0)
		rc = index_operations_load(store->index, GRAPH_OPERATIONS_MAX,
					   add_operation, graph);
	if (rc == 0)
		rc = check_graph(graph);
	reverse_operations(graph);
	if (rc == 0)
		rc = check_counters(store, graph);
	if (rc < 0)
		return rc;
	graph_refresh(graph);
	atomic_store(&store->reap_pending, has_deleted(graph));
	return rc;
}

static int get_u32(struct store *store, const char *key, uint32_t *out)
{
	int64_t value = 0;
	int rc = index_meta_get(store->index, key, &value);

	if (rc == 0 && (value < 0 || value > LAST_ID))
		rc = -EUCLEAN;
	*out = (uint32_t)value;
	return rc == -ENOENT ? -EUCLEAN : rc;
}

int store_load_meta(struct store *store, struct log_position *position,
		    bool *out_clean)
{
	int64_t seed = 0, lsn = 0, operation = 0, inode = 0, clean = 0,
		backup = 0;
	const struct {
		const char *key;
		uint32_t *value;
	} values[] = {
		{ "log_segment", &position->segment },
		{ "log_block", &position->block },
		{ "log_offset", &position->offset },
		{ "log_tail_segment", &position->tail_segment },
		{ "log_tail_block", &position->tail_block },
		{ "log_epoch", &position->epoch },
		{ "next_line", &store->next_line },
		{ "next_gen", &store->next_gen },
		{ "next_snapshot", &store->next_snapshot },
		{ "next_branch", &store->next_branch },
	};
	size_t i;
	int rc = index_meta_get_blob(store->index, "uuid", store->uuid,
				     sizeof(store->uuid));

	if (rc == 0)
		rc = index_meta_get(store->index, "seed", &seed);
	if (rc == 0)
		rc = index_meta_get(store->index, "log_next_lsn", &lsn);
	if (rc == 0)
		rc = index_meta_get(store->index, "next_operation", &operation);
	if (rc == 0)
		rc = index_meta_get(store->index, "next_inode", &inode);
	for (i = 0; i < sizeof(values) / sizeof(values[0]) && rc == 0; i++)
		rc = get_u32(store, values[i].key, values[i].value);
	if (rc < 0)
		return rc == -ENOENT ? -EUCLEAN : rc;
	if (index_meta_get(store->index, "clean", &clean) < 0)
		clean = 0;
	if (index_meta_get(store->index, "backup_lsn", &backup) < 0 ||
	    faccessat(store->directory_fd, "index.bak", F_OK,
		      AT_SYMLINK_NOFOLLOW) < 0)
		backup = 0;
	if (position->segment == 0 || position->block == 0 ||
	    position->block >= SEGMENT_BLOCKS ||
	    position->offset < RECORD_BLOCK_HEADER_BYTES ||
	    position->offset > FORMAT_BLOCK_BYTES ||
	    position->tail_segment < position->segment ||
	    position->tail_block > SEGMENT_BLOCKS || lsn < 1 ||
	    inode < FIRST_NEW_INODE || inode >= (int64_t)INODE_NEW_END)
		return -EUCLEAN;
	store->seed = (uint64_t)seed;
	store->next_operation = (uint64_t)operation;
	store->next_inode = (uint64_t)inode;
	position->next_lsn = (uint64_t)lsn;
	store->checkpoint_lsn = position->next_lsn - 1;
	store->backup_lsn = (uint64_t)backup;
	store->dumped = index_meta_get(store->index, "state_lsn", &backup) == 0;
	*out_clean = clean == 1;
	return 0;
}

static void lost_index(void *context, int rc)
{
	(void)store_fail(context, rc, "the index can't be written");
}

int store_open_index(struct store *store, struct failure *failure)
{
	int rc = index_renew_wal(store->directory_fd);

	if (rc < 0)
		return failure_errno(failure, rc, store->path,
				     "can't write index.db-wal again");
	rc = index_open(store->path, &store->index, failure);
	if (rc == 0)
		index_on_failure(store->index, lost_index, store);
	return rc;
}
