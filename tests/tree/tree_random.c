/* Numbers, bytes and checksums for tree_model, all from its seed. */
#include <string.h>

#include "tree_model.h"

uint64_t mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
	value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
	return value ^ (value >> 31);
}

uint64_t random_next(struct world *world)
{
	world->random += 0x9e3779b97f4a7c15;
	return mix(world->random);
}

uint64_t random_below(struct world *world, uint64_t limit)
{
	return random_next(world) % limit;
}

bool random_chance(struct world *world, unsigned percent)
{
	return random_below(world, 100) < percent;
}

void fill(void *data, size_t bytes, uint64_t salt)
{
	unsigned char *at = data;

	while (bytes > 0) {
		uint64_t word = mix(salt++);
		size_t piece = bytes < sizeof(word) ? bytes : sizeof(word);

		memcpy(at, &word, piece);
		at += piece;
		bytes -= piece;
	}
}

uint64_t sum_of(const void *data, size_t bytes, uint64_t seed)
{
	const unsigned char *at = data;
	uint64_t sum = seed ^ bytes;

	while (bytes > 0) {
		uint64_t word = 0;
		size_t piece = bytes < sizeof(word) ? bytes : sizeof(word);

		memcpy(&word, at, piece);
		sum = mix(sum ^ word);
		at += piece;
		bytes -= piece;
	}
	return sum;
}
