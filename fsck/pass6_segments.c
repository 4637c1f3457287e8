/*
 * Pass 6: segments. Each is read once, from begin to end, several at a time;
 * what rows say of its blocks is collected before, for as many segments as
 * memory is set aside for.
 *
 * I1: what no block is to be had of is made LOST, and named: never zeros, nor
 *     what is older.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "expect.h"
#include "heal.h"
#include "points.h"
#include "space_scan.h"
#include "stored.h"
#include "window_scan.h"

enum {
	BATCH_SEGMENTS = 512, /* of 164 KiB: 82 MiB */
	READERS = 3,
};

struct segment_pass {
	struct check *check;
	struct points points;
	struct expect **batch; /* sorted by segment */
	size_t batch_count;
	size_t first;  /* of the map: where the batch begins */
	uint64_t done; /* segments of batches before */
	struct bad_list bad;
	/* Shared by the threads that read. */
	pthread_mutex_t lock;
	size_t next, finished;
	bool stop;
};

static struct expect *expect_of(struct segment_pass *pass, uint32_t segment)
{
	size_t low = 0, high = pass->batch_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pass->batch[middle]->segment < segment)
			low = middle + 1;
		else
			high = middle;
	}
	return low < pass->batch_count && pass->batch[low]->segment == segment ?
		       pass->batch[low] :
		       NULL;
}

/* What nobody sees any more may be gone: index.bak does not know what was
 * dropped since it was made. */
static int collect(void *context, const struct window_row *row, bool first,
		   bool last)
{
	struct segment_pass *pass = context;
	size_t i;
	int rc = points_need(&pass->points, row);

	(void)first, (void)last;
	if (rc <= 0)
		return rc;
	rc = 0;
	for (i = 0; i < row->slot_count && rc == 0; i++) {
		const struct slot *slot = &row->slots[i];
		const struct segment_blocks *blocks;
		struct expect *expect;

		if (!slot_has_place(slot))
			continue;
		expect = expect_of(pass, slot->segment);
		blocks = block_map_segment(&pass->check->stored->map,
					   slot->segment);
		if (!blocks) {
			/* In the first batch only: once for each. */
			if (pass->first == 0)
				rc = bad_list_add(&pass->bad, slot,
						  BAD_MISSING);
		} else if (expect && !expect_slot(expect, slot)) {
			rc = bad_list_add(&pass->bad, slot, BAD_AT_ODDS);
		}
	}
	return rc;
}

static void *read_segments(void *context)
{
	struct segment_pass *pass = context;
	struct segment_reader reader;
	struct check *check = pass->check;

	segment_reader_init(&reader, check->segments_fd, check->uuid,
			    check->seed);
	for (;;) {
		struct expect *expect = NULL;

		pthread_mutex_lock(&pass->lock);
		if (!pass->stop && pass->next < pass->batch_count)
			expect = pass->batch[pass->next++];
		pthread_mutex_unlock(&pass->lock);
		if (!expect)
			break;
		expect_read(expect, &reader);
		pthread_mutex_lock(&pass->lock);
		pass->finished++;
		pthread_mutex_unlock(&pass->lock);
	}
	segment_reader_fini(&reader);
	return NULL;
}

static bool all_read(struct segment_pass *pass, size_t *out_finished)
{
	bool all;

	pthread_mutex_lock(&pass->lock);
	*out_finished = pass->finished;
	all = pass->finished == pass->batch_count || pass->stop;
	pthread_mutex_unlock(&pass->lock);
	return all;
}

static int read_batch(struct segment_pass *pass)
{
	const struct timespec pause = { 0, 2000000 };
	pthread_t threads[READERS];
	size_t started = 0, finished, i;
	int rc = 0;

	pass->next = pass->finished = 0;
	while (started < READERS && pthread_create(&threads[started], NULL,
						   read_segments, pass) == 0)
		started++;
	if (started == 0)
		read_segments(pass);
	while (!all_read(pass, &finished)) {
		rc = check_progress(pass->check, pass->done + finished,
				    pass->check->stored->map.count);
		if (rc < 0) {
			pthread_mutex_lock(&pass->lock);
			pass->stop = true;
			pthread_mutex_unlock(&pass->lock);
		}
		nanosleep(&pause, NULL);
	}
	for (i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pass->done += pass->batch_count;
	return rc;
}

static int mend_header(struct check *check, const struct expect *expect)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct segment_header header = {
		.segment = expect->segment,
		.seed = check->seed,
	};
	char file[32] = "segments/";
	const struct problem_where where = { .file = file,
					     .segment = expect->segment };

	log_segment_name(expect->segment, file + strlen(file));
	if (expect->header == 0)
		return 0;
	if (expect->header == -EPROTONOSUPPORT)
		return check_failed(check, -EPROTONOSUPPORT,
				    "%s was written by a newer cowd", file);
	if (!problem(check, PROBLEM_SEGMENT_HEADER, &where, NULL))
		return 0;
	memcpy(header.uuid, check->uuid, sizeof(header.uuid));
	segment_header_encode(&header, block);
	return change_write(check, CHANGE_PLACE_SEGMENTS,
			    file + strlen("segments/"), 0, block,
			    sizeof(block));
}

