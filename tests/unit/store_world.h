/*
 * A store over a base file in a directory of its own, and beside it a plain
 * array that holds what main's image must read as: for the tests of lib/core.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "history.h"
#include "io.h"
#include "space.h"
#include "store.h"
#include "window_format.h"

enum {
	WORLD_TAIL_BYTES = 1234, /* the base doesn't end with a block */
	WORLD_BASE_BYTES = WINDOW_BYTES + 3 * BLOCK_BYTES + WORLD_TAIL_BYTES,
};

struct store_world {
	char directory[48], path[64], base_path[64];
	struct store *store;
	struct view *view; /* of main */
	struct file *file;
	struct failure failure;
	uint8_t *expected;
	size_t size_bytes;
};

static const struct actor world_actor = { .uid = 7 };

#define assert_ok(world, call)                                \
	do {                                                  \
		int rc_ = (call);                             \
                                                              \
		if (rc_ != 0)                                 \
			fail_msg("%s: %d: %s %s", #call, rc_, \
				 (world)->failure.object,     \
				 (world)->failure.message);   \
	} while (0)

#define assert_failure(world, call, code_)                        \
	do {                                                      \
		(world)->failure = (struct failure){ 0 };         \
		assert_true((call) < 0);                          \
		assert_int_equal((world)->failure.code, (code_)); \
		(world)->failure = (struct failure){ 0 };         \
	} while (0)

/* Never zero, hard to compress, another for each seed and place. */
static inline void world_fill(uint8_t *data, size_t len_bytes, uint32_t seed)
{
	uint32_t x = seed * 2654435761U + 12345U;
	size_t i;

	for (i = 0; i < len_bytes; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		data[i] = (uint8_t)(1 + x % 255);
	}
}

static inline void world_open(struct store_world *world)
{
	assert_ok(world, store_open(world->path, NULL, &world->store,
				    &world->failure));
	assert_ok(world, view_open_branch(world->store, "main", &world->view,
					  &world->failure));
	world->file = view_image(world->view);
}

static inline void world_close(struct store_world *world)
{
	view_put(world->view);
	assert_int_equal(store_close(world->store), 0);
	world->store = NULL;
}

/* As kill -9, and the next start. */
static inline void world_crash(struct store_world *world)
{
	store_abandon(world->store);
	world_open(world);
}

static inline void world_reopen(struct store_world *world)
{
	world_close(world);
	world_open(world);
}

/* Nothing happens behind a test's back. */
static inline void world_config(struct store_config *config)
{
	config_defaults(config);
	config->compress = COMPRESS_MODE_OFF;
	config->reserve_bytes = 0;
	config->checkpoint_every_ns = UINT64_C(3600000000000);
}

static inline int world_setup_with(void **state, size_t base_bytes,
				   enum compress_mode compress)
{
	struct store_world *world = calloc(1, sizeof(*world));
	struct store_create_params params = { .path = world->path,
					      .base_path = world->base_path };
	int fd;

	/* In memory where there is such a place: no flush costs time. */
	snprintf(world->directory, sizeof(world->directory),
		 "%s/cowd-core-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/store",
		 world->directory);
	snprintf(world->base_path, sizeof(world->base_path), "%s/base",
		 world->directory);
	world->size_bytes = base_bytes;
	world->expected = malloc(base_bytes);
	assert_non_null(world->expected);
	world_fill(world->expected, base_bytes, 1);
	fd = open(world->base_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, world->expected, base_bytes, 0), 0);
	close(fd);
	world_config(&params.config);
	params.config.compress = compress;
	assert_ok(world, store_create(&params, &world->failure));
	world_open(world);
	*state = world;
	return 0;
}

static inline int world_setup(void **state)
{
	return world_setup_with(state, WORLD_BASE_BYTES, COMPRESS_MODE_OFF);
}

static inline void world_remove(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	while (directory && (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0)
			world_remove(fd, entry->d_name);
	}
	if (directory)
		closedir(directory);
	unlinkat(parent_fd, name, AT_REMOVEDIR);
}

static inline int world_teardown(void **state)
{
	struct store_world *world = *state;

	if (world->store)
		store_abandon(world->store);
	world_remove(AT_FDCWD, world->directory);
	free(world->expected);
	free(world);
	return 0;
}

#define WORLD_TEST(test) \
	cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

