/*
 * Who looks at which version, for whoever goes through the versions of one
 * thing. Lines are known by their place in the order of past.h (begin).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "past.h"
#include "scope.h"

struct viewer {
	uint32_t place; /* of the line */
	uint32_t gen;	/* that it sees */
	uint32_t child; /* index + 1 of a line that left then; 0: a branch or
			 * snapshot */
};

struct viewers {
	const struct past *past;
	struct viewer *list; /* sorted by place and gen */
	size_t count;
	uint32_t *by_place; /* index of the line at a place */
	uint32_t *seen;	    /* branches and snapshots on lines up to a place */
};

NODISCARD int viewers_load(struct viewers *viewers, const struct past *past);
void viewers_free(struct viewers *viewers);

/* The first viewer at or behind this place and generation; count: none. */
size_t viewers_find(const struct viewers *viewers, uint32_t place,
		    uint32_t gen);

/* A line on which the thing has versions. Sorted by place. */
struct marked_line {
	uint32_t place;
	uint32_t first_gen; /* of them */
};

/*
 * Does a branch or snapshot see generations [from, to) of the line at this
 * place as the newest versions of the thing? May miss one that is far away;
 * never says yes in vain.
 */
bool viewers_any(const struct viewers *viewers, uint32_t place, uint32_t from,
		 uint32_t to, const struct marked_line *marks,
		 size_t mark_count);
