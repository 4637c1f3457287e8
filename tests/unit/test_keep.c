/*
 * The segments alone name every live block, and of each version what it has
 * where: whatever was removed before. A random workload, after each step of
 * which all records are read with format/ alone, and every view's map is made
 * of them as docs/format.md, 8.6 has it.
 */
#include "segment_said.h"

enum { STEP_BLOCKS = 40, MIB = 1 << 20 };

/* --- the workload --- */

static uint64_t random_state;

static unsigned below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % limit);
}

/* What fills a segment dies at once, so that the ones before may go. */
static void churn(struct store_world *world)
{
	static uint8_t data[MIB];
	unsigned i, rounds = 40 + below(40);

	for (i = 0; i < rounds; i++) {
		world_fill(data, sizeof(data), i + below(1000));
		assert_int_equal(file_write(world->file, 2 * WINDOW_BYTES, data,
					    sizeof(data)),
				 0);
	}
}

static void random_range(size_t *offset, size_t *bytes)
{
	*offset = (size_t)below(2 * WINDOW_BLOCKS) * BLOCK_BYTES;
	*bytes = (size_t)(1 + below(STEP_BLOCKS)) * BLOCK_BYTES;
}

static void write_something(struct store_world *world)
{
	static uint8_t data[STEP_BLOCKS * BLOCK_BYTES];
	size_t offset, bytes;

	random_range(&offset, &bytes);
	world_fill(data, bytes, below(1000));
	if (below(3) == 0)
		memset(data, 1 + (int)below(200), bytes); /* compresses */
	assert_int_equal(file_write(world->file, offset, data, bytes), 0);
}

static uint32_t any_snapshot(struct store_world *world)
{
	const struct graph *graph = &world->store->graph;
	unsigned tries;

	for (tries = 0; graph->snapshot_count && tries < 20; tries++) {
		unsigned nr = below((unsigned)graph->snapshot_count);
		const struct snapshot_row *row = &graph->snapshots[nr]->row;

		if (row->state == SNAPSHOT_STATE_LIVE)
			return row->id;
	}
	return 0;
}

static void change_history(struct store_world *world, unsigned step)
{
	struct failure failure = { 0 };
	struct rollback_result result;
	uint32_t id = any_snapshot(world);
	struct branch_info info;
	char name[32];

	snprintf(name, sizeof(name), "n%u", step);
	switch (below(5)) {
	case 0:
	case 1:
		(void)world_snapshot(world, name);
		break;
	case 2:
		if (id)
			(void)!history_delete_snapshot(world->store, id, true,
						       &world_actor, &failure);
		break;
	case 3:
		if (id)
			world_rollback(world, id, &result);
		break;
	default:
		if (id)
			assert_ok(world, history_clone(world->store, NULL, id,
						       name, &world_actor,
						       &info, &world->failure));
		break;
	}
}

static void compact(struct store_world *world)
{
	struct compact_result result;

	assert_ok(world, space_compact(world->store, 5, false, NULL, NULL,
				       &result, &world->failure));
}

static void collect(struct store_world *world)
{
	struct gc_result result;

	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &result, &world->failure));
}

static void copy_something(struct store_world *world)
{
	size_t from, to, bytes, other;
	uint64_t copied;

	random_range(&from, &bytes);
	random_range(&to, &other);
	if (from < to + bytes && to < from + bytes)
		return;
	assert_true(file_share(world->file, from, world->file, to, bytes,
			       &copied) <= 0);
}

static void step(struct store_world *world, unsigned nr)
{
	size_t offset, bytes;

	random_range(&offset, &bytes);
	switch (below(14)) {
	case 0:
	case 1:
		assert_int_equal(file_zero(world->file, offset, bytes), 0);
		break;
	case 2:
	case 3:
	case 4:
		change_history(world, nr);
		break;
	case 5:
		compact(world);
		break;
	case 6:
		collect(world);
		break;
	case 7:
		copy_something(world);
		break;
	case 8:
		churn(world);
		break;
	case 9:
		assert_int_equal(
			file_resize(world->file, offset + 2 * WINDOW_BYTES), 0);
		assert_int_equal(
			file_resize(world->file, FILE_BLOCKS * BLOCK_BYTES), 0);
		break;
	case 10:
		world_crash(world);
		break;
	default:
		write_something(world);
		break;
	}
}

