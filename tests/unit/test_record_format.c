/* Record blocks and records, byte by byte. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

#include "hex.h"

#include "record_format.h"

#define SEED UINT64_C(0x0123456789abcdef)

enum { HEADER_CHECKED_BYTES = 32 };

static const struct record_place place = { SEED, 2, 3, 1, 40 };

static const struct record_block_header block_header = { 2, 3, 1, 0x100, 0xff };

static const char *const block_hex =
	"43524543 02000000 03000000 01000000 " /* magic, segment, epoch, block */
	"0001000000000000 ff00000000000000 "   /* first, durable LSN */
	"629c8a371d2a31a0";		       /* checksum */

static const char *const record_hex =
	"06cb474ef0ec66a5 0401000000000000 " /* checksum, LSN */
	"05000000 2000 0400 "		     /* unsynced, length, type */
	"68656c6c6f 000000";		     /* payload, padding */

static struct record hello(void)
{
	return (struct record){ .lsn = 0x104,
				.unsynced = 5,
				.type = RECORD_TYPE_RESIZE,
				.payload = (const uint8_t *)"hello",
				.payload_bytes = 5 };
}

static void test_block_header_is_these_bytes(void **state)
{
	uint8_t bytes[RECORD_BLOCK_HEADER_BYTES];
	struct record_block_header out;

	(void)state;
	record_block_encode(SEED, &block_header, bytes);
	hex_assert(bytes, sizeof(bytes), block_hex);
	assert_int_equal(record_block_decode(SEED, bytes, sizeof(bytes), &out),
			 0);
	assert_int_equal(out.segment, 2);
	assert_int_equal(out.epoch, 3);
	assert_int_equal(out.block, 1);
	assert_int_equal(out.first_lsn, 0x100);
	assert_int_equal(out.durable_lsn, 0xff);
}

static void test_a_broken_block_header_is_refused(void **state)
{
	uint8_t bytes[RECORD_BLOCK_HEADER_BYTES];
	struct record_block_header out;
	unsigned bit;

	(void)state;
	record_block_encode(SEED, &block_header, bytes);
	/* F-10: too short */
	assert_int_equal(record_block_decode(SEED, bytes, 0, &out), -EUCLEAN);
	assert_int_equal(record_block_decode(SEED, bytes, sizeof(bytes) - 1,
					     &out),
			 -EUCLEAN);
	/* F-11: of another store */
	assert_int_equal(record_block_decode(SEED + 1, bytes, sizeof(bytes),
					     &out),
			 -EUCLEAN);
	/* F-10 for the magic, F-11 for the rest */
	for (bit = 0; bit < sizeof(bytes) * 8; bit++) {
		record_block_encode(SEED, &block_header, bytes);
		bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		assert_int_equal(record_block_decode(SEED, bytes, sizeof(bytes),
						     &out),
				 -EUCLEAN);
	}
}

/* F-10 */
static void test_a_wrong_magic_with_a_right_checksum_is_refused(void **state)
{
	uint8_t bytes[RECORD_BLOCK_HEADER_BYTES];
	struct record_block_header out;

	(void)state;
	record_block_encode(SEED, &block_header, bytes);
	bytes[0]++;
	hex_put(bytes + HEADER_CHECKED_BYTES, 8,
		XXH3_64bits_withSeed(bytes, HEADER_CHECKED_BYTES, SEED));
	assert_int_equal(record_block_decode(SEED, bytes, sizeof(bytes), &out),
			 -EUCLEAN);
}

static void test_record_is_these_bytes(void **state)
{
	struct record in = hello(), out;
	uint8_t bytes[32];

	(void)state;
	record_encode(&place, &in, bytes);
	hex_assert(bytes, sizeof(bytes), record_hex);
	assert_int_equal(record_decode(&place, bytes, sizeof(bytes), &out), 0);
	assert_int_equal(out.lsn, 0x104);
	assert_int_equal(out.unsynced, 5);
	assert_int_equal(out.type, RECORD_TYPE_RESIZE);
	assert_ptr_equal(out.payload, bytes + RECORD_HEADER_BYTES);
	assert_int_equal(out.payload_bytes, 8); /* with its padding */
	assert_int_equal(out.record_bytes, 32);
}

static void test_records_are_padded_to_eight_bytes(void **state)
{
	static const size_t lengths[][2] = {
		{ 0, 24 },
		{ 1, 32 },
		{ 7, 32 },
		{ 8, 32 },
		{ 9, 40 },
		{ RECORD_PAYLOAD_BYTES_MAX - 1, RECORD_BYTES_MAX },
		{ RECORD_PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX },
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX], bytes[RECORD_BYTES_MAX];
	struct record in = hello(), out;
	size_t i;

	(void)state;
	memset(payload, 0xa5, sizeof(payload));
	in.payload = payload;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		in.payload_bytes = lengths[i][0];
		assert_int_equal(record_bytes(in.payload_bytes), lengths[i][1]);
		record_encode(&place, &in, bytes);
		assert_int_equal(
			record_decode(&place, bytes, lengths[i][1], &out), 0);
		assert_memory_equal(out.payload, payload, in.payload_bytes);
	}
}

