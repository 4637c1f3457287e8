/*
 * The index as a file: create, open, commit, back up.
 *
 * I1: what index_open accepts has exactly the schema of schema.sql: no
 *     trigger, view or virtual table of somebody else's ever runs.
 * I2: once a transaction was lost, nothing more is written (index->failed).
 * I3: index.db-shm never exists; one connection holds the file's lock.
 *
 * A crash at any instant leaves the state of the last index_commit: in
 * index.db, or in index.db and index.db-wal, from which SQLite recovers.
 * index.bak is always whole: it is replaced by rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "index_impl.h"
#include "io.h"
#include "logging.h"

enum {
	APPLICATION_ID = 0x434f5744, /* "COWD" */
	VALUE_BYTES_MAX = 16 << 20,
	PATH_BYTES_MAX = 500, /* SQLite's own limit is 512, with "-wal" */
};

/* What each connection is told before it touches the file. */
static const char *const settings = "PRAGMA locking_mode=EXCLUSIVE;"
				    "PRAGMA trusted_schema=OFF;"
				    "PRAGMA temp_store=MEMORY;"
				    "PRAGMA mmap_size=0;"
				    "PRAGMA cell_size_check=ON;"
				    "PRAGMA cache_size=-8192;"
				    "PRAGMA cache_spill=ON;"
				    "PRAGMA synchronous=FULL;"
				    "PRAGMA wal_autocheckpoint=0;";

static int path_of(const char *directory, const char *name, char *path,
		   struct failure *failure)
{
	AUTO_FREE char *resolved = realpath(directory, NULL);

	if (!resolved)
		return failure_errno(failure, -errno, directory,
				     "can't be opened");
	/* SQLITE_OPEN_NOFOLLOW refuses symlinks anywhere in the path. */
	if (snprintf(path, PATH_BYTES_MAX, "%s/%s", resolved, name) >=
	    PATH_BYTES_MAX)
		return failure_set(failure, FAILURE_UNSUPPORTED, directory,
				   "the path is too long for SQLite "
				   "(%d bytes)",
				   PATH_BYTES_MAX);
	return 0;
}

static void harden(sqlite3 *connection)
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

/* *out_connection is to be closed even after a failure. */
static int connect_to(const char *path, sqlite3 **out_connection)
{
	int code = sqlite3_open_v2(path, out_connection,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
					   SQLITE_OPEN_NOFOLLOW |
					   SQLITE_OPEN_EXRESCODE,
				   NULL);

	if (code != SQLITE_OK)
		return sql_errno(*out_connection, code);
	harden(*out_connection);
	return 0;
}

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

