/*
 * The segment header byte by byte, and the worked example of docs/format.md:
 * with that file as argument, the test compares the dump in it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

#include "hex.h"

#include "history_format.h"
#include "record_format.h"

#define SEED UINT64_C(0x0123456789abcdef)

enum { CHECKED_BYTES = 64, HEADER_BYTES = 72 };

static const char *const header_hex =
	"434f574453454731 01000000 02000000 " /* magic, version, segment */
	"000102030405060708090a0b0c0d0e0f "   /* uuid */
	"efcdab8967452301 0000000000000000 "  /* seed, incompatible */
	"0201000000000000 0000000000000000 "  /* first LSN, reserved */
	"b9d077a5d6afa882";		      /* checksum */

static const struct segment_header example = {
	.segment = 2,
	.uuid = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	.seed = SEED,
	.first_lsn = 0x102,
};

static void set_checksum(uint8_t *block)
{
	hex_put(block + CHECKED_BYTES, 8, XXH3_64bits(block, CHECKED_BYTES));
}

static void test_header_encodes_to_these_bytes(void **state)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	size_t i;

	(void)state;
	memset(block, 0xff, sizeof(block));
	segment_header_encode(&example, block);
	hex_assert(block, HEADER_BYTES, header_hex);
	for (i = HEADER_BYTES; i < sizeof(block); i++)
		assert_int_equal(block[i], 0);
}

static void test_these_bytes_decode_to_the_header(void **state)
{
	uint8_t block[FORMAT_BLOCK_BYTES] = { 0 };
	struct segment_header header;

	(void)state;
	hex_decode(header_hex, block);
	assert_int_equal(segment_header_decode(block, sizeof(block), &header),
			 0);
	assert_int_equal(header.segment, 2);
	assert_memory_equal(header.uuid, example.uuid, FORMAT_UUID_BYTES);
	assert_true(header.seed == SEED);
	assert_int_equal(header.incompatible, 0);
	assert_int_equal(header.first_lsn, 0x102);
}

static void test_extreme_values_survive_a_round_trip(void **state)
{
	struct segment_header in = { .segment = UINT32_MAX,
				     .seed = UINT64_MAX,
				     .first_lsn = UINT64_MAX };
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct segment_header out;

	(void)state;
	memset(in.uuid, 0xff, sizeof(in.uuid));
	segment_header_encode(&in, block);
	assert_int_equal(segment_header_decode(block, sizeof(block), &out), 0);
	assert_true(out.segment == UINT32_MAX && out.seed == UINT64_MAX &&
		    out.first_lsn == UINT64_MAX);
	assert_memory_equal(in.uuid, out.uuid, sizeof(in.uuid));
}

/* F-1: all of the block must be there. */
static void test_a_short_block_is_no_header(void **state)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	static const size_t lengths[] = { 0, 1, HEADER_BYTES - 1, HEADER_BYTES,
					  FORMAT_BLOCK_BYTES - 1 };
	struct segment_header header;
	size_t i;

	(void)state;
	segment_header_encode(&example, block);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		assert_int_equal(segment_header_decode(block, lengths[i],
						       &header),
				 -EUCLEAN);
}

static void test_a_broken_header_is_refused(void **state)
{
	static const struct {
		size_t offset, width;
		uint64_t value;
		bool checksum; /* made right again */
		int rc;
	} cases[] = {
		{ 0, 8, SEGMENT_MAGIC + 1, true, -EUCLEAN }, /* F-2 */
		{ 0, 8, 0, true, -EUCLEAN },		     /* F-2 */
		{ 64, 8, 0, false, -EUCLEAN },		     /* F-3 */
		{ 12, 4, 3, false, -EUCLEAN },		     /* F-3 */
		{ 56, 8, 1, false, -EUCLEAN },		     /* F-3 */
		{ 12, 4, 0, true, -EUCLEAN },		     /* F-4 */
		{ 8, 4, 0, true, -EPROTONOSUPPORT },	     /* F-5 */
		{ 8, 4, 2, true, -EPROTONOSUPPORT },	     /* F-5 */
		{ 40, 8, 1, true, -EPROTONOSUPPORT },	     /* F-5 */
		{ 40, 8, UINT64_C(1) << 63, true, -EPROTONOSUPPORT },
		{ 56, 8, 1, true, 0 }, /* reserved: passed over */
	};
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct segment_header header;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		segment_header_encode(&example, block);
		hex_put(block + cases[i].offset, cases[i].width,
			cases[i].value);
		if (cases[i].checksum)
			set_checksum(block);
		if (segment_header_decode(block, sizeof(block), &header) !=
		    cases[i].rc)
			fail_msg("case %zu", i);
	}
}

/* F-3 */
static void test_every_flipped_bit_of_the_header_is_seen(void **state)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct segment_header header;
	unsigned bit;

	(void)state;
	for (bit = 0; bit < HEADER_BYTES * 8; bit++) {
		segment_header_encode(&example, block);
		block[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		assert_int_equal(segment_header_decode(block, sizeof(block),
						       &header),
				 -EUCLEAN);
	}
}

