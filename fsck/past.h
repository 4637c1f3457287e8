/*
 * Lines, branches and snapshots, as pass 3 found or mended them: for later
 * passes. Arrays are sorted by id. Every line, branch and snapshot stands on
 * a line that exists, and parents have smaller ids: no way has a cycle.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"
#include "scope.h"

struct check;

struct past_line {
	uint32_t id, parent, fork_gen, first_gen;
	uint32_t last_point; /* the newest generation of it that a snapshot
			      * sees, or a line left at; 0: none */
	uint32_t head;	     /* the branch that writes to it; 0: none */
	/* For ways down in few steps: index + 1 of its parent (0: none) and
	 * of a line further down or itself; how many are below it. */
	uint32_t down, jump, depth;
	/* Lines in an order in which all that left a line stand behind it,
	 * without others between: its number, and that behind the last. */
	uint32_t begin, end;
};

struct past_branch {
	uint32_t id, line, gen, state;
	char *name;
};

struct past_snapshot {
	uint32_t id, branch, line, gen, state;
	char *name;
};

struct past {
	struct past_line *lines;
	size_t line_count;
	struct past_branch *branches;
	size_t branch_count;
	struct past_snapshot *snapshots;
	size_t snapshot_count;
};

/* Loads what is in the working copy, but for rows that can't be. */
NODISCARD int past_load(struct check *check, struct past *past);
void past_free(struct past *past);

/* NULL: there is none. */
struct past_line *past_find_line(const struct past *past, uint32_t id);
struct past_branch *past_find_branch(const struct past *past, uint32_t id);

/* The newest generation of line that a view at (at_line, at_gen) sees; 0:
 * it does not see that line. */
uint32_t past_limit(const struct past *past, uint32_t at_line, uint32_t at_gen,
		    uint32_t line);
/*
 * Names a branch or snapshot that sees generation gen of the line, a branch
 * first; false: nobody does. Costs a walk for each view: for messages.
 */
bool past_name_view(const struct past *past, uint32_t line, uint32_t gen,
		    struct problem_where *where);
