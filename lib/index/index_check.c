/*
 * Is this an index of ours? The files, the header and the schema, before
 * anything else of the file is read.
 *
 * I1: what passes has exactly the schema of schema.sql: no trigger, view or
 *     virtual table of somebody else's ever runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index_impl.h"

/* Runs a statement of one row and one column; text may be NULL. */
static int query(sqlite3 *connection, const char *sql, int64_t *out_value,
		 char *text, size_t text_bytes)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
	int rc;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	rc = sql_errno_of(connection, code);
	if (rc == 0)
		rc = -ENOENT;
	if (rc > 0 && text) {
		const void *value = sqlite3_column_text(statement, 0);

		snprintf(text, text_bytes, "%s", value ? (char *)value : "");
	}
	if (rc > 0 && !text) {
		if (sqlite3_column_type(statement, 0) != SQLITE_INTEGER)
			rc = -EUCLEAN;
		else
			*out_value = sqlite3_column_int64(statement, 0);
	}
	sqlite3_finalize(statement);
	return rc > 0 ? 0 : rc;
}

static void hint_restore(const char *directory, struct failure *failure)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/index.bak", directory);
	if (access(path, F_OK) == 0) {
		failure_hint(failure,
			     "rm -f %s/index.db-wal; cp %s/index.bak "
			     "%s/index.db restores the last copy; the log "
			     "after it is replayed when the store is opened",
			     directory, directory, directory);
	} else {
		failure_hint(failure, "index.bak is missing too: restore the "
				      "store from a backup");
	}
}

/*
 * A regular file with one name, or -ENOENT. By fstatat: to open and close
 * a database of this process would drop the locks that it has on it.
 */
static int check_own(int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && st.st_nlink == 1 ? 0 : -EUCLEAN;
}

int index_check_files(const char *directory, struct failure *failure)
{
	static const char *const names[] = { "index.db", "index.db-wal",
					     "index.db-journal" };
	AUTO_CLOSE int dir_fd = connection_open_directory(directory);

	if (dir_fd < 0)
		return failure_errno(failure, dir_fd, directory,
				     "can't be opened");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int rc = check_own(dir_fd, names[i]);

		if (rc == -ENOENT && i > 0)
			continue;
		if (rc == -EUCLEAN) /* F-50 */
			return failure_set(failure, FAILURE_CORRUPT, directory,
					   "%s is not a regular file with a "
					   "single name",
					   names[i]);
		if (rc == -ENOENT) {
			rc = failure_set(failure, FAILURE_CORRUPT, directory,
					 "index.db is missing");
			hint_restore(directory, failure);
		} else if (rc < 0) {
			rc = failure_errno(failure, rc, directory,
					   "%s can't be read", names[i]);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int index_open_failure(const char *directory, sqlite3 *connection, int rc,
		       struct failure *failure)
{
	if (rc == -EBUSY)
		return failure_set(failure, FAILURE_BUSY, directory,
				   "index.db is in use by another process");
	if (rc != -EUCLEAN && rc != -ENOENT)
		return failure_errno(failure, rc, directory,
				     "index.db can't be opened");
	rc = failure_set(failure, FAILURE_CORRUPT, directory,
			 "index.db is damaged: %s",
			 connection ? sqlite3_errmsg(connection) : "unknown");
	hint_restore(directory, failure);
	return rc;
}

static int newer(const char *directory, const char *what, int64_t value,
		 struct failure *failure)
{
	int rc = failure_set(failure, FAILURE_UNSUPPORTED, directory,
			     "was written by a newer cowd (%s %lld)", what,
			     (unsigned long long)value);

	failure_hint(failure, "use a newer cowd");
	return rc;
}

static int corrupt(const char *directory, const char *what,
		   struct failure *failure)
{
	int rc = failure_set(failure, FAILURE_CORRUPT, directory, "%s", what);

	hint_restore(directory, failure);
	return rc;
}

int index_check_header(const char *directory, sqlite3 *connection,
		       struct failure *failure)
{
	int64_t id = 0, version = 0;
	char mode[16] = "";
	int rc = query(connection, "PRAGMA application_id", &id, NULL, 0);

	if (rc == 0)
		rc = query(connection, "PRAGMA user_version", &version, NULL,
			   0);
	if (rc == 0)
		rc = query(connection, "PRAGMA journal_mode", NULL, mode,
			   sizeof(mode));
	if (rc < 0)
		return index_open_failure(directory, connection, rc, failure);
	if (id != INDEX_APPLICATION_ID) /* F-51 */
		return corrupt(directory, "index.db is not an index of cowd",
			       failure);
	if (version > FORMAT_VERSION) /* F-52 */
		return newer(directory, "format", version, failure);
	if (version < FORMAT_VERSION)
		return corrupt(directory, "index.db has no valid version",
			       failure);
	if (strcmp(mode, "wal") != 0) /* F-53 */
		return corrupt(directory, "index.db is not in WAL mode",
			       failure);
	return 0;
}

static bool same_text(sqlite3_stmt *statement, int column, const char *text)
{
	const void *value = sqlite3_column_text(statement, column);
	size_t len_bytes = (size_t)sqlite3_column_bytes(statement, column);

	return value && len_bytes == strlen(text) &&
	       memcmp(value, text, len_bytes) == 0;
}

struct schema_found {
	bool meta; /* the table meta is ours */
	bool all;
};

/* Compares sqlite_schema, whatever the type, with what is expected. */
static int compare_schema(sqlite3 *connection, struct schema_found *out_found)
{
	sqlite3_stmt *statement = NULL;
	size_t matches = 0, rows = 0;
	int code = sqlite3_prepare_v2(connection,
				      "SELECT name, sql FROM sqlite_schema "
				      "ORDER BY name",
				      -1, &statement, NULL);
	int rc = sql_errno_of(connection, code);

	*out_found = (struct schema_found){ false, false };
	while (rc == 0 &&
	       (rc = sql_errno_of(connection, sqlite3_step(statement))) > 0) {
		for (size_t i = 0; i < schema_object_count; i++) {
			const struct schema_object *o = &schema_objects[i];

			if (!same_text(statement, 0, o->name) ||
			    !same_text(statement, 1, o->sql))
				continue;
			matches++;
			if (strcmp(o->name, "meta") == 0)
				out_found->meta = true;
		}
		rows++;
		rc = 0;
	}
	sqlite3_finalize(statement);
	out_found->all = matches == schema_object_count && rows == matches;
	return rc;
}

int index_check_schema(const char *directory, sqlite3 *connection,
		       struct failure *failure)
{
	struct schema_found found;
	int64_t features = 0;
	int rc = compare_schema(connection, &found);

	/* The feature bits may explain why the rest looks different. */
	if (rc == 0 && found.meta)
		rc = query(connection,
			   "SELECT value FROM meta WHERE "
			   "key = 'incompatible_features'",
			   &features, NULL, 0);
	if (rc == -ENOENT)
		return corrupt(directory, "the index has no feature bits",
			       failure);
	if (rc < 0)
		return index_open_failure(directory, connection, rc, failure);
	if (features != 0) /* F-55 */
		return newer(directory, "feature bits", features, failure);
	if (!found.all) /* F-54 */
		return corrupt(directory,
			       "the index has a schema that is not cowd's",
			       failure);
	return 0; /* I1 */
}
