/* Segment headers: as they come, then with a checksum that is right. */
#include <string.h>

#include "segment_format.h"

#include "fuzz_assert.h"
#include "fuzz_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	uint8_t block[FORMAT_BLOCK_BYTES] = { 0 };
	struct segment_header header, again;

	(void)!segment_header_decode(data, len_bytes, &header);
	memcpy(block, data,
	       len_bytes < sizeof(block) ? len_bytes : sizeof(block));
	seal_segment_header(block);
	if (segment_header_decode(block, sizeof(block), &header) < 0)
		return 0;
	segment_header_encode(&header, block);
	FUZZ_ASSERT(segment_header_decode(block, sizeof(block), &again) == 0);
	FUZZ_ASSERT(header.segment == again.segment &&
		    header.seed == again.seed &&
		    header.first_lsn == again.first_lsn);
	FUZZ_ASSERT(memcmp(header.uuid, again.uuid, sizeof(again.uuid)) == 0);
	return 0;
}
