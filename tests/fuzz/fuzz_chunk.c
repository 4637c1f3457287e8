/* LZ4 chunks: the header, and what it says about the bytes behind it. */
#include <lz4.h>

#include "chunk_format.h"
#include "record_format.h"

#include "fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static char raw[CHUNK_BLOCKS_MAX * FORMAT_BLOCK_BYTES];
	uint16_t raw_blocks;
	uint32_t lz4_bytes;
	int n;

	if (chunk_header_decode(data, len_bytes, &raw_blocks, &lz4_bytes) < 0)
		return 0;
	FUZZ_ASSERT(raw_blocks <= CHUNK_BLOCKS_MAX);
	FUZZ_ASSERT(lz4_bytes <= len_bytes - CHUNK_HEADER_BYTES);
	n = LZ4_decompress_safe((const char *)data + CHUNK_HEADER_BYTES, raw,
				(int)lz4_bytes,
				raw_blocks * FORMAT_BLOCK_BYTES);
	FUZZ_ASSERT(n <= (int)sizeof(raw));
	return 0;
}
