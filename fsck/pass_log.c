/*
 * The log: applied to the working copy, so that all later passes see the
 * newest state; and what to do when it is damaged.
 *
 * A log without damage is no reason to write: the next mount replays it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "check.h"
#include "log_anew.h"
#include "log_survey.h"
#include "stored.h"

struct log_pass {
	struct check *check;
	struct apply *apply;
	struct log_survey survey;
	uint64_t next_lsn; /* of the record that should come */
	uint64_t lost;	   /* records that are missing, while salvaging */
	uint64_t salvaged;
	bool salvaging;
};

static const char *const trouble_texts[] = {
	[APPLY_TROUBLE_LINE] = "there is no line %u",
	[APPLY_TROUBLE_GEN] = "no head of line %u has its generation",
	[APPLY_TROUBLE_INODE] = "its inode is not in line %u",
	[APPLY_TROUBLE_ROW] = "the row that it changes is damaged (line %u)",
	[APPLY_TROUBLE_RECORD] = "it contradicts what was before (line %u)",
	[APPLY_TROUBLE_BLOCKS] = "its blocks are not what it says (line %u)",
};

static bool tell_trouble(void *context, enum apply_trouble trouble,
			 const struct record *record, uint32_t line,
			 uint32_t gen, uint64_t inode, uint64_t first_block)
{
	struct log_pass *pass = context;
	const struct problem_where where = {
		.line = line,
		.gen = gen,
		.inode = inode,
		.has_offset = inode != 0,
		.offset_bytes = first_block * FORMAT_BLOCK_BYTES,
	};
	enum problem_number number = trouble == APPLY_TROUBLE_GEN ?
					     PROBLEM_LOG_GENERATION :
					     PROBLEM_LOG_RECORD;
	char text[128];

	/* Behind a damage that is expected: what they need is missing. */
	if (pass->salvaging && trouble == APPLY_TROUBLE_GEN)
		return true;
	/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral) */
	snprintf(text, sizeof(text), trouble_texts[trouble], line);
	if (!problem(pass->check, number, &where, "record %" PRIu64 ": %s",
		     record->lsn, text))
		return false;
	pass->check->install = true;
	return true;
}

static int progress(void *context, uint64_t done, uint64_t total)
{
	return check_progress(context, done, total);
}

static int salvage(void *context, const struct record_place *place,
		   const struct record *record)
{
	struct log_pass *pass = context;
	int rc;

	(void)place;
	if (record->lsn < pass->next_lsn)
		return 0;
	if (record->lsn > pass->next_lsn) {
		pass->lost += record->lsn - pass->next_lsn;
		apply_gap(pass->apply);
	}
	pass->next_lsn = record->lsn + 1;
	rc = apply_record(pass->apply, record,
			  record->lsn > pass->survey.durable_lsn);
	if (rc == 0)
		pass->salvaged++;
	return rc == -ENODATA || rc == -ECANCELED ? 0 : rc;
}

/* Reads on behind the damage, and begins the log anew behind all. */
static int cut(struct log_pass *pass, const struct log_position *end)
{
	struct check *check = pass->check;
	struct log_survey *survey = &pass->survey;
	uint32_t last_segment = end->tail_segment;
	int rc;

	survey->progress = progress;
	survey->context = check;
	survey->last_lsn = end->next_lsn - 1;
	survey->last_epoch = end->epoch;
	survey->durable_lsn = end->next_lsn - 1;
	rc = log_survey_begin(survey, &check->stored->reader, end);
	pass->next_lsn = end->next_lsn;
	pass->salvaging = true;
	if (rc == 0)
		rc = log_survey_visit(survey, end, salvage, pass);
	if (rc == 0)
		rc = apply_flush(pass->apply);
	if (rc < 0)
		return stored_failed(check, rc);
	if (survey->segment_count &&
	    survey->segments[survey->segment_count - 1] > last_segment)
		last_segment = survey->segments[survey->segment_count - 1];
	report_say(check,
		   "%" PRIu64 " records behind the damage were read, %" PRIu64
		   " are lost (from %" PRIu64 " on)\n",
		   pass->salvaged, pass->lost ? pass->lost : 1, end->next_lsn);
	rc = log_anew(check, survey->last_lsn, survey->last_epoch,
		      last_segment);
	log_survey_fini(survey);
	return rc;
}

static int tell(struct log_pass *pass, const struct apply_result *result)
{
	struct check *check = pass->check;
	const struct log_position *end = &result->end;
	char name[32];
	const struct problem_where where = {
		.file = name,
		.segment = end->segment,
		.block = end->block,
	};

	memcpy(name, "segments/", 9);
	log_segment_name(end->segment, name + 9);
	if (result->records > 0)
		problem(check, PROBLEM_LOG_REPLAY, NULL, "%" PRIu64 " records",
			result->records);
	if (result->how == LOG_END_TORN)
		problem(check, PROBLEM_LOG_TORN, &where, "at record %" PRIu64,
			end->next_lsn);
	if (result->how != LOG_END_DAMAGED || result->ended_by_trouble ||
	    stored_is_foreign(check, end->segment) ||
	    !problem(check, PROBLEM_LOG_DAMAGED, &where,
		     "record %" PRIu64 " can't be read, and was durable",
		     end->next_lsn))
		return 0;
	return cut(pass, end);
}

int pass_log(struct check *check)
{
	struct log_pass pass = { .check = check };
	const struct apply_events events = { &pass, tell_trouble };
	struct apply_result result = { 0 };
	struct stored *stored;
	int rc = check->work ? stored_begin(check) : 0;

	if (rc < 0 || !check->work)
		return rc;
	stored = check->stored;
	if (check->new_segment) /* the index was made with all that it had */
		return 0;
	check->sync_from_segment = check->position.segment;
	rc = apply_new(&stored->queries, &stored->reader, &stored->map,
		       &pass.apply);
	if (rc < 0)
		return stored_failed(check, rc);
	apply_set_events(pass.apply, &events);
	rc = apply_log(pass.apply, &check->position, &result);
	if (rc == 0 && result.records > 0)
		rc = query_run(&stored->queries,
			       "INSERT OR REPLACE INTO meta(key, value)"
			       " VALUES('clean', 0)",
			       "");
	if (rc < 0) {
		apply_free(pass.apply);
		return stored_failed(check, rc);
	}
	check->position = result.end;
	check->clean = check->clean && result.records == 0;
	rc = tell(&pass, &result);
	apply_free(pass.apply);
	return rc;
}
