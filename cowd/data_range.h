/* fallocate(2) on a file of the store, for all front ends. */
#pragma once

#include <stdint.h>

#include "file.h"

/* -EOPNOTSUPP: a mode that is neither to allocate, to punch nor to zero. */
NODISCARD int data_change_range(struct file *file, int mode,
				uint64_t offset_bytes, uint64_t len_bytes);
