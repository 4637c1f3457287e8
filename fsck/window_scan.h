/* All rows of windows, one after the other in the order of their keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query.h"
#include "scope.h"
#include "window_format.h"

struct window_row {
	int64_t id;
	struct window_key key;
	uint32_t next_gen; /* of the line's next version; UINT32_MAX: none */
	bool damaged;	   /* it has no slots then */
	size_t slot_count;
	struct slot slots[WINDOW_BLOCKS];
};

/*
 * first and last: it is the first, or the last, row of its window. A negative
 * result ends and is returned. Rows must not be changed meanwhile.
 */
typedef int window_row_visit(void *context, const struct window_row *row,
			     bool first, bool last);
NODISCARD int window_scan(struct queries *queries, uint64_t seed,
			  window_row_visit *visit, void *context);
