/* The index moves forward: what is in it, what is freed by it, what fails. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store_world.h"

#include "store_impl.h"

enum { B = BLOCK_BYTES };

/* The linker gives every flush of the log to this one. */
static int sync_result;

int __wrap_io_sync_data(int fd);

int __wrap_io_sync_data(int fd)
{
	if (sync_result < 0)
		return sync_result;
	return fdatasync(fd) < 0 ? -errno : 0;
}

/* Another thread has the tail moved once the bitmaps were copied, if it can. */
static struct log *moving;
static pthread_t mover;
static atomic_bool is_moved;

static void *move_tail(void *context)
{
	struct log_position before, now;
	struct location at;

	log_get_position(context, &before);
	do {
		assert_int_equal(log_reserve(context, 256, &at), 0);
		log_get_position(context, &now);
	} while (now.tail_segment == before.tail_segment);
	atomic_store(&is_moved, true);
	return NULL;
}

int __real_space_map_begin_save(struct space_map *map,
				struct space_save *out_save);
int __wrap_space_map_begin_save(struct space_map *map,
				struct space_save *out_save);

int __wrap_space_map_begin_save(struct space_map *map,
				struct space_save *out_save)
{
	int rc = __real_space_map_begin_save(map, out_save), i;

	if (!moving)
		return rc;
	assert_int_equal(pthread_create(&mover, NULL, move_tail, moving), 0);
	moving = NULL;
	for (i = 0; i < 100 && !atomic_load(&is_moved); i++)
		usleep(2000);
	return rc;
}

static int teardown(void **state)
{
	sync_result = 0;
	return world_teardown(state);
}

static struct store_status status(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	return status;
}

static void test_after_a_checkpoint_nothing_is_replayed(void **state)
{
	struct store_world *world = *state;

	world_write(world, 100, 3 * WINDOW_BYTES / 2, 2);
	assert_true(status(world).dirty_bytes > 0);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(status(world).dirty_bytes, 0);
	assert_int_equal(status(world).checkpoint_lsn,
			 status(world).log_records);
	world_crash(world);
	assert_int_equal(status(world).recovered_records, 0);
	world_check(world);
}

static void test_an_older_version_is_saved_behind_a_newer(void **state)
{
	struct store_world *world = *state;
	struct world_copy copies[4];
	uint32_t ids[4], i;
	char name[8];

	for (i = 0; i < 4; i++) { /* all unsaved, one behind the other */
		world_write(world, 10, 5000, 2 + i);
		copies[i] = world_copy(world);
		snprintf(name, sizeof(name), "s%u", i);
		ids[i] = world_snapshot(world, name);
	}
	world_write(world, 10, 5000, 9);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_crash(world);
	for (i = 0; i < 4; i++) {
		world_check_snapshot(world, ids[i], &copies[i]);
		free(copies[i].data);
	}
	world_check(world);
}

/* Rule 8: a second flush that succeeds would lie. */
static void test_after_a_failed_flush_nothing_succeeds(void **state)
{
	struct store_world *world = *state;
	struct failure failure = { 0 };

	world_write(world, 0, B, 2);
	sync_result = -EIO;
	assert_true(store_sync(world->store) < 0);
	sync_result = 0;
	assert_true(store_sync(world->store) < 0);
	assert_true(file_sync(world->file) < 0);
	assert_true(store_checkpoint(world->store) < 0);
	assert_int_equal(file_write(world->file, 0, "x", 1), -EROFS);
	assert_int_equal(file_resize(world->file, 1), -EROFS);
	assert_true(history_snapshot(world->store, "main", "s", NULL,
				     SNAPSHOT_KIND_MANUAL, &world_actor, NULL,
				     &failure) < 0);
	assert_true(status(world).read_only);
	assert_int_equal(status(world).health, STORE_HEALTH_DAMAGED);
	assert_string_not_equal(status(world).reason, "");
	world_check(world); /* reading goes on */
	view_put(world->view);
	assert_true(store_close(world->store) < 0);
	world_open(world);
	assert_false(status(world).read_only);
	world_check(world);
	world_write(world, 0, B, 3);
	assert_int_equal(store_sync(world->store), 0);
}

/* Rule 3: no index that refers to what may not be on disk. */
static void test_a_checkpoint_that_cannot_flush_changes_no_index(void **state)
{
	struct store_world *world = *state;
	uint64_t lsn = status(world).checkpoint_lsn;

	world_write(world, 0, B, 2);
	sync_result = -EIO;
	assert_true(store_checkpoint(world->store) < 0);
	sync_result = 0;
	assert_int_equal(status(world).checkpoint_lsn, lsn);
	world_crash(world);
	assert_int_equal(status(world).recovered_records, 1);
	world_check(world);
}

static void test_a_snapshot_that_cannot_flush_stops_the_store(void **state)
{
	struct store_world *world = *state;
	struct failure failure = { 0 };

	world_write(world, 0, B, 2);
	sync_result = -EIO;
	assert_true(history_snapshot(world->store, "main", "s", NULL,
				     SNAPSHOT_KIND_MANUAL, &world_actor, NULL,
				     &failure) < 0);
	assert_int_not_equal(failure.code, FAILURE_NONE);
	sync_result = 0;
	assert_true(status(world).read_only);
	assert_int_equal(file_write(world->file, 0, "x", 1), -EROFS);
	assert_true(store_sync(world->store) < 0);
}

static int find_row(void *context, const struct segment_row *row)
{
	uint32_t *wanted = context;

	if (row->id == *wanted)
		*wanted = 0;
	return 0;
}

static void test_the_segment_of_the_tail_has_a_row(void **state)
{
	struct store_world *world = *state;
	uint32_t wanted;
	int64_t tail;

	world_write(world, 0, B, 2);
	moving = world->store->log;
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(pthread_join(mover, NULL), 0);
	assert_int_equal(index_meta_get(world->store->index, "log_tail_segment",
					&tail),
			 0);
	wanted = (uint32_t)tail;
	assert_int_equal(
		index_segments_load(world->store->index, find_row, &wanted), 0);
	assert_int_equal(wanted, 0);
	world_crash(world);
	world_check(world);
}

#define FLUSH_TEST(test) \
	cmocka_unit_test_setup_teardown(test, world_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLUSH_TEST(test_after_a_checkpoint_nothing_is_replayed),
		FLUSH_TEST(test_an_older_version_is_saved_behind_a_newer),
		FLUSH_TEST(test_after_a_failed_flush_nothing_succeeds),
		FLUSH_TEST(
			test_a_checkpoint_that_cannot_flush_changes_no_index),
		FLUSH_TEST(test_a_snapshot_that_cannot_flush_stops_the_store),
		FLUSH_TEST(test_the_segment_of_the_tail_has_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
