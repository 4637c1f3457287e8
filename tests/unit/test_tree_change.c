/* Changes: all of one or nothing, and base found again by its number. */
#include "tree_world.h"

static int has_origin(struct tree_world *world, uint64_t inode)
{
	const struct item_key key = { .inode = inode,
				      .type = ITEM_TYPE_ORIGIN };
	struct item_copy *copy = NULL;
	int rc = view_item_get(tree_view(world->tree), &key, &copy);

	free(copy);
	return rc == 0;
}

/* I2 */
static void test_first_change_notes_where_base_has_it(void **state)
{
	struct tree_world *world = *state;
	uint64_t d = world_attr(world, "d").inode;
	uint64_t sub = world_attr(world, "d/sub").inode;
	uint64_t h = world_attr(world, "d/sub/h").inode;

	assert_false(has_origin(world, h));
	world_put(world, "d/sub", "h", "DE");
	assert_true(has_origin(world, h));
	assert_true(has_origin(world, sub));
	assert_true(has_origin(world, d));
	/* Nobody knows of its directories any more but by them. */
	assert_int_equal(world_rename(world, "d/sub", "h", "", "h", 0), 0);
	assert_int_equal(world_rmdir(world, "d", "sub"), 0);
	world_reopen(world);
	world_expect(world, "h", "DEep");
	assert_int_equal(world_attr(world, "h").inode, h);
}

/* What is behind the last member is padding. */
static void assert_same(const struct tree_attr *a, const struct tree_attr *b)
{
	assert_memory_equal(a, b, offsetof(struct tree_attr, raw));
	assert_int_equal(a->raw, b->raw);
}

static void test_what_fails_changes_nothing(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr root = world_attr(world, ""), now;
	struct tree_attr d = world_attr(world, "d");

	assert_int_equal(world_make(world, "", "a", S_IFREG | 0644), -EEXIST);
	assert_int_equal(world_rmdir(world, "", "d"), -ENOTEMPTY);
	assert_int_equal(world_rename(world, "", "d", "d/sub", "x", 0),
			 -EINVAL);
	assert_int_equal(world_link(world, "a", "d", "f"), -EEXIST);
	now = world_attr(world, "");
	assert_same(&now, &root);
	now = world_attr(world, "d");
	assert_same(&now, &d);
	assert_int_equal(world_items(world, 1, ITEM_TYPE_DIRENT), 0);
}

static void test_change_of_names_changes_their_directory(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr before = world_attr(world, "d"), after;

	assert_int_equal(world_link(world, "a", "d", "a"), 0);
	after = world_attr(world, "d");
	assert_true(after.mtime_ns > before.mtime_ns);
	assert_int_equal(after.ctime_ns, after.mtime_ns);
	assert_int_equal(world_attr(world, "a").ctime_ns, after.ctime_ns);
	world_tick();
	assert_int_equal(world_unlink(world, "d", "a"), 0);
	before = after;
	after = world_attr(world, "d");
	assert_true(after.mtime_ns > before.mtime_ns);
	assert_int_equal(world_attr(world, "a").ctime_ns, after.ctime_ns);
	assert_int_equal(after.nlink, before.nlink);
}

/* Those who keep a listing know by its time whether it still holds. */
static void test_each_state_of_a_directory_has_its_own_time(void **state)
{
	struct tree_world *world = *state;
	int64_t last_ns = world_attr(world, "d").ctime_ns;
	char name[20];
	int i;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(world_make(world, "d", name, S_IFREG), 0);
		assert_true(world_attr(world, "d").ctime_ns > last_ns);
		last_ns = world_attr(world, "d").ctime_ns;
	}
}

/* The kernel's times have ticks: ours must not be ahead of them. */
static void test_times_are_those_of_the_kernels_clock(void **state)
{
	struct tree_world *world = *state;
	struct timespec before, after;
	struct tree_attr made;

	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	assert_int_equal(world_make(world, "", "new", S_IFREG), 0);
	clock_gettime(CLOCK_REALTIME_COARSE, &after);
	made = world_attr(world, "new");
	assert_true(made.mtime_ns >=
		    before.tv_sec * INT64_C(1000000000) + before.tv_nsec);
	assert_true(made.mtime_ns <=
		    after.tv_sec * INT64_C(1000000000) + after.tv_nsec);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_first_change_notes_where_base_has_it),
		TEST(test_what_fails_changes_nothing),
		TEST(test_change_of_names_changes_their_directory),
		TEST(test_each_state_of_a_directory_has_its_own_time),
		TEST(test_times_are_those_of_the_kernels_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
