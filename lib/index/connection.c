/*
 * A connection to a database of the index, told to believe nothing, and the
 * files that it stands on. A connection follows no symlink and runs nothing
 * that the file brings with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "index_impl.h"
#include "io.h"
#include "vfs.h"

enum { VALUE_BYTES_MAX = 16 << 20, RENEW_BYTES = 1 << 16 };

/* What each connection is told before it touches the file. */
const char *const connection_settings = "PRAGMA locking_mode=EXCLUSIVE;"
					"PRAGMA trusted_schema=OFF;"
					"PRAGMA temp_store=MEMORY;"
					"PRAGMA mmap_size=0;"
					"PRAGMA cell_size_check=ON;"
					"PRAGMA cache_size=-8192;"
					"PRAGMA cache_spill=ON;"
					"PRAGMA synchronous=FULL;"
					"PRAGMA wal_autocheckpoint=0;";

int connection_path(const char *directory, const char *name, char *path,
		    struct failure *failure)
{
	AUTO_FREE char *resolved = realpath(directory, NULL);

	if (!resolved)
		return failure_errno(failure, -errno, directory,
				     "can't be opened");
	/* SQLITE_OPEN_NOFOLLOW refuses symlinks anywhere in the path. */
	if (snprintf(path, INDEX_PATH_BYTES_MAX, "%s/%s", resolved, name) >=
	    INDEX_PATH_BYTES_MAX)
		return failure_set(failure, FAILURE_UNSUPPORTED, directory,
				   "the path is too long for SQLite "
				   "(%d bytes)",
				   INDEX_PATH_BYTES_MAX);
	return 0;
}

void connection_harden(sqlite3 *connection)
{
	static const int off[] = {
		SQLITE_DBCONFIG_ENABLE_TRIGGER,
		SQLITE_DBCONFIG_ENABLE_VIEW,
		SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
		SQLITE_DBCONFIG_TRUSTED_SCHEMA,
		SQLITE_DBCONFIG_WRITABLE_SCHEMA,
	};

	sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		sqlite3_db_config(connection, off[i], 0, NULL);
	sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
	sqlite3_limit(connection, SQLITE_LIMIT_ATTACHED, 0);
}

int connection_open(const char *path, sqlite3 **out_connection)
{
	int rc = index_vfs_register(), code;

	if (rc < 0)
		return rc;
	code = sqlite3_open_v2(path, out_connection,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				       SQLITE_OPEN_NOFOLLOW |
				       SQLITE_OPEN_EXRESCODE,
			       INDEX_VFS_NAME);
	if (code != SQLITE_OK)
		return sql_errno(*out_connection, code);
	connection_harden(*out_connection);
	return 0;
}

int connection_sync_file(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = io_open(dir_fd, name, O_RDONLY);

	return fd < 0 ? fd : io_sync(fd);
}

int connection_make_file(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = io_open(dir_fd, name, O_RDWR | O_CREAT | O_EXCL);

	return fd < 0 ? fd : 0;
}

int connection_open_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int index_renew_wal(int dir_fd)
{
	AUTO_CLOSE int fd = io_open_own(dir_fd, "index.db-wal", O_RDWR);
	AUTO_FREE uint8_t *data = malloc(RENEW_BYTES);
	uint64_t at = 0;
	ssize_t n;
	int rc = 0;

	if (fd < 0) /* another than -ENOENT is for index_open to explain */
		return 0;
	if (!data)
		return -ENOMEM;
	while (rc == 0 && (n = io_read_full(fd, data, RENEW_BYTES, at)) != 0) {
		rc = n < 0 ? (int)n : io_write_all(fd, data, (size_t)n, at);
		at += n > 0 ? (uint64_t)n : 0;
	}
	return rc == -ENOSPC || rc == -EDQUOT ? 0 : rc;
}
