/*
 * SHARE records: a file gets blocks that are stored already, for another
 * place of it or for another file. docs/format.md, section 4.8.
 */
#pragma once

#include <stdint.h>

#include "record_format.h"
#include "scope.h"
#include "slot.h"

enum {
	SHARE_HEADER_BYTES = 32,
	/* One that is said again (KEPT) needs 16 bytes more. */
	SHARE_RUNS_BYTES_MAX =
		RECORD_PAYLOAD_BYTES_MAX - SHARE_HEADER_BYTES - 16,
};

/* Slots of one window, RAW or LZ4, without a gap between them. */
struct share_record {
	uint32_t line;
	uint32_t gen;
	uint64_t inode;
	uint64_t window;
	size_t slot_count; /* 1.. */
	struct slot slots[WINDOW_BLOCKS];
};

/* How many of the slots one record has room for. */
size_t share_record_fit(const struct share_record *share);
/* Returns the payload's length; out holds RECORD_PAYLOAD_BYTES_MAX. */
size_t share_record_encode(const struct share_record *share, uint8_t *out);
/* Every slot is born in gen. -EUCLEAN: F-16, F-72. */
NODISCARD int share_record_decode(const struct record *record,
				  struct share_record *out_share);
