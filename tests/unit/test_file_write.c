/* What is written is what is read, at every border of block and window. */
#include <sys/statvfs.h>

#include "store_impl.h"
#include "reserve.h"
#include "store_world.h"

static uint64_t host_free_bytes; /* 0: what is true */

int __real_fstatvfs64(int fd, struct statvfs *out);
int __wrap_fstatvfs64(int fd, struct statvfs *out);

int __wrap_fstatvfs64(int fd, struct statvfs *out)
{
	int rc = __real_fstatvfs64(fd, out);

	if (rc == 0 && host_free_bytes)
		out->f_bavail = host_free_bytes / out->f_frsize;
	return rc;
}

static const size_t borders[] = {
	0,
	1,
	BLOCK_BYTES - 1,
	BLOCK_BYTES,
	BLOCK_BYTES + 1,
	WINDOW_BYTES - BLOCK_BYTES,
	WINDOW_BYTES - 1,
	WINDOW_BYTES,
	WINDOW_BYTES + 1,
	WORLD_BASE_BYTES - WORLD_TAIL_BYTES - 1,
	WORLD_BASE_BYTES - WORLD_TAIL_BYTES,
	WORLD_BASE_BYTES - 1,
	WORLD_BASE_BYTES,
	WORLD_BASE_BYTES + 1,
	WORLD_BASE_BYTES + BLOCK_BYTES - WORLD_TAIL_BYTES,
	WORLD_BASE_BYTES + 2 * BLOCK_BYTES,
};
enum { BORDERS = sizeof(borders) / sizeof(borders[0]) };

static const size_t lengths[] = {
	0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES,
};
enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]) };

static void test_a_write_at_every_border_is_read_back(void **state)
{
	struct store_world *world = *state;
	uint32_t seed = 100;
	size_t i, j;

	for (i = 0; i < BORDERS; i++)
		for (j = 0; j < LENGTHS; j++) {
			world_write(world, borders[i], lengths[j], seed++);
			world_check(world);
		}
	world_crash(world);
	world_check(world);
}

static void test_zeros_at_every_border_are_read_back(void **state)
{
	struct store_world *world = *state;
	uint32_t seed = 100;
	size_t i, j;

	for (i = 0; i < BORDERS; i++)
		for (j = 0; j < LENGTHS; j++) {
			world_zero(world, borders[i], lengths[j]);
			world_check(world);
			if (j % 2)
				world_write(world, 0, world->size_bytes,
					    seed++);
		}
	world_crash(world);
	world_check(world);
}

static void test_truncate_down_then_up_reads_zeros(void **state)
{
	struct store_world *world = *state;
	size_t i;

	for (i = 0; i < BORDERS; i++) {
		world_write(world, 0, WORLD_BASE_BYTES + BLOCK_BYTES,
			    50 + (uint32_t)i);
		world_resize(world, borders[i]);
		world_check(world);
		world_resize(world, WORLD_BASE_BYTES + 3 * BLOCK_BYTES);
		world_check(world);
		world_crash(world);
		world_check(world);
	}
}

static void test_base_that_was_cut_off_never_reappears(void **state)
{
	struct store_world *world = *state;

	world_resize(world, BLOCK_BYTES + 1);
	world_resize(world, WORLD_BASE_BYTES + 10);
	world_check(world);
	world_write(world, 3 * BLOCK_BYTES + 5, 1, 9);
	world_check(world);
	world_reopen(world);
	world_check(world);
}

static void test_a_write_past_the_end_leaves_zeros_between(void **state)
{
	struct store_world *world = *state;

	world_write(world, WORLD_BASE_BYTES + 5 * BLOCK_BYTES + 7, 3, 4);
	world_check(world);
	world_write(world, 4 * (size_t)WINDOW_BYTES + 1, 1, 5);
	world_check(world);
}

