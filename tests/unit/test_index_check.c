/* Files that are not what cowd makes are refused. */
#include "index_world.h"

/* A12 */
static void test_a_foreign_schema_is_refused(void **state)
{
	static const char *const changes[][2] = {
		{ "CREATE TRIGGER t AFTER INSERT ON meta BEGIN " /* F-54 */
		  "DELETE FROM windows; END",
		  "DROP TRIGGER t" },
		{ "CREATE VIEW v AS SELECT * FROM meta", "DROP VIEW v" },
		{ "CREATE TABLE other(a)", "DROP TABLE other" },
		{ "CREATE INDEX other ON lines(parent)", "DROP INDEX other" },
		{ "ALTER TABLE lines RENAME COLUMN parent TO p",
		  "ALTER TABLE lines RENAME COLUMN p TO parent" },
		{ "ALTER TABLE lines ADD COLUMN g AS (parent + 1)",
		  "ALTER TABLE lines DROP COLUMN g" },
		{ "ALTER TABLE lines ADD COLUMN c CHECK(c > 0)",
		  "ALTER TABLE lines DROP COLUMN c" },
		{ "DROP INDEX windows_by_line",
		  "CREATE INDEX windows_by_line ON windows(line, gen)" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		tamper(world, changes[i][0]);
		assert_refused(world, FAILURE_CORRUPT,
			       "the index has a schema that is not cowd's",
			       NULL);
		tamper(world, changes[i][1]);
		open_world(world);
	}
}

static void test_a_newer_index_is_refused(void **state)
{
	struct world *world = *state;

	tamper(world, "PRAGMA user_version=2"); /* F-52 */
	assert_refused(world, FAILURE_UNSUPPORTED, "newer cowd (format 2)",
		       "newer cowd");
	tamper(world, "PRAGMA user_version=1; CREATE TABLE later(a); "
		      "UPDATE meta SET value=4 "
		      "WHERE key='incompatible_features'"); /* F-55 */
	assert_refused(world, FAILURE_UNSUPPORTED, "newer cowd", NULL);
	tamper(world, "DROP TABLE later; UPDATE meta SET value=0 WHERE "
		      "key='incompatible_features'; UPDATE meta SET value=8 "
		      "WHERE key='compatible_features'");
	open_world(world);
}

static void test_other_files_are_refused(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], other[PATH_MAX];
	int fd;

	tamper(world, "PRAGMA application_id=7"); /* F-51 */
	assert_refused(world, FAILURE_CORRUPT, "not an index of cowd", NULL);
	tamper(world, "PRAGMA application_id=1129273156");
	tamper(world, "PRAGMA journal_mode=DELETE"); /* F-53 */
	assert_refused(world, FAILURE_CORRUPT, "WAL", NULL);
	tamper(world, "PRAGMA journal_mode=WAL");

	path_in(world, "index.db", path);
	path_in(world, "other", other);
	assert_int_equal(link(path, other), 0); /* F-50 */
	assert_refused(world, FAILURE_CORRUPT, "not a regular file", NULL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_refused(world, FAILURE_CORRUPT, "not a regular file", NULL);
	assert_int_equal(rename(other, path), 0);
	path_in(world, "index.db-wal", other);
	assert_int_equal(symlink("/dev/null", other), 0);
	assert_refused(world, FAILURE_CORRUPT, "not a regular file", NULL);
	assert_int_equal(unlink(other), 0);
	open_world(world);
	close_world(world);

	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "not SQLite", 10, 0), 10);
	close(fd);
	assert_refused(world, FAILURE_CORRUPT, "damaged", "index.bak");
	assert_int_equal(truncate(path, 0), 0);
	assert_refused(world, FAILURE_CORRUPT, "not an index of cowd", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_foreign_schema_is_refused),
		WORLD_TEST(test_a_newer_index_is_refused),
		WORLD_TEST(test_other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
