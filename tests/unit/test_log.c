/*
 * Appending and flushing. io_sync_data is wrapped by the linker, so that the
 * tests see which segments a flush reaches.
 */
#include "log_world.h"

#include "io_hook.h"

enum { SYNCED_MAX = 16 };

static ino_t synced[SYNCED_MAX];
static unsigned synced_count;
static int sync_result;

int __wrap_io_sync_data(int fd);

int __wrap_io_sync_data(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(synced_count < SYNCED_MAX);
	synced[synced_count++] = st.st_ino;
	return sync_result;
}

static bool was_synced(const struct log_world *world, uint32_t segment)
{
	int fd = log_world_fd(world, segment);
	struct stat st;
	unsigned i;

	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	for (i = 0; i < synced_count; i++)
		if (synced[i] == st.st_ino)
			return true;
	return false;
}

static void sync_all(struct log_world *world)
{
	synced_count = 0;
	assert_int_equal(log_sync(world->log, log_appended_lsn(world->log)), 0);
	assert_int_equal(log_durable_lsn(world->log),
			 log_appended_lsn(world->log));
}

static int visit_nothing(void *context, const struct record *record,
			 bool durable)
{
	(void)context, (void)record, (void)durable;
	return 0;
}

static int setup(void **state)
{
	struct log_replay_result result;
	struct log_world *world;

	log_world_setup(state);
	world = *state;
	sync_result = 0;
	assert_int_equal(log_replay(world->log, visit_nothing, NULL, &result),
			 0);
	return log_start(world->log, true);
}

static void test_a_flush_reaches_the_tail_only(void **state)
{
	struct log_world *world = *state;

	log_world_append(world);
	sync_all(world);
	log_world_append(world);
	sync_all(world);
	assert_int_equal(synced_count, 1);
	assert_true(was_synced(world, 1));
}

/* The jump to the new segment is written into the old one. */
static void test_a_flush_after_the_tail_moved_reaches_the_jump(void **state)
{
	struct log_world *world = *state;

	log_world_append(world);
	log_world_roll(world);
	sync_all(world);
	log_world_append(world);
	sync_all(world);
	assert_true(was_synced(world, 1));
	assert_true(was_synced(world, 2));
	log_world_append(world);
	sync_all(world);
	assert_false(was_synced(world, 1));
}

/* Reserved in the old segment, written when the tail had moved on. */
static void test_a_flush_reaches_blocks_of_a_full_segment(void **state)
{
	static const uint8_t data[FORMAT_BLOCK_BYTES] = { 1 };
	struct log_world *world = *state;
	struct location at;

	assert_int_equal(log_reserve(world->log, 1, &at), 0);
	log_world_roll(world);
	log_world_append(world);
	sync_all(world);
	assert_int_equal(log_write_blocks(world->log, at, data, 1), 0);
	log_world_append(world);
	sync_all(world);
	assert_true(was_synced(world, at.segment));
}

/* Killed before the flush: the next opening flushes what replay found. */
static void test_replay_leaves_old_segments_to_be_flushed(void **state)
{
	static const uint8_t data[FORMAT_BLOCK_BYTES] = { 1 };
	struct log_world *world = *state;
	struct extent_record extent = { .line = 1,
					.gen = 1,
					.inode = 2,
					.block_count = 1,
					.stored_blocks = 1 };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct log_replay_result result;
	uint64_t lsn;

	assert_int_equal(log_reserve(world->log, 1, &extent.chunk), 0);
	log_world_roll(world);
	log_world_append(world);
	log_get_position(world->log, &world->start);
	assert_int_equal(world->start.segment, 2);
	assert_int_equal(log_write_blocks(world->log, extent.chunk, data, 1),
			 0);
	assert_int_equal(log_append(world->log, RECORD_TYPE_RAW, payload,
				    extent_record_encode(
					    &extent, RECORD_TYPE_RAW, payload),
				    &lsn),
			 0);
	log_world_close(world);
	log_world_open(world);
	assert_int_equal(log_replay(world->log, visit_nothing, NULL, &result),
			 0);
	assert_int_equal(result.records, 1);
	assert_int_equal(log_start(world->log, false), 0);
	sync_all(world);
	assert_true(was_synced(world, 1));
}

/* D16 */
static void test_after_a_failed_flush_no_sync_succeeds(void **state)
{
	struct log_world *world = *state;
	uint64_t lsn = log_world_append(world);

	synced_count = 0;
	sync_result = -EIO;
	assert_int_equal(log_sync(world->log, lsn), -EIO);
	sync_result = 0;
	assert_int_equal(log_sync(world->log, lsn), -EIO);
	assert_true(log_durable_lsn(world->log) < lsn);
}

/* Refuses the third write: block, jump, record. */
static int refuse_third(void *context, struct io_event *event)
{
	return event->op == IO_OP_WRITE && ++*(unsigned *)context == 3 ?
		       -EFBIG :
		       0;
}

static void tell_nobody(void *context, const struct io_event *event,
			int64_t result)
{
	(void)context;
	(void)event;
	(void)result;
}

/* The jump went out and the record behind it did not: a sync up to the jump
 * must end all the same. */
static void test_a_record_that_fails_leaves_a_log_that_syncs(void **state)
{
	struct log_world *world = *state;
	struct log_position before, now;
	unsigned writes = 0;
	const struct io_hook hook = { refuse_third, tell_nobody, &writes };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX] = { 0 };
	uint64_t lsn;
	int rc;

	log_get_position(world->log, &before);
	do {
		log_world_append(world);
		log_get_position(world->log, &now);
	} while (now.offset < 4000);
	io_hook = &hook;
	rc = log_append(world->log, RECORD_TYPE_RESIZE, payload, 1000, &lsn);
	io_hook = NULL;
	assert_int_equal(rc, -EFBIG);
	log_get_position(world->log, &now);
	assert_true(now.block != before.block);
	synced_count = 0;
	alarm(10);
	assert_int_equal(log_sync(world->log, now.next_lsn - 1), 0);
	alarm(0);
}

#define log_test(test) \
	cmocka_unit_test_setup_teardown(test, setup, log_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(test_a_flush_reaches_the_tail_only),
		log_test(test_a_flush_after_the_tail_moved_reaches_the_jump),
		log_test(test_a_flush_reaches_blocks_of_a_full_segment),
		log_test(test_replay_leaves_old_segments_to_be_flushed),
		log_test(test_after_a_failed_flush_no_sync_succeeds),
		log_test(test_a_record_that_fails_leaves_a_log_that_syncs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
