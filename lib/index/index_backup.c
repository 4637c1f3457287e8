/*
 * index.bak: a whole copy of the committed index, from which a lost index
 * comes back at the cost of a replay.
 *
 * A crash at any instant leaves the old copy or the new one: the copy is made
 * beside it, synced, and takes its place by rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "index_impl.h"
#include "io.h"

/* Into an empty file, which needs no journal: it is not index.bak yet. */
static int copy_to(sqlite3 *from, const char *path)
{
	sqlite3 *to = NULL;
	sqlite3_backup *backup;
	int rc = connection_open(path, &to);

	if (rc == 0)
		rc = sql_exec(to, "PRAGMA locking_mode=EXCLUSIVE;"
				  "PRAGMA page_size=8192;"
				  "PRAGMA journal_mode=OFF;"
				  "PRAGMA synchronous=OFF;");
	if (rc == 0) {
		backup = sqlite3_backup_init(to, "main", from, "main");
		if (backup) {
			sqlite3_backup_step(backup, -1);
			rc = sql_errno(to, sqlite3_backup_finish(backup));
		} else {
			rc = sql_errno(to, sqlite3_errcode(to));
		}
	}
	sqlite3_close(to);
	return rc;
}

static int backup_to(sqlite3 *from, int dir_fd, const char *path)
{
	static const char *const name = "index.bak.tmp";
	int rc = io_unlink(dir_fd, name);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	rc = connection_make_file(dir_fd, name);
	if (rc == 0)
		rc = copy_to(from, path);
	if (rc == 0)
		rc = connection_sync_file(dir_fd, name);
	if (rc == 0)
		rc = io_rename(dir_fd, name, "index.bak");
	if (rc == 0)
		return io_sync_directory(dir_fd);
	(void)!io_unlink(dir_fd, name);
	(void)!io_unlink(dir_fd, "index.bak.tmp-journal");
	return rc;
}

static int backup_locked(struct index *index, int dir_fd, const char *path)
	REQUIRES(index->lock)
{
	int rc, begun;

	if (index->failed)
		return index->failed;
	if (atomic_load(&index->waits))
		return -ENOSPC;
	/* Rows that wait for index_commit are not to be committed here. */
	if (sqlite3_txn_state(index->connection, "main") == SQLITE_TXN_WRITE)
		return -EBUSY;
	rc = sql_exec(index->connection, "COMMIT");
	if (rc == 0)
		rc = backup_to(index->connection, dir_fd, path);
	if (!sqlite3_get_autocommit(index->connection))
		return rc;
	begun = sql_exec(index->connection, "BEGIN");
	if (begun < 0)
		index_fail(index, begun);
	return rc < 0 ? rc : begun;
}

int index_backup(struct index *index, const char *directory)
{
	AUTO_CLOSE int dir_fd = connection_open_directory(directory);
	char path[INDEX_PATH_BYTES_MAX];
	int rc;

	if (dir_fd < 0)
		return dir_fd;
	rc = connection_path(directory, "index.bak.tmp", path, NULL);
	if (rc < 0)
		return rc;
	mutex_lock(&index->lock);
	rc = backup_locked(index, dir_fd, path);
	mutex_unlock(&index->lock);
	return rc;
}
