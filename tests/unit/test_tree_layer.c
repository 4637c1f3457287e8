/* What a tree still reads of a layer that it does not see any more. */
#include "tree_world.h"

#include "store_layers.h"

static void change(struct tree_world *world, const char *name, bool add)
{
	const struct layer_place bottom = { NULL, true };
	struct layer_info info;

	tree_close(world->tree);
	assert_ok(world,
		  add ? store_layer_add(world->store, "main", name, &bottom,
					false, &info, &world->failure) :
			store_layer_remove(world->store, "main", name, false,
					   &info, &world->failure));
	assert_int_equal(store_close(world->store), 0);
	world_open(world);
}

static void test_a_changed_file_is_read_from_its_own_layer(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d/low").inode;

	assert_int_equal(world_rename(world, "d", "low", "", "mine", 0), 0);
	world_put(world, "", "mine", "H");
	change(world, world->low, false);
	assert_int_equal(world_lookup_rc(world, "z"), -ENOENT);
	world_expect(world, "mine", "How");
	assert_int_equal(world_attr(world, "mine").inode, inode);
	change(world, world->low, true);
	world_expect(world, "mine", "How");
	world_expect(world, "z", "below");
}

/* d has the number of its topmost layer, which goes. */
static void test_a_file_below_a_directory_of_another_layer(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "d/sub", "l", "", "mine", 0), 0);
	world_put(world, "", "mine", "x");
	change(world, world->base, false);
	world_expect(world, "mine", "x");
	assert_int_equal(world_lookup_rc(world, "d/f"), -ENOENT);
	world_expect(world, "d/low", "low");
}

static void test_a_moved_directory_shows_its_own_layer(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "d", "more", "", "moved", 0), 0);
	world_put(world, "moved", "new", "text");
	change(world, world->low, false);
	world_expect(world, "moved/new", "text");
}

static void test_a_layer_that_is_missing_is_stale(void **state)
{
	struct tree_world *world = *state;
	char away[80];
	int rc;

	assert_int_equal(world_rename(world, "d", "low", "", "mine", 0), 0);
	change(world, world->low, false);
	world_close(world);
	snprintf(away, sizeof(away), "%s/away", world->directory);
	assert_int_equal(rename(world->low, away), 0);
	world_open(world);
	assert_null(world_find(world, "mine", &rc));
	assert_int_equal(rc, -ESTALE);
	world_expect(world, "d/f", "in d");
	assert_int_equal(rename(away, world->low), 0);
	world_expect(world, "mine", "low");
}

#define MERGED_TEST(test)                                         \
	cmocka_unit_test_setup_teardown(test, world_setup_merged, \
					world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MERGED_TEST(test_a_changed_file_is_read_from_its_own_layer),
		MERGED_TEST(test_a_file_below_a_directory_of_another_layer),
		MERGED_TEST(test_a_moved_directory_shows_its_own_layer),
		MERGED_TEST(test_a_layer_that_is_missing_is_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
