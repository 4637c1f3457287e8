/* The base: what opens, what is read, and which changes are seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "logging.h"

enum { BLOCK = 4096, BASE_SIZE = 5 * BLOCK + 100 };

struct world {
	char directory[64];
	char path[128];
	char other[128];
	struct base *base;
	struct failure failure;
};

static void fill_file(const char *path, size_t len_bytes, int seed)
{
	FILE *file = fopen(path, "we");
	size_t i;

	assert_non_null(file);
	for (i = 0; i < len_bytes; i++)
		fputc((int)((i * 7 + i / BLOCK + (size_t)seed) & 0xff), file);
	assert_int_equal(fclose(file), 0);
}

static uint8_t expected_byte(size_t i)
{
	return (uint8_t)((i * 7 + i / BLOCK) & 0xff);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	log_set_level((enum log_level)0);
	snprintf(world->directory, sizeof(world->directory),
		 "/tmp/cowd-base-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/base", world->directory);
	snprintf(world->other, sizeof(world->other), "%s/other",
		 world->directory);
	fill_file(world->path, BASE_SIZE, 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	base_close(world->base);
	unlink(world->path);
	unlink(world->other);
	rmdir(world->directory);
	free(world);
	return 0;
}

static void open_it(struct world *world)
{
	assert_int_equal(base_open(world->path, false, &world->base,
				   &world->failure),
			 0);
}

static void assert_refused(struct world *world, const char *path,
			   enum failure_code code, const char *word)
{
	int rc = base_open(path, false, &world->base, &world->failure);

	assert_true(rc < 0);
	assert_null(world->base);
	assert_int_equal(world->failure.code, code);
	assert_non_null(strstr(world->failure.message, word));
}

static void test_fingerprint_tells_size_and_resolved_path(void **state)
{
	struct world *world = *state;
	const struct base_fingerprint *f;

	assert_int_equal(symlink("base", world->other), 0);
	assert_int_equal(base_open(world->other, true, &world->base,
				   &world->failure),
			 0);
	f = base_fingerprint(world->base);
	assert_int_equal(f->kind, BASE_KIND_FILE);
	assert_int_equal(f->size_bytes, BASE_SIZE);
	assert_string_equal(f->path, world->path);
	assert_true(f->has_full_hash);
	assert_true(f->inode != 0 && f->mtime_ns != 0);
}

static void test_missing_base_is_named(void **state)
{
	struct world *world = *state;

	assert_refused(world, world->other, FAILURE_FAILED, "does not exist");
	assert_non_null(strstr(world->failure.object, "/other"));
}

static void test_empty_base_is_refused(void **state)
{
	fill_file(((struct world *)*state)->other, 0, 0);
	assert_refused(*state, ((struct world *)*state)->other, FAILURE_USAGE,
		       "empty");
}

static void test_directory_is_refused_with_the_way_out(void **state)
{
	struct world *world = *state;

	assert_refused(world, world->directory, FAILURE_USAGE, "directory");
	assert_non_null(strstr(world->failure.hint, "directories"));
}

/* A6 */
static void test_fifo_is_refused_without_hanging(void **state)
{
	struct world *world = *state;

	assert_int_equal(mkfifo(world->other, 0600), 0);
	assert_refused(world, world->other, FAILURE_USAGE, "regular file");
}

static void test_unreadable_base_is_refused(void **state)
{
	struct world *world = *state;

	if (geteuid() == 0)
		skip(); /* root reads everything */
	assert_int_equal(chmod(world->path, 0), 0);
	assert_refused(world, world->path, FAILURE_FAILED, "can't read");
}

static void test_reads_equal_the_file_at_every_boundary(void **state)
{
	static const uint64_t at[] = { 0,     1,	 BLOCK - 1,
				       BLOCK, BLOCK + 1, BASE_SIZE - 1 };
	struct world *world = *state;
	uint8_t data[2 * BLOCK];
	size_t i, k;

	open_it(world);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		memset(data, 0xaa, sizeof(data));
		assert_int_equal(
			base_read(world->base, at[i], data, sizeof(data)), 0);
		for (k = 0; k < sizeof(data); k++)
			assert_int_equal(data[k],
					 at[i] + k < BASE_SIZE ?
						 expected_byte(at[i] + k) :
						 0);
	}
}

