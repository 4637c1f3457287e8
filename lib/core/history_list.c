/* Lists and look-ups of branches, snapshots, holds and operations. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history_impl.h"

/* The snapshot before this one on its path, or NULL. */
static const struct snapshot *parent_of(const struct graph *graph,
					uint32_t line_id, uint32_t gen)
{
	while (line_id) {
		const struct line *line = graph_line(graph, line_id);
		const struct snapshot *best = NULL;
		size_t i;

		for (i = 0; i < graph->snapshot_count; i++) {
			const struct snapshot *other = graph->snapshots[i];

			if (other->row.line == line_id &&
			    other->row.gen < gen &&
			    other->row.state == SNAPSHOT_STATE_LIVE &&
			    (!best || other->row.gen > best->row.gen))
				best = other;
		}
		if (best || !line)
			return best;
		gen = line->row.fork_gen + 1;
		line_id = line->row.parent;
	}
	return NULL;
}

static uint32_t count_forks(const struct graph *graph,
			    const struct snapshot_row *row)
{
	uint32_t count = 0;
	size_t i;

	for (i = 0; i < graph->line_count; i++)
		count += graph->lines[i]->row.parent == row->line &&
			 graph->lines[i]->row.fork_gen == row->gen;
	return count;
}

static void fill_snapshot(const struct graph *graph,
			  const struct snapshot *snapshot, bool with_relations,
			  struct snapshot_info *info)
{
	const struct snapshot_row *row = &snapshot->row;
	const struct branch *branch = graph_branch(graph, row->branch);
	const struct snapshot *parent;

	memset(info, 0, sizeof(*info));
	info->id = row->id;
	strcpy_bounded(info->name, row->name, sizeof(info->name));
	info->branch_id = row->branch;
	if (branch)
		strcpy_bounded(info->branch, branch->row.name,
			       sizeof(info->branch));
	info->state = (enum snapshot_state)row->state;
	info->kind = (enum snapshot_kind)row->kind;
	info->created_ns = row->created_ns;
	info->deleted_ns = row->deleted_ns;
	info->size_bytes = row->size_bytes;
	info->refer_bytes = row->refer_blocks * BLOCK_BYTES;
	info->written_bytes = row->written_blocks * BLOCK_BYTES;
	strcpy_bounded(info->note, row->note, sizeof(info->note));
	info->hold_count = snapshot->hold_count;
	if (!with_relations)
		return;
	parent = parent_of(graph, row->line, row->gen);
	if (parent) {
		info->parent_id = parent->row.id;
		strcpy_bounded(info->parent, parent->row.name,
			       sizeof(info->parent));
	}
	info->clone_count = count_forks(graph, row);
}

int history_get_snapshot(struct store *store, uint32_t id,
			 struct snapshot_info *out_info)
{
	const struct snapshot *snapshot;
	int rc = -ENOENT;

	mutex_lock(&store->order_lock);
	snapshot = graph_snapshot(&store->graph, id);
	if (snapshot) {
		fill_snapshot(&store->graph, snapshot, true, out_info);
		rc = 0;
	}
	mutex_unlock(&store->order_lock);
	return rc;
}

struct fork_point {
	uint32_t line, gen;
};

static int by_fork_point(const void *a, const void *b)
{
	const struct fork_point *left = a, *right = b;

	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->gen < right->gen ? -1 : left->gen > right->gen;
}

