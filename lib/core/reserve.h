/* Real blocks for what has to find room on a full disk. */
#pragma once

#include "store_impl.h"

/* As far as there are any now: when the store is opened, then by the worker,
 * some times a second. */
void reserve_keep(struct store *store);
/* Is there room for the commit of all that is not saved? */
bool reserve_covers(struct store *store);
/* For how many rows more, of at most so many. */
uint32_t reserve_rows(struct store *store, uint32_t most);
/* Gives back room that was set aside for a call that needs some: it is to be
 * made again at once. False: there is none. */
bool reserve_lend(struct store *store);
