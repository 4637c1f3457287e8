/*
 * Reading the log back.
 *
 * Two passes from the index's position. The first finds where the records
 * end and how much of them was known durable; the second visits them. Where
 * records end, what follows decides: nothing that was durable may be
 * missing, so a record block behind the end that knows of a later durable
 * LSN means damage, and else the end is a torn tail.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "log_impl.h"
#include "logging.h"

/* Epochs that a record may have, if the header of its block does not say. */
enum { EPOCHS_TRIED = 3 };

struct walker {
	struct log *log;
	struct log_position at;
	uint64_t durable_lsn; /* the newest that a valid record knows of */
	bool loaded;
	bool entered_block; /* the last step went into a new record block */
	bool any_lsn;	    /* walking one segment: LSNs are not known before */
	bool renews;	    /* I1; what is newer than durable_lsn */
	bool is_renewed;    /* the block that is loaded */
	uint32_t renewed_segment; /* its header */
	uint8_t block[FORMAT_BLOCK_BYTES];
};

/* A full disk that does not take it says so at the next flush. */
static int renew_at(struct log *log, struct location at, const void *data,
		    uint32_t blocks)
{
	int rc = log_write_blocks(log, at, data, blocks);

	return log_no_room(rc) ? 0 : rc;
}

static int renew_header(struct walker *walker, uint32_t segment)
{
	struct location at = { segment, 0 };
	uint8_t header[FORMAT_BLOCK_BYTES];
	int rc;

	if (walker->renewed_segment == segment)
		return 0;
	rc = log_read_blocks(walker->log, at, header, 1);
	if (rc == 0)
		rc = renew_at(walker->log, at, header, 1);
	walker->renewed_segment = segment;
	return rc;
}

/* The record block that is loaded, if what comes next in it is to be. */
static int renew_block(struct walker *walker)
{
	struct location at = { walker->at.segment, walker->at.block };
	int rc;

	if (!walker->renews || walker->is_renewed ||
	    walker->at.next_lsn <= walker->durable_lsn)
		return 0;
	rc = renew_header(walker, at.segment);
	if (rc == 0)
		rc = renew_at(walker->log, at, walker->block, 1);
	walker->is_renewed = true;
	return rc;
}

static int renew_chunk(struct walker *walker, struct location at,
		       uint32_t blocks)
{
	AUTO_FREE uint8_t *data = malloc((size_t)blocks * FORMAT_BLOCK_BYTES);
	int rc = data ? renew_header(walker, at.segment) : -ENOMEM;

	if (rc == 0)
		rc = log_read_blocks(walker->log, at, data, blocks);
	return rc < 0 ? rc : renew_at(walker->log, at, data, blocks);
}

static int load_block(struct walker *walker)
{
	struct log_position *at = &walker->at;
	struct record_block_header header;
	struct location place = { at->segment, at->block };
	int rc = log_read_blocks(walker->log, place, walker->block, 1);

	if (rc == -ENOENT)
		return -EUCLEAN; /* the segment that should follow is missing */
	if (rc < 0)
		return rc;
	rc = record_block_decode(walker->log->params.seed, walker->block,
				 sizeof(walker->block), &header);
	if (rc < 0)
		return rc;
	if (header.segment != at->segment || header.block != at->block ||
	    header.epoch < at->epoch)
		return -EUCLEAN; /* F-25 */
	if (walker->any_lsn) {
		at->next_lsn = header.first_lsn;
	} else if (at->offset == 0 && header.first_lsn != at->next_lsn) {
		return -EUCLEAN; /* F-25 */
	}
	at->epoch = header.epoch;
	if (at->offset == 0)
		at->offset = RECORD_BLOCK_HEADER_BYTES;
	if (header.durable_lsn > walker->durable_lsn)
		walker->durable_lsn = header.durable_lsn;
	walker->loaded = true;
	walker->is_renewed = false;
	return 0;
}

/*
 * One record. -ENOENT: the end, nothing was written here. -EUCLEAN: what is
 * here is no record. The walker stays before it in both cases.
 */
