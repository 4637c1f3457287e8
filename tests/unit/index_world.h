/* An index in a directory of its own, for the tests of lib/index. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index_impl.h"

struct world {
	char directory[64];
	struct index *index;
};

static inline void path_in(const struct world *world, const char *name,
			   char *path)
{
	snprintf(path, PATH_MAX, "%s/%s", world->directory, name);
}

static inline void open_world(struct world *world)
{
	struct failure failure = { 0 };

	if (index_open(world->directory, &world->index, &failure) < 0)
		fail_msg("open: %s", failure.message);
}

static inline void close_world(struct world *world)
{
	index_close(world->index);
	world->index = NULL;
}

static inline int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	snprintf(world->directory, sizeof(world->directory), "%s",
		 "/tmp/test_index.XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	assert_int_equal(index_create(world->directory, NULL), 0);
	open_world(world);
	*state = world;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	close_world(world);
	directory = opendir(world->directory);
	while (directory && (entry = readdir(directory))) {
		path_in(world, entry->d_name, path);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (directory)
		closedir(directory);
	rmdir(world->directory);
	free(world);
	return 0;
}

/* Changes the file as another program could; closes the index first. */
static inline void tamper(struct world *world, const char *sql)
{
	char path[PATH_MAX];
	sqlite3 *connection;
	char *message = NULL;

	close_world(world);
	path_in(world, "index.db", path);
	assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
	sqlite3_exec(connection, sql, NULL, NULL, &message);
	if (message)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(connection);
}

static inline void assert_refused(struct world *world, enum failure_code code,
				  const char *message, const char *hint)
{
	struct failure failure = { 0 };

	assert_true(index_open(world->directory, &world->index, &failure) < 0);
	assert_null(world->index);
	assert_int_equal(failure.code, code);
	if (!strstr(failure.message, message))
		fail_msg("message: %s", failure.message);
	if (hint && !strstr(failure.hint, hint))
		fail_msg("hint: %s", failure.hint);
}

static inline bool exists(const struct world *world, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	path_in(world, name, path);
	return lstat(path, &st) == 0;
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
