/* Where data and holes begin, and reads that meet changes. */
#include "store_world.h"

#include <pthread.h>
#include <stdatomic.h>

enum { B = BLOCK_BYTES, SPARSE_BYTES = 5 * WINDOW_BYTES + 100 };

/* The base's own holes: data in [2, 3) and [B * 600, B * 601). */
static int setup_sparse(void **state)
{
	struct store_world *world;
	struct store_create_params params = { 0 };
	int fd;

	world_setup(state);
	world = *state;
	world_close(world);
	world_remove(AT_FDCWD, world->path);
	fd = open(world->base_path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, "x", 1, 2 * B), 0);
	assert_int_equal(io_write_all(fd, "x", 1, 600 * B), 0);
	assert_int_equal(ftruncate(fd, SPARSE_BYTES), 0);
	close(fd);
	params.path = world->path;
	params.base_path = world->base_path;
	world_config(&params.config);
	assert_ok(world, store_create(&params, &world->failure));
	world_open(world);
	world->expected = realloc(world->expected, SPARSE_BYTES);
	assert_non_null(world->expected);
	world->size_bytes = SPARSE_BYTES;
	memset(world->expected, 0, SPARSE_BYTES);
	world->expected[2 * B] = world->expected[600 * B] = 'x';
	return 0;
}

static void assert_data(struct store_world *world, uint64_t from, uint64_t at)
{
	uint64_t found = 0;

	assert_int_equal(file_seek(world->file, from, true, &found), 0);
	assert_int_equal(found, at);
}

static void assert_hole(struct store_world *world, uint64_t from, uint64_t at)
{
	uint64_t found = 0;

	assert_int_equal(file_seek(world->file, from, false, &found), 0);
	assert_int_equal(found, at);
}

static void assert_none(struct store_world *world, uint64_t from)
{
	uint64_t found;

	assert_int_equal(file_seek(world->file, from, true, &found), -ENXIO);
}

static void test_holes_of_base_are_holes(void **state)
{
	struct store_world *world = *state;

	world_check(world);
	assert_data(world, 0, 2 * B);
	assert_data(world, 2 * B + 7, 2 * B + 7);
	assert_data(world, 3 * B, 600 * B);
	assert_none(world, 601 * B);
	assert_hole(world, 0, 0);
	assert_hole(world, 2 * B, 3 * B);
	assert_hole(world, 600 * B + 1, 601 * B);
}

static void test_what_was_written_is_data(void **state)
{
	struct store_world *world = *state;

	world_write(world, 5 * B + 1, 1, 2);
	world_write(world, WINDOW_BYTES - B, 2 * B, 3);
	assert_data(world, 3 * B, 5 * B);
	assert_hole(world, 5 * B, 6 * B);
	assert_data(world, 6 * B, WINDOW_BYTES - B);
	assert_hole(world, WINDOW_BYTES - B, WINDOW_BYTES + B);
	assert_data(world, WINDOW_BYTES + B, 600 * B);
}

static void test_what_was_punched_is_a_hole(void **state)
{
	struct store_world *world = *state;

	world_zero(world, 600 * B, B);
	assert_none(world, 3 * B);
	world_write(world, 600 * B, 3 * B, 2);
	world_zero(world, 601 * B, B);
	assert_data(world, 3 * B, 600 * B);
	assert_hole(world, 600 * B, 601 * B);
	assert_data(world, 601 * B, 602 * B);
	assert_none(world, 603 * B);
}

static void test_the_end_of_the_file_is_a_hole(void **state)
{
	struct store_world *world = *state;
	uint64_t end = SPARSE_BYTES, found;

	world_write(world, SPARSE_BYTES - 1, 1, 2);
	assert_hole(world, end - 1, end);
	assert_data(world, end - 1, end - 1);
	assert_int_equal(file_seek(world->file, end, true, &found), -ENXIO);
	assert_int_equal(file_seek(world->file, end, false, &found), -ENXIO);
	assert_int_equal(file_seek(world->file, UINT64_MAX, false, &found),
			 -ENXIO);
}

