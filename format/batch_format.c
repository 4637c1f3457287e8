/* Batches: entries one behind the other, and how they are cut into pieces. */
#include "batch_format.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "le.h"

struct disk_entry {
	struct le16 key_bytes;
	struct le16 reserved;
	struct le32 payload_bytes;
};

_Static_assert(sizeof(struct disk_entry) == BATCH_ENTRY_HEADER_BYTES, "packed");
/* Any item goes into a batch, beside some small ones. */
_Static_assert(BATCH_ENTRY_HEADER_BYTES + ITEM_KEY_BYTES_MAX +
			       ITEM_PAYLOAD_BYTES_MAX <=
		       BATCH_BYTES_MAX / 2 + 1024,
	       "room");

void batch_reset(struct batch *batch)
{
	batch->used_bytes = 0;
	batch->goes_on = false;
}

size_t batch_entry_bytes(size_t key_bytes, size_t payload_bytes)
{
	return BATCH_ENTRY_HEADER_BYTES + key_bytes + payload_bytes;
}

int batch_append(struct batch *batch, const void *key, size_t key_bytes,
		 const void *payload, size_t payload_bytes)
{
	size_t most = batch->capacity_bytes < BATCH_BYTES_MAX ?
			      batch->capacity_bytes :
			      BATCH_BYTES_MAX;
	struct disk_entry disk = {
		.key_bytes = le16_put((uint16_t)key_bytes),
		.payload_bytes = le32_put((uint32_t)payload_bytes),
	};
	uint8_t *next;

	assert(key_bytes >= ITEM_PREFIX_BYTES &&
	       key_bytes <= ITEM_KEY_BYTES_MAX &&
	       payload_bytes <= ITEM_PAYLOAD_BYTES_MAX);
	if (batch_entry_bytes(key_bytes, payload_bytes) >
	    most - batch->used_bytes)
		return -E2BIG;
	next = batch->bytes + batch->used_bytes;
	memcpy(next, &disk, sizeof(disk));
	next += sizeof(disk);
	memcpy(next, key, key_bytes);
	if (payload_bytes)
		memcpy(next + key_bytes, payload, payload_bytes);
	batch->used_bytes += batch_entry_bytes(key_bytes, payload_bytes);
	return 0;
}

bool batch_next_piece(const struct batch *batch, size_t *offset_bytes,
		      struct items_record *out_piece)
{
	size_t rest = batch->used_bytes - *offset_bytes;
	bool more = rest > RECORD_PIECE_BYTES_MAX;

	if (rest == 0)
		return false;
	*out_piece = (struct items_record){
		.line = batch->line,
		.gen = batch->gen,
		.more = more,
		.continued = *offset_bytes != 0,
		.piece = batch->bytes + *offset_bytes,
		.piece_bytes = more ? RECORD_PIECE_BYTES_MAX : rest,
	};
	*offset_bytes += out_piece->piece_bytes;
	return true;
}

int batch_add_piece(struct batch *batch, const struct items_record *piece)
{
	assert(batch->capacity_bytes >= BATCH_BYTES_MAX);
	if (!piece->continued) {
		batch_reset(batch);
		batch->line = piece->line;
		batch->gen = piece->gen;
	} else if (!batch->goes_on || piece->line != batch->line ||
		   piece->gen != batch->gen) {
		return -EUCLEAN; /* F-71 */
	}
	if (piece->piece_bytes > BATCH_BYTES_MAX - batch->used_bytes)
		return -EUCLEAN; /* F-71 */
	memcpy(batch->bytes + batch->used_bytes, piece->piece,
	       piece->piece_bytes);
	batch->used_bytes += piece->piece_bytes;
	batch->goes_on = piece->more;
	return 0;
}

int batch_next(const struct batch *batch, size_t *offset_bytes,
	       struct batch_entry *out_entry)
{
	const uint8_t *next = batch->bytes + *offset_bytes;
	size_t rest = batch->used_bytes - *offset_bytes;
	struct batch_entry entry = { 0 };
	struct disk_entry disk;
	int rc;

	if (rest == 0)
		return -ENOENT;
	if (rest < sizeof(disk))
		return -EUCLEAN; /* F-70 */
	memcpy(&disk, next, sizeof(disk));
	entry.key_bytes = le16_get(disk.key_bytes);
	entry.payload_bytes = le32_get(disk.payload_bytes);
	rest -= sizeof(disk);
	if (entry.key_bytes > rest ||
	    entry.payload_bytes > rest - entry.key_bytes)
		return -EUCLEAN; /* F-70 */
	entry.key = next + sizeof(disk);
	entry.payload = entry.key + entry.key_bytes;
	rc = item_key_decode(entry.key, entry.key_bytes, &entry.item);
	if (rc == 0)
		rc = item_payload_verify(entry.item.type, entry.payload,
					 entry.payload_bytes);
	if (rc < 0)
		return rc; /* F-70 */
	*offset_bytes +=
		batch_entry_bytes(entry.key_bytes, entry.payload_bytes);
	*out_entry = entry;
	return 0;
}
