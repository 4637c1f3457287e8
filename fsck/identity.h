/* Which store the index is of, and where its log stands. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "scope.h"
#include "segment_format.h"

struct check;

/* Fills what struct check has of meta. -EUCLEAN: the index is no use: it is
 * of another store, or does not say where the log goes on. */
NODISCARD int identity_check(struct check *check);

/* The same of the segments alone: uuid and seed. -EUCLEAN: none says so. */
NODISCARD int identity_of_segments(struct check *check);

/* Is it the store that the segments are of? True as well if there are none,
 * or none that says so. */
bool identity_fits(struct check *check, const uint8_t uuid[FORMAT_UUID_BYTES]);
