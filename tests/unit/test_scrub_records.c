/* A scrub's look at one record block. */
#include "scrub_world.h"

enum { SEED = 77 };

static const struct scrub_segment old_segment = { .id = 3, .is_old = true };
static const struct scrub_segment new_segment = { .id = 3 };

static size_t put(uint8_t *data, uint32_t block, size_t at,
		  enum record_type type, const void *payload,
		  size_t payload_bytes)
{
	struct record_place place = { SEED, 3, 1, block, (uint32_t)at };
	struct record record = { .lsn = 9 + at,
				 .type = type,
				 .payload = payload ? payload : "",
				 .payload_bytes = payload_bytes };

	record_encode(&place, &record, data + at);
	return at + record_bytes(payload_bytes);
}

/* A block with two records and a jump. */
static void build(uint8_t *data, uint32_t block, struct location target)
{
	struct record_block_header header = {
		.segment = 3, .epoch = 1, .block = block, .first_lsn = 9
	};
	struct resize_record resize = { 1, 1, 2, 4096 };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t at = RECORD_BLOCK_HEADER_BYTES;

	memset(data, 0, BLOCK_BYTES);
	record_block_encode(SEED, &header, data);
	at = put(data, block, at, RECORD_TYPE_RESIZE, payload,
		 resize_record_encode(&resize, payload));
	at = put(data, block, at, RECORD_TYPE_SYNCED, NULL, 0);
	if (target.segment)
		put(data, block, at, RECORD_TYPE_JUMP, payload,
		    jump_record_encode(target, payload));
}

static int check(const struct scrub_segment *segment, uint32_t block,
		 const uint8_t *data, uint32_t *next)
{
	return scrub_check_records(SEED, segment, block, data, next);
}

static void test_it_leads_to_the_next_one_of_the_segment(void **state)
{
	uint8_t data[BLOCK_BYTES];
	uint32_t next;

	(void)state;
	build(data, 5, (struct location){ 3, 900 });
	assert_int_equal(check(&old_segment, 5, data, &next), 0);
	assert_int_equal(next, 900);
	build(data, 5, (struct location){ 4, 1 });
	assert_int_equal(check(&old_segment, 5, data, &next), 0);
	assert_int_equal(next, 0);
	build(data, 5, (struct location){ 0, 0 }); /* the log ends */
	assert_int_equal(check(&old_segment, 5, data, &next), 0);
	assert_int_equal(next, 0);
	build(data, 5, (struct location){ 3, 4 }); /* back */
	assert_int_equal(check(&old_segment, 5, data, &next), -EUCLEAN);
}

static void test_any_bit_of_it_is_seen(void **state)
{
	uint8_t data[BLOCK_BYTES];
	uint32_t next;
	size_t i;

	(void)state;
	build(data, 5, (struct location){ 3, 900 });
	for (i = 0; i < 40 + 48 + 24 + 32; i++) {
		data[i] ^= 1;
		assert_int_equal(check(&old_segment, 5, data, &next), -EUCLEAN);
		/* There it may be in the making. */
		assert_int_equal(check(&new_segment, 5, data, &next), 0);
		data[i] ^= 1;
	}
	assert_int_equal(check(&old_segment, 6, data, &next), -EUCLEAN);
}

static void test_zeros_are_damage_but_in_the_first(void **state)
{
	uint8_t data[BLOCK_BYTES] = { 0 };
	uint32_t next;

	(void)state;
	assert_int_equal(check(&old_segment, 1, data, &next), 0);
	assert_int_equal(check(&old_segment, 2, data, &next), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_leads_to_the_next_one_of_the_segment),
		cmocka_unit_test(test_any_bit_of_it_is_seen),
		cmocka_unit_test(test_zeros_are_damage_but_in_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
