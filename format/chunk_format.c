/* The header of an LZ4 chunk. */
#include "chunk_format.h"

#include <errno.h>
#include <string.h>

#include "le.h"
#include "record_format.h"

#define CHUNK_MAGIC UINT32_C(0x345a4c43) /* "CLZ4" */

struct disk_chunk {
	struct le32 magic;
	struct le16 raw_blocks;
	struct le16 reserved;
	struct le32 lz4_bytes;
	struct le32 reserved2;
};

void chunk_header_encode(uint16_t raw_blocks, uint32_t lz4_bytes,
			 uint8_t *bytes)
{
	struct disk_chunk disk = {
		.magic = le32_put(CHUNK_MAGIC),
		.raw_blocks = le16_put(raw_blocks),
		.lz4_bytes = le32_put(lz4_bytes),
	};

	memcpy(bytes, &disk, sizeof(disk));
}

int chunk_header_decode(const uint8_t *bytes, size_t len_bytes,
			uint16_t *out_raw_blocks, uint32_t *out_lz4_bytes)
{
	struct disk_chunk disk;

	if (len_bytes < sizeof(disk))
		return -EUCLEAN; /* F-40 */
	memcpy(&disk, bytes, sizeof(disk));
	if (le32_get(disk.magic) != CHUNK_MAGIC ||
	    le16_get(disk.raw_blocks) == 0 ||
	    le16_get(disk.raw_blocks) > CHUNK_BLOCKS_MAX ||
	    le32_get(disk.lz4_bytes) == 0 ||
	    le32_get(disk.lz4_bytes) > len_bytes - sizeof(disk))
		return -EUCLEAN; /* F-40 */
	*out_raw_blocks = le16_get(disk.raw_blocks);
	*out_lz4_bytes = le32_get(disk.lz4_bytes);
	return 0;
}
