/*
 * Pass 7: space. The bitmaps of segments, against what rows imply and what
 * pass 6 found of records. Blocks that are kept for nobody are a leak, and no
 * danger; one that is free while a row needs it would be given away.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "record_format.h"
#include "space_scan.h"
#include "stored.h"

static bool found(struct check *check, enum problem_number number,
		  struct segment_blocks *segment, uint32_t count)
{
	const struct problem_where where = { .segment = segment->id };

	if (count == 0 || !problem(check, number, &where, "%u blocks", count))
		return false;
	segment->dirty = true;
	check->install = true;
	return true;
}

static uint32_t count_where(const uint8_t *with, const uint8_t *without)
{
	uint32_t count = 0;
	size_t i;

	for (i = 0; i < BLOCK_MAP_BYTES; i++)
		count += (uint32_t)__builtin_popcount(
			(unsigned)(with[i] & (uint8_t)~without[i]));
	return count;
}

/* Needed, and free. */
static void check_needed(struct check *check, struct segment_blocks *segment)
{
	uint32_t count = count_where(segment->needed, segment->live);
	size_t i;

	if (found(check, PROBLEM_SPACE_FREE, segment, count))
		for (i = 0; i < BLOCK_MAP_BYTES; i++)
			segment->live[i] |= segment->needed[i];
}

/* Used by several windows, and not marked so. */
static void check_shared(struct check *check, struct segment_blocks *segment)
{
	uint8_t several[BLOCK_MAP_BYTES];
	uint32_t count;
	size_t i;

	for (i = 0; i < BLOCK_MAP_BYTES; i++)
		several[i] = segment->several[i] & segment->live[i];
	count = count_where(several, segment->shared);
	if (found(check, PROBLEM_SPACE_SHARED, segment, count))
		for (i = 0; i < BLOCK_MAP_BYTES; i++)
			segment->shared[i] |= several[i];
}

/* Is it a header, or a record block of its place? The first one is written
 * with the first record. */
static int is_record(struct check *check, struct location at)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct record_block_header header;
	int rc;

	if (at.block <= SEGMENT_FIRST_RECORD_BLOCK)
		return 1;
	rc = segment_read(&check->stored->reader, at, block, 1);
	if (rc == -ENOMEM)
		return rc;
	/* What can't be read is not taken for a leak. */
	if (rc < 0)
		return 1;
	return record_block_decode(check->seed, block, sizeof(block),
				   &header) == 0 &&
	       header.segment == at.segment && header.block == at.block;
}

/* Live blocks that no row names are records, or leaked; but what was shared
 * stays until a sweep. */
static int check_unnamed(struct check *check, struct segment_blocks *segment,
			 uint32_t *out_metadata)
{
	uint8_t leaked[BLOCK_MAP_BYTES] = { 0 };
	uint32_t i;

	*out_metadata = 0;
	for (i = 0; i < SEGMENT_BLOCKS; i++) {
		const struct location at = { segment->id, i };
		int record;

		if (!block_bit(segment->live, i) ||
		    block_bit(segment->named, i) ||
		    block_bit(segment->shared, i))
			continue;
		record = is_record(check, at);
		if (record < 0)
			return record;
		if (record)
			++*out_metadata;
		else
			block_bit_set(leaked, i);
	}
	if (!found(check, PROBLEM_SPACE_LEAK, segment,
		   block_bits_count(leaked)))
		*out_metadata += block_bits_count(leaked);
	else
		for (i = 0; i < BLOCK_MAP_BYTES; i++)
			segment->live[i] &= (uint8_t)~leaked[i];
	return 0;
}

static void check_counts(struct check *check, struct segment_blocks *segment,
			 uint32_t metadata)
{
	const struct problem_where where = { .segment = segment->id };
	uint32_t used = SEGMENT_BLOCKS;

	while (used > 0 && !block_bit(segment->live, used - 1))
		used--;
	if (segment->metadata_blocks != metadata &&
	    problem(check, PROBLEM_SPACE_METADATA, &where, "%u, not %u",
		    metadata, segment->metadata_blocks)) {
		segment->metadata_blocks = metadata;
		segment->dirty = true;
		check->install = true;
	}
	if (segment->used_blocks < used &&
	    problem(check, PROBLEM_SPACE_USED, &where, "%u, not %u", used,
		    segment->used_blocks)) {
		segment->used_blocks = used;
		segment->dirty = true;
		check->install = true;
	}
}

