/* The payloads of records, byte by byte; history: test_history_format.c. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hex.h"

#include "record_format.h"
#include "slot.h"

#define BLOCKS_MOST (INT64_MAX / FORMAT_BLOCK_BYTES)

static const struct extent_record raw_example = {
	.line = 1,
	.gen = 2,
	.inode = 3,
	.first_block = 0x456,
	.chunk = { 7, 0x89 },
	.block_count = 2,
	.stored_blocks = 2,
	.sums = { UINT64_C(0x1111111111111111), UINT64_C(0x2222222222222222) },
};
static const char *const raw_hex =
	"01000000 02000000 0300000000000000 " /* line, gen, inode */
	"5604000000000000 07000000 8900 "     /* first, segment, block */
	"0200 0200 000000000000 "	      /* count, stored, reserved */
	"1111111111111111 2222222222222222";  /* a sum for each */

static const struct extent_record lz4_example = {
	.line = 1,
	.gen = 2,
	.inode = 3,
	.first_block = 0x456,
	.chunk = { 7, 0x89 },
	.block_count = 16,
	.stored_blocks = 5,
	.sums = { UINT64_C(0x1111111111111111) },
};
static const char *const lz4_hex =
	"01000000 02000000 0300000000000000 "
	"5604000000000000 07000000 8900 "
	"1000 0500 000000000000 "
	"1111111111111111"; /* one sum, of the stored blocks */

static const struct zero_record zero_example = { 1, 2, 3, 0x456, 0x200 };
static const char *const zero_hex =
	"01000000 02000000 0300000000000000 "
	"5604000000000000 0002000000000000"; /* first, count */

static const struct resize_record resize_example = { 1, 2, 3, 0x123456 };
static const char *const resize_hex = "01000000 02000000 0300000000000000 "
				      "5634120000000000"; /* size */

static const struct attributes_record attributes_example = {
	.line = 1,
	.gen = 2,
	.inode = 3,
	.mode = 0640,
	.uid = 1000,
	.gid = 1001,
	.atime_ns = 1,
	.mtime_ns = -1,
	.ctime_ns = 0x0102030405060708,
};
static const char *const attributes_hex =
	"01000000 02000000 0300000000000000 "
	"a0010000 e8030000 e9030000 00000000 " /* mode, uid, gid, reserved */
	"0100000000000000 ffffffffffffffff "   /* atime, mtime */
	"0807060504030201";		       /* ctime */

static const struct move_record move_example = {
	.inode = 3,
	.window = 0x12,
	.chunk = { 7, 0x89 },
	.block_count = 2,
	.stored_blocks = 2,
	.birth = 9,
	.line = 6,
	.sums = { UINT64_C(0x1111111111111111), UINT64_C(0x2222222222222222) },
	.source = { { { 4, 0x20 }, 0, 0x1fe }, { { 5, 0x30 }, 15, 0x1ff } },
};
static const char *const move_hex =
	"0300000000000000 1200000000000000 "	 /* inode, window */
	"07000000 8900 0200 0200 0000 "		 /* chunk, counts, LZ4 */
	"09000000 06000000 00000000 "		 /* birth, line, reserved */
	"1111111111111111 2222222222222222 "	 /* a sum for each */
	"04000000 2000 e01f 05000000 3000 ff1f"; /* sources */

static const char *const move_lz4_hex = "0300000000000000 1200000000000000 "
					"07000000 8900 0200 0100 0100 "
					"09000000 06000000 00000000 "
					"1111111111111111 " /* one sum */
					"04000000 2000 e01f 05000000 3000 ff1f";

static const char *const jump_hex = "07000000 89000000"; /* segment, block */

static const struct items_record items_example = {
	.line = 1,
	.gen = 2,
	.more = true,
	.piece = (const uint8_t *)"hello",
	.piece_bytes = 5,
};
static const char *const items_hex =
	"01000000 02000000 01000000 05000000 " /* line, gen, flags, bytes */
	"68656c6c6f";			       /* the piece */

