/* An index whose history makes no sense is refused when a store is opened: A17
 * of the abuse cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "index.h"
#include "store.h"

struct world {
	char directory[64], path[96];
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct store_create_params params = { .path = world->path,
					      .size_bytes = 1 << 20 };
	struct failure failure = { 0 };

	snprintf(world->directory, sizeof(world->directory),
		 "/tmp/cowd-load-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/store",
		 world->directory);
	config_defaults(&params.config);
	assert_int_equal(store_create(&params, &failure), 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"segments/00000001.seg",
		"segments/spare.tmp",
		"index.db",
		"index.db-wal",
		"index.bak",
		"lock",
		"store.conf",
	};
	struct world *world = *state;
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", world->path, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/segments", world->path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(world->path), 0);
	assert_int_equal(rmdir(world->directory), 0);
	free(world);
	return 0;
}

static struct index *open_index(const struct world *world)
{
	struct failure failure = { 0 };
	struct index *index;

	assert_int_equal(index_open(world->path, &index, &failure), 0);
	return index;
}

static void save(struct index *index)
{
	assert_int_equal(index_commit(index), 0);
	index_close(index);
}

static void assert_corrupt(const struct world *world)
{
	struct failure failure = { 0 };
	struct store *store;

	assert_true(store_open(world->path, NULL, &store, &failure) < 0);
	assert_int_equal(failure.code, FAILURE_CORRUPT);
	assert_non_null(strstr(failure.hint, "index.bak"));
}

/* F-57 */
static void test_a_line_older_than_its_parent_is_damage(void **state)
{
	struct line_row line = { .id = 2, .parent = 2, .first_gen = 2 };
	struct index *index = open_index(*state);

	assert_int_equal(index_line_put(index, &line), 0);
	save(index);
	assert_corrupt(*state);
}

/* F-57 */
static void test_a_line_without_its_parent_is_damage(void **state)
{
	struct line_row line = { .id = 7, .parent = 5, .first_gen = 2 };
	struct index *index = open_index(*state);

	assert_int_equal(index_line_put(index, &line), 0);
	save(index);
	assert_corrupt(*state);
}

/* F-57 */
static void test_a_head_on_a_line_that_is_missing_is_damage(void **state)
{
	struct branch_row branch = { .id = 2, .name = "b", .line = 9 };
	struct index *index = open_index(*state);

	assert_int_equal(index_branch_put(index, &branch), 0);
	save(index);
	assert_corrupt(*state);
}

/* F-57 */
static void test_a_store_without_a_branch_is_damage(void **state)
{
	struct index *index = open_index(*state);

	assert_int_equal(index_branch_delete(index, 1), 0);
	save(index);
	assert_corrupt(*state);
}

static void test_a_position_outside_of_a_segment_is_damage(void **state)
{
	struct index *index = open_index(*state);

	assert_int_equal(index_meta_put(index, "log_block", 1 << 20), 0);
	save(index);
	assert_corrupt(*state);
}

/* F-58: an id would be given out twice, or without end. */
static void test_a_counter_that_would_give_ids_twice_is_damage(void **state)
{
	static const struct {
		const char *key;
		int64_t value;
	} cases[] = {
		{ "next_line", 1 },
		{ "next_gen", 1 },
		{ "next_branch", 1 },
		{ "next_line", UINT32_MAX },
		{ "next_gen", UINT32_MAX - 65535 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct index *index = open_index(*state);
		int64_t before;

		assert_int_equal(index_meta_get(index, cases[i].key, &before),
				 0);
		assert_int_equal(
			index_meta_put(index, cases[i].key, cases[i].value), 0);
		save(index);
		assert_corrupt(*state);
		index = open_index(*state);
		assert_int_equal(index_meta_put(index, cases[i].key, before),
				 0);
		save(index);
	}
}

/* A17: as long as a chain may get, and as nobody ever made one. */
static void test_a_chain_of_very_many_lines_opens(void **state)
{
	enum { LINES = 100000 };
	const struct world *world = *state;
	struct index *index = open_index(world);
	struct failure failure = { 0 };
	struct store *store;
	time_t begin = time(NULL);
	uint32_t id;

	for (id = 2; id <= LINES; id++) {
		const struct line_row row = {
			.id = id,
			.parent = id - 1,
			.fork_gen = id,
			.first_gen = id + 1,
		};

		assert_int_equal(index_line_put(index, &row), 0);
	}
	assert_int_equal(index_meta_put(index, "next_line", LINES + 1), 0);
	assert_int_equal(index_meta_put(index, "next_gen", LINES + 2), 0);
	save(index);
	assert_int_equal(store_open(world->path, NULL, &store, &failure), 0);
	store_abandon(store);
	assert_true(time(NULL) - begin < 20);
}

static void test_a_store_as_it_was_made_opens(void **state)
{
	const struct world *world = *state;
	struct failure failure = { 0 };
	struct store *store;

	assert_int_equal(store_open(world->path, NULL, &store, &failure), 0);
	assert_int_equal(store_close(store), 0);
}

#define load_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		load_test(test_a_store_as_it_was_made_opens),
		load_test(test_a_line_older_than_its_parent_is_damage),
		load_test(test_a_line_without_its_parent_is_damage),
		load_test(test_a_head_on_a_line_that_is_missing_is_damage),
		load_test(test_a_store_without_a_branch_is_damage),
		load_test(test_a_position_outside_of_a_segment_is_damage),
		load_test(test_a_chain_of_very_many_lines_opens),
		load_test(test_a_counter_that_would_give_ids_twice_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
