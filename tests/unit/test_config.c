/* Settings: sizes, durations, keys, and store.conf there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define S UINT64_C(1000000000)

static void test_sizes_are_1024_based_whatever_the_suffix(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "512B", 512 },
		{ "64K", 65536 },
		{ "64KiB", 65536 },
		{ "64kB", 65536 },
		{ "1.5G", UINT64_C(3) << 29 },
		{ "2TiB", UINT64_C(2) << 40 },
		{ "18446744073709551615", UINT64_MAX },
	};
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(size_parse(cases[i].text, &bytes, NULL), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void test_bad_sizes_are_usage_failures(void **state)
{
	static const char *const cases[] = {
		"",
		"K",
		"1X",
		"-1",
		"1KK",
		"1.2.3",
		".5G",
		"1 K",
		"0x10",
		"16E",
		"18446744073709551616",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure failure = { .code = FAILURE_NONE };
		uint64_t bytes = 7;

		assert_int_equal(size_parse(cases[i], &bytes, &failure),
				 -EINVAL);
		assert_int_equal(failure.code, FAILURE_USAGE);
		assert_true(failure.hint[0] != '\0');
		assert_int_equal(bytes, 7);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{ "off", 0 },	       { "0", 0 },
		{ "10s", 10 * S },     { "5m", 300 * S },
		{ "1.5h", 5400 * S },  { "7d", 604800 * S },
		{ "250ms", S / 4 },    { "2w", 1209600 * S },
		{ "0.5ms", S / 1000 }, /* store.conf has none of them */
	};
	static const char *const bad[] = { "",	  "s",	  "10",	      "1y",
					   "-1s", "soon", "99999999w" };
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(duration_parse(cases[i].text, &ns, NULL), 0);
		assert_int_equal(ns, cases[i].ns);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(duration_parse(bad[i], &ns, NULL), -EINVAL);
}

static void test_every_key_reads_back_as_it_is_written(void **state)
{
	struct store_config config, again;
	char text[64], other[64];
	char *file;
	size_t i;

	(void)state;
	config_defaults(&config);
	config.compress = COMPRESS_MODE_INLINE;
	config.snapshot_every_ns = 90 * S;
	config.keep_monthly = UINT32_MAX;
	config.reserve_bytes = 12345;
	file = config_format(&config);
	assert_non_null(file);
	assert_int_equal(config_parse(file, "store.conf", &again, NULL), 0);
	free(file);
	for (i = 0; config_key(i); i++) {
		assert_non_null(config_key_help(i));
		assert_int_equal(config_get(&config, config_key(i), text,
					    sizeof(text), NULL),
				 0);
		assert_int_equal(config_get(&again, config_key(i), other,
					    sizeof(other), NULL),
				 0);
		assert_string_equal(text, other);
	}
	assert_int_equal(i, 12);
	assert_null(config_key_help(i));
	assert_int_equal(again.snapshot_every_ns, 90 * S);
	assert_int_equal(again.keep_monthly, UINT32_MAX);
}

static void test_what_a_file_does_not_name_keeps_its_default(void **state)
{
	struct store_config config, defaults;

	(void)state;
	config_defaults(&defaults);
	assert_int_equal(config_parse("cache = 1GiB\n", "f", &config, NULL), 0);
	assert_int_equal(config.cache_bytes, UINT64_C(1) << 30);
	assert_int_equal(config.trash_keep_ns, defaults.trash_keep_ns);
	assert_int_equal(config_parse("", "f", &config, NULL), 0);
	assert_int_equal(config.cache_bytes, defaults.cache_bytes);
}

static void assert_refused(const char *text, const char *line, const char *word)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct store_config config;

	assert_true(config_parse(text, "store.conf", &config, &failure) < 0);
	assert_int_equal(failure.code, FAILURE_USAGE);
	assert_string_equal(failure.object, "store.conf");
	assert_non_null(strstr(failure.message, line));
	assert_non_null(strstr(failure.message, word));
}

static void test_a_wrong_line_is_named(void **state)
{
	(void)state;
	assert_refused("compress = idle\ncahce = 1GiB\n", "line 2", "cahce");
	assert_refused("; c\n\nsnapshot.every = soon\n", "line 3", "soon");
	assert_refused("compress = zstd\n", "line 1", "zstd");
	assert_refused("keep.last = -1\n", "line 1", "-1");
	assert_refused("keep.last = 4294967296\n", "line 1", "keep.last");
	assert_refused("cache = 1K\n", "line 1", "cache");
	assert_refused("nonsense\n", "line 1", "KEY = VALUE");
}

static void test_set_refuses_and_leaves_all_as_it_was(void **state)
{
	struct store_config config, before;

	(void)state;
	config_defaults(&config);
	before = config;
	assert_int_equal(config_set(&config, "cache", "1", NULL), -EINVAL);
	assert_int_equal(config_set(&config, "nosuch", "1", NULL), -EINVAL);
	assert_int_equal(config_set(&config, "keep.daily", "x", NULL), -EINVAL);
	assert_memory_equal(&config, &before, sizeof(config));
	assert_int_equal(config_set(&config, "keep.daily", "7", NULL), 0);
	assert_int_equal(config.keep_daily, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_are_1024_based_whatever_the_suffix),
		cmocka_unit_test(test_bad_sizes_are_usage_failures),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_every_key_reads_back_as_it_is_written),
		cmocka_unit_test(
			test_what_a_file_does_not_name_keeps_its_default),
		cmocka_unit_test(test_a_wrong_line_is_named),
		cmocka_unit_test(test_set_refuses_and_leaves_all_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
