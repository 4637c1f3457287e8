/* From numbers to names. */
#include "tree_path.h"

#include "tree_world.h"

struct wanted {
	uint64_t inode;
	unsigned count;
	char paths[256];
};

static int note(void *context, const char *path, uint64_t inode, uint32_t kind)
{
	struct wanted *wanted = context;

	(void)kind;
	if (inode != wanted->inode)
		return 0;
	wanted->count++;
	strncat(wanted->paths, path,
		sizeof(wanted->paths) - strlen(wanted->paths) - 2);
	strncat(wanted->paths, " ", 2);
	return 0;
}

static struct wanted names_of(struct tree_world *world, uint64_t inode)
{
	struct wanted wanted = { .inode = inode };

	assert_int_equal(tree_walk_names(world->tree, note, &wanted), 0);
	return wanted;
}

static void test_every_name_of_an_inode_is_found(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "a").inode;
	struct wanted wanted = names_of(world, inode);

	assert_int_equal(wanted.count, 2);
	assert_int_equal(world_unlink(world, "", "b"), 0);
	assert_int_equal(world_link(world, "a", "d/sub", "new"), 0);
	assert_int_equal(world_rename(world, "", "d", "", "moved", 0), 0);
	wanted = names_of(world, inode);
	assert_int_equal(wanted.count, 2);
	assert_non_null(strstr(wanted.paths, "a "));
	assert_non_null(strstr(wanted.paths, "moved/sub/new "));
	wanted = names_of(world, world_attr(world, "moved/sub/h").inode);
	assert_string_equal(wanted.paths, "moved/sub/h ");
}

static int stop_at_first(void *context, const char *path, uint64_t inode,
			 uint32_t kind)
{
	(void)path, (void)inode, (void)kind;
	return ++*(int *)context > 1 ? -EIO : 1;
}

static void test_the_visitor_ends_the_walk(void **state)
{
	struct tree_world *world = *state;
	int calls = 0;

	assert_int_equal(tree_walk_names(world->tree, stop_at_first, &calls),
			 0);
	assert_int_equal(calls, 1);
	assert_int_equal(tree_walk_names(world->tree, stop_at_first, &calls),
			 -EIO);
}

static void expect_directory(struct tree_world *world, const char *path)
{
	struct tree_node *node = world_node(world, path);
	char *found;

	assert_int_equal(tree_directory_path(node, &found), 0);
	assert_string_equal(found, path);
	free(found);
	tree_node_put(node, 1);
}

static void test_a_directory_knows_where_it_is(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *sub = world_node(world, "d/sub");
	char *found;

	expect_directory(world, "");
	expect_directory(world, "d/sub");
	assert_int_equal(world_make(world, "d", "new", S_IFDIR | 0755), 0);
	assert_int_equal(world_rename(world, "", "d", "", "moved", 0), 0);
	assert_int_equal(
		world_rename(world, "moved", "sub", "moved/new", "s", 0), 0);
	expect_directory(world, "moved/new/s");
	assert_int_equal(tree_directory_path(sub, &found), 0);
	assert_string_equal(found, "moved/new/s");
	free(found);
	assert_int_equal(world_unlink(world, "moved/new/s", "h"), 0);
	assert_int_equal(world_rmdir(world, "moved/new", "s"), 0);
	assert_int_equal(tree_directory_path(sub, &found), -ENOENT);
	tree_node_put(sub, 1);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_name_of_an_inode_is_found),
		TEST(test_the_visitor_ends_the_walk),
		TEST(test_a_directory_knows_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
