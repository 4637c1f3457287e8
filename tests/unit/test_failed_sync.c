/*
 * D16: a flush that failed is never forgotten. Whatever is asked of the store
 * afterwards says so until it is opened again, and what had been synced before
 * is there then.
 */
#include "store_world.h"

#include "io_hook.h"

struct fault {
	unsigned syncs, fail_at; /* 0: none */
	int rc;
};

static int fail_one(void *context, struct io_event *event)
{
	struct fault *fault = context;

	if (event->op != IO_OP_SYNC)
		return 0;
	return ++fault->syncs == fault->fail_at ? fault->rc : 0;
}

static void tell_nobody(void *context, const struct io_event *event,
			int64_t result)
{
	(void)context;
	(void)event;
	(void)result;
}

static void assert_all_fails(struct store_world *world)
{
	struct snapshot_info info;
	struct store_status status;
	int i;

	for (i = 0; i < 3; i++) {
		assert_true(store_sync(world->store) < 0);
		assert_true(file_sync(world->file) < 0);
		assert_true(history_snapshot(world->store, "main", "late", "",
					     SNAPSHOT_KIND_MANUAL, &world_actor,
					     &info, NULL) < 0);
		assert_true(file_write(world->file, 0, "x", 1) < 0);
		assert_true(store_checkpoint(world->store) < 0);
	}
	store_status(world->store, &status);
	assert_true(status.read_only);
	assert_int_equal(status.health, STORE_HEALTH_DAMAGED);
	assert_true(status.reason[0] != '\0');
}

static void fail_sync(struct store_world *world, int rc)
{
	struct fault fault = { .fail_at = 1, .rc = rc };
	const struct io_hook hook = { fail_one, tell_nobody, &fault };

	assert_int_equal(file_write(world->file, 0, "first", 5), 0);
	memcpy(world->expected, "first", 5);
	assert_int_equal(file_sync(world->file), 0);
	assert_int_equal(file_write(world->file, 8192, "second", 6), 0);
	io_hook = &hook;
	assert_true(file_sync(world->file) < 0);
	assert_int_equal(fault.syncs, 1);
	/* The disk is well again, and nobody knows what it has. */
	assert_all_fails(world);
	io_hook = NULL;
}

static void test_after_a_failed_flush_nothing_succeeds(void **state)
{
	static const int faults[] = { -EIO, -ENOSPC };
	struct store_world *world = *state;
	uint8_t text[5];
	size_t i, len_bytes;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		fail_sync(world, faults[i]);
		view_put(world->view);
		(void)!store_close(world->store);
		world->store = NULL;
		world_open(world);
		assert_int_equal(file_read(world->file, 0, text, sizeof(text),
					   &len_bytes),
				 0);
		assert_memory_equal(text, "first", sizeof(text));
		assert_int_equal(file_write(world->file, 0, "good", 4), 0);
		assert_int_equal(file_sync(world->file), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_after_a_failed_flush_nothing_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
