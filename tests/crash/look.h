/* Looking at a store that a crash, or a fault, has left. */
#pragma once

#include "world.h"

/* Opens, looks, closes. False: it can't be opened, world->failure tells why.
 * at: how many changes there were, for store.conf. */
bool look(struct world *world, struct digest *out_digest, bool exact,
	  size_t at);
/* The checker has nothing to say. leaks: but of space that nobody uses. */
void judge(struct world *world, bool leaks, const char *how, const char *when);
/* Copies what is looked at to $CRASH_KEEP. */
void keep_state(struct world *world);
