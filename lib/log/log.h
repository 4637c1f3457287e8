/*
 * The log: segments of data blocks and records that share one tail. One
 * file, one order, one flush.
 *
 * A caller reserves blocks, writes them, then appends the record that names
 * them: the record is the write's existence. Places are handed out once;
 * what was stored is never overwritten (rule 2).
 *
 * Locks: log_append must be called by one thread at a time (the store's
 * order lock); all others are safe from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record_format.h"
#include "scope.h"
#include "segment_format.h"

struct log;

/* Where replay begins and appending goes on. */
struct log_position {
	uint32_t segment; /* of the record block */
	uint32_t block;
	uint32_t offset;       /* of the next record in it */
	uint32_t tail_segment; /* where blocks are handed out */
	uint32_t tail_block;
	uint32_t epoch;
	uint64_t next_lsn;
};

/* What the log tells its owner. Called with the log's lock held: they must
 * not call back. */
struct log_events {
	void *context;
	/* A header or record block is in use at this place. */
	void (*metadata_block)(void *context, struct location at);
	/* Nothing more goes into this segment. */
	void (*sealed)(void *context, uint32_t segment, uint32_t used_blocks);
};

struct log_params {
	int directory_fd; /* STORE/segments; borrowed */
	uint8_t uuid[FORMAT_UUID_BYTES];
	uint64_t seed;
	struct log_events events;
};

/* Makes segment 1 of a new store, durable. */
NODISCARD int log_create(const struct log_params *params,
			 struct log_position *out_position);

/* Opens at a position; replay and start come before any append. */
NODISCARD int log_open(const struct log_params *params,
		       const struct log_position *position,
		       struct log **out_log);
void log_close(struct log *log);

struct log_replay_result {
	uint64_t records;
	bool cut;	     /* a torn tail was left out */
	struct location bad; /* with -EUCLEAN: where the damage is */
};

/* durable: the record was known to be on disk before the log ended. */
typedef int log_visit(void *context, const struct record *record, bool durable);

/*
 * Visits every record after the position. A visit that returns -ENODATA
 * for a record that is not durable ends the log before it (its chunk never
 * reached the disk). -EUCLEAN: a bad record with synced ones after it.
 */
NODISCARD int log_replay(struct log *log, log_visit *visit, void *context,
			 struct log_replay_result *out_result);

/* Makes appending possible. Unless the log was closed cleanly, a new epoch
 * begins in a new record block, so that nothing cut can come back. */
NODISCARD int log_start(struct log *log, bool was_clean);

/* Hands out consecutive blocks (at most RECORD_RAW_BLOCKS_MAX). -ENOSPC: the
 * log is lean. */
NODISCARD int log_reserve(struct log *log, uint32_t blocks,
			  struct location *out_at);
NODISCARD int log_write_blocks(struct log *log, struct location at,
			       const void *data, uint32_t blocks);
/* Fills in the LSN. -ENOSPC leaves the log as it was. */
NODISCARD int log_append(struct log *log, enum record_type type,
			 const void *payload, size_t payload_bytes,
			 uint64_t *out_lsn);

/* Returns when every record up to lsn survives a power cut; shared by all
 * who wait (group commit). After a failed flush: -EIO for ever. */
NODISCARD int log_sync(struct log *log, uint64_t lsn);

/* Called by one thread a few times a second: while flushes are frequent, has
 * the next segment written in advance, so that they find its blocks there;
 * gives it back when there were none for ten seconds, or if not may_write. */
void log_ahead(struct log *log, bool may_write);
/*
 * Called before log_start, and by one thread from time to time: has a few
 * record blocks set aside, so that records find room on a full disk. Records
 * that had to use them make the log lean, until this finds room for others.
 * -ENOSPC: it does not.
 */
NODISCARD int log_keep_spare(struct log *log, bool wanted);
bool log_is_lean(struct log *log);
/* On disk, but not handed out yet. */
uint64_t log_ahead_bytes(struct log *log);

uint64_t log_appended_lsn(const struct log *log);
uint64_t log_durable_lsn(const struct log *log);
uint64_t log_flush_count(const struct log *log);
uint64_t log_flush_ns(const struct log *log);
/* The caller holds appends off. */
void log_get_position(struct log *log, struct log_position *out_position);
/* The same; copy runs while no block is handed out and no segment begins, so
 * that what it copies is of that position. It must not call back. */
NODISCARD int log_copy_position(struct log *log,
				struct log_position *out_position,
				int (*copy)(void *context), void *context);

/* Not verified: the caller has the checksums. Short data reads as zeros.
 * -ENOENT: the segment is gone. */
NODISCARD int log_read_blocks(struct log *log, struct location at, void *data,
			      uint32_t blocks);
void log_advise(struct log *log, struct location at, uint32_t blocks);
NODISCARD int log_punch(struct log *log, struct location at, uint32_t blocks);
NODISCARD int log_remove_segment(struct log *log, uint32_t segment);

/* Visits every record of one segment in order, for compaction. */
NODISCARD int log_walk_segment(struct log *log, uint32_t segment,
			       log_visit *visit, void *context);

/* "00000001.seg" */
void log_segment_name(uint32_t segment, char name[16]);