/* How many lines start at each snapshot. */
static int count_clones(const struct graph *graph, struct snapshot_info *list,
			size_t count)
{
	AUTO_FREE struct fork_point *points =
		calloc(graph->line_count + 1, sizeof(*points));
	size_t point_count = 0, i, low, high;

	if (!points)
		return -ENOMEM;
	for (i = 0; i < graph->line_count; i++) {
		const struct line_row *row = &graph->lines[i]->row;

		if (row->parent)
			points[point_count++] =
				(struct fork_point){ row->parent,
						     row->fork_gen };
	}
	qsort(points, point_count, sizeof(*points), by_fork_point);
	for (i = 0; i < count; i++) {
		const struct snapshot_row *row =
			&graph_snapshot(graph, list[i].id)->row;
		struct fork_point at = { row->line, row->gen };

		for (low = 0, high = point_count; low < high;) {
			size_t middle = (low + high) / 2;

			if (by_fork_point(&points[middle], &at) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		for (;
		     low < point_count && by_fork_point(&points[low], &at) == 0;
		     low++)
			list[i].clone_count++;
	}
	return 0;
}

/*
 * Parents of a whole list in one walk: snapshots are in the order of their
 * ids, so the last live one seen on a line is the parent of the next.
 */
static int fill_parents(const struct graph *graph, struct snapshot_info *list,
			size_t count)
{
	/* By place of the line: the place in the list, 1 the first. */
	AUTO_FREE uint32_t *last = calloc(graph->line_count + 1, sizeof(*last));
	size_t i;

	if (!last)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		const struct snapshot_row *row =
			&graph_snapshot(graph, list[i].id)->row;
		size_t line = graph_line_place(graph, row->line);
		const struct snapshot_info *before =
			last[line] ? &list[last[line] - 1] : NULL;
		const struct snapshot *parent;

		if (row->state == SNAPSHOT_STATE_LIVE)
			last[line] = (uint32_t)i + 1;
		if (before) {
			list[i].parent_id = before->id;
			memcpy(list[i].parent, before->name,
			       sizeof(list[i].parent));
			continue;
		}
		parent = parent_of(graph, row->line, row->gen);
		if (!parent)
			continue;
		list[i].parent_id = parent->row.id;
		strcpy_bounded(list[i].parent, parent->row.name,
			       sizeof(list[i].parent));
	}
	return count_clones(graph, list, count);
}

static int list_snapshots_locked(struct store *store, const char *branch_name,
				 bool include_trash,
				 struct snapshot_info **out_list,
				 size_t *out_count, struct failure *failure)
	REQUIRES(store->order_lock)
{
	const struct graph *graph = &store->graph;
	const struct branch *branch = NULL;
	struct snapshot_info *list;
	size_t i, count = 0;

	if (branch_name) {
		branch = graph_branch_named(graph, branch_name);
		if (!branch)
			return failure_set(failure, FAILURE_NOT_FOUND,
					   branch_name,
					   "there is no such branch");
	}
	list = calloc(graph->snapshot_count + 1, sizeof(*list));
	if (!list)
		return failure_errno(failure, -ENOMEM, NULL, "can't list");
	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot *snapshot = graph->snapshots[i];

		if (branch && snapshot->row.branch != branch->row.id)
			continue;
		if (snapshot->row.state != SNAPSHOT_STATE_LIVE &&
		    (!include_trash ||
		     snapshot->row.state != SNAPSHOT_STATE_TRASH))
			continue;
		fill_snapshot(graph, snapshot, false, &list[count++]);
	}
	if (fill_parents(graph, list, count) < 0) {
		free(list);
		return failure_errno(failure, -ENOMEM, NULL, "can't list");
	}
	*out_list = list;
	*out_count = count;
	return 0;
}

int history_snapshots(struct store *store, const char *branch,
		      bool include_trash, struct snapshot_info **out_list,
		      size_t *out_count, struct failure *failure)
{
	int rc;

	mutex_lock(&store->order_lock);
	rc = list_snapshots_locked(store, branch, include_trash, out_list,
				   out_count, failure);
	mutex_unlock(&store->order_lock);
	return rc;
}

static void fill_branch(struct store *store, struct branch *branch,
			struct branch_info *info) REQUIRES(store->order_lock)
{
	const struct graph *graph = &store->graph;
	const struct branch *from =
		graph_branch(graph, branch->row.parent_branch);
	const struct snapshot *at =
		graph_snapshot(graph, branch->row.parent_snapshot);
	size_t i;

