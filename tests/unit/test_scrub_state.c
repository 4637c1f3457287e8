/* scrub.state: what it keeps, and what is made of one that is damaged. */
#include "scrub_world.h"

static const struct scrub_finding example = {
	.kind = SCRUB_KIND_DATA,
	.segment = 7,
	.block = 100,
	.blocks = 3,
	.inode = UINT64_C(1) << 47,
	.offset_bytes = UINT64_C(1) << 62,
	.len_bytes = 12288,
	.branch = "my branch%",
	.snapshot = "caf\xc3\xa9\n",
	.others = 4,
	.path = "a b/=c/%41",
};

struct place {
	char path[48];
	int fd;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->path, sizeof(place->path), "/tmp/cowd-scrub-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	close(place->fd);
	world_remove(AT_FDCWD, place->path);
	free(place);
	return 0;
}

static void test_it_is_read_as_it_was_written(void **state)
{
	struct place *place = *state;
	struct scrub_record record = {
		.state = SCRUB_STATE_PAUSED,
		.started_ns = 1,
		.ended_ns = INT64_MAX,
		.checked_bytes = 2,
		.total_bytes = 3,
		.rate_bytes = UINT64_MAX,
		.index_done = true,
		.segment = 5,
		.end_segment = UINT32_MAX,
		.finding_count = 6,
		.reason = "it = 100%",
	};
	struct scrub_finding second = example;
	struct scrub_record read;

	second.segment = 6;
	second.branch[0] = second.snapshot[0] = second.path[0] = '\0';
	second.is_old = true;
	assert_int_equal(scrub_record_add(&record, &example), 0);
	assert_int_equal(scrub_record_add(&record, &second), 0);
	assert_int_equal(scrub_state_save(place->fd, &record), 0);
	assert_int_equal(scrub_state_load(place->fd, &read), 0);
	assert_int_equal(read.state, SCRUB_STATE_PAUSED);
	assert_int_equal(read.ended_ns, INT64_MAX);
	assert_int_equal(read.rate_bytes, UINT64_MAX);
	assert_true(read.index_done);
	assert_int_equal(read.segment, 5);
	assert_int_equal(read.end_segment, UINT32_MAX);
	assert_int_equal(read.finding_count, 8);
	assert_string_equal(read.reason, record.reason);
	assert_int_equal(read.count, 2); /* in the order of places */
	assert_int_equal(read.findings[0].segment, 6);
	assert_true(read.findings[0].is_old);
	assert_string_equal(read.findings[0].path, "");
	assert_string_equal(read.findings[1].branch, example.branch);
	assert_string_equal(read.findings[1].snapshot, example.snapshot);
	assert_string_equal(read.findings[1].path, example.path);
	assert_int_equal(read.findings[1].inode, example.inode);
	assert_int_equal(read.findings[1].offset_bytes, example.offset_bytes);
	assert_int_equal(read.findings[1].others, 4);
	scrub_record_fini(&record);
	scrub_record_fini(&read);
}

static void test_one_that_is_damaged_is_as_none(void **state)
{
	struct place *place = *state;
	struct scrub_record record = { .state = SCRUB_STATE_FINISHED }, read;
	uint8_t text[4096], byte;
	ssize_t n, i;
	int fd;

	assert_int_equal(scrub_state_load(place->fd, &read), 0);
	assert_int_equal(read.state, SCRUB_STATE_NONE);
	assert_int_equal(scrub_record_add(&record, &example), 0);
	assert_int_equal(scrub_state_save(place->fd, &record), 0);
	scrub_record_fini(&record);
	fd = openat(place->fd, "scrub.state", O_RDWR | O_CLOEXEC);
	n = io_read_full(fd, text, sizeof(text), 0);
	assert_true(n > 0);
	for (i = 0; i < n; i++) {
		byte = text[i] ^ 16;
		assert_int_equal(pwrite(fd, &byte, 1, i), 1);
		assert_int_equal(scrub_state_load(place->fd, &read), 0);
		assert_int_equal(read.state, SCRUB_STATE_NONE);
		assert_int_equal(read.count, 0);
		assert_int_equal(pwrite(fd, &text[i], 1, i), 1);
	}
	for (i = n - 1; i >= 0; i--) {
		assert_int_equal(ftruncate(fd, i), 0);
		assert_int_equal(scrub_state_load(place->fd, &read), 0);
		assert_int_equal(read.state, SCRUB_STATE_NONE);
	}
	close(fd);
}

static void test_an_older_finding_is_replaced_or_seen_no_more(void **state)
{
	struct scrub_record record = { .old_count = 3 };
	struct scrub_finding f = example;

	(void)state;
	f.is_old = true;
	for (f.segment = 1; f.segment <= 3; f.segment++)
		assert_int_equal(scrub_record_add(&record, &f), 0);
	record.finding_count = 0;
	f.segment = 2;
	f.is_old = false;
	assert_int_equal(scrub_record_add(&record, &f), 0);
	assert_int_equal(scrub_record_add(&record, &f), 0); /* again */
	assert_int_equal(record.count, 3);
	assert_int_equal(record.finding_count, 1);
	scrub_record_seen(&record, 2);
	assert_int_equal(record.count, 2);
	assert_int_equal(record.old_count, 1);
	assert_int_equal(record.findings[0].segment, 2);
	assert_int_equal(record.findings[1].segment, 3);
	scrub_record_seen(&record, UINT32_MAX);
	assert_int_equal(record.count, 1);
	assert_int_equal(record.old_count, 0);
	scrub_record_fini(&record);
}

static void test_what_is_too_much_is_counted(void **state)
{
	struct scrub_record record = { .count = 0 };
	struct scrub_finding f = example;
	unsigned i;

	(void)state;
	for (i = 0; i < SCRUB_FINDINGS_MAX + 5; i++) {
		f.block = i;
		assert_int_equal(scrub_record_add(&record, &f), 0);
	}
	assert_int_equal(record.count, SCRUB_FINDINGS_MAX);
	assert_int_equal(record.finding_count, SCRUB_FINDINGS_MAX + 5);
	scrub_record_fini(&record);
}

#define STATE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_it_is_read_as_it_was_written),
		STATE_TEST(test_one_that_is_damaged_is_as_none),
		cmocka_unit_test(
			test_an_older_finding_is_replaced_or_seen_no_more),
		cmocka_unit_test(test_what_is_too_much_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
