/*
 * Who sees a version: heads, snapshots and lines that left, but for what is
 * being deleted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query.h"
#include "scope.h"

struct point {
	uint32_t line, gen;
};

struct points {
	struct point *seen; /* sorted; each once or more */
	size_t seen_count, seen_capacity;
	uint32_t *heads; /* lines that somebody writes to; sorted */
	size_t head_count, head_capacity;
};

NODISCARD int points_load(struct points *points, struct queries *queries);
void points_fini(struct points *points);
/* Does anybody see the version of (line, gen), if the line's next one is of
 * next_gen (UINT32_MAX: there is none)? */
bool points_need(const struct points *points, uint32_t line, uint32_t gen,
		 uint32_t next_gen);
