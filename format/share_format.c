/* Encoding and checking of SHARE records. */
#include "share_format.h"

#include <errno.h>
#include <string.h>

#include "window_format.h"

struct disk_share {
	struct le32 line;
	struct le32 gen;
	struct le64 inode;
	struct le64 window;
	struct le32 run_count;
	struct le32 reserved;
};

size_t share_record_fit(const struct share_record *share)
{
	return slot_runs_fit(share->slots, share->slot_count,
			     SHARE_RUNS_BYTES_MAX);
}

size_t share_record_encode(const struct share_record *share, uint8_t *out)
{
	struct disk_share disk = {
		.line = le32_put(share->line),
		.gen = le32_put(share->gen),
		.inode = le64_put(share->inode),
		.window = le64_put(share->window),
	};
	uint32_t run_count;
	size_t runs_bytes = slot_runs_encode(share->slots, share->slot_count,
					     out + sizeof(disk), &run_count);

	disk.run_count = le32_put(run_count);
	memcpy(out, &disk, sizeof(disk));
	return sizeof(disk) + runs_bytes;
}

static bool slots_valid(const struct slot *slots, size_t slot_count)
{
	size_t i;

	for (i = 0; i < slot_count; i++)
		if (!slot_has_place(&slots[i]) ||
		    slots[i].first != slots[0].first + i)
			return false;
	return slot_count > 0;
}

int share_record_decode(const struct record *record,
			struct share_record *out_share)
{
	const uint64_t most = INT64_MAX / WINDOW_BYTES;
	struct disk_share disk;
	size_t used_bytes, i;
	int rc;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	out_share->line = le32_get(disk.line);
	out_share->gen = le32_get(disk.gen);
	out_share->inode = le64_get(disk.inode);
	out_share->window = le64_get(disk.window);
	if (out_share->window >= most)
		return -EUCLEAN; /* F-72 */
	rc = slot_runs_decode(record->payload + sizeof(disk),
			      record->payload_bytes - sizeof(disk),
			      le32_get(disk.run_count), out_share->slots,
			      &out_share->slot_count, &used_bytes);
	if (rc < 0 || !slots_valid(out_share->slots, out_share->slot_count))
		return -EUCLEAN; /* F-72 */
	for (i = 0; i < out_share->slot_count; i++)
		out_share->slots[i].birth = out_share->gen;
	return 0;
}
