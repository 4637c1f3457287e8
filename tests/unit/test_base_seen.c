/* What files of base were when they were first looked at. */
#include "layers_world.h"

static int seen(struct layers_world *world, const char *path)
{
	struct base_stat stat;
	struct base_node *node = world_node(world, path, &stat);
	int rc = base_seen(node, &stat);

	base_node_put(node);
	return rc;
}

static uint64_t changes(struct layers_world *world)
{
	struct layers_changes changes;

	layers_changes(world->layers, &changes);
	return changes.count;
}

static void test_a_change_is_told_once_and_stays(void **state)
{
	struct layers_world *world = *state;

	world_write(world, "1/f", "one");
	world_write(world, "1/g", "one");
	world_open(world, "1");
	assert_int_equal(seen(world, "f"), 0);
	assert_int_equal(seen(world, "g"), 0);
	world_write(world, "1/f", "other");
	world_write(world, "1/g", "other");
	assert_int_equal(seen(world, "f"), -ESTALE);
	assert_int_equal(seen(world, "g"), -ESTALE);
	assert_int_equal(seen(world, "f"), -ESTALE);
	assert_int_equal(seen(world, "g"), -ESTALE);
	assert_int_equal(changes(world), 2);
}

static void test_another_inode_in_its_place_is_told(void **state)
{
	struct layers_world *world = *state;

	world_mkdir(world, "1/d");
	world_write(world, "1/d/f", "one");
	world_write(world, "1/d/g", "one");
	world_open(world, "1");
	assert_int_equal(seen(world, "d/f"), 0);
	assert_int_equal(renameat(world->fd, "1/d/g", world->fd, "1/d/f"), 0);
	assert_int_equal(seen(world, "d/f"), -ESTALE);
}

static void test_places_of_one_name_are_apart(void **state)
{
	struct layers_world *world = *state;

	world_mkdir(world, "1/d");
	world_mkdir(world, "1/e");
	world_write(world, "1/d/f", "one");
	world_write(world, "1/e/f", "other");
	world_write(world, "1/f", "third");
	world_open(world, "1");
	assert_int_equal(seen(world, "d/f"), 0);
	assert_int_equal(seen(world, "e/f"), 0);
	assert_int_equal(seen(world, "f"), 0);
	assert_int_equal(seen(world, "d"), 0);
	world_write(world, "1/d/new", "");
	assert_int_equal(seen(world, "d"), 0); /* no file */
	assert_int_equal(changes(world), 0);
}

static void test_thousands_are_remembered(void **state)
{
	struct layers_world *world = *state;
	char path[32];
	unsigned i;

	for (i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "1/%u", i);
		world_write(world, path, "");
	}
	world_open(world, "1");
	for (i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "%u", i);
		assert_int_equal(seen(world, path), 0);
	}
	world_write(world, "1/0", "x");
	world_write(world, "1/2999", "x");
	for (i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "%u", i);
		assert_int_equal(seen(world, path),
				 i == 0 || i == 2999 ? -ESTALE : 0);
	}
}

int main(void)
{
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_change_is_told_once_and_stays),
		WORLD_TEST(test_another_inode_in_its_place_is_told),
		WORLD_TEST(test_places_of_one_name_are_apart),
		WORLD_TEST(test_thousands_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
