/* Shared blocks stay while anything refers to them, and no longer. */
#include "store_world.h"

enum { B = BLOCK_BYTES, AT = 4 << 20, BLOCKS = 300 };

static struct space_usage usage(struct store_world *world)
{
	struct space_usage found;

	assert_ok(world, space_usage(world->store, &found, NULL, NULL,
				     &world->failure));
	return found;
}

static void gc(struct store_world *world)
{
	struct gc_result result;

	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &result, &world->failure));
}

static void make_copy(struct store_world *world)
{
	uint64_t done;

	world_write(world, AT, (size_t)BLOCKS * B, 2);
	world_expect_size(world, AT + (size_t)2 * BLOCKS * B);
	assert_int_equal(file_share(world->file, AT, world->file,
				    AT + BLOCKS * B, (size_t)BLOCKS * B, &done),
			 0);
	assert_int_equal(done, (size_t)BLOCKS * B);
	memcpy(world->expected + AT + BLOCKS * B, world->expected + AT,
	       (size_t)BLOCKS * B);
}

static void test_what_two_places_have_is_shared_and_stays(void **state)
{
	struct store_world *world = *state;

	make_copy(world);
	assert_int_equal(usage(world).shared_bytes, BLOCKS * B);
	gc(world);
	assert_int_equal(usage(world).shared_bytes, BLOCKS * B);
	world_crash(world);
	gc(world);
	assert_int_equal(usage(world).shared_bytes, BLOCKS * B);
	world_check(world);
}

static void test_either_may_go_and_the_other_stays(void **state)
{
	struct store_world *world = *state;
	struct space_usage found;

	make_copy(world);
	world_zero(world, AT, (size_t)BLOCKS * B);
	gc(world);
	world_check(world);
	/* It is of one place again. */
	found = usage(world);
	assert_int_equal(found.shared_bytes, 0);
	assert_int_equal(found.branches_unique_bytes, BLOCKS * B);
	world_reopen(world);
	world_check(world);
	world_zero(world, AT + BLOCKS * B, (size_t)BLOCKS * B);
	gc(world);
	found = usage(world);
	assert_int_equal(found.shared_bytes, 0);
	assert_int_equal(found.branches_unique_bytes, 0);
	world_check(world);
}

static void test_both_gone_is_free_after_a_crash_too(void **state)
{
	struct store_world *world = *state;

	make_copy(world);
	world_zero(world, AT, (size_t)2 * BLOCKS * B);
	world_crash(world);
	world_check(world);
	assert_int_equal(usage(world).shared_bytes, BLOCKS * B);
	gc(world);
	assert_int_equal(usage(world).shared_bytes, 0);
	assert_int_equal(usage(world).branches_unique_bytes, 0);
}

/* The snapshot's rows are not neighbours of the head's. */
static void test_a_snapshot_keeps_what_the_head_gave_up(void **state)
{
	struct store_world *world = *state;
	struct world_copy old;
	uint32_t id;

	make_copy(world);
	old = world_copy(world);
	id = world_snapshot(world, "first");
	world_zero(world, AT, (size_t)2 * BLOCKS * B);
	gc(world);
	world_check_snapshot(world, id, &old);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	gc(world);
	assert_int_equal(usage(world).shared_bytes, 0);
	assert_int_equal(usage(world).snapshots_unique_bytes, 0);
	world_check(world);
	free(old.data);
}

/* Compaction leaves segments alone in which blocks are shared. */
static void test_compaction_and_sharing_agree(void **state)
{
	struct store_world *world = *state;
	struct compact_result result;
	uint32_t i;

	make_copy(world);
	for (i = 0; i < 20; i++)
		world_write(world, 16 << 20, (size_t)4 << 20, i);
	assert_ok(world, space_compact(world->store, 0, false, NULL, NULL,
				       &result, &world->failure));
	world_check(world);
	gc(world);
	world_crash(world);
	world_check(world);
}

/* Nothing else would give room, and nobody idles for it. */
static void test_a_full_store_is_swept_at_once(void **state)
{
	struct store_world *world = *state;
	struct store_config config;
	uint8_t block[B];

	make_copy(world);
	world_zero(world, AT, (size_t)2 * BLOCKS * B);
	assert_int_equal(usage(world).shared_bytes, BLOCKS * B);
	store_get_config(world->store, &config);
	config.reserve_bytes = UINT64_C(1) << 40;
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
	memset(block, 1, sizeof(block));
	assert_int_equal(file_write(world->file, 0, block, sizeof(block)),
			 -ENOSPC);
	assert_int_equal(usage(world).shared_bytes, 0);
	world_check(world);
	world_crash(world);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_what_two_places_have_is_shared_and_stays),
		WORLD_TEST(test_either_may_go_and_the_other_stays),
		WORLD_TEST(test_both_gone_is_free_after_a_crash_too),
		WORLD_TEST(test_a_snapshot_keeps_what_the_head_gave_up),
		WORLD_TEST(test_compaction_and_sharing_agree),
		WORLD_TEST(test_a_full_store_is_swept_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
