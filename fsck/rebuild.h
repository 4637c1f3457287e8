/* An index out of segments alone: docs/format.md, 8.6. */
#pragma once

#include "scope.h"

struct check;

/* Makes a new working copy and fills it. -EUCLEAN: the segments don't have
 * enough: no header, or no dump. */
NODISCARD int rebuild_from_segments(struct check *check);
