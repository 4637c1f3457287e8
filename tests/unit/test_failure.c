/* Failures: slugs and exit codes are a contract, the first cause is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "failure.h"

static void test_every_code_has_its_published_slug_and_exit(void **state)
{
	static const struct {
		enum failure_code code;
		const char *slug;
		int exit_code;
	} published[] = {
		{ FAILURE_NONE, "ok", 0 },
		{ FAILURE_FAILED, "failed", 1 },
		{ FAILURE_USAGE, "usage", 2 },
		{ FAILURE_PARTIAL, "partial", 3 },
		{ FAILURE_NO_STORE, "no_store", 10 },
		{ FAILURE_BUSY, "busy", 11 },
		{ FAILURE_NOT_FOUND, "not_found", 12 },
		{ FAILURE_EXISTS, "exists", 13 },
		{ FAILURE_HELD, "held", 14 },
		{ FAILURE_NO_SPACE, "no_space", 15 },
		{ FAILURE_CORRUPT, "corrupt", 16 },
		{ FAILURE_BASE_CHANGED, "base_changed", 17 },
		{ FAILURE_UNSUPPORTED, "unsupported", 19 },
		{ FAILURE_INTERRUPTED, "interrupted", 130 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
		enum failure_code code = published[i].code;

		assert_string_equal(failure_slug(code), published[i].slug);
		assert_int_equal(failure_exit_code(code),
				 published[i].exit_code);
		assert_int_equal(failure_from_slug(published[i].slug), code);
	}
}

static void test_unknown_slug_is_a_plain_failure(void **state)
{
	(void)state;
	assert_int_equal(failure_from_slug("fenced"), FAILURE_FAILED);
	assert_int_equal(failure_from_slug(""), FAILURE_FAILED);
	assert_int_equal(failure_from_slug(NULL), FAILURE_FAILED);
}

static void test_errno_chooses_the_code(void **state)
{
	(void)state;
	assert_int_equal(failure_from_errno(ENOSPC), FAILURE_NO_SPACE);
	assert_int_equal(failure_from_errno(EDQUOT), FAILURE_NO_SPACE);
	assert_int_equal(failure_from_errno(EUCLEAN), FAILURE_CORRUPT);
	assert_int_equal(failure_from_errno(EBUSY), FAILURE_BUSY);
	assert_int_equal(failure_from_errno(EEXIST), FAILURE_EXISTS);
	assert_int_equal(failure_from_errno(EINTR), FAILURE_INTERRUPTED);
	assert_int_equal(failure_from_errno(EPERM), FAILURE_FAILED);
}

static void test_set_fills_all_and_returns_a_suitable_errno(void **state)
{
	struct failure failure = { 0 };

	(void)state;
	assert_int_equal(failure_set(&failure, FAILURE_HELD, "a@s",
				     "held by '%s'", "nightly"),
			 -EBUSY);
	failure_hint(&failure, "release %d", 1);
	assert_int_equal(failure.code, FAILURE_HELD);
	assert_string_equal(failure.object, "a@s");
	assert_string_equal(failure.message, "held by 'nightly'");
	assert_string_equal(failure.hint, "release 1");
}

static void test_first_failure_and_first_hint_are_kept(void **state)
{
	struct failure failure = { 0 };

	(void)state;
	assert_int_equal(failure_set(&failure, FAILURE_BUSY, NULL, "first"),
			 -EBUSY);
	failure_hint(&failure, "one");
	assert_int_equal(failure_set(&failure, FAILURE_USAGE, "x", "second"),
			 -EINVAL);
	failure_hint(&failure, "two");
	assert_int_equal(failure.code, FAILURE_BUSY);
	assert_string_equal(failure.object, "");
	assert_string_equal(failure.message, "first");
	assert_string_equal(failure.hint, "one");
}

static void test_errno_text_is_appended(void **state)
{
	struct failure failure = { 0 };

	(void)state;
	assert_int_equal(failure_errno(&failure, -ENOSPC, "s", "can't %s",
				       "write"),
			 -ENOSPC);
	assert_int_equal(failure.code, FAILURE_NO_SPACE);
	assert_string_equal(failure.message,
			    "can't write: No space left on device");
}

static void test_nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(failure_set(NULL, FAILURE_EXISTS, "x", "y"), -EEXIST);
	assert_int_equal(failure_errno(NULL, -EIO, "x", "y"), -EIO);
	failure_hint(NULL, "z");
}

static void test_long_text_is_cut_not_overrun(void **state)
{
	struct failure failure = { 0 };
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)failure_errno(&failure, -EIO, text, "%s", text);
	failure_hint(&failure, "%s", text);
	assert_int_equal(strlen(failure.object), sizeof(failure.object) - 1);
	assert_int_equal(strlen(failure.message), sizeof(failure.message) - 1);
	assert_int_equal(strlen(failure.hint), sizeof(failure.hint) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_code_has_its_published_slug_and_exit),
		cmocka_unit_test(test_unknown_slug_is_a_plain_failure),
		cmocka_unit_test(test_errno_chooses_the_code),
		cmocka_unit_test(
			test_set_fills_all_and_returns_a_suitable_errno),
		cmocka_unit_test(test_first_failure_and_first_hint_are_kept),
		cmocka_unit_test(test_errno_text_is_appended),
		cmocka_unit_test(test_nobody_need_listen),
		cmocka_unit_test(test_long_text_is_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
