/* What replay.c and replay_check.c share. */
#pragma once

#include "world.h"

struct seen;

struct replay {
	struct world *world; /* whose trace it is */
	unsigned cuts, lives, depth;
	uint64_t seed, states, crashes, second_lives;
	unsigned part, parts;
	bool judge;
	struct seen *seen;
	size_t seen_capacity, seen_count;
	struct chance chance;
};

/* Which of the states [first, last] of the workload may be found. */
struct allowed {
	size_t first, last;
	bool may_be_none; /* it was not made yet */
	const char *how;
	size_t at;
};

/* Builds the state, unless it was met before, and looks at it. */
void check_state(struct replay *replay, const struct disk *disk,
		 const struct allowed *allowed);
void forget_seen(struct replay *replay);
/* Goes on from a state that a crash left, and crashes again. */
void second_life(struct replay *replay, const struct disk *disk,
		 const struct allowed *allowed);
