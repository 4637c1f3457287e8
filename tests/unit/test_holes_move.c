/* Directories under another name: where base has them, before and after a
 * session. */
#include "holes_world.h"

static void assert_base(struct world *world, const char *path, const char *want)
{
	char base[PATH_MAX];
	int rc = holes_base_path(world->holes, path, base);

	assert_int_equal(rc, want ? 0 : -ENOENT);
	if (want)
		assert_string_equal(base, want);
}

static void test_without_a_note_base_has_the_same_path(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_base(world, "", "");
	assert_base(world, "a/b", "a/b");
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_base(world, "a", NULL);
	assert_base(world, "a/b", NULL);
	assert_base(world, "ab", "ab");
}

static void test_renamed_directory_takes_its_notes_along(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "a/x\ty"), 0);
	assert_int_equal(holes_add(world->holes, "b/old"), 0);
	assert_int_equal(
		holes_rename_directory(world->holes, "a", "b", "a", true), 0);
	for (int times = 0; times < 2; times++) {
		assert_base(world, "a/f", NULL);
		assert_base(world, "b", "a");
		assert_base(world, "b/f", "a/f");
		assert_base(world, "b/old", "a/old");
		assert_true(holes_has(world->holes, "a"));
		assert_false(holes_has(world->holes, "b"));
		assert_true(holes_has(world->holes, "b/x\ty"));
		assert_int_equal(holes_count(world->holes), 2);
		open_again(world);
	}
}

static void test_renamed_twice_and_back(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_int_equal(
		holes_rename_directory(world->holes, "a", "b", "a", true), 0);
	assert_int_equal(holes_rename_directory(world->holes, "b", "d/c", "a",
						false),
			 0);
	assert_base(world, "b", "b");
	assert_base(world, "d/c/f", "a/f");
	assert_int_equal(
		holes_rename_directory(world->holes, "d", "e", "d", true), 0);
	assert_base(world, "e/c/f", "a/f");
	assert_base(world, "e/f", "d/f");
	open_again(world);
	assert_base(world, "e/c/f", "a/f");
}

static void test_made_anew_shows_nothing_of_base(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_int_equal(holes_remove_directory(world->holes, "a", true), 0);
	assert_true(holes_has(world->holes, "a"));
	assert_int_equal(holes_set_origin(world->holes, "a", ""), 0);
	assert_false(holes_has(world->holes, "a"));
	assert_base(world, "a", NULL);
	assert_base(world, "a/b", NULL);
	open_again(world);
	assert_false(holes_has(world->holes, "a"));
	assert_base(world, "a/b", NULL);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_true(holes_has(world->holes, "a"));
}

static void test_removed_directory_forgets_what_was_below(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "a/b"), 0);
	assert_int_equal(holes_add(world->holes, "ab"), 0);
	assert_int_equal(holes_remove_directory(world->holes, "a", false), 0);
	assert_int_equal(holes_count(world->holes), 1);
	assert_true(holes_has(world->holes, "ab"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_without_a_note_base_has_the_same_path, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_renamed_directory_takes_its_notes_along, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_renamed_twice_and_back,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_made_anew_shows_nothing_of_base, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_removed_directory_forgets_what_was_below, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
