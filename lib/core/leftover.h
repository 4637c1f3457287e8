/* Segments that a crash left behind: leftover.c. */
#pragma once

#include "store_impl.h"

/* When a store is opened, the log replayed: their files go with the next
 * checkpoint. */
NODISCARD int leftovers_find(struct store *store);
