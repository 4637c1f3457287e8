/* What rows imply of each block: fills named, needed and several of a map. */
#pragma once

#include "block_map.h"
#include "query.h"
#include "scope.h"

/* Places outside of segments that the map has are told: at may be NULL. */
typedef void space_foreign(void *context, uint64_t inode, uint64_t window,
			   struct location at);

NODISCARD int space_scan(struct block_map *map, struct queries *queries,
			 uint64_t seed, space_foreign *foreign, void *context);
/* After a scan: blocks that were given up while records were applied, and
 * that no row names, are dead. */
void space_settle(struct block_map *map);
