/*
 * Crash images: the store's directory is copied while the store is open,
 * and the copy must open to the same state. A log that lost its last bytes,
 * or has wrong ones, opens to an older state or not at all.
 */
#include "store_world.h"

/* One file, its holes left out. */
static void copy_file(int from_dir, int to_dir, const char *name)
{
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
	int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	uint8_t *data = malloc(1 << 20);
	off_t at = 0, end;
	struct stat st;

	assert_true(from >= 0 && to >= 0 && data);
	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(ftruncate(to, st.st_size), 0);
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		while (at < end) {
			size_t left = (size_t)(end - at);
			size_t step = left < 1 << 20 ? left : 1 << 20;

			assert_int_equal(io_read_full(from, data, step,
						      (uint64_t)at),
					 step);
			assert_int_equal(
				io_write_all(to, data, step, (uint64_t)at), 0);
			at += (off_t)step;
		}
	}
	free(data);
	close(from);
	close(to);
}

static void copy_files(int from_parent, int to_parent, const char *from_name,
		       const char *to_name)
{
	int from, to;
	struct dirent *entry;
	DIR *directory;

	assert_int_equal(mkdirat(to_parent, to_name, 0700), 0);
	from = openat(from_parent, from_name, O_RDONLY | O_CLOEXEC);
	to = openat(to_parent, to_name, O_RDONLY | O_CLOEXEC);
	directory = fdopendir(from);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (entry->d_type == DT_REG)
			copy_file(from, to, entry->d_name);
		else if (entry->d_name[0] != '.')
			copy_files(from, to, entry->d_name, entry->d_name);
	closedir(directory);
	close(to);
}

/* Stops the store as a crash does, and works on with the image. */
static void continue_with_image(struct store_world *world)
{
	char image[80];

	snprintf(image, sizeof(image), "%s/image", world->directory);
	copy_files(AT_FDCWD, AT_FDCWD, world->path, image);
	store_abandon(world->store);
	world_remove(AT_FDCWD, world->path);
	assert_int_equal(rename(image, world->path), 0);
	world_open(world);
}

static void test_an_image_before_any_checkpoint_has_every_write(void **state)
{
	struct store_world *world = *state;

	world_write(world, 100, 3 * (size_t)BLOCK_BYTES, 2);
	world_zero(world, WINDOW_BYTES - BLOCK_BYTES - 5,
		   (size_t)3 * BLOCK_BYTES);
	world_resize(world, WORLD_BASE_BYTES + 3);
	continue_with_image(world);
	world_check(world);
}

static void test_an_image_after_a_checkpoint_has_both_parts(void **state)
{
	struct store_world *world = *state;

	world_write(world, 100, 3 * (size_t)BLOCK_BYTES, 2);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_write(world, 2 * BLOCK_BYTES, BLOCK_BYTES, 3);
	continue_with_image(world);
	world_check(world);
}

static void test_recovery_counts_what_it_replayed(void **state)
{
	struct store_world *world = *state;
	struct store_status status;

	world_write_block(world, 0, 2);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_write_block(world, 1, 2);
	world_write_block(world, 2, 2);
	continue_with_image(world);
	store_status(world->store, &status);
	assert_int_equal(status.recovered_records, 2);
	world_reopen(world);
	store_status(world->store, &status);
	assert_int_equal(status.recovered_records, 0);
}

static void test_an_image_of_an_image_is_the_same(void **state)
{
	struct store_world *world = *state;
	int i;

	for (i = 0; i < 5; i++) {
		world_write(world, (size_t)i * 5000, 7000, 9 + (uint32_t)i);
		continue_with_image(world);
		world_check(world);
		continue_with_image(world);
		world_check(world);
	}
}

static void test_history_is_in_the_image(void **state)
{
	struct store_world *world = *state;
	struct world_copy first, kept, other;
	struct rollback_result result;
	struct branch_info branch;
	uint32_t id;

	world_write(world, 0, 9000, 2);
	first = world_copy(world);
	id = world_snapshot(world, "first");
	world_write(world, 0, 9000, 3);
	kept = world_copy(world);
	world_rollback(world, id, &result);
	world_expect_copy(world, &first);
	world_write(world, 4000, 200, 4);
	assert_ok(world, history_clone(world->store, "main", 0, "other",
				       &world_actor, &branch, &world->failure));
	other = world_copy(world);
	world_write(world, 4100, 200, 5);
	continue_with_image(world);
	world_check(world);
	world_check_snapshot(world, id, &first);
	world_check_snapshot(world, result.kept_as.id, &kept);
	world_check_branch(world, "other", &other);
	free(first.data);
	free(kept.data);
	free(other.data);
}

