/* Segment files: whose they are, and what short ones read as. */
#include "log_world.h"

static void test_a_segment_of_another_store_is_refused(void **state)
{
	struct log_world *world = *state;
	struct segment_header good = { .segment = 1,
				       .seed = world->params.seed,
				       .first_lsn = 1 };
	struct segment_header headers[3];
	uint8_t block[FORMAT_BLOCK_BYTES], data[FORMAT_BLOCK_BYTES];
	const struct location at = { 1, 1 };
	int fd = log_world_fd(world, 1);
	unsigned i;

	memcpy(good.uuid, world->params.uuid, sizeof(good.uuid));
	headers[0] = headers[1] = headers[2] = good;
	headers[0].segment = 2; /* F-6 */
	headers[1].seed++;	/* F-6 */
	headers[2].uuid[3]++;	/* F-6 */
	for (i = 0; i < 3; i++) {
		segment_header_encode(&headers[i], block);
		assert_int_equal(pwrite(fd, block, sizeof(block), 0),
				 sizeof(block));
		assert_int_equal(log_read_blocks(world->log, at, data, 1),
				 -EUCLEAN);
	}
	segment_header_encode(&good, block);
	assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
	close(fd);
	assert_int_equal(log_read_blocks(world->log, at, data, 1), 0);
}

static void test_blocks_behind_the_end_read_as_zeros(void **state)
{
	static const uint8_t zeros[FORMAT_BLOCK_BYTES];
	struct log_world *world = *state;
	const struct location at = { 1, 9 };
	uint8_t data[FORMAT_BLOCK_BYTES];

	memset(data, 1, sizeof(data));
	assert_int_equal(log_read_blocks(world->log, at, data, 1), 0);
	assert_memory_equal(data, zeros, sizeof(data));
}

static void test_a_missing_segment_is_told_apart(void **state)
{
	struct log_world *world = *state;
	const struct location at = { 7, 1 };
	uint8_t data[FORMAT_BLOCK_BYTES];

	assert_int_equal(log_read_blocks(world->log, at, data, 1), -ENOENT);
}

#define file_test(test)                                        \
	cmocka_unit_test_setup_teardown(test, log_world_setup, \
					log_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(test_a_segment_of_another_store_is_refused),
		file_test(test_blocks_behind_the_end_read_as_zeros),
		file_test(test_a_missing_segment_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