static int decode_record(const struct record *record)
{
	static union {
		struct extent_record extent;
		struct zero_record zero;
		struct resize_record resize;
		struct attributes_record attributes;
		struct move_record move;
		struct location target;
		struct items_record items;
	} out;

	switch (record->type) {
	case RECORD_TYPE_RAW:
	case RECORD_TYPE_LZ4:
		return extent_record_decode(record, &out.extent);
	case RECORD_TYPE_ZERO:
		return zero_record_decode(record, &out.zero);
	case RECORD_TYPE_RESIZE:
		return resize_record_decode(record, &out.resize);
	case RECORD_TYPE_ATTRIBUTES:
		return attributes_record_decode(record, &out.attributes);
	case RECORD_TYPE_MOVE:
		return move_record_decode(record, &out.move);
	case RECORD_TYPE_JUMP:
		return jump_record_decode(record, &out.target);
	case RECORD_TYPE_ITEMS:
		return items_record_decode(record, &out.items);
	case RECORD_TYPE_SYNCED:  /* has none */
	case RECORD_TYPE_HISTORY: /* test_history_format.c */
	case RECORD_TYPE_SHARE:	  /* test_share_format.c */
	case RECORD_TYPE_STATE:	  /* test_state_format.c */
	case RECORD_TYPE_KEPT:
		break;
	}
	abort();
}

static int decode_any(enum record_type type, const uint8_t *payload,
		      size_t payload_bytes)
{
	uint8_t *copy = hex_exact_copy(payload, payload_bytes);
	const struct record record = { .type = type,
				       .payload = copy,
				       .payload_bytes = payload_bytes };
	int rc = decode_record(&record);

	free(copy);
	return rc;
}

static void test_extent_payloads_are_these_bytes(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .type = RECORD_TYPE_RAW, .payload = payload };
	struct extent_record out;

	(void)state;
	memset(&out, 0, sizeof(out)); /* what lies between members too */
	record.payload_bytes =
		extent_record_encode(&raw_example, RECORD_TYPE_RAW, payload);
	hex_assert(payload, record.payload_bytes, raw_hex);
	assert_int_equal(extent_record_decode(&record, &out), 0);
	assert_memory_equal(&out, &raw_example, sizeof(out));
	record.type = RECORD_TYPE_LZ4;
	memset(&out, 0, sizeof(out));
	record.payload_bytes =
		extent_record_encode(&lz4_example, RECORD_TYPE_LZ4, payload);
	hex_assert(payload, record.payload_bytes, lz4_hex);
	assert_int_equal(extent_record_decode(&record, &out), 0);
	assert_memory_equal(&out, &lz4_example, sizeof(out));
}

static void test_range_payloads_are_these_bytes(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .type = RECORD_TYPE_ZERO, .payload = payload };
	struct resize_record resize;
	struct zero_record zero;

	(void)state;
	record.payload_bytes = zero_record_encode(&zero_example, payload);
	hex_assert(payload, record.payload_bytes, zero_hex);
	assert_int_equal(zero_record_decode(&record, &zero), 0);
	assert_memory_equal(&zero, &zero_example, sizeof(zero));
	record.payload_bytes = resize_record_encode(&resize_example, payload);
	hex_assert(payload, record.payload_bytes, resize_hex);
	assert_int_equal(resize_record_decode(&record, &resize), 0);
	assert_memory_equal(&resize, &resize_example, sizeof(resize));
}

static void test_attributes_payload_is_these_bytes(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .type = RECORD_TYPE_ATTRIBUTES,
				 .payload = payload };
	struct attributes_record out;

	(void)state;
	record.payload_bytes =
		attributes_record_encode(&attributes_example, payload);
	hex_assert(payload, record.payload_bytes, attributes_hex);
	assert_int_equal(attributes_record_decode(&record, &out), 0);
	assert_int_equal(out.mode, 0640);
	assert_int_equal(out.uid, 1000);
	assert_int_equal(out.gid, 1001);
	assert_true(out.atime_ns == 1 && out.mtime_ns == -1);
	assert_true(out.ctime_ns == attributes_example.ctime_ns);
	assert_true(out.line == 1 && out.gen == 2 && out.inode == 3);
}

static void assert_same_move(const struct move_record *a,
			     const struct move_record *b)
{
	unsigned i;

	assert_true(a->inode == b->inode && a->window == b->window);
	assert_memory_equal(&a->chunk, &b->chunk, sizeof(a->chunk));
	assert_int_equal(a->block_count, b->block_count);
	assert_int_equal(a->stored_blocks, b->stored_blocks);
	assert_int_equal(a->birth, b->birth);
	assert_int_equal(a->line, b->line);
	assert_int_equal(a->is_lz4, b->is_lz4);
	for (i = 0; i < (a->is_lz4 ? 1U : a->block_count); i++)
		assert_true(a->sums[i] == b->sums[i]);
	for (i = 0; i < a->block_count; i++) {
		assert_memory_equal(&a->source[i].at, &b->source[i].at,
				    sizeof(a->source[i].at));
		assert_int_equal(a->source[i].skip, b->source[i].skip);
		assert_int_equal(a->source[i].first, b->source[i].first);
	}
}

