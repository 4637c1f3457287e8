/* A commit on a full disk: in blocks that were set aside, or it waits. */
#include "full_hook.h"
#include "index_world.h"

enum { ROW_BYTES = 3000 };

static int full_teardown(void **state)
{
	io_hook = NULL;
	return teardown(state);
}

static uint64_t blocks_of(const struct world *world, const char *name)
{
	struct stat st;
	char path[PATH_MAX];

	path_in(world, name, path);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void put_windows(struct world *world, unsigned count, uint8_t byte)
{
	uint8_t row[ROW_BYTES];
	unsigned i;

	memset(row, byte, sizeof(row));
	for (i = 0; i < count; i++) {
		/* Anywhere: each in a page of its own. */
		struct window_key key = { 2, i * UINT64_C(7919) % 10007, 1, 1 };

		assert_int_equal(index_window_put(world->index, &key, row,
						  sizeof(row)),
				 0);
	}
}

static void assert_windows(struct world *world, unsigned count, uint8_t byte)
{
	struct window_key key = { 0 };
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	size_t row_bytes;
	unsigned found = 0;

	while (index_window_scan(world->index, &key, row, &row_bytes) == 0) {
		assert_int_equal(row_bytes, ROW_BYTES);
		assert_int_equal(row[0], byte);
		found++;
	}
	assert_int_equal(found, count);
}

static void keep(struct world *world, unsigned rows)
{
	assert_int_equal(index_keep_room(world->index, rows,
					 (uint64_t)rows * ROW_BYTES),
			 0);
	if (world->index->no_room_kept)
		skip();
}

static void reopen(struct world *world)
{
	close_world(world);
	open_world(world);
}

static void test_a_commit_finds_the_room_that_was_kept(void **state)
{
	static const unsigned counts[] = { 1, 10, 100, 1000 };
	struct world *world = *state;
	struct full_disk disk = { 0 };

	for (unsigned i = 0; i < 4; i++) {
		keep(world, counts[i]);
		full_disk_begin(&disk);
		put_windows(world, counts[i], (uint8_t)i);
		assert_int_equal(index_commit(world->index), 0);
		/* And once more: the WAL begins anew in the same blocks. */
		put_windows(world, counts[i], (uint8_t)(i + 1));
		assert_int_equal(index_commit(world->index), 0);
		assert_false(index_waits(world->index));
		assert_int_equal(disk.refused, 0);
		io_hook = NULL;
		reopen(world);
		assert_windows(world, counts[i], (uint8_t)(i + 1));
	}
}

static void test_what_finds_no_room_waits_and_is_read(void **state)
{
	struct world *world = *state;
	struct full_disk disk = { 0 };

	put_windows(world, 50, 1);
	assert_int_equal(index_commit(world->index), 0);
	full_disk_begin(&disk);
	put_windows(world, 300, 2);
	assert_int_equal(index_commit(world->index), -ENOSPC);
	assert_true(index_waits(world->index));
	assert_windows(world, 300, 2);
	put_windows(world, 400, 3);
	assert_int_equal(index_commit(world->index), -ENOSPC);
	assert_int_equal(index_backup(world->index, world->directory), -ENOSPC);
	assert_windows(world, 400, 3);
	disk.full = false;
	assert_int_equal(index_commit(world->index), 0);
	assert_false(index_waits(world->index));
	reopen(world);
	assert_windows(world, 400, 3);
}

static void test_what_waits_is_lost_by_a_crash_as_a_whole(void **state)
{
	struct world *world = *state;
	struct full_disk disk = { .error = -EDQUOT };

	put_windows(world, 50, 1);
	assert_int_equal(index_commit(world->index), 0);
	full_disk_begin(&disk);
	put_windows(world, 300, 2);
	assert_int_equal(index_commit(world->index), -ENOSPC);
	close_world(world);
	io_hook = NULL;
	open_world(world);
	assert_windows(world, 50, 1);
}

static void test_blocks_stay_from_one_opening_to_the_next(void **state)
{
	struct world *world = *state;
	struct full_disk disk = { 0 };

	keep(world, 1);
	put_windows(world, 1, 1);
	assert_int_equal(index_commit(world->index), 0);
	close_world(world);
	assert_true(blocks_of(world, "index.db-wal") >= 512 << 10);
	full_disk_begin(&disk);
	open_world(world);
	put_windows(world, 1, 2);
	assert_int_equal(index_commit(world->index), 0);
	assert_false(index_waits(world->index));
}

static void test_a_wal_gives_back_what_it_need_not_keep(void **state)
{
	struct world *world = *state;

	keep(world, 2000);
	put_windows(world, 2000, 1);
	assert_int_equal(index_commit(world->index), 0);
	assert_true(blocks_of(world, "index.db-wal") > 2 << 20);
	keep(world, 0);
	assert_int_equal(index_meta_put(world->index, "a", 1), 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_true(blocks_of(world, "index.db-wal") <= 600 << 10);
}

static void test_without_room_kept_the_wal_is_empty(void **state)
{
	struct world *world = *state;

	put_windows(world, 20, 1);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(blocks_of(world, "index.db-wal"), 0);
}

/* Frames of the commit before are behind a header of zeros. */
static void test_an_emptied_wal_brings_nothing_back(void **state)
{
	struct world *world = *state;
	char from[PATH_MAX], to[PATH_MAX], command[2 * PATH_MAX + 8];

	keep(world, 20);
	put_windows(world, 20, 1);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(index_backup(world->index, world->directory), 0);
	put_windows(world, 20, 2);
	assert_int_equal(index_commit(world->index), 0);
	close_world(world);
	/* Not as the documents have it, but nobody is to be hurt by it. */
	path_in(world, "index.bak", from);
	path_in(world, "index.db", to);
	snprintf(command, sizeof(command), "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
	open_world(world);
	assert_windows(world, 20, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, full_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_commit_finds_the_room_that_was_kept),
		CASE(test_what_finds_no_room_waits_and_is_read),
		CASE(test_what_waits_is_lost_by_a_crash_as_a_whole),
		CASE(test_blocks_stay_from_one_opening_to_the_next),
		CASE(test_a_wal_gives_back_what_it_need_not_keep),
		CASE(test_without_room_kept_the_wal_is_empty),
		CASE(test_an_emptied_wal_brings_nothing_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
