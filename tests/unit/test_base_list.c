/* Listings of the merged base. */
#include "layers_world.h"

enum { MANY = 10000 };

struct listing {
	struct layers_world *world;
	const char *directory;
	size_t count;
	size_t end_after;    /* 0: never */
	unsigned char *seen; /* by the number in the name, or NULL */
};

/* What a listing tells is what a look-up tells. */
static int check_entry(void *context, const char *name, uint64_t inode,
		       uint32_t kind)
{
	struct listing *listing = context;
	char path[WORLD_PATH + NAME_MAX];
	struct base_node *node;
	struct base_stat stat;

	snprintf(path, sizeof(path), "%s%s%s", listing->directory,
		 *listing->directory ? "/" : "", name);
	node = world_node(listing->world, path, &stat);
	assert_int_equal(inode, stat.inode);
	assert_int_equal(kind, stat.stat.st_mode >> 12);
	base_node_put(node);
	listing->count++;
	return listing->count == listing->end_after ? -ECANCELED : 0;
}

static size_t list(struct layers_world *world, const char *directory)
{
	struct listing listing = { .world = world, .directory = directory };
	struct base_stat stat;
	struct base_node *node = world_node(world, directory, &stat);

	assert_int_equal(base_list(node, check_entry, &listing), 0);
	base_node_put(node);
	return listing.count;
}

static void test_every_name_is_listed_once_as_it_is_found(void **state)
{
	struct layers_world *world = *state;

	world_mkdir(world, "1/d");
	world_mkdir(world, "2/d");
	world_mkdir(world, "3/d");
	world_write(world, "1/d/one", "");
	world_write(world, "1/d/all", "");
	world_mkdir(world, "2/d/all");
	world_write(world, "3/d/all", "");
	world_write(world, "2/d/two", "");
	world_mkdir(world, "2/d/low");
	world_write(world, "3/d/low", "");
	assert_int_equal(symlinkat("all", world->fd, "3/d/link"), 0);
	assert_int_equal(mkfifoat(world->fd, "3/d/fifo", 0600), 0);
	world_open(world, "123");
	assert_int_equal(list(world, "d"), 6);
	assert_int_equal(list(world, ""), 1);
	world_close(world);
	world_open(world, "3");
	assert_int_equal(list(world, "d"), 4);
}

static uint64_t number_of(struct layers_world *world, const char *path)
{
	struct base_stat stat, again;
	struct base_node *node = world_node(world, path, &stat);

	assert_int_equal(base_stat(node, &again), 0);
	assert_int_equal(again.inode, stat.inode);
	assert_int_equal(again.base_inode, stat.base_inode);
	assert_int_equal(base_node_number(node), stat.inode);
	base_node_put(node);
	return stat.inode;
}

/* Whatever is above or below it; a file cuts off what is under it. */
static void test_a_directory_has_its_number_in_the_lowest_id(void **state)
{
	static const char *const orders[] = { "1", "12", "21", "321", "213" };
	struct layers_world *world = *state;
	size_t i;

	world_mkdir(world, "1/d");
	world_mkdir(world, "2/d");
	world_mkdir(world, "3/d");
	world_mkdir(world, "1/cut");
	world_write(world, "2/cut", "");
	world_mkdir(world, "3/cut");
	world_mkdir(world, "2/own");
	world_mkdir(world, "3/own");
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		world_open(world, orders[i]);
		assert_int_equal(number_of(world, "d"),
				 base_number(1, world_inode(world, "1/d")));
		list(world, "");
		world_close(world);
	}
	world_open(world, "321");
	assert_int_equal(number_of(world, "cut"),
			 base_number(3, world_inode(world, "3/cut")));
	assert_int_equal(number_of(world, "own"),
			 base_number(2, world_inode(world, "2/own")));
}

static void test_what_is_not_merged_is_not_listed(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node;
	struct base_stat stat;

	world_mkdir(world, "1/d");
	world_write(world, "1/d/f", "");
	world_write(world, "2/d", "ends the merge");
	world_mkdir(world, "3/d");
	world_write(world, "3/d/g", "");
	world_open(world, "123");
	assert_int_equal(list(world, "d"), 1);
	node = world_node(world, "d/f", &stat);
	assert_int_equal(base_list(node, check_entry, NULL), -ENOTDIR);
	base_node_put(node);
}

static void test_empty_directory_lists_nothing(void **state)
{
	struct layers_world *world = *state;

	world_open(world, "123");
	assert_int_equal(list(world, ""), 0);
}

static void test_visitor_ends_the_listing(void **state)
{
	struct layers_world *world = *state;
	struct listing listing = {
		.world = world,
		.directory = "",
		.end_after = 2,
	};

	world_write(world, "1/a", "");
	world_write(world, "1/b", "");
	world_write(world, "2/c", "");
	world_open(world, "123");
	assert_int_equal(base_list(world->top, check_entry, &listing),
			 -ECANCELED);
	assert_int_equal(listing.count, 2);
}

static int mark(void *context, const char *name, uint64_t inode, uint32_t kind)
{
	struct listing *listing = context;
	unsigned long nr = strtoul(name, NULL, 10);

	assert_true(nr < MANY);
	assert_int_equal(listing->seen[nr], 0);
	assert_int_equal(kind, S_IFREG >> 12);
	/* Of both layers: the upper one's. */
	assert_int_equal(inode >> 40, nr % 3 == 2 ? 2 : 1);
	listing->seen[nr] = 1;
	listing->count++;
	return 0;
}

static void test_ten_thousand_names_of_two_layers(void **state)
{
	struct layers_world *world = *state;
	unsigned char *seen = calloc(MANY, 1);
	struct listing listing = { .seen = seen };
	char path[32];
	int i;

	assert_non_null(seen);
	world_write(world, "file", "");
	for (i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "1/%d", i);
		if (i % 3 != 2) /* links are made faster than files */
			assert_int_equal(linkat(world->fd, "file", world->fd,
						path, 0),
					 0);
		path[0] = '2';
		if (i % 3 != 1)
			assert_int_equal(linkat(world->fd, "file", world->fd,
						path, 0),
					 0);
	}
	world_open(world, "12");
	assert_int_equal(base_list(world->top, mark, &listing), 0);
	assert_int_equal(listing.count, MANY);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		WORLD_TEST(test_every_name_is_listed_once_as_it_is_found),
		WORLD_TEST(test_a_directory_has_its_number_in_the_lowest_id),
		WORLD_TEST(test_what_is_not_merged_is_not_listed),
		WORLD_TEST(test_empty_directory_lists_nothing),
		WORLD_TEST(test_visitor_ends_the_listing),
		WORLD_TEST(test_ten_thousand_names_of_two_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
