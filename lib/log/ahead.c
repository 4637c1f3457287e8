/*
 * The next segment, written in advance.
 *
 * A flush of blocks that were never written has to change the file's map as
 * well: half the rate of one that finds them written (zeros will do). So
 * while flushes are frequent the next segment is filled with zeros under
 * another name, and flushed, before it is the tail; then a rename makes it
 * the segment. Loads that don't flush, or store little, never come here.
 *
 * I1: nothing is written in advance into a segment that blocks are handed
 *     out of.
 *
 * A crash leaves the file under its other name; opening the log removes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "log_impl.h"

#define IDLE_NS INT64_C(10000000000)

enum {
	PIECE_BYTES = 1 << 20,
	BEGIN_BLOCKS = 2048, /* of the tail in use before it is worth it */
	FLUSH_BLOCKS = 8,    /* handed out for each flush, at most */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int write_zeros(int fd)
{
	AUTO_FREE void *zeros = calloc(1, PIECE_BYTES);
	uint64_t at;
	int rc = zeros ? 0 : -ENOMEM;

	for (at = 0; at < SEGMENT_BYTES && rc == 0; at += PIECE_BYTES) {
		rc = io_write_all(fd, zeros, PIECE_BYTES, at);
		if (rc == 0)
			rc = io_sync_data(fd);
	}
	return rc;
}

static void remove_ahead(struct log *log)
{
	(void)!io_unlink(log->params.directory_fd, LOG_AHEAD_NAME);
}

static void prepare(struct log *log)
{
	AUTO_CLOSE int fd = io_open(log->params.directory_fd, LOG_AHEAD_NAME,
				    O_WRONLY | O_CREAT | O_TRUNC);

	if (fd < 0)
		return;
	if (write_zeros(fd) < 0) {
		remove_ahead(log);
		return;
	}
	mutex_lock(&log->lock);
	log->ahead_ready = true;
	mutex_unlock(&log->lock);
}

/* With the lock held nobody is handed blocks of what goes. */
static void give_back_locked(struct log *log) REQUIRES(log->lock)
{
	const struct log_position *position = &log->position;
	struct log_fd fd;

	if (log->ahead_ready)
		remove_ahead(log);
	log->ahead_ready = false;
	if (!log->tail_is_written ||
	    log_fd_get(log, position->tail_segment, &fd) < 0)
		return;
	(void)!io_punch(fd.fd,
			(uint64_t)position->tail_block * FORMAT_BLOCK_BYTES,
			(uint64_t)(SEGMENT_BLOCKS - position->tail_block) *
				FORMAT_BLOCK_BYTES);
	log_fd_put(log, fd);
	log->tail_is_written = false;
}

void log_ahead(struct log *log, bool may_write)
{
	uint64_t flushes = log_flush_count(log);
	bool is_due;

	if (flushes != log->ahead_flushes_seen) {
		log->ahead_flushes_seen = flushes;
		log->ahead_seen_ns = now_ns();
	}
	mutex_lock(&log->lock);
	if (!may_write || now_ns() - log->ahead_seen_ns > IDLE_NS)
		give_back_locked(log);
	is_due = may_write && !log->ahead_ready &&
		 log->position.tail_block >= BEGIN_BLOCKS &&
		 (flushes - log->tail_first_flush) * FLUSH_BLOCKS >=
			 log->position.tail_block;
	mutex_unlock(&log->lock);
	if (is_due)
		prepare(log);
}

void log_ahead_begin(struct log *log)
{
	struct log_fd fd;
	struct stat st;

	remove_ahead(log);
	mutex_lock(&log->lock);
	if (log_fd_get(log, log->position.tail_segment, &fd) == 0) {
		log->tail_is_written = fstat(fd.fd, &st) == 0 &&
				       st.st_size >
					       (off_t)log->position.tail_block *
						       FORMAT_BLOCK_BYTES;
		log_fd_put(log, fd);
	}
	mutex_unlock(&log->lock);
}

void log_ahead_end(struct log *log)
{
	mutex_lock(&log->lock);
	give_back_locked(log);
	mutex_unlock(&log->lock);
}

uint64_t log_ahead_bytes(struct log *log)
{
	uint64_t blocks = 0;

	mutex_lock(&log->lock);
	if (log->ahead_ready)
		blocks += SEGMENT_BLOCKS;
	if (log->tail_is_written)
		blocks += SEGMENT_BLOCKS - log->position.tail_block;
	blocks += log_spare_blocks(log);
	mutex_unlock(&log->lock);
	return blocks * FORMAT_BLOCK_BYTES;
}
