/* Window rows, byte by byte. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

#include "hex.h"

#include "le.h"
#include "window_format.h"

#define SEED UINT64_C(0x0123456789abcdef)
#define SUM_A UINT64_C(0x1111111111111111)
#define SUM_B UINT64_C(0x2222222222222222)
#define SUM_C UINT64_C(0x3333333333333333)

static const struct window_key key = { 2, 3, 4, 5 };

/* Two raw neighbours, two parts of one LZ4 chunk, zeros to the end. */
static const struct slot example[] = {
	{ SUM_A, 7, 8, 0x20, 1, 1, SLOT_KIND_RAW, 0 },
	{ SUM_B, 7, 8, 0x21, 2, 1, SLOT_KIND_RAW, 0 },
	{ SUM_C, 9, 8, 0x30, 16, 1, SLOT_KIND_LZ4, 0x34 },
	{ SUM_C, 9, 8, 0x30, 17, 1, SLOT_KIND_LZ4, 0x44 },
	{ 0, 0, 10, 0, 500, 12, SLOT_KIND_ZERO, 0 },
};

enum { EXAMPLE_SLOTS = sizeof(example) / sizeof(example[0]) };

static const char *const example_hex =
	"8d83e2d8c23c8f17 01000000 03000000 "	  /* checksum, version, runs */
	"0100 0200 01 00 2000 07000000 08000000 " /* first, count, kind, lz4, */
	"1111111111111111 2222222222222222 "	  /*  block, segment, birth */
	"1000 0200 02 34 3000 09000000 08000000 "
	"3333333333333333 "
	"f401 0c00 03 00 0000 00000000 0a000000";

static void assert_slots(const struct slot *is, size_t is_count,
			 const struct slot *expected, size_t count)
{
	size_t i;

	assert_int_equal(is_count, count);
	for (i = 0; i < count; i++) {
		assert_true(is[i].sum == expected[i].sum);
		assert_int_equal(is[i].segment, expected[i].segment);
		assert_int_equal(is[i].birth, expected[i].birth);
		assert_int_equal(is[i].block, expected[i].block);
		assert_int_equal(is[i].first, expected[i].first);
		assert_int_equal(is[i].count, expected[i].count);
		assert_int_equal(is[i].kind, expected[i].kind);
		assert_int_equal(is[i].lz4, expected[i].lz4);
	}
}

/* The checksum that belongs to changed bytes. */
static void set_checksum(uint8_t *row, size_t len_bytes)
{
	struct {
		struct le64 inode, window;
		struct le32 line, gen;
	} disk = { le64_put(key.inode), le64_put(key.window),
		   le32_put(key.line), le32_put(key.gen) };

	hex_put(row, 8,
		XXH3_64bits_withSeed(row + 8, len_bytes - 8,
				     XXH3_64bits_withSeed(&disk, sizeof(disk),
							  SEED)));
}

static int decode(const uint8_t *row, size_t len_bytes)
{
	uint8_t *copy = hex_exact_copy(row, len_bytes);
	struct slot slots[WINDOW_BLOCKS];
	size_t slot_count;
	int rc = window_decode(SEED, &key, copy, len_bytes, slots, &slot_count);

	free(copy);
	return rc;
}

static void test_a_window_is_these_bytes(void **state)
{
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct slot slots[WINDOW_BLOCKS];
	size_t bytes, count;

	(void)state;
	bytes = window_encode(SEED, &key, example, EXAMPLE_SLOTS, row);
	hex_assert(row, bytes, example_hex);
	assert_int_equal(window_decode(SEED, &key, row, bytes, slots, &count),
			 0);
	assert_slots(slots, count, example, EXAMPLE_SLOTS);
}

static void round_trip(const struct slot *in, size_t in_count,
		       size_t expected_bytes)
{
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct slot out[WINDOW_BLOCKS];
	size_t count, bytes;

	bytes = window_encode(SEED, &key, in, in_count, row);
	assert_int_equal(bytes, expected_bytes);
	assert_int_equal(window_decode(SEED, &key, row, bytes, out, &count), 0);
	assert_slots(out, count, in, in_count);
}

