/*
 * Record blocks and records: the redo log. docs/format.md, sections 3 and 4.
 *
 * A record is valid only in its place: its checksum is seeded with the
 * store's seed, the segment, the epoch and the position, so that bytes of a
 * recycled segment, or of a guest, never pass for a record.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "le.h"
#include "scope.h"
#include "segment_format.h"

enum record_type {
	RECORD_TYPE_RAW = 1, /* blocks stored as they are */
	RECORD_TYPE_LZ4,     /* one compressed chunk */
	RECORD_TYPE_ZERO,    /* a range that reads as zeros */
	RECORD_TYPE_RESIZE,
	RECORD_TYPE_ATTRIBUTES,
	RECORD_TYPE_HISTORY,
	RECORD_TYPE_MOVE,   /* chunk copied by compaction */
	RECORD_TYPE_JUMP,   /* the next record block */
	RECORD_TYPE_ITEMS,  /* a piece of a batch of items */
	RECORD_TYPE_SYNCED, /* changes nothing; its header tells enough */
	RECORD_TYPE_SHARE,  /* blocks stored already: share_format.h */
	RECORD_TYPE_STATE,  /* a piece of a dump: state_format.h */
	RECORD_TYPE_KEPT,   /* an old record said again: state_format.h */
	RECORD_TYPE_LAST = RECORD_TYPE_KEPT,
};

enum {
	RECORD_BLOCK_HEADER_BYTES = 40,
	RECORD_HEADER_BYTES = 24,
	RECORD_JUMP_BYTES = 32, /* always left free at the end of a block */
	RECORD_BYTES_MAX = FORMAT_BLOCK_BYTES - RECORD_BLOCK_HEADER_BYTES -
			   RECORD_JUMP_BYTES,
	RECORD_PAYLOAD_BYTES_MAX = RECORD_BYTES_MAX - RECORD_HEADER_BYTES,
	RECORD_RAW_BLOCKS_MAX = 256,
	RECORD_PIECE_BYTES_MAX = RECORD_PAYLOAD_BYTES_MAX - 16,
	CHUNK_BLOCKS_MAX = 16,
	/* In the payload of a MOVE; others begin with line and gen. */
	MOVE_BIRTH_OFFSET = 28,
	MOVE_LINE_OFFSET = 32,
};

/* Where a record stands; part of its checksum. */
struct record_place {
	uint64_t seed;
	uint32_t segment;
	uint32_t epoch;
	uint32_t block;
	uint32_t offset; /* in the block */
};

struct record_block_header {
	uint32_t segment;
	uint32_t epoch;
	uint32_t block;
	uint64_t first_lsn;
	uint64_t durable_lsn; /* known durable when the block was begun */
};

void record_block_encode(uint64_t seed,
			 const struct record_block_header *header,
			 uint8_t bytes[RECORD_BLOCK_HEADER_BYTES]);
/* -EUCLEAN when it is no record block of this store (F-10, F-11). */
NODISCARD int record_block_decode(uint64_t seed, const void *block,
				  size_t len_bytes,
				  struct record_block_header *out_header);

struct record {
	uint64_t lsn;
	uint32_t unsynced; /* lsn - durable lsn when it was appended */
	enum record_type type;
	const uint8_t *payload; /* points into the caller's block */
	size_t payload_bytes;
	size_t record_bytes; /* with header and padding */
};

/* The bytes that a record with this payload takes. */
size_t record_bytes(size_t payload_bytes);
/* Writes record_bytes(record->payload_bytes) bytes. */
void record_encode(const struct record_place *place,
		   const struct record *record, uint8_t *bytes);
/* -ENOENT: zeros, nothing was written here. -EUCLEAN: F-12 to F-15. */
NODISCARD int record_decode(const struct record_place *place, const void *bytes,
			    size_t len_bytes, struct record *out_record);

/* RAW and LZ4. For LZ4, block_count blocks are stored in stored_blocks. */
struct extent_record {
	uint32_t line;
	uint32_t gen;
	uint64_t inode;
	uint64_t first_block; /* of the file */
	struct location chunk;
	uint16_t block_count;
	uint16_t stored_blocks;
	uint64_t sums[RECORD_RAW_BLOCKS_MAX]; /* RAW: each; LZ4: [0] */
};

struct zero_record {
	uint32_t line;
	uint32_t gen;
	uint64_t inode;
	uint64_t first_block;
	uint64_t block_count;
};

struct resize_record {
	uint32_t line;
	uint32_t gen;
	uint64_t inode;
	uint64_t size_bytes;
};

struct attributes_record {
	uint32_t line;
	uint32_t gen;
	uint64_t inode;
	uint32_t mode, uid, gid;
	int64_t atime_ns, mtime_ns, ctime_ns;
};

/* The blocks at source[i] are now block i of the new chunk. line and birth
 * tell a reader that has nothing else whose blocks they are. */
struct move_record {
	uint64_t inode;
	uint64_t window;
	struct location chunk;
	uint16_t block_count;
	uint16_t stored_blocks;
	uint8_t is_lz4;
	uint32_t birth; /* of all of them */
	uint32_t line;	/* of the oldest version that has them */
	uint64_t sums[CHUNK_BLOCKS_MAX]; /* raw: each; LZ4: [0] */
	struct {
		struct location at;
		uint8_t skip;
		uint16_t first; /* block in the window */
	} source[CHUNK_BLOCKS_MAX];
};

/* A piece of a batch; batch_format.h puts it together and looks inside. */
struct items_record {
	uint32_t line;
	uint32_t gen;
	bool more;	      /* the batch goes on in the next record */
	bool continued;	      /* it began in the record before, or earlier */
	const uint8_t *piece; /* decoded: points into the payload */
	size_t piece_bytes;   /* 1..RECORD_PIECE_BYTES_MAX */
};

/* Each encoder returns the payload's length; out must hold
 * RECORD_PAYLOAD_BYTES_MAX. Each decoder: -EUCLEAN (F-16 to F-20, F-23,
 * F-69). */
size_t extent_record_encode(const struct extent_record *extent,
			    enum record_type type, uint8_t *out);
NODISCARD int extent_record_decode(const struct record *record,
				   struct extent_record *out_extent);
size_t zero_record_encode(const struct zero_record *zero, uint8_t *out);
NODISCARD int zero_record_decode(const struct record *record,
				 struct zero_record *out_zero);
size_t resize_record_encode(const struct resize_record *resize, uint8_t *out);
NODISCARD int resize_record_decode(const struct record *record,
				   struct resize_record *out_resize);
size_t attributes_record_encode(const struct attributes_record *attributes,
				uint8_t *out);
NODISCARD int attributes_record_decode(const struct record *record,
				       struct attributes_record *out);
size_t move_record_encode(const struct move_record *move, uint8_t *out);
NODISCARD int move_record_decode(const struct record *record,
				 struct move_record *out_move);
size_t jump_record_encode(struct location target, uint8_t *out);
NODISCARD int jump_record_decode(const struct record *record,
				 struct location *out_target);
size_t items_record_encode(const struct items_record *items, uint8_t *out);
NODISCARD int items_record_decode(const struct record *record,
				  struct items_record *out_items);
