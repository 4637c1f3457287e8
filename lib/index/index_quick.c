/*
 * A second connection looks at index.db as it is in the file, without locks
 * and without the WAL. The file changes only while index_commit moves the WAL
 * into it, and is whole at all other times.
 *
 * I1: nothing that was seen while a commit came is believed.
 */
#include "index_quick.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index_impl.h"

enum { TRIES = 3 };

struct index_quick {
	struct mutex lock;
	sqlite3 *connection; /* while one looks; to be interrupted */
	bool interrupted;
	int fd;
};

int index_quick_open(const char *directory, struct index_quick **out_quick)
{
	AUTO_CLOSE int dir_fd = connection_open_directory(directory);
	struct index_quick *quick;
	int fd;

	if (dir_fd < 0)
		return dir_fd;
	/* Closing it leaves SQLite's lock on the file alone. */
	fd = openat(dir_fd, "index.db", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	quick = calloc(1, sizeof(*quick));
	if (!quick) {
		close(fd);
		return -ENOMEM;
	}
	mutex_init(&quick->lock);
	quick->fd = fd;
	*out_quick = quick;
	return 0;
}

/* A new one each time: it keeps the pages that it has seen. */
static int connect_again(struct index_quick *quick)
{
	sqlite3 *connection = NULL;
	bool interrupted;
	char uri[80];
	int code, rc;

	/* A path of ours, whatever is in the store's. */
	snprintf(uri, sizeof(uri), "file:/proc/self/fd/%d?immutable=1",
		 quick->fd);
	code = sqlite3_open_v2(uri, &connection,
			       SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
				       SQLITE_OPEN_EXRESCODE,
			       NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(connection,
				    "PRAGMA cell_size_check=ON;"
				    "PRAGMA trusted_schema=OFF;"
				    "PRAGMA cache_size=-8192;",
				    NULL, NULL, NULL);
	rc = sql_errno_of(connection, code);
	if (rc < 0) {
		sqlite3_close(connection);
		return rc;
	}
	mutex_lock(&quick->lock);
	quick->connection = connection;
	interrupted = quick->interrupted;
	mutex_unlock(&quick->lock);
	return interrupted ? -EINTR : 0;
}

static void disconnect(struct index_quick *quick)
{
	sqlite3 *connection;

	mutex_lock(&quick->lock);
	connection = quick->connection;
	quick->connection = NULL;
	mutex_unlock(&quick->lock);
	sqlite3_close(connection);
}

static uint64_t commits(struct index *index)
{
	uint64_t count;

	mutex_lock(&index->lock);
	count = index->commit_count;
	mutex_unlock(&index->lock);
	return count;
}

static int look(struct index_quick *quick, char *text, size_t text_bytes)
{
	sqlite3 *connection = quick->connection;
	sqlite3_stmt *statement = NULL;
	const char *found;
	int code, rc;

	code = sqlite3_prepare_v2(connection, "PRAGMA quick_check(1)", -1,
				  &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		found = (const char *)sqlite3_column_text(statement, 0);
		rc = found && strcmp(found, "ok") == 0 ? 0 : -EUCLEAN;
		snprintf(text, text_bytes, "%s", found ? found : "");
	} else {
		rc = code == SQLITE_INTERRUPT ? -EINTR :
						sql_errno_of(connection, code);
		snprintf(text, text_bytes, "%s", sqlite3_errmsg(connection));
	}
	sqlite3_finalize(statement);
	return rc;
}

int index_quick_run(struct index_quick *quick, struct index *index, char *text,
		    size_t text_bytes)
{
	uint64_t before;
	int rc = -EAGAIN, tries;
	char *c;

	for (tries = 0; tries < TRIES && rc == -EAGAIN; tries++) {
		before = commits(index);
		rc = connect_again(quick);
		if (rc == 0)
			rc = look(quick, text, text_bytes);
		else
			snprintf(text, text_bytes, "it can't be opened");
		disconnect(quick);
		if (rc == -EUCLEAN && commits(index) != before) /* I1 */
			rc = -EAGAIN;
	}
	for (c = text; *c; c++) /* one line */
		if (*c == '\n')
			*c = ' ';
	return rc;
}

void index_quick_interrupt(struct index_quick *quick)
{
	mutex_lock(&quick->lock);
	quick->interrupted = true;
	if (quick->connection)
		sqlite3_interrupt(quick->connection);
	mutex_unlock(&quick->lock);
}

void index_quick_close(struct index_quick *quick)
{
	if (!quick)
		return;
	mutex_fini(&quick->lock);
	close(quick->fd);
	free(quick);
}
