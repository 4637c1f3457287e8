/* The paths of what is damaged in a tree. */
#include "tree_world.h"

#include "scrub_impl.h"

static void write_to(struct tree_world *world, const char *path, char letter)
{
	struct tree_node *node = world_node(world, path);
	struct file *file;
	char data[BLOCK_BYTES];

	memset(data, letter, sizeof(data));
	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(file_write(file, 0, data, sizeof(data)), 0);
	tree_file_close(node);
	tree_node_put(node, 1);
}

/* Every stored block that is filled with the letter. */
static void damage(struct tree_world *world, char letter)
{
	char path[128], block[BLOCK_BYTES];
	off_t at;
	int fd;

	assert_int_equal(store_sync(world->store), 0);
	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (at = 0; pread(fd, block, sizeof(block), at) == sizeof(block);
	     at += BLOCK_BYTES)
		if (block[0] == letter && block[BLOCK_BYTES - 1] == letter)
			assert_int_equal(pwrite(fd, "?", 1, at + 9), 1);
	close(fd);
}

static void expect_path(struct tree_world *world, const char *path,
			const char *snapshot)
{
	struct scrub_finding *list;
	size_t count;

	assert_ok(world, scrub_start(world->store, 0, &world->failure));
	assert_int_equal(scrub_wait(world->store, NULL, NULL), 0);
	assert_int_equal(scrub_findings(world->store, &list, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(list[0].path, path);
	assert_string_equal(list[0].branch, "main");
	assert_string_equal(list[0].snapshot, snapshot);
	assert_int_equal(list[0].offset_bytes, 0);
	free(list);
}

static void test_a_file_of_base_has_the_name_that_it_has_there(void **state)
{
	struct tree_world *world = *state;

	write_to(world, "d/sub/h", 'p');
	damage(world, 'p');
	expect_path(world, "d/sub/h", "");
}

static void test_a_snapshot_tells_the_name_that_it_was_then(void **state)
{
	struct tree_world *world = *state;
	static const struct actor actor = { .uid = 7 };
	struct snapshot_info info;
	struct tree_node *node, *d;
	int rc;

	write_to(world, "d/sub/h", 'p');
	assert_ok(world, history_snapshot(world->store, "main", "then", NULL,
					  SNAPSHOT_KIND_MANUAL, &actor, &info,
					  &world->failure));
	d = world_node(world, "d");
	node = world_node(world, "");
	rc = tree_rename(d, "sub", node, "moved", 0, &world_caller);
	assert_int_equal(rc, 0);
	tree_node_put(d, 1);
	tree_node_put(node, 1);
	damage(world, 'p');
	expect_path(world, "moved/h", "");
	write_to(world, "moved/h", 'q');
	expect_path(world, "d/sub/h", "then");
}

#define TREE_TEST(test) \
	cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_a_file_of_base_has_the_name_that_it_has_there),
		TREE_TEST(test_a_snapshot_tells_the_name_that_it_was_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
