/* Directories of base that are kept open: how many, how deep, by how many. */
#include <pthread.h>

#include "layers_world.h"

enum {
	DIRECTORIES = 100,
	DEPTH = 60,
	NAME_BYTES = 200,
	THREADS = 4,
	ROUNDS = 3000
};

static void make_directories(struct layers_world *world)
{
	char path[32];
	int i;

	for (i = 0; i < DIRECTORIES; i++) {
		snprintf(path, sizeof(path), "1/%d", i);
		world_mkdir(world, path);
		snprintf(path, sizeof(path), "1/%d/f", i);
		world_write(world, path, "");
	}
}

static void test_open_directories_are_bounded(void **state)
{
	struct layers_world *world = *state;
	struct base_node *nodes[DIRECTORIES], *file;
	struct base_stat stat;
	unsigned before;
	char name[32];
	int round, i;

	world_limit();
	make_directories(world);
	world_open(world, "1");
	before = world_open_descriptors();
	for (i = 0; i < DIRECTORIES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		nodes[i] = world_node(world, name, &stat);
	}
	for (round = 0; round < 2; round++) {
		for (i = 0; i < DIRECTORIES; i++) {
			assert_int_equal(
				base_lookup(nodes[i], "f", &file, &stat), 0);
			base_node_put(file);
		}
		assert_true(world_open_descriptors() <=
			    before + WORLD_OPEN_MAX);
		assert_true(world_open_descriptors() > before);
	}
	for (i = 0; i < DIRECTORIES; i++)
		base_node_put(nodes[i]);
	assert_int_equal(world_open_descriptors(), before);
}

/* Makes and enters directories by one name each: no path is that long. */
static void make_deep(struct layers_world *world, const char *name)
{
	int fd = openat(world->fd, "1", O_RDONLY | O_DIRECTORY);
	int i;

	for (i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(openat(fd, "bottom", O_CREAT | O_WRONLY, 0644));
	close(fd);
}

static void test_deeper_than_a_path_can_say_is_reached(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node, *next, *pushes[DIRECTORIES];
	struct base_stat stat;
	char name[NAME_BYTES + 1] = { 0 };
	int i;

	memset(name, 'n', NAME_BYTES);
	assert_true(DEPTH * NAME_BYTES > 2 * PATH_MAX);
	world_limit();
	make_directories(world);
	make_deep(world, name);
	world_open(world, "1");
	node = base_node_get(world->top);
	for (i = 0; i < DEPTH; i++) {
		assert_int_equal(base_lookup(node, name, &next, &stat), 0);
		base_node_put(node);
		node = next;
	}
	/* None on the way is open after this. */
	for (i = 0; i < DIRECTORIES; i++) {
		char path[32];

		snprintf(path, sizeof(path), "%d/f", i);
		pushes[i] = world_node(world, path, &stat);
	}
	assert_int_equal(base_lookup(node, "bottom", &next, &stat), 0);
	base_node_put(next);
	assert_int_equal(base_stat(node, &stat), 0);
	for (i = 0; i < DIRECTORIES; i++)
		base_node_put(pushes[i]);
	base_node_put(node);
}

static void *look_up(void *context)
{
	struct layers_world *world = context;
	uint32_t random = (uint32_t)(uintptr_t)&random;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct base_node *node;
		struct base_stat stat;
		char path[32];

		random = random * 1664525 + 1013904223;
		snprintf(path, sizeof(path), "%u/f",
			 (random >> 8) % DIRECTORIES);
		node = world_node(world, path, &stat);
		assert_int_equal(stat.stat.st_size, 0);
		base_node_put(node);
	}
	return NULL;
}

static void test_many_threads_look_up_at_once(void **state)
{
	struct layers_world *world = *state;
	struct base_node *held[DIRECTORIES / 2];
	pthread_t threads[THREADS];
	struct base_stat stat;
	unsigned before;
	char path[32];
	int i;

	world_limit();
	make_directories(world);
	world_open(world, "1");
	before = world_open_descriptors();
	for (i = 0; i < DIRECTORIES / 2; i++) {
		snprintf(path, sizeof(path), "%d/f", i);
		held[i] = world_node(world, path, &stat);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, look_up, world), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(world_open_descriptors() <= before + WORLD_OPEN_MAX);
	for (i = 0; i < DIRECTORIES / 2; i++)
		base_node_put(held[i]);
	assert_int_equal(world_open_descriptors(), before);
}

/* One node, looked into by all: its descriptor is opened once in the end. */
static void *look_in_one(void *context)
{
	struct base_node *directory = context;
	struct base_node *node;
	struct base_stat stat;

	assert_int_equal(base_lookup(directory, "f", &node, &stat), 0);
	base_node_put(node);
	return NULL;
}

static void test_threads_that_open_the_same_share_it(void **state)
{
	struct layers_world *world = *state;
	pthread_t threads[THREADS];
	struct base_node *node;
	struct base_stat stat;
	unsigned before;
	int i;

	world_mkdir(world, "1/d");
	world_write(world, "1/d/f", "");
	world_open(world, "1");
	node = world_node(world, "d", &stat);
	before = world_open_descriptors();
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_in_one,
						node),
				 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(world_open_descriptors(), before + 1);
	base_node_put(node);
	assert_int_equal(world_open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		WORLD_TEST(test_open_directories_are_bounded),
		WORLD_TEST(test_deeper_than_a_path_can_say_is_reached),
		WORLD_TEST(test_many_threads_look_up_at_once),
		WORLD_TEST(test_threads_that_open_the_same_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