static int open_segment(const struct store_world *world)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Where block nr of the image is stored in the first segment. */
static uint64_t find_block(int fd, const struct store_world *world, size_t nr)
{
	uint8_t block[BLOCK_BYTES];
	uint64_t at = 0;

	while (io_read_full(fd, block, sizeof(block), at) == BLOCK_BYTES) {
		if (memcmp(block, world->expected + nr * BLOCK_BYTES,
			   BLOCK_BYTES) == 0)
			return at;
		at += BLOCK_BYTES;
	}
	fail_msg("block %zu is not in the segment", nr);
	return 0;
}

static void spoil(const struct store_world *world, size_t nr)
{
	int fd = open_segment(world);

	assert_int_equal(io_write_all(fd, "spoilt", 6,
				      find_block(fd, world, nr) + 99),
			 0);
	close(fd);
}

/* After a power cut a record may be there and its block not. */
/* D15 */
static void test_a_record_without_its_block_was_never_written(void **state)
{
	struct store_world *world = *state;
	struct world_copy before;

	world_write_block(world, 0, 2);
	assert_int_equal(store_sync(world->store), 0);
	before = world_copy(world);
	world_write_block(world, 1, 3);
	store_abandon(world->store);
	spoil(world, 1);
	world_open(world);
	world_expect_copy(world, &before);
	world_check(world);
	free(before.data);
}

/* What was synced is believed and found damaged when it is read. */
static void test_a_damaged_block_is_an_error_and_never_data(void **state)
{
	struct store_world *world = *state;
	struct store_counters counters;
	struct store_status status;
	uint8_t data[BLOCK_BYTES];
	size_t n;

	world_write_block(world, 0, 2);
	world_write_block(world, 1, 3);
	world_close(world);
	spoil(world, 1);
	world_open(world);
	assert_int_equal(file_read(world->file, BLOCK_BYTES, data, sizeof(data),
				   &n),
			 -EUCLEAN);
	assert_int_equal(file_read(world->file, 2 * BLOCK_BYTES - 1, data, 1,
				   &n),
			 -EUCLEAN);
	assert_int_equal(file_read(world->file, 0, data, sizeof(data), &n), 0);
	assert_memory_equal(data, world->expected, sizeof(data));
	store_counters(world->store, &counters);
	assert_int_equal(counters.checksum_errors, 2);
	store_status(world->store, &status);
	assert_int_equal(status.health, STORE_HEALTH_DAMAGED);
	assert_false(status.read_only);
	/* Written anew, it is whole again. */
	world_write_block(world, 1, 4);
	world_check(world);
}

static void test_a_missing_segment_is_refused(void **state)
{
	struct store_world *world = *state;
	char path[96], aside[96];

	world_write_block(world, 0, 2);
	world_close(world);
	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	snprintf(aside, sizeof(aside), "%s/aside", world->directory);
	assert_int_equal(rename(path, aside), 0);
	assert_failure(world,
		       store_open(world->path, NULL, &world->store,
				  &world->failure),
		       FAILURE_CORRUPT);
	assert_int_equal(rename(aside, path), 0);
	world_open(world);
	world_check(world);
}

static void test_a_truncated_segment_is_refused(void **state)
{
	struct store_world *world = *state;
	int fd;

	world_write_block(world, 0, 2);
	world_close(world);
	fd = open_segment(world);
	assert_int_equal(ftruncate(fd, BLOCK_BYTES), 0);
	close(fd);
	assert_failure(world,
		       store_open(world->path, NULL, &world->store,
				  &world->failure),
		       FAILURE_CORRUPT);
	world->store = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_an_image_before_any_checkpoint_has_every_write),
		WORLD_TEST(test_an_image_after_a_checkpoint_has_both_parts),
		WORLD_TEST(test_recovery_counts_what_it_replayed),
		WORLD_TEST(test_an_image_of_an_image_is_the_same),
		WORLD_TEST(test_history_is_in_the_image),
		WORLD_TEST(test_a_record_without_its_block_was_never_written),
		WORLD_TEST(test_a_damaged_block_is_an_error_and_never_data),
		WORLD_TEST(test_a_missing_segment_is_refused),
		WORLD_TEST(test_a_truncated_segment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
