/*
 * Objects of base that hash to one number. The linker puts __wrap_base_number
 * in the place of base_number: all objects of a layer have one of two.
 */
#include "tree_world.h"

#include <pthread.h>

#include "layers.h"

uint64_t __wrap_base_number(uint32_t layer, uint64_t st_ino);

uint64_t __wrap_base_number(uint32_t layer, uint64_t st_ino)
{
	/* Two blocks, at the end of one: what is next is at its begin. */
	return (uint64_t)layer << 40 | UINT64_C(1) << 39 |
	       (st_ino & 1 ? 0x1ff : 0x2ff);
}

static const char *const paths[] = { "a",     "d",	 "d/f",	   "d/g",
				     "d/sub", "d/sub/h", "link",   "z",
				     "d/low", "d/more",	 "d/sub/l" };
enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

/* All are apart, links are one, and listings tell the same. */
static void look(struct tree_world *world, uint64_t inodes[PATHS])
{
	size_t i, j;

	for (i = 0; i < PATHS; i++) {
		inodes[i] = world_attr(world, paths[i]).inode;
		for (j = 0; j < i; j++)
			assert_int_not_equal(inodes[i], inodes[j]);
	}
}

/* As the kernel does with what it remembers. */
static void keep(struct tree_world *world, struct tree_node *nodes[PATHS])
{
	size_t i;

	for (i = 0; i < PATHS; i++)
		nodes[i] = world_node(world, paths[i]);
}

static void let_go(struct tree_node *nodes[PATHS])
{
	size_t i;

	for (i = 0; i < PATHS; i++)
		tree_node_put(nodes[i], 1);
}

static void test_what_is_known_at_a_time_is_apart(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *nodes[PATHS], *b;
	uint64_t inodes[PATHS];

	keep(world, nodes);
	look(world, inodes);
	b = world_node(world, "b"); /* a link of a */
	assert_ptr_equal(b, nodes[0]);
	assert_int_equal(world_listed(world, "", "a"), inodes[0]);
	assert_int_equal(world_listed(world, "", "b"), inodes[0]);
	assert_int_equal(world_listed(world, "", "d"), inodes[1]);
	assert_int_equal(world_listed(world, "d", "g"), inodes[3]);
	assert_int_equal(world_listed(world, "d/sub", "l"), inodes[10]);
	world_expect(world, "d/f", "in d");
	world_expect(world, "d/g", "in d, too");
	world_expect(world, "a", "hello");
	tree_node_put(b, 1);
	let_go(nodes);
}

/* Whatever is looked at first in another life. */
static void test_what_was_changed_keeps_its_number(void **state)
{
	static const char *const orders[][3] = { { "d/f", "d/g", "a" },
						 { "a", "d/g", "d/f" },
						 { "d/g", "a", "d/f" } };
	struct tree_world *world = *state;
	struct tree_node *nodes[PATHS];
	uint64_t inodes[PATHS], sub;
	size_t i, j;

	keep(world, nodes);
	look(world, inodes);
	world_put(world, "d", "g", "IN");
	world_put(world, "", "a", "H");
	world_put(world, "d/sub", "made", "x");
	sub = inodes[4];
	let_go(nodes);
	for (i = 0; i < 3; i++) {
		world_reopen(world);
		for (j = 0; j < 3; j++)
			world_attr(world, orders[i][j]);
		world_expect(world, "d/f", "in d");
		world_expect(world, "d/g", "IN d, too");
		world_expect(world, "a", "Hello");
		world_expect(world, "b", "Hello");
		world_expect(world, "d/sub/h", "deep");
		world_expect(world, "d/sub/made", "x");
		assert_int_equal(world_attr(world, "d/g").inode, inodes[3]);
		assert_int_equal(world_attr(world, "a").inode, inodes[0]);
		assert_int_equal(world_attr(world, "d/sub").inode, sub);
		assert_int_equal(world_listed(world, "d", "sub"), sub);
		keep(world, nodes);
		look(world, inodes);
		let_go(nodes);
	}
	assert_int_equal(world_rename(world, "d", "g", "", "moved", 0), 0);
	world_crash(world);
	world_expect(world, "moved", "IN d, too");
	assert_int_equal(world_attr(world, "moved").inode, inodes[3]);
}

static void *look_again_and_again(void *context)
{
	struct tree_world *world = context;
	struct tree_node *nodes[PATHS];
	uint64_t inodes[PATHS];
	unsigned i;

	for (i = 0; i < 50; i++) {
		keep(world, nodes);
		look(world, inodes);
		world_expect(world, "d/f", "in d");
		world_expect(world, "z", "below");
		let_go(nodes);
	}
	return NULL;
}

static void test_threads_see_them_apart(void **state)
{
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						look_again_and_again, *state),
				 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#define MERGED_TEST(test)                                         \
	cmocka_unit_test_setup_teardown(test, world_setup_merged, \
					world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MERGED_TEST(test_what_is_known_at_a_time_is_apart),
		MERGED_TEST(test_what_was_changed_keeps_its_number),
		MERGED_TEST(test_threads_see_them_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