	memset(info, 0, sizeof(*info));
	info->id = branch->row.id;
	strcpy_bounded(info->name, branch->row.name, sizeof(info->name));
	info->parent_snapshot_id = branch->row.parent_snapshot;
	if (at)
		snprintf(info->parent, sizeof(info->parent), "%s@%s",
			 from ? from->row.name : "", at->row.name);
	else if (from)
		snprintf(info->parent, sizeof(info->parent), "%s",
			 from->row.name);
	info->created_ns = branch->row.created_ns;
	info->deleted_ns = branch->row.deleted_ns;
	info->size_bytes = branch_size_locked(store, branch);
	info->refer_bytes = branch->row.refer_blocks * BLOCK_BYTES;
	info->written_bytes = branch->row.written_blocks * BLOCK_BYTES;
	info->changed = branch->row.changed;
	for (i = 0; i < graph->snapshot_count; i++)
		info->snapshot_count +=
			graph->snapshots[i]->row.branch == branch->row.id &&
			graph->snapshots[i]->row.state == SNAPSHOT_STATE_LIVE;
}

int history_branches(struct store *store, bool include_trash,
		     struct branch_info **out_list, size_t *out_count)
{
	const struct graph *graph = &store->graph;
	struct branch_info *list;
	size_t i, count = 0;

	mutex_lock(&store->order_lock);
	list = calloc(graph->branch_count + 1, sizeof(*list));
	for (i = 0; list && i < graph->branch_count; i++) {
		uint32_t state = graph->branches[i]->row.state;

		if (branch_is_work(&graph->branches[i]->row))
			continue;
		if (state == BRANCH_STATE_LIVE ||
		    (include_trash && state == BRANCH_STATE_TRASH))
			fill_branch(store, graph->branches[i], &list[count++]);
	}
	mutex_unlock(&store->order_lock);
	if (!list)
		return -ENOMEM;
	*out_list = list;
	*out_count = count;
	return 0;
}

int history_find_branch(struct store *store, const char *branch_name,
			struct branch_info *out_info, struct failure *failure)
{
	struct branch *branch;

	mutex_lock(&store->order_lock);
	branch = graph_branch_named(&store->graph,
				    branch_name ? branch_name : "main");
	if (!branch && !branch_name && store->graph.branch_count == 1)
		branch = store->graph.branches[0];
	if (branch)
		fill_branch(store, branch, out_info);
	mutex_unlock(&store->order_lock);
	if (branch)
		return 0;
	failure_set(failure, FAILURE_NOT_FOUND,
		    branch_name ? branch_name : "main",
		    "there is no such branch");
	failure_hint(failure, "cowd branch list %s", store->path);
	return -ENOENT;
}

int history_holds(struct store *store, uint32_t snapshot_id,
		  struct hold_info **out_list, size_t *out_count)
{
	const struct graph *graph = &store->graph;
	struct hold_info *list;
	size_t i, count = 0;

	mutex_lock(&store->order_lock);
	list = calloc(graph->hold_count + 1, sizeof(*list));
	for (i = 0; list && i < graph->hold_count; i++) {
		const struct hold_row *row = &graph->holds[i];

		if (snapshot_id && row->snapshot != snapshot_id)
			continue;
		list[count].snapshot_id = row->snapshot;
		list[count].created_ns = row->created_ns;
		strcpy_bounded(list[count].tag, row->tag,
			       sizeof(list[count].tag));
		count++;
	}
	mutex_unlock(&store->order_lock);
	if (!list)
		return -ENOMEM;
	*out_list = list;
	*out_count = count;
	return 0;
}

enum operation_kind history_operation_kind(const struct history_record *h)
{
	switch (h->op) {
	case HISTORY_OP_SNAPSHOT:
		return OPERATION_SNAPSHOT_CREATE;
	case HISTORY_OP_SNAPSHOT_STATE:
		return h->state == SNAPSHOT_STATE_LIVE ?
			       OPERATION_SNAPSHOT_RESTORE :
		       h->state == SNAPSHOT_STATE_TRASH ?
			       OPERATION_SNAPSHOT_DELETE :
			       OPERATION_PURGE;
	case HISTORY_OP_SNAPSHOT_RENAME:
		return OPERATION_SNAPSHOT_RENAME;
	case HISTORY_OP_HOLD:
		return OPERATION_HOLD;
	case HISTORY_OP_RELEASE:
		return OPERATION_RELEASE;
	case HISTORY_OP_ROLLBACK:
		return h->snapshot ? OPERATION_ROLLBACK : OPERATION_RESTORE;
	case HISTORY_OP_CLONE:
		return OPERATION_CLONE;
	case HISTORY_OP_BRANCH_STATE:
		return h->state == BRANCH_STATE_LIVE ?
			       OPERATION_BRANCH_RESTORE :
		       h->state == BRANCH_STATE_TRASH ?
			       OPERATION_BRANCH_DELETE :
			       OPERATION_PURGE;
	case HISTORY_OP_BRANCH_RENAME:
		return OPERATION_BRANCH_RENAME;
	case HISTORY_OP_RESIZE:
		return OPERATION_RESIZE;
	case HISTORY_OP_LAYERS:
		return h->state == LAYERS_STATE_ADDED ? OPERATION_LAYER_ADD :
							OPERATION_LAYER_REMOVE;
	}
	abort();
}

