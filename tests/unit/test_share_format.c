/* SHARE records, byte by byte. */
#include "hex.h"

#include <errno.h>

#include "share_format.h"

/* Blocks 3 and 4 raw at 2:9, block 5 is the second of a chunk at 1:7. */
static const char *const share_hex =
	"01000000 02000000 1000000000000000 " /* line, gen, inode */
	"0500000000000000 02000000 00000000 " /* window, runs, reserved */
	"0300 0200 01 00 0900 02000000 02000000 "
	"1100000000000000 1200000000000000 "
	"0500 0100 02 12 0700 01000000 02000000 "
	"1300000000000000";

static struct share_record example(void)
{
	struct share_record share = {
		.line = 1, .gen = 2, .inode = 16, .window = 5, .slot_count = 3
	};

	share.slots[0] = (struct slot){ 0x11, 2, 2, 9, 3, 1, 1, 0 };
	share.slots[1] = (struct slot){ 0x12, 2, 2, 10, 4, 1, 1, 0 };
	share.slots[2] = (struct slot){ 0x13, 1, 2, 7, 5, 1, 2, 0x12 };
	return share;
}

static int decode(const uint8_t *payload, size_t payload_bytes,
		  struct share_record *out)
{
	uint8_t *copy = hex_exact_copy(payload, payload_bytes);
	const struct record record = { .type = RECORD_TYPE_SHARE,
				       .payload = copy,
				       .payload_bytes = payload_bytes };
	int rc = share_record_decode(&record, out);

	free(copy);
	return rc;
}

static void test_payload_is_these_bytes(void **state)
{
	struct share_record in = example(), out;
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t len_bytes = share_record_encode(&in, payload);

	(void)state;
	hex_assert(payload, len_bytes, share_hex);
	assert_int_equal(decode(payload, len_bytes, &out), 0);
	assert_int_equal(out.line, 1);
	assert_int_equal(out.gen, 2);
	assert_int_equal(out.inode, 16);
	assert_int_equal(out.window, 5);
	assert_int_equal(out.slot_count, 3);
	assert_memory_equal(out.slots, in.slots, 3 * sizeof(in.slots[0]));
	payload[len_bytes] = 0; /* a record's length is rounded up */
	assert_int_equal(decode(payload, len_bytes + 1, &out), 0);
}

/* F-16, F-72 */
static void test_a_payload_cut_short_is_refused(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t total = hex_decode(share_hex, payload), len_bytes;
	struct share_record out;

	(void)state;
	for (len_bytes = 0; len_bytes < total; len_bytes++)
		assert_int_equal(decode(payload, len_bytes, &out), -EUCLEAN);
}

/* F-72. Offsets: window 16, runs 24, first run 32, second 64. */
static void test_a_share_out_of_bounds_is_refused(void **state)
{
	static const struct {
		size_t offset, width;
		uint64_t value;
		int rc;
	} changes[] = {
		{ 16, 8, (UINT64_C(1) << 42) - 2, 0 },
		{ 16, 8, (UINT64_C(1) << 42) - 1, -EUCLEAN },
		{ 16, 8, UINT64_MAX, -EUCLEAN },
		{ 24, 4, 0, -EUCLEAN },
		{ 24, 4, 1, 0 },
		{ 24, 4, 3, -EUCLEAN },
		{ 28, 4, 7, 0 },	/* reserved: passed over */
		{ 32, 2, 2, -EUCLEAN }, /* a gap behind it */
		{ 36, 1, 3, -EUCLEAN }, /* zeros */
		{ 36, 1, 4, -EUCLEAN },
		{ 40, 4, 0, -EUCLEAN },
		{ 44, 4, 9, 0 }, /* the birth is the record's gen */
		{ 64, 2, 6, -EUCLEAN },
		{ 64, 2, 4, -EUCLEAN },
		{ 68, 1, 3, -EUCLEAN },
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct share_record out;
	size_t total, i;

	(void)state;
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		total = hex_decode(share_hex, payload);
		hex_put(payload + changes[i].offset, changes[i].width,
			changes[i].value);
		assert_int_equal(decode(payload, total, &out), changes[i].rc);
		if (changes[i].rc == 0)
			assert_int_equal(out.slots[0].birth, 2);
	}
}

static void test_what_fits_is_encoded_and_no_more(void **state)
{
	uint8_t payload[2 * RECORD_PAYLOAD_BYTES_MAX];
	struct share_record share = example();
	size_t i, fit;

	(void)state;
	for (i = 0; i < WINDOW_BLOCKS; i++) /* one run */
		share.slots[i] =
			(struct slot){ i,	    3, 2, (uint16_t)(100 + i),
				       (uint16_t)i, 1, 1, 0 };
	share.slot_count = WINDOW_BLOCKS;
	fit = share.slot_count = share_record_fit(&share);
	assert_int_equal(fit, (SHARE_RUNS_BYTES_MAX - 16) / 8);
	assert_true(share_record_encode(&share, payload) <=
		    RECORD_PAYLOAD_BYTES_MAX);
	for (i = 0; i < WINDOW_BLOCKS; i++) /* each its own */
		share.slots[i].block = (uint16_t)(100 + 2 * i);
	share.slot_count = WINDOW_BLOCKS;
	share.slot_count = share_record_fit(&share);
	assert_int_equal(share.slot_count, SHARE_RUNS_BYTES_MAX / 24);
	assert_true(share_record_encode(&share, payload) <=
		    RECORD_PAYLOAD_BYTES_MAX);
	share.slot_count = 5;
	assert_int_equal(share_record_fit(&share), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload_is_these_bytes),
		cmocka_unit_test(test_a_payload_cut_short_is_refused),
		cmocka_unit_test(test_a_share_out_of_bounds_is_refused),
		cmocka_unit_test(test_what_fits_is_encoded_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
