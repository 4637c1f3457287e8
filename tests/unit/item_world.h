/* Items put and found by text, for the tests of lib/index. */
#pragma once

#include "index_world.h"

static inline int put_bytes(struct world *world, const char *key,
			    size_t key_bytes, uint32_t line, uint32_t gen,
			    const char *value)
{
	return index_item_put(world->index, (const uint8_t *)key, key_bytes,
			      &(struct item_version){ line, gen }, value,
			      strlen(value));
}

static inline void put(struct world *world, const char *key, uint32_t line,
		       uint32_t gen, const char *value)
{
	assert_int_equal(put_bytes(world, key, strlen(key), line, gen, value),
			 0);
}

/* The path of these levels, {line, gen} each; the caller frees it. */
static inline struct line_path *path_of(const struct line_limit *levels,
					size_t count)
{
	struct line_path *path =
		calloc(1, sizeof(*path) + count * sizeof(path->level[0]));

	assert_non_null(path);
	path->count = (uint32_t)count;
	memcpy(path->level, levels, count * sizeof(path->level[0]));
	return path;
}

#define PATH(...)                                                    \
	path_of((const struct line_limit[]){ __VA_ARGS__ },          \
		sizeof((const struct line_limit[]){ __VA_ARGS__ }) / \
			sizeof(struct line_limit))
