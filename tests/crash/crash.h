/* What the programs of this folder share: a check of their own doings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the program unless ok: the test itself can't go on. */
void check(bool ok, const char *what);
void *check_memory(void *pointer);

/* Chance that is the same for the same seed. */
struct chance {
	uint64_t state;
};
void chance_seed(struct chance *chance, uint64_t seed);
uint64_t chance_below(struct chance *chance, uint64_t limit);
