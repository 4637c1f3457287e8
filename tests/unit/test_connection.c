/* What a connection follows, and what it refuses to run. */
#include "index_world.h"

/* A13 */
static void test_a_connection_follows_no_symlink(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], link[PATH_MAX];
	sqlite3 *connection = NULL;

	close_world(world);
	path_in(world, "index.db", path);
	path_in(world, "link", link);
	assert_int_equal(symlink(path, link), 0);
	assert_true(connection_open(link, &connection) < 0);
	sqlite3_close(connection);
	assert_int_equal(connection_open(path, &connection), 0);
	sqlite3_close(connection);
}

static void test_a_path_is_resolved_and_fits_sqlite(void **state)
{
	struct world *world = *state;
	char path[INDEX_PATH_BYTES_MAX], expected[PATH_MAX], odd[PATH_MAX];
	char name[INDEX_PATH_BYTES_MAX];

	path_in(world, "index.db", expected);
	path_in(world, "../../tmp/..", odd);
	snprintf(odd + strlen(odd), 80, "%s", world->directory);
	assert_int_equal(connection_path(odd, "index.db", path, NULL), 0);
	assert_string_equal(path, expected);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_true(connection_path(odd, name, path, NULL) < 0);
	path_in(world, "missing", odd);
	assert_int_equal(connection_path(odd, "index.db", path, NULL), -ENOENT);
}

/* A12 */
static void test_a_connection_runs_nothing_that_the_file_brings(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX];
	sqlite3 *connection = NULL;

	tamper(world, "CREATE TABLE gone(a); CREATE TRIGGER t AFTER INSERT ON "
		      "meta BEGIN INSERT INTO gone VALUES(1); END;"
		      "CREATE VIEW v AS SELECT * FROM meta");
	path_in(world, "index.db", path);
	assert_int_equal(connection_open(path, &connection), 0);
	assert_int_equal(sql_exec(connection, connection_settings), 0);
	assert_int_equal(
		sql_exec(connection, "INSERT INTO meta VALUES('a', 1)"), 0);
	assert_int_equal(sqlite3_total_changes(connection), 1);
	assert_true(sql_exec(connection, "SELECT * FROM v") < 0);
	assert_true(sql_exec(connection, "SELECT load_extension('x')") < 0);
	sqlite3_close(connection);
}

static void test_a_file_of_ours_is_new(void **state)
{
	struct world *world = *state;
	int dir_fd = connection_open_directory(world->directory);

	assert_true(dir_fd >= 0);
	assert_int_equal(connection_make_file(dir_fd, "index.db"), -EEXIST);
	assert_int_equal(connection_make_file(dir_fd, "new"), 0);
	assert_int_equal(connection_sync_file(dir_fd, "new"), 0);
	assert_int_equal(connection_sync_file(dir_fd, "missing"), -ENOENT);
	close(dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_connection_follows_no_symlink),
		WORLD_TEST(test_a_path_is_resolved_and_fits_sqlite),
		WORLD_TEST(test_a_connection_runs_nothing_that_the_file_brings),
		WORLD_TEST(test_a_file_of_ours_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
