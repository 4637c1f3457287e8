/* A log in a directory of its own, for the tests of lib/log. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

struct log_world {
	char path[64];
	struct log_params params;
	struct log_position start;
	struct log *log;
};

static inline void log_world_open(struct log_world *world)
{
	assert_int_equal(log_open(&world->params, &world->start, &world->log),
			 0);
}

static inline void log_world_close(struct log_world *world)
{
	log_close(world->log);
	world->log = NULL;
}

static inline int log_world_setup(void **state)
{
	struct log_world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	snprintf(world->path, sizeof(world->path), "/tmp/cowd-log-XXXXXX");
	assert_non_null(mkdtemp(world->path));
	world->params.directory_fd =
		open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	world->params.seed = UINT64_C(0x5eed);
	world->params.uuid[0] = 7;
	assert_int_equal(log_create(&world->params, &world->start), 0);
	log_world_open(world);
	*state = world;
	return 0;
}

static inline int log_world_teardown(void **state)
{
	struct log_world *world = *state;
	uint32_t segment;
	char name[16];

	log_close(world->log);
	for (segment = 1; segment < 4; segment++) {
		log_segment_name(segment, name);
		unlinkat(world->params.directory_fd, name, 0);
	}
	close(world->params.directory_fd);
	rmdir(world->path);
	free(world);
	return 0;
}

/* A record of no meaning; returns its LSN. */
static inline uint64_t log_world_append(struct log_world *world)
{
	static const struct resize_record resize = { .line = 1, .gen = 1 };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;

	assert_int_equal(log_append(world->log, RECORD_TYPE_RESIZE, payload,
				    resize_record_encode(&resize, payload),
				    &lsn),
			 0);
	return lsn;
}

/* Hands out blocks until the tail is in another segment. */
static inline void log_world_roll(struct log_world *world)
{
	struct location at, first;

	assert_int_equal(log_reserve(world->log, 1, &first), 0);
	do
		assert_int_equal(
			log_reserve(world->log, RECORD_RAW_BLOCKS_MAX, &at), 0);
	while (at.segment == first.segment);
}

static inline int log_world_fd(const struct log_world *world, uint32_t segment)
{
	char name[16];

	log_segment_name(segment, name);
	return openat(world->params.directory_fd, name, O_RDWR | O_CLOEXEC);
}
