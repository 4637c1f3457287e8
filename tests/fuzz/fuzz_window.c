/* Window rows: as they come, then with a checksum that is right. */
#include <string.h>

#include "window_format.h"

#include "fuzz_assert.h"
#include "fuzz_seal.h"

#define SEED UINT64_C(0x0123456789abcdef)

static const struct window_key key = { 2, 3, 4, 5 };

/* In order, within the window, within their segments. */
static void check_slots(const struct slot *slots, size_t slot_count)
{
	unsigned begin = 0;
	size_t i;

	FUZZ_ASSERT(slot_count <= WINDOW_BLOCKS);
	for (i = 0; i < slot_count; i++) {
		const struct slot *slot = &slots[i];

		FUZZ_ASSERT(slot->first >= begin && slot->count > 0);
		begin = (unsigned)slot->first + slot->count;
		FUZZ_ASSERT(begin <= WINDOW_BLOCKS);
		if (!slot_has_place(slot))
			continue;
		FUZZ_ASSERT(slot->count == 1 && slot->segment != 0);
		FUZZ_ASSERT(slot->block + slot_stored_blocks(slot) <=
			    SEGMENT_BLOCKS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static struct slot slots[WINDOW_BLOCKS], again[WINDOW_BLOCKS];
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	size_t slot_count, again_count;

	(void)!window_decode(SEED, &key, data, len_bytes, slots, &slot_count);
	if (len_bytes < WINDOW_HEADER_BYTES || len_bytes > sizeof(row))
		return 0;
	memcpy(row, data, len_bytes);
	seal_window_row(SEED, &key, row, len_bytes);
	if (window_decode(SEED, &key, row, len_bytes, slots, &slot_count) < 0)
		return 0;
	check_slots(slots, slot_count);
	len_bytes = window_encode(SEED, &key, slots, slot_count, row);
	FUZZ_ASSERT(len_bytes <= sizeof(row));
	FUZZ_ASSERT(window_decode(SEED, &key, row, len_bytes, again,
				  &again_count) == 0);
	FUZZ_ASSERT(again_count == slot_count);
	FUZZ_ASSERT(memcmp(slots, again, slot_count * sizeof(*slots)) == 0);
	return 0;
}
