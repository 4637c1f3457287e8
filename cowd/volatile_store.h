/* Stores in memory, for what is to be forgotten. */
#pragma once

#include <stddef.h>

#include "failure.h"

/* A path for a new one, on a tmpfs. */
NODISCARD int volatile_path(char *path, size_t path_bytes,
			    struct failure *failure);
/* Removes a store that nobody has open. */
void volatile_remove(const char *path);
