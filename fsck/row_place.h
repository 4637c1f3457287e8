/* Names what a row of windows or a block of one belongs to, for messages. */
#pragma once

#include <stdint.h>

#include "problem.h"
#include "scope.h"
#include "window_format.h"

struct check;

struct row_place {
	struct problem_where where; /* points into path */
	char path[1024];
};

/* block: in the window; -1: the window as a whole. */
void row_place(struct check *check, const struct window_key *key, int block,
	       struct row_place *out);
