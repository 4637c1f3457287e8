/* The parts of pass 3, in the order in which they run. */
#pragma once

#include "scope.h"

struct check;

NODISCARD int pass3_lines(struct check *check);
NODISCARD int pass3_snapshots(struct check *check);
NODISCARD int pass3_branches(struct check *check);
/* Of all that is in use. */
NODISCARD int pass3_counters(struct check *check);

/* A counter of meta, which moves on; never below least. */
NODISCARD int pass3_take(struct check *check, const char *counter,
			 int64_t least, uint32_t *out);
/* May a branch or snapshot have this name? */
bool pass3_name_fits(const char *name);
