/*
 * Pass 2: the index as a database, and what meta says of the store. When it
 * has passed, later passes find the tables there and the store's identity in
 * struct check; of rows nothing is believed yet.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"
#include "check.h"
#include "identity.h"
#include "index_impl.h"
#include "index_state.h"
#include "io.h"
#include "place.h"
#include "rebuild.h"

static int newer(struct check *check)
{
	check_failed(check, -EPROTONOSUPPORT,
		     "the store was written by a newer cowd");
	check_hint(check, "use a newer cowd-fsck; nothing was changed");
	return -EPROTONOSUPPORT;
}

/* Opens it as the working copy; -EUCLEAN or -ENOENT: it can't be used. */
static int open_copy(struct check *check, const char *name,
		     struct index_state *state)
{
	int rc;

	memset(state, 0, sizeof(*state));
	rc = work_open(check, name);
	if (rc == -EUCLEAN)
		snprintf(state->detail, sizeof(state->detail),
			 "it is no database, or no regular file");
	if (rc == -EIO) { /* what SQLite makes of some bytes */
		snprintf(state->detail, sizeof(state->detail),
			 "it can't be read");
		rc = -EUCLEAN;
	}
	if (rc == 0)
		rc = index_state_look(check->work, !check->options->quick,
				      state);
	if (rc == 0 && state->newer)
		return newer(check);
	return rc == 0 && state->damaged ? -EUCLEAN : rc;
}

static bool is_ours(const char *name, const char *sql)
{
	size_t i;

	for (i = 0; i < schema_object_count; i++)
		if (strcmp(name, schema_objects[i].name) == 0 &&
		    strcmp(sql, schema_objects[i].sql) == 0)
			return true;
	return false;
}

/* The next object that is not ours: an index of SQL, or anything else. 1:
 * sql drops it. */
static int find_foreign(struct check *check, bool index, char *sql,
			size_t sql_bytes)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	char type[16], name[1024], text[4096];
	int rc = work_query(check, &statement,
			    "SELECT type, name, ifnull(sql, '') FROM "
			    "sqlite_schema WHERE (type = 'index') = ? AND "
			    "name NOT LIKE 'sqlite_autoindex_%'",
			    "i", (int64_t)index);

	while (rc == 0 && (rc = work_step(check, statement)) > 0) {
		rc = 0;
		(void)!work_text(statement, 0, type, sizeof(type));
		(void)!work_text(statement, 1, name, sizeof(name));
		(void)!work_text(statement, 2, text, sizeof(text));
		if (is_ours(name, text))
			continue;
		sqlite3_snprintf((int)sql_bytes, sql, "DROP %s \"%w\"", type,
				 name);
		return 1;
	}
	return rc;
}

static int drop_foreign(struct check *check, bool index)
{
	char sql[2200];
	int rc;

	while ((rc = find_foreign(check, index, sql, sizeof(sql))) > 0) {
		rc = work_repair(check, sql, "");
		if (rc < 0)
			break;
	}
	return rc;
}

static int add_indexes(struct check *check)
{
	int rc = drop_foreign(check, true);
	size_t i;

	for (i = 0; rc == 0 && i < schema_object_count; i++) {
		AUTO_STATEMENT sqlite3_stmt *statement = NULL;

		rc = work_query(check, &statement,
				"SELECT 1 FROM sqlite_schema WHERE name = ?",
				"s", schema_objects[i].name);
		if (rc == 0)
			rc = work_step(check, statement);
		work_finalize(&statement);
		if (rc == 0)
			rc = work_repair(check, schema_objects[i].sql, "");
		else if (rc > 0)
			rc = 0;
	}
	return rc;
}

