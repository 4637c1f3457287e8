/*
 * A record block: its header, then records one behind the other as replay
 * reads them. Each gets a checksum that is right, so that the fuzzer comes
 * to what lies behind it.
 */
#include <string.h>

#include "record_format.h"

#include "fuzz_assert.h"
#include "fuzz_seal.h"

#define SEED UINT64_C(0x0123456789abcdef)

/* What it decoded to must encode to the same. */
static void check_record(const struct record_place *place,
			 const struct record *record, const uint8_t *bytes)
{
	uint8_t again[FORMAT_BLOCK_BYTES];

	FUZZ_ASSERT(record->record_bytes % 8 == 0);
	FUZZ_ASSERT(record_bytes(record->payload_bytes) ==
		    record->record_bytes);
	FUZZ_ASSERT(place->offset + record->record_bytes <= FORMAT_BLOCK_BYTES);
	record_encode(place, record, again);
	FUZZ_ASSERT(memcmp(again, bytes, record->record_bytes) == 0);
}

static void walk(uint8_t *block)
{
	struct record_place place = { SEED, 1, 1, 1,
				      RECORD_BLOCK_HEADER_BYTES };
	struct record record;

	while (place.offset + RECORD_HEADER_BYTES <= FORMAT_BLOCK_BYTES) {
		uint8_t *bytes = block + place.offset;
		size_t room = FORMAT_BLOCK_BYTES - place.offset;
		struct le16 length;

		memcpy(&length, bytes + 20, sizeof(length));
		if (le16_get(length) >= RECORD_HEADER_BYTES &&
		    le16_get(length) <= room)
			seal_record(&place, bytes, le16_get(length));
		if (record_decode(&place, bytes, room, &record) < 0)
			return;
		check_record(&place, &record, bytes);
		place.offset += (uint32_t)record.record_bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	const struct record_place place = { SEED, 1, 1, 1,
					    RECORD_BLOCK_HEADER_BYTES };
	struct record_block_header header;
	uint8_t block[FORMAT_BLOCK_BYTES] = { 0 };
	struct record record;

	(void)!record_block_decode(SEED, data, len_bytes, &header);
	(void)!record_decode(&place, data, len_bytes, &record);
	memcpy(block, data,
	       len_bytes < sizeof(block) ? len_bytes : sizeof(block));
	walk(block);
	return 0;
}
