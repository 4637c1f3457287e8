/* A scrub's look at record blocks: does each lead to the next one? */
#include <errno.h>

#include "scrub_impl.h"

static bool is_zero(const uint8_t *data, size_t len_bytes)
{
	return data[0] == 0 && memcmp(data, data + 1, len_bytes - 1) == 0;
}

/* In the tail's segment records come while we read: there, and in what was
 * never written, nothing is wrong. */
static int bad(const struct scrub_segment *segment)
{
	return segment->is_old ? -EUCLEAN : 0;
}

int scrub_check_records(uint64_t seed, const struct scrub_segment *segment,
			uint32_t block, const uint8_t *data, uint32_t *out_next)
{
	struct record_place place = { .seed = seed,
				      .segment = segment->id,
				      .block = block };
	struct record_block_header header;
	struct location target;
	struct record record;
	int rc;

	*out_next = 0;
	/* No record ever came: the log went on in the next segment. */
	if (block == SEGMENT_FIRST_RECORD_BLOCK && is_zero(data, BLOCK_BYTES))
		return 0;
	rc = record_block_decode(seed, data, BLOCK_BYTES, &header);
	if (rc < 0 || header.segment != segment->id || header.block != block)
		return bad(segment);
	place.epoch = header.epoch;
	place.offset = RECORD_BLOCK_HEADER_BYTES;
	while ((rc = record_decode(&place, data + place.offset,
				   BLOCK_BYTES - place.offset, &record)) == 0) {
		place.offset += (uint32_t)record.record_bytes;
		if (record.type != RECORD_TYPE_JUMP)
			continue;
		rc = jump_record_decode(&record, &target);
		if (rc < 0 || target.segment < segment->id ||
		    (target.segment == segment->id && target.block <= block))
			return bad(segment);
		if (target.segment == segment->id)
			*out_next = target.block;
		return 0;
	}
	return rc == -ENOENT ? 0 : bad(segment);
}
