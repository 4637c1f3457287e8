/*
 * Real blocks for what the next commit will write, in the WAL and behind the
 * end of the database, so that it finds room on a disk that others filled
 * meanwhile.
 *
 * How much: a row changes a page of its table and one of each of its two
 * indexes, never more pages than there are; and rows that are new need new
 * pages. SQLite writes each page once for a commit: what it wrote before, as
 * its cache was full, it overwrites.
 *
 * A wrong guess costs no data: what finds no room waits (vfs.c, I4).
 */
#include <errno.h>
#include <sys/stat.h>

#include "index_impl.h"
#include "io.h"
#include "logging.h"

enum {
	PAGE_BYTES = 8192,
	FRAME_BYTES = PAGE_BYTES + 24,
	ROW_PAGES = 3,
	ROW_INDEX_BYTES = 128, /* in the two indexes */
	FIXED_PAGES = 24,      /* meta, history, free pages */
	SPARE_PAGES = 8,
	LEAST_BYTES = 1 << 19, /* of the WAL */
	STEP_BYTES = 1 << 16,
};

void room_note_pages(struct index *index)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(index->connection, "PRAGMA page_count", -1,
			       &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		atomic_store(&index->pages,
			     (uint64_t)sqlite3_column_int64(statement, 0));
	sqlite3_finalize(statement);
}

/* The files have no holes: what they lack is at the end. */
static int allocate(int fd, uint64_t len_bytes)
{
	uint64_t have, begin;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	have = (uint64_t)st.st_blocks * 512;
	if (have >= len_bytes)
		return 0;
	begin = have / STEP_BYTES * STEP_BYTES;
	return io_allocate(fd, begin, len_bytes - begin);
}

static int keep_locked(struct index *index, uint64_t wal_bytes,
		       uint64_t database_bytes) REQUIRES(index->room_lock)
{
	int rc = 0;

	if (index->no_room_kept)
		return 0;
	if (wal_bytes > index->wal_room_bytes ||
	    wal_bytes < index->wal_room_bytes / 2) {
		rc = allocate(index->wal_fd, wal_bytes);
		if (rc == 0) {
			index->wal_room_bytes = wal_bytes;
			atomic_store(&index->keep_bytes, wal_bytes);
		}
	}
	if (rc == 0)
		rc = allocate(index->database_fd, database_bytes);
	if (rc == 0 || rc == -ENOSPC || rc == -EDQUOT)
		return rc == 0 ? 0 : -ENOSPC;
	index->no_room_kept = true;
	log_message(LOG_LEVEL_NOTICE,
		    "index: no blocks can be set aside for a full disk");
	return 0;
}

int index_keep_room(struct index *index, uint64_t rows, uint64_t row_bytes)
{
	uint64_t pages = atomic_load(&index->pages);
	uint64_t more = (2 * row_bytes + rows * ROW_INDEX_BYTES) / PAGE_BYTES +
			SPARE_PAGES;
	uint64_t touched = rows * ROW_PAGES + FIXED_PAGES, wal_bytes;
	int rc;

	if (touched > pages)
		touched = pages;
	wal_bytes = (touched + more) * FRAME_BYTES / STEP_BYTES * STEP_BYTES +
		    STEP_BYTES;
	if (wal_bytes < LEAST_BYTES)
		wal_bytes = LEAST_BYTES;
	mutex_lock(&index->room_lock);
	rc = keep_locked(index, wal_bytes, (pages + more) * PAGE_BYTES);
	mutex_unlock(&index->room_lock);
	return rc;
}

bool index_waits(const struct index *index)
{
	return atomic_load(&index->waits);
}
