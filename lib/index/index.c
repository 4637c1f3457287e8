/*
 * The index as one long transaction: open, commit, close.
 *
 * I2: once a transaction was lost, nothing more is written (index->failed).
 * I3: index.db-shm never exists; one connection holds the file's lock.
 * I4: nor is anything read then: it would be older than who asks believes.
 *
 * A crash at any instant leaves the state of the last index_commit: in
 * index.db, or in index.db and index.db-wal, from which SQLite recovers. One
 * that found no room on the disk waits in memory (vfs.c, I4).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "index_impl.h"
#include "io.h"
#include "logging.h"
#include "vfs.h"

/* For room.c. The database's stays open: closing one, whoever has it, lets go
 * of SQLite's locks. */
static int open_files(const char *directory, struct index *index)
{
	AUTO_CLOSE int dir_fd = connection_open_directory(directory);
	int rc;

	if (dir_fd < 0)
		return dir_fd;
	index->wal_fd = io_open_own(dir_fd, "index.db-wal", O_RDWR);
	if (index->wal_fd < 0)
		return index->wal_fd;
	rc = index_vfs_hold(index->connection, &index->keep_bytes);
	room_note_pages(index);
	return rc;
}

static int open_checked(const char *directory, struct index *index,
			struct failure *failure)
{
	char path[INDEX_PATH_BYTES_MAX];
	int rc = connection_path(directory, "index.db", path, failure);

	if (rc < 0)
		return rc;
	index->database_fd = io_open_own(AT_FDCWD, path, O_RDWR);
	rc = index->database_fd < 0 ? index->database_fd :
				      connection_open(path, &index->connection);
	if (rc == 0) /* I3: EXCLUSIVE comes before the first access */
		rc = sql_errno_of(index->connection,
				  sqlite3_exec(index->connection,
					       connection_settings, NULL, NULL,
					       NULL));
	if (rc < 0)
		return index_open_failure(directory, index->connection, rc,
					  failure);
	rc = index_check_header(directory, index->connection, failure);
	if (rc == 0)
		rc = index_check_schema(directory, index->connection, failure);
	if (rc < 0)
		return rc;
	rc = open_files(directory, index);
	if (rc == 0)
		rc = sql_exec(index->connection, "BEGIN");
	if (rc < 0)
		return index_open_failure(directory, index->connection, rc,
					  failure);
	return 0;
}

int index_open(const char *directory, struct index **out_index,
	       struct failure *failure)
{
	struct index *index;
	int rc = index_check_files(directory, failure);

	if (rc < 0)
		return rc;
	index = calloc(1, sizeof(*index));
	if (!index)
		return failure_errno(failure, -ENOMEM, directory,
				     "index.db can't be opened");
	mutex_init(&index->lock);
	mutex_init(&index->room_lock);
	index->database_fd = index->wal_fd = -1;
	rc = open_checked(directory, index, failure);
	if (rc < 0) {
		index_close(index);
		return rc;
	}
	*out_index = index;
	return 0;
}

void index_close(struct index *index)
{
	if (!index)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(index->statements[i]);
	if (index->connection && (index->failed || atomic_load(&index->waits)))
		sqlite3_db_config(index->connection,
				  SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* An open transaction is rolled back. */
	if (sqlite3_close(index->connection) != SQLITE_OK)
		log_message(LOG_LEVEL_ERROR, "index: can't be closed: %s",
			    sqlite3_errmsg(index->connection));
	if (index->database_fd >= 0)
		close(index->database_fd);
	if (index->wal_fd >= 0)
		close(index->wal_fd);
	mutex_fini(&index->lock);
	mutex_fini(&index->room_lock);
	free(index);
}

void index_on_failure(struct index *index, index_failed *call, void *context)
{
	mutex_lock(&index->lock);
	index->on_failure = call;
	index->context = context;
	mutex_unlock(&index->lock);
}

void index_fail(struct index *index, int rc)
{
	bool was_good = !index->failed;

	index->failed = rc; /* I2 */
	if (was_good && index->on_failure)
		index->on_failure(index->context, rc);
}

void index_look_after(struct index *index, int rc)
{
	if (!sqlite3_get_autocommit(index->connection) || index->failed)
		return;
	/* What follows would be committed row by row, without what was
	 * before it. */
	if (index->dirty || sql_exec(index->connection, "BEGIN") < 0)
		index_fail(index, rc);
}

static int move_wal(struct index *index) REQUIRES(index->lock)
{
	int rc = sql_errno(index->connection,
			   sqlite3_wal_checkpoint_v2(index->connection, NULL,
						     SQLITE_CHECKPOINT_TRUNCATE,
						     NULL, NULL));

	room_note_pages(index);
	return rc;
}

static int commit_locked(struct index *index) REQUIRES(index->lock)
{
	int rc, moved;

	if (index->failed)
		return index->failed;
	rc = sql_exec(index->connection, "COMMIT");
	if (rc < 0) {
		index_fail(index, rc);
		return rc;
	}
	index->dirty = false;
	index->commit_count++;
	rc = index_vfs_flush(index->connection);
	atomic_store(&index->waits, rc == -ENOSPC);
	moved = rc == 0 ? move_wal(index) : rc;
	rc = sql_exec(index->connection, "BEGIN");
	/* With a full disk all is still in the WAL, to be moved later. */
	if (rc == 0 && moved != -ENOSPC)
		rc = moved;
	if (rc < 0)
		index_fail(index, rc);
	return rc == 0 && atomic_load(&index->waits) ? -ENOSPC : rc;
}

int index_commit(struct index *index)
{
	int rc;

	mutex_lock(&index->lock);
	rc = commit_locked(index);
	mutex_unlock(&index->lock);
	return rc;
}
