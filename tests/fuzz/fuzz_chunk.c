/*
 * LZ4 chunks (A15, A16): the header, and what it says about the bytes behind
 * it; then the same bytes behind a header that is right. What LZ4 makes of them
 * never goes beyond the blocks that a chunk may have.
 */
#include <lz4.h>
#include <string.h>

#include "chunk_format.h"
#include "record_format.h"

#include "fuzz_assert.h"

static void decode(const uint8_t *data, size_t len_bytes)
{
	/* Of malloc: a sanitizer sees who writes behind it. */
	char *raw;
	uint16_t raw_blocks;
	uint32_t lz4_bytes;
	int n;

	if (chunk_header_decode(data, len_bytes, &raw_blocks, &lz4_bytes) < 0)
		return;
	FUZZ_ASSERT(raw_blocks >= 1 && raw_blocks <= CHUNK_BLOCKS_MAX);
	FUZZ_ASSERT(lz4_bytes <= len_bytes - CHUNK_HEADER_BYTES);
	raw = malloc((size_t)raw_blocks * FORMAT_BLOCK_BYTES);
	FUZZ_ASSERT(raw);
	n = LZ4_decompress_safe((const char *)data + CHUNK_HEADER_BYTES, raw,
				(int)lz4_bytes,
				raw_blocks * FORMAT_BLOCK_BYTES);
	FUZZ_ASSERT(n <= raw_blocks * FORMAT_BLOCK_BYTES);
	free(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	uint8_t *chunk;

	decode(data, len_bytes);
	if (len_bytes < 2)
		return 0;
	chunk = malloc(CHUNK_HEADER_BYTES + len_bytes - 1);
	FUZZ_ASSERT(chunk);
	chunk_header_encode(data[0] % CHUNK_BLOCKS_MAX + 1,
			    (uint32_t)len_bytes - 1, chunk);
	memcpy(chunk + CHUNK_HEADER_BYTES, data + 1, len_bytes - 1);
	decode(chunk, CHUNK_HEADER_BYTES + len_bytes - 1);
	free(chunk);
	return 0;
}
