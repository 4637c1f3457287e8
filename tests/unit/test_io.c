/* Whole transfers, and files of our own only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

struct world {
	char path[64];
	int dir_fd;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	snprintf(world->path, sizeof(world->path), "/tmp/cowd-io-XXXXXX");
	assert_non_null(mkdtemp(world->path));
	world->dir_fd = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(world->dir_fd >= 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	unlinkat(world->dir_fd, "file", 0);
	unlinkat(world->dir_fd, "other", 0);
	close(world->dir_fd);
	rmdir(world->path);
	free(world);
	return 0;
}

static int open_file(struct world *world)
{
	int fd = io_open_own(world->dir_fd, "file", O_RDWR | O_CREAT);

	assert_true(fd >= 0);
	return fd;
}

static void test_what_is_written_is_read_and_ends_at_the_end(void **state)
{
	AUTO_CLOSE int fd = open_file(*state);
	char text[16] = { 0 };

	assert_int_equal(io_write_all(fd, "hello", 5, 3), 0);
	assert_int_equal(io_sync_data(fd), 0);
	assert_int_equal(io_read_full(fd, text, sizeof(text), 3), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(io_read_full(fd, text, 3, 5), 3);
	assert_memory_equal(text, "llo", 3);
	assert_int_equal(io_read_full(fd, text, 1, 8), 0);
	assert_int_equal(io_read_full(fd, text, 0, 0), 0);
}

static void test_failure_is_a_negative_errno(void **state)
{
	struct world *world = *state;
	char byte;

	assert_int_equal(io_write_all(-1, "x", 1, 0), -EBADF);
	assert_int_equal(io_read_full(-1, &byte, 1, 0), -EBADF);
	assert_int_equal(io_sync_data(-1), -EBADF);
	assert_int_equal(io_open_own(world->dir_fd, "file", O_RDONLY), -ENOENT);
}

static void test_own_file_is_private(void **state)
{
	AUTO_CLOSE int fd = open_file(*state);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_symlink_is_not_followed(void **state)
{
	struct world *world = *state;

	assert_int_equal(symlinkat("/etc/hostname", world->dir_fd, "file"), 0);
	assert_true(io_open_own(world->dir_fd, "file", O_RDONLY) < 0);
}

static void test_hard_link_fifo_and_directory_are_not_ours(void **state)
{
	struct world *world = *state;

	close(open_file(world));
	assert_int_equal(
		linkat(world->dir_fd, "file", world->dir_fd, "other", 0), 0);
	assert_int_equal(io_open_own(world->dir_fd, "file", O_RDONLY),
			 -EUCLEAN);
	assert_int_equal(unlinkat(world->dir_fd, "other", 0), 0);
	assert_int_equal(unlinkat(world->dir_fd, "file", 0), 0);
	assert_int_equal(mkfifoat(world->dir_fd, "file", 0600), 0);
	assert_int_equal(io_open_own(world->dir_fd, "file", O_RDONLY),
			 -EUCLEAN);
	assert_int_equal(io_open_own(world->dir_fd, ".", O_RDONLY), -EUCLEAN);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_is_written_is_read_and_ends_at_the_end),
		CASE(test_failure_is_a_negative_errno),
		CASE(test_own_file_is_private),
		CASE(test_symlink_is_not_followed),
		CASE(test_hard_link_fifo_and_directory_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
