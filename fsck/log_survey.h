/*
 * All records of segments, wherever they stand: what can still be read when
 * the chain of the log is broken, or nobody knows where it begins.
 *
 * What was cut off as a torn end has numbers that a later epoch gave again:
 * such records don't count.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log_walk.h"
#include "scope.h"
#include "segment_read.h"

struct survey_epoch {
	uint32_t epoch;
	uint64_t first_lsn; /* least of its record blocks */
};

struct log_survey {
	struct segment_reader *reader; /* borrowed */
	uint32_t *segments;	       /* those that are there, sorted */
	size_t segment_count;
	struct survey_epoch *epochs; /* sorted */
	size_t epoch_count, epoch_capacity;
	uint64_t last_lsn, durable_lsn; /* newest seen */
	uint32_t last_epoch;
	uint64_t unreadable_blocks;
	/* Called now and then; negative: end. NULL: none. */
	int (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
};

/* from: where the survey begins; 0, 0, 0: everywhere. epoch_from: older
 * record blocks don't count. */
NODISCARD int log_survey_begin(struct log_survey *survey,
			       struct segment_reader *reader,
			       const struct log_position *from);
void log_survey_fini(struct log_survey *survey);
/* Does the record count, or was it cut off? */
bool log_survey_counts(const struct log_survey *survey, uint32_t epoch,
		       uint64_t lsn);
/* Visits the records that count, in the order of their places, which is that
 * of their numbers. A negative result ends. */
NODISCARD int log_survey_visit(struct log_survey *survey,
			       const struct log_position *from,
			       log_scan_visit *visit, void *context);