static int sync_path(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* A new, empty file of ours. */
static int make_empty(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = openat(
		dir_fd, name,
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

static int open_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

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
		 APPLICATION_ID, FORMAT_VERSION);
	rc = sql_exec(connection, "PRAGMA page_size=8192;"
				  "PRAGMA auto_vacuum=NONE;");
	if (rc == 0)
		rc = sql_exec(connection, settings);
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
	AUTO_CLOSE int dir_fd = open_directory(directory);
	sqlite3 *connection = NULL;
	char path[PATH_BYTES_MAX];
	int rc;

	if (dir_fd < 0)
		return failure_errno(failure, dir_fd, directory,
				     "can't be opened");
	rc = path_of(directory, "index.db", path, failure);
	if (rc < 0)
		return rc;
	rc = make_empty(dir_fd, "index.db");
	if (rc < 0)
		return failure_errno(failure, rc, path, "can't be made");
	rc = connect_to(path, &connection);
	if (rc == 0)
		rc = fill_new(connection);
	sqlite3_close(connection);
	if (rc == 0)
		rc = sync_path(dir_fd, "index.db");
	if (rc == 0 && fsync(dir_fd) < 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	unlinkat(dir_fd, "index.db", 0);
	unlinkat(dir_fd, "index.db-wal", 0);
	return failure_errno(failure, rc, path, "can't be made");
}

static void hint_restore(const char *directory, struct failure *failure)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/index.bak", directory);
	if (access(path, F_OK) == 0)
		failure_hint(failure,
			     "rm -f %s/index.db-wal; cp %s/index.bak "
			     "%s/index.db restores the last copy; the log "
			     "after it is replayed when the store is opened",
			     directory, directory, directory);
	else
		failure_hint(failure, "index.bak is missing too: restore the "
				      "store from a backup");
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

static int check_files(const char *directory, struct failure *failure)
{
	static const char *const names[] = { "index.db", "index.db-wal",
					     "index.db-journal" };
	AUTO_CLOSE int dir_fd = open_directory(directory);

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

/* What SQLite said about the file, as the user should hear it. */
static int open_failure(const char *directory, sqlite3 *connection, int rc,
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

static int check_header(const char *directory, sqlite3 *connection,
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
		return open_failure(directory, connection, rc, failure);
	if (id != APPLICATION_ID) /* F-51 */
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

static int check_schema(const char *directory, sqlite3 *connection,
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
		return open_failure(directory, connection, rc, failure);
	if (features != 0) /* F-55 */
		return newer(directory, "feature bits", features, failure);
	if (!found.all) /* F-54 */
		return corrupt(directory,
			       "the index has a schema that is not cowd's",
			       failure);
	return 0; /* I1 */
}

static int open_checked(const char *directory, struct index *index,
			struct failure *failure)
{
	char path[PATH_BYTES_MAX];
	int rc = path_of(directory, "index.db", path, failure);

	if (rc < 0)
		return rc;
	rc = connect_to(path, &index->connection);
	if (rc == 0) /* I3: EXCLUSIVE comes before the first access */
		rc = sql_errno_of(index->connection,
				  sqlite3_exec(index->connection, settings,
					       NULL, NULL, NULL));
	if (rc < 0)
		return open_failure(directory, index->connection, rc, failure);
	rc = check_header(directory, index->connection, failure);
	if (rc == 0)
		rc = check_schema(directory, index->connection, failure);
	if (rc < 0)
		return rc;
	rc = sql_exec(index->connection, "BEGIN");
	if (rc < 0)
		return open_failure(directory, index->connection, rc, failure);
	return 0;
}

int index_open(const char *directory, struct index **out_index,
	       struct failure *failure)
{
	struct index *index;
	int rc = check_files(directory, failure);

	if (rc < 0)
		return rc;
	index = calloc(1, sizeof(*index));
	if (!index)
		return failure_errno(failure, -ENOMEM, directory,
				     "index.db can't be opened");
	mutex_init(&index->lock);
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
	if (index->connection && index->failed)
		sqlite3_db_config(index->connection,
				  SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* An open transaction is rolled back. */
	if (sqlite3_close(index->connection) != SQLITE_OK)
		log_message(LOG_LEVEL_ERROR, "index: can't be closed: %s",
			    sqlite3_errmsg(index->connection));
	mutex_fini(&index->lock);
	free(index);
}

static int commit_locked(struct index *index) REQUIRES(index->lock)
{
	int rc, moved;

	if (index->failed)
		return index->failed;
	rc = sql_exec(index->connection, "COMMIT");
	if (rc < 0) {
		index->failed = rc; /* I2 */
		return rc;
	}
	moved = sql_errno(index->connection,
			  sqlite3_wal_checkpoint_v2(index->connection, NULL,
						    SQLITE_CHECKPOINT_TRUNCATE,
						    NULL, NULL));
	rc = sql_exec(index->connection, "BEGIN");
	/* With a full disk all is still in the WAL, to be moved later. */
	if (rc < 0 || (moved < 0 && moved != -ENOSPC))
		index->failed = rc < 0 ? rc : moved;
	return moved < 0 ? moved : rc;
}

int index_commit(struct index *index)
{
	int rc;

	mutex_lock(&index->lock);
	rc = commit_locked(index);
	mutex_unlock(&index->lock);
	return rc;
}

/* Into an empty file, which needs no journal: it is not index.bak yet. */
static int copy_to(sqlite3 *from, const char *path)
{
	sqlite3 *to = NULL;
	sqlite3_backup *backup;
	int rc = connect_to(path, &to);

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
	int rc;

	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	rc = make_empty(dir_fd, name);
	if (rc == 0)
		rc = copy_to(from, path);
	if (rc == 0)
		rc = sync_path(dir_fd, name);
	if (rc == 0 && renameat(dir_fd, name, dir_fd, "index.bak") < 0)
		rc = -errno;
	if (rc == 0 && fsync(dir_fd) < 0)
		return -errno;
	if (rc < 0)
		unlinkat(dir_fd, name, 0);
	return rc;
}

static int backup_locked(struct index *index, int dir_fd, const char *path)
	REQUIRES(index->lock)
{
	int rc, begun;

	if (index->failed)
		return index->failed;
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
		index->failed = begun; /* I2 */
	return rc < 0 ? rc : begun;
}

int index_backup(struct index *index, const char *directory)
{
	AUTO_CLOSE int dir_fd = open_directory(directory);
	char path[PATH_BYTES_MAX];
	int rc;

	if (dir_fd < 0)
		return dir_fd;
	rc = path_of(directory, "index.bak.tmp", path, NULL);
	if (rc < 0)
		return rc;
	mutex_lock(&index->lock);
	rc = backup_locked(index, dir_fd, path);
	mutex_unlock(&index->lock);
	return rc;
}
