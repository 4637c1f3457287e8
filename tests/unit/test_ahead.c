/* The next segment, written in advance. */
#include "log_world.h"

enum { RECORDS = 400 };

/* Frequent flushes, and enough of the segment used. */
static void work(struct log_world *world)
{
	struct location at;
	int i;

	for (i = 0; i < RECORDS; i++) {
		assert_int_equal(log_reserve(world->log, 6, &at), 0);
		assert_int_equal(log_sync(world->log, log_world_append(world)),
				 0);
	}
}

static bool is_prepared(const struct log_world *world)
{
	return faccessat(world->params.directory_fd, "next.tmp", F_OK, 0) == 0;
}

static uint64_t allocated(const struct log_world *world, uint32_t segment)
{
	struct stat st = { 0 };
	int fd = log_world_fd(world, segment);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return (uint64_t)st.st_blocks * 512;
}

static int visit(void *context, const struct record *record, bool durable)
{
	(void)durable;
	*(uint64_t *)context = record->lsn;
	return 0;
}

static void test_few_flushes_prepare_nothing(void **state)
{
	struct log_world *world = *state;
	struct location at;
	int i;

	assert_int_equal(log_start(world->log, true), 0);
	for (i = 0; i < 500; i++)
		assert_int_equal(log_reserve(world->log, 6, &at), 0);
	assert_int_equal(log_sync(world->log, log_world_append(world)), 0);
	log_ahead(world->log, true);
	assert_false(is_prepared(world));
	assert_int_equal(log_ahead_bytes(world->log), 0);
}

static void test_little_data_prepares_nothing(void **state)
{
	struct log_world *world = *state;
	int i;

	assert_int_equal(log_start(world->log, true), 0);
	for (i = 0; i < RECORDS; i++)
		assert_int_equal(log_sync(world->log, log_world_append(world)),
				 0);
	log_ahead(world->log, true);
	assert_false(is_prepared(world));
}

static void test_frequent_flushes_get_a_segment_that_is_written(void **state)
{
	struct log_world *world = *state;

	assert_int_equal(log_start(world->log, true), 0);
	work(world);
	log_ahead(world->log, true);
	assert_true(is_prepared(world));
	assert_int_equal(log_ahead_bytes(world->log), SEGMENT_BYTES);
	log_world_roll(world);
	assert_false(is_prepared(world));
	assert_true(allocated(world, 2) >= SEGMENT_BYTES);
	assert_true(log_ahead_bytes(world->log) > SEGMENT_BYTES / 2);
}

static void test_records_in_it_are_replayed(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	uint64_t last, seen = 0;

	assert_int_equal(log_start(world->log, true), 0);
	work(world);
	log_ahead(world->log, true);
	log_world_roll(world);
	last = log_world_append(world);
	log_world_close(world);
	log_world_open(world);
	assert_int_equal(log_replay(world->log, visit, &seen, &result), 0);
	assert_int_equal(seen, last);
	assert_false(result.cut);
}

static void test_closing_gives_the_space_back(void **state)
{
	struct log_world *world = *state;

	assert_int_equal(log_start(world->log, true), 0);
	work(world);
	log_ahead(world->log, true);
	log_world_roll(world);
	(void)log_world_append(world);
	log_world_close(world);
	assert_true(allocated(world, 2) < SEGMENT_BYTES / 8);
	log_world_open(world);
}

static void test_a_full_disk_gives_it_back(void **state)
{
	struct log_world *world = *state;

	assert_int_equal(log_start(world->log, true), 0);
	work(world);
	log_ahead(world->log, true);
	log_ahead(world->log, false);
	assert_false(is_prepared(world));
	assert_int_equal(log_ahead_bytes(world->log), 0);
}

static void test_what_a_crash_left_goes(void **state)
{
	struct log_world *world = *state;
	int fd = openat(world->params.directory_fd, "next.tmp",
			O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "not zeros", 9), 9);
	close(fd);
	assert_int_equal(log_start(world->log, false), 0);
	assert_false(is_prepared(world));
	log_world_roll(world);
	(void)log_world_append(world);
}

#define TEST(name)                                                    \
	cmocka_unit_test_setup_teardown(test_##name, log_world_setup, \
					log_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(few_flushes_prepare_nothing),
		TEST(little_data_prepares_nothing),
		TEST(frequent_flushes_get_a_segment_that_is_written),
		TEST(records_in_it_are_replayed),
		TEST(closing_gives_the_space_back),
		TEST(a_full_disk_gives_it_back),
		TEST(what_a_crash_left_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
