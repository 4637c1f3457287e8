/*
 * Appending and flushing.
 *
 * I1: a record is appended only after the blocks that it names are written.
 * I2: LSNs are consecutive; appended_lsn grows only after the record's bytes
 *     are in the page cache.
 * I3: durable_lsn grows only after fdatasync of every segment that holds
 *     records or blocks up to it.
 * I4: every record block keeps room for the jump to its successor.
 *
 * A crash leaves a prefix of the records; blocks without a record are
 * never looked at.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "log_impl.h"
#include "logging.h"

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int log_create(const struct log_params *params,
	       struct log_position *out_position)
{
	AUTO_CLOSE int fd = -1;
	char name[16];
	struct record_block_header header = {
		.segment = 1,
		.epoch = 1,
		.block = SEGMENT_FIRST_RECORD_BLOCK,
		.first_lsn = 1,
	};
	uint8_t bytes[FORMAT_BLOCK_BYTES] = { 0 };
	const char *from = NULL;
	int rc = log_segment_create(params, 1, 1, &from);

	if (rc < 0)
		return rc;
	log_segment_name(1, name);
	fd = io_open_own(params->directory_fd, name, O_RDWR);
	if (fd < 0)
		return fd;
	record_block_encode(params->seed, &header, bytes);
	rc = io_write_all(fd, bytes, sizeof(bytes),
			  SEGMENT_FIRST_RECORD_BLOCK * FORMAT_BLOCK_BYTES);
	if (rc < 0)
		return rc;
	rc = io_sync(fd);
	if (rc == 0)
		rc = io_sync_directory(params->directory_fd);
	if (rc < 0)
		return rc;
	*out_position = (struct log_position){
		.segment = 1,
		.block = SEGMENT_FIRST_RECORD_BLOCK,
		.offset = RECORD_BLOCK_HEADER_BYTES,
		.tail_segment = 1,
		.tail_block = SEGMENT_FIRST_RECORD_BLOCK + 1,
		.epoch = 1,
		.next_lsn = 1,
	};
	return 0;
}

int log_open(const struct log_params *params,
	     const struct log_position *position, struct log **out_log)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->params = *params;
	log->position = *position;
	log->unsynced_segment = position->segment;
	log->appended_lsn = position->next_lsn - 1;
	log->durable_lsn = position->next_lsn - 1;
	mutex_init(&log->lock);
	mutex_init(&log->sync_lock);
	mutex_init(&log->fd_lock);
	pthread_cond_init(&log->sync_done, NULL);
	*out_log = log;
	return 0;
}

void log_close(struct log *log)
{
	size_t i;

	if (!log)
		return;
	if (log->started)
		log_ahead_end(log);
	for (i = 0; i < LOG_FD_SLOTS; i++)
		if (log->fds[i].segment)
			close(log->fds[i].fd);
	mutex_fini(&log->lock);
	mutex_fini(&log->sync_lock);
	mutex_fini(&log->fd_lock);
	pthread_cond_destroy(&log->sync_done);
	free(log);
}

void log_mark_unsynced(struct log *log, uint32_t segment)
{
	uint32_t first =
		__atomic_load_n(&log->unsynced_segment, __ATOMIC_RELAXED);

	while (segment < first &&
	       !__atomic_compare_exchange_n(&log->unsynced_segment, &first,
					    segment, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

struct record_place log_place(const struct log *log,
			      const struct log_position *position)
{
	return (struct record_place){
		.seed = log->params.seed,
		.segment = position->segment,
		.epoch = position->epoch,
		.block = position->block,
		.offset = position->offset,
	};
}

static void tell_metadata(struct log *log, uint32_t segment, uint32_t block)
{
	struct location at = { segment, block };

	if (log->params.events.metadata_block)
		log->params.events.metadata_block(log->params.events.context,
						  at);
}

/* The tail goes on in a new segment. */
static int move_tail_locked(struct log *log, const char **from)
{
	struct log_position *position = &log->position;
	uint32_t next = position->tail_segment + 1;
	int rc;

	if (next == 0)
		return -EFBIG;
	rc = log_segment_create(&log->params, next, position->next_lsn, from);
	if (rc < 0)
		return rc;
	log->tail_is_written = false;
	log->tail_first_flush = log_flush_count(log);
	if (log->params.events.sealed)
		log->params.events.sealed(log->params.events.context,
					  position->tail_segment,
					  position->tail_block);
	position->tail_segment = next;
	position->tail_block = SEGMENT_FIRST_RECORD_BLOCK + 1;
	log->move_to_tail = true;
	tell_metadata(log, next, 0);
	tell_metadata(log, next, SEGMENT_FIRST_RECORD_BLOCK);
	return 0;
}

static int roll_locked(struct log *log)
{
	const char *from = log->ahead_ready ? LOG_AHEAD_NAME : NULL;
	int rc = move_tail_locked(log, &from);

	log->ahead_ready = false;
	if (rc == 0)
		log->tail_is_written = from != NULL;
	return rc;
}

