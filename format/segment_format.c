/* Segment headers and the checksum of a block. */
#include "segment_format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

enum { CHECKED_BYTES = offsetof(struct disk_segment_header, checksum) };

uint64_t block_checksum(uint64_t seed, const void *data, size_t len_bytes)
{
	return XXH3_64bits_withSeed(data, len_bytes, seed);
}

void segment_header_encode(const struct segment_header *header, void *block)
{
	struct disk_segment_header disk = {
		.magic = le64_put(SEGMENT_MAGIC),
		.version = le32_put(FORMAT_VERSION),
		.segment = le32_put(header->segment),
		.seed = le64_put(header->seed),
		.incompatible = le64_put(header->incompatible),
		.first_lsn = le64_put(header->first_lsn),
	};

	memcpy(disk.uuid, header->uuid, sizeof(disk.uuid));
	disk.checksum = le64_put(XXH3_64bits(&disk, CHECKED_BYTES));
	memset(block, 0, FORMAT_BLOCK_BYTES);
	memcpy(block, &disk, sizeof(disk));
}

int segment_header_decode(const void *block, size_t len_bytes,
			  struct segment_header *out_header)
{
	struct disk_segment_header disk;

	if (len_bytes < FORMAT_BLOCK_BYTES)
		return -EUCLEAN; /* F-1 */
	memcpy(&disk, block, sizeof(disk));
	if (le64_get(disk.magic) != SEGMENT_MAGIC)
		return -EUCLEAN; /* F-2 */
	if (le64_get(disk.checksum) != XXH3_64bits(&disk, CHECKED_BYTES))
		return -EUCLEAN; /* F-3 */
	if (le32_get(disk.segment) == 0)
		return -EUCLEAN; /* F-4 */
	if (le32_get(disk.version) != FORMAT_VERSION ||
	    le64_get(disk.incompatible) != 0)
		return -EPROTONOSUPPORT; /* F-5 */
	*out_header = (struct segment_header){
		.segment = le32_get(disk.segment),
		.seed = le64_get(disk.seed),
		.incompatible = le64_get(disk.incompatible),
		.first_lsn = le64_get(disk.first_lsn),
	};
	memcpy(out_header->uuid, disk.uuid, sizeof(disk.uuid));
	return 0;
}
