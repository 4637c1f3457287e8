/* Times there and back, and those that 64 bits have no room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stat_time.h"

static void test_times_come_back(void **state)
{
	static const struct timespec times[] = {
		{ 0, 0 },
		{ 1, 999999999 },
		{ -1, 1 },
		{ -1, 999999999 },
		{ 9223372036, 854775807 },
		{ -9223372036, 0 },
	};
	struct timespec again;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		again = stat_time(stat_time_ns(&times[i]));
		assert_int_equal(again.tv_sec, times[i].tv_sec);
		assert_int_equal(again.tv_nsec, times[i].tv_nsec);
	}
}

/* touch -d 2500-01-01 is not the year 1915. */
static void test_times_too_far_off_are_the_farthest(void **state)
{
	static const struct timespec late[] = {
		{ 9223372036, 854775808 },
		{ 9223372037, 0 },
		{ INT64_MAX, 0 },
	};
	static const struct timespec early[] = { { -9223372038, 0 },
						 { INT64_MIN, 0 } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		assert_true(stat_time_ns(&late[i]) == INT64_MAX);
	for (i = 0; i < sizeof(early) / sizeof(early[0]); i++)
		assert_true(stat_time_ns(&early[i]) == INT64_MIN);
	assert_int_equal(stat_time(INT64_MAX).tv_sec, 9223372036);
	assert_int_equal(stat_time(INT64_MIN).tv_sec, -9223372037);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_come_back),
		cmocka_unit_test(test_times_too_far_off_are_the_farthest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