/* What was set aside is for records. */
static int roll_to_spare_locked(struct log *log)
{
	const char *from = LOG_SPARE_NAME;
	int rc = move_tail_locked(log, &from);

	log->spare_ready = false;
	log->lean = true;
	if (rc == 0 && from)
		log->spare_segment = log->position.tail_segment;
	return rc;
}

static int reserve_locked(struct log *log, uint32_t blocks,
			  struct location *out_at)
{
	struct log_position *position = &log->position;
	int rc;

	if (blocks > SEGMENT_BLOCKS - position->tail_block) {
		rc = roll_locked(log);
		if (rc < 0)
			return rc;
	}
	*out_at = (struct location){ position->tail_segment,
				     position->tail_block };
	position->tail_block += blocks;
	return 0;
}

int log_reserve(struct log *log, uint32_t blocks, struct location *out_at)
{
	int rc;

	mutex_lock(&log->lock);
	rc = log->lean ? -ENOSPC : reserve_locked(log, blocks, out_at);
	mutex_unlock(&log->lock);
	return rc;
}

static int write_at(struct log *log, uint32_t segment, uint32_t block,
		    uint32_t offset, const void *bytes, size_t len_bytes)
{
	struct log_fd fd;
	int rc = log_fd_get(log, segment, &fd);

	if (rc < 0)
		return rc;
	rc = io_write_all(fd.fd, bytes, len_bytes,
			  (uint64_t)block * FORMAT_BLOCK_BYTES + offset);
	log_fd_put(log, fd);
	log_mark_unsynced(log, segment);
	return rc;
}

/* How far behind the record what is known durable lies. */
static uint32_t unsynced_at(struct log *log, uint64_t lsn)
{
	uint64_t unsynced = lsn - log_durable_lsn(log);

	return unsynced > UINT32_MAX ? UINT32_MAX : (uint32_t)unsynced;
}

/*
 * A record block with its header. Written whole: so there is room for its
 * records and the jump out of it, whatever the host's blocks are.
 */
static int begin_block_locked(struct log *log, uint32_t epoch,
			      struct location *out_at)
{
	struct log_position *position = &log->position;
	struct record_block_header header;
	uint8_t bytes[FORMAT_BLOCK_BYTES] = { 0 };
	struct location at;
	bool at_first;
	int rc;

	if (!log->move_to_tail && position->tail_block == SEGMENT_BLOCKS) {
		rc = roll_locked(log);
		if (rc < 0)
			return rc;
	}
	at_first = log->move_to_tail;
	at = (struct location){ position->tail_segment,
				SEGMENT_FIRST_RECORD_BLOCK };
	rc = at_first ? 0 : reserve_locked(log, 1, &at);
	if (rc < 0)
		return rc;
	header = (struct record_block_header){
		.segment = at.segment,
		.epoch = epoch,
		.block = at.block,
		.first_lsn = position->next_lsn + 1,
		.durable_lsn = log_durable_lsn(log),
	};
	record_block_encode(log->params.seed, &header, bytes);
	rc = write_at(log, at.segment, at.block, 0, bytes, sizeof(bytes));
	if (rc == 0 && !at_first)
		tell_metadata(log, at.segment, at.block);
	else if (rc < 0 && !at_first)
		position->tail_block--; /* nobody else had a turn */
	*out_at = at;
	return rc;
}

/*
 * Begins the next record block. The new block's header goes out before the
 * jump to it: a jump always leads to a header unless power is lost.
 */
static int next_block_locked(struct log *log, uint32_t epoch)
{
	struct log_position *position = &log->position;
	struct log_position old = *position;
	uint8_t payload[16], encoded[RECORD_JUMP_BYTES];
	struct location at;
	struct record record = { .type = RECORD_TYPE_JUMP };
	struct record_place place;
	int rc = begin_block_locked(log, epoch, &at);

	if (log_no_room(rc) && log->spare_ready) {
		rc = roll_to_spare_locked(log);
		if (rc == 0)
			rc = begin_block_locked(log, epoch, &at);
	}
	if (rc < 0)
		return rc;
	place = log_place(log, &old);
	record.lsn = position->next_lsn;
	record.unsynced = unsynced_at(log, record.lsn);
	record.payload = payload;
	record.payload_bytes = jump_record_encode(at, payload);
	record_encode(&place, &record, encoded);
	rc = write_at(log, old.segment, old.block, old.offset, encoded,
		      record_bytes(record.payload_bytes));
	if (rc < 0)
		return rc;
	position->next_lsn++;
	__atomic_store_n(&log->appended_lsn, record.lsn, __ATOMIC_RELEASE);
	position->epoch = epoch;
	log->move_to_tail = false;
	position->segment = at.segment;
	position->block = at.block;
	position->offset = RECORD_BLOCK_HEADER_BYTES;
	return 0;
}

