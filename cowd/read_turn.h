/*
 * Whose turn it is to read requests of a session. Of several threads that read
 * the kernel wakes a different one for each request, most often on another
 * processor: that costs more than most requests do. So one reads, and goes on
 * as long as it is back at once; who does not come back is replaced.
 */
#pragma once

#include <stdbool.h>

#include "scope.h"

struct read_turn;

NODISCARD int read_turn_new(struct read_turn **out_turn);
/* Nobody waits for it. */
void read_turn_free(struct read_turn *turn);
/* Returns when it is the calling thread's turn; a cancellation point. */
void read_turn_take(struct read_turn *turn);
/* It has read something, and works on it. slow: that will take its time, so
 * that somebody else shall read from now on. */
void read_turn_leave(struct read_turn *turn, bool slow);
