/* Reading segments: what the disk does not give, and what it gives wrong. */
#include "scrub_world.h"

#include "io_hook.h"

/* Reads that touch this offset of a file fail. */
struct broken {
	uint64_t offset;
	unsigned count;
};

static int break_reads(void *context, struct io_event *event)
{
	struct broken *broken = context;

	/* The index is read by its path. */
	if (event->op != IO_OP_READ || event->fd < 0 ||
	    event->offset > broken->offset ||
	    event->offset + event->len <= broken->offset)
		return 0;
	broken->count++;
	return -EIO;
}

static void tell_nobody(void *context, const struct io_event *event,
			int64_t result)
{
	(void)context, (void)event, (void)result;
}

static void test_a_block_that_can_not_be_read_is_named_alone(void **state)
{
	struct store_world *world = *state;
	struct scrub_finding finding;
	struct broken broken;
	struct io_hook hook = { .ask = break_reads,
				.tell = tell_nobody,
				.context = &broken };
	struct slot slot;

	world_write(world, 0, 64 * BLOCK_BYTES, 5);
	slot = slot_of(world, 33);
	broken = (struct broken){ (uint64_t)slot.block * BLOCK_BYTES, 0 };
	assert_int_equal(store_checkpoint(world->store), 0);
	worker_stop(world->store);
	io_hook = &hook;
	scrub_all(world);
	io_hook = NULL;
	assert_true(broken.count > 0);
	finding = the_finding(world);
	assert_int_equal(finding.kind, SCRUB_KIND_UNREADABLE);
	assert_int_equal(finding.offset_bytes, 33 * BLOCK_BYTES);
	assert_int_equal(finding.len_bytes, BLOCK_BYTES);
}

static void test_what_is_cut_off_is_damaged(void **state)
{
	struct store_world *world = *state;
	struct scrub_finding finding;
	struct slot slot;
	char path[128];

	world_write(world, 0, 64 * BLOCK_BYTES, 5);
	assert_int_equal(store_checkpoint(world->store), 0);
	slot = slot_of(world, 60);
	snprintf(path, sizeof(path), "%s/segments/%08x.seg", world->path,
		 slot.segment);
	/* In the midst of a block. */
	assert_int_equal(truncate(path, slot.block * BLOCK_BYTES + 99), 0);
	scrub_all(world);
	finding = the_finding(world);
	assert_int_equal(finding.kind, SCRUB_KIND_DATA);
	assert_int_equal(finding.offset_bytes, 60 * BLOCK_BYTES);
	assert_int_equal(finding.len_bytes, 4 * BLOCK_BYTES);
}

static void test_a_missing_segment_is_unreadable(void **state)
{
	struct store_world *world = *state;
	struct scrub_finding *list;
	size_t count, i;
	uint64_t bytes = 0;
	char path[128];

	world_write(world, 0, 64 * BLOCK_BYTES, 5);
	assert_int_equal(store_checkpoint(world->store), 0);
	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	assert_int_equal(unlink(path), 0);
	scrub_all(world);
	assert_int_equal(scrub_findings(world->store, &list, &count), 0);
	for (i = 0; i < count; i++) {
		assert_int_equal(list[i].kind, SCRUB_KIND_UNREADABLE);
		bytes += list[i].len_bytes;
	}
	free(list);
	assert_int_equal(bytes, 64 * BLOCK_BYTES);
}

static void test_rows_that_say_different_things_are_looked_at(void **state)
{
	struct store_world *world = *state;
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key key = { .inode = 2, .window = 1, .line = 1 };
	struct scrub_finding finding;
	struct slot slot;
	size_t bytes;

	world_write_block(world, 5, 5);
	assert_int_equal(store_checkpoint(world->store), 0);
	slot = slot_of(world, 5);
	slot.sum++;
	slot.first = 9;
	key.gen = world->view->gen;
	bytes = window_encode(world->store->seed, &key, &slot, 1, row);
	assert_int_equal(
		index_window_put(world->store->index, &key, row, bytes), 0);
	scrub_all(world);
	finding = the_finding(world);
	assert_int_equal(finding.offset_bytes, WINDOW_BYTES + 9 * BLOCK_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_block_that_can_not_be_read_is_named_alone),
		WORLD_TEST(test_what_is_cut_off_is_damaged),
		WORLD_TEST(test_a_missing_segment_is_unreadable),
		WORLD_TEST(test_rows_that_say_different_things_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
