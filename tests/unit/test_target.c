/* STORE[:BRANCH][@SNAPSHOT], with stores whose path has ':' and '@'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target.h"

static char directory[] = "/tmp/cowd-target-XXXXXX";

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chdir(directory) < 0)
		return -1;
	return mkdir("s", 0700) < 0 || mkdir("a:b@c", 0700) < 0 ||
			       mkdir("x@y", 0700) < 0 ?
		       -1 :
		       0;
}

static int teardown(void **state)
{
	(void)state;
	rmdir("s");
	rmdir("a:b@c");
	rmdir("x@y");
	return chdir("/") < 0 || rmdir(directory) < 0 ? -1 : 0;
}

static void assert_parts(const char *text, const char *fallback,
			 const char *store, const char *branch,
			 const char *snapshot)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct target *target = calloc(1, sizeof(*target));

	assert_non_null(target);
	assert_int_equal(target_parse(text, fallback, target, &failure), 0);
	assert_string_equal(target->store, store);
	assert_string_equal(target->branch, branch);
	assert_string_equal(target->snapshot, snapshot);
	free(target);
}

static void test_parts(void **state)
{
	(void)state;
	assert_parts("s", NULL, "s", "", "");
	assert_parts("s/", NULL, "s", "", "");
	assert_parts("s:main", NULL, "s", "main", "");
	assert_parts("s@s1", NULL, "s", "", "s1");
	assert_parts("s:main@s1", NULL, "s", "main", "s1");
	assert_parts("s@~2", NULL, "s", "", "~2");
	assert_parts("s@a,b,c%d", NULL, "s", "", "a,b,c%d");
}

static void test_the_longest_directory_is_the_store(void **state)
{
	(void)state;
	assert_parts("a:b@c", NULL, "a:b@c", "", "");
	assert_parts("a:b@c:main@s1", NULL, "a:b@c", "main", "s1");
	assert_parts("x@y@s1", NULL, "x@y", "", "s1");
	assert_parts("./x@y:b", NULL, "./x@y", "b", "");
}

static void test_a_missing_store_is_split_after_the_last_slash(void **state)
{
	(void)state;
	assert_parts("no:b@s", NULL, "no", "b", "s");
	assert_parts("x@z/no@s", NULL, "x@z/no", "", "s");
}

static void test_the_default_store_stands_in(void **state)
{
	(void)state;
	assert_parts("", "s", "s", "", "");
	assert_parts(":b", "s", "s", "b", "");
	assert_parts("@s1", "a:b@c", "a:b@c", "", "s1");
	assert_parts(":b@s1", "/else/where", "/else/where", "b", "s1");
}

static void test_wrong_targets_are_usage_failures(void **state)
{
	static const char *const cases[] = { "",   ":b",   "s:",
					     "s@", "s:b@", "s:@x" };
	struct target *target = calloc(1, sizeof(*target));
	char *longer = malloc(20000);
	size_t i;

	(void)state;
	assert_non_null(target);
	assert_non_null(longer);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure failure = { .code = FAILURE_NONE };

		assert_int_equal(target_parse(cases[i], NULL, target, &failure),
				 -EINVAL);
		assert_int_equal(failure.code, FAILURE_USAGE);
	}
	memset(longer, 'x', 19999);
	longer[19999] = '\0';
	assert_int_equal(target_parse(longer, NULL, target, NULL), -EINVAL);
	longer[0] = ':';
	assert_int_equal(target_parse(longer, "s", target, NULL), -EINVAL);
	free(longer);
	free(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_the_longest_directory_is_the_store),
		cmocka_unit_test(
			test_a_missing_store_is_split_after_the_last_slash),
		cmocka_unit_test(test_the_default_store_stands_in),
		cmocka_unit_test(test_wrong_targets_are_usage_failures),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
