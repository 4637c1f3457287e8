/*
 * The working copy of the index.
 *
 * I1: no file of the store is opened for writing here, and none by a path.
 * I2: what is in the file runs nothing: no trigger, view or extension, no
 *     schema that is trusted, no page or cell that is not checked.
 */
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "index_impl.h"
#include "io.h"
#include "place.h"

enum { COPY_BYTES = 1 << 20, PATH_BYTES_MAX = 480 };

static const char *temporary_parent(const struct check *check)
{
	static const char *const places[] = { "/var/tmp", "/tmp", "/run" };
	const char *given = check->options->temporary;
	size_t i;

	if (given)
		return given;
	given = getenv("TMPDIR");
	if (given && given[0])
		return given;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], W_OK | X_OK) == 0)
			return places[i];
	return "/tmp";
}

int work_init(struct check *check)
{
	AUTO_FREE char *parent = realpath(temporary_parent(check), NULL);

	if (!parent)
		return check_failed(check, -errno, "%s: can't be opened",
				    temporary_parent(check));
	if (snprintf(check->temporary, sizeof(check->temporary),
		     "%s/cowd-fsck-XXXXXX", parent) >= PATH_BYTES_MAX)
		return check_failed(check, -ENAMETOOLONG,
				    "the temporary directory");
	if (!mkdtemp(check->temporary)) {
		int rc = -errno;

		check->temporary[0] = '\0';
		return check_failed(check, rc, "%s: no temporary directory",
				    parent);
	}
	check->temporary_fd =
		open(check->temporary,
		     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (check->temporary_fd < 0)
		return check_failed(check, -errno, "%s", check->temporary);
	return 0;
}

void work_close(struct check *check)
{
	sqlite3_close_v2(check->work);
	check->work = NULL;
}

static void remove_copies(struct check *check)
{
	static const char *const names[] = { "index.db", "index.db-wal",
					     "index.db-journal" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlinkat(check->temporary_fd, names[i], 0);
}

void work_fini(struct check *check)
{
	work_close(check);
	if (check->temporary_fd < 0)
		return;
	remove_copies(check);
	(void)unlinkat(check->temporary_fd, "changes", 0);
	close(check->temporary_fd);
	check->temporary_fd = -1;
	(void)rmdir(check->temporary);
}

/* -ENOENT, or -EUCLEAN: no regular file. */
static int copy_file(struct check *check, const char *from, const char *to)
{
	AUTO_FREE uint8_t *buffer = malloc(COPY_BYTES);
	AUTO_CLOSE int in = place_open_file(check->dir_fd, from, O_RDONLY);
	AUTO_CLOSE int out = -1;
	uint64_t offset_bytes = 0;

	if (in < 0 || !buffer)
		return in < 0 ? in : -ENOMEM;
	out = openat(check->temporary_fd, to,
		     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (out < 0)
		return check_failed(check, -errno, "%s", check->temporary);
	for (;;) {
		ssize_t n = io_read_full(in, buffer, COPY_BYTES, offset_bytes);
		int rc;

		if (n < 0)
			return check_failed(check, (int)n, "%s can't be read",
					    from);
		if (n == 0)
			return 0;
		rc = io_write_all(out, buffer, (size_t)n, offset_bytes);
		if (rc == -ENOSPC)
			check_hint(check, "TMPDIR names a place with room for "
					  "a copy of index.db");
		if (rc < 0)
			return check_failed(check, rc, "%s can't be written",
					    check->temporary);
		offset_bytes += (uint64_t)n;
		if (check->options->stop && *check->options->stop)
			return -EINTR;
	}
}

/* Not a failure of the run: -EUCLEAN tells that the file is no good. */
static int plain_errno(sqlite3 *connection, int code)
{
	int rc = sql_errno_of(connection, code);

	return rc > 0 ? 0 : rc;
}

static int exec(sqlite3 *connection, const char *sql)
{
	return plain_errno(connection,
			   sqlite3_exec(connection, sql, NULL, NULL, NULL));
}

static int open_copy(struct check *check)
{
	char path[PATH_MAX + 16];
	int rc;

	snprintf(path, sizeof(path), "%s/index.db", check->temporary);
	rc = connection_open(path, &check->work); /* I2 */
	if (rc == 0)
		rc = exec(check->work, connection_settings);
	/* What it is copied from is not touched, so no flush is needed. */
	if (rc == 0)
		rc = exec(check->work, "PRAGMA synchronous=OFF;"
				       "PRAGMA temp_store=FILE;");
	return rc;
}

int work_open(struct check *check, const char *name)
{
	int rc;

	work_close(check);
	remove_copies(check);
	rc = copy_file(check, name, "index.db");
	if (rc == 0 && strcmp(name, "index.db") == 0) {
		rc = copy_file(check, "index.db-wal", "index.db-wal");
		if (rc == -ENOENT || rc == -EUCLEAN)
			rc = 0;
	}
	if (rc == 0)
		rc = open_copy(check);
	if (rc == 0)
		rc = exec(check->work, "PRAGMA journal_mode=WAL;"
				       "PRAGMA wal_checkpoint(TRUNCATE);"
				       "BEGIN");
	if (rc < 0)
		work_close(check);
	return rc;
}

int work_create(struct check *check)
{
	struct failure failure = { 0 };
	int rc;

	work_close(check);
	remove_copies(check);
	rc = index_create(check->temporary, &failure);
	if (rc < 0)
		return check_failed(check, rc, "%s", failure.message);
	rc = open_copy(check);
	if (rc == 0)
		rc = exec(check->work, "BEGIN");
	if (rc < 0)
		return check_failed(check, rc, "the new index");
	return 0;
}

static int sql_failed(struct check *check, int code)
{
	int rc = plain_errno(check->work, code);

	if (rc < 0)
		check_failed(check, rc, "the copy of the index: %s",
			     sqlite3_errmsg(check->work));
	return rc;
}

int work_commit(struct check *check)
{
	return sql_failed(check, sqlite3_exec(check->work, "COMMIT; BEGIN",
					      NULL, NULL, NULL));
}

int work_finish(struct check *check)
{
	int rc = sql_failed(check,
			    sqlite3_exec(check->work,
					 "COMMIT;"
					 "PRAGMA wal_checkpoint(TRUNCATE)",
					 NULL, NULL, NULL));

	if (rc == 0 && sqlite3_close(check->work) != SQLITE_OK)
		rc = check_failed(check, -EBUSY, "the copy of the index");
	else if (rc == 0)
		check->work = NULL;
	return rc;
}

static int bind_all(sqlite3_stmt *statement, const char *format,
		    va_list arguments)
{
	int column = 1, code = SQLITE_OK;

	for (; *format && code == SQLITE_OK; format++, column++) {
		if (*format == 'i') {
			code = sqlite3_bind_int64(statement, column,
						  va_arg(arguments, int64_t));
		} else if (*format == 's') {
			code = sqlite3_bind_text(statement, column,
						 va_arg(arguments, char *), -1,
						 SQLITE_TRANSIENT);
		} else {
			const void *data = va_arg(arguments, void *);

			code = sqlite3_bind_blob64(statement, column,
						   data ? data : "",
						   va_arg(arguments, size_t),
						   SQLITE_TRANSIENT);
		}
	}
	return code;
}

static int prepare(struct check *check, sqlite3_stmt **out_statement,
		   const char *sql, const char *format, va_list arguments)
{
	int code =
		sqlite3_prepare_v2(check->work, sql, -1, out_statement, NULL);

	if (code == SQLITE_OK)
		code = bind_all(*out_statement, format, arguments);
	return sql_failed(check, code);
}

int work_query(struct check *check, sqlite3_stmt **out_statement,
	       const char *sql, const char *format, ...)
{
	va_list arguments;
	int rc;

	va_start(arguments, format);
	rc = prepare(check, out_statement, sql, format, arguments);
	va_end(arguments);
	return rc;
}

int work_step(struct check *check, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	return code == SQLITE_ROW ? 1 : sql_failed(check, code);
}

int work_again(struct check *check, sqlite3_stmt *statement, const char *format,
	       ...)
{
	va_list arguments;
	int code;

	sqlite3_reset(statement);
	va_start(arguments, format);
	code = bind_all(statement, format, arguments);
	va_end(arguments);
	return sql_failed(check, code);
}

static int run_list(struct check *check, bool tell, const char *sql,
		    const char *format, va_list arguments)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int rc = prepare(check, &statement, sql, format, arguments);

	if (rc == 0 && tell) {
		char *text = sqlite3_expanded_sql(statement);

		report_change(check, "%s", text ? text : sql);
		sqlite3_free(text);
	}
	while (rc == 0 && (rc = work_step(check, statement)) > 0)
		rc = 0;
	return rc;
}

int work_repair(struct check *check, const char *sql, const char *format, ...)
{
	va_list arguments;
	int rc;

	va_start(arguments, format);
	rc = run_list(check, true, sql, format, arguments);
	va_end(arguments);
	check->install = true;
	return rc;
}

int work_run(struct check *check, const char *sql, const char *format, ...)
{
	va_list arguments;
	int rc;

	va_start(arguments, format);
	rc = run_list(check, false, sql, format, arguments);
	va_end(arguments);
	return rc;
}

bool work_int(sqlite3_stmt *statement, int column, int64_t *out)
{
	bool good = sqlite3_column_type(statement, column) == SQLITE_INTEGER;

	*out = sqlite3_column_int64(statement, column);
	return good;
}

bool work_u32(sqlite3_stmt *statement, int column, uint32_t *out)
{
	int64_t value;
	bool good = work_int(statement, column, &value);

	*out = (uint32_t)value;
	return good && value >= 0 && value <= UINT32_MAX;
}

bool work_text(sqlite3_stmt *statement, int column, char *text,
	       size_t text_bytes)
{
	/* The type first: the other calls convert, and change it. */
	bool good = sqlite3_column_type(statement, column) == SQLITE_TEXT;
	const char *value =
		(const char *)sqlite3_column_text(statement, column);
	size_t len_bytes = (size_t)sqlite3_column_bytes(statement, column);

	good = good && value && len_bytes < text_bytes &&
	       !memchr(value, 0, len_bytes);
	snprintf(text, text_bytes, "%s", value ? value : "");
	return good;
}

const void *work_blob(sqlite3_stmt *statement, int column, size_t *out_bytes)
{
	const void *data;

	*out_bytes = 0;
	if (sqlite3_column_type(statement, column) != SQLITE_BLOB)
		return NULL;
	*out_bytes = (size_t)sqlite3_column_bytes(statement, column);
	data = sqlite3_column_blob(statement, column);
	return data ? data : "";
}

int work_meta(struct check *check, const char *key, int64_t *out)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int rc = work_query(check, &statement,
			    "SELECT value FROM meta WHERE key = ?", "s", key);

	if (rc == 0)
		rc = work_step(check, statement);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	return work_int(statement, 0, out) ? 0 : -ENOENT;
}

int work_meta_put(struct check *check, const char *key, int64_t value)
{
	return work_repair(check, "INSERT OR REPLACE INTO meta VALUES(?, ?)",
			   "si", key, value);
}
