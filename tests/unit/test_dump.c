/* The segments hold the state of the store, whichever of them are gone. */
#include "store_world.h"

#include "segment_reader.h"
#include "store_impl.h"

enum { MIB = 1 << 20 };

struct told {
	struct reader_dump dump;
	uint32_t history[256]; /* snapshots made behind the dump */
	uint64_t history_lsn[256];
	size_t history_count;
	uint64_t state_records;
};

static void note(void *context, uint32_t segment, const struct record *record)
{
	struct told *told = context;
	struct history_record history;

	(void)segment;
	if (record->type == RECORD_TYPE_STATE) {
		told->state_records++;
		reader_add_piece(&told->dump, record);
	}
	if (record->type != RECORD_TYPE_HISTORY)
		return;
	assert_int_equal(history_record_decode(record, &history), 0);
	if (history.op != HISTORY_OP_SNAPSHOT)
		return;
	assert_true(told->history_count < 256);
	told->history_lsn[told->history_count] = record->lsn;
	told->history[told->history_count++] = history.snapshot;
}

static void read_told(struct store_world *world, struct told *told)
{
	*told = (struct told){ .dump = { .seed = world->store->seed } };
	reader_walk_store(world->path, note, told);
	assert_non_null(told->dump.bytes);
}

struct counts {
	unsigned of[STATE_KIND_LAST + 1];
	uint32_t newest_snapshot;
};

static struct counts count_entries(const struct told *told)
{
	struct counts counts = { 0 };
	struct state_entry entry;
	size_t offset = 0;
	int rc;

	while ((rc = state_next(told->dump.bytes, told->dump.filled_bytes,
				&offset, &entry)) == 0) {
		counts.of[entry.kind]++;
		if (entry.kind == STATE_KIND_SNAPSHOT)
			counts.newest_snapshot = entry.snapshot.id;
	}
	assert_int_equal(rc, -ENOENT);
	return counts;
}

/* Snapshots up to newest, each in the dump or in history behind it. */
static void assert_all_told(const struct told *told, uint32_t newest)
{
	struct counts counts = count_entries(told);
	uint32_t id = counts.newest_snapshot;
	size_t i;

	for (i = 0; i < told->history_count; i++) {
		if (told->history_lsn[i] <= told->dump.newest.as_of_lsn)
			continue;
		assert_int_equal(told->history[i], id + 1);
		id++;
	}
	assert_int_equal(id, newest);
}

static void test_a_new_store_is_told_when_it_is_opened(void **state)
{
	struct store_world *world = *state;
	struct counts counts;
	struct told told;

	read_told(world, &told);
	counts = count_entries(&told);
	assert_int_equal(told.dump.newest.as_of_lsn, 0);
	assert_int_equal(counts.of[STATE_KIND_COUNTERS], 1);
	assert_int_equal(counts.of[STATE_KIND_LINE], 1);
	assert_int_equal(counts.of[STATE_KIND_BRANCH], 1);
	assert_int_equal(counts.of[STATE_KIND_BASE], 1);
	assert_int_equal(counts.of[STATE_KIND_ITEM], 3);
	assert_int_equal(told.state_records, 1);
	reader_dump_fini(&told.dump);
	world_reopen(world); /* and only once */
	world_crash(world);
	read_told(world, &told);
	assert_int_equal(told.state_records, 1);
	reader_dump_fini(&told.dump);
}

/* Segments come and go; what was said in those that went is said again. */
static void test_history_outlives_its_segments(void **state)
{
	struct store_world *world = *state;
	uint32_t newest = 0;
	struct told told;
	char name[16];
	uint64_t as_of = 0;
	int round;

	world_resize(world, 40 * MIB);
	for (round = 0; round < 8; round++) {
		snprintf(name, sizeof(name), "s%d", round);
		world_write(world, 0, 40 * MIB, (uint32_t)round + 2);
		if (round < 3)
			newest = world_snapshot(world, name);
		if (round == 3) /* their blocks go, they stay in history */
			assert_ok(world,
				  history_delete_snapshot(world->store, 2, true,
							  &world_actor,
							  &world->failure));
		assert_int_equal(store_checkpoint(world->store), 0);
		read_told(world, &told);
		assert_all_told(&told, newest);
		as_of = told.dump.newest.as_of_lsn;
		reader_dump_fini(&told.dump);
		if (round % 3 == 2)
			world_crash(world);
	}
	assert_int_not_equal(as_of, 0);
}

/* A store whose index has no dump noted has one after it was opened. */
static void test_a_dump_is_made_up_for(void **state)
{
	struct store_world *world = *state;
	struct told told;
	uint64_t before;

	read_told(world, &told);
	before = told.state_records;
	reader_dump_fini(&told.dump);
	world->store->dumped = false;
	(void)world_snapshot(world, "one");
	store_abandon(world->store); /* the meta row was never committed */
	world_open(world);
	read_told(world, &told);
	assert_true(told.state_records >= before);
	assert_all_told(&told, 1);
	reader_dump_fini(&told.dump);
}

/* What is moved names the line that it is of now: a dump has told of it. */
static void test_a_fold_is_told_before_blocks_are_moved(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct compact_result compacted;
	struct gc_result collected;
	struct told told;
	uint32_t id;
	int i;

	world_write(world, 0, 4 * BLOCK_BYTES, 2);
	id = world_snapshot(world, "s");
	world_write(world, 0, BLOCK_BYTES, 3);
	world_rollback(world, id, &result);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	assert_ok(world,
		  history_delete_snapshot(world->store, result.kept_as.id, true,
					  &world_actor, &world->failure));
	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &collected, &world->failure));
	assert_true(world->store->folds_untold);
	world_crash(world); /* it is known that it was not told */
	for (i = 0; i < 2; i++) {
		assert_ok(world,
			  space_compact(world->store, 0, false, NULL, NULL,
					&compacted, &world->failure));
		assert_false(world->store->folds_untold);
		read_told(world, &told);
		assert_int_equal(count_entries(&told).of[STATE_KIND_FOLD], 1);
		assert_int_equal(told.state_records, 2);
		reader_dump_fini(&told.dump);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_new_store_is_told_when_it_is_opened),
		WORLD_TEST(test_history_outlives_its_segments),
		WORLD_TEST(test_a_dump_is_made_up_for),
		WORLD_TEST(test_a_fold_is_told_before_blocks_are_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
