/* SQLite's files pass the seam, and what it refuses SQLite hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io_hook.h"
#include "vfs.h"

enum { OPS = IO_OP_UNLINK + 1 };

struct world {
	char directory[64], path[80];
	sqlite3 *db;
	struct io_hook hook;
	unsigned told[OPS];
	unsigned order, file_sync, directory_sync; /* of the WAL */
	bool refuse;
	enum io_op refused;
	int refusal;
	uint64_t most_bytes;
};

static int ask(void *context, struct io_event *event)
{
	struct world *world = context;

	assert_int_equal(event->fd, -1);
	assert_int_equal(event->dir_fd, AT_FDCWD);
	assert_memory_equal(event->name, world->path, strlen(world->path));
	if (world->refuse && event->op == world->refused)
		return world->refusal;
	if (world->most_bytes && event->len > world->most_bytes)
		event->len = world->most_bytes;
	return 0;
}

static void tell(void *context, const struct io_event *event, int64_t result)
{
	struct world *world = context;

	world->order++;
	if (strcmp(event->name + strlen(world->path), "-wal") == 0) {
		if (event->op == IO_OP_SYNC && !world->file_sync)
			world->file_sync = world->order;
		if (event->op == IO_OP_SYNC_DIRECTORY)
			world->directory_sync = world->order;
	}
	if (event->op == IO_OP_WRITE && result >= 0)
		assert_int_equal(result, event->len);
	if (result >= 0)
		world->told[event->op]++;
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	snprintf(world->directory, sizeof(world->directory),
		 "/tmp/cowd-vfs-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/db", world->directory);
	world->hook = (struct io_hook){ ask, tell, world };
	io_hook = &world->hook;
	assert_int_equal(index_vfs_register(), 0);
	assert_int_equal(index_vfs_register(), 0);
	assert_int_equal(sqlite3_open_v2(world->path, &world->db,
					 SQLITE_OPEN_READWRITE |
						 SQLITE_OPEN_CREATE |
						 SQLITE_OPEN_EXRESCODE,
					 INDEX_VFS_NAME),
			 SQLITE_OK);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	static const char *const ends[] = { "", "-wal", "-journal", "-shm" };
	struct world *world = *state;
	char path[96];

	world->refuse = false;
	assert_int_equal(sqlite3_close(world->db), SQLITE_OK);
	io_hook = NULL;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", world->path, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(world->directory), 0);
	free(world);
	return 0;
}

static int run(struct world *world, const char *sql)
{
	return sqlite3_exec(world->db, sql, NULL, NULL, NULL);
}

static void begin_wal(struct world *world)
{
	assert_int_equal(run(world, "PRAGMA locking_mode=EXCLUSIVE;"
				    "PRAGMA journal_mode=WAL;"
				    "PRAGMA synchronous=FULL;"
				    "CREATE TABLE t(a)"),
			 SQLITE_OK);
}

static void test_every_file_of_a_database_passes_the_hook(void **state)
{
	struct world *world = *state;

	begin_wal(world);
	assert_true(world->told[IO_OP_OPEN] >= 2);
	assert_true(world->told[IO_OP_WRITE] > 0);
	assert_true(world->told[IO_OP_READ] > 0);
	assert_true(world->file_sync > 0);
	assert_int_equal(world->directory_sync, world->file_sync + 1);
	assert_int_equal(sqlite3_wal_checkpoint_v2(world->db, NULL,
						   SQLITE_CHECKPOINT_TRUNCATE,
						   NULL, NULL),
			 SQLITE_OK);
	assert_true(world->told[IO_OP_TRUNCATE] > 0);
	assert_int_equal(sqlite3_close(world->db), SQLITE_OK);
	world->db = NULL;
	assert_true(world->told[IO_OP_UNLINK] > 0);
}

static void test_shared_memory_can_not_come_to_be(void **state)
{
	struct world *world = *state;
	char path[96];

	/* Without exclusive locks WAL would need it. */
	assert_int_equal(run(world, "PRAGMA journal_mode=WAL;"
				    "CREATE TABLE t(a)"),
			 SQLITE_OK);
	snprintf(path, sizeof(path), "%s-shm", world->path);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_refusal_is_the_error_that_the_call_would_give(void **state)
{
	static const struct {
		enum io_op op;
		int refusal, code;
	} rows[] = {
		{ IO_OP_WRITE, -ENOSPC, SQLITE_FULL },
		{ IO_OP_WRITE, -EIO, SQLITE_IOERR_WRITE },
		{ IO_OP_SYNC, -EIO, SQLITE_IOERR_FSYNC },
		{ IO_OP_SYNC, -ENOSPC, SQLITE_IOERR_FSYNC },
	};
	struct world *world = *state;

	begin_wal(world);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world->refuse = true;
		world->refused = rows[i].op;
		world->refusal = rows[i].refusal;
		assert_int_equal(run(world, "INSERT INTO t VALUES(1)"),
				 rows[i].code);
		world->refuse = false;
		if (!sqlite3_get_autocommit(world->db))
			assert_int_equal(run(world, "ROLLBACK"), SQLITE_OK);
	}
	assert_int_equal(run(world, "INSERT INTO t VALUES(2)"), SQLITE_OK);
}

static void test_short_write_is_gone_on_with(void **state)
{
	struct world *world = *state;
	sqlite3_stmt *statement;

	world->most_bytes = 100;
	begin_wal(world);
	assert_int_equal(run(world, "INSERT INTO t VALUES(zeroblob(20000));"
				    "PRAGMA integrity_check"),
			 SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(world->db,
					    "SELECT length(a) FROM t", -1,
					    &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(statement, 0), 20000);
	sqlite3_finalize(statement);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_every_file_of_a_database_passes_the_hook),
		CASE(test_shared_memory_can_not_come_to_be),
		CASE(test_refusal_is_the_error_that_the_call_would_give),
		CASE(test_short_write_is_gone_on_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