static void test_move_payloads_are_these_bytes(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .type = RECORD_TYPE_MOVE, .payload = payload };
	struct move_record in = move_example, out;

	(void)state;
	record.payload_bytes = move_record_encode(&in, payload);
	hex_assert(payload, record.payload_bytes, move_hex);
	assert_int_equal(move_record_decode(&record, &out), 0);
	assert_same_move(&in, &out);
	in.is_lz4 = 1;
	in.stored_blocks = 1;
	record.payload_bytes = move_record_encode(&in, payload);
	hex_assert(payload, record.payload_bytes, move_lz4_hex);
	assert_int_equal(move_record_decode(&record, &out), 0);
	assert_same_move(&in, &out);
}

static void test_jump_payload_is_these_bytes(void **state)
{
	const struct location target = { 7, 0x89 };
	uint8_t payload[16];
	struct record record = { .type = RECORD_TYPE_JUMP, .payload = payload };
	struct location out;

	(void)state;
	record.payload_bytes = jump_record_encode(target, payload);
	hex_assert(payload, record.payload_bytes, jump_hex);
	assert_int_equal(jump_record_decode(&record, &out), 0);
	assert_memory_equal(&out, &target, sizeof(out));
}

static void test_items_payload_is_these_bytes(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .type = RECORD_TYPE_ITEMS,
				 .payload = payload };
	struct items_record in = items_example, out;

	(void)state;
	record.payload_bytes = items_record_encode(&in, payload);
	hex_assert(payload, record.payload_bytes, items_hex);
	assert_int_equal(items_record_decode(&record, &out), 0);
	assert_int_equal(out.line, 1);
	assert_int_equal(out.gen, 2);
	assert_true(out.more && !out.continued);
	assert_int_equal(out.piece_bytes, 5);
	assert_ptr_equal(out.piece, payload + 16);
	in.more = false;
	in.continued = true;
	record.payload_bytes = items_record_encode(&in, payload);
	assert_int_equal(payload[8], 2);
	assert_int_equal(items_record_decode(&record, &out), 0);
	assert_true(!out.more && out.continued);
}

static void test_the_largest_payloads_fit_and_come_back(void **state)
{
	static struct extent_record in, out;
	static struct move_record move, moved;
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .type = RECORD_TYPE_RAW, .payload = payload };
	unsigned i;

	(void)state;
	in = raw_example;
	in.first_block = BLOCKS_MOST - RECORD_RAW_BLOCKS_MAX;
	in.block_count = in.stored_blocks = RECORD_RAW_BLOCKS_MAX;
	in.chunk.block = SEGMENT_BLOCKS - RECORD_RAW_BLOCKS_MAX;
	for (i = 0; i < RECORD_RAW_BLOCKS_MAX; i++)
		in.sums[i] = UINT64_MAX - i;
	record.payload_bytes =
		extent_record_encode(&in, RECORD_TYPE_RAW, payload);
	assert_true(record.payload_bytes <= RECORD_PAYLOAD_BYTES_MAX);
	assert_int_equal(extent_record_decode(&record, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	record.type = RECORD_TYPE_MOVE;
	move = move_example;
	move.block_count = move.stored_blocks = CHUNK_BLOCKS_MAX;
	move.chunk.block = SEGMENT_BLOCKS - CHUNK_BLOCKS_MAX;
	for (i = 0; i < CHUNK_BLOCKS_MAX; i++)
		move.source[i].at =
			(struct location){ UINT32_MAX, SEGMENT_BLOCKS - 1 };
	record.payload_bytes = move_record_encode(&move, payload);
	assert_int_equal(move_record_decode(&record, &moved), 0);
	assert_same_move(&move, &moved);
}

/* F-16 */
static void test_a_payload_cut_short_is_refused(void **state)
{
	const struct {
		enum record_type type;
		const char *hex;
	} payloads[] = {
		{ RECORD_TYPE_RAW, raw_hex },
		{ RECORD_TYPE_LZ4, lz4_hex },
		{ RECORD_TYPE_ZERO, zero_hex },
		{ RECORD_TYPE_RESIZE, resize_hex },
		{ RECORD_TYPE_ATTRIBUTES, attributes_hex },
		{ RECORD_TYPE_MOVE, move_hex },
		{ RECORD_TYPE_MOVE, move_lz4_hex },
		{ RECORD_TYPE_JUMP, jump_hex },
		{ RECORD_TYPE_ITEMS, items_hex },
	};
	uint8_t payload[256] = { 0 };
	size_t i, len_bytes, total;

	(void)state;
	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		total = hex_decode(payloads[i].hex, payload);
		for (len_bytes = 0; len_bytes < total; len_bytes++)
			assert_int_equal(decode_any(payloads[i].type, payload,
						    len_bytes),
					 -EUCLEAN);
		/* padding behind it is passed over */
		for (; len_bytes < total + 8; len_bytes++)
			assert_int_equal(decode_any(payloads[i].type, payload,
						    len_bytes),
					 0);
	}
}

