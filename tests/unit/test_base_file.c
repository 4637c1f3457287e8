/* The bytes of files of base, and that changes are seen. */
#include <pthread.h>

#include "layers_world.h"

enum { FILES = 150, THREADS = 4, ROUNDS = 2000 };

static void assert_bytes(struct base_file *file, uint64_t offset_bytes,
			 const char *text, size_t len_bytes)
{
	char data[64];

	memset(data, 0x55, sizeof(data));
	assert_true(len_bytes <= sizeof(data));
	assert_int_equal(base_file_read(file, offset_bytes, data, len_bytes),
			 0);
	assert_memory_equal(data, text, len_bytes);
}

static void assert_stale(struct base_file *file)
{
	uint64_t found;
	char byte;

	assert_int_equal(base_file_read(file, 0, &byte, 1), -ESTALE);
	assert_int_equal(base_file_seek(file, 0, true, &found), -ESTALE);
	/* For ever, also where nothing is read. */
	assert_int_equal(base_file_read(file, 1000000, &byte, 1), -ESTALE);
}

static void test_bytes_of_the_upper_layer_and_zeros_past_the_end(void **state)
{
	struct layers_world *world = *state;
	struct base_file *file;

	world_write(world, "1/f", "upper");
	world_write(world, "2/f", "lower one");
	world_open(world, "123");
	file = world_file(world, "f");
	assert_bytes(file, 0, "upper", 5);
	assert_bytes(file, 1, "pp", 2);
	assert_bytes(file, 3, "er\0\0\0", 5);
	assert_bytes(file, 5, "\0\0", 2);
	assert_bytes(file, UINT64_MAX - 1, "\0\0", 2);
	base_file_will_read(file, 0, 5);
	base_file_will_read(file, 100, 5);
	base_file_close(file);
	base_file_close(NULL);
}

static void test_holes_are_told(void **state)
{
	struct layers_world *world = *state;
	struct base_file *file;
	uint64_t found = 0;
	int fd = openat(world->fd, "1/f", O_CREAT | O_WRONLY, 0644);

	assert_int_equal(ftruncate(fd, 3 << 20), 0);
	assert_int_equal(pwrite(fd, "x", 1, 1 << 20), 1);
	close(fd);
	world_open(world, "1");
	file = world_file(world, "f");
	assert_int_equal(base_file_seek(file, 0, false, &found), 0);
	assert_int_equal(found, 0);
	assert_int_equal(base_file_seek(file, 0, true, &found), 0);
	assert_int_equal(found, 1 << 20);
	assert_int_equal(base_file_seek(file, 2 << 20, true, &found), -ENXIO);
	assert_int_equal(base_file_seek(file, 3 << 20, false, &found), -ENXIO);
	assert_int_equal(base_file_seek(file, (3 << 20) - 1, false, &found), 0);
	assert_int_equal(found, (3 << 20) - 1);
	base_file_close(file);
}

static void test_file_written_to_while_open_is_stale(void **state)
{
	struct layers_world *world = *state;
	struct layers_changes changes;
	struct base_file *file;

	world_mkdir(world, "2/d");
	world_write(world, "2/d/f", "before");
	world_open(world, "123");
	file = world_file(world, "d/f");
	assert_bytes(file, 0, "before", 6);
	layers_changes(world->layers, &changes);
	assert_int_equal(changes.count, 0);
	usleep(20000); /* more than a tick of the file system's clock */
	world_write(world, "2/d/f", "after.");
	assert_stale(file);
	layers_changes(world->layers, &changes);
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes.layer, 2);
	assert_string_equal(changes.path, "/d/f");
	base_file_close(file);
}

static void test_file_changed_before_it_is_opened_is_stale(void **state)
{
	struct layers_world *world = *state;
	struct base_file *shorter, *replaced, *gone, *linked, *fifo;

	world_write(world, "1/shorter", "123");
	world_write(world, "1/replaced", "123");
	world_write(world, "1/gone", "123");
	world_write(world, "1/linked", "123");
	world_write(world, "1/fifo", "123");
	world_open(world, "1");
	shorter = world_file(world, "shorter");
	replaced = world_file(world, "replaced");
	gone = world_file(world, "gone");
	linked = world_file(world, "linked");
	fifo = world_file(world, "fifo");
	world_write(world, "1/shorter", "12");
	world_write(world, "1/new", "123");
	assert_int_equal(renameat(world->fd, "1/new", world->fd, "1/replaced"),
			 0);
	assert_int_equal(unlinkat(world->fd, "1/gone", 0), 0);
	assert_int_equal(unlinkat(world->fd, "1/linked", 0), 0);
	assert_int_equal(symlinkat("shorter", world->fd, "1/linked"), 0);
	assert_int_equal(unlinkat(world->fd, "1/fifo", 0), 0);
	assert_int_equal(mkfifoat(world->fd, "1/fifo", 0600), 0);
	assert_stale(shorter);
	assert_stale(replaced);
	assert_stale(gone);
	assert_stale(linked);
	assert_stale(fifo); /* and does not hang */
	base_file_close(shorter);
	base_file_close(replaced);
	base_file_close(gone);
	base_file_close(linked);
	base_file_close(fifo);
}