static int walker_next(struct walker *walker, struct record *out_record)
{
	struct log_position *at = &walker->at;
	struct log_position before = *at;
	struct record_place place;
	struct location target;
	int rc;

	walker->entered_block = false;
	for (;;) {
		if (!walker->loaded) {
			rc = load_block(walker);
			if (rc < 0)
				goto stay;
		}
		rc = renew_block(walker);
		if (rc < 0)
			goto stay;
		place = log_place(walker->log, at);
		rc = record_decode(&place, walker->block + at->offset,
				   FORMAT_BLOCK_BYTES - at->offset, out_record);
		if (rc == 0 && (out_record->lsn != at->next_lsn ||
				out_record->unsynced > out_record->lsn))
			rc = -EUCLEAN; /* F-26 */
		if (rc < 0)
			goto stay;
		if (out_record->lsn - out_record->unsynced >
		    walker->durable_lsn)
			walker->durable_lsn =
				out_record->lsn - out_record->unsynced;
		at->offset += (uint32_t)out_record->record_bytes;
		at->next_lsn++;
		if (out_record->type != RECORD_TYPE_JUMP)
			return 0;
		rc = jump_record_decode(out_record, &target);
		if (rc < 0)
			goto stay;
		at->segment = target.segment;
		at->block = target.block;
		at->offset = 0;
		walker->loaded = false;
		walker->entered_block = true;
	}
stay:
	/* A jump to a block that was never begun: the end is before it. */
	*at = before;
	walker->loaded = false;
	return rc;
}

/* Does a record of this epoch, at or after at.offset, know it? */
static bool records_know(struct record_place at, const uint8_t *block,
			 uint64_t lsn)
{
	struct record record;

	for (; at.offset + RECORD_HEADER_BYTES <= FORMAT_BLOCK_BYTES;
	     at.offset += 8)
		if (record_decode(&at, block + at.offset,
				  FORMAT_BLOCK_BYTES - at.offset,
				  &record) == 0 &&
		    record.lsn > lsn && record.lsn - record.unsynced >= lsn)
			return true;
	return false;
}

/* In a block whose header does not say its epoch: it may be what is damaged. */
static bool headless_knows(const struct log *log, struct record_place at,
			   const uint8_t *block, uint64_t lsn)
{
	uint32_t i;

	if (block[0] == 0 &&
	    memcmp(block, block + 1, FORMAT_BLOCK_BYTES - 1) == 0)
		return false;
	for (i = 0; i < EPOCHS_TRIED; i++) {
		at.epoch = log->position.epoch + i;
		if (records_know(at, block, lsn))
			return true;
	}
	return false;
}

/* Does a record in this block, at or after offset, know that lsn was
 * durable? */
static bool block_knows(struct log *log, int fd, struct location place,
			uint32_t offset, uint64_t lsn)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct record_block_header header;
	struct record_place at = {
		.seed = log->params.seed,
		.segment = place.segment,
		.block = place.block,
		.offset = offset ? offset : RECORD_BLOCK_HEADER_BYTES,
	};

	if (io_read_full(fd, block, sizeof(block),
			 (uint64_t)place.block * FORMAT_BLOCK_BYTES) !=
	    sizeof(block))
		return false;
	if (record_block_decode(log->params.seed, block, sizeof(block),
				&header) < 0 ||
	    header.segment != place.segment || header.block != place.block)
		return headless_knows(log, at, block, lsn);
	if (header.epoch < log->position.epoch)
		return false;
	if (offset == 0 && header.durable_lsn >= lsn)
		return true;
	at.epoch = header.epoch;
	return records_know(at, block, lsn);
}