static void test_the_checksum_of_a_block_depends_on_the_seed(void **state)
{
	uint8_t block[FORMAT_BLOCK_BYTES] = { 0 };

	(void)state;
	assert_true(block_checksum(SEED, block, sizeof(block)) ==
		    UINT64_C(0x22ce630f38bf6769));
	assert_true(block_checksum(SEED, block, sizeof(block)) !=
		    block_checksum(SEED + 1, block, sizeof(block)));
}

/* One record at the offset; returns where the next begins. */
static uint32_t put_record(uint8_t *block, uint32_t offset, uint64_t lsn,
			   enum record_type type, const uint8_t *payload,
			   size_t payload_bytes)
{
	const struct record_place place = { SEED, 2, 3, 1, offset };
	const struct record record = { .lsn = lsn,
				       .unsynced = (uint32_t)(lsn - 0x100),
				       .type = type,
				       .payload = payload,
				       .payload_bytes = payload_bytes };

	record_encode(&place, &record, block + offset);
	return offset + (uint32_t)record_bytes(payload_bytes);
}

/* Three blocks of a segment: header, record block, one block of data. */
static void build_example(uint8_t *segment)
{
	const struct record_block_header header = {
		.segment = 2,
		.epoch = 3,
		.block = 1,
		.first_lsn = 0x102,
		.durable_lsn = 0x100,
	};
	struct extent_record extent = {
		.line = 1,
		.gen = 2,
		.inode = 2,
		.first_block = 0x345,
		.chunk = { 2, 2 },
		.block_count = 1,
		.stored_blocks = 1,
	};
	struct history_record history = {
		.op = HISTORY_OP_SNAPSHOT,
		.operation = 5,
		.time_ns = INT64_C(1800000000) * 1000000000,
		.branch = 1,
		.snapshot = 1,
		.gen = 3,
		.name = "clean",
		.old_name = "main",
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint8_t *records = segment + FORMAT_BLOCK_BYTES;
	uint8_t *data = segment + 2 * FORMAT_BLOCK_BYTES;
	uint32_t next = RECORD_BLOCK_HEADER_BYTES;

	memset(segment, 0, 3 * FORMAT_BLOCK_BYTES);
	segment_header_encode(&example, segment);
	memcpy(data, "hello, world", 12);
	extent.sums[0] = block_checksum(SEED, data, FORMAT_BLOCK_BYTES);
	record_block_encode(SEED, &header, records);
	next = put_record(records, next, 0x102, RECORD_TYPE_RAW, payload,
			  extent_record_encode(&extent, RECORD_TYPE_RAW,
					       payload));
	put_record(records, next, 0x103, RECORD_TYPE_HISTORY, payload,
		   history_record_encode(&history, payload));
}

/* As `hexdump -C` has it. */
static char *dump(const uint8_t *bytes, size_t len_bytes)
{
	char *text = NULL;
	size_t text_bytes, at, i;
	FILE *out = open_memstream(&text, &text_bytes);
	bool skipped = false;

	assert_non_null(out);
	for (at = 0; at < len_bytes; at += 16) {
		if (at > 0 && memcmp(bytes + at, bytes + at - 16, 16) == 0) {
			if (!skipped)
				fprintf(out, "*\n");
			skipped = true;
			continue;
		}
		skipped = false;
		fprintf(out, "%08zx", at);
		for (i = at; i < at + 16; i++)
			fprintf(out, "%s%02x", i % 8 ? " " : "  ", bytes[i]);
		fprintf(out, "  |");
		for (i = at; i < at + 16; i++)
			fputc(bytes[i] >= ' ' && bytes[i] < 127 ? bytes[i] :
								  '.',
			      out);
		fprintf(out, "|\n");
	}
	fprintf(out, "%08zx\n", len_bytes);
	assert_int_equal(fclose(out), 0);
	return text;
}

static char *document; /* docs/format.md, NULL: not given */

static char *read_file(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!in || !text || fread(text, 1, (1 << 20) - 1, in) == 0) {
		fprintf(stderr, "%s: can't be read\n", path);
		exit(1);
	}
	fclose(in);
	return text;
}

static void test_the_document_shows_the_dump_of_this_example(void **state)
{
	static uint8_t segment[3 * FORMAT_BLOCK_BYTES];
	char *text;
	bool found;

	(void)state;
	if (!document)
		skip();
	build_example(segment);
	text = dump(segment, sizeof(segment));
	found = strstr(document, text) != NULL;
	if (!found)
		fputs(text, stderr);
	free(text);
	assert_true(found);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_encodes_to_these_bytes),
		cmocka_unit_test(test_these_bytes_decode_to_the_header),
		cmocka_unit_test(test_extreme_values_survive_a_round_trip),
		cmocka_unit_test(test_a_short_block_is_no_header),
		cmocka_unit_test(test_a_broken_header_is_refused),
		cmocka_unit_test(test_every_flipped_bit_of_the_header_is_seen),
		cmocka_unit_test(
			test_the_checksum_of_a_block_depends_on_the_seed),
		cmocka_unit_test(
			test_the_document_shows_the_dump_of_this_example),
	};
	int rc;

	if (argc > 1)
		document = read_file(argv[1]);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	free(document);
	return rc;
}