static int append_locked(struct log *log, struct record *record)
{
	struct log_position *position = &log->position;
	size_t total = record_bytes(record->payload_bytes);
	uint8_t encoded[RECORD_BYTES_MAX];
	struct record_place place;
	int rc;

	if (log->move_to_tail ||
	    position->offset + total > FORMAT_BLOCK_BYTES - RECORD_JUMP_BYTES) {
		rc = next_block_locked(log, position->epoch);
		if (rc < 0)
			return rc;
	}
	place = log_place(log, position);
	record->lsn = position->next_lsn;
	record->unsynced = unsynced_at(log, record->lsn);
	record_encode(&place, record, encoded);
	rc = write_at(log, position->segment, position->block, position->offset,
		      encoded, total);
	if (rc < 0)
		return rc;
	position->offset += (uint32_t)total;
	position->next_lsn++;
	__atomic_store_n(&log->appended_lsn, record->lsn, __ATOMIC_RELEASE);
	return 0;
}

int log_append(struct log *log, enum record_type type, const void *payload,
	       size_t payload_bytes, uint64_t *out_lsn)
{
	struct record record = {
		.type = type,
		.payload = payload,
		.payload_bytes = payload_bytes,
	};
	int rc;

	mutex_lock(&log->lock);
	rc = append_locked(log, &record);
	mutex_unlock(&log->lock);
	if (rc == 0)
		*out_lsn = record.lsn;
	return rc;
}

int log_start(struct log *log, bool was_clean)
{
	int rc = 0;

	log_ahead_begin(log);
	mutex_lock(&log->lock);
	log->started = true;
	if (!was_clean) {
		/* The old block's free end may hold bytes of the cut tail:
		 * go on elsewhere, under an epoch that they don't have. */
		rc = next_block_locked(log, log->position.epoch + 1);
	}
	__atomic_store_n(&log->appended_lsn, log->position.next_lsn - 1,
			 __ATOMIC_RELEASE);
	mutex_unlock(&log->lock);
	return rc;
}

/* Flushes every segment from the first unsynced one to the tail. */
static int flush_segments(struct log *log, uint32_t first, uint32_t last)
{
	uint32_t segment;
	int rc = first == last ? 0 :
				 io_sync_directory(log->params.directory_fd);

	if (rc < 0)
		return rc;
	for (segment = first; segment <= last; segment++) {
		struct log_fd fd;

		rc = log_fd_get(log, segment, &fd);
		if (rc == -ENOENT && segment != last)
			continue; /* it was dead and is gone */
		if (rc < 0)
			return rc;
		rc = io_sync_data(fd.fd);
		log_fd_put(log, fd);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void lead_flush(struct log *log) REQUIRES(log->sync_lock)
{
	uint32_t first, last;
	int64_t begin = now_ns();
	uint64_t target;
	int rc;

	log->syncing = true;
	mutex_unlock(&log->sync_lock);
	mutex_lock(&log->lock);
	target = log->appended_lsn;
	last = log->position.tail_segment;
	/* Whoever wrote to an older segment before said so before appending
	 * its record: what target needs is in [first, last]. */
	first = __atomic_exchange_n(&log->unsynced_segment, last,
				    __ATOMIC_ACQ_REL);
	mutex_unlock(&log->lock);
	rc = flush_segments(log, first, last);
	mutex_lock(&log->sync_lock);
	log->syncing = false;
	__atomic_fetch_add(&log->flush_count, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&log->flush_ns, (uint64_t)(now_ns() - begin),
			   __ATOMIC_RELAXED);
	if (rc < 0) {
		log->failed = log_errno(rc, "flush of segments %u to %u", first,
					last);
	} else {
		__atomic_store_n(&log->durable_lsn, target,
				 __ATOMIC_RELEASE); /* I3 */
	}
	pthread_cond_broadcast(&log->sync_done);
}

int log_sync(struct log *log, uint64_t lsn)
{
	int rc;

	mutex_lock(&log->sync_lock);
	while (!log->failed && log_durable_lsn(log) < lsn) {
		if (log->syncing)
			pthread_cond_wait(&log->sync_done,
					  &log->sync_lock.handle);
		else
			lead_flush(log);
	}
	rc = log->failed ? -EIO : 0;
	mutex_unlock(&log->sync_lock);
	return rc;
}

uint64_t log_appended_lsn(const struct log *log)
{
	return __atomic_load_n(&log->appended_lsn, __ATOMIC_ACQUIRE);
}

uint64_t log_durable_lsn(const struct log *log)
{
	return __atomic_load_n(&log->durable_lsn, __ATOMIC_ACQUIRE);
}

uint64_t log_flush_count(const struct log *log)
{
	return __atomic_load_n(&log->flush_count, __ATOMIC_RELAXED);
}

uint64_t log_flush_ns(const struct log *log)
{
	return __atomic_load_n(&log->flush_ns, __ATOMIC_RELAXED);
}

void log_get_position(struct log *log, struct log_position *out_position)
{
	mutex_lock(&log->lock);
	*out_position = log->position;
	mutex_unlock(&log->lock);
}

int log_copy_position(struct log *log, struct log_position *out_position,
		      int (*copy)(void *context), void *context)
{
	int rc;

	mutex_lock(&log->lock);
	*out_position = log->position;
	rc = copy(context);
	mutex_unlock(&log->lock);
	return rc;
}
