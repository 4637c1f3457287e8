/* Log lines: levels, prefixes, one write per line, cut when too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "logging.h"

struct world {
	int pipe[2];
	int real_stderr;
	char text[4096];
};

static int setup(void **state)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	assert_int_equal(pipe2(world.pipe, O_NONBLOCK | O_CLOEXEC), 0);
	world.real_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(world.pipe[1], STDERR_FILENO), STDERR_FILENO);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	dup2(world->real_stderr, STDERR_FILENO);
	close(world->real_stderr);
	close(world->pipe[0]);
	close(world->pipe[1]);
	log_set_level(LOG_LEVEL_NOTICE);
	log_set_journal(0);
	return 0;
}

static const char *logged(struct world *world)
{
	ssize_t n = read(world->pipe[0], world->text, sizeof(world->text) - 1);

	world->text[n > 0 ? n : 0] = '\0';
	return world->text;
}

static void test_level_drops_what_is_below_it(void **state)
{
	log_message(LOG_LEVEL_INFO, "quiet");
	assert_string_equal(logged(*state), "");
	log_message(LOG_LEVEL_NOTICE, "number %d", 7);
	assert_string_equal(logged(*state), "cowd: number 7\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_message(LOG_LEVEL_WARNING, "quiet");
	assert_string_equal(logged(*state), "");
}

static void test_journal_lines_carry_their_level(void **state)
{
	log_set_journal(1);
	log_message(LOG_LEVEL_WARNING, "careful");
	assert_string_equal(logged(*state), "<4>careful\n");
}

static void test_errno_is_told_and_returned(void **state)
{
	assert_int_equal(log_errno(-ENOSPC, "write at %d", 4), -ENOSPC);
	assert_string_equal(logged(*state),
			    "cowd: write at 4: No space left on device\n");
}

static void test_long_line_is_cut_and_ends(void **state)
{
	char text[4000];
	size_t len_bytes;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_message(LOG_LEVEL_ERROR, "%s", text);
	len_bytes = strlen(logged(*state));
	assert_true(len_bytes > 1000 && len_bytes < 2048);
	assert_int_equal(((struct world *)*state)->text[len_bytes - 1], '\n');
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_level_drops_what_is_below_it),
		CASE(test_journal_lines_carry_their_level),
		CASE(test_errno_is_told_and_returned),
		CASE(test_long_line_is_cut_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
