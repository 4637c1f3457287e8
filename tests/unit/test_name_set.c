/* A set of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "name_set.h"

enum { NAMES = 20000 };

static void add(struct name_set *set, const char *name, bool is_new)
{
	bool was_new;

	assert_int_equal(name_set_add(set, name, &was_new), 0);
	assert_int_equal(was_new, is_new);
}

static void test_name_is_new_once(void **state)
{
	struct name_set set = { 0 };

	(void)state;
	assert_false(name_set_has(&set, "a"));
	add(&set, "a", true);
	add(&set, "a", false);
	add(&set, "b", true);
	add(&set, "", true);
	add(&set, "", false);
	assert_true(name_set_has(&set, "a"));
	assert_false(name_set_has(&set, "ab"));
	name_set_fini(&set);
	assert_false(name_set_has(&set, "a"));
}

static void test_many_names_are_kept_apart(void **state)
{
	struct name_set set = { 0 };
	char name[32];
	int i;

	(void)state;
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		add(&set, name, true);
	}
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		add(&set, name, false);
		snprintf(name, sizeof(name), "none-%d", i);
		assert_false(name_set_has(&set, name));
	}
	name_set_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_is_new_once),
		cmocka_unit_test(test_many_names_are_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
