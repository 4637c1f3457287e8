/*
 * Segments: the append-only files that hold chunks and records.
 * docs/format.md, section 2, is normative.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "le.h"
#include "scope.h"

enum {
	FORMAT_VERSION = 1,
	FORMAT_BLOCK_BYTES = 4096,
	SEGMENT_BLOCKS = 16384, /* 64 MiB */
	SEGMENT_FIRST_RECORD_BLOCK = 1,
	FORMAT_UUID_BYTES = 16,
};

#define SEGMENT_BYTES ((uint64_t)SEGMENT_BLOCKS * FORMAT_BLOCK_BYTES)
#define SEGMENT_MAGIC UINT64_C(0x3147455344574f43) /* "COWDSEG1" */

/* A place in the store's segments; segment 0 is none. */
struct location {
	uint32_t segment;
	uint32_t block;
};

struct disk_segment_header {
	struct le64 magic;
	struct le32 version;
	struct le32 segment;
	uint8_t uuid[FORMAT_UUID_BYTES];
	struct le64 seed;
	struct le64 incompatible; /* feature bits */
	struct le64 first_lsn;
	uint8_t reserved[8];
	struct le64 checksum; /* of the 64 bytes before */
};

struct segment_header {
	uint32_t segment;
	uint8_t uuid[FORMAT_UUID_BYTES];
	uint64_t seed; /* of every checksum in the store */
	uint64_t incompatible;
	uint64_t first_lsn;
};

/* Fills one block of FORMAT_BLOCK_BYTES. */
void segment_header_encode(const struct segment_header *header, void *block);
/* -EUCLEAN: F-1 to F-4 broken. -EPROTONOSUPPORT: version or feature bits of
 * a newer cowd (F-5). */
NODISCARD int segment_header_decode(const void *block, size_t len_bytes,
				    struct segment_header *out_header);

/* XXH3-64 of one raw block, as slots and extent records hold it. */
uint64_t block_checksum(uint64_t seed, const void *data, size_t len_bytes);