/* Nothing goes into a segment any more once the tail is in a later one. */
static void check_sealed(struct check *check, struct segment_blocks *segment)
{
	const struct problem_where where = { .segment = segment->id };
	bool sealed = segment->id < check->position.tail_segment;

	if (segment->sealed == sealed ||
	    !problem(check, PROBLEM_SPACE_SEALED, &where, NULL))
		return;
	segment->sealed = sealed;
	segment->last_lsn = sealed ? check->position.next_lsn - 1 : 0;
	segment->dirty = true;
	check->install = true;
}

static int check_segment(struct check *check, struct segment_blocks *segment)
{
	uint32_t metadata;
	int rc;

	if (segment->gone)
		return 0;
	check_needed(check, segment);
	check_shared(check, segment);
	check_sealed(check, segment);
	/* Rows that can't be read may need what seems to be a leak. */
	if (check->stored->map.unread_rows > 0)
		return 0;
	rc = check_unnamed(check, segment, &metadata);
	if (rc == 0)
		check_counts(check, segment, metadata);
	return rc;
}

/* Rows of segments that could not be read were left out of the map: what
 * rows of windows name of them is live. */
static int mend_rows(struct check *check)
{
	const struct problem_where where = { .file = "index.db" };

	if (!check->stored->bad_rows ||
	    !problem(check, PROBLEM_SPACE_ROW, &where, NULL))
		return 0;
	return work_repair(check,
			   "DELETE FROM segments WHERE typeof(id) <> 'integer'"
			   " OR id < 1 OR id > 4294967295"
			   " OR typeof(live) <> 'blob'"
			   " OR length(live) NOT IN (2048, 4096)"
			   " OR used_blocks NOT BETWEEN 0 AND 16384",
			   "");
}

struct foreign {
	struct check *check;
	uint32_t last;
	int rc;
};

static void add_segment(void *context, uint64_t inode, uint64_t window,
			struct location at)
{
	struct foreign *foreign = context;
	const struct problem_where where = { .segment = at.segment };
	struct segment_blocks *segment;

	(void)inode, (void)window;
	if (foreign->rc < 0 || at.segment == foreign->last)
		return;
	foreign->last = at.segment;
	if (!problem(foreign->check, PROBLEM_SPACE_UNKNOWN, &where, NULL))
		return;
	segment = block_map_add(&foreign->check->stored->map, at.segment);
	if (!segment) {
		foreign->rc = -ENOMEM;
		return;
	}
	segment->used_blocks = SEGMENT_BLOCKS;
	segment->live[0] = 3;
	segment->metadata_blocks = 2;
	segment->sealed = at.segment < foreign->check->position.tail_segment;
	segment->dirty = true;
	foreign->check->install = true;
}

int pass7_space(struct check *check)
{
	struct foreign foreign = { .check = check };
	struct stored *stored;
	size_t i;
	int rc = stored_begin(check);

	if (rc == 0)
		rc = mend_rows(check);
	if (rc < 0)
		return rc;
	stored = check->stored;
	rc = space_scan(&stored->map, &stored->queries, check->seed,
			add_segment, &foreign);
	if (rc == 0 && foreign.last) /* they are in the map now */
		rc = foreign.rc < 0 ? foreign.rc :
				      space_scan(&stored->map, &stored->queries,
						 check->seed, NULL, NULL);
	if (rc < 0)
		return stored_failed(check, rc);
	space_settle(&stored->map);
	for (i = 0; i < stored->map.count && rc == 0; i++)
		rc = check_segment(check, stored->map.segments[i]);
	if (rc == 0)
		rc = block_map_save(&stored->map, &stored->queries);
	return rc < 0 ? stored_failed(check, rc) : 0;
}
