/*
 * The index out of the segments.
 *
 * All records are read twice: for the newest whole dump, and then, with the
 * lines of that, for what they say of windows and inodes. HISTORY records
 * behind the dump change the lines as they come.
 */
#include "rebuild.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "log_anew.h"
#include "rebuild_impl.h"
#include "space_scan.h"

static int progress(void *context, uint64_t done, uint64_t total)
{
	return check_progress(context, done, total);
}

static int find_dumps(void *context, const struct record_place *place,
		      const struct record *record)
{
	(void)place;
	return record->type == RECORD_TYPE_STATE ?
		       rebuild_note_piece(context, record) :
		       0;
}

/* The operation log, as far as it is there. */
static int note_operation(struct rebuild *rebuild, const struct record *record)
{
	AUTO_FREE struct history_record *h = malloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	if (history_record_decode(record, h) < 0 || h->operation == 0)
		return 0;
	return query_run(&rebuild->stored->queries,
			 "INSERT OR REPLACE INTO operations(id, lsn, undone,"
			 " record) VALUES(?, ?, 0, ?)",
			 "iib", (int64_t)h->operation, (int64_t)record->lsn,
			 record->payload,
			 80 + strlen(h->name) + strlen(h->old_name) +
				 strlen(h->note));
}

static int note(void *context, const struct record_place *place,
		const struct record *record)
{
	struct rebuild *rebuild = context;
	const struct location at = { place->segment, place->block };
	int rc = block_map_use(&rebuild->stored->map, at, 1, true);

	if (record->lsn != rebuild->last_lsn_seen + 1)
		batch_reset(&rebuild->batch);
	rebuild->last_lsn_seen = record->lsn;
	if (rc == 0 && record->type == RECORD_TYPE_HISTORY)
		rc = record->lsn > rebuild->as_of_lsn ?
			     apply_record(rebuild->apply, record, false) :
			     note_operation(rebuild, record);
	return rc < 0 ? rc : rebuild_note_record(rebuild, record);
}

static int put_meta(struct rebuild *rebuild)
{
	struct check *check = rebuild->check;
	struct queries *queries = &rebuild->stored->queries;
	int rc = query_run(queries,
			   "INSERT OR REPLACE INTO meta(key, value)"
			   " VALUES('uuid', ?)",
			   "b", check->uuid, sizeof(check->uuid));

	if (rc == 0)
		rc = query_run(queries,
			       "INSERT OR REPLACE INTO meta(key, value)"
			       " VALUES('seed', ?), ('backup_lsn', 0)",
			       "i", (int64_t)check->seed);
	return rc;
}

/* Every segment that is there; what is live is known when all rows are. */
static int put_segments(struct rebuild *rebuild)
{
	struct block_map *map = &rebuild->stored->map;
	size_t i;
	int rc = 0;

	for (i = 0; i < rebuild->survey.segment_count && rc == 0; i++) {
		const struct location first = { rebuild->survey.segments[i],
						0 };

		rc = block_map_use(map, first, SEGMENT_FIRST_RECORD_BLOCK + 1,
				   true);
		if (rc == 0)
			block_map_seal(map, first.segment,
				       rebuild->survey.last_lsn);
	}
	return rc;
}

static int put_space(struct rebuild *rebuild)
{
	struct block_map *map = &rebuild->stored->map;
	size_t i, j;
	int rc = space_scan(map, &rebuild->stored->queries,
			    rebuild->check->seed, NULL, NULL);

	for (i = 0; i < map->count && rc == 0; i++) {
		struct segment_blocks *segment = map->segments[i];

		segment->punch = true;
		segment->dirty = true;
		for (j = 0; j < BLOCK_MAP_BYTES; j++) {
			segment->live[j] |= segment->named[j];
			segment->shared[j] |= segment->several[j];
			segment->shared[j] &= segment->named[j];
		}
	}
	return rc < 0 ? rc : block_map_save(map, &rebuild->stored->queries);
}

static int no_dump(struct rebuild *rebuild)
{
	check_failed(rebuild->check, -EUCLEAN,
		     "no segment has a whole dump of branches and snapshots");
	check_hint(rebuild->check, "restore the store from a backup");
	return -EUCLEAN;
}

