/* Where replay ends, and what it takes for damage. */
#include "log_world.h"

struct seen {
	unsigned records, durable;
};

static int count(void *context, const struct record *record, bool durable)
{
	struct seen *seen = context;

	(void)record;
	seen->records++;
	seen->durable += durable;
	return 0;
}

static int setup(void **state)
{
	log_world_setup(state);
	return log_start(((struct log_world *)*state)->log, true);
}

/* What an opening finds. */
static int replay(struct log_world *world, struct seen *seen,
		  struct log_replay_result *result)
{
	memset(seen, 0, sizeof(*seen));
	log_world_close(world);
	log_world_open(world);
	return log_replay(world->log, count, seen, result);
}

static void put(struct log_world *world, uint32_t segment, uint64_t offset,
		const void *bytes, size_t len_bytes)
{
	int fd = log_world_fd(world, segment);

	assert_int_equal(pwrite(fd, bytes, len_bytes, (off_t)offset),
			 (ssize_t)len_bytes);
	close(fd);
}

static struct log_position position(struct log_world *world)
{
	struct log_position now;

	log_get_position(world->log, &now);
	return now;
}

static uint64_t offset_of(const struct log_position *at)
{
	return (uint64_t)at->block * FORMAT_BLOCK_BYTES + at->offset;
}

/* Fills the record block, so that one more begins the next. */
static void fill_block(struct log_world *world)
{
	uint32_t block = position(world).block;

	while (position(world).block == block)
		log_world_append(world);
}

static void test_replay_sees_every_record_in_order(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct seen seen;
	unsigned i;

	for (i = 0; i < 300; i++)
		log_world_append(world);
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, 300);
	assert_int_equal(result.records, 300);
	assert_false(result.cut);
	assert_int_equal(seen.durable, 0);
}

static void test_a_torn_record_at_the_end_is_cut(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct log_position last;
	struct seen seen;

	log_world_append(world);
	last = position(world);
	log_world_append(world);
	put(world, 1, offset_of(&last) + 30, "torn", 4);
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, 1);
	assert_true(result.cut);
}

/* F-27 */
static void test_a_bad_record_before_synced_ones_is_damage(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct log_position bad;
	struct seen seen;

	log_world_append(world);
	bad = position(world);
	assert_int_equal(log_sync(world->log, log_world_append(world)), 0);
	log_world_append(world);
	put(world, 1, offset_of(&bad) + 30, "damage", 6);
	assert_int_equal(replay(world, &seen, &result), -EUCLEAN);
	assert_int_equal(seen.records, 0);
	assert_int_equal(result.bad.segment, 1);
	assert_int_equal(result.bad.block, bad.block);
}

/* F-27: the proof may be in a later block, or in a later segment. */
static void test_proof_in_a_later_segment_is_found(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct log_position bad = position(world);
	struct seen seen;

	log_world_append(world);
	assert_int_equal(log_sync(world->log, log_world_append(world)), 0);
	log_world_roll(world);
	log_world_append(world);
	assert_int_equal(position(world).segment, 2);
	put(world, 1, offset_of(&bad) + 30, "damage", 6);
	assert_int_equal(replay(world, &seen, &result), -EUCLEAN);
}

/* F-27: nor does it hide behind a segment that is gone, or whose header is no
 * header. */
static void test_proof_behind_a_bad_segment_is_found(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct seen seen;

	log_world_append(world);
	log_world_roll(world);
	log_world_append(world);
	log_world_append(world);
	assert_int_equal(position(world).segment, 2);
	assert_int_equal(log_sync(world->log, log_world_append(world)), 0);
	log_world_append(world);
	put(world, 2, 0, "no header", 9);
	assert_int_equal(replay(world, &seen, &result), -EUCLEAN);
	assert_int_equal(replay(world, &seen, &result), -EUCLEAN);
	assert_int_equal(seen.records, 0);
}

/* F-27: nor in a record block whose header is no header. */
static void test_proof_in_a_block_with_a_bad_header_is_found(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct seen seen;
	uint64_t offset;

	fill_block(world);
	offset = (uint64_t)position(world).block * FORMAT_BLOCK_BYTES;
	assert_int_equal(log_sync(world->log, log_world_append(world)), 0);
	log_world_append(world);
	put(world, 1, offset, "no header", 9);
	assert_int_equal(replay(world, &seen, &result), -EUCLEAN);
	assert_int_equal(seen.records, 0);
}

static void test_proof_behind_a_missing_segment_is_found(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct seen seen;

	log_world_append(world);
	log_world_roll(world);
	log_world_append(world);
	log_world_roll(world);
	log_world_append(world);
	assert_int_equal(position(world).segment, 3);
	assert_int_equal(log_sync(world->log, log_world_append(world)), 0);
	log_world_append(world);
	log_world_close(world);
	assert_int_equal(
		unlinkat(world->params.directory_fd, "00000002.seg", 0), 0);
	log_world_open(world);
	assert_int_equal(replay(world, &seen, &result), -EUCLEAN);
}