static void run(struct store_world *world, uint64_t seed, unsigned steps)
{
	uint64_t elsewhere = 0, here = 0, kept = 0;
	uint32_t removed;
	unsigned i;

	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	world_resize(world, FILE_BLOCKS * (size_t)BLOCK_BYTES);
	for (i = 0; i < steps; i++) {
		struct reading reading;

		step(world, i);
		assert_int_equal(store_checkpoint(world->store), 0);
		reading = read_and_check(world);
		elsewhere += reading.elsewhere;
		here += reading.here;
		kept += reading.kept;
	}
	removed = space_map_newest(&world->store->space) -
		  (uint32_t)world->store->space.count;
	print_message("%u segments removed, %lu of %lu records of blocks "
		      "elsewhere, %lu kept\n",
		      removed, (unsigned long)elsewhere,
		      (unsigned long)(elsewhere + here), (unsigned long)kept);
	assert_true(removed > 0);
}

/* Two segments' worth that is dead when this returns. */
static void pass_segments(struct store_world *world)
{
	uint32_t segment = space_map_newest(&world->store->space);

	while (space_map_newest(&world->store->space) < segment + 2)
		churn(world);
	assert_int_equal(store_checkpoint(world->store), 0);
}

static bool exists(struct store_world *world, uint32_t segment)
{
	struct segment_space *found;

	mutex_lock(&world->store->space.lock);
	found = space_map_segment(&world->store->space, segment);
	mutex_unlock(&world->store->space.lock);
	return found != NULL;
}

static void test_a_share_outlives_its_segment(void **state)
{
	struct store_world *world = *state;
	uint64_t copied;
	uint32_t segment;
	int i;

	world_resize(world, FILE_BLOCKS * (size_t)BLOCK_BYTES);
	world_write(world, 0, 4 * BLOCK_BYTES, 2);
	pass_segments(world);
	segment = space_map_newest(&world->store->space);
	assert_int_equal(file_share(world->file, 0, world->file, MIB,
				    4 * (uint64_t)BLOCK_BYTES, &copied),
			 0);
	assert_int_equal(copied, 4 * BLOCK_BYTES);
	world_write(world, 0, 4 * BLOCK_BYTES, 3);
	for (i = 0; i < 2; i++) { /* and the copy of the record as well */
		pass_segments(world);
		(void)read_and_check(world);
		world_write(world, 0, 4 * BLOCK_BYTES, 4 + (uint32_t)i);
		pass_segments(world);
		assert_false(exists(world, segment));
		assert_int_equal(read_and_check(world).kept, 1);
		segment = space_map_newest(&world->store->space) - 1;
	}
}

/* The last block of a segment, its record the first of the next. */
static void write_across(struct store_world *world)
{
	struct log *log = world->store->log;
	struct log_position position;
	struct location at;
	uint64_t lsn;

	for (;;) {
		log_get_position(log, &position);
		if (FORMAT_BLOCK_BYTES - position.offset < 104)
			break;
		mutex_lock(&world->store->order_lock);
		assert_int_equal(
			log_append(log, RECORD_TYPE_SYNCED, "", 0, &lsn), 0);
		mutex_unlock(&world->store->order_lock);
	}
	while (position.tail_block < SEGMENT_BLOCKS - 1) {
		uint32_t blocks = SEGMENT_BLOCKS - 1 - position.tail_block;

		assert_int_equal(log_reserve(log,
					     blocks < RECORD_RAW_BLOCKS_MAX ?
						     blocks :
						     RECORD_RAW_BLOCKS_MAX,
					     &at),
				 0);
		log_get_position(log, &position);
	}
	world_write(world, 0, BLOCK_BYTES, 5);
	log_get_position(log, &position);
	assert_int_equal(position.segment, position.tail_segment);
	assert_int_equal(position.tail_segment, at.segment + 1);
}

static void test_a_record_outlives_its_segment(void **state)
{
	struct store_world *world = *state;
	uint32_t segment;

	world_resize(world, FILE_BLOCKS * (size_t)BLOCK_BYTES);
	write_across(world);
	segment = space_map_newest(&world->store->space);
	pass_segments(world);
	assert_false(exists(world, segment));
	assert_true(exists(world, segment - 1));
	assert_int_equal(read_and_check(world).kept, 1);
	world_crash(world);
	world_write(world, 0, BLOCK_BYTES, 6);
	pass_segments(world);
	(void)read_and_check(world);
}

static void test_records_say_all_of_a_random_store(void **state)
{
	run(*state, 1, 60);
}

static void test_records_say_all_of_another(void **state)
{
	run(*state, 2, 60);
}

static int setup_compressed(void **state)
{
	return world_setup_with(state, WORLD_BASE_BYTES, COMPRESS_MODE_INLINE);
}

static void test_records_say_all_of_a_compressed_store(void **state)
{
	run(*state, 3, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_share_outlives_its_segment),
		WORLD_TEST(test_a_record_outlives_its_segment),
		WORLD_TEST(test_records_say_all_of_a_random_store),
		WORLD_TEST(test_records_say_all_of_another),
		cmocka_unit_test_setup_teardown(
			test_records_say_all_of_a_compressed_store,
			setup_compressed, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