static void test_unreadable_file_is_told(void **state)
{
	struct layers_world *world = *state;
	struct base_file *file;
	char byte;
	int rc;

	world_write(world, "1/f", "secret");
	assert_int_equal(fchmodat(world->fd, "1/f", 0, 0), 0);
	assert_int_equal(chmod(world->root, 0755), 0);
	world_open(world, "1");
	file = world_file(world, "f");
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	rc = base_file_read(file, 0, &byte, 1);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -EACCES);
	base_file_close(file);
}

static void test_reading_leaves_the_time_of_access(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1000 },
					   { .tv_sec = 2000 } };
	struct layers_world *world = *state;
	struct base_file *file;
	struct stat st;

	world_write(world, "1/f", "bytes");
	assert_int_equal(utimensat(world->fd, "1/f", times, 0), 0);
	world_open(world, "1");
	file = world_file(world, "f");
	assert_bytes(file, 0, "bytes", 5);
	base_file_close(file);
	assert_int_equal(fstatat(world->fd, "1/f", &st, 0), 0);
	assert_int_equal(st.st_atime, 1000);
}

static void make_files(struct layers_world *world)
{
	char path[32];
	int i;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "1/%d", i);
		world_write(world, path, path + 2);
	}
}

static void open_files(struct layers_world *world, struct base_file **files)
{
	char path[32];
	int i;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%d", i);
		files[i] = world_file(world, path);
	}
}

static void test_open_files_are_bounded(void **state)
{
	struct layers_world *world = *state;
	struct base_file *files[FILES];
	unsigned before;
	char path[32];
	int round, i;

	world_limit();
	make_files(world);
	world_open(world, "1");
	before = world_open_descriptors();
	open_files(world, files);
	assert_int_equal(world_open_descriptors(), before);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < FILES; i++) {
			snprintf(path, sizeof(path), "%d", i);
			assert_bytes(files[i], 0, path, strlen(path));
		}
		assert_true(world_open_descriptors() <=
			    before + WORLD_OPEN_MAX);
		assert_true(world_open_descriptors() > before);
	}
	for (i = 0; i < FILES; i++)
		base_file_close(files[i]);
	assert_int_equal(world_open_descriptors(), before);
}

static void *read_files(void *context)
{
	struct base_file **files = context;
	uint32_t random = (uint32_t)(uintptr_t)&random;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		char path[32];
		unsigned nr;

		random = random * 1664525 + 1013904223;
		nr = (random >> 8) % FILES;
		snprintf(path, sizeof(path), "%u", nr);
		assert_bytes(files[nr], 0, path, strlen(path));
	}
	return NULL;
}

static void test_many_threads_read_at_once(void **state)
{
	struct layers_world *world = *state;
	struct base_file *files[FILES];
	pthread_t threads[THREADS];
	unsigned before;
	int i;

	world_limit();
	make_files(world);
	world_open(world, "1");
	before = world_open_descriptors();
	open_files(world, files);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_files,
						files),
				 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(world_open_descriptors() <= before + WORLD_OPEN_MAX);
	for (i = 0; i < FILES; i++)
		base_file_close(files[i]);
	assert_int_equal(world_open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		WORLD_TEST(
			test_bytes_of_the_upper_layer_and_zeros_past_the_end),
		WORLD_TEST(test_holes_are_told),
		WORLD_TEST(test_file_written_to_while_open_is_stale),
		WORLD_TEST(test_file_changed_before_it_is_opened_is_stale),
		WORLD_TEST(test_unreadable_file_is_told),
		WORLD_TEST(test_reading_leaves_the_time_of_access),
		WORLD_TEST(test_open_files_are_bounded),
		WORLD_TEST(test_many_threads_read_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