static int note_bad(struct segment_pass *pass, const struct expect *expect)
{
	uint32_t i;
	int rc = 0;

	for (i = 1; i < SEGMENT_BLOCKS && rc == 0; i++) {
		struct slot slot = { .segment = expect->segment,
				     .block = (uint16_t)i,
				     .kind = SLOT_KIND_RAW,
				     .sum = expect->sums[i] };

		if (expect->kind[i] != EXPECT_RAW &&
		    expect->kind[i] != EXPECT_CHUNK)
			continue;
		if (expect->rc == 0 && !block_bit(expect->bad, i))
			continue;
		if (expect->kind[i] == EXPECT_CHUNK) {
			slot.kind = SLOT_KIND_LZ4;
			slot.lz4 = (uint8_t)(expect->blocks[i] - 1U);
		}
		rc = bad_list_add(&pass->bad, &slot,
				  expect->rc < 0 ? BAD_MISSING : BAD_SUM);
	}
	return rc;
}

static int mend_missing(struct segment_pass *pass, const struct expect *expect)
{
	struct check *check = pass->check;
	struct segment_blocks *blocks =
		block_map_segment(&check->stored->map, expect->segment);
	char file[32] = "segments/";
	const struct problem_where where = { .file = file,
					     .segment = expect->segment };
	int rc;

	if (expect->segment == check->new_segment ||
	    stored_is_foreign(check, expect->segment))
		return 0;
	log_segment_name(expect->segment, file + strlen(file));
	if (expect->rc != -ENOENT)
		return check_failed(check, expect->rc, "%s can't be read",
				    file);
	if (!problem(check,
		     expect->count ? PROBLEM_SEGMENT_LOST :
				     PROBLEM_SEGMENT_MISSING,
		     &where, NULL))
		return 0;
	rc = work_repair(check, "DELETE FROM segments WHERE id = ?", "i",
			 (int64_t)expect->segment);
	if (rc == 0)
		rc = note_bad(pass, expect);
	memset(blocks->live, 0, sizeof(blocks->live));
	blocks->metadata_blocks = 0;
	blocks->gone = true;
	return rc;
}

static int judge(struct segment_pass *pass)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < pass->batch_count && rc == 0; i++) {
		const struct expect *expect = pass->batch[i];

		if (expect->rc < 0) {
			rc = mend_missing(pass, expect);
			continue;
		}
		rc = mend_header(pass->check, expect);
		if (rc == 0)
			rc = note_bad(pass, expect);
	}
	return rc;
}

static int one_batch(struct segment_pass *pass)
{
	struct stored *stored = pass->check->stored;
	size_t i;
	int rc;

	for (i = 0; i < pass->batch_count; i++) {
		memset(pass->batch[i], 0, sizeof(*pass->batch[i]));
		pass->batch[i]->segment =
			stored->map.segments[pass->first + i]->id;
	}
	rc = window_scan(&stored->queries, pass->check->seed, collect, pass);
	if (rc < 0)
		return stored_failed(pass->check, rc);
	rc = read_batch(pass);
	return rc < 0 ? rc : judge(pass);
}

static int all_batches(struct segment_pass *pass)
{
	const struct block_map *map = &pass->check->stored->map;
	size_t most = map->count < BATCH_SEGMENTS ? map->count : BATCH_SEGMENTS;
	size_t i, made = 0;
	int rc = 0;

	pass->batch = calloc(most + 1, sizeof(*pass->batch));
	for (; pass->batch && made < most; made++) {
		pass->batch[made] = malloc(sizeof(struct expect));
		if (!pass->batch[made])
			break;
	}
	if (made < most)
		rc = check_failed(pass->check, -ENOMEM, "the sums of segments");
	while (rc == 0 && pass->first < map->count) {
		pass->batch_count = map->count - pass->first < most ?
					    map->count - pass->first :
					    most;
		rc = one_batch(pass);
		pass->first += pass->batch_count;
	}
	for (i = 0; i < made; i++)
		free(pass->batch[i]);
	free(pass->batch);
	return rc;
}

int pass6_segments(struct check *check)
{
	struct segment_pass pass = { .check = check };
	int rc = stored_begin(check);

	if (rc < 0)
		return rc;
	rc = points_load(&pass.points, &check->stored->queries);
	if (rc == 0)
		rc = space_scan(&check->stored->map, &check->stored->queries,
				check->seed, NULL, NULL);
	if (rc < 0)
		return stored_failed(check, rc);
	pthread_mutex_init(&pass.lock, NULL);
	rc = all_batches(&pass);
	if (rc == 0 && pass.bad.count > 0)
		rc = heal_all(check, &pass.bad);
	bad_list_free(&pass.bad);
	points_fini(&pass.points);
	pthread_mutex_destroy(&pass.lock);
	return rc;
}
