/* Records find room in what was set aside, and data does not. */
#include "full_hook.h"
#include "log_world.h"

static int setup(void **state)
{
	return log_world_setup(state);
}

static int teardown(void **state)
{
	struct log_world *world = *state;

	io_hook = NULL;
	unlinkat(world->params.directory_fd, "spare.tmp", 0);
	return log_world_teardown(state);
}

static bool has_spare(const struct log_world *world)
{
	struct stat st;

	return fstatat(world->params.directory_fd, "spare.tmp", &st, 0) == 0 &&
	       st.st_size == 0 && st.st_blocks * 512 >= 32 * 4096;
}

/* Without what fallocate does there is nothing to test. */
static void begin(struct log_world *world)
{
	assert_int_equal(log_keep_spare(world->log, true), 0);
	if (!has_spare(world))
		skip();
	assert_int_equal(log_start(world->log, true), 0);
}

static uint64_t append_until_refused(struct log_world *world, int *out_rc)
{
	static const struct resize_record resize = { .line = 1, .gen = 1 };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn = 0;
	size_t len_bytes = resize_record_encode(&resize, payload);

	while ((*out_rc = log_append(world->log, RECORD_TYPE_RESIZE, payload,
				     len_bytes, &lsn)) == 0)
		;
	return lsn;
}

static int visit(void *context, const struct record *record, bool durable)
{
	(void)durable;
	*(uint64_t *)context = record->lsn;
	return 0;
}

static void assert_replayed_to(struct log_world *world, uint64_t lsn)
{
	struct log_replay_result result;
	uint64_t last = 0;

	log_world_close(world);
	log_world_open(world);
	assert_int_equal(log_replay(world->log, visit, &last, &result), 0);
	assert_int_equal(last, lsn);
}

static void test_records_find_room_on_a_full_disk(void **state)
{
	struct log_world *world = *state;
	struct full_disk disk = { 0 };
	struct location at;
	uint64_t last, first = log_world_append((begin(world), world));
	int rc;

	full_disk_begin(&disk);
	last = append_until_refused(world, &rc);
	assert_int_equal(rc, -ENOSPC);
	/* 48 bytes each: the block that was there, and 31 of the spare. */
	assert_true(last - first > 31 * 80);
	assert_false(has_spare(world));
	assert_true(log_is_lean(world->log));
	assert_int_equal(log_reserve(world->log, 1, &at), -ENOSPC);
	assert_int_equal(log_sync(world->log, last), 0);
	assert_int_equal(log_keep_spare(world->log, true), -ENOSPC);
	assert_replayed_to(world, last);
}

static void test_it_goes_on_when_there_is_room(void **state)
{
	struct log_world *world = *state;
	struct full_disk disk = { 0 };
	struct location at;
	int rc;

	begin(world);
	full_disk_begin(&disk);
	(void)append_until_refused(world, &rc);
	disk.full = false;
	assert_int_equal(log_keep_spare(world->log, true), 0);
	assert_true(has_spare(world));
	assert_false(log_is_lean(world->log));
	assert_int_equal(log_reserve(world->log, 1, &at), 0);
	assert_replayed_to(world, log_world_append(world));
}

/* What begins a new epoch, after a kill, is a record block too. */
static void test_a_killed_log_begins_in_the_spare(void **state)
{
	struct log_world *world = *state;
	struct full_disk disk = { 0 };
	struct log_replay_result result;
	uint64_t last = 0;

	begin(world);
	(void)log_world_append(world);
	log_world_close(world);
	full_disk_begin(&disk);
	log_world_open(world);
	assert_int_equal(log_keep_spare(world->log, true), 0);
	assert_int_equal(log_replay(world->log, visit, &last, &result), 0);
	assert_int_equal(log_start(world->log, false), 0);
	assert_replayed_to(world, log_world_append(world));
}

static void test_a_quota_is_a_full_disk(void **state)
{
	struct log_world *world = *state;
	struct full_disk disk = { .error = -EDQUOT };
	int rc;

	begin(world);
	full_disk_begin(&disk);
	(void)append_until_refused(world, &rc);
	assert_int_equal(rc, -EDQUOT);
	assert_true(log_is_lean(world->log));
}

/* I1: bytes in it would be taken for records. */
static void test_a_spare_with_bytes_is_made_anew(void **state)
{
	struct log_world *world = *state;
	int fd = openat(world->params.directory_fd, "spare.tmp",
			O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, 32 * 4096), 0);
	close(fd);
	begin(world);
}

static void test_who_wants_none_has_none(void **state)
{
	struct log_world *world = *state;

	begin(world);
	assert_int_equal(log_ahead_bytes(world->log), 32 * 4096);
	assert_int_equal(log_keep_spare(world->log, false), 0);
	assert_false(has_spare(world));
	assert_int_equal(log_ahead_bytes(world->log), 0);
	assert_false(log_is_lean(world->log));
}

static void test_a_block_without_room_is_given_out_again(void **state)
{
	struct log_world *world = *state;
	struct full_disk disk = { 0 };
	struct log_position before, after;
	int rc;

	assert_int_equal(log_start(world->log, true), 0);
	full_disk_begin(&disk);
	(void)append_until_refused(world, &rc);
	log_get_position(world->log, &before);
	(void)append_until_refused(world, &rc);
	log_get_position(world->log, &after);
	assert_int_equal(before.tail_block, after.tail_block);
	assert_int_equal(before.next_lsn, after.next_lsn);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_records_find_room_on_a_full_disk),
		CASE(test_it_goes_on_when_there_is_room),
		CASE(test_a_killed_log_begins_in_the_spare),
		CASE(test_a_quota_is_a_full_disk),
		CASE(test_a_spare_with_bytes_is_made_anew),
		CASE(test_who_wants_none_has_none),
		CASE(test_a_block_without_room_is_given_out_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
