/* STATE and KEPT records, byte by byte. */
#include "hex.h"

#include <errno.h>

#include "state_format.h"

#define SEED UINT64_C(0x0123456789abcdef)

static int decode_state(const uint8_t *payload, size_t payload_bytes,
			struct state_record *out)
{
	uint8_t *copy = hex_exact_copy(payload, payload_bytes);
	const struct record record = { .type = RECORD_TYPE_STATE,
				       .lsn = 100,
				       .payload = copy,
				       .payload_bytes = payload_bytes };
	int rc = state_record_decode(&record, out);

	free(copy);
	return rc;
}

static const char *const state_hex =
	"0700000000000000 1111111111111111 " /* as of, checksum */
	"0a000000 02000000 03000000 00000000 616263";

static void test_a_piece_is_these_bytes(void **state)
{
	struct state_record in = { 7, UINT64_C(0x1111111111111111), 10,
				   2, (const uint8_t *)"abc",	    3 };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	const struct record record = { .type = RECORD_TYPE_STATE,
				       .payload = payload,
				       .payload_bytes = 40 };
	struct state_record out;

	(void)state;
	hex_assert(payload, state_record_encode(&in, payload), state_hex);
	assert_int_equal(state_record_decode(&record, &out), 0);
	assert_int_equal(out.as_of_lsn, 7);
	assert_true(out.checksum == in.checksum);
	assert_int_equal(out.dump_bytes, 10);
	assert_int_equal(out.offset, 2);
	assert_int_equal(out.piece_bytes, 3);
	assert_memory_equal(out.piece, "abc", 3);
}

/* F-16, F-73. Offsets: dump 16, offset 20, piece 24. */
static void test_a_piece_out_of_bounds_is_refused(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
		int rc;
	} changes[] = {
		{ 16, 5, 0 },
		{ 16, 4, -EUCLEAN },
		{ 16, 0, -EUCLEAN },
		{ 16, STATE_DUMP_BYTES_MAX, 0 },
		{ 16, STATE_DUMP_BYTES_MAX + 1, -EUCLEAN },
		{ 20, 7, 0 },
		{ 20, 8, -EUCLEAN },
		{ 20, UINT32_MAX, -EUCLEAN },
		{ 24, 0, -EUCLEAN },
		{ 24, 1, 0 },
		{ 24, 4, -EUCLEAN }, /* behind the payload */
		{ 24, UINT32_MAX, -EUCLEAN },
	};
	uint8_t payload[64];
	size_t total = hex_decode(state_hex, payload), i;
	struct state_record out;

	(void)state;
	for (i = 0; i < total; i++)
		assert_int_equal(decode_state(payload, i, &out), -EUCLEAN);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		total = hex_decode(state_hex, payload);
		hex_put(payload + changes[i].offset, 4, changes[i].value);
		if (decode_state(payload, total, &out) != changes[i].rc)
			fail_msg("change %zu", i);
	}
}

#define TEXT_OF(string)                    \
	{                                  \
		string, sizeof(string) - 1 \
	}

#define TEXT_AT(array)                               \
	{                                            \
		(const char *)(array), sizeof(array) \
	}

static const uint8_t stack_key[] = { 0, 0, 0, 0, 0, 0, 0, 0, 5 };
static const uint8_t stack_bytes[] = { 1, 0, 0, 0, 2, 0, 0, 0 };