static bool tell_trouble(void *context, enum apply_trouble trouble,
			 const struct record *record, uint32_t line,
			 uint32_t gen, uint64_t inode, uint64_t first_block)
{
	struct rebuild *rebuild = context;

	(void)inode, (void)first_block;
	if (trouble == APPLY_TROUBLE_RECORD)
		report_say(rebuild->check,
			   "  record %" PRIu64 " contradicts what was before "
			   "(line %u, generation %u), and was left out\n",
			   record->lsn, line, gen);
	return true;
}

static int fill(struct rebuild *rebuild)
{
	const struct apply_events events = { rebuild, tell_trouble };
	const struct log_position everywhere = { 0 };
	struct stored *stored = rebuild->stored;
	struct log_survey *survey = &rebuild->survey;
	int rc;

	survey->progress = progress;
	survey->context = rebuild->check;
	rc = log_survey_begin(survey, &stored->reader, &everywhere);
	if (rc == 0)
		rc = log_survey_visit(survey, &everywhere, find_dumps, rebuild);
	if (rc == 0 && !rebuild->best)
		return no_dump(rebuild);
	if (rc == 0)
		rc = put_meta(rebuild);
	if (rc == 0)
		rc = rebuild_load_dump(rebuild);
	if (rc == 0)
		rc = apply_new(&stored->queries, &stored->reader, &stored->map,
			       &rebuild->apply);
	if (rc == 0)
		apply_set_events(rebuild->apply, &events);
	if (rc == 0)
		rc = rebuild_patches_begin(rebuild);
	if (rc == 0)
		rc = put_segments(rebuild);
	if (rc == 0)
		rc = log_survey_visit(survey, &everywhere, note, rebuild);
	if (rc == 0)
		rc = apply_flush(rebuild->apply);
	if (rc == 0)
		rc = rebuild_windows(rebuild);
	if (rc == 0)
		rc = rebuild_inodes(rebuild);
	if (rc == 0)
		rc = apply_graph_save(rebuild->apply);
	return rc < 0 ? rc : put_space(rebuild);
}

static void tell(struct rebuild *rebuild)
{
	report_say(rebuild->check,
		   "  the index is that of record %" PRIu64
		   ", and the records after it\n",
		   rebuild->as_of_lsn);
	if (rebuild->found)
		report_say(rebuild->check,
			   "  %" PRIu64 " files without a name are in "
			   "lost+found\n",
			   rebuild->found);
	if (rebuild->dropped)
		report_say(rebuild->check,
			   "  %" PRIu64 " records are of lines that are gone, "
			   "and were left out\n",
			   rebuild->dropped);
}

static int run(struct rebuild *rebuild)
{
	struct check *check = rebuild->check;
	struct log_survey *survey = &rebuild->survey;
	uint32_t last;
	int rc = stored_begin(check);

	if (rc < 0)
		return rc;
	rebuild->stored = check->stored;
	rc = fill(rebuild);
	if (rc < 0)
		return stored_failed(check, rc);
	last = survey->segment_count ?
		       survey->segments[survey->segment_count - 1] :
		       0;
	tell(rebuild);
	return log_anew(check, survey->last_lsn, survey->last_epoch, last);
}

int rebuild_from_segments(struct check *check)
{
	struct rebuild *rebuild;
	int rc = identity_of_segments(check);

	if (rc == -EUCLEAN)
		check_failed(check, rc, "no segment says whose it is");
	if (rc == 0)
		rc = work_create(check);
	if (rc < 0)
		return rc;
	rebuild = calloc(1, sizeof(*rebuild));
	if (!rebuild)
		return check_failed(check, -ENOMEM, "the index");
	rebuild->check = check;
	rebuild->batch.bytes = malloc(BATCH_BYTES_MAX);
	rebuild->batch.capacity_bytes = BATCH_BYTES_MAX;
	rc = rebuild->batch.bytes ? run(rebuild) : -ENOMEM;
	rebuild_free_dumps(rebuild);
	log_survey_fini(&rebuild->survey);
	apply_free(rebuild->apply);
	free(rebuild->folds);
	free(rebuild->batch.bytes);
	free(rebuild);
	return rc;
}
