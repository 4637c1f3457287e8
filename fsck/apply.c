/*
 * Applying records: one by one, or the log from the index's position on.
 *
 * I1: the position is written with the rows of all records before it, and
 *     with nothing of those behind it.
 */
#include "apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apply_impl.h"

int apply_new(struct queries *queries, struct segment_reader *reader,
	      struct block_map *map, struct apply **out_apply)
{
	struct apply *apply = calloc(1, sizeof(*apply));
	struct timespec now;
	int rc;

	if (!apply)
		return -ENOMEM;
	clock_gettime(CLOCK_REALTIME, &now);
	apply->now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	apply->queries = queries;
	apply->reader = reader;
	apply->map = map;
	apply->seed = reader->seed;
	apply->windows = calloc(APPLY_WINDOWS, sizeof(*apply->windows));
	apply->batch.bytes = malloc(BATCH_BYTES_MAX);
	apply->batch.capacity_bytes = BATCH_BYTES_MAX;
	rc = apply->windows && apply->batch.bytes ? apply_graph_load(apply) :
						    -ENOMEM;
	if (rc < 0) {
		apply_free(apply);
		return rc;
	}
	*out_apply = apply;
	return 0;
}

void apply_free(struct apply *apply)
{
	if (!apply)
		return;
	free(apply->lines);
	free(apply->branches);
	free(apply->snapshots);
	free(apply->target.path);
	free(apply->windows);
	free(apply->batch.bytes);
	free(apply);
}

void apply_set_events(struct apply *apply, const struct apply_events *events)
{
	apply->events = *events;
}

void apply_trouble(struct apply *apply, enum apply_trouble trouble,
		   uint32_t line, uint32_t gen, uint64_t inode,
		   uint64_t first_block)
{
	apply->troubles++;
	if (apply->events.trouble &&
	    !apply->events.trouble(apply->events.context, trouble,
				   apply->record, line, gen, inode,
				   first_block))
		apply->ended = true;
}

static int by_type(struct apply *apply, const struct record *record,
		   bool verify)
{
	switch (record->type) {
	case RECORD_TYPE_RAW:
	case RECORD_TYPE_LZ4:
		return apply_extent(apply, record, verify);
	case RECORD_TYPE_ZERO:
		return apply_zero(apply, record);
	case RECORD_TYPE_RESIZE:
		return apply_resize(apply, record);
	case RECORD_TYPE_ATTRIBUTES:
		return apply_attributes(apply, record);
	case RECORD_TYPE_HISTORY:
		return apply_history(apply, record);
	case RECORD_TYPE_MOVE:
		return apply_move(apply, record, verify);
	case RECORD_TYPE_ITEMS:
		return apply_items(apply, record);
	case RECORD_TYPE_SHARE:
		return apply_share(apply, record);
	case RECORD_TYPE_JUMP:
	case RECORD_TYPE_SYNCED:
	case RECORD_TYPE_STATE:
	case RECORD_TYPE_KEPT:
		break;
	}
	return 0;
}

/* What is not a record of a batch ends one; others change nothing. */
static bool changes_nothing(enum record_type type)
{
	return type == RECORD_TYPE_SYNCED || type == RECORD_TYPE_JUMP ||
	       type == RECORD_TYPE_STATE || type == RECORD_TYPE_KEPT;
}

int apply_record(struct apply *apply, const struct record *record, bool verify)
{
	uint64_t troubles = apply->troubles;
	int rc;

	apply->record = record;
	if (changes_nothing(record->type))
		return 0;
	if (record->type != RECORD_TYPE_ITEMS)
		batch_reset(&apply->batch); /* its end never came */
	rc = by_type(apply, record, verify);
	if (rc == -EUCLEAN && apply->troubles == troubles) {
		/* Its payload; the rows that it needs tell for themselves. */
		apply_trouble(apply, APPLY_TROUBLE_RECORD, 0, 0, 0, 0);
		rc = 1;
	}
	if (rc >= 0 && apply->ended)
		return -ECANCELED;
	if (rc == 0)
		apply->records++;
	return rc == 1 ? 0 : rc;
}

void apply_gap(struct apply *apply)
{
	batch_reset(&apply->batch);
}

int apply_flush(struct apply *apply)
{
	int rc = apply_inode_flush(apply);

	if (rc == 0)
		rc = apply_windows_flush(apply, 0, false);
	if (rc == 0)
		rc = apply_graph_save(apply);
	return rc < 0 ? rc : block_map_save(apply->map, apply->queries);
}

static const struct {
	const char *key;
	size_t offset;
} position_places[] = {
	{ "log_segment", offsetof(struct log_position, segment) },
	{ "log_block", offsetof(struct log_position, block) },
	{ "log_offset", offsetof(struct log_position, offset) },
	{ "log_tail_segment", offsetof(struct log_position, tail_segment) },
	{ "log_tail_block", offsetof(struct log_position, tail_block) },
	{ "log_epoch", offsetof(struct log_position, epoch) },
};

enum {
	POSITION_PLACES = sizeof(position_places) / sizeof(position_places[0]),
};

static int get(struct queries *queries, const char *key, int64_t *out)
{
	sqlite3_stmt *row;
	int rc = query_begin(queries, &row,
			     "SELECT value FROM meta WHERE key = ?", "t", key);

	if (rc <= 0)
		return rc < 0 ? rc : -EUCLEAN;
	*out = sqlite3_column_int64(row, 0);
	query_end(row);
	return 0;
}

static int put(struct queries *queries, const char *key, int64_t value)
{
	return query_run(queries,
			 "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
			 "ti", key, value);
}

int apply_get_position(struct queries *queries,
		       struct log_position *out_position)
{
	struct log_position position = { 0 };
	int64_t value;
	size_t i;
	int rc = 0;

