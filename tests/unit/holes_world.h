/* A directory of its own with a holefile in it, or none yet. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "holes.h"

#define OWNER "/mnt/a"
#define MARK "# cowd holes 1 " OWNER "\n"

struct world {
	char directory[64];
	char path[128];
	struct holes *holes;
};

static int setup(void **state)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	snprintf(world.directory, sizeof(world.directory),
		 "/tmp/cowd-test-holes.XXXXXX");
	assert_non_null(mkdtemp(world.directory));
	snprintf(world.path, sizeof(world.path), "%s/holes", world.directory);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	holes_close(world->holes);
	unlink(world->path);
	/* And nothing is left beside it. */
	assert_int_equal(rmdir(world->directory), 0);
	return 0;
}

static inline void put(const char *path, const char *text, size_t text_bytes)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, text_bytes, out), text_bytes);
	assert_int_equal(fclose(out), 0);
}

static inline void put_text(struct world *world, const char *text)
{
	put(world->path, text, strlen(text));
}

static inline const char *text_of(const char *path)
{
	static char text[1 << 16];
	FILE *in = fopen(path, "r");
	size_t n;

	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	fclose(in);
	return text;
}

static inline void open_as(struct world *world, const char *owner)
{
	struct failure failure = { .code = FAILURE_NONE };

	assert_null(world->holes);
	if (holes_open(world->path, owner, &world->holes, &failure) < 0)
		fail_msg("%s", failure.message);
}

static inline void close_holes(struct world *world)
{
	holes_close(world->holes);
	world->holes = NULL;
}

static inline void open_again(struct world *world)
{
	close_holes(world);
	open_as(world, OWNER);
}

/* Opening fails so, says so, and changes nothing. */
static inline void assert_not_opened(struct world *world, int expected,
				     const char *message)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct holes *holes = NULL;
	struct stat before, after;
	int missing = lstat(world->path, &before);

	assert_int_equal(holes_open(world->path, OWNER, &holes, &failure),
			 expected);
	assert_null(holes);
	assert_string_equal(failure.object, world->path);
	if (!strstr(failure.message, message))
		fail_msg("'%s' lacks '%s'", failure.message, message);
	assert_int_equal(lstat(world->path, &after), missing);
	if (missing == 0) {
		assert_int_equal(after.st_ino, before.st_ino);
		assert_int_equal(after.st_size, before.st_size);
		assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
