/* The log's insides, shared by its own files only. */
#pragma once

#include "log.h"
#include "mutex.h"

enum { LOG_FD_SLOTS = 256 };

struct log_fd_slot {
	uint32_t segment; /* 0: free */
	int fd;
	unsigned references;
};

struct log_fd {
	int fd;
	struct log_fd_slot *slot; /* NULL: private, closed by put */
};

struct log {
	struct log_params params;

	struct mutex lock; /* tail, record block; leaf but for fd_lock */
	struct log_position position;
	bool ahead_ready;	   /* LOG_AHEAD_NAME is full of zeros */
	bool tail_is_written;	   /* to the end: it was made of that */
	bool spare_ready;	   /* LOG_SPARE_NAME has its blocks */
	bool lean;		   /* it was used, or can't be made: no data */
	uint32_t spare_segment;	   /* the last that was made of it */
	uint64_t tail_first_flush; /* flush_count when it began */
	bool started;
	bool move_to_tail; /* records go on in the tail's segment */

	uint64_t appended_lsn; /* atomic */
	uint64_t durable_lsn;  /* atomic */
	/* Oldest segment written to since the flush before, atomic: also one
	 * that is full already, by who had reserved blocks of it. */
	uint32_t unsynced_segment;

	struct mutex sync_lock;
	pthread_cond_t sync_done;
	bool syncing;
	int failed;			/* first failed flush, kept for good */
	uint64_t flush_count, flush_ns; /* atomic: read without the lock */

	uint64_t ahead_flushes_seen; /* by who calls log_ahead */
	int64_t ahead_seen_ns;
	bool spare_unsupported; /* by who calls log_keep_spare */

	struct mutex fd_lock;
	struct log_fd_slot fds[LOG_FD_SLOTS];
};

NODISCARD int log_fd_get(struct log *log, uint32_t segment,
			 struct log_fd *out_fd);
void log_fd_put(struct log *log, struct log_fd fd);
void log_fd_forget(struct log *log, uint32_t segment);
#define LOG_AHEAD_NAME "next.tmp"
#define LOG_SPARE_NAME "spare.tmp"
/* Creates the file with its header; *from: out of the file of that name,
 * becomes NULL when that failed. */
NODISCARD int log_segment_create(const struct log_params *params,
				 uint32_t segment, uint64_t first_lsn,
				 const char **from);
bool log_no_room(int rc);
/* When appending becomes possible: removes what a crash left. */
void log_ahead_begin(struct log *log);
/* Gives back whatever is written in advance. */
void log_ahead_end(struct log *log);
/* Set aside, and not used yet. */
uint64_t log_spare_blocks(const struct log *log) REQUIRES(log->lock);
/* Bytes of it were written, of which no record is appended yet. */
void log_mark_unsynced(struct log *log, uint32_t segment);
struct record_place log_place(const struct log *log,
			      const struct log_position *position);
