/* What became of a line that was folded. */
#include "store_world.h"

#include "fold_notes.h"

static void add(struct store *store, uint32_t line, uint32_t into, uint32_t gen)
{
	mutex_lock(&store->maintenance_lock);
	assert_int_equal(fold_note_add(store, line, into, gen), 0);
	mutex_unlock(&store->maintenance_lock);
}

static uint32_t find(struct store *store, uint32_t line, uint32_t gen)
{
	bool found;

	mutex_lock(&store->maintenance_lock);
	found = fold_note_find(store, &line, gen);
	mutex_unlock(&store->maintenance_lock);
	return found ? line : 0;
}

static void test_a_line_is_found_through_all_its_folds(void **state)
{
	struct store_world *world = *state;
	struct store *store = world->store;

	add(store, 2, 5, 10);
	add(store, 5, 9, 20);
	assert_int_equal(find(store, 2, 10), 9);
	assert_int_equal(find(store, 2, 11), 0);
	assert_int_equal(find(store, 5, 20), 9);
	assert_int_equal(find(store, 5, 21), 0);
	assert_int_equal(find(store, 9, 99), 9);
	assert_int_equal(find(store, 1, 1), 1);
	assert_int_equal(store_checkpoint(store), 0);
	world_reopen(world);
	assert_int_equal(find(world->store, 2, 10), 9);
	assert_int_equal(world->store->fold_count, 2);
}

/* A fold itself notes it: rolled back, and what was before is given up. */
static void test_a_fold_is_noted(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct gc_result collected;
	uint32_t id, line = world->view->line;

	world_write_block(world, 1, 2);
	id = world_snapshot(world, "s");
	world_write_block(world, 1, 3);
	world_rollback(world, id, &result);
	assert_int_equal(find(world->store, line, 1), line);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	assert_ok(world,
		  history_delete_snapshot(world->store, result.kept_as.id, true,
					  &world_actor, &world->failure));
	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &collected, &world->failure));
	assert_int_equal(find(world->store, line, 1), world->view->line);
	assert_int_not_equal(world->view->line, line);
	world_crash(world);
	assert_int_equal(find(world->store, line, 1), world->view->line);
}

/* Into what is gone, or older than every segment. */
static void test_notes_that_nobody_needs_are_forgotten(void **state)
{
	struct store_world *world = *state;
	struct store *store = world->store;
	uint32_t i;

	for (i = 0; i < 100; i++)
		add(store, 100 + i, 200 + i, 1);
	add(store, 300, 301, 1);
	world_write_block(world, 1, 2);
	assert_int_equal(store_checkpoint(store), 0);
	assert_int_equal(store->fold_count, 0);
}

/* F-76 */
static void test_a_blob_that_is_none_is_damage(void **state)
{
	static const struct {
		uint8_t bytes[20];
		size_t count;
	} blobs[] = {
		{ { 1, 0, 0, 0, 2 }, 19 },
		{ { 0, 0, 0, 0, 2 }, 20 },
		{ { 2, 0, 0, 0, 2 }, 20 },
		{ { 1, 0, 0, 0, 2 }, 1 },
	};
	struct store_world *world = *state;
	struct store *store = world->store;
	size_t i;

	for (i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
		assert_int_equal(index_meta_put_blob(store->index, "folds",
						     blobs[i].bytes,
						     blobs[i].count),
				 0);
		assert_int_equal(fold_notes_load(store), -EUCLEAN);
		free(store->folds);
		store->folds = NULL;
		store->fold_count = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_line_is_found_through_all_its_folds),
		WORLD_TEST(test_a_fold_is_noted),
		WORLD_TEST(test_notes_that_nobody_needs_are_forgotten),
		WORLD_TEST(test_a_blob_that_is_none_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
