/* Listings: every name once, in an order that later listings keep. */
#include "tree_world.h"

static void test_names_come_once_with_their_numbers(void **state)
{
	struct tree_world *world = *state;
	struct tree_listing *listing;
	struct tree_node *node;
	char path[300];
	size_t i;

	world_put(world, "d", "f", "changed");
	world_put(world, "d", "new", "x");
	world_expect_names(world, "d", "f g low more new sub ");
	world_expect_names(world, "d/sub", "h l ");
	node = world_node(world, "d");
	assert_int_equal(tree_list(node, &listing), 0);
	for (i = 0; i < listing->count; i++) {
		const struct tree_entry *entry = &listing->entries[i];
		struct tree_attr attr;

		snprintf(path, sizeof(path), "d/%s", entry->name);
		attr = world_attr(world, path);
		assert_int_equal(entry->inode, attr.inode);
		assert_int_equal(entry->kind, attr.mode >> 12);
		assert_true(entry->cookie > 2);
	}
	tree_listing_free(listing);
	tree_node_put(node, 1);
}

static void test_whiteouts_are_not_listed(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_unlink(world, "d", "f"), 0);
	assert_int_equal(world_unlink(world, "d", "low"), 0);
	world_expect_names(world, "d", "g more sub ");
	world_put(world, "d", "f", "again");
	world_expect_names(world, "d", "f g more sub ");
	world_reopen(world);
	world_expect_names(world, "d", "f g more sub ");
}

static void test_reader_goes_on_in_a_later_listing(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = tree_root(world->tree);
	struct tree_listing *first, *later;
	uint64_t cookie;
	char name[8];
	size_t i, j;

	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		world_put(world, "", name, "");
	}
	assert_int_equal(tree_list(node, &first), 0);
	cookie = first->entries[20].cookie;
	assert_int_equal(tree_listing_after(first, 0), 0);
	assert_int_equal(tree_listing_after(first, cookie), 21);
	assert_int_equal(tree_listing_after(first, UINT64_MAX), first->count);
	/* What was seen goes; what is to come keeps its place. */
	assert_int_equal(world_unlink(world, "", first->entries[3].name), 0);
	assert_int_equal(world_unlink(world, "", first->entries[20].name), 0);
	assert_int_equal(tree_list(node, &later), 0);
	j = tree_listing_after(later, cookie);
	for (i = 21; i < first->count; i++, j++)
		assert_string_equal(later->entries[j].name,
				    first->entries[i].name);
	assert_int_equal(j, later->count);
	tree_listing_free(first);
	tree_listing_free(later);
}

static void test_only_directories_are_listed(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "a");
	struct tree_listing *listing;

	assert_int_equal(tree_list(node, &listing), -ENOTDIR);
	tree_node_put(node, 1);
	tree_listing_free(NULL);
}

int main(void)
{
#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, world_setup_merged, \
					world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_names_come_once_with_their_numbers),
		TEST(test_whiteouts_are_not_listed),
		TEST(test_reader_goes_on_in_a_later_listing),
		TEST(test_only_directories_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
