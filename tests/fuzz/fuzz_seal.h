/*
 * Checksums that are right, whatever they cover: so that what is fuzzed gets to
 * the checks that lie behind them, as somebody who knows the seed does.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "item_format.h"
#include "record_format.h"
#include "window_format.h"

/* Each writes the checksum into the bytes that it is given. */
void seal_segment_header(uint8_t block[FORMAT_BLOCK_BYTES]);
void seal_record_block(uint64_t seed, uint8_t bytes[RECORD_BLOCK_HEADER_BYTES]);
/* len_bytes: as the record says itself; at least RECORD_HEADER_BYTES. */
void seal_record(const struct record_place *place, uint8_t *bytes,
		 size_t len_bytes);
/* At least WINDOW_HEADER_BYTES. */
void seal_window_row(uint64_t seed, const struct window_key *key, uint8_t *row,
		     size_t len_bytes);
/* At least ITEM_CHECKSUM_BYTES. */
void seal_item_value(uint64_t seed, const struct item_identity *identity,
		     uint8_t *value, size_t len_bytes);
