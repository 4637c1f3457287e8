/*
 * History in memory: lines, branches, snapshots, holds; and the rows that
 * the next checkpoint has to save. All under the store's order lock.
 *
 * A line is a run of generations without a fork inside its head's past:
 * (id, parent line, generation at which it left the parent). Generations
 * and line ids come from store-wide counters, so both grow along any path.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "history_format.h"
#include "index.h"

struct view;

enum branch_state {
	BRANCH_STATE_LIVE,
	BRANCH_STATE_TRASH,
	BRANCH_STATE_DELETING,
};

/* dirty: the row differs from the index. */
struct line {
	struct line_row row;
	bool dirty;
	uint32_t child_count;
	/* By graph_refresh: heads and snapshots on it, children with viewers
	 * on them or below, and whether it has either. */
	uint32_t viewer_count, live_child_count;
	bool live;
};

struct branch {
	struct branch_row row;
	bool dirty;
	struct view *head;   /* open, or NULL */
	uint64_t size_bytes; /* of the image, or BRANCH_SIZE_UNKNOWN */
};

#define BRANCH_SIZE_UNKNOWN UINT64_MAX

struct snapshot {
	struct snapshot_row row;
	bool dirty;
	uint32_t pin_count; /* open views */
	uint32_t hold_count;
};

struct operation {
	uint64_t id, lsn;
	bool undone;
	struct history_record *record;
};

/* Arrays sorted by id. */
struct graph {
	struct line **lines;
	size_t line_count, line_capacity;
	struct branch **branches;
	size_t branch_count, branch_capacity;
	struct snapshot **snapshots;
	size_t snapshot_count, snapshot_capacity;
	struct hold_row *holds;
	size_t hold_count, hold_capacity;
	struct operation *operations; /* oldest first, the newest 1000 */
	size_t operation_count, operation_capacity;
};

enum { GRAPH_OPERATIONS_MAX = 1000 };

void graph_fini(struct graph *graph);

/* NULL when there is none. */
struct line *graph_line(const struct graph *graph, uint32_t id);
/* Its place in lines, or that where it would be. */
size_t graph_line_place(const struct graph *graph, uint32_t id);
struct branch *graph_branch(const struct graph *graph, uint32_t id);
struct branch *graph_branch_named(const struct graph *graph, const char *name);
struct branch *graph_branch_of_line(const struct graph *graph, uint32_t line);
struct snapshot *graph_snapshot(const struct graph *graph, uint32_t id);
struct snapshot *graph_snapshot_named(const struct graph *graph,
				      const char *name);

NODISCARD int graph_add_line(struct graph *graph, const struct line_row *row);
NODISCARD int graph_add_branch(struct graph *graph,
			       const struct branch_row *row);
NODISCARD int graph_add_snapshot(struct graph *graph,
				 const struct snapshot_row *row);
NODISCARD int graph_add_hold(struct graph *graph, const struct hold_row *row);
/* Takes a copy of the record. */
NODISCARD int graph_add_operation(struct graph *graph, uint64_t id,
				  uint64_t lsn, bool undone,
				  const struct history_record *record);
void graph_remove_line(struct graph *graph, uint32_t id);
void graph_remove_branch(struct graph *graph, uint32_t id);
void graph_remove_snapshot(struct graph *graph, uint32_t id);
void graph_remove_hold(struct graph *graph, uint32_t snapshot, const char *tag);

/* The path of a view at (line, gen). NULL: no memory. */
struct line_path *graph_path(const struct graph *graph, uint32_t line,
			     uint32_t gen);
/*
 * Who is a viewer: a branch or snapshot that is not being deleted. Counts
 * them on every line; after each change of the graph.
 */
void graph_refresh(struct graph *graph);

/*
 * The newest generation <= limit in the line's past that somebody else than
 * the line's own head sees: what is younger is the head's alone, and what is
 * as old is also held by the row that is newest there. Whatever the reaper
 * has still to drop or fold does not count, so that replay finds the same.
 */
uint32_t graph_last_point(const struct graph *graph, uint32_t line,
			  uint32_t limit);
/* The newest generation <= limit whose rows must stay as they are: also for
 * lines that left then and are still to be dropped, which find by them what
 * is theirs alone. */
uint32_t graph_last_kept(const struct graph *graph, uint32_t line,
			 uint32_t limit);
/* The first generation >= from on the line that a snapshot sees or that a
 * line left at, UINT32_MAX: none. */
uint32_t graph_next_point(const struct graph *graph, uint32_t line,
			  uint32_t from);
/* The newest generation <= limit of the line itself that a snapshot sees or
 * that a line left at; 0: none. What was given up after the last checkpoint
 * began counts still: the log may be lost behind that. */
uint32_t graph_last_saved_point(const struct graph *graph, uint32_t line,
				uint32_t limit);
/* Is nobody on the line, not even on the way to be deleted, and at most one
 * line left it? Then it can be dropped or folded. */
bool graph_is_ghost(const struct graph *graph, const struct line *line);

/* Other rows for the next checkpoint, in order. */
enum change_kind {
	CHANGE_HOLD,
	CHANGE_HOLD_DELETE,
	CHANGE_OPERATION,
	CHANGE_OPERATION_UNDONE,
};

struct change {
	enum change_kind kind;
	struct change *next;
	uint64_t id, lsn;
	union {
		struct hold_row hold;
		struct {
			size_t bytes;
			uint8_t data[];
		} record;
	};
};

struct change_queue {
	struct change *first, **last;
};

void change_queue_init(struct change_queue *queue);
void change_queue_free(struct change_queue *queue);
/* A zeroed change at the end of the queue, NULL: no memory. */
struct change *change_add(struct change_queue *queue, enum change_kind kind,
			  size_t extra_bytes);
NODISCARD int change_apply(struct index *index, const struct change *change);