static const char *const operation_words[] = {
	[OPERATION_SNAPSHOT_CREATE] = "snapshot create",
	[OPERATION_SNAPSHOT_DELETE] = "snapshot delete",
	[OPERATION_SNAPSHOT_RESTORE] = "snapshot restore",
	[OPERATION_SNAPSHOT_RENAME] = "snapshot rename",
	[OPERATION_HOLD] = "snapshot hold",
	[OPERATION_RELEASE] = "snapshot release",
	[OPERATION_ROLLBACK] = "rollback",
	[OPERATION_CLONE] = "clone",
	[OPERATION_BRANCH_DELETE] = "branch delete",
	[OPERATION_BRANCH_RESTORE] = "branch restore",
	[OPERATION_BRANCH_RENAME] = "branch rename",
	[OPERATION_RESIZE] = "resize",
	[OPERATION_PURGE] = "purge",
	[OPERATION_RESTORE] = "restore",
	[OPERATION_LAYER_ADD] = "layer add",
	[OPERATION_LAYER_REMOVE] = "layer remove",
};

static void describe(const struct graph *graph, const struct history_record *h,
		     enum operation_kind kind, char *text, size_t text_bytes)
{
	const struct branch *branch = graph_branch(graph, h->branch);
	const char *branch_name = branch ? branch->row.name : "?";
	const char *word = operation_words[kind];

	if (kind == OPERATION_ROLLBACK)
		snprintf(text, text_bytes, "%s %s to @%s%s%s", word,
			 branch_name, h->old_name,
			 h->kept_snapshot ? ", kept @" : "",
			 h->kept_snapshot ? h->name : "");
	else if (kind == OPERATION_RESTORE)
		snprintf(text, text_bytes, "%s %s from @%s, kept @%s  \"%s\"",
			 word, branch_name, h->old_name, h->name, h->note);
	else if (kind == OPERATION_SNAPSHOT_CREATE)
		snprintf(text, text_bytes, "%s %s@%s%s%s%s", word, h->old_name,
			 h->name, h->note[0] ? "  \"" : "", h->note,
			 h->note[0] ? "\"" : "");
	else if (kind == OPERATION_SNAPSHOT_RENAME ||
		 kind == OPERATION_BRANCH_RENAME)
		snprintf(text, text_bytes, "%s %s to %s", word, h->old_name,
			 h->name);
	else if (kind == OPERATION_HOLD || kind == OPERATION_RELEASE)
		snprintf(text, text_bytes, "%s %s @%s", word, h->name,
			 h->old_name);
	else if (kind == OPERATION_CLONE)
		snprintf(text, text_bytes, "%s %s%s to %s", word,
			 h->snapshot ? "@" : "", h->old_name, h->name);
	else if (kind == OPERATION_LAYER_ADD || kind == OPERATION_LAYER_REMOVE)
		snprintf(text, text_bytes, "%s %s %s", word, branch_name,
			 h->name);
	else if (kind == OPERATION_RESIZE)
		snprintf(text, text_bytes, "%s %s from %s to %" PRIu64 " bytes",
			 word, h->name, h->note, h->size_bytes);
	else
		snprintf(text, text_bytes, "%s %s%s", word,
			 h->snapshot ? "@" : "", h->name);
}

void history_fill_operation(const struct graph *graph,
			    const struct operation *operation,
			    struct operation_info *info)
{
	const struct history_record *h = operation->record;

