/* Compaction moves what is live, and everything reads the same. */
#include "store_world.h"

#include "store_impl.h"

enum { B = BLOCK_BYTES, STEP_BYTES = 4 << 20 };

static struct compact_result compact(struct store_world *world,
				     unsigned percent, bool dry_run)
{
	struct compact_result result;

	assert_ok(world, space_compact(world->store, percent, dry_run, NULL,
				       NULL, &result, &world->failure));
	return result;
}

static uint32_t segment_count(const struct store_world *world)
{
	char path[80];
	struct dirent *entry;
	uint32_t count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/segments", world->path);
	directory = opendir(path);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count += strstr(entry->d_name, ".seg") != NULL;
	closedir(directory);
	return count;
}

/* Leaves the header of a segment and no chain of records. */
static int wipe_records(const char *path)
{
	static const char zeros[FORMAT_BLOCK_BYTES];
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n =
		pwrite(fd, zeros, sizeof(zeros),
		       (off_t)SEGMENT_FIRST_RECORD_BLOCK * FORMAT_BLOCK_BYTES);

	close(fd);
	return n == sizeof(zeros) ? 0 : -1;
}

/* Writes and overwrites until the first segment is sealed. */
static void fill_segments(struct store_world *world, uint32_t count)
{
	uint32_t seed = 1000;

	while (segment_count(world) < count)
		world_write(world, 0, STEP_BYTES, seed++);
}

static void test_live_blocks_move_and_dead_segments_go(void **state)
{
	struct store_world *world = *state;
	struct compact_result result;
	uint32_t i;

	world_write(world, 6 << 20, (size_t)5 * B, 2); /* stays live */
	fill_segments(world, 2);
	result = compact(world, 50, true);
	assert_int_equal(result.segments, 1);
	assert_true(result.freed_bytes > 40 << 20);
	assert_int_equal(segment_count(world), 2);
	result = compact(world, 50, false);
	assert_int_equal(result.segments, 1);
	assert_true(result.moved_bytes >= 5 * B);
	world_check(world);
	/* A segment goes when later records are in the index for sure. */
	for (i = 0; i < 70; i++)
		world_write_block(world, 1, i);
	compact(world, 50, false);
	assert_int_equal(segment_count(world), 1);
	world_crash(world);
	world_check(world);
	assert_int_equal(compact(world, 50, false).segments, 0);
}

/* The records of its last chunks stand in a segment that went before it. */
static void test_segment_moves_without_the_records_of_the_next(void **state)
{
	struct store_world *world = *state;
	char path[96];

	world_write(world, 6 << 20, (size_t)5 * B, 2); /* stays live */
	fill_segments(world, 3);
	assert_ok(world, store_checkpoint(world->store));
	/* What is left of it when all but records has been punched out. */
	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	assert_int_equal(wipe_records(path), 0);
	assert_true(compact(world, 50, false).segments >= 1);
	world_check(world);
	assert_int_equal(access(path, F_OK), -1); /* dead and gone */
	assert_int_equal(compact(world, 50, true).segments, 0);
}

static void test_snapshots_read_the_same_after_a_move(void **state)
{
	struct store_world *world = *state;
	struct world_copy old, middle;
	uint32_t first, second;

	world_write(world, 100, (size_t)20 * B, 2);
	old = world_copy(world);
	first = world_snapshot(world, "first");
	world_write(world, 5 * B + 7, (size_t)6 * B, 3);
	middle = world_copy(world);
	second = world_snapshot(world, "second");
	fill_segments(world, 2);
	assert_int_equal(compact(world, 50, false).segments, 1);
	world_check(world);
	world_check_snapshot(world, first, &old);
	world_check_snapshot(world, second, &middle);
	world_reopen(world);
	world_check(world);
	world_check_snapshot(world, first, &old);
	world_check_snapshot(world, second, &middle);
	free(old.data);
	free(middle.data);
}

/* The index is older than the moves: the log has them. */
static void test_a_crash_right_after_a_move_loses_nothing(void **state)
{
	struct store_world *world = *state;
	struct world_copy old;
	uint32_t id;

	world_write(world, 100, (size_t)20 * B, 2);
	old = world_copy(world);
	id = world_snapshot(world, "s");
	fill_segments(world, 2);
	assert_int_equal(compact(world, 50, false).segments, 1);
	world_write(world, 3 * B, B, 77);
	world_crash(world);
	world_check(world);
	world_check_snapshot(world, id, &old);
	free(old.data);
}

static int stop_at_once(void *context, uint64_t done, uint64_t total)
{
	(void)context, (void)done, (void)total;
	return 1;
}