/* What can be mended in the database that is open. */
static int mend(struct check *check, const struct index_state *state)
{
	struct problem_where where = { .file = "index.db" };
	char sql[64];
	int rc = 0;

	if (state->extra && problem(check, PROBLEM_INDEX_EXTRA, &where, NULL))
		rc = drop_foreign(check, false);
	if (rc == 0 && state->lacks_index &&
	    problem(check, PROBLEM_INDEX_SCHEMA, &where, "%s", state->detail))
		rc = add_indexes(check);
	if (rc == 0 && state->disordered &&
	    problem(check, PROBLEM_INDEX_ORDER, &where, "%s", state->detail))
		rc = work_repair(check, "REINDEX", "");
	if (rc == 0 && state->unmarked &&
	    problem(check, PROBLEM_INDEX_VERSION, &where, NULL)) {
		snprintf(sql, sizeof(sql), "PRAGMA application_id=%d",
			 INDEX_APPLICATION_ID);
		rc = work_repair(check, sql, "");
		snprintf(sql, sizeof(sql), "PRAGMA user_version=%d",
			 FORMAT_VERSION);
		if (rc == 0)
			rc = work_repair(check, sql, "");
	}
	return rc;
}

/* Nor can index.bak. */
static int use_segments(struct check *check, const char *detail)
{
	struct problem_where where = { .file = "index.db" };

	work_close(check);
	if (!problem(check, PROBLEM_INDEX_SEGMENTS, &where, "%s", detail))
		return 0;
	check->install = true;
	check->replaced = true;
	return rebuild_from_segments(check);
}

/* index.db can't be used: index.bak and the log have the same. */
static int use_backup(struct check *check, enum problem_number number,
		      const char *detail)
{
	struct problem_where where = { .file = "index.db" };
	struct index_state state;
	int rc;

	if (!problem(check, number, &where, "%s", detail)) {
		work_close(check);
		return 0;
	}
	check->install = true;
	check->replaced = true;
	rc = open_copy(check, "index.bak", &state);
	if (rc == -EUCLEAN || rc == -ENOENT)
		return use_segments(check, rc == -ENOENT ?
						   "there is no index.bak" :
						   state.detail);
	return rc == 0 ? mend(check, &state) : rc;
}

/* Header bytes 18 and 19 say how the file is written (F-53). */
static int check_mode(struct check *check)
{
	AUTO_CLOSE int fd =
		place_open_file(check->dir_fd, "index.db", O_RDONLY);
	struct problem_where where = { .file = "index.db" };
	uint8_t header[20];

	if (fd < 0 || check->replaced ||
	    io_read_full(fd, header, sizeof(header), 0) != sizeof(header) ||
	    (header[18] == 2 && header[19] == 2))
		return 0;
	if (problem(check, PROBLEM_INDEX_MODE, &where, NULL))
		check->install = true; /* the working copy is */
	return 0;
}

static int take_index(struct check *check)
{
	struct index_state state;
	int rc;

	if (check->options->rebuild == FSCK_REBUILD_INDEX)
		return use_backup(check, PROBLEM_INDEX_REBUILD, "");
	if (check->options->rebuild == FSCK_REBUILD_SEGMENTS)
		return use_segments(check, "");
	rc = open_copy(check, "index.db", &state);
	if (rc == -ENOENT)
		return use_backup(check, PROBLEM_INDEX_MISSING, "");
	if (rc == -EUCLEAN)
		return use_backup(check, PROBLEM_INDEX_DAMAGED, state.detail);
	return rc == 0 ? mend(check, &state) : rc;
}

int pass2_index(struct check *check)
{
	int rc = take_index(check);

	if (rc == 0 && check->work)
		rc = identity_check(check);
	if (rc == -EUCLEAN && check->work && !check->replaced) {
		rc = use_backup(check, PROBLEM_INDEX_DAMAGED,
				"what it says of the store can't be");
		if (rc == 0 && check->work)
			rc = identity_check(check);
	}
	if (rc == -EUCLEAN)
		check_failed(check, rc, "index.bak is of another store");
	if (rc == 0 && check->work)
		rc = check_mode(check);
	if (rc == 0 && check->work && !check->options->quick)
		rc = backup_check(check);
	return rc;
}
