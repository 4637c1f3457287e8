/*
 * What the passes of the log, of windows, segments and space share: readers
 * of the working copy and of segments, and a map of all blocks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "block_map.h"
#include "query.h"
#include "scope.h"
#include "segment_read.h"

struct check;

struct stored {
	struct queries queries;
	struct segment_reader reader;
	struct block_map map;
	bool begun;
	bool bad_rows; /* of segments, left out of the map */
};

/* For the working copy that is open now; does nothing if it is begun. */
NODISCARD int stored_begin(struct check *check);
/* Before the working copy is closed or exchanged. */
void stored_end(struct check *check);
/* Does something else than a file stand in its place? Pass 1 has told it, and
 * a link may lead to a good segment. */
bool stored_is_foreign(struct check *check, uint32_t segment);
/* Tells why the pass can't go on; returns rc. */
int stored_failed(struct check *check, int rc);