static void test_stopped_compaction_keeps_what_it_did(void **state)
{
	struct store_world *world = *state;
	struct compact_result result;

	world_write(world, 6 << 20, (size_t)5 * B, 2);
	fill_segments(world, 3);
	world_write(world, 7 << 20, (size_t)5 * B, 3);
	assert_failure(world,
		       space_compact(world->store, 1, false, stop_at_once, NULL,
				     &result, &world->failure),
		       FAILURE_INTERRUPTED);
	assert_int_equal(result.segments, 1);
	world_check(world);
	compact(world, 50, false);
	world_check(world);
	world_crash(world);
	world_check(world);
}

static int setup_idle(void **state)
{
	return world_setup_with(state, WORLD_BASE_BYTES, COMPRESS_MODE_IDLE);
}

static void test_moved_runs_are_compressed(void **state)
{
	struct store_world *world = *state;
	struct compact_result result;
	uint8_t *text = malloc((size_t)32 * B);
	struct world_copy old;
	uint32_t id;

	memset(text, 't', (size_t)32 * B);
	assert_int_equal(file_write(world->file, 0, text, (size_t)32 * B), 0);
	memcpy(world->expected, text, (size_t)32 * B);
	free(text);
	old = world_copy(world);
	id = world_snapshot(world, "text");
	world_write(world, 3 * B + 1, B, 5);
	fill_segments(world, 2);
	result = compact(world, 50, false);
	assert_int_equal(result.segments, 1);
	assert_true(result.saved_by_compression_bytes >= 20 * B);
	world_check(world);
	world_check_snapshot(world, id, &old);
	world_crash(world);
	world_check(world);
	world_check_snapshot(world, id, &old);
	free(old.data);
}

/* A version of the image's inode, of any line, that asks for it. */
static void put_raw_inode(struct store_world *world)
{
	const struct inode_item item = { .mode = S_IFREG | 0644,
					 .flags = INODE_FLAG_RAW };
	const struct item_version version = { 77, 7 };
	uint8_t key[ITEM_PREFIX_BYTES];
	uint8_t value[ITEM_CHECKSUM_BYTES + INODE_ITEM_BYTES];
	struct item_identity identity = { key, sizeof(key), version.line,
					  version.gen };
	size_t bytes;

	item_key_prefix(IMAGE_INODE, ITEM_TYPE_INODE, key);
	bytes = inode_item_encode(&item, value + ITEM_CHECKSUM_BYTES);
	bytes = item_value_encode(world->store->seed, &identity,
				  value + ITEM_CHECKSUM_BYTES, bytes, value);
	assert_int_equal(index_item_put(world->store->index, key, sizeof(key),
					&version, value, bytes),
			 0);
}

static void test_raw_files_stay_raw(void **state)
{
	struct store_world *world = *state;
	uint8_t *text = malloc((size_t)32 * B);
	struct compact_result result;

	memset(text, 't', (size_t)32 * B);
	assert_int_equal(file_write(world->file, 0, text, (size_t)32 * B), 0);
	memcpy(world->expected, text, (size_t)32 * B);
	free(text);
	(void)world_snapshot(world, "text");
	world_write(world, 3 * B + 1, B, 5);
	fill_segments(world, 2);
	put_raw_inode(world);
	result = compact(world, 50, false);
	assert_int_equal(result.segments, 1);
	assert_true(result.moved_bytes >= 32 * B);
	assert_int_equal(result.saved_by_compression_bytes, 0);
	world_check(world);
}

static void test_a_full_segment_is_left_alone(void **state)
{
	struct store_world *world = *state;
	size_t at = 0;

	while (segment_count(world) < 2) {
		world_write(world, at, STEP_BYTES, (uint32_t)at);
		at += STEP_BYTES;
	}
	assert_int_equal(compact(world, 50, false).segments, 0);
	assert_int_equal(compact(world, 50, false).moved_bytes, 0);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_live_blocks_move_and_dead_segments_go),
		WORLD_TEST(test_segment_moves_without_the_records_of_the_next),
		WORLD_TEST(test_snapshots_read_the_same_after_a_move),
		WORLD_TEST(test_a_crash_right_after_a_move_loses_nothing),
		WORLD_TEST(test_stopped_compaction_keeps_what_it_did),
		cmocka_unit_test_setup_teardown(test_moved_runs_are_compressed,
						setup_idle, world_teardown),
		cmocka_unit_test_setup_teardown(test_raw_files_stay_raw,
						setup_idle, world_teardown),
		WORLD_TEST(test_a_full_segment_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
