/* Sizes and times for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "human.h"

#define S INT64_C(1000000000)

static void test_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0B" },
		{ 1, "1B" },
		{ 1023, "1023B" },
		{ 1024, "1K" },
		{ 1100, "1.1K" },
		{ 1536, "1.5K" },
		{ 10240, "10K" },
		{ 1048575, "1M" },
		{ 1048576, "1M" },
		{ 20971520, "20M" },
		{ 1503238553, "1.4G" },
		{ UINT64_C(21474836480), "20G" },
		{ UINT64_MAX, "16E" },
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		human_size(cases[i].bytes, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void test_ago(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "now" },
		{ 1, "1 second ago" },
		{ 59, "59 seconds ago" },
		{ 60, "1 minute ago" },
		{ 120, "2 minutes ago" },
		{ 5 * 3600 + 10, "5 hours ago" },
		{ 2 * 86400, "2 days ago" },
		{ 21 * 86400, "3 weeks ago" },
		{ 800 * 86400, "2 years ago" },
		{ -5, "in 5 seconds" },
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		human_ago(1000000 * S, (1000000 + cases[i].seconds) * S, text,
			  sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void test_rfc3339_there_and_back(void **state)
{
	static const int64_t times[] = { 0, 1, S, 1795221502 * S + 104000000,
					 INT64_C(4102444800) * S };
	char text[64];
	int64_t ns;
	size_t i;

	(void)state;
	human_rfc3339(INT64_C(1795221502) * S + 104 * 1000000, text,
		      sizeof(text));
	assert_string_equal(text, "2026-11-21T00:38:22.104Z");
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		human_rfc3339(times[i], text, sizeof(text));
		assert_true(human_parse_rfc3339(text, &ns));
		assert_int_equal(ns, times[i] / 1000000 * 1000000);
	}
	assert_true(human_parse_rfc3339("2026-11-21T00:38:22Z", &ns));
	assert_int_equal(ns, INT64_C(1795221502) * S);
}

static void test_other_texts_are_no_rfc3339(void **state)
{
	static const char *const cases[] = {
		"",
		"yesterday",
		"2026-11-21",
		"2026-11-21T00:38:22",
		"2026-11-21T00:38:22.1",
		"2026-11-21T00:38:22.104",
		"9999-12-31T23:59:59Z", /* further than 64 bits of ns */
	};
	int64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_false(human_parse_rfc3339(cases[i], &ns));
}

/* As a damaged store may have them. */
static void test_ago_of_times_that_are_far_apart(void **state)
{
	char text[64];

	(void)state;
	human_ago(INT64_MIN, INT64_MAX, text, sizeof(text));
	assert_string_equal(text, "584 years ago");
	human_ago(INT64_MAX, INT64_MIN, text, sizeof(text));
	assert_string_equal(text, "in 584 years");
}

static void test_styles(void **state)
{
	char text[64];

	(void)state;
	setenv("TZ", "UTC", 1);
	human_time(INT64_C(1795221502) * S, 0, TIME_STYLE_UNIX, text,
		   sizeof(text));
	assert_string_equal(text, "1795221502");
	human_time(INT64_C(1795221502) * S, 0, TIME_STYLE_ISO, text,
		   sizeof(text));
	assert_string_equal(text, "2026-11-21T00:38:22+0000");
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 5, "5 ns" },
		{ 15000, "15 us" },
		{ 4200000, "4 ms" },
		{ UINT64_C(1500000000), "1.5 s" },
		{ UINT64_C(180000000000), "3 minutes" },
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		human_duration(cases[i].ns, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_ago),
		cmocka_unit_test(test_rfc3339_there_and_back),
		cmocka_unit_test(test_other_texts_are_no_rfc3339),
		cmocka_unit_test(test_ago_of_times_that_are_far_apart),
		cmocka_unit_test(test_styles),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