static void test_an_empty_window_is_a_header(void **state)
{
	(void)state;
	round_trip(NULL, 0, WINDOW_HEADER_BYTES);
}

static void test_full_windows_come_back(void **state)
{
	struct slot slots[WINDOW_BLOCKS] = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < WINDOW_BLOCKS; i++)
		slots[i] = (struct slot){
			.sum = i,
			.segment = 1,
			.birth = 1,
			.block = (uint16_t)(SEGMENT_BLOCKS - WINDOW_BLOCKS + i),
			.first = (uint16_t)i,
			.count = 1,
			.kind = SLOT_KIND_RAW,
		};
	round_trip(slots, WINDOW_BLOCKS,
		   WINDOW_HEADER_BYTES + WINDOW_RUN_BYTES + 512 * 8);
	for (i = 0; i < WINDOW_BLOCKS; i++) /* nothing is beside another */
		slots[i].block = (uint16_t)(1 + 2 * (i ^ 1));
	round_trip(slots, WINDOW_BLOCKS, WINDOW_ROW_BYTES_MAX);
	for (i = 0; i < WINDOW_BLOCKS; i++) { /* 32 chunks of 16 blocks */
		slots[i].kind = SLOT_KIND_LZ4;
		slots[i].sum = i / 16;
		slots[i].block = (uint16_t)(2 + i / 16 * 7);
		slots[i].lz4 = (uint8_t)(i % 16 << 4 | 6);
	}
	round_trip(slots, WINDOW_BLOCKS,
		   WINDOW_HEADER_BYTES + 32 * (WINDOW_RUN_BYTES + 8));
}

static void test_a_difference_in_any_field_ends_a_run(void **state)
{
	static const struct slot others[] = {
		{ SUM_B, 8, 8, 0x21, 2, 1, SLOT_KIND_RAW, 0 },
		{ SUM_B, 7, 9, 0x21, 2, 1, SLOT_KIND_RAW, 0 },
		{ SUM_B, 7, 8, 0x22, 2, 1, SLOT_KIND_RAW, 0 },
		{ SUM_B, 7, 8, 0x20, 2, 1, SLOT_KIND_RAW, 0 },
		{ SUM_B, 7, 8, 0x21, 3, 1, SLOT_KIND_RAW, 0 },
		{ SUM_B, 7, 8, 0x21, 2, 1, SLOT_KIND_LZ4, 0 },
	};
	/* Behind part 3 of a chunk of 5 blocks. */
	static const struct slot parts[] = {
		{ SUM_C, 9, 8, 0x30, 17, 1, SLOT_KIND_LZ4, 0x54 },
		{ SUM_C, 9, 8, 0x30, 17, 1, SLOT_KIND_LZ4, 0x34 },
		{ SUM_C, 9, 8, 0x30, 17, 1, SLOT_KIND_LZ4, 0x45 },
		{ SUM_C, 9, 8, 0x31, 17, 1, SLOT_KIND_LZ4, 0x44 },
		{ SUM_A, 9, 8, 0x30, 17, 1, SLOT_KIND_LZ4, 0x44 },
		{ SUM_C, 9, 8, 0x30, 18, 1, SLOT_KIND_LZ4, 0x44 },
	};
	struct slot slots[2];
	size_t i;

	(void)state;
	slots[0] = example[2];
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		slots[1] = parts[i];
		round_trip(slots, 2,
			   WINDOW_HEADER_BYTES + 2 * (WINDOW_RUN_BYTES + 8));
	}
	slots[0] = example[0];
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		slots[1] = others[i];
		round_trip(slots, 2,
			   WINDOW_HEADER_BYTES + 2 * (WINDOW_RUN_BYTES + 8));
	}
}

/* F-30 */
static void test_a_row_of_another_key_or_store_is_refused(void **state)
{
	static const struct window_key others[] = {
		{ 3, 3, 4, 5 },
		{ 2, 2, 4, 5 },
		{ 2, 3, 5, 5 },
		{ 2, 3, 4, 4 },
	};
	struct slot slots[WINDOW_BLOCKS];
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	size_t i, count, bytes = hex_decode(example_hex, row);

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(window_decode(SEED, &others[i], row, bytes,
					       slots, &count),
				 -EUCLEAN);
	assert_int_equal(window_decode(SEED + 1, &key, row, bytes, slots,
				       &count),
			 -EUCLEAN);
}