static void test_reads_past_the_end_are_zeros(void **state)
{
	static const uint64_t at[] = { BASE_SIZE, BASE_SIZE + 1,
				       UINT64_C(1) << 62, UINT64_MAX - BLOCK };
	struct world *world = *state;
	uint8_t data[BLOCK], zeros[BLOCK] = { 0 };
	size_t i;

	open_it(world);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		memset(data, 0xaa, sizeof(data));
		assert_int_equal(base_read(world->base, at[i], data, BLOCK), 0);
		assert_memory_equal(data, zeros, BLOCK);
	}
}

static void test_seek_finds_data_and_hole(void **state)
{
	struct world *world = *state;
	uint64_t found = 1;
	int fd = open(world->other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 1 << 20), 1);
	close(fd);
	assert_int_equal(base_open(world->other, false, &world->base,
				   &world->failure),
			 0);
	assert_int_equal(base_seek(world->base, 0, true, &found), 0);
	assert_true(found == 0 || found == 1 << 20);
	assert_int_equal(base_seek(world->base, 1 << 20, false, &found), 0);
	assert_int_equal(found, (1 << 20) + 1);
	assert_int_equal(base_seek(world->base, 1 << 20, true, &found), 0);
	assert_int_equal(found, 1 << 20);
	base_advise(world->base, 0, 1 << 20);
}

static void assert_check(struct world *world, bool changed, bool being_written)
{
	struct base_state seen;

	base_check(world->base, &seen);
	assert_int_equal(seen.changed, changed);
	assert_int_equal(seen.being_written, being_written);
	assert_int_equal(seen.reason[0] != '\0', changed || being_written);
}

static void assert_stale(struct world *world)
{
	uint8_t byte;

	assert_check(world, true, false);
	assert_int_equal(base_read(world->base, 0, &byte, 1), -ESTALE);
	assert_check(world, true, false);
}

static void test_unchanged_base_stays_good(void **state)
{
	open_it(*state);
	assert_check(*state, false, false);
}

static void test_new_time_of_modification_makes_reads_stale(void **state)
{
	struct world *world = *state;
	struct timespec times[2] = { { 1, 0 }, { 2, 3 } };

	open_it(world);
	assert_int_equal(utimensat(AT_FDCWD, world->path, times, 0), 0);
	assert_stale(world);
}

static void test_replaced_path_makes_reads_stale(void **state)
{
	struct world *world = *state;

	open_it(world);
	fill_file(world->other, BASE_SIZE, 0);
	assert_int_equal(rename(world->other, world->path), 0);
	assert_stale(world);
}

static void test_removed_path_is_no_change(void **state)
{
	struct world *world = *state;

	open_it(world);
	assert_int_equal(unlink(world->path), 0);
	assert_check(world, false, false);
}

static void test_shrunk_base_is_stale_before_any_check(void **state)
{
	struct world *world = *state;
	uint8_t data[BLOCK];
	int fd;

	open_it(world);
	/* O_NONBLOCK: don't wait for the lease; the open for writing is
	 * refused once, and the next check gives the lease up. */
	fd = open(world->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		assert_int_equal(errno, EWOULDBLOCK);
		assert_check(world, false, true);
		fd = open(world->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	}
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BLOCK), 0);
	close(fd);
	assert_int_equal(base_read(world->base, BLOCK, data, BLOCK), -ESTALE);
	assert_int_equal(base_read(world->base, 0, data, BLOCK), -ESTALE);
}