/* One entry of each kind, and its bytes. */
static const struct {
	struct state_entry entry;
	const char *hex;
} examples[] = {
	{ { .kind = STATE_KIND_COUNTERS, .counters = { 2, 3, 4, 5, 6, 16 } },
	  "0100 0000 20000000 02000000 03000000 04000000 05000000 "
	  "0600000000000000 1000000000000000" },
	{ { .kind = STATE_KIND_LINE, .line = { 4, 3, 9, 10 } },
	  "0200 0000 10000000 04000000 03000000 09000000 0a000000" },
	{ { .kind = STATE_KIND_FOLD, .fold = { 2, 4, 9 } },
	  "0300 0000 0c000000 02000000 04000000 09000000" },
	{ { .kind = STATE_KIND_BRANCH,
	    .branch = { 1, 4, 10, 2, 5, 6, 1, -1, 8, 9, 10, TEXT_OF("main") } },
	  "0400 0000 44000000 01000000 04000000 0a000000 02000000 "
	  "05000000 06000000 01000000 ffffffffffffffff 0800000000000000 "
	  "0900000000000000 0a00000000000000 04000000 6d61696e" },
	{ { .kind = STATE_KIND_SNAPSHOT,
	    .snapshot = { 1, 2, 3, 4, 0, 2, 5, 6, 7, 8, 9, TEXT_OF("s"),
			  TEXT_OF("no") } },
	  "0500 0000 4b000000 01000000 02000000 03000000 04000000 "
	  "00000000 02000000 0500000000000000 0600000000000000 "
	  "0700000000000000 0800000000000000 0900000000000000 "
	  "01000000 73 02000000 6e6f" },
	{ { .kind = STATE_KIND_HOLD, .hold = { 1, 2, TEXT_OF("t") } },
	  "0600 0000 11000000 01000000 0200000000000000 01000000 74" },
	{ { .kind = STATE_KIND_BASE,
	    .base = { 0, 1, 1, 2, 3, 4, 5, 6, 7, TEXT_OF(""), TEXT_OF("/b") } },
	  "0700 0000 46000000 00000000 01000000 01000000 0200000000000000 "
	  "0300000000000000 0400000000000000 0500000000000000 "
	  "0600000000000000 0700000000000000 00000000 02000000 2f62" },
	{ { .kind = STATE_KIND_ITEM,
	    .item = { 1, 2, TEXT_AT(stack_key), TEXT_AT(stack_bytes) } },
	  "0800 0000 21000000 01000000 02000000 09000000 "
	  "000000000000000005 08000000 0100000002000000" },
};

enum { EXAMPLES = sizeof(examples) / sizeof(examples[0]) };

static size_t example_dump(uint8_t *dump)
{
	size_t bytes = 0, i;

	for (i = 0; i < EXAMPLES; i++)
		bytes += hex_decode(examples[i].hex, dump + bytes);
	return bytes;
}

static void test_entries_are_these_bytes_and_come_back(void **state)
{
	uint8_t dump[1024], again[512];
	size_t total = example_dump(dump), offset = 0, from, i;
	struct state_entry entry;

	(void)state;
	for (i = 0; i < EXAMPLES; i++) {
		size_t bytes = state_entry_encode(&examples[i].entry, again);

		hex_assert(again, bytes, examples[i].hex);
		assert_int_equal(bytes, state_entry_bytes(&examples[i].entry));
	}
	for (i = 0; i < EXAMPLES; i++) {
		from = offset;
		assert_int_equal(state_next(dump, total, &offset, &entry), 0);
		assert_int_equal(entry.kind, examples[i].entry.kind);
		assert_int_equal(state_entry_encode(&entry, again),
				 offset - from);
		assert_memory_equal(again, dump + from, offset - from);
	}
	assert_int_equal(state_next(dump, total, &offset, &entry), -ENOENT);
	assert_true(state_checksum(SEED, dump, total) !=
		    state_checksum(SEED + 1, dump, total));
}

/* F-74: everything that is cut, and each length one more or less. */
static void test_entries_cut_short_are_refused(void **state)
{
	uint8_t bytes[512], *copy;
	struct state_entry entry;
	size_t total, offset, cut;

	(void)state;
	total = hex_decode(examples[0].hex, bytes);
	for (cut = 1; cut < total; cut++) {
		copy = hex_exact_copy(bytes, cut);
		offset = 0;
		assert_int_equal(state_next(copy, cut, &offset, &entry),
				 -EUCLEAN);
		free(copy);
	}
	bytes[4]--;
	offset = 0;
	assert_int_equal(state_next(bytes, total, &offset, &entry), -EUCLEAN);
	bytes[4] += 2;
	assert_int_equal(state_next(bytes, total + 1, &offset, &entry),
			 -EUCLEAN);
}

static int next_of_changed(size_t nr, size_t at, size_t width, uint64_t value)
{
	uint8_t dump[1024];
	size_t first = hex_decode(examples[0].hex, dump), offset = first;
	size_t total = first + hex_decode(examples[nr].hex, dump + first);
	struct state_entry entry;
	uint8_t *copy;
	int rc;

	hex_put(dump + first + at, width, value);
	copy = hex_exact_copy(dump, total);
	rc = state_next(copy, total, &offset, &entry);
	free(copy);
	return rc;
}

