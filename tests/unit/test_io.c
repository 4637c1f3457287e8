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
#include "io_hook.h"

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

	io_hook = NULL;
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

/* What the hook was asked, and what it does at which call. */
struct script {
	unsigned asked, told;
	enum io_op last_op;
	int64_t last_result;
	unsigned refuse_nr; /* from 1 on; 0: none */
	int refusal;
	uint64_t most_bytes;
};

static int script_ask(void *context, struct io_event *event)
{
	struct script *script = context;

	script->last_op = event->op;
	if (++script->asked == script->refuse_nr)
		return script->refusal;
	if (event->len > script->most_bytes)
		event->len = script->most_bytes;
	return 0;
}

static void script_tell(void *context, const struct io_event *event,
			int64_t result)
{
	struct script *script = context;

	assert_int_equal(event->op, script->last_op);
	script->told++;
	script->last_result = result;
}

static void test_hook_sees_each_call_and_its_result(void **state)
{
	struct world *world = *state;
	struct script script = { .most_bytes = UINT64_MAX };
	struct io_hook hook = { script_ask, script_tell, &script };
	static const enum io_op ops[] = {
		IO_OP_OPEN,	      IO_OP_WRITE,
		IO_OP_PUNCH,	      IO_OP_TRUNCATE,
		IO_OP_READ,	      IO_OP_SYNC,
		IO_OP_SYNC,	      IO_OP_RENAME,
		IO_OP_UNLINK,	      IO_OP_MAKE_DIRECTORY,
		IO_OP_SYNC_DIRECTORY, IO_OP_REMOVE_DIRECTORY,
	};
	char text[8];
	int fd = -1;

	io_hook = &hook;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		int64_t rc = 0;

		switch (i) {
		case 0:
			rc = fd = io_open_own(world->dir_fd, "file",
					      O_RDWR | O_CREAT);
			break;
		case 1:
			rc = io_write_all(fd, "hello", 5, 0);
			break;
		case 2:
			rc = io_punch(fd, 0, 1);
			break;
		case 3:
			rc = io_truncate(fd, 3);
			break;
		case 4:
			rc = io_read_full(fd, text, 3, 0);
			assert_memory_equal(text, "\0el", 3);
			break;
		case 5:
			rc = io_sync_data(fd);
			break;
		case 6:
			rc = io_sync(fd);
			break;
		case 7:
			rc = io_rename(world->dir_fd, "file", "other");
			break;
		case 8:
			rc = io_unlink(world->dir_fd, "other");
			break;
		case 9:
			rc = io_make_directory(world->dir_fd, "file");
			break;
		case 10:
			rc = io_sync_directory(world->dir_fd);
			break;
		default:
			rc = io_remove_directory(world->dir_fd, "file");
			break;
		}
		assert_true(rc >= 0);
		assert_int_equal(script.last_op, ops[i]);
		assert_int_equal(script.asked, i + 1);
		assert_int_equal(script.told, i + 1);
		assert_int_equal(script.last_result, i == 1 ? 5 : rc);
	}
	assert_int_equal(io_unlink(world->dir_fd, "file"), -ENOENT);
	assert_int_equal(script.last_result, -ENOENT);
	close(fd);
}

static void test_allocated_blocks_leave_the_length(void **state)
{
	AUTO_CLOSE int fd = open_file(*state);
	struct script script = { .most_bytes = UINT64_MAX };
	struct io_hook hook = { script_ask, script_tell, &script };
	struct stat st = { 0 };
	int rc;

	io_hook = &hook;
	rc = io_allocate(fd, 4096, 8192);
	assert_int_equal(script.last_op, IO_OP_ALLOCATE);
	if (rc == -EOPNOTSUPP)
		skip();
	assert_int_equal(rc, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_true(st.st_blocks * 512 >= 8192);
}

static void test_refused_call_is_not_made(void **state)
{
	struct world *world = *state;
	AUTO_CLOSE int fd = open_file(world);
	struct script script = { .most_bytes = UINT64_MAX,
				 .refuse_nr = 1,
				 .refusal = -EIO };
	struct io_hook hook = { script_ask, script_tell, &script };
	char text[8];

	io_hook = &hook;
	assert_int_equal(io_write_all(fd, "hello", 5, 0), -EIO);
	assert_int_equal(script.told, 0);
	assert_int_equal(io_read_full(fd, text, sizeof(text), 0), 0);
	script = (struct script){ .most_bytes = UINT64_MAX,
				  .refuse_nr = 1,
				  .refusal = -ENOSPC };
	assert_int_equal(io_open(world->dir_fd, "other", O_RDWR | O_CREAT),
			 -ENOSPC);
	assert_int_equal(faccessat(world->dir_fd, "other", F_OK, 0), -1);
	script.asked = 0;
	assert_int_equal(io_rename(world->dir_fd, "file", "other"), -ENOSPC);
	assert_int_equal(faccessat(world->dir_fd, "file", F_OK, 0), 0);
}

static void test_short_and_interrupted_calls_go_on(void **state)
{
	struct world *world = *state;
	AUTO_CLOSE int fd = open_file(world);
	struct script script = { .most_bytes = 2,
				 .refuse_nr = 2,
				 .refusal = -EINTR };
	struct io_hook hook = { script_ask, script_tell, &script };
	char text[8];

	io_hook = &hook;
	assert_int_equal(io_write_all(fd, "hello", 5, 0), 0);
	assert_int_equal(script.asked, 4);
	script.asked = 0;
	assert_int_equal(io_read_full(fd, text, sizeof(text), 0), 5);
	assert_memory_equal(text, "hello", 5);
	script.asked = 1;
	assert_int_equal(io_sync_data(fd), 0);
	assert_int_equal(script.asked, 3);
	/* A torn write: a part of it, then an error. */
	script = (struct script){ .most_bytes = 2,
				  .refuse_nr = 2,
				  .refusal = -EIO };
	assert_int_equal(io_write_all(fd, "HELLO", 5, 0), -EIO);
	script.most_bytes = UINT64_MAX;
	assert_int_equal(io_read_full(fd, text, sizeof(text), 0), 5);
	assert_memory_equal(text, "HEllo", 5);
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
		CASE(test_hook_sees_each_call_and_its_result),
		CASE(test_allocated_blocks_leave_the_length),
		CASE(test_refused_call_is_not_made),
		CASE(test_short_and_interrupted_calls_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
