/* What a new index is. */
#include "index_world.h"

/* D17 */
static void test_a_new_index_is_private_and_has_no_shm(void **state)
{
	struct world *world = *state;
	struct stat st;
	char path[PATH_MAX];
	int64_t value = -1;

	path_in(world, "index.db", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(index_meta_put(world->index, "a", 1), 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_false(exists(world, "index.db-shm"));
	assert_int_equal(index_meta_get(world->index, "incompatible_features",
					&value),
			 0);
	assert_int_equal(value, 0);
	assert_int_equal(index_create(world->directory, NULL), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_new_index_is_private_and_has_no_shm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