/* One field of a payload gets another value. */
struct change {
	unsigned offset, width;
	uint64_t value;
	int rc;
};

static void try_changes(enum record_type type, const char *hex,
			const struct change *changes, size_t count)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t i;

	for (i = 0; i < count; i++) {
		memset(payload, 0, sizeof(payload));
		hex_decode(hex, payload);
		hex_put(payload + changes[i].offset, changes[i].width,
			changes[i].value);
		if (decode_any(type, payload, sizeof(payload)) != changes[i].rc)
			fail_msg("type %d, change %zu", (int)type, i);
	}
}

#define TRY_CHANGES(type, hex, changes) \
	try_changes(type, hex, changes, sizeof(changes) / sizeof(changes[0]))

/* F-17. Offsets: first block 16, segment 24, block 28, count 30, stored 32. */
/* A14 */
static void test_an_extent_out_of_bounds_is_refused(void **state)
{
	static const struct change raw[] = {
		{ 16, 8, BLOCKS_MOST - 2, 0 },
		{ 16, 8, BLOCKS_MOST - 1, -EUCLEAN },
		{ 16, 8, UINT64_MAX, -EUCLEAN },
		{ 16, 8, WINDOW_BLOCKS - 2, 0 }, /* stays in its window */
		{ 16, 8, WINDOW_BLOCKS - 1, -EUCLEAN },
		{ 24, 4, 0, -EUCLEAN },
		{ 24, 4, UINT32_MAX, 0 },
		{ 28, 2, 0, -EUCLEAN },
		{ 28, 2, SEGMENT_BLOCKS - 2, 0 },
		{ 28, 2, SEGMENT_BLOCKS - 1, -EUCLEAN },
		{ 28, 2, SEGMENT_BLOCKS, -EUCLEAN },
		{ 28, 2, UINT16_MAX, -EUCLEAN },
		{ 30, 4, 0, -EUCLEAN },
		{ 30, 4, 0x01000100, 0 }, /* 256 blocks */
		{ 30, 4, 0x01010101, -EUCLEAN },
		{ 30, 4, 0x00010002, -EUCLEAN }, /* raw: stored is count */
		{ 30, 4, 0x00020001, -EUCLEAN },
		{ 34, 2, 1, 0 }, /* reserved: passed over */
	};
	static const struct change lz4[] = {
		{ 30, 4, 0x00010001, 0 },
		{ 30, 4, 0x00000001, -EUCLEAN },
		{ 30, 4, 0x00110011, -EUCLEAN },
		{ 30, 4, 0x00100010, 0 },
		{ 30, 4, 0x00030002, -EUCLEAN },
		{ 28, 2, SEGMENT_BLOCKS - 5, 0 },
		{ 28, 2, SEGMENT_BLOCKS - 4, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(RECORD_TYPE_RAW, raw_hex, raw);
	TRY_CHANGES(RECORD_TYPE_LZ4, lz4_hex, lz4);
}

/* F-18. Offsets: first block or size 16, count 24. */
static void test_a_range_out_of_bounds_is_refused(void **state)
{
	static const struct change zero[] = {
		{ 16, 8, BLOCKS_MOST - 0x200, 0 },
		{ 16, 8, BLOCKS_MOST - 0x1ff, -EUCLEAN },
		{ 16, 8, UINT64_MAX, -EUCLEAN },
		{ 24, 8, 0, 0 },
		{ 24, 8, BLOCKS_MOST - 0x456, 0 },
		{ 24, 8, BLOCKS_MOST - 0x455, -EUCLEAN },
		{ 24, 8, UINT64_MAX, -EUCLEAN },
	};
	static const struct change resize[] = {
		{ 16, 8, 0, 0 },
		{ 16, 8, INT64_MAX, 0 },
		{ 16, 8, UINT64_C(1) << 63, -EUCLEAN },
		{ 16, 8, UINT64_MAX, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(RECORD_TYPE_ZERO, zero_hex, zero);
	TRY_CHANGES(RECORD_TYPE_RESIZE, resize_hex, resize);
}

/* F-19. Offsets: window 8, segment 16, block 20, count 22, stored 24, LZ4 26,
 * first source 56: segment, block 60, skip and block in the window 62. */
static void test_a_move_out_of_bounds_is_refused(void **state)
{
	static const struct change raw[] = {
		{ 8, 8, BLOCKS_MOST / WINDOW_BLOCKS, 0 },
		{ 8, 8, BLOCKS_MOST / WINDOW_BLOCKS + 1, -EUCLEAN },
		{ 16, 4, 0, -EUCLEAN },
		{ 20, 2, 0, -EUCLEAN },
		{ 20, 2, SEGMENT_BLOCKS - 2, 0 },
		{ 20, 2, SEGMENT_BLOCKS - 1, -EUCLEAN },
		{ 22, 4, 0, -EUCLEAN },
		{ 22, 4, 0x00110011, -EUCLEAN },
		{ 22, 4, 0x00010002, -EUCLEAN }, /* raw: stored is count */
		{ 22, 4, 0x00020001, -EUCLEAN },
		{ 26, 2, 2, -EUCLEAN },
		{ 56, 4, 0, -EUCLEAN },
		{ 60, 2, 0, -EUCLEAN },
		{ 60, 2, SEGMENT_BLOCKS - 1, 0 },
		{ 60, 2, SEGMENT_BLOCKS, -EUCLEAN },
		{ 62, 2, 0x1fff, 0 },
		{ 62, 2, 0x2000, -EUCLEAN },
		{ 62, 2, UINT16_MAX, -EUCLEAN },
	};
	static const struct change lz4[] = {
		{ 24, 2, 0, -EUCLEAN },
		{ 24, 2, 2, 0 },
		{ 24, 2, 3, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(RECORD_TYPE_MOVE, move_hex, raw);
	TRY_CHANGES(RECORD_TYPE_MOVE, move_lz4_hex, lz4);
}

/* F-20 */
static void test_a_jump_out_of_bounds_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 0, 4, 0, -EUCLEAN },
		{ 0, 4, UINT32_MAX, 0 },
		{ 4, 4, 0, -EUCLEAN },
		{ 4, 4, 1, 0 },
		{ 4, 4, SEGMENT_BLOCKS - 1, 0 },
		{ 4, 4, SEGMENT_BLOCKS, -EUCLEAN },
		{ 4, 4, 0x10001, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(RECORD_TYPE_JUMP, jump_hex, changes);
}

/* F-23 */
static void test_a_mode_of_more_than_permissions_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 16, 4, 0, 0 },
		{ 16, 4, 07777, 0 },
		{ 16, 4, 010000, -EUCLEAN },
		{ 16, 4, 0100640, -EUCLEAN },
		{ 28, 4, 1, 0 }, /* reserved: passed over */
	};

	(void)state;
	TRY_CHANGES(RECORD_TYPE_ATTRIBUTES, attributes_hex, changes);
}

/* F-69. Offsets: flags 8, bytes 12. */
static void test_items_out_of_bounds_are_refused(void **state)
{
	static const struct change changes[] = {
		{ 8, 4, 0, 0 },
		{ 8, 4, 3, 0 },
		{ 8, 4, 4, -EUCLEAN },
		{ 8, 4, 0x80000000, -EUCLEAN },
		{ 12, 4, 0, -EUCLEAN },
		{ 12, 4, 1, 0 },
		{ 12, 4, RECORD_PIECE_BYTES_MAX, 0 },
		{ 12, 4, RECORD_PIECE_BYTES_MAX + 1, -EUCLEAN },
		{ 12, 4, UINT32_MAX, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(RECORD_TYPE_ITEMS, items_hex, changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extent_payloads_are_these_bytes),
		cmocka_unit_test(test_range_payloads_are_these_bytes),
		cmocka_unit_test(test_attributes_payload_is_these_bytes),
		cmocka_unit_test(test_move_payloads_are_these_bytes),
		cmocka_unit_test(test_jump_payload_is_these_bytes),
		cmocka_unit_test(test_items_payload_is_these_bytes),
		cmocka_unit_test(test_the_largest_payloads_fit_and_come_back),
		cmocka_unit_test(test_a_payload_cut_short_is_refused),
		cmocka_unit_test(test_an_extent_out_of_bounds_is_refused),
		cmocka_unit_test(test_a_range_out_of_bounds_is_refused),
		cmocka_unit_test(test_a_move_out_of_bounds_is_refused),
		cmocka_unit_test(test_a_jump_out_of_bounds_is_refused),
		cmocka_unit_test(
			test_a_mode_of_more_than_permissions_is_refused),
		cmocka_unit_test(test_items_out_of_bounds_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
