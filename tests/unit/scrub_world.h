/* A scrub of a store whose segments are damaged, for its tests. */
#pragma once

#include "store_world.h"

#include "scrub_impl.h"

static inline void scrub_all(struct store_world *world)
{
	struct scrub_status status;

	assert_ok(world, scrub_start(world->store, 0, &world->failure));
	assert_int_equal(scrub_wait(world->store, NULL, NULL), 0);
	scrub_get_status(world->store, &status);
	assert_int_equal(status.state, SCRUB_STATE_FINISHED);
	assert_false(status.is_active);
	assert_true(status.ended_ns >= status.started_ns);
}

/* Of all findings the only one. */
static inline struct scrub_finding the_finding(struct store_world *world)
{
	struct scrub_finding *list, finding;
	size_t count;

	assert_int_equal(scrub_findings(world->store, &list, &count), 0);
	if (count != 1)
		fail_msg("%zu findings", count);
	finding = list[0];
	free(list);
	return finding;
}

static inline void assert_clean(struct store_world *world)
{
	struct scrub_finding *list;
	struct scrub_status status;
	size_t count;

	assert_int_equal(scrub_findings(world->store, &list, &count), 0);
	free(list);
	assert_int_equal(count, 0);
	scrub_get_status(world->store, &status);
	assert_int_equal(status.finding_count, 0);
}

static inline enum store_health health(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	return status.health;
}

static inline struct slot slot_of(struct store_world *world, uint64_t block)
{
	struct slot slots[WINDOW_BLOCKS];
	unsigned count, i;

	assert_int_equal(file_map_window(world->file, block / WINDOW_BLOCKS,
					 slots, &count),
			 0);
	for (i = 0; i < count; i++)
		if (slots[i].first == block % WINDOW_BLOCKS)
			return slots[i];
	fail_msg("no slot");
	abort();
}

static inline void flip(struct store_world *world, uint32_t segment,
			uint64_t offset)
{
	char path[128];
	uint8_t byte;
	int fd;

	snprintf(path, sizeof(path), "%s/segments/%08x.seg", world->path,
		 segment);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
}

static inline void flip_block(struct store_world *world, uint64_t block)
{
	struct slot slot = slot_of(world, block);

	flip(world, slot.segment, (uint64_t)slot.block * BLOCK_BYTES + 77);
}