/* F-30 */
static void test_every_flipped_bit_and_length_is_seen(void **state)
{
	uint8_t row[WINDOW_ROW_BYTES_MAX + 1] = { 0 };
	size_t bit, bytes = hex_decode(example_hex, row), i;

	(void)state;
	for (bit = 0; bit < bytes * 8; bit++) {
		row[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		assert_int_equal(decode(row, bytes), -EUCLEAN);
		row[bit / 8] ^= (uint8_t)(1U << (bit % 8));
	}
	assert_int_equal(decode(row, bytes), 0);
	for (i = 0; i < bytes; i++)
		assert_int_equal(decode(row, i), -EUCLEAN);
	assert_int_equal(decode(row, bytes + 1), -EUCLEAN);
	set_checksum(row, sizeof(row));
	assert_int_equal(decode(row, sizeof(row)), -EUCLEAN);
}

struct change {
	unsigned offset, width;
	uint64_t value;
	int rc;
};

static void try_changes(const struct change *changes, size_t count)
{
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	size_t i, bytes;

	for (i = 0; i < count; i++) {
		bytes = hex_decode(example_hex, row);
		hex_put(row + changes[i].offset, changes[i].width,
			changes[i].value);
		set_checksum(row, bytes);
		if (decode(row, bytes) != changes[i].rc)
			fail_msg("change %zu", i);
	}
}

#define TRY_CHANGES(changes) \
	try_changes(changes, sizeof(changes) / sizeof(changes[0]))

/* In example_hex; a run's fields are at +0, 2, 4, 5, 6, 8 and 12. */
enum { RAW_RUN = 16, LZ4_RUN = 48, ZERO_RUN = 72 };

static void test_a_broken_header_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 8, 4, 0, -EUCLEAN },		 /* F-30 */
		{ 8, 4, 2, -EUCLEAN },		 /* F-30 */
		{ 12, 4, 0, -EUCLEAN },		 /* F-31: bytes are left */
		{ 12, 4, 2, -EUCLEAN },		 /* F-31 */
		{ 12, 4, 4, -EUCLEAN },		 /* F-31: bytes are missing */
		{ 12, 4, UINT32_MAX, -EUCLEAN }, /* F-31 */
	};

	(void)state;
	TRY_CHANGES(changes);
}

/* F-31: a run, or its sums, cut off. */
static void test_a_row_that_ends_in_a_run_is_refused(void **state)
{
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	size_t i, bytes;

	(void)state;
	bytes = hex_decode(example_hex, row);
	for (i = WINDOW_HEADER_BYTES; i < bytes; i++) {
		set_checksum(row, i);
		assert_int_equal(decode(row, i), -EUCLEAN);
	}
}

