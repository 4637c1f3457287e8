/* Checks of the tests' own doings, and chance. */
#include "crash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "crash: %s failed: %s\n", what, strerror(errno));
	abort();
}

void *check_memory(void *pointer)
{
	check(pointer, "an allocation");
	return pointer;
}

void chance_seed(struct chance *chance, uint64_t seed)
{
	chance->state = (seed + 1) * 0x9e3779b97f4a7c15 | 1;
}

uint64_t chance_below(struct chance *chance, uint64_t limit)
{
	chance->state ^= chance->state << 13;
	chance->state ^= chance->state >> 7;
	chance->state ^= chance->state << 17;
	return limit ? (chance->state >> 11) % limit : 0;
}
