/* Lines, branches and snapshots in memory. */
#include "graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* All arrays are sorted by the u32 id that each element begins with. */
static size_t search(void *const *items, size_t count, uint32_t id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (*(const uint32_t *)items[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void *find(void *const *items, size_t count, uint32_t id)
{
	size_t i = search(items, count, id);

	return i < count && *(const uint32_t *)items[i] == id ? items[i] : NULL;
}

static int insert(void ***items, size_t *count, size_t *capacity, void *item)
{
	size_t i;

	if (*count == *capacity) {
		size_t grown = *capacity ? *capacity * 2 : 16;
		void **bigger = realloc(*items, grown * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		*items = bigger;
		*capacity = grown;
	}
	i = search(*items, *count, *(const uint32_t *)item);
	memmove(*items + i + 1, *items + i, (*count - i) * sizeof(**items));
	(*items)[i] = item;
	(*count)++;
	return 0;
}

static void take_out(void **items, size_t *count, uint32_t id)
{
	size_t i = search(items, *count, id);

	if (i == *count || *(const uint32_t *)items[i] != id)
		return;
	free(items[i]);
	memmove(items + i, items + i + 1, (*count - i - 1) * sizeof(*items));
	(*count)--;
}

static int add(void ***items, size_t *count, size_t *capacity, const void *row,
	       size_t row_bytes, size_t item_bytes)
{
	void *item;

	if (find(*items, *count, *(const uint32_t *)row))
		return -EEXIST;
	item = calloc(1, item_bytes);
	if (!item)
		return -ENOMEM;
	memcpy(item, row, row_bytes);
	if (insert(items, count, capacity, item) < 0) {
		free(item);
		return -ENOMEM;
	}
	return 0;
}

void graph_fini(struct graph *graph)
{
	size_t i;

	for (i = 0; i < graph->line_count; i++)
		free(graph->lines[i]);
	for (i = 0; i < graph->branch_count; i++)
		free(graph->branches[i]);
	for (i = 0; i < graph->snapshot_count; i++)
		free(graph->snapshots[i]);
	for (i = 0; i < graph->operation_count; i++)
		free(graph->operations[i].record);
	free(graph->lines);
	free(graph->branches);
	free(graph->snapshots);
	free(graph->holds);
	free(graph->operations);
	*graph = (struct graph){ 0 };
}

struct line *graph_line(const struct graph *graph, uint32_t id)
{
	return find((void **)graph->lines, graph->line_count, id);
}

size_t graph_line_place(const struct graph *graph, uint32_t id)
{
	return search((void **)graph->lines, graph->line_count, id);
}

struct branch *graph_branch(const struct graph *graph, uint32_t id)
{
	return find((void **)graph->branches, graph->branch_count, id);
}

struct snapshot *graph_snapshot(const struct graph *graph, uint32_t id)
{
	return find((void **)graph->snapshots, graph->snapshot_count, id);
}

struct branch *graph_branch_named(const struct graph *graph, const char *name)
{
	size_t i;

	for (i = 0; i < graph->branch_count; i++)
		if (graph->branches[i]->row.state == BRANCH_STATE_LIVE &&
		    strcmp(graph->branches[i]->row.name, name) == 0)
			return graph->branches[i];
	return NULL;
}

struct branch *graph_branch_of_line(const struct graph *graph, uint32_t line)
{
	size_t i;

	for (i = 0; i < graph->branch_count; i++)
		if (graph->branches[i]->row.line == line &&
		    graph->branches[i]->row.state != BRANCH_STATE_DELETING)
			return graph->branches[i];
	return NULL;
}

struct snapshot *graph_snapshot_named(const struct graph *graph,
				      const char *name)
{
	size_t i;

	for (i = graph->snapshot_count; i-- > 0;)
		if (graph->snapshots[i]->row.state == SNAPSHOT_STATE_LIVE &&
		    strcmp(graph->snapshots[i]->row.name, name) == 0)
			return graph->snapshots[i];
	return NULL;
}

int graph_add_line(struct graph *graph, const struct line_row *row)
{
	struct line *parent = graph_line(graph, row->parent);
	int rc = add((void ***)&graph->lines, &graph->line_count,
		     &graph->line_capacity, row, sizeof(*row),
		     sizeof(struct line));

	if (rc == 0 && parent)
		parent->child_count++;
	return rc;
}

int graph_add_branch(struct graph *graph, const struct branch_row *row)
{
	int rc = add((void ***)&graph->branches, &graph->branch_count,
		     &graph->branch_capacity, row, sizeof(*row),
		     sizeof(struct branch));

	if (rc == 0)
		graph_branch(graph, row->id)->size_bytes = BRANCH_SIZE_UNKNOWN;
	return rc;
}

int graph_add_snapshot(struct graph *graph, const struct snapshot_row *row)
{
	return add((void ***)&graph->snapshots, &graph->snapshot_count,
		   &graph->snapshot_capacity, row, sizeof(*row),
		   sizeof(struct snapshot));
}

int graph_add_hold(struct graph *graph, const struct hold_row *row)
{
	struct snapshot *snapshot = graph_snapshot(graph, row->snapshot);

	if (graph->hold_count == graph->hold_capacity) {
		size_t capacity =
			graph->hold_capacity ? graph->hold_capacity * 2 : 8;
		void *grown =
			realloc(graph->holds, capacity * sizeof(*graph->holds));

		if (!grown)
			return -ENOMEM;
		graph->holds = grown;
		graph->hold_capacity = capacity;
	}
	graph->holds[graph->hold_count++] = *row;
	if (snapshot)
		snapshot->hold_count++;
	return 0;
}

int graph_add_operation(struct graph *graph, uint64_t id, uint64_t lsn,
			bool undone, const struct history_record *record)
{
	struct history_record *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *record;
	if (graph->operation_count == GRAPH_OPERATIONS_MAX) {
		free(graph->operations[0].record);
		memmove(graph->operations, graph->operations + 1,
			(GRAPH_OPERATIONS_MAX - 1) *
				sizeof(*graph->operations));
		graph->operation_count--;
	}
	if (graph->operation_count == graph->operation_capacity) {
		size_t capacity = graph->operation_capacity ?
					  graph->operation_capacity * 2 :
					  16;
		void *grown = realloc(graph->operations,
				      capacity * sizeof(*graph->operations));

		if (!grown) {
			free(copy);
			return -ENOMEM;
		}
		graph->operations = grown;
		graph->operation_capacity = capacity;
	}
	graph->operations[graph->operation_count++] =
		(struct operation){ id, lsn, undone, copy };
	return 0;
}

void graph_remove_line(struct graph *graph, uint32_t id)
{
	struct line *line = graph_line(graph, id);
	struct line *parent = line ? graph_line(graph, line->row.parent) : NULL;

	if (parent)
		parent->child_count--;
	take_out((void **)graph->lines, &graph->line_count, id);
}

void graph_remove_branch(struct graph *graph, uint32_t id)
{
	take_out((void **)graph->branches, &graph->branch_count, id);
}

void graph_remove_snapshot(struct graph *graph, uint32_t id)
{
	take_out((void **)graph->snapshots, &graph->snapshot_count, id);
}

void graph_remove_hold(struct graph *graph, uint32_t snapshot_id,
		       const char *tag)
{
	struct snapshot *snapshot = graph_snapshot(graph, snapshot_id);
	size_t i;

	for (i = 0; i < graph->hold_count; i++) {
		if (graph->holds[i].snapshot != snapshot_id ||
		    strcmp(graph->holds[i].tag, tag) != 0)
			continue;
		graph->holds[i] = graph->holds[--graph->hold_count];
		if (snapshot)
			snapshot->hold_count--;
		return;
	}
}

struct line_path *graph_path(const struct graph *graph, uint32_t line_id,
			     uint32_t gen)
{
	const struct line *line;
	struct line_path *path;
	uint32_t id, count = 0, limit = gen;

	for (id = line_id; id; id = line->row.parent) {
		line = graph_line(graph, id);
		if (!line || count == graph->line_count)
			return NULL;
		count++;
	}
	path = calloc(1, sizeof(*path) + count * sizeof(path->level[0]));
	if (!path)
		return NULL;
	path->references = 1;
	path->count = count;
	for (id = line_id; id; id = line->row.parent) {
		line = graph_line(graph, id);
		path->level[--count] = (struct line_limit){ id, limit };
		limit = line->row.fork_gen;
	}
	return path;
}

void graph_refresh(struct graph *graph)
{
	struct line *line = NULL, *parent;
	size_t i;

	for (i = 0; i < graph->line_count; i++)
		graph->lines[i]->viewer_count =
			graph->lines[i]->live_child_count = 0;
	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;

		if (!line || line->row.id != row->line) /* often the same */
			line = graph_line(graph, row->line);
		if (line && row->state != SNAPSHOT_STATE_DELETING)
			line->viewer_count++;
	}
	for (i = 0; i < graph->branch_count; i++) {
		const struct branch_row *row = &graph->branches[i]->row;

		line = graph_line(graph, row->line);
		if (line && row->state != BRANCH_STATE_DELETING)
			line->viewer_count++;
	}
	/* A line is younger than its parent: children come first. */
	for (i = graph->line_count; i-- > 0;) {
		line = graph->lines[i];
		line->live = line->viewer_count || line->live_child_count;
		parent = graph_line(graph, line->row.parent);
		if (parent && line->live)
			parent->live_child_count++;
	}
}

/* Where the line left what others see: a parent that only it has left, with
 * nobody on it, is as good as folded into it. */
static uint32_t last_fork(const struct graph *graph, const struct line *line)
{
	const struct line *parent = graph_line(graph, line->row.parent);

	while (parent && line->live && parent->viewer_count == 0 &&
	       parent->live_child_count == 1) {
		line = parent;
		parent = graph_line(graph, line->row.parent);
	}
	return line->row.fork_gen;
}

/* The newest point after `last`: a snapshot, or a line that left. */
static uint32_t last_on_line(const struct graph *graph, uint32_t line_id,
			     uint32_t last, uint32_t limit, bool only_live)
{
	size_t i;

	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;

		if (row->line == line_id && row->gen <= limit &&
		    row->gen > last && row->state != SNAPSHOT_STATE_DELETING)
			last = row->gen;
	}
	for (i = 0; i < graph->line_count; i++) {
		const struct line_row *row = &graph->lines[i]->row;

		if (row->parent == line_id && row->fork_gen <= limit &&
		    row->fork_gen > last &&
		    (graph->lines[i]->live || !only_live))
			last = row->fork_gen;
	}
	return last;
}

uint32_t graph_last_point(const struct graph *graph, uint32_t line_id,
			  uint32_t limit)
{
	const struct line *line = graph_line(graph, line_id);

	return line ? last_on_line(graph, line_id, last_fork(graph, line),
				   limit, true) :
		      0;
}

uint32_t graph_last_kept(const struct graph *graph, uint32_t line_id,
			 uint32_t limit)
{
	const struct line *line = graph_line(graph, line_id);

	return line ? last_on_line(graph, line_id, last_fork(graph, line),
				   limit, false) :
		      0;
}

uint32_t graph_last_saved_point(const struct graph *graph, uint32_t line_id,
				uint32_t limit)
{
	uint32_t last = last_on_line(graph, line_id, 0, limit, false);
	size_t i;

	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot *snapshot = graph->snapshots[i];

		if (snapshot->row.line == line_id &&
		    snapshot->row.gen <= limit && snapshot->row.gen > last &&
		    snapshot->dirty)
			last = snapshot->row.gen;
	}
	return last;
}

uint32_t graph_next_point(const struct graph *graph, uint32_t line_id,
			  uint32_t from)
{
	const struct line *line = graph_line(graph, line_id);
	uint32_t next = UINT32_MAX;
	size_t i;

	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;

		if (row->line == line_id && row->gen >= from &&
		    row->gen < next && row->state != SNAPSHOT_STATE_DELETING)
			next = row->gen;
	}
	for (i = 0; line && line->child_count && i < graph->line_count; i++) {
		const struct line_row *row = &graph->lines[i]->row;

		if (row->parent == line_id && row->fork_gen >= from &&
		    row->fork_gen < next)
			next = row->fork_gen;
	}
	return next;
}

