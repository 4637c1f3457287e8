/* A scrub of a store: what it finds, and how it is told to begin and end. */
#include "scrub_world.h"

static void test_nothing_is_found_in_a_sound_store(void **state)
{
	struct store_world *world = *state;
	struct scrub_status status;

	scrub_get_status(world->store, &status);
	assert_int_equal(status.state, SCRUB_STATE_NONE);
	world_write(world, 0, WINDOW_BYTES, 5);
	world_zero(world, 3 * BLOCK_BYTES, 9 * BLOCK_BYTES);
	scrub_all(world);
	assert_clean(world);
	scrub_get_status(world->store, &status);
	assert_true(status.checked_bytes >= WINDOW_BYTES - 9 * BLOCK_BYTES);
	assert_int_equal(health(world), STORE_HEALTH_GOOD);
}

static void test_damaged_blocks_are_one_finding_with_their_place(void **state)
{
	struct store_world *world = *state;
	struct scrub_finding finding;
	struct slot slot;

	world_write(world, 0, 64 * BLOCK_BYTES, 5);
	flip_block(world, 40);
	flip_block(world, 41);
	scrub_all(world);
	finding = the_finding(world);
	slot = slot_of(world, 40);
	assert_int_equal(finding.kind, SCRUB_KIND_DATA);
	assert_int_equal(finding.segment, slot.segment);
	assert_int_equal(finding.block, slot.block);
	assert_int_equal(finding.blocks, 2);
	assert_int_equal(finding.inode, 2);
	assert_int_equal(finding.offset_bytes, 40 * BLOCK_BYTES);
	assert_int_equal(finding.len_bytes, 2 * BLOCK_BYTES);
	assert_string_equal(finding.branch, "main");
	assert_string_equal(finding.snapshot, "");
	assert_int_equal(finding.others, 0);
	assert_int_equal(health(world), STORE_HEALTH_DAMAGED);
}

static void test_a_rewritten_block_is_found_no_more(void **state)
{
	struct store_world *world = *state;

	world_write(world, 0, 64 * BLOCK_BYTES, 5);
	flip_block(world, 40);
	scrub_all(world);
	(void)the_finding(world);
	world_write_block(world, 40, 6);
	scrub_all(world);
	assert_clean(world);
	assert_int_equal(health(world), STORE_HEALTH_GOOD);
}

static void test_what_only_a_snapshot_has_is_named_after_it(void **state)
{
	struct store_world *world = *state;
	struct scrub_finding finding;

	world_write(world, 0, 64 * BLOCK_BYTES, 5);
	world_snapshot(world, "s1");
	world_snapshot(world, "s2");
	flip_block(world, 7);
	scrub_all(world);
	finding = the_finding(world);
	assert_string_equal(finding.snapshot, "");
	assert_int_equal(finding.others, 2);
	world_write_block(world, 7, 8);
	scrub_all(world);
	finding = the_finding(world);
	assert_string_equal(finding.branch, "main");
	assert_string_equal(finding.snapshot, "s2");
	assert_int_equal(finding.others, 1);
}

static int compressed_setup(void **state)
{
	return world_setup_with(state, WORLD_BASE_BYTES, COMPRESS_MODE_INLINE);
}

static void test_a_damaged_chunk_is_all_blocks_of_it(void **state)
{
	struct store_world *world = *state;
	uint8_t *data = calloc(16, BLOCK_BYTES);
	struct scrub_finding finding;

	assert_non_null(data);
	memset(data, 'x', (size_t)16 * BLOCK_BYTES);
	assert_int_equal(
		file_write(world->file, 0, data, (size_t)16 * BLOCK_BYTES), 0);
	free(data);
	assert_int_equal(slot_of(world, 0).kind, SLOT_KIND_LZ4);
	flip_block(world, 0);
	scrub_all(world);
	finding = the_finding(world);
	assert_int_equal(finding.offset_bytes, 0);
	assert_int_equal(finding.len_bytes, 16 * BLOCK_BYTES);
	assert_int_equal(finding.blocks, 1);
}

/* So slow that it is still at it. */
enum { SLOW = 64 * 1024 };