/* F-32 */
/* A14 */
static void test_runs_out_of_order_or_bounds_are_refused(void **state)
{
	static const struct change changes[] = {
		{ LZ4_RUN, 2, 2, -EUCLEAN }, /* over the raw run */
		{ LZ4_RUN, 2, 3, 0 },	     /* right behind it */
		{ LZ4_RUN, 2, 0, -EUCLEAN },
		{ LZ4_RUN, 2, 499, -EUCLEAN }, /* into the zeros */
		{ LZ4_RUN + 2, 2, 0, -EUCLEAN },
		{ ZERO_RUN, 2, 501, -EUCLEAN }, /* past the window */
		{ ZERO_RUN, 2, 512, -EUCLEAN },
		{ ZERO_RUN, 2, UINT16_MAX, -EUCLEAN },
		{ ZERO_RUN + 2, 2, 0, -EUCLEAN },
		{ ZERO_RUN + 2, 2, 13, -EUCLEAN },
		{ ZERO_RUN + 2, 2, UINT16_MAX, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(changes);
}

static void test_lost_blocks_are_a_run_without_sums(void **state)
{
	static const struct slot lost[] = {
		{ 0, 0, 8, 0, 3, 1, SLOT_KIND_LOST, 0 },
		{ 0, 0, 8, 0, 4, 1, SLOT_KIND_LOST, 0 },
		{ 0, 0, 9, 0, 5, 1, SLOT_KIND_LOST, 0 },
	};
	struct slot slots[WINDOW_BLOCKS];
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	size_t len_bytes, count;

	(void)state;
	len_bytes = window_encode(SEED, &key, lost, 3, row);
	hex_assert(row + 8, len_bytes - 8,
		   "01000000 02000000 "
		   "0300 0200 04 00 0000 00000000 08000000 "
		   "0500 0100 04 00 0000 00000000 09000000");
	assert_int_equal(
		window_decode(SEED, &key, row, len_bytes, slots, &count), 0);
	assert_slots(slots, count, lost, 3);
}

/* F-33 */
static void test_a_run_in_no_valid_place_is_refused(void **state)
{
	static const struct change changes[] = {
		{ RAW_RUN + 8, 4, 0, -EUCLEAN },
		{ RAW_RUN + 6, 2, 0, -EUCLEAN },
		{ RAW_RUN + 6, 2, SEGMENT_BLOCKS - 2, 0 },
		{ RAW_RUN + 6, 2, SEGMENT_BLOCKS - 1, -EUCLEAN },
		{ RAW_RUN + 6, 2, SEGMENT_BLOCKS, -EUCLEAN },
		{ RAW_RUN + 6, 2, UINT16_MAX, -EUCLEAN },
		{ RAW_RUN + 5, 1, 1, -EUCLEAN },
		{ LZ4_RUN + 8, 4, 0, -EUCLEAN },
		{ LZ4_RUN + 6, 2, 0, -EUCLEAN },
		{ LZ4_RUN + 6, 2, SEGMENT_BLOCKS, -EUCLEAN },
		{ ZERO_RUN + 8, 4, 1, -EUCLEAN },
		{ ZERO_RUN + 6, 2, 1, -EUCLEAN },
		{ ZERO_RUN + 5, 1, 1, -EUCLEAN },
		{ ZERO_RUN + 4, 1, SLOT_KIND_LOST, 0 },
		{ ZERO_RUN + 4, 1, SLOT_KIND_LOST + 1, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(changes);
}

/* F-34 */
static void test_a_part_of_a_chunk_out_of_bounds_is_refused(void **state)
{
	static const struct change changes[] = {
		{ LZ4_RUN + 5, 1, 0xe4, 0 }, /* blocks 14 and 15 of it */
		{ LZ4_RUN + 5, 1, 0xf4, -EUCLEAN },
		{ LZ4_RUN + 6, 2, SEGMENT_BLOCKS - 5, 0 },
		{ LZ4_RUN + 6, 2, SEGMENT_BLOCKS - 4, -EUCLEAN },
		{ LZ4_RUN + 2, 2, 13, 0 },
		{ LZ4_RUN + 2, 2, 14, -EUCLEAN },
		{ LZ4_RUN + 4, 1, 0, -EUCLEAN }, /* no such kind */
		{ LZ4_RUN + 4, 1, 4, -EUCLEAN },
		{ LZ4_RUN + 4, 1, 0xff, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_window_is_these_bytes),
		cmocka_unit_test(test_an_empty_window_is_a_header),
		cmocka_unit_test(test_full_windows_come_back),
		cmocka_unit_test(test_a_difference_in_any_field_ends_a_run),
		cmocka_unit_test(test_a_row_of_another_key_or_store_is_refused),
		cmocka_unit_test(test_every_flipped_bit_and_length_is_seen),
		cmocka_unit_test(test_a_broken_header_is_refused),
		cmocka_unit_test(test_a_row_that_ends_in_a_run_is_refused),
		cmocka_unit_test(test_runs_out_of_order_or_bounds_are_refused),
		cmocka_unit_test(test_lost_blocks_are_a_run_without_sums),
		cmocka_unit_test(test_a_run_in_no_valid_place_is_refused),
		cmocka_unit_test(
			test_a_part_of_a_chunk_out_of_bounds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
