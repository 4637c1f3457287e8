/* Holes: what is masked, from one session to the next. */
#include "holes_world.h"

#include "rules_memory.h"

static void test_002_12_removed_name_is_masked(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_false(holes_has(world->holes, "a/b"));
	assert_int_equal(holes_add(world->holes, "a/b"), 0);
	assert_true(holes_has(world->holes, "a/b"));
	assert_true(holes_has(world->holes, "/a/b"));
	assert_false(holes_has(world->holes, "a"));
	assert_false(holes_has(world->holes, "a/bc"));
	assert_int_equal(holes_count(world->holes), 1);
}

static void test_002_12_name_made_again_is_not_masked(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_int_equal(holes_add(world->holes, "a/b"), 0);
	assert_int_equal(holes_remove(world->holes, "a"), 0);
	assert_false(holes_has(world->holes, "a"));
	/* The directory is new: what was removed from the old one stays so. */
	assert_true(holes_has(world->holes, "a/b"));
	assert_int_equal(holes_remove(world->holes, "none"), 0);
	open_again(world);
	assert_false(holes_has(world->holes, "a"));
	assert_true(holes_has(world->holes, "a/b"));
}

static void test_masks_is_for_what_is_below_a_hole_too(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "a/b"), 0);
	assert_true(holes_masks(world->holes, "a/b"));
	assert_true(holes_masks(world->holes, "/a/b/c/d"));
	assert_false(holes_masks(world->holes, "a"));
	assert_false(holes_masks(world->holes, "a/bc"));
	assert_false(holes_masks(world->holes, "a/bc/d"));
	assert_false(holes_masks(world->holes, ""));
	assert_false(holes_has(world->holes, "a/b/c"));
}

static void test_002_3_holes_survive_the_session(void **state)
{
	static const char *const names[] = {
		"plain",    "a/b c",	"new\nline", "back\\slash",
		"-/x",	    "-",	"# comment", "\x01\x1f\x7f",
		"\xc3\xa4", "\xff\xfe", "tab\t",     " lead",
		"trail ",   "\\n",	"\\101",     "a/-b",
	};
	struct world *world = *state;
	size_t i;

	open_as(world, OWNER);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(holes_add(world->holes, names[i]), 0);
	/* Even when nobody closes it: it is in the file. */
	assert_non_null(strstr(text_of(world->path), "/new\\nline\n"));
	open_again(world);
	assert_int_equal(holes_count(world->holes), i);
	while (i-- > 0)
		assert_true(holes_has(world->holes, names[i]));
}

static void test_002_3_removed_names_are_appended(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_string_equal(text_of(world->path), MARK);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_int_equal(holes_add(world->holes, "/b/c"), 0);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_string_equal(text_of(world->path), MARK "/a\n/b/c\n");
}

static void test_what_is_no_name_is_refused(void **state)
{
	static const char *const names[] = {
		"",  "/",  "//",    "a//b", "a/",   "//a",
		".", "..", "a/./b", "a/..", "../a",
	};
	struct world *world = *state;
	size_t i;

	open_as(world, OWNER);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(holes_add(world->holes, names[i]), -EINVAL);
		assert_int_equal(holes_remove(world->holes, names[i]), -EINVAL);
		assert_false(holes_has(world->holes, names[i]));
		assert_false(holes_masks(world->holes, names[i]));
	}
	assert_int_equal(holes_count(world->holes), 0);
	assert_int_equal(holes_add(world->holes, "..."), 0);
}

static void test_file_is_packed_when_names_go(void **state)
{
	struct world *world = *state;
	char name[32];
	unsigned i;

	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "stays"), 0);
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "dir/object%u.o", i);
		assert_int_equal(holes_add(world->holes, name), 0);
	}
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "dir/object%u.o", i);
		assert_int_equal(holes_remove(world->holes, name), 0);
	}
	assert_true(strlen(text_of(world->path)) < 8192);
	assert_int_equal(holes_count(world->holes), 1);
	close_holes(world);
	assert_string_equal(text_of(world->path), MARK "/stays\n");
}

static int collect(void *context, const char *path)
{
	char *all = context;

	stpcpy(all + strlen(all), path);
	return strcmp(path, "c") == 0 ? 7 : 0;
}

static void test_each_visits_until_told_to_stop(void **state)
{
	struct world *world = *state;
	char all[64] = "";

	open_as(world, OWNER);
	assert_int_equal(holes_each(world->holes, collect, all), 0);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_int_equal(holes_each(world->holes, collect, all), 0);
	assert_string_equal(all, "a");
	assert_int_equal(holes_add(world->holes, "c"), 0);
	assert_int_equal(holes_each(world->holes, collect, all), 7);
}

static void test_without_memory_nothing_is_half_done(void **state)
{
	static const char before[] = MARK "/a\n-/a\n/b\n";
	struct world *world = *state;
	int failing, rc = -1;

	for (failing = 0; rc < 0 && failing < 1000; failing++) {
		put_text(world, before);
		allocations_left = failing;
		rc = holes_open(world->path, OWNER, &world->holes, NULL);
		allocations_left = -1;
		assert_true(rc == 0 || rc == -ENOMEM);
		assert_string_equal(text_of(world->path),
				    rc < 0 ? before : MARK "/b\n");
	}
	assert_in_range(failing, 8, 999);
	for (failing = 0, rc = -1; rc < 0; failing++) {
		allocations_left = failing;
		rc = holes_add(world->holes, "c");
		allocations_left = -1;
		assert_int_equal(holes_has(world->holes, "c"), rc == 0);
	}
	assert_in_range(failing, 2, 99);
	allocations_left = 0;
	assert_int_equal(holes_remove(world->holes, "c"), -ENOMEM);
	allocations_left = -1;
	assert_true(holes_has(world->holes, "c"));
	assert_string_equal(text_of(world->path), MARK "/b\n/c\n");
}

static void test_close_takes_null(void **state)
{
	(void)state;
	holes_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_002_12_removed_name_is_masked),
		CASE(test_002_12_name_made_again_is_not_masked),
		CASE(test_masks_is_for_what_is_below_a_hole_too),
		CASE(test_002_3_holes_survive_the_session),
		CASE(test_002_3_removed_names_are_appended),
		CASE(test_what_is_no_name_is_refused),
		CASE(test_file_is_packed_when_names_go),
		CASE(test_each_visits_until_told_to_stop),
		CASE(test_without_memory_nothing_is_half_done),
		CASE(test_close_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
