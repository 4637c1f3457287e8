/*
 * Walking the log.
 *
 * I1: a walk never moves past what it could not read: `at` is always the
 *     place behind the last record that counts.
 */
#include "log_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void log_walk_init(struct log_walk *walk, struct segment_reader *reader,
		   const struct log_position *from)
{
	memset(walk, 0, sizeof(*walk));
	walk->reader = reader;
	walk->at = *from;
	walk->durable_lsn = from->next_lsn - 1;
}

static void know_durable(struct log_walk *walk, uint64_t lsn)
{
	if (lsn > walk->durable_lsn)
		walk->durable_lsn = lsn;
}

/* A crash may leave a segment that has no header yet: nothing in it counts. */
static int check_header(struct log_walk *walk)
{
	uint32_t segment = walk->at.segment;
	int rc;

	if (walk->any_header || walk->good_header == segment)
		return 0;
	rc = segment_read_header(walk->reader, segment);
	if (rc == 0)
		walk->good_header = segment;
	return rc;
}

/* entered: by a jump, so that its first record is the next one. */
static int load(struct log_walk *walk, bool entered)
{
	const struct location at = { walk->at.segment, walk->at.block };
	struct record_block_header header;
	int rc = check_header(walk);

	if (rc == 0)
		rc = segment_read(walk->reader, at, walk->block, 1);
	if (rc == -ENOENT)
		return -EUCLEAN;
	if (rc < 0)
		return rc;
	rc = record_block_decode(walk->reader->seed, walk->block,
				 sizeof(walk->block), &header);
	if (rc < 0)
		return rc;
	if (header.segment != at.segment || header.block != at.block ||
	    header.epoch < walk->at.epoch ||
	    (entered && header.first_lsn != walk->at.next_lsn))
		return -EUCLEAN; /* F-25 */
	walk->at.epoch = header.epoch;
	know_durable(walk, header.durable_lsn);
	walk->loaded = true;
	return 0;
}

static int read_here(struct log_walk *walk, struct record *out)
{
	const struct log_position *at = &walk->at;
	const struct record_place place = {
		.seed = walk->reader->seed,
		.segment = at->segment,
		.epoch = at->epoch,
		.block = at->block,
		.offset = at->offset,
	};
	int rc;

	if (at->offset > FORMAT_BLOCK_BYTES)
		return -EUCLEAN;
	rc = record_decode(&place, walk->block + at->offset,
			   FORMAT_BLOCK_BYTES - at->offset, out);
	if (rc < 0)
		return rc;
	if (out->lsn != at->next_lsn || out->unsynced > out->lsn)
		return -EUCLEAN; /* F-26 */
	return 0;
}

static int step(struct log_walk *walk, struct record *out)
{
	struct location target;
	int rc = walk->loaded ? 0 : load(walk, false);

	walk->followed_jump = false;
	for (;;) {
		if (rc == 0)
			rc = read_here(walk, out);
		if (rc < 0)
			return rc;
		know_durable(walk, out->lsn - out->unsynced);
		walk->at.offset += (uint32_t)out->record_bytes;
		walk->at.next_lsn++;
		if (out->type != RECORD_TYPE_JUMP)
			return 0;
		rc = jump_record_decode(out, &target);
		if (rc < 0)
			return rc;
		walk->at.segment = target.segment;
		walk->at.block = target.block;
		walk->at.offset = RECORD_BLOCK_HEADER_BYTES;
		walk->followed_jump = true;
		rc = load(walk, true);
	}
}

int log_walk_next(struct log_walk *walk, struct record *out_record)
{
	const struct log_position before = walk->at;
	int rc = step(walk, out_record);

	if (rc < 0) { /* I1: a jump to nowhere is not followed */
		walk->at = before;
		walk->loaded = false;
	}
	return rc;
}

/* Is there a record of this epoch? everywhere: or only the first one. */
static bool has_record(struct record_place place, const uint8_t *block,
		       bool everywhere)
{
	struct record record;

	do {
		if (record_decode(&place, block + place.offset,
				  FORMAT_BLOCK_BYTES - place.offset,
				  &record) == 0)
			return true;
		place.offset += 8;
	} while (everywhere &&
		 place.offset + RECORD_HEADER_BYTES <= FORMAT_BLOCK_BYTES);
	return false;
}

/* One whose header is damaged may have records still, which are valid in their
 * place and epoch: one of those that are likely. */
static int guess_header(struct log_scan *scan, struct record_place place,
			const uint8_t *block)
{
	const uint32_t epochs[] = { scan->last_epoch, scan->epoch_from,
				    scan->epoch_from + 1,
				    scan->epoch_from + 2 };
	size_t i;

	if (block[0] == 0 &&
	    memcmp(block, block + 1, FORMAT_BLOCK_BYTES - 1) == 0)
		return -ENOENT;
	place.offset = RECORD_BLOCK_HEADER_BYTES;
	for (i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++) {
		place.epoch = epochs[i];
		if (place.epoch < scan->epoch_from ||
		    !has_record(place, block, scan->thorough))
			continue;
		scan->header = (struct record_block_header){
			.segment = place.segment,
			.epoch = place.epoch,
			.block = place.block,
		};
		return 0;
	}
	return -ENOENT;
}

/* -ENOENT: it is no record block, or one that is too old. */
static int find_header(struct log_scan *scan, struct record_place place,
		       const uint8_t *block)
{
	if (record_block_decode(place.seed, block, FORMAT_BLOCK_BYTES,
				&scan->header) < 0 ||
	    scan->header.segment != place.segment ||
	    scan->header.block != place.block)
		return guess_header(scan, place, block);
	if (scan->header.epoch < scan->epoch_from)
		return -ENOENT;
	scan->last_epoch = scan->header.epoch;
	return 0;
}