static void test_far_data_is_found_over_many_empty_windows(void **state)
{
	struct store_world *world = *state;
	uint64_t far = (uint64_t)1 << 50;

	assert_int_equal(file_write(world->file, far, "x", 1), 0);
	assert_data(world, 601 * B, far);
	assert_hole(world, far, far + 1);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_reopen(world);
	assert_data(world, 601 * B, far);
	assert_int_equal(file_zero(world->file, far, 1), 0);
	assert_none(world, 601 * B);
}

static void test_base_past_a_cut_is_a_hole(void **state)
{
	struct store_world *world = *state;

	world_resize(world, 600 * B);
	world_resize(world, SPARSE_BYTES);
	assert_none(world, 3 * B);
	assert_hole(world, 3 * B, 3 * B);
	world_check(world);
}

struct racer {
	struct file *file;
	atomic_bool stop;
	uint32_t wrong;
	atomic_uint rounds;
};

/* Every block is of one write, whole. */
static void *read_on(void *context)
{
	struct racer *racer = context;
	uint8_t data[4 * B];
	size_t n, i;

	while (!atomic_load(&racer->stop)) {
		if (file_read(racer->file, 0, data, sizeof(data), &n) != 0 ||
		    n != sizeof(data))
			racer->wrong++;
		for (i = 0; i < n; i++)
			racer->wrong += data[i] != data[i / B * B];
		atomic_fetch_add(&racer->rounds, 1);
	}
	return NULL;
}

static void test_a_read_never_sees_half_a_block(void **state)
{
	struct store_world *world = *state;
	struct racer racer = { .file = world->file };
	uint8_t data[4 * B];
	pthread_t thread;
	int i;

	memset(data, 1, sizeof(data));
	assert_int_equal(file_write(world->file, 0, data, sizeof(data)), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_on, &racer), 0);
	for (i = 0; i < 200 || atomic_load(&racer.rounds) < 10; i++) {
		memset(data, 1 + i % 250, sizeof(data));
		assert_int_equal(file_write(world->file, 0, data, sizeof(data)),
				 0);
		if (i % 20 == 0)
			assert_int_equal(store_checkpoint(world->store), 0);
	}
	atomic_store(&racer.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(racer.wrong, 0);
}

static void test_reads_and_writes_are_counted(void **state)
{
	struct store_world *world = *state;
	struct store_counters a, b;
	uint8_t data[2 * B];
	size_t n;

	store_counters(world->store, &a);
	world_write(world, 0, B, 2);
	assert_int_equal(file_read(world->file, 0, data, sizeof(data), &n), 0);
	store_counters(world->store, &b);
	assert_int_equal(b.writes - a.writes, 1);
	assert_int_equal(b.write_bytes - a.write_bytes, B);
	assert_int_equal(b.stored_bytes - a.stored_bytes, B);
	assert_int_equal(b.reads - a.reads, 1);
	assert_int_equal(b.read_bytes - a.read_bytes, 2 * B);
	assert_int_equal(b.base_read_bytes - a.base_read_bytes, B);
}

#define SPARSE_TEST(test) \
	cmocka_unit_test_setup_teardown(test, setup_sparse, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPARSE_TEST(test_holes_of_base_are_holes),
		SPARSE_TEST(test_what_was_written_is_data),
		SPARSE_TEST(test_what_was_punched_is_a_hole),
		SPARSE_TEST(test_the_end_of_the_file_is_a_hole),
		SPARSE_TEST(test_far_data_is_found_over_many_empty_windows),
		SPARSE_TEST(test_base_past_a_cut_is_a_hole),
		WORLD_TEST(test_a_read_never_sees_half_a_block),
		WORLD_TEST(test_reads_and_writes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
