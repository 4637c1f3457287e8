/*
 * Bytes at the end of a file that found no room on its disk, kept in memory
 * until they do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"

struct held {
	uint64_t begin; /* all behind it is here */
	size_t len_bytes, capacity_bytes;
	uint8_t *bytes;
};

void held_fini(struct held *held);
/* Does the file go on here, at this place? */
bool held_has(const struct held *held, uint64_t offset);
/* Where it is empty, all from offset on is kept. -ENOSPC: there is a gap, or
 * no memory. */
NODISCARD int held_put(struct held *held, uint64_t offset, const void *data,
		       size_t len_bytes);
/* As pread; offset is not before begin. */
size_t held_get(const struct held *held, uint64_t offset, void *data,
		size_t len_bytes);
/* The first len_bytes are in the file now. */
void held_drop(struct held *held, size_t len_bytes);