bool graph_is_ghost(const struct graph *graph, const struct line *line)
{
	size_t i;

	if (line->child_count > 1 || line->viewer_count > 0)
		return false;
	for (i = 0; i < graph->snapshot_count; i++)
		if (graph->snapshots[i]->row.line == line->row.id)
			return false;
	for (i = 0; i < graph->branch_count; i++)
		if (graph->branches[i]->row.line == line->row.id)
			return false;
	return true;
}

void change_queue_init(struct change_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

void change_queue_free(struct change_queue *queue)
{
	struct change *change, *next;

	for (change = queue->first; change; change = next) {
		next = change->next;
		free(change);
	}
	change_queue_init(queue);
}

struct change *change_add(struct change_queue *queue, enum change_kind kind,
			  size_t extra_bytes)
{
	struct change *change = calloc(1, sizeof(*change) + extra_bytes);

	if (!change)
		return NULL;
	change->kind = kind;
	*queue->last = change;
	queue->last = &change->next;
	return change;
}

int change_apply(struct index *index, const struct change *change)
{
	struct operation_row operation = {
		.id = change->id,
		.lsn = change->lsn,
		.undone = change->kind == CHANGE_OPERATION_UNDONE,
	};

	switch (change->kind) {
	case CHANGE_HOLD:
		return index_hold_put(index, &change->hold);
	case CHANGE_HOLD_DELETE:
		return index_hold_delete(index, change->hold.snapshot,
					 change->hold.tag);
	case CHANGE_OPERATION:
	case CHANGE_OPERATION_UNDONE:
		operation.record = change->record.data;
		operation.record_bytes = change->record.bytes;
		return index_operation_put(index, &operation);
	}
	abort();
}