/* Room in the array; what is new in it is zero, as in a file. */
static inline void world_expect_size(struct store_world *world, size_t bytes)
{
	world->expected = realloc(world->expected, bytes + 1);
	assert_non_null(world->expected);
	if (bytes > world->size_bytes)
		memset(world->expected + world->size_bytes, 0,
		       bytes - world->size_bytes);
	world->size_bytes = bytes;
}

static inline void world_resize(struct store_world *world, size_t bytes)
{
	assert_int_equal(file_resize(world->file, bytes), 0);
	world_expect_size(world, bytes);
}

static inline void world_write(struct store_world *world, size_t offset,
			       size_t len_bytes, uint32_t seed)
{
	uint8_t *data = malloc(len_bytes + 1);

	assert_non_null(data);
	world_fill(data, len_bytes, seed);
	assert_int_equal(file_write(world->file, offset, data, len_bytes), 0);
	if (len_bytes && offset + len_bytes > world->size_bytes)
		world_expect_size(world, offset + len_bytes);
	memcpy(world->expected + offset, data, len_bytes);
	free(data);
}

/* The block nr of the image. */
static inline void world_write_block(struct store_world *world, size_t nr,
				     uint32_t seed)
{
	world_write(world, nr * BLOCK_BYTES, BLOCK_BYTES, seed);
}

static inline void world_zero(struct store_world *world, size_t offset,
			      size_t len_bytes)
{
	size_t end = offset + len_bytes;

	assert_int_equal(file_zero(world->file, offset, len_bytes), 0);
	end = end < world->size_bytes ? end : world->size_bytes;
	if (offset < end)
		memset(world->expected + offset, 0, end - offset);
}

static inline void world_check_file(struct file *file, const uint8_t *expected,
				    size_t size_bytes)
{
	uint8_t *data = malloc(size_bytes + 1);
	struct file_info info;
	size_t n, i;

	assert_non_null(data);
	file_get_info(file, &info);
	assert_int_equal(info.size_bytes, size_bytes);
	assert_int_equal(file_read(file, 0, data, size_bytes + 1, &n), 0);
	assert_int_equal(n, size_bytes);
	for (i = 0; i < n && data[i] == expected[i]; i++)
		;
	free(data);
	if (i < n)
		fail_msg("first difference at byte %zu of %zu", i, n);
}

static inline void world_check(struct store_world *world)
{
	world_check_file(world->file, world->expected, world->size_bytes);
}

/* A copy of the array, to be compared with a snapshot later. */
struct world_copy {
	uint8_t *data;
	size_t size_bytes;
};

static inline struct world_copy world_copy(const struct store_world *world)
{
	struct world_copy copy = { malloc(world->size_bytes + 1),
				   world->size_bytes };

	assert_non_null(copy.data);
	memcpy(copy.data, world->expected, world->size_bytes);
	return copy;
}

static inline void world_expect_copy(struct store_world *world,
				     const struct world_copy *copy)
{
	world_expect_size(world, copy->size_bytes);
	memcpy(world->expected, copy->data, copy->size_bytes);
}

static inline uint32_t world_snapshot(struct store_world *world,
				      const char *name)
{
	struct snapshot_info info;

	assert_ok(world, history_snapshot(world->store, "main", name, NULL,
					  SNAPSHOT_KIND_MANUAL, &world_actor,
					  &info, &world->failure));
	return info.id;
}

static inline void world_rollback(struct store_world *world, uint32_t id,
				  struct rollback_result *result)
{
	assert_ok(world,
		  history_rollback(world->store, "main", id, NULL, &world_actor,
				   result, &world->failure));
}

static inline void world_undo(struct store_world *world, uint64_t operation,
			      struct undo_result *result)
{
	assert_ok(world, history_undo(world->store, operation, false,
				      &world_actor, result, &world->failure));
}

static inline void world_check_snapshot(struct store_world *world, uint32_t id,
					const struct world_copy *copy)
{
	struct view *view;

	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	world_check_file(view_image(view), copy->data, copy->size_bytes);
	view_put(view);
}

static inline void world_check_branch(struct store_world *world,
				      const char *name,
				      const struct world_copy *copy)
{
	struct view *view;

	assert_ok(world,
		  view_open_branch(world->store, name, &view, &world->failure));
	world_check_file(view_image(view), copy->data, copy->size_bytes);
	view_put(view);
}

/* All of the trash goes, and what nobody needs then. */
static inline void world_gc(struct store_world *world)
{
	struct gc_result result;

	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &result, &world->failure));
}
