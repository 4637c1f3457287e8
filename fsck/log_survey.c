/* Reads segments from end to end, twice: once for the epochs, once for the
 * records. */
#include "log_survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SURVEY_BLOCKS = 256 };

struct pass {
	struct log_survey *survey;
	struct log_scan scan;
	log_scan_visit *visit;
	void *context;
	uint8_t data[SURVEY_BLOCKS * FORMAT_BLOCK_BYTES];
};

/* One that can't be read as a whole is read by blocks. */
static int read_some(struct pass *pass, struct location at, uint32_t blocks)
{
	struct segment_reader *reader = pass->survey->reader;
	uint32_t i;
	int rc = segment_read(reader, at, pass->data, blocks);

	if (rc != -EIO)
		return rc;
	for (i = 0; i < blocks; i++) {
		const struct location one = { at.segment, at.block + i };
		uint8_t *block = pass->data + (size_t)i * FORMAT_BLOCK_BYTES;

		rc = segment_read(reader, one, block, 1);
		if (rc == -EIO) {
			memset(block, 0, FORMAT_BLOCK_BYTES);
			pass->survey->unreadable_blocks++;
		} else if (rc < 0) {
			return rc;
		}
	}
	return 0;
}

/* Where the next block with anything in it begins. */
static uint32_t skip_holes(struct segment_reader *reader, uint32_t block)
{
	off_t at =
		lseek(reader->fd, (off_t)block * FORMAT_BLOCK_BYTES, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? SEGMENT_BLOCKS : block;
	return at / FORMAT_BLOCK_BYTES > SEGMENT_BLOCKS ?
		       SEGMENT_BLOCKS :
		       (uint32_t)(at / FORMAT_BLOCK_BYTES);
}

static int scan_segment(struct pass *pass, struct location at, uint32_t offset)
{
	struct segment_reader *reader = pass->survey->reader;
	uint32_t end, i, blocks;
	int rc = segment_reader_open(reader, at.segment);

	if (rc < 0) /* gone, or no file: nothing can be read there */
		return rc == -ENOMEM ? rc : 0;
	end = reader->len_bytes > SEGMENT_BYTES ?
		      SEGMENT_BLOCKS :
		      (uint32_t)((reader->len_bytes + FORMAT_BLOCK_BYTES - 1) /
				 FORMAT_BLOCK_BYTES);
	for (rc = 0; at.block < end && rc == 0; at.block += blocks) {
		uint32_t data;

		/* Whoever was shown a record may have read elsewhere. */
		rc = segment_reader_open(reader, at.segment);
		if (rc < 0)
			return rc;
		data = offset ? at.block : skip_holes(reader, at.block);
		at.block = data > at.block ? data : at.block;
		if (at.block >= end)
			break;
		blocks = end - at.block;
		if (blocks > SURVEY_BLOCKS)
			blocks = SURVEY_BLOCKS;
		rc = read_some(pass, at, blocks);
		for (i = 0; i < blocks && rc == 0; i++, offset = 0) {
			const struct location one = { at.segment,
						      at.block + i };

			rc = log_scan_bytes(
				&pass->scan, one,
				pass->data + (size_t)i * FORMAT_BLOCK_BYTES,
				offset, pass->visit, pass->context);
			rc = rc == -ENOENT ? 0 : rc;
		}
	}
	return rc;
}

static int scan_all(struct log_survey *survey, const struct log_position *from,
		    log_scan_visit *visit, void *context)
{
	AUTO_FREE struct pass *pass = malloc(sizeof(*pass));
	size_t i;
	int rc = 0;

	if (!pass)
		return -ENOMEM;
	memset(&pass->scan, 0, sizeof(pass->scan));
	pass->survey = survey;
	pass->scan.reader = survey->reader;
	pass->scan.epoch_from = from->epoch;
	pass->visit = visit;
	pass->context = context;
	for (i = 0; i < survey->segment_count && rc == 0; i++) {
		struct location at = { survey->segments[i], 0 };
		bool same = at.segment == from->segment;

		if (at.segment < from->segment)
			continue;
		if (same)
			at.block = from->block;
		rc = scan_segment(pass, at, same ? from->offset : 0);
		if (rc == 0 && survey->progress)
			rc = survey->progress(survey->context, i + 1,
					      survey->segment_count);
	}
	return rc;
}

static int add_epoch(struct log_survey *survey, uint32_t epoch, uint64_t lsn)
{
	size_t i = survey->epoch_count;

	while (i > 0 && survey->epochs[i - 1].epoch > epoch)
		i--;
	if (i > 0 && survey->epochs[i - 1].epoch == epoch) {
		if (lsn < survey->epochs[i - 1].first_lsn)
			survey->epochs[i - 1].first_lsn = lsn;
		return 0;
	}
	if (survey->epoch_count == survey->epoch_capacity) {
		size_t capacity = survey->epoch_capacity ?
					  survey->epoch_capacity * 2 :
					  64;
		void *grown = realloc(survey->epochs,
				      capacity * sizeof(*survey->epochs));

		if (!grown)
			return -ENOMEM;
		survey->epochs = grown;
		survey->epoch_capacity = capacity;
	}
	memmove(survey->epochs + i + 1, survey->epochs + i,
		(survey->epoch_count - i) * sizeof(*survey->epochs));
	survey->epochs[i] = (struct survey_epoch){ epoch, lsn };
	survey->epoch_count++;
	return 0;
}

static int note(void *context, const struct record_place *place,
		const struct record *record)
{
	struct log_survey *survey = context;

	if (record->unsynced <= record->lsn &&
	    record->lsn - record->unsynced > survey->durable_lsn)
		survey->durable_lsn = record->lsn - record->unsynced;
	if (record->lsn > survey->last_lsn)
		survey->last_lsn = record->lsn;
	if (place->epoch > survey->last_epoch)
		survey->last_epoch = place->epoch;
	return add_epoch(survey, place->epoch, record->lsn);
}

int log_survey_begin(struct log_survey *survey, struct segment_reader *reader,
		     const struct log_position *from)
{
	int rc;

	survey->reader = reader;
	rc = segment_list(reader->directory_fd, &survey->segments,
			  &survey->segment_count);
	return rc < 0 ? rc : scan_all(survey, from, note, survey);
}

void log_survey_fini(struct log_survey *survey)
{
	free(survey->segments);
	free(survey->epochs);
	memset(survey, 0, sizeof(*survey));
}

bool log_survey_counts(const struct log_survey *survey, uint32_t epoch,
		       uint64_t lsn)
{
	size_t i;

	for (i = survey->epoch_count; i-- > 0;) {
		if (survey->epochs[i].epoch <= epoch)
			return true;
		if (survey->epochs[i].first_lsn <= lsn)
			return false;
	}
	return true;
}

struct counted {
	const struct log_survey *survey;
	log_scan_visit *visit;
	void *context;
};

static int visit_counted(void *context, const struct record_place *place,
			 const struct record *record)
{
	const struct counted *counted = context;

	if (!log_survey_counts(counted->survey, place->epoch, record->lsn))
		return 0;
	return counted->visit(counted->context, place, record);
}

int log_survey_visit(struct log_survey *survey, const struct log_position *from,
		     log_scan_visit *visit, void *context)
{
	struct counted counted = { survey, visit, context };

	return scan_all(survey, from, visit_counted, &counted);
}
