/* Payloads: the first byte chooses the type, the rest is the payload. */
#include <string.h>

#include "history_format.h"
#include "record_format.h"
#include "share_format.h"
#include "state_format.h"

#include "fuzz_assert.h"

static uint8_t bytes[RECORD_PAYLOAD_BYTES_MAX];

static void extent(struct record *record)
{
	static struct extent_record one, two;

	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	if (extent_record_decode(record, &one) < 0)
		return;
	FUZZ_ASSERT(one.chunk.block + one.stored_blocks <= SEGMENT_BLOCKS);
	FUZZ_ASSERT(one.stored_blocks <= one.block_count);
	record->payload_bytes = extent_record_encode(&one, record->type, bytes);
	FUZZ_ASSERT(record->payload_bytes <= sizeof(bytes));
	record->payload = bytes;
	FUZZ_ASSERT(extent_record_decode(record, &two) == 0);
	FUZZ_ASSERT(memcmp(&one, &two, sizeof(one)) == 0);
}

static void move(struct record *record)
{
	struct move_record one, two;
	unsigned i;

	if (move_record_decode(record, &one) < 0)
		return;
	FUZZ_ASSERT(one.chunk.block + one.stored_blocks <= SEGMENT_BLOCKS);
	for (i = 0; i < one.block_count; i++)
		FUZZ_ASSERT(one.source[i].at.block < SEGMENT_BLOCKS);
	record->payload_bytes = move_record_encode(&one, bytes);
	record->payload = bytes;
	FUZZ_ASSERT(move_record_decode(record, &two) == 0);
	FUZZ_ASSERT(memcmp(&one, &two, sizeof(one)) == 0);
}

static void history(struct record *record)
{
	static struct history_record one, two;

	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	if (history_record_decode(record, &one) < 0)
		return;
	record->payload_bytes = history_record_encode(&one, bytes);
	FUZZ_ASSERT(record->payload_bytes <= sizeof(bytes));
	record->payload = bytes;
	FUZZ_ASSERT(history_record_decode(record, &two) == 0);
	FUZZ_ASSERT(one.op == two.op && one.line == two.line);
	FUZZ_ASSERT(strcmp(one.name, two.name) == 0);
	FUZZ_ASSERT(strcmp(one.old_name, two.old_name) == 0);
	FUZZ_ASSERT(strcmp(one.note, two.note) == 0);
}

static void items(struct record *record)
{
	struct items_record one, two;

	if (items_record_decode(record, &one) < 0)
		return;
	FUZZ_ASSERT(one.piece_bytes <= RECORD_PIECE_BYTES_MAX);
	record->payload_bytes = items_record_encode(&one, bytes);
	FUZZ_ASSERT(record->payload_bytes <= sizeof(bytes));
	record->payload = bytes;
	FUZZ_ASSERT(items_record_decode(record, &two) == 0);
	FUZZ_ASSERT(one.line == two.line && one.gen == two.gen);
	FUZZ_ASSERT(one.more == two.more && one.continued == two.continued);
	FUZZ_ASSERT(one.piece_bytes == two.piece_bytes);
	FUZZ_ASSERT(memcmp(one.piece, two.piece, one.piece_bytes) == 0);
}

static void small(const struct record *record)
{
	struct attributes_record attributes;
	struct resize_record resize;
	struct location target;
	struct zero_record zero;

	if (record->type == RECORD_TYPE_ZERO &&
	    zero_record_decode(record, &zero) == 0)
		FUZZ_ASSERT(zero.first_block + zero.block_count <=
			    INT64_MAX / FORMAT_BLOCK_BYTES);
	if (record->type == RECORD_TYPE_RESIZE &&
	    resize_record_decode(record, &resize) == 0)
		FUZZ_ASSERT(resize.size_bytes <= INT64_MAX);
	if (record->type == RECORD_TYPE_ATTRIBUTES &&
	    attributes_record_decode(record, &attributes) == 0)
		FUZZ_ASSERT(attributes.mode <= 07777);
	if (record->type == RECORD_TYPE_JUMP &&
	    jump_record_decode(record, &target) == 0)
		FUZZ_ASSERT(target.block < SEGMENT_BLOCKS);
}

static void share(const struct record *record)
{
	static struct share_record share;
	size_t i;

	if (share_record_decode(record, &share) < 0)
		return;
	FUZZ_ASSERT(share.slot_count > 0 && share.slot_count <= WINDOW_BLOCKS);
	for (i = 0; i < share.slot_count; i++)
		FUZZ_ASSERT(slot_has_place(&share.slots[i]) &&
			    share.slots[i].first < WINDOW_BLOCKS);
}

/* A piece, taken for the whole dump as well. */
static void state(const struct record *record)
{
	static uint8_t entry_bytes[STATE_ENTRY_BYTES_MAX];
	struct state_record piece;
	struct state_entry entry;
	size_t offset = 0, from = 0;

	if (state_record_decode(record, &piece) < 0)
		return;
	FUZZ_ASSERT(piece.piece_bytes <= piece.dump_bytes - piece.offset);
	while (state_next(piece.piece, piece.piece_bytes, &offset, &entry) ==
	       0) {
		FUZZ_ASSERT(state_entry_encode(&entry, entry_bytes) ==
			    offset - from);
		from = offset;
	}
}

static void kept(const struct record *record)
{
	struct kept_record one;

	if (kept_record_decode(record, &one) == 0)
		FUZZ_ASSERT(one.record.payload_bytes < record->payload_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct record record = { 0 };

	if (len_bytes == 0)
		return 0;
	record.type = (enum record_type)(data[0] % RECORD_TYPE_LAST + 1);
	record.payload = data + 1;
	record.payload_bytes = len_bytes - 1;
	switch (record.type) {
	case RECORD_TYPE_RAW:
	case RECORD_TYPE_LZ4:
		extent(&record);
		break;
	case RECORD_TYPE_MOVE:
		move(&record);
		break;
	case RECORD_TYPE_HISTORY:
		history(&record);
		break;
	case RECORD_TYPE_ITEMS:
		items(&record);
		break;
	case RECORD_TYPE_SHARE:
		share(&record);
		break;
	case RECORD_TYPE_ZERO:
	case RECORD_TYPE_RESIZE:
	case RECORD_TYPE_ATTRIBUTES:
	case RECORD_TYPE_JUMP:
		small(&record);
		break;
	case RECORD_TYPE_STATE:
		state(&record);
		break;
	case RECORD_TYPE_KEPT:
		kept(&record);
		break;
	case RECORD_TYPE_SYNCED: /* has no payload */
		break;
	}
	return 0;
}
