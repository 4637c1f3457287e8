/*
 * A new index: the schema, the version, and nothing else.
 *
 * A crash leaves no index.db, or one that index_open refuses; the store that
 * it belongs to is not made before index_create has returned.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "index_impl.h"
#include "io.h"

static int put_schema(sqlite3 *connection)
{
	int rc = 0;

	/* An index needs its table first. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; rc == 0 && i < schema_object_count; i++) {
			const char *sql = schema_objects[i].sql;
			bool table = strncmp(sql, "CREATE TABLE", 12) == 0;

			if (table == (pass == 0))
				rc = sql_exec(connection, sql);
		}
	}
	return rc;
}

static int fill_new(sqlite3 *connection)
{
	char sql[256];
	int rc;

	snprintf(sql, sizeof(sql),
		 "PRAGMA application_id=%d; PRAGMA user_version=%d;"
		 "INSERT INTO meta VALUES('incompatible_features', 0);"
		 "INSERT INTO meta VALUES('compatible_features', 0);",
		 INDEX_APPLICATION_ID, FORMAT_VERSION);
	rc = sql_exec(connection, "PRAGMA page_size=8192;"
				  "PRAGMA auto_vacuum=INCREMENTAL;");
	if (rc == 0)
		rc = sql_exec(connection, connection_settings);
	if (rc == 0)
		rc = sql_exec(connection, "PRAGMA journal_mode=WAL; BEGIN");
	if (rc == 0)
		rc = put_schema(connection);
	if (rc == 0)
		rc = sql_exec(connection, sql);
	if (rc == 0)
		rc = sql_exec(connection, "COMMIT");
	if (rc == 0)
		rc = sql_errno(connection,
			       sqlite3_wal_checkpoint_v2(
				       connection, NULL,
				       SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
	return rc;
}

int index_create(const char *directory, struct failure *failure)
{
	AUTO_CLOSE int dir_fd = connection_open_directory(directory);
	sqlite3 *connection = NULL;
	char path[INDEX_PATH_BYTES_MAX];
	int rc;

	if (dir_fd < 0)
		return failure_errno(failure, dir_fd, directory,
				     "can't be opened");
	rc = connection_path(directory, "index.db", path, failure);
	if (rc < 0)
		return rc;
	rc = connection_make_file(dir_fd, "index.db");
	if (rc < 0)
		return failure_errno(failure, rc, path, "can't be made");
	rc = connection_open(path, &connection);
	if (rc == 0)
		rc = fill_new(connection);
	sqlite3_close(connection);
	if (rc == 0)
		rc = connection_sync_file(dir_fd, "index.db");
	if (rc == 0)
		rc = io_sync_directory(dir_fd);
	if (rc == 0)
		return 0;
	(void)!io_unlink(dir_fd, "index.db");
	(void)!io_unlink(dir_fd, "index.db-wal");
	(void)!io_unlink(dir_fd, "index.db-journal");
	return failure_errno(failure, rc, path, "can't be made");
}
