/*
 * The log as docs/format.md (3, 4, 4.9) has it, read by a second
 * implementation: along its chain from a position, or block by block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h" /* struct log_position */
#include "record_format.h"
#include "scope.h"
#include "segment_read.h"

struct log_walk {
	struct segment_reader *reader; /* borrowed */
	struct log_position at;	       /* of the next record; tail: not kept */
	uint64_t durable_lsn; /* newest that something read says is durable */
	bool loaded;
	bool followed_jump;   /* before the record that was returned last */
	bool any_header;      /* of a segment, damaged or not */
	uint32_t good_header; /* segment whose header was looked at */
	uint8_t block[FORMAT_BLOCK_BYTES];
};

void log_walk_init(struct log_walk *walk, struct segment_reader *reader,
		   const struct log_position *from);
/*
 * The next record that is no JUMP; it points into the walk. The walk stays
 * where it is when there is none: -ENOENT: nothing was written here.
 * -EUCLEAN: what is here is no record of this place, or the next record
 * block is not there. -EIO: it can't be read.
 */
NODISCARD int log_walk_next(struct log_walk *walk, struct record *out_record);

/* How the log ends (F-27). */
enum log_end {
	LOG_END_WHOLE,	/* where nothing was written yet */
	LOG_END_TORN,	/* what is left out there was never durable */
	LOG_END_DAMAGED /* records that were durable are missing */
};

/* Where the walk from a position ends. */
struct log_walk_end {
	struct log_position at;
	uint64_t durable_lsn; /* the newest that was known durable */
	enum log_end how;
	/* Segments without a header are a part of it: what they hold was
	 * durable. */
	bool any_header;
};

/* Devices that fail are damage. */
NODISCARD int log_walk_find_end(struct segment_reader *reader,
				const struct log_position *from,
				struct log_walk_end *out_end);

/* Everything in one block that is a record in its place, whatever is damaged
 * between. place->epoch is that of the block's header. */
typedef int log_scan_visit(void *context, const struct record_place *place,
			   const struct record *record);

struct log_scan {
	struct segment_reader *reader; /* borrowed */
	uint32_t epoch_from;	       /* older record blocks are passed over */
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct record_block_header header; /* of the last block */
	uint32_t last_epoch;		   /* of the last sound header */
	bool thorough; /* where a header is damaged, look for any record */
};

/* -ENOENT: at is no record block. A negative result of visit ends. */
NODISCARD int log_scan_block(struct log_scan *scan, struct location at,
			     uint32_t offset, log_scan_visit *visit,
			     void *context);
/* As above for bytes that are read already. */
NODISCARD int log_scan_bytes(struct log_scan *scan, struct location at,
			     const uint8_t *block, uint32_t offset,
			     log_scan_visit *visit, void *context);