int log_scan_bytes(struct log_scan *scan, struct location at,
		   const uint8_t *block, uint32_t offset, log_scan_visit *visit,
		   void *context)
{
	struct record_place place = {
		.seed = scan->reader->seed,
		.segment = at.segment,
		.block = at.block,
	};
	struct record record;
	int rc;

	if (find_header(scan, place, block) < 0)
		return -ENOENT;
	place.epoch = scan->header.epoch;
	place.offset = offset ? offset : RECORD_BLOCK_HEADER_BYTES;
	while (place.offset + RECORD_HEADER_BYTES <= FORMAT_BLOCK_BYTES) {
		rc = record_decode(&place, block + place.offset,
				   FORMAT_BLOCK_BYTES - place.offset, &record);
		if (rc < 0) {
			place.offset += 8;
			continue;
		}
		rc = visit(context, &place, &record);
		if (rc < 0)
			return rc;
		place.offset += (uint32_t)record.record_bytes;
	}
	return 0;
}

int log_scan_block(struct log_scan *scan, struct location at, uint32_t offset,
		   log_scan_visit *visit, void *context)
{
	int rc = segment_read(scan->reader, at, scan->block, 1);

	return rc < 0 ? rc :
			log_scan_bytes(scan, at, scan->block, offset, visit,
				       context);
}

/* Is there proof behind the end that a record was durable? */
struct proof {
	uint64_t lsn;
	bool found;
};

static int look_at(void *context, const struct record_place *place,
		   const struct record *record)
{
	struct proof *proof = context;

	(void)place;
	if (record->lsn > proof->lsn && record->unsynced <= record->lsn &&
	    record->lsn - record->unsynced >= proof->lsn)
		proof->found = true;
	return 0;
}

/* All blocks of a segment from one on, of the first one from an offset on. */
static int look_at_segment(struct log_scan *scan, struct location at,
			   uint32_t offset, struct proof *proof)
{
	uint64_t blocks;
	int rc = segment_reader_open(scan->reader, at.segment);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	blocks = (scan->reader->len_bytes + FORMAT_BLOCK_BYTES - 1) /
		 FORMAT_BLOCK_BYTES;
	if (blocks > SEGMENT_BLOCKS)
		blocks = SEGMENT_BLOCKS;
	for (; at.block < blocks && !proof->found; at.block++, offset = 0) {
		rc = log_scan_block(scan, at, offset, look_at, proof);
		if (rc == -ENOENT || rc == -EIO)
			continue;
		if (rc < 0)
			return rc;
		if (offset == 0 && scan->header.durable_lsn >= proof->lsn)
			proof->found = true;
	}
	return 0;
}

/* F-27: what stands behind the end, in the same segment or a later one. */
static int find_proof(struct segment_reader *reader,
		      const struct log_position *end, uint32_t epoch_from,
		      bool *out_found)
{
	AUTO_FREE struct log_scan *scan = calloc(1, sizeof(*scan));
	struct proof proof = { .lsn = end->next_lsn };
	AUTO_FREE uint32_t *ids = NULL;
	size_t count = 0, i;
	int rc = scan ? segment_list(reader->directory_fd, &ids, &count) :
			-ENOMEM;

	if (rc < 0)
		return rc;
	scan->reader = reader;
	scan->epoch_from = epoch_from;
	scan->thorough = true;
	for (i = 0; i < count && rc == 0 && !proof.found; i++) {
		struct location at = { ids[i], 0 };
		bool same = ids[i] == end->segment;

		if (ids[i] < end->segment)
			continue;
		if (same)
			at.block = end->block;
		rc = look_at_segment(scan, at, same ? end->offset : 0, &proof);
	}
	*out_found = proof.found;
	return rc;
}

static int find_end(struct log_walk *walk, struct log_walk_end *out_end)
{
	const struct log_position from = walk->at;
	bool proof = false, began = false;
	struct record record;
	int rc, why;

	while ((why = log_walk_next(walk, &record)) == 0)
		began = true;
	/* The index was committed after the block that it names. */
	if (why == -EUCLEAN && !began && load(walk, false) == -EUCLEAN)
		why = -EIO;
	if (why != -ENOENT && why != -EUCLEAN && why != -EIO)
		return why;
	rc = find_proof(walk->reader, &walk->at, from.epoch, &proof);
	if (rc < 0)
		return rc;
	out_end->at = walk->at;
	out_end->durable_lsn = walk->durable_lsn;
	out_end->any_header = walk->any_header;
	if (proof || walk->at.next_lsn <= walk->durable_lsn || why == -EIO)
		out_end->how = LOG_END_DAMAGED;
	else
		out_end->how = why == -ENOENT ? LOG_END_WHOLE : LOG_END_TORN;
	return 0;
}

int log_walk_find_end(struct segment_reader *reader,
		      const struct log_position *from,
		      struct log_walk_end *out_end)
{
	AUTO_FREE struct log_walk *walk = malloc(sizeof(*walk));
	struct log_walk_end other;
	int rc;

	if (!walk)
		return -ENOMEM;
	log_walk_init(walk, reader, from);
	rc = find_end(walk, out_end);
	if (rc < 0 || out_end->how != LOG_END_DAMAGED)
		return rc;
	/* Is it a header alone that is damaged? */
	log_walk_init(walk, reader, from);
	walk->any_header = true;
	rc = find_end(walk, &other);
	if (rc == 0 && (other.how != LOG_END_DAMAGED ||
			other.at.next_lsn > out_end->at.next_lsn))
		*out_end = other;
	return rc;
}
