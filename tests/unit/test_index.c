/* The index as one long transaction. */
#include "index_world.h"
#include "io_hook.h"

static void test_what_was_not_committed_is_forgotten(void **state)
{
	struct world *world = *state;
	int64_t value = 0;
	char blob[3];

	assert_int_equal(index_meta_put(world->index, "kept", INT64_MIN), 0);
	assert_int_equal(index_meta_put_blob(world->index, "blob", "abc", 3),
			 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(index_meta_put(world->index, "kept", 2), 0);
	assert_int_equal(index_meta_put(world->index, "lost", 3), 0);
	close_world(world);
	open_world(world);
	assert_int_equal(index_meta_get(world->index, "kept", &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(index_meta_get(world->index, "lost", &value), -ENOENT);
	assert_int_equal(index_meta_get_blob(world->index, "blob", blob, 3), 0);
	assert_memory_equal(blob, "abc", 3);
	assert_int_equal(index_meta_get_blob(world->index, "blob", blob, 2),
			 -EUCLEAN);
	assert_int_equal(index_meta_get(world->index, "blob", &value),
			 -EUCLEAN);
}

/* D17: one connection */
static void test_a_second_opener_is_told_that_it_is_busy(void **state)
{
	struct world *world = *state;
	struct failure failure = { 0 };
	struct index *second = NULL;

	assert_int_equal(index_open(world->directory, &second, &failure),
			 -EBUSY);
	assert_int_equal(failure.code, FAILURE_BUSY);
	assert_null(second);
}

static void test_after_a_lost_transaction_nothing_is_written(void **state)
{
	struct world *world = *state;
	int64_t value = 0;

	assert_int_equal(index_meta_put(world->index, "kept", 1), 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(index_meta_put(world->index, "lost", 1), 0);
	/* As SQLite does after some errors, a full disk among them. */
	assert_int_equal(sql_exec(world->index->connection, "ROLLBACK"), 0);
	assert_true(index_commit(world->index) < 0);
	assert_true(index_meta_put(world->index, "later", 1) < 0);
	assert_true(index_commit(world->index) < 0);
	assert_true(index_backup(world->index, world->directory) < 0);
	close_world(world);
	open_world(world);
	assert_int_equal(index_meta_get(world->index, "later", &value),
			 -ENOENT);
	assert_int_equal(index_meta_get(world->index, "kept", &value), 0);
}

/* The rows were put, so memory has let go of what they say. */
static void test_a_lost_transaction_is_an_error_to_who_reads(void **state)
{
	struct world *world = *state;
	int64_t value = 0;

	assert_int_equal(index_meta_put(world->index, "value", 1), 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(index_meta_put(world->index, "value", 2), 0);
	assert_int_equal(index_meta_put(world->index, "new", 2), 0);
	/* As SQLite does after some errors. */
	assert_int_equal(sql_exec(world->index->connection, "ROLLBACK"), 0);
	assert_true(index_commit(world->index) < 0);
	assert_int_equal(index_meta_get(world->index, "value", &value), -EIO);
	assert_int_equal(index_meta_get(world->index, "new", &value), -EIO);
	close_world(world);
	open_world(world);
	assert_int_equal(index_meta_get(world->index, "value", &value), 0);
	assert_int_equal(value, 1);
}

struct renewal {
	bool refuse;
	uint64_t written;
};

static int refuse_sync(void *context, struct io_event *event)
{
	const struct renewal *renewal = context;

	return renewal->refuse && event->op == IO_OP_SYNC ? -EIO : 0;
}

static void count_writes(void *context, const struct io_event *event,
			 int64_t result)
{
	struct renewal *renewal = context;

	if (event->op == IO_OP_WRITE && result > 0)
		renewal->written += (uint64_t)result;
}

static void test_a_wal_whose_flush_failed_is_written_again(void **state)
{
	struct renewal renewal = { .refuse = true };
	const struct io_hook hook = { refuse_sync, count_writes, &renewal };
	struct world *world = *state;
	AUTO_CLOSE int dir_fd = connection_open_directory(world->directory);
	char path[PATH_MAX];
	struct stat st;

	assert_int_equal(index_meta_put(world->index, "value", 1), 0);
	io_hook = &hook;
	assert_int_equal(index_commit(world->index), -EIO);
	close_world(world);
	path_in(world, "index.db-wal", path);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 0);
	renewal = (struct renewal){ .refuse = false };
	assert_int_equal(index_renew_wal(dir_fd), 0);
	io_hook = NULL;
	assert_int_equal(renewal.written, st.st_size);
	open_world(world);
	close_world(world);
	assert_int_equal(index_renew_wal(dir_fd), 0); /* there is none */
	open_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_what_was_not_committed_is_forgotten),
		WORLD_TEST(test_a_second_opener_is_told_that_it_is_busy),
		WORLD_TEST(test_after_a_lost_transaction_nothing_is_written),
		WORLD_TEST(test_a_lost_transaction_is_an_error_to_who_reads),
		WORLD_TEST(test_a_wal_whose_flush_failed_is_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