	for (i = 0; i < POSITION_PLACES && rc == 0; i++) {
		uint32_t number;

		rc = get(queries, position_places[i].key, &value);
		if (rc == 0 && (value < 0 || value > UINT32_MAX))
			rc = -EUCLEAN;
		number = rc == 0 ? (uint32_t)value : 0;
		memcpy((uint8_t *)&position + position_places[i].offset,
		       &number, sizeof(number));
	}
	if (rc == 0)
		rc = get(queries, "log_next_lsn", &value);
	if (rc < 0)
		return rc;
	position.next_lsn = (uint64_t)value;
	if (value < 1 || position.segment == 0 || position.block == 0 ||
	    position.block >= SEGMENT_BLOCKS ||
	    position.offset < RECORD_BLOCK_HEADER_BYTES ||
	    position.offset > FORMAT_BLOCK_BYTES ||
	    position.tail_segment < position.segment ||
	    position.tail_block > SEGMENT_BLOCKS)
		return -EUCLEAN;
	*out_position = position;
	return 0;
}

int apply_put_position(struct queries *queries,
		       const struct log_position *position)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < POSITION_PLACES && rc == 0; i++) {
		uint32_t number;

		memcpy(&number,
		       (const uint8_t *)position + position_places[i].offset,
		       sizeof(number));
		rc = put(queries, position_places[i].key, number);
	}
	if (rc == 0)
		rc = put(queries, "log_next_lsn", (int64_t)position->next_lsn);
	return rc;
}

/* The tail is behind every place that a record names. */
static int cover(struct apply *apply, struct log_position *tail,
		 struct location at, uint32_t blocks, uint64_t lsn)
{
	int rc = 0;

	while (at.segment > tail->tail_segment && rc == 0) {
		const struct location header = { tail->tail_segment + 1, 0 };

		block_map_seal(apply->map, tail->tail_segment, lsn + 64);
		tail->tail_segment++;
		tail->tail_block = SEGMENT_FIRST_RECORD_BLOCK + 1;
		rc = block_map_use(apply->map, header,
				   SEGMENT_FIRST_RECORD_BLOCK + 1, true);
	}
	if (at.segment == tail->tail_segment &&
	    at.block + blocks > tail->tail_block)
		tail->tail_block = at.block + blocks;
	return rc;
}

static int cover_record(struct apply *apply, struct log_position *tail,
			const struct record *record)
{
	struct extent_record extent;
	struct move_record move;

	if ((record->type == RECORD_TYPE_RAW ||
	     record->type == RECORD_TYPE_LZ4) &&
	    extent_record_decode(record, &extent) == 0)
		return cover(apply, tail, extent.chunk, extent.stored_blocks,
			     record->lsn);
	if (record->type == RECORD_TYPE_MOVE &&
	    move_record_decode(record, &move) == 0)
		return cover(apply, tail, move.chunk, move.stored_blocks,
			     record->lsn);
	return 0;
}

struct log_apply {
	struct apply *apply;
	struct log_walk walk;
	struct log_position tail; /* only that of it */
	uint64_t durable_lsn;
};

/* One record; -ENODATA: the log ends before it. */
static int apply_next(struct log_apply *log, const struct record *record)
{
	struct apply *apply = log->apply;
	const struct location block = { log->walk.at.segment,
					log->walk.at.block };
	int rc = apply_record(apply, record, record->lsn > log->durable_lsn);

	if (rc == 0)
		rc = cover(apply, &log->tail, block, 1, record->lsn);
	if (rc == 0 && log->walk.followed_jump)
		rc = block_map_use(apply->map, block, 1, true);
	return rc < 0 ? rc : cover_record(apply, &log->tail, record);
}

/* The end as the walk finds it, or before the first record whose blocks never
 * came to the disk. */
static int apply_all(struct log_apply *log, struct apply_result *result)
{
	struct record record;
	int rc = 0;

	while (rc == 0) {
		result->end = log->walk.at;
		rc = log_walk_next(&log->walk, &record);
		if (rc == -ENOENT || rc == -EUCLEAN || rc == -EIO)
			return 0;
		if (rc == 0)
			rc = apply_next(log, &record);
	}
	if (rc == -ECANCELED) {
		result->ended_by_trouble = true;
		return 0;
	}
	if (rc != -ENODATA)
		return rc;
	if (result->how != LOG_END_DAMAGED)
		result->how = LOG_END_TORN;
	return 0;
}

int apply_log(struct apply *apply, const struct log_position *from,
	      struct apply_result *out_result)
{
	AUTO_FREE struct log_apply *log = malloc(sizeof(*log));
	uint64_t records = apply->records, troubles = apply->troubles;
	struct apply_result result = { 0 };
	struct log_walk_end end;
	int rc = log ? log_walk_find_end(apply->reader, from, &end) : -ENOMEM;

	if (rc < 0)
		return rc;
	log->apply = apply;
	log->tail = *from;
	log->durable_lsn = end.durable_lsn;
	log_walk_init(&log->walk, apply->reader, from);
	log->walk.any_header = end.any_header;
	result.how = end.how;
	result.end = *from;
	rc = apply_all(log, &result);
	if (rc == 0)
		rc = apply_flush(apply);
	result.end.tail_segment = log->tail.tail_segment;
	result.end.tail_block = log->tail.tail_block;
	if (rc == 0 && memcmp(&result.end, from, sizeof(*from)) != 0)
		rc = apply_put_position(apply->queries, &result.end); /* I1 */
	result.records = apply->records - records;
	result.troubles = apply->troubles - troubles;
	if (rc == 0)
		*out_result = result;
	return rc;
}
