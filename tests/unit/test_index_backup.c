/* The copy of the index, and an index that comes back from it. */
#include "index_world.h"

static void test_a_missing_index_comes_back_from_the_copy(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], copy[PATH_MAX];
	int64_t value = 0;

	assert_int_equal(index_meta_put(world->index, "a", 1), 0);
	/* Waiting rows are not to be committed by a backup. */
	assert_int_equal(index_backup(world->index, world->directory), -EBUSY);
	assert_false(exists(world, "index.bak"));
	assert_int_equal(index_commit(world->index), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(index_backup(world->index, world->directory),
				 0);
	assert_false(exists(world, "index.bak.tmp"));
	assert_false(exists(world, "index.bak.tmp-wal"));
	assert_int_equal(index_meta_put(world->index, "a", 2), 0);
	assert_int_equal(index_commit(world->index), 0);
	close_world(world);

	path_in(world, "index.db", path);
	path_in(world, "index.bak", copy);
	assert_int_equal(unlink(path), 0);
	assert_refused(world, FAILURE_CORRUPT, "index.db is missing",
		       "restores the last copy");
	assert_int_equal(rename(copy, path), 0);
	open_world(world);
	assert_int_equal(index_meta_get(world->index, "a", &value), 0);
	assert_int_equal(value, 1);
	close_world(world);
	assert_int_equal(unlink(path), 0);
	assert_refused(world, FAILURE_CORRUPT, "index.db is missing",
		       "from a backup");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_missing_index_comes_back_from_the_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
