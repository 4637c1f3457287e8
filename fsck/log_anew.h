/* Begins the log anew in a segment of its own, so that nothing that is left
 * of the old one can ever count. */
#pragma once

#include <stdint.h>

#include "scope.h"

struct check;

/* last_lsn, last_epoch, last_segment: the newest that are known of. Sets and
 * saves check->position, and the map; the file is queued. */
NODISCARD int log_anew(struct check *check, uint64_t last_lsn,
		       uint32_t last_epoch, uint32_t last_segment);