/* The greatest id that a file in the folder has. */
static int newest_segment(const struct log *log, uint32_t *out_newest)
{
	int fd = openat(log->params.directory_fd, ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned long id;
	char name[16];

	*out_newest = 0;
	if (!folder) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((entry = readdir(folder)) != NULL) {
		id = strtoul(entry->d_name, NULL, 16);
		if (id > UINT32_MAX || id <= *out_newest)
			continue;
		log_segment_name((uint32_t)id, name);
		if (strcmp(name, entry->d_name) == 0)
			*out_newest = (uint32_t)id;
	}
	closedir(folder);
	return 0;
}

/* Does anything in the segment from a place on know that lsn was durable?
 * Whatever its header is: that may be what is damaged. */
static bool segment_knows(struct log *log, struct location place,
			  uint32_t offset, uint64_t lsn)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	char name[16];
	uint32_t blocks;

	log_segment_name(place.segment, name);
	fd = io_open_own(log->params.directory_fd, name, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	blocks = (uint32_t)((st.st_size + FORMAT_BLOCK_BYTES - 1) /
			    FORMAT_BLOCK_BYTES);
	for (; place.block < blocks; place.block++, offset = 0)
		if (block_knows(log, fd, place, offset, lsn))
			return true;
	return false;
}

/* Looks behind the end of the records for proof that lsn was durable, also
 * behind a segment that is missing. */
static int was_durable(struct log *log, const struct log_position *end,
		       uint64_t lsn, bool *out_was)
{
	struct location place = { end->segment, end->block };
	uint32_t newest;
	int rc = newest_segment(log, &newest);

	if (rc < 0)
		return rc;
	*out_was = segment_knows(log, place, end->offset, lsn);
	place.block = 0;
	while (!*out_was && place.segment < newest) {
		place.segment++;
		*out_was = segment_knows(log, place, 0, lsn);
	}
	return 0;
}

/* The tail lies behind every block that a record names. */
static void cover(struct log *log, struct log_position *at,
		  struct location place, uint32_t blocks)
{
	/* Who wrote it may have been killed before the flush. */
	log_mark_unsynced(log, place.segment);
	if (place.segment > at->tail_segment) {
		at->tail_segment = place.segment;
		at->tail_block = SEGMENT_FIRST_RECORD_BLOCK + 1;
	}
	if (place.segment == at->tail_segment &&
	    place.block + blocks > at->tail_block)
		at->tail_block = place.block + blocks;
}

static int cover_record(struct walker *walker, struct log_position *at,
			const struct record *record)
{
	struct log *log = walker->log;
	struct extent_record extent;
	struct move_record move;
	struct location chunk;
	uint32_t blocks;
	int rc = 0;

	if (record->type == RECORD_TYPE_RAW ||
	    record->type == RECORD_TYPE_LZ4) {
		rc = extent_record_decode(record, &extent);
		chunk = extent.chunk;
		blocks = extent.stored_blocks;
	} else if (record->type == RECORD_TYPE_MOVE) {
		rc = move_record_decode(record, &move);
		chunk = move.chunk;
		blocks = move.stored_blocks;
	} else {
		return 0;
	}
	if (rc < 0)
		return rc;
	cover(log, at, chunk, blocks);
	return record->lsn > walker->durable_lsn ?
		       renew_chunk(walker, chunk, blocks) :
		       0;
}

static void tell_block(struct log *log, const struct log_position *before,
		       const struct log_position *now)
{
	struct log_events *events = &log->params.events;
	uint32_t segment;

	for (segment = before->tail_segment; segment < now->tail_segment;
	     segment++) {
		struct location header = { segment + 1, 0 };
		struct location first = { segment + 1,
					  SEGMENT_FIRST_RECORD_BLOCK };

		if (events->sealed)
			events->sealed(events->context, segment,
				       SEGMENT_BLOCKS);
		if (!events->metadata_block)
			continue;
		events->metadata_block(events->context, header);
		events->metadata_block(events->context, first);
	}
	if (events->metadata_block &&
	    (now->segment != before->segment || now->block != before->block)) {
		struct location at = { now->segment, now->block };

		events->metadata_block(events->context, at);
	}
}

/* Pass 1: how far it is durable. The index was committed after the block that
 * it names was flushed: if that is no record block, it is damage. */
static int find_durable(struct log *log, struct walker *walker,
			bool *out_damaged)
{
	struct record record;
	int rc;

	walker->log = log;
	walker->at = log->position;
	walker->durable_lsn = log->position.next_lsn - 1;
	rc = load_block(walker);
	*out_damaged = rc == -EUCLEAN;
	while (rc == 0)
		rc = walker_next(walker, &record);
	return rc == -ENOENT || rc == -EUCLEAN ? 0 : rc;
}

/* Pass 2: visits up to where pass 1 came. */
static int visit_all(struct log *log, struct walker *walker, uint64_t durable,
		     log_visit *visit, void *context,
		     struct log_replay_result *result)
{
	struct log_position before = log->position, at;
	struct record record;
	int rc;

	walker->at = log->position;
	walker->loaded = false;
	walker->durable_lsn = durable;
	walker->renews = true;
	for (;;) {
		struct log_position resume = walker->at;

		resume.tail_segment = before.tail_segment;
		resume.tail_block = before.tail_block;
		rc = walker_next(walker, &record);
		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		rc = visit(context, &record, record.lsn <= durable);
		if (rc < 0) {
			walker->at = resume;
			return rc;
		}
		result->records++;
		at = walker->at;
		at.tail_segment = before.tail_segment;
		at.tail_block = before.tail_block;
		cover(log, &at, (struct location){ at.segment, at.block }, 1);
		rc = cover_record(walker, &at, &record);
		if (rc < 0)
			return rc;
		tell_block(log, &before, &at);
		walker->at = at;
		before = at;
	}
}

int log_replay(struct log *log, log_visit *visit, void *context,
	       struct log_replay_result *out_result)
{
	struct log_replay_result result = { 0 };
	AUTO_FREE struct walker *walker = calloc(1, sizeof(*walker));
	struct log_position end;
	uint64_t durable, stopped_lsn;
	bool damaged = false;
	int rc;

	if (!walker)
		return -ENOMEM;
	rc = find_durable(log, walker, &damaged);
	end = walker->at;
	durable = walker->durable_lsn;
	if (rc == 0 && !damaged)
		rc = was_durable(log, &end, end.next_lsn, &damaged);
	if (rc < 0)
		return rc;
	if (damaged || end.next_lsn <= durable) { /* F-27 */
		result.bad = (struct location){ end.segment, end.block };
		*out_result = result;
		return log_errno(-EUCLEAN,
				 "log: damage in segment %u, block %u",
				 end.segment, end.block);
	}
	rc = visit_all(log, walker, durable, visit, context, &result);
	stopped_lsn = walker->at.next_lsn;
	if (rc == -ENODATA && stopped_lsn > durable) {
		result.cut = true;
		rc = 0;
	} else if (rc == -EUCLEAN && stopped_lsn == end.next_lsn) {
		result.cut = true; /* the torn record that pass 1 stopped at */
		rc = 0;
	} else if (rc == -ENODATA) {
		rc = -EUCLEAN;
	}
	result.bad = (struct location){ walker->at.segment, walker->at.block };
	*out_result = result;
	if (rc < 0)
		return rc;
	log->position = walker->at;
	log->move_to_tail = walker->at.tail_segment != walker->at.segment;
	log->durable_lsn = durable;
	return 0;
}

int log_walk_segment(struct log *log, uint32_t segment, log_visit *visit,
		     void *context)
{
	AUTO_FREE struct walker *walker = calloc(1, sizeof(*walker));
	struct record record;
	int rc = 0;

	if (!walker)
		return -ENOMEM;
	walker->log = log;
	walker->any_lsn = true;
	walker->at.segment = segment;
	walker->at.block = SEGMENT_FIRST_RECORD_BLOCK;
	while (walker->at.segment == segment &&
	       (rc = walker_next(walker, &record)) == 0 &&
	       walker->at.segment == segment) {
		rc = visit(context, &record, true);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT || rc == -EUCLEAN ? 0 : rc;
}
