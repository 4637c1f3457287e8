/* Bytes that wait are read where they will be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "held.h"

static void test_what_is_put_is_got_at_its_place(void **state)
{
	struct held held = { 0 };
	char text[8] = { 0 };

	(void)state;
	assert_false(held_has(&held, 100));
	assert_int_equal(held_put(&held, 100, "abc", 3), 0);
	assert_int_equal(held_put(&held, 103, "def", 3), 0);
	assert_int_equal(held_put(&held, 101, "X", 1), 0);
	assert_true(held_has(&held, 100));
	assert_false(held_has(&held, 99));
	assert_int_equal(held_get(&held, 101, text, sizeof(text)), 5);
	assert_memory_equal(text, "Xcdef", 5);
	assert_int_equal(held_get(&held, 106, text, 1), 0);
	held_fini(&held);
}

static void test_there_is_no_gap(void **state)
{
	struct held held = { 0 };

	(void)state;
	assert_int_equal(held_put(&held, 100, "abc", 3), 0);
	assert_int_equal(held_put(&held, 104, "x", 1), -ENOSPC);
	assert_int_equal(held_put(&held, 99, "x", 1), -ENOSPC);
	assert_int_equal(held.len_bytes, 3);
	held_fini(&held);
}

static void test_much_goes_in_pieces(void **state)
{
	static char data[200000];
	struct held held = { 0 };
	char byte = 0;

	(void)state;
	data[150000] = 'x';
	assert_int_equal(held_put(&held, 7, data, sizeof(data)), 0);
	held_drop(&held, 100000);
	assert_int_equal(held.begin, 100007);
	assert_int_equal(held_get(&held, 150007, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	held_drop(&held, 100000);
	assert_int_equal(held.len_bytes, 0);
	assert_null(held.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_is_got_at_its_place),
		cmocka_unit_test(test_there_is_no_gap),
		cmocka_unit_test(test_much_goes_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
