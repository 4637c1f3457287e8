/*
 * Who sees a version of a window: heads, snapshots, and those of lines that
 * left and did not write to the window before. What is being deleted sees
 * nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query.h"
#include "scope.h"
#include "window_scan.h"

struct point {
	uint32_t line, gen;
};

struct point_child {
	uint32_t parent, fork_gen, id;
};

struct points {
	struct queries *queries;
	struct point *seen; /* by snapshots; sorted */
	size_t seen_count, seen_capacity;
	uint32_t *heads; /* lines that somebody writes to; sorted */
	size_t head_count, head_capacity;
	struct point_child *children; /* on which somebody lives, or below;
				       * sorted by parent and fork */
	size_t child_count, child_capacity;
	/* Of the window that was asked for last: its lines, sorted, with the
	 * first generation of each. */
	uint64_t inode, window;
	bool loaded;
	struct point *first;
	size_t first_count, first_capacity;
	struct point_child *stack;
	size_t stack_capacity;
};

NODISCARD int points_load(struct points *points, struct queries *queries);
void points_fini(struct points *points);
/* Does anybody see the row? 0, 1 or a negative errno. */
NODISCARD int points_need(struct points *points, const struct window_row *row);