/* A record block has room for the largest record and the jump. */
static void test_the_sizes_fill_a_block(void **state)
{
	(void)state;
	assert_int_equal(RECORD_BLOCK_HEADER_BYTES + RECORD_BYTES_MAX +
				 RECORD_JUMP_BYTES,
			 FORMAT_BLOCK_BYTES);
	assert_int_equal(record_bytes(8), RECORD_JUMP_BYTES);
}

static void test_zeros_are_the_end_and_no_damage(void **state)
{
	uint8_t bytes[RECORD_HEADER_BYTES] = { 0 };
	struct record out;
	size_t i;

	(void)state;
	assert_int_equal(record_decode(&place, bytes, sizeof(bytes), &out),
			 -ENOENT);
	/* F-12: not even room for a header */
	for (i = 0; i < sizeof(bytes); i++)
		assert_int_equal(record_decode(&place, bytes, i, &out),
				 -EUCLEAN);
	/* F-13: no length, but something */
	for (i = 0; i < sizeof(bytes); i++) {
		memset(bytes, 0, sizeof(bytes));
		bytes[i] = 1;
		assert_int_equal(record_decode(&place, bytes, sizeof(bytes),
					       &out),
				 -EUCLEAN);
	}
}

/* As record_encode, for a length that it would not write. */
static void seal(uint8_t *bytes, size_t len_bytes)
{
	struct {
		struct le32 segment, epoch, block, offset;
	} disk = { le32_put(place.segment), le32_put(place.epoch),
		   le32_put(place.block), le32_put(place.offset) };

	hex_put(bytes, 8,
		XXH3_64bits_withSeed(bytes + 8, len_bytes - 8,
				     XXH3_64bits_withSeed(&disk, sizeof(disk),
							  SEED)));
}

static void test_a_broken_length_is_refused(void **state)
{
	static const unsigned lengths[] = { 1,	8,  16, 23, 25,
					    28, 31, 33, 40, 65528 };
	uint8_t bytes[RECORD_BYTES_MAX] = { 0 };
	struct record in = hello(), out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		record_encode(&place, &in, bytes);
		hex_put(bytes + 20, 2, lengths[i]);
		if (lengths[i] >= 8 && lengths[i] < sizeof(bytes))
			seal(bytes, lengths[i]);
		/* F-13: too short, past the end, or no multiple of 8 */
		assert_int_equal(record_decode(&place, bytes, 32, &out),
				 -EUCLEAN);
	}
}

/* F-14 */
static void test_every_flipped_bit_of_a_record_is_seen(void **state)
{
	struct record in = hello(), out;
	uint8_t bytes[32];
	unsigned bit;

	(void)state;
	for (bit = 0; bit < sizeof(bytes) * 8; bit++) {
		record_encode(&place, &in, bytes);
		bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		assert_int_equal(record_decode(&place, bytes, sizeof(bytes),
					       &out),
				 -EUCLEAN);
	}
}

/* F-14 */
static void test_a_record_is_valid_only_in_its_place(void **state)
{
	const struct record_place others[] = {
		{ SEED + 1, 2, 3, 1, 40 }, { SEED, 3, 3, 1, 40 },
		{ SEED, 2, 4, 1, 40 },	   { SEED, 2, 3, 2, 40 },
		{ SEED, 2, 3, 1, 48 },	   { SEED, 3, 2, 1, 40 },
	};
	struct record in = hello(), out;
	uint8_t bytes[32];
	size_t i;

	(void)state;
	record_encode(&place, &in, bytes);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(record_decode(&others[i], bytes, sizeof(bytes),
					       &out),
				 -EUCLEAN);
}

/* F-15 */
static void test_an_unknown_type_is_refused(void **state)
{
	static const unsigned types[] = { 0, RECORD_TYPE_LAST + 1, 0xffff };
	struct record in = hello(), out;
	uint8_t bytes[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		record_encode(&place, &in, bytes);
		hex_put(bytes + 22, 2, types[i]);
		seal(bytes, sizeof(bytes));
		assert_int_equal(record_decode(&place, bytes, sizeof(bytes),
					       &out),
				 -EUCLEAN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_header_is_these_bytes),
		cmocka_unit_test(test_a_broken_block_header_is_refused),
		cmocka_unit_test(
			test_a_wrong_magic_with_a_right_checksum_is_refused),
		cmocka_unit_test(test_record_is_these_bytes),
		cmocka_unit_test(test_records_are_padded_to_eight_bytes),
		cmocka_unit_test(test_the_sizes_fill_a_block),
		cmocka_unit_test(test_zeros_are_the_end_and_no_damage),
		cmocka_unit_test(test_a_broken_length_is_refused),
		cmocka_unit_test(test_every_flipped_bit_of_a_record_is_seen),
		cmocka_unit_test(test_a_record_is_valid_only_in_its_place),
		cmocka_unit_test(test_an_unknown_type_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
