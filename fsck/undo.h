/* The undo file: what a repair changes, as it was. docs/format.md, 13. */
#pragma once

#include <stdint.h>

#include "change.h"
#include "scope.h"

struct check;

/*
 * Writes all that install.h is about to change into the options' undo file,
 * and flushes it. index_fd: the new index.db and index.bak; -1: they stay.
 */
NODISCARD int undo_save(struct check *check, int index_fd);
