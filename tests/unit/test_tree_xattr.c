/* Extended attributes: the store's over those of base. */
#include <sys/xattr.h>

#include "tree_world.h"

static void give_base(struct tree_world *world, const char *path,
		      const char *name, const char *value)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", world->base, path);
	assert_int_equal(lsetxattr(full, name, value, strlen(value), 0), 0);
}

static int set(struct tree_world *world, const char *path, const char *name,
	       const char *value, int flags)
{
	struct tree_node *node = world_node(world, path);
	int rc = value ? tree_set_xattr(node, name, value, strlen(value),
					flags) :
			 tree_remove_xattr(node, name);

	tree_node_put(node, 1);
	return rc;
}

static void expect(struct tree_world *world, const char *path, const char *name,
		   const char *value)
{
	struct tree_node *node = world_node(world, path);
	char found[64] = "";
	size_t bytes = 0;
	int rc = tree_get_xattr(node, name, found, sizeof(found), &bytes);

	tree_node_put(node, 1);
	assert_int_equal(rc, value ? 0 : -ENODATA);
	if (value) {
		assert_int_equal(bytes, strlen(value));
		assert_memory_equal(found, value, bytes);
	}
}

static void test_base_shows_until_it_is_changed(void **state)
{
	struct tree_world *world = *state;

	give_base(world, "d/f", "user.one", "1");
	give_base(world, "d/f", "user.two", "2");
	expect(world, "d/f", "user.one", "1");
	assert_int_equal(set(world, "d/f", "user.one", "new", 0), 0);
	assert_int_equal(set(world, "d/f", "user.two", NULL, 0), 0);
	world_crash(world);
	expect(world, "d/f", "user.one", "new");
	expect(world, "d/f", "user.two", NULL);
	assert_int_equal(set(world, "d/f", "user.two", NULL, 0), -ENODATA);
	assert_int_equal(set(world, "d/f", "user.one", NULL, 0), 0);
	expect(world, "d/f", "user.one", NULL);
}

static void test_list_has_each_name_once(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	char names[64];
	size_t bytes;

	give_base(world, "a", "user.b", "1");
	give_base(world, "a", "user.c", "1");
	assert_int_equal(set(world, "a", "user.b", "2", 0), 0);
	assert_int_equal(set(world, "a", "user.a", "2", 0), 0);
	assert_int_equal(set(world, "a", "user.c", NULL, 0), 0);
	node = world_node(world, "b");
	assert_int_equal(tree_list_xattr(node, NULL, 0, &bytes), 0);
	assert_int_equal(bytes, 14);
	assert_int_equal(tree_list_xattr(node, names, 13, &bytes), -ERANGE);
	assert_int_equal(tree_list_xattr(node, names, 14, &bytes), 0);
	assert_memory_equal(names, "user.a\0user.b", 14);
	tree_node_put(node, 1);
}

static void test_flags_are_obeyed(void **state)
{
	struct tree_world *world = *state;

	give_base(world, "a", "user.b", "1");
	assert_int_equal(set(world, "a", "user.b", "2", XATTR_CREATE), -EEXIST);
	assert_int_equal(set(world, "a", "user.x", "2", XATTR_REPLACE),
			 -ENODATA);
	assert_int_equal(set(world, "a", "user.x", "2", XATTR_CREATE), 0);
	assert_int_equal(set(world, "a", "user.b", "2", XATTR_REPLACE), 0);
}

static void test_sizes_have_their_bounds(void **state)
{
	static uint8_t value[65537], found[65536];
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "a");
	size_t bytes;

	memset(value, 7, sizeof(value));
	assert_int_equal(tree_set_xattr(node, "user.x", value, 65537, 0),
			 -E2BIG);
	assert_int_equal(tree_set_xattr(node, "user.x", value, 65536, 0), 0);
	assert_int_equal(tree_get_xattr(node, "user.x", NULL, 0, &bytes), 0);
	assert_int_equal(bytes, 65536);
	assert_int_equal(tree_get_xattr(node, "user.x", found, 65535, &bytes),
			 -ERANGE);
	assert_int_equal(tree_get_xattr(node, "user.x", found, 65536, &bytes),
			 0);
	assert_memory_equal(found, value, 65536);
	assert_int_equal(tree_set_xattr(node, "user.e", "", 0, 0), 0);
	tree_node_put(node, 1);
	expect(world, "a", "user.e", "");
}

/* As on ext4: what is set to what it is leaves the inode alone. */
static void test_only_a_change_is_one(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr before, after;

	assert_int_equal(set(world, "a", "user.x", "1", 0), 0);
	before = world_attr(world, "a");
	assert_int_equal(set(world, "a", "user.x", "1", 0), 0);
	after = world_attr(world, "a");
	assert_int_equal(after.ctime_ns, before.ctime_ns);
	world_tick();
	assert_int_equal(set(world, "a", "user.x", "2", 0), 0);
	after = world_attr(world, "a");
	assert_true(after.ctime_ns > before.ctime_ns);
	assert_int_equal(after.mtime_ns, before.mtime_ns);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_base_shows_until_it_is_changed),
		TEST(test_list_has_each_name_once),
		TEST(test_flags_are_obeyed),
		TEST(test_sizes_have_their_bounds),
		TEST(test_only_a_change_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