	memset(info, 0, sizeof(*info));
	info->id = operation->id;
	info->kind = history_operation_kind(h);
	info->time_ns = h->time_ns;
	info->uid = h->uid;
	info->undoes = h->undoes;
	info->undone = operation->undone;
	describe(graph, h, info->kind, info->text, sizeof(info->text));
	if (h->undoes) {
		size_t used = strlen(info->text);

		snprintf(info->text + used, sizeof(info->text) - used,
			 "  (undo of op-%" PRIu64 ")", h->undoes);
	}
}

int history_operations(struct store *store, size_t most,
		       struct operation_info **out_list, size_t *out_count)
{
	const struct graph *graph = &store->graph;
	struct operation_info *list;
	size_t count, i;

	mutex_lock(&store->order_lock);
	count = graph->operation_count < most ? graph->operation_count : most;
	list = calloc(count + 1, sizeof(*list));
	for (i = 0; list && i < count; i++)
		history_fill_operation(
			graph,
			&graph->operations[graph->operation_count - 1 - i],
			&list[i]);
	mutex_unlock(&store->order_lock);
	if (!list)
		return -ENOMEM;
	*out_list = list;
	*out_count = count;
	return 0;
}

static bool in_branch(const struct snapshot *snapshot,
		      const struct branch *branch)
{
	return snapshot->row.state == SNAPSHOT_STATE_LIVE &&
	       (!branch || snapshot->row.branch == branch->row.id);
}

/* "~N": the N-th newest. */
static const struct snapshot *find_newest(const struct graph *graph,
					  const struct branch *branch,
					  unsigned long nth)
{
	size_t i;

	for (i = graph->snapshot_count; nth > 0 && i-- > 0;)
		if (in_branch(graph->snapshots[i], branch) && --nth == 0)
			return graph->snapshots[i];
	return NULL;
}

static const struct snapshot *find_by_prefix(const struct graph *graph,
					     const struct branch *branch,
					     const char *text)
{
	const struct snapshot *found = NULL;
	size_t len_bytes = strlen(text), i;

	if (len_bytes < 4 || strspn(text, "0123456789abcdef") != len_bytes)
		return NULL;
	for (i = 0; i < graph->snapshot_count; i++) {
		char hex[16];

		snprintf(hex, sizeof(hex), "%08" PRIx32,
			 graph->snapshots[i]->row.id);
		if (!in_branch(graph->snapshots[i], branch) ||
		    strncmp(hex, text, len_bytes) != 0)
			continue;
		if (found)
			return NULL;
		found = graph->snapshots[i];
	}
	return found;
}

static const struct snapshot *find_text(const struct graph *graph,
					const struct branch *branch,
					const char *text)
{
	const struct snapshot *named = graph_snapshot_named(graph, text);
	unsigned long nth;
	char *end;

	if (named && in_branch(named, branch))
		return named;
	if (strcmp(text, "latest") == 0)
		return find_newest(graph, branch, 1);
	if (text[0] == '~') {
		nth = strtoul(text + 1, &end, 10);
		return *end || end == text + 1 ?
			       NULL :
			       find_newest(graph, branch, nth);
	}
	return find_by_prefix(graph, branch, text);
}

int history_find_snapshot(struct store *store, const char *branch_name,
			  const char *text, struct snapshot_info *out_info,
			  struct failure *failure)
{
	const struct graph *graph = &store->graph;
	const struct snapshot *snapshot = NULL;
	const struct branch *branch = NULL;

	mutex_lock(&store->order_lock);
	if (branch_name)
		branch = graph_branch_named(graph, branch_name);
	if (branch || !branch_name)
		snapshot = find_text(graph, branch, text);
	if (snapshot)
		fill_snapshot(graph, snapshot, true, out_info);
	mutex_unlock(&store->order_lock);
	if (snapshot)
		return 0;
	if (branch_name && !branch)
		failure_set(failure, FAILURE_NOT_FOUND, branch_name,
			    "there is no such branch");
	else
		failure_set(failure, FAILURE_NOT_FOUND, text,
			    "there is no such snapshot");
	failure_hint(failure, "cowd snapshot list %s", store->path);
	return -ENOENT;
}
