/* The operation log has an end. */
#include "store_world.h"

#include "graph.h"
#include "index.h"

enum { OPERATIONS = GRAPH_OPERATIONS_MAX + 50 };

struct tally {
	unsigned count;
	uint64_t newest, oldest;
};

static int count(void *context, const struct operation_row *row)
{
	struct tally *tally = context;

	if (tally->count++ == 0)
		tally->newest = row->id;
	tally->oldest = row->id;
	return 0;
}

static void test_only_the_newest_operations_are_kept(void **state)
{
	struct store_world *world = *state;
	struct tally tally = { 0 };
	struct index *index;
	uint32_t id = world_snapshot(world, "a");
	unsigned i;

	for (i = 1; i < OPERATIONS; i++)
		assert_ok(world, history_rename_snapshot(
					 world->store, id, i % 2 ? "b" : "a",
					 &world_actor, &world->failure));
	world_close(world);
	assert_ok(world, index_open(world->path, &index, &world->failure));
	assert_int_equal(index_operations_load(index, SIZE_MAX, count, &tally),
			 0);
	index_close(index);
	assert_int_equal(tally.newest, OPERATIONS);
	assert_int_equal(tally.count, GRAPH_OPERATIONS_MAX);
	assert_int_equal(tally.oldest, OPERATIONS - GRAPH_OPERATIONS_MAX + 1);
	world_open(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_only_the_newest_operations_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
