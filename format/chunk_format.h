/*
 * An LZ4 chunk: a 16-byte header, the compressed bytes, zeros to the end of
 * its last block. docs/format.md, section 5. Verify the checksum of all its
 * blocks before decoding.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "scope.h"
#include "segment_format.h"

enum { CHUNK_HEADER_BYTES = 16 };

void chunk_header_encode(uint16_t raw_blocks, uint32_t lz4_bytes,
			 uint8_t *bytes);
/* -EUCLEAN: F-40. len_bytes is all of the stored blocks. */
NODISCARD int chunk_header_decode(const uint8_t *bytes, size_t len_bytes,
				  uint16_t *out_raw_blocks,
				  uint32_t *out_lz4_bytes);