static void test_pause_resume_and_cancel(void **state)
{
	struct store_world *world = *state;
	struct scrub_status status;

	world_write(world, 0, WINDOW_BYTES, 5);
	assert_failure(world, scrub_pause(world->store, &world->failure),
		       FAILURE_FAILED);
	assert_failure(world,
		       scrub_resume(world->store, UINT64_MAX, &world->failure),
		       FAILURE_FAILED);
	assert_ok(world, scrub_start(world->store, SLOW, &world->failure));
	assert_failure(world, scrub_start(world->store, 0, &world->failure),
		       FAILURE_BUSY);
	assert_ok(world, scrub_pause(world->store, &world->failure));
	scrub_get_status(world->store, &status);
	assert_int_equal(status.state, SCRUB_STATE_PAUSED);
	assert_int_equal(status.rate_bytes, SLOW);
	assert_false(status.is_active);
	assert_ok(world,
		  scrub_resume(world->store, UINT64_MAX, &world->failure));
	scrub_get_status(world->store, &status);
	assert_int_equal(status.rate_bytes, SLOW);
	assert_true(status.is_active);
	assert_ok(world, scrub_cancel(world->store, &world->failure));
	scrub_get_status(world->store, &status);
	assert_int_equal(status.state, SCRUB_STATE_CANCELLED);
	scrub_all(world);
	assert_clean(world);
}

static void test_it_goes_on_after_a_restart(void **state)
{
	struct store_world *world = *state;
	struct scrub_status status;

	world_write(world, 0, WINDOW_BYTES, 5);
	flip_block(world, 40);
	scrub_all(world);
	world_reopen(world); /* what was found is known still */
	assert_int_equal(the_finding(world).offset_bytes, 40 * BLOCK_BYTES);
	assert_int_equal(health(world), STORE_HEALTH_DAMAGED);
	assert_ok(world, scrub_start(world->store, SLOW, &world->failure));
	world_reopen(world);
	scrub_get_status(world->store, &status);
	assert_int_equal(status.state, SCRUB_STATE_RUNNING);
	assert_false(status.is_active);
	assert_true(the_finding(world).is_old);
	world_write_block(world, 40, 9);
	assert_ok(world, scrub_resume(world->store, 0, &world->failure));
	assert_int_equal(scrub_wait(world->store, NULL, NULL), 0);
	assert_clean(world);
	/* A kill leaves it to whoever opens the store as a daemon. */
	assert_ok(world, scrub_start(world->store, SLOW, &world->failure));
	world_crash(world);
	scrub_continue(world->store);
	scrub_get_status(world->store, &status);
	assert_true(status.is_active);
}

static void test_damage_is_no_damage_once_it_is_free(void **state)
{
	struct store_world *world = *state;
	struct slot slot;

	world_write(world, 0, 64 * BLOCK_BYTES, 5);
	slot = slot_of(world, 3);
	world_write_block(world, 3, 6); /* punched at the checkpoint */
	flip(world, slot.segment, (uint64_t)slot.block * BLOCK_BYTES);
	scrub_all(world);
	assert_clean(world);
}

static int stop_at_once(void *context, uint64_t done, uint64_t total)
{
	(void)context, (void)done, (void)total;
	return 1;
}

static void test_waiting_can_end_before_the_scrub(void **state)
{
	struct store_world *world = *state;
	struct scrub_status status;

	world_write(world, 0, WINDOW_BYTES, 5);
	assert_ok(world, scrub_start(world->store, SLOW, &world->failure));
	assert_int_equal(scrub_wait(world->store, stop_at_once, NULL), -EINTR);
	scrub_get_status(world->store, &status);
	assert_true(status.is_active);
	assert_ok(world, scrub_cancel(world->store, &world->failure));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_nothing_is_found_in_a_sound_store),
		WORLD_TEST(
			test_damaged_blocks_are_one_finding_with_their_place),
		WORLD_TEST(test_a_rewritten_block_is_found_no_more),
		WORLD_TEST(test_what_only_a_snapshot_has_is_named_after_it),
		cmocka_unit_test_setup_teardown(
			test_a_damaged_chunk_is_all_blocks_of_it,
			compressed_setup, world_teardown),
		WORLD_TEST(test_pause_resume_and_cancel),
		WORLD_TEST(test_it_goes_on_after_a_restart),
		WORLD_TEST(test_damage_is_no_damage_once_it_is_free),
		WORLD_TEST(test_waiting_can_end_before_the_scrub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