static void test_writer_is_told_of_and_forgotten_when_gone(void **state)
{
	struct world *world = *state;
	int fd = open(world->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	open_it(world);
	assert_check(world, false, true);
	assert_check(world, false, true);
	close(fd);
	assert_check(world, false, false);
}

static void test_a_change_by_a_writer_is_seen_by_the_next_read(void **state)
{
	struct world *world = *state;
	struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
	uint8_t data[BLOCK];
	int fd = open(world->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	open_it(world);
	assert_int_equal(base_read(world->base, 0, data, BLOCK), 0);
	/* The time of a write as it would be a moment later. */
	assert_int_equal(pwrite(fd, "new", 3, BLOCK), 3);
	assert_int_equal(futimens(fd, times), 0);
	/* No check in between: another block, which is still old. */
	assert_int_equal(base_read(world->base, 0, data, BLOCK), -ESTALE);
	close(fd);
	assert_check(world, true, true);
}

static void test_a_lease_holds_the_writer_off_until_the_check(void **state)
{
	struct world *world = *state;
	uint8_t data[BLOCK];
	int fd;

	open_it(world);
	fd = open(world->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		close(fd); /* a file system without leases */
		skip();
	}
	assert_int_equal(errno, EWOULDBLOCK);
	assert_int_equal(base_read(world->base, 0, data, BLOCK), 0);
	assert_check(world, false, true);
	fd = open(world->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BASE_SIZE + 1), 0);
	assert_int_equal(base_read(world->base, 0, data, BLOCK), -ESTALE);
	close(fd);
}

static void test_reopen_takes_a_moved_base(void **state)
{
	struct world *world = *state;
	struct base_fingerprint recorded;

	open_it(world);
	recorded = *base_fingerprint(world->base);
	base_close(world->base);
	world->base = NULL;
	assert_int_equal(rename(world->path, world->other), 0);
	assert_int_equal(base_reopen(&recorded, NULL, &world->base,
				     &world->failure),
			 -ENOENT);
	assert_non_null(strstr(world->failure.hint, "--base"));
	assert_int_equal(
		base_reopen(&recorded, world->other, &world->base, NULL), 0);
	assert_string_equal(base_fingerprint(world->base)->path, world->other);
}

static void assert_reopen_fails(struct world *world, const char *word)
{
	struct base_fingerprint recorded = *base_fingerprint(world->base);
	struct base *again = NULL;

	assert_int_equal(base_reopen(&recorded, NULL, &again, &world->failure),
			 -ESTALE);
	assert_null(again);
	assert_int_equal(world->failure.code, FAILURE_BASE_CHANGED);
	assert_non_null(strstr(world->failure.message, word));
	assert_true(world->failure.hint[0] != '\0');
}

static void test_reopen_refuses_another_size(void **state)
{
	struct world *world = *state;

	open_it(world);
	assert_int_equal(unlink(world->path), 0);
	fill_file(world->path, BASE_SIZE + 1, 0);
	assert_reopen_fails(world, "size");
}

/* A20 */
static void test_reopen_refuses_other_content_of_equal_time(void **state)
{
	struct world *world = *state;
	struct timespec times[2];
	struct stat st;

	open_it(world);
	assert_int_equal(stat(world->path, &st), 0);
	times[0] = times[1] = st.st_mtim;
	assert_int_equal(unlink(world->path), 0);
	fill_file(world->path, BASE_SIZE, 1);
	assert_int_equal(utimensat(AT_FDCWD, world->path, times, 0), 0);
	assert_reopen_fails(world, "content");
}

static void test_reopen_refuses_a_symlink_in_place_of_the_base(void **state)
{
	struct world *world = *state;

	open_it(world);
	assert_int_equal(rename(world->path, world->other), 0);
	assert_int_equal(symlink("other", world->path), 0);
	assert_reopen_fails(world, "symbolic link");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_fingerprint_tells_size_and_resolved_path),
		CASE(test_missing_base_is_named),
		CASE(test_empty_base_is_refused),
		CASE(test_directory_is_refused_with_the_way_out),
		CASE(test_fifo_is_refused_without_hanging),
		CASE(test_unreadable_base_is_refused),
		CASE(test_reads_equal_the_file_at_every_boundary),
		CASE(test_reads_past_the_end_are_zeros),
		CASE(test_seek_finds_data_and_hole),
		CASE(test_unchanged_base_stays_good),
		CASE(test_new_time_of_modification_makes_reads_stale),
		CASE(test_replaced_path_makes_reads_stale),
		CASE(test_removed_path_is_no_change),
		CASE(test_shrunk_base_is_stale_before_any_check),
		CASE(test_writer_is_told_of_and_forgotten_when_gone),
		CASE(test_a_change_by_a_writer_is_seen_by_the_next_read),
		CASE(test_a_lease_holds_the_writer_off_until_the_check),
		CASE(test_reopen_takes_a_moved_base),
		CASE(test_reopen_refuses_another_size),
		CASE(test_reopen_refuses_other_content_of_equal_time),
		CASE(test_reopen_refuses_a_symlink_in_place_of_the_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