/* F-27: what the index names was there when it was committed. */
static void test_a_damaged_first_record_block_is_damage(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct seen seen;

	assert_int_equal(log_sync(world->log, log_world_append(world)), 0);
	put(world, 1, FORMAT_BLOCK_BYTES, "XXXX", 4);
	assert_int_equal(replay(world, &seen, &result), -EUCLEAN);
	assert_int_equal(result.bad.block, 1);
}

/* F-26: a record of another LSN is no successor. */
static void test_a_gap_in_the_lsns_ends_the_log(void **state)
{
	static const uint8_t payload[24] = { 0 };
	struct log_world *world = *state;
	struct log_replay_result result;
	struct log_position at;
	struct record record = { .type = RECORD_TYPE_RESIZE,
				 .payload = payload,
				 .payload_bytes = sizeof(payload) };
	struct record_place place = { .seed = world->params.seed,
				      .segment = 1,
				      .epoch = 1 };
	uint8_t bytes[64];
	struct seen seen;

	log_world_append(world);
	at = position(world);
	place.block = at.block;
	place.offset = at.offset;
	record.lsn = at.next_lsn + 1;
	record.unsynced = (uint32_t)record.lsn;
	record_encode(&place, &record, bytes);
	put(world, 1, offset_of(&at), bytes, record_bytes(sizeof(payload)));
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, 1);
	assert_true(result.cut);
	record.lsn = at.next_lsn;
	record.unsynced = (uint32_t)record.lsn;
	record_encode(&place, &record, bytes);
	put(world, 1, offset_of(&at), bytes, record_bytes(sizeof(payload)));
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, 2);
}

/* F-25: a record block counts only in its place, with the LSN that comes. */
static void test_a_record_block_out_of_place_ends_the_log(void **state)
{
	struct log_world *world = *state;
	struct record_block_header good = { .segment = 1, .epoch = 1 };
	struct record_block_header headers[4];
	uint8_t bytes[RECORD_BLOCK_HEADER_BYTES];
	struct log_replay_result result;
	unsigned i, before, all = 1;
	struct seen seen;

	fill_block(world);
	before = (unsigned)position(world).next_lsn - 3;
	good.block = position(world).block;
	good.first_lsn = before + 2;
	for (i = 0; i < 4; i++)
		headers[i] = good;
	headers[0].segment = 2;
	headers[1].block++;
	headers[2].epoch = 0;
	headers[3].first_lsn++;
	for (i = 0; i < 4; i++) {
		record_block_encode(world->params.seed, &headers[i], bytes);
		put(world, 1, (uint64_t)good.block * FORMAT_BLOCK_BYTES, bytes,
		    sizeof(bytes));
		assert_int_equal(replay(world, &seen, &result), 0);
		assert_int_equal(seen.records, before);
	}
	record_block_encode(world->params.seed, &good, bytes);
	put(world, 1, (uint64_t)good.block * FORMAT_BLOCK_BYTES, bytes,
	    sizeof(bytes));
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, before + all);
}

/* A jump that reached the disk says nothing of the records before it: power
 * may have been lost when only its block had been written back. */
static void test_a_lost_record_before_an_unsynced_jump_is_cut(void **state)
{
	static const uint8_t lost[64];
	struct log_world *world = *state;
	struct log_position at = position(world);
	struct log_replay_result result;
	struct seen seen;

	fill_block(world);
	fill_block(world);
	put(world, 1, offset_of(&at), lost, sizeof(lost));
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, 0);
	assert_int_equal(seen.durable, 0);
}

/* What was cut can't come back once others stand in its place. */
static void test_what_was_cut_stays_cut(void **state)
{
	struct log_world *world = *state;
	struct log_replay_result result;
	struct log_position torn;
	uint8_t kept[64];
	struct seen seen;
	int fd = log_world_fd(world, 1);

	torn = position(world);
	log_world_append(world);
	log_world_append(world);
	assert_int_equal(pread(fd, kept, 8, (off_t)offset_of(&torn)), 8);
	put(world, 1, offset_of(&torn), "XXXXXXXX", 8);
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, 0);
	assert_int_equal(log_start(world->log, false), 0);
	log_world_append(world);
	assert_int_equal(position(world).epoch, 2);
	assert_int_equal(replay(world, &seen, &result), 0);
	assert_int_equal(seen.records, 1);
	close(fd);
}

#define replay_test(test) \
	cmocka_unit_test_setup_teardown(test, setup, log_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		replay_test(test_replay_sees_every_record_in_order),
		replay_test(test_a_torn_record_at_the_end_is_cut),
		replay_test(test_a_bad_record_before_synced_ones_is_damage),
		replay_test(test_proof_in_a_later_segment_is_found),
		replay_test(test_proof_behind_a_bad_segment_is_found),
		replay_test(test_proof_in_a_block_with_a_bad_header_is_found),
		replay_test(test_proof_behind_a_missing_segment_is_found),
		replay_test(test_a_damaged_first_record_block_is_damage),
		replay_test(test_a_gap_in_the_lsns_ends_the_log),
		replay_test(test_a_record_block_out_of_place_ends_the_log),
		replay_test(test_a_lost_record_before_an_unsynced_jump_is_cut),
		replay_test(test_what_was_cut_stays_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