/* F-74 */
static void test_entries_out_of_bounds_are_refused(void **state)
{
	static const struct {
		size_t nr, at, width;
		uint64_t value;
		int rc;
	} changes[] = {
		{ 0, 0, 2, 1, -EUCLEAN }, /* counters twice */
		{ 1, 0, 2, 0, -EUCLEAN },
		{ 1, 0, 2, STATE_KIND_LAST + 1, -EUCLEAN },
		{ 1, 2, 2, 1, 0 }, /* reserved */
		{ 1, 12, 4, 4, -EUCLEAN },
		{ 1, 12, 4, 0, 0 },
		{ 1, 8, 4, 0, -EUCLEAN },
		{ 2, 8, 4, 0, -EUCLEAN },
		{ 2, 8, 4, 4, -EUCLEAN },
		{ 3, 8, 4, 0, -EUCLEAN },
		{ 3, 20, 4, 3, -EUCLEAN },
		{ 3, 32, 4, 2, -EUCLEAN },
		{ 3, 68, 4, 3, -EUCLEAN },
		{ 3, 68, 4, UINT32_MAX, -EUCLEAN },
		{ 3, 72, 1, 0, -EUCLEAN }, /* NUL in a name */
		{ 4, 8, 4, 0, -EUCLEAN },
		{ 4, 24, 4, 3, -EUCLEAN },
		{ 4, 28, 4, 3, -EUCLEAN },
		{ 4, 48, 8, UINT64_C(1) << 63, -EUCLEAN },
		{ 4, 81, 1, 0, -EUCLEAN },
		{ 5, 8, 4, 0, -EUCLEAN },
		{ 5, 24, 1, 0, -EUCLEAN },
		{ 6, 8, 4, 256, -EUCLEAN },
		{ 6, 12, 4, 0, -EUCLEAN },
		{ 6, 12, 4, 4, -EUCLEAN },
		{ 6, 16, 4, 2, -EUCLEAN },
		{ 6, 36, 8, UINT64_C(1) << 63, -EUCLEAN },
		{ 7, 28, 1, 9, -EUCLEAN }, /* no such type of items */
		{ 7, 33, 4, 3, -EUCLEAN }, /* two layers, one is told */
	};
	uint8_t dump[1024];
	struct state_entry entry;
	size_t i, offset = 0, total;

	(void)state;
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (next_of_changed(changes[i].nr, changes[i].at,
				    changes[i].width,
				    changes[i].value) != changes[i].rc)
			fail_msg("change %zu", i);
	/* Counters are the first. */
	total = hex_decode(examples[1].hex, dump);
	assert_int_equal(state_next(dump, total, &offset, &entry), -EUCLEAN);
}

/* F-16, F-75 */
static void test_a_kept_record_is_an_older_one_of_blocks(void **state)
{
	static const uint8_t inner[16] = { 1, 2, 3 };
	struct kept_record in = { { .lsn = 5,
				    .type = RECORD_TYPE_ZERO,
				    .payload = inner,
				    .payload_bytes = sizeof(inner) } };
	struct kept_record out;
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .lsn = 6,
				 .type = RECORD_TYPE_KEPT,
				 .payload = payload };
	unsigned type;

	(void)state;
	record.payload_bytes = kept_record_encode(&in, payload);
	hex_assert(payload, record.payload_bytes,
		   "0500000000000000 0300 000000000000 "
		   "01020300000000000000000000000000");
	assert_int_equal(kept_record_decode(&record, &out), 0);
	assert_int_equal(out.record.lsn, 5);
	assert_int_equal(out.record.type, RECORD_TYPE_ZERO);
	assert_int_equal(out.record.payload_bytes, sizeof(inner));
	assert_memory_equal(out.record.payload, inner, sizeof(inner));
	record.lsn = 5;
	assert_int_equal(kept_record_decode(&record, &out), -EUCLEAN);
	record.lsn = 6;
	record.payload_bytes = KEPT_HEADER_BYTES - 1;
	assert_int_equal(kept_record_decode(&record, &out), -EUCLEAN);
	record.payload_bytes = 32;
	for (type = 0; type <= RECORD_TYPE_LAST + 1; type++) {
		bool may = type == RECORD_TYPE_RAW || type == RECORD_TYPE_LZ4 ||
			   type == RECORD_TYPE_ZERO ||
			   type == RECORD_TYPE_MOVE ||
			   type == RECORD_TYPE_SHARE;

		hex_put(payload + 8, 2, type);
		assert_int_equal(kept_record_decode(&record, &out),
				 may ? 0 : -EUCLEAN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_piece_is_these_bytes),
		cmocka_unit_test(test_a_piece_out_of_bounds_is_refused),
		cmocka_unit_test(test_entries_are_these_bytes_and_come_back),
		cmocka_unit_test(test_entries_cut_short_are_refused),
		cmocka_unit_test(test_entries_out_of_bounds_are_refused),
		cmocka_unit_test(test_a_kept_record_is_an_older_one_of_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
