/* The header of an LZ4 chunk, byte by byte. */
#include <errno.h>
#include <stdlib.h>

#include "hex.h"

#include "chunk_format.h"
#include "record_format.h"

enum { STORED_BYTES = 3 * FORMAT_BLOCK_BYTES };

static const char *const chunk_hex =
	"434c5a34 1000 0000 " /* magic, raw blocks, reserved */
	"34120000 00000000";  /* LZ4 bytes, reserved */

static void test_chunk_header_is_these_bytes(void **state)
{
	uint8_t bytes[CHUNK_HEADER_BYTES];
	uint16_t raw_blocks;
	uint32_t lz4_bytes;

	(void)state;
	chunk_header_encode(16, 0x1234, bytes);
	hex_assert(bytes, sizeof(bytes), chunk_hex);
	assert_int_equal(chunk_header_decode(bytes, STORED_BYTES, &raw_blocks,
					     &lz4_bytes),
			 0);
	assert_int_equal(raw_blocks, 16);
	assert_int_equal(lz4_bytes, 0x1234);
}

/* F-40 */
/* A15, A16 */
static void test_a_broken_chunk_header_is_refused(void **state)
{
	static const struct {
		unsigned offset, width;
		uint64_t value;
		size_t len_bytes;
		int rc;
	} cases[] = {
		{ 0, 4, 0, STORED_BYTES, -EUCLEAN },
		{ 0, 1, 'D', STORED_BYTES, -EUCLEAN },
		{ 4, 2, 0, STORED_BYTES, -EUCLEAN },
		{ 4, 2, 1, STORED_BYTES, 0 },
		{ 4, 2, CHUNK_BLOCKS_MAX, STORED_BYTES, 0 },
		{ 4, 2, CHUNK_BLOCKS_MAX + 1, STORED_BYTES, -EUCLEAN },
		{ 4, 2, UINT16_MAX, STORED_BYTES, -EUCLEAN },
		{ 8, 4, 0, STORED_BYTES, -EUCLEAN },
		{ 8, 4, 1, STORED_BYTES, 0 },
		{ 8, 4, STORED_BYTES - CHUNK_HEADER_BYTES, STORED_BYTES, 0 },
		{ 8, 4, STORED_BYTES - CHUNK_HEADER_BYTES + 1, STORED_BYTES,
		  -EUCLEAN },
		{ 8, 4, UINT32_MAX, STORED_BYTES, -EUCLEAN },
		{ 0, 0, 0, 0, -EUCLEAN },
		{ 0, 0, 0, CHUNK_HEADER_BYTES - 1, -EUCLEAN },
		{ 0, 0, 0, CHUNK_HEADER_BYTES, -EUCLEAN }, /* no room */
		{ 6, 2, 1, STORED_BYTES, 0 }, /* reserved: passed over */
		{ 12, 4, 1, STORED_BYTES, 0 },
	};
	uint8_t bytes[CHUNK_HEADER_BYTES];
	uint16_t raw_blocks;
	uint32_t lz4_bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		hex_decode(chunk_hex, bytes);
		hex_put(bytes + cases[i].offset, cases[i].width,
			cases[i].value);
		if (chunk_header_decode(bytes, cases[i].len_bytes, &raw_blocks,
					&lz4_bytes) != cases[i].rc)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunk_header_is_these_bytes),
		cmocka_unit_test(test_a_broken_chunk_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
