/* How a window's slots are stored in a row: docs/format.md, section 6. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"
#include "slot.h"

/* The row's key; part of the checksum, so that a swapped row is seen. */
struct window_key {
	uint64_t inode;
	uint64_t window;
	uint32_t line;
	uint32_t gen;
};

enum {
	WINDOW_HEADER_BYTES = 16,
	WINDOW_RUN_BYTES = 16,
	WINDOW_ROW_BYTES_MAX =
		WINDOW_HEADER_BYTES + WINDOW_BLOCKS * (WINDOW_RUN_BYTES + 8),
};

/* A row without slots: all of the window is base again, or nothing. */
static inline bool window_row_empty(size_t row_bytes)
{
	return row_bytes == WINDOW_HEADER_BYTES;
}

/* Slots are sorted by first and don't overlap. Returns the length; out holds
 * WINDOW_ROW_BYTES_MAX. */
size_t window_encode(uint64_t seed, const struct window_key *key,
		     const struct slot *slots, size_t slot_count, uint8_t *out);
/* slots holds WINDOW_BLOCKS. -EUCLEAN: F-30 to F-34. */
NODISCARD int window_decode(uint64_t seed, const struct window_key *key,
			    const void *bytes, size_t len_bytes,
			    struct slot *slots, size_t *out_slot_count);

/*
 * Runs without a window around them. fit: how many of the slots take no more
 * than room_bytes. decode: slots holds WINDOW_BLOCKS; -EUCLEAN: F-31 to F-34.
 */
size_t slot_runs_encode(const struct slot *slots, size_t slot_count,
			uint8_t *out, uint32_t *out_run_count);
size_t slot_runs_fit(const struct slot *slots, size_t slot_count,
		     size_t room_bytes);
NODISCARD int slot_runs_decode(const uint8_t *bytes, size_t len_bytes,
			       uint32_t run_count, struct slot *slots,
			       size_t *out_slot_count, size_t *out_bytes);