static void test_a_read_ends_with_the_file(void **state)
{
	struct store_world *world = *state;
	uint8_t data[8] = { 0 };
	size_t n = 99;

	assert_int_equal(
		file_read(world->file, WORLD_BASE_BYTES - 3, data, 8, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(data, world->expected + WORLD_BASE_BYTES - 3, 3);
	assert_int_equal(file_read(world->file, WORLD_BASE_BYTES, data, 8, &n),
			 0);
	assert_int_equal(n, 0);
	assert_int_equal(file_read(world->file, UINT64_MAX, data, 8, &n), 0);
	assert_int_equal(n, 0);
}

static void test_blocks_of_zeros_store_nothing(void **state)
{
	struct store_world *world = *state;
	uint8_t *zeros = calloc(8, BLOCK_BYTES);
	struct store_counters before, after;

	store_counters(world->store, &before);
	assert_int_equal(file_write(world->file, BLOCK_BYTES, zeros,
				    (size_t)8 * BLOCK_BYTES),
			 0);
	store_counters(world->store, &after);
	memset(world->expected + BLOCK_BYTES, 0, (size_t)8 * BLOCK_BYTES);
	free(zeros);
	assert_int_equal(after.stored_bytes, before.stored_bytes);
	assert_int_equal(after.zero_bytes - before.zero_bytes, 8 * BLOCK_BYTES);
	world_check(world);
}

static void test_only_the_blocks_with_data_of_a_write_are_stored(void **state)
{
	struct store_world *world = *state;
	struct store_counters before, after;
	uint8_t *data = calloc(5, BLOCK_BYTES);

	data[BLOCK_BYTES + 77] = 1;    /* block 1 */
	data[5 * BLOCK_BYTES - 1] = 1; /* block 4 */
	store_counters(world->store, &before);
	assert_int_equal(
		file_write(world->file, 0, data, (size_t)5 * BLOCK_BYTES), 0);
	store_counters(world->store, &after);
	memcpy(world->expected, data, (size_t)5 * BLOCK_BYTES);
	free(data);
	assert_int_equal(after.stored_bytes - before.stored_bytes,
			 2 * BLOCK_BYTES);
	world_check(world);
}

static void test_zeros_over_a_hole_are_not_even_logged(void **state)
{
	struct store_world *world = *state;
	struct store_status before, after;
	uint8_t zeros[BLOCK_BYTES] = { 0 };

	world_resize(world, (size_t)3 * WINDOW_BYTES);
	store_status(world->store, &before);
	world_zero(world, (size_t)2 * WINDOW_BYTES, WINDOW_BYTES);
	assert_int_equal(file_write(world->file, (size_t)2 * WINDOW_BYTES,
				    zeros, sizeof(zeros)),
			 0);
	store_status(world->store, &after);
	assert_int_equal(after.log_records, before.log_records);
	world_check(world);
}

static void test_a_punch_gives_back_what_was_stored(void **state)
{
	struct store_world *world = *state;
	struct file_info info;

	world_write(world, 0, (size_t)10 * BLOCK_BYTES, 3);
	file_get_info(world->file, &info);
	assert_int_equal(info.delta_bytes, 10 * BLOCK_BYTES);
	world_zero(world, BLOCK_BYTES, (size_t)4 * BLOCK_BYTES);
	file_get_info(world->file, &info);
	assert_int_equal(info.delta_bytes, 6 * BLOCK_BYTES);
	world_resize(world, (size_t)7 * BLOCK_BYTES);
	file_get_info(world->file, &info);
	assert_int_equal(info.delta_bytes, 3 * BLOCK_BYTES);
	world_check(world);
}

static void test_offsets_that_no_file_has_are_too_big(void **state)
{
	struct store_world *world = *state;
	uint64_t most = FILE_SIZE_BYTES_MAX;

	assert_int_equal(file_write(world->file, most, "x", 1), -EFBIG);
	assert_int_equal(file_write(world->file, UINT64_MAX, "x", 1), -EFBIG);
	assert_int_equal(file_resize(world->file, most + 1), -EFBIG);
	assert_int_equal(file_resize(world->file, UINT64_MAX), -EFBIG);
	world_check(world);
}

static void test_the_largest_file_holds_its_last_byte(void **state)
{
	struct store_world *world = *state;
	uint64_t most = FILE_SIZE_BYTES_MAX;
	struct file_info info;
	char byte = 0;
	size_t n;

	assert_int_equal(file_write(world->file, most - 1, "x", 1), 0);
	world_crash(world);
	file_get_info(world->file, &info);
	assert_int_equal(info.size_bytes, most);
	assert_int_equal(file_read(world->file, most - 1, &byte, 2, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(file_resize(world->file, WORLD_BASE_BYTES), 0);
	world_check(world);
}

static void test_a_snapshot_is_never_written(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy = world_copy(world);
	uint32_t id = world_snapshot(world, "s");
	struct file_info info = { 0 };
	struct view *view;
	struct file *file;

	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	file = view_image(view);
	assert_int_equal(file_write(file, 0, "x", 1), -EROFS);
	assert_int_equal(file_zero(file, 0, 1), -EROFS);
	assert_int_equal(file_resize(file, 1), -EROFS);
	assert_int_equal(file_set_info(file, &info), -EROFS);
	assert_int_equal(file_sync(file), 0);
	view_put(view);
	world_check_snapshot(world, id, &copy);
	free(copy.data);
}

static void test_attributes_survive_a_crash(void **state)
{
	struct store_world *world = *state;
	struct file_info info = { .mode = 04640,
				  .uid = 12,
				  .gid = 34,
				  .atime_ns = 1000000001,
				  .mtime_ns = -2000000002 };
	struct file_info seen;

	assert_int_equal(file_set_info(world->file, &info), 0);
	world_crash(world);
	file_get_info(world->file, &seen);
	assert_int_equal(seen.mode, 04640);
	assert_int_equal(seen.uid, 12);
	assert_int_equal(seen.gid, 34);
	assert_int_equal(seen.atime_ns, info.atime_ns);
	assert_int_equal(seen.mtime_ns, info.mtime_ns);
	assert_int_equal(seen.size_bytes, WORLD_BASE_BYTES);
}

static int setup_inline(void **state)
{
	return world_setup_with(state, WORLD_BASE_BYTES, COMPRESS_MODE_INLINE);
}

/* Each byte on its own: parts of compressed chunks are replaced one by one. */
static void test_parts_of_compressed_chunks_are_replaced(void **state)
{
	struct store_world *world = *state;
	struct store_counters counters;
	struct file_info info;
	uint8_t *data = malloc((size_t)40 * BLOCK_BYTES);
	size_t i;

	memset(data, 'a', (size_t)40 * BLOCK_BYTES);
	assert_int_equal(
		file_write(world->file, 0, data, (size_t)40 * BLOCK_BYTES), 0);
	memcpy(world->expected, data, (size_t)40 * BLOCK_BYTES);
	free(data);
	store_counters(world->store, &counters);
	assert_int_equal(counters.stored_bytes, 3 * BLOCK_BYTES);
	for (i = 0; i < 40; i += 7)
		world_write(world, i * BLOCK_BYTES + 5, 6, (uint32_t)i);
	world_zero(world, (size_t)16 * BLOCK_BYTES + 1, BLOCK_BYTES);
	world_check(world);
	file_get_info(world->file, &info);
	assert_int_equal(info.delta_bytes, 40 * BLOCK_BYTES);
	world_crash(world);
	world_check(world);
}

/* A write that leaves the reserve alone is let through, whatever its size. */
static void test_a_write_is_taken_off_what_is_free_once(void **state)
{
	enum { RESERVE = 1 << 20, LENGTH = 4 << 20 };
	struct store_world *world = *state;
	struct store_config config;
	uint8_t *data = malloc(2 * LENGTH);

	assert_non_null(data);
	world_fill(data, 2 * (size_t)LENGTH, 2);
	store_get_config(world->store, &config);
	config.reserve_bytes = RESERVE;
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
	reserve_keep(world->store);
	host_free_bytes = RESERVE + LENGTH + LENGTH / 2;
	assert_int_equal(file_write(world->file, 0, data, 2 * (size_t)LENGTH),
			 -ENOSPC);
	assert_int_equal(file_write(world->file, 0, data, LENGTH), 0);
	host_free_bytes = 0;
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_write_at_every_border_is_read_back),
		WORLD_TEST(test_zeros_at_every_border_are_read_back),
		WORLD_TEST(test_truncate_down_then_up_reads_zeros),
		WORLD_TEST(test_base_that_was_cut_off_never_reappears),
		WORLD_TEST(test_a_write_past_the_end_leaves_zeros_between),
		WORLD_TEST(test_a_read_ends_with_the_file),
		WORLD_TEST(test_blocks_of_zeros_store_nothing),
		WORLD_TEST(
			test_only_the_blocks_with_data_of_a_write_are_stored),
		WORLD_TEST(test_zeros_over_a_hole_are_not_even_logged),
		WORLD_TEST(test_a_punch_gives_back_what_was_stored),
		WORLD_TEST(test_offsets_that_no_file_has_are_too_big),
		WORLD_TEST(test_the_largest_file_holds_its_last_byte),
		WORLD_TEST(test_a_snapshot_is_never_written),
		WORLD_TEST(test_attributes_survive_a_crash),
		WORLD_TEST(test_a_write_is_taken_off_what_is_free_once),
		cmocka_unit_test_setup_teardown(
			test_parts_of_compressed_chunks_are_replaced,
			setup_inline, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
