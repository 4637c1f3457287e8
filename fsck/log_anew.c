/* A new segment with a header and an empty record block. */
#include "log_anew.h"

#include <errno.h>
#include <string.h>

#include "apply.h"
#include "check.h"
#include "stored.h"

static void fill(const struct check *check, uint32_t id, uint32_t epoch,
		 uint64_t lsn, uint8_t *bytes)
{
	struct segment_header header = {
		.segment = id,
		.seed = check->seed,
		.first_lsn = lsn,
	};
	const struct record_block_header block = {
		.segment = id,
		.epoch = epoch,
		.block = SEGMENT_FIRST_RECORD_BLOCK,
		.first_lsn = lsn,
		.durable_lsn = lsn - 1,
	};

	memcpy(header.uuid, check->uuid, sizeof(header.uuid));
	segment_header_encode(&header, bytes);
	record_block_encode(check->seed, &block, bytes + FORMAT_BLOCK_BYTES);
}

static int save(struct check *check)
{
	struct stored *stored = check->stored;
	const struct location first = { check->position.segment, 0 };
	size_t i;
	int rc;

	for (i = 0; i < stored->map.count; i++)
		if (!stored->map.segments[i]->sealed)
			block_map_seal(&stored->map,
				       stored->map.segments[i]->id,
				       check->position.next_lsn - 1);
	rc = block_map_use(&stored->map, first, SEGMENT_FIRST_RECORD_BLOCK + 1,
			   true);
	if (rc == 0)
		rc = block_map_save(&stored->map, &stored->queries);
	if (rc == 0)
		rc = apply_put_position(&stored->queries, &check->position);
	if (rc == 0)
		rc = query_run(&stored->queries,
			       "INSERT OR REPLACE INTO meta(key, value)"
			       " VALUES('clean', 0)",
			       "");
	return rc;
}

int log_anew(struct check *check, uint64_t last_lsn, uint32_t last_epoch,
	     uint32_t last_segment)
{
	uint8_t bytes[2 * FORMAT_BLOCK_BYTES] = { 0 };
	const struct block_map *map = &check->stored->map;
	uint32_t id = last_segment;
	char name[16];
	int rc;

	if (map->count && map->segments[map->count - 1]->id > id)
		id = map->segments[map->count - 1]->id;
	if (id == UINT32_MAX || last_epoch == UINT32_MAX)
		return check_failed(check, -EFBIG, "no number is left");
	id++;
	check->position = (struct log_position){
		.segment = id,
		.block = SEGMENT_FIRST_RECORD_BLOCK,
		.offset = RECORD_BLOCK_HEADER_BYTES,
		.tail_segment = id,
		.tail_block = SEGMENT_FIRST_RECORD_BLOCK + 1,
		.epoch = last_epoch + 1,
		.next_lsn = last_lsn + 1,
	};
	fill(check, id, last_epoch + 1, last_lsn + 1, bytes);
	log_segment_name(id, name);
	rc = change_create(check, CHANGE_PLACE_SEGMENTS, name, bytes,
			   sizeof(bytes));
	if (rc < 0)
		return rc;
	check->install = true;
	check->new_segment = id;
	rc = save(check);
	return rc < 0 ? stored_failed(check, rc) : 0;
}
