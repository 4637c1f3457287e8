/* Rule files as files, and the way a path is spelled in them. */
#include "rules_world.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct world {
	char directory[64];
	char path[128];
};

static int setup(void **state)
{
	static struct world world;

	snprintf(world.directory, sizeof(world.directory),
		 "/tmp/cowd-test-rules.XXXXXX");
	assert_non_null(mkdtemp(world.directory));
	snprintf(world.path, sizeof(world.path), "%s/rules", world.directory);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	unlink(world->path);
	assert_int_equal(rmdir(world->directory), 0);
	return 0;
}

static void put(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void test_002_5_file_is_read_and_relative_to_the_start(void **state)
{
	struct world *world = *state;
	struct rules *rules = NULL;

	put(world->path, "w/x all<>\n");
	assert_int_equal(
		rules_load(world->path, world->directory, &rules, NULL), 0);
	assert_int_equal(rules_count(rules), 1);
	assert_memory_equal(rules_at(rules, 0)->directory, world->directory,
			    strlen(world->directory));
	assert_string_equal(rules_at(rules, 0)->directory +
				    strlen(world->directory),
			    "/w/x");
	rules_free(rules);
}

static void test_002_5_mistake_names_the_file(void **state)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct world *world = *state;
	struct rules *rules = NULL;

	put(world->path, "/a all<>\n/b all<\n");
	assert_int_equal(rules_load(world->path, "/", &rules, &failure),
			 -EINVAL);
	assert_string_equal(failure.object, world->path);
	assert_memory_equal(failure.message, "2:8: ", 5);
	assert_null(rules);
}

static void test_what_is_no_file_is_refused(void **state)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct world *world = *state;
	struct rules *rules = NULL;

	assert_int_equal(rules_load(world->path, "/", &rules, &failure),
			 -ENOENT);
	assert_string_equal(failure.object, world->path);
	assert_int_equal(rules_load(world->directory, "/", &rules, NULL),
			 -EINVAL);
	assert_int_equal(mkfifo(world->path, 0600), 0);
	assert_int_equal(rules_load(world->path, "/", &rules, NULL), -EINVAL);
	assert_null(rules);
}

static void test_file_of_more_than_a_mebibyte_is_refused(void **state)
{
	struct world *world = *state;
	struct rules *rules = NULL;
	char *text = malloc(RULES_FILE_BYTES_MAX + 2);

	memset(text, '\n', RULES_FILE_BYTES_MAX + 1);
	text[RULES_FILE_BYTES_MAX] = '\0';
	put(world->path, text);
	assert_int_equal(rules_load(world->path, "/", &rules, NULL), 0);
	rules_free(rules);
	rules = NULL;
	text[RULES_FILE_BYTES_MAX] = '\n';
	text[RULES_FILE_BYTES_MAX + 1] = '\0';
	put(world->path, text);
	assert_int_equal(rules_load(world->path, "/", &rules, NULL), -EINVAL);
	assert_null(rules);
	free(text);
}

static void test_quoted_path_is_read_back(void **state)
{
	static const char *const paths[] = {
		"/a/b", "/a b",	 "/it's",     "'", "@hide", "#",
		"a#b",	"/a\tb", "/\xff\xfe", "a", "/a\rb",
	};
	char quoted[64], text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const char *path = paths[i];
		struct rules *rules;

		assert_int_equal(rules_quote_path(path, quoted, sizeof(quoted)),
				 0);
		snprintf(text, sizeof(text), "%s all<>\n", quoted);
		rules = rules_of(text);
		assert_string_equal(rules_at(rules, 0)->directory +
					    (*path == '/' ? 0 :
							    strlen("/start/")),
				    path);
		rules_free(rules);
	}
	assert_int_equal(rules_quote_path("/plain", quoted, 64), 0);
	assert_string_equal(quoted, "/plain");
}

static void test_path_that_no_rule_has_is_not_quoted(void **state)
{
	char quoted[16];
	size_t room;

	(void)state;
	assert_int_equal(rules_quote_path("", quoted, sizeof(quoted)), -EINVAL);
	assert_int_equal(rules_quote_path("a\nb", quoted, sizeof(quoted)),
			 -EINVAL);
	for (room = 0; room < 8; room++)
		assert_int_equal(rules_quote_path("a b''", quoted, room),
				 -ENAMETOOLONG);
	assert_int_equal(rules_quote_path("a b''", quoted, sizeof(quoted)), 0);
	assert_string_equal(quoted, "'a b'''''");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_002_5_file_is_read_and_relative_to_the_start),
		CASE(test_002_5_mistake_names_the_file),
		CASE(test_what_is_no_file_is_refused),
		CASE(test_file_of_more_than_a_mebibyte_is_refused),
		cmocka_unit_test(test_quoted_path_is_read_back),
		cmocka_unit_test(test_path_that_no_rule_has_is_not_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
