/* Looks at the header, the schema and the pages of a database. */
#include "index_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "index_impl.h"

enum { MESSAGES_MAX = 1000 };

/* The first column of the first row, as a number. -ENOENT. */
static int query(sqlite3 *connection, const char *sql, int64_t *out_value)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
	int rc;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	rc = sql_errno_of(connection, code);
	if (rc > 0)
		*out_value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc > 0 ? 0 : rc == 0 ? -ENOENT : rc;
}

static void damaged(struct index_state *state, sqlite3 *connection)
{
	if (!state->damaged)
		snprintf(state->detail, sizeof(state->detail), "%s",
			 sqlite3_errmsg(connection));
	state->damaged = true;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/*
 * What integrity_check says: of rows with odd columns the other passes tell;
 * of indexes, which can be made anew from their tables.
 */
static void take_message(struct index_state *state, const char *text)
{
	if (strcmp(text, "ok") == 0 || begins(text, "NULL value in ") ||
	    begins(text, "NUMERIC value in ") || begins(text, "TEXT value in "))
		return;
	if ((begins(text, "row ") && strstr(text, " missing from index ")) ||
	    begins(text, "wrong # of entries in index ")) {
		state->disordered = true;
	} else {
		state->damaged = true;
	}
	if (!state->detail[0])
		snprintf(state->detail, sizeof(state->detail), "%s", text);
}

static int check_pages(sqlite3 *connection, struct index_state *state)
{
	sqlite3_stmt *statement = NULL;
	char sql[64];
	int code, rc;

	snprintf(sql, sizeof(sql), "PRAGMA integrity_check(%d)", MESSAGES_MAX);
	code = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW) {
			const void *text = sqlite3_column_text(statement, 0);

			take_message(state, text ? text : "");
		}
	}
	rc = sql_errno_of(connection, code);
	sqlite3_finalize(statement);
	if (rc == -EUCLEAN) {
		damaged(state, connection);
		rc = 0;
	}
	return rc;
}

static int find_object(sqlite3_stmt *statement)
{
	const char *name = (const char *)sqlite3_column_text(statement, 0);
	const char *sql = (const char *)sqlite3_column_text(statement, 1);
	size_t i;

	for (i = 0; name && sql && i < schema_object_count; i++)
		if (strcmp(schema_objects[i].name, name) == 0 &&
		    strcmp(schema_objects[i].sql, sql) == 0)
			return (int)i;
	return -1;
}

/* Of SQL: it holds nothing of its own. */
static bool is_index(sqlite3_stmt *statement)
{
	const char *type = (const char *)sqlite3_column_text(statement, 2);

	return type && strcmp(type, "index") == 0;
}

/* F-54 */
static int check_schema(sqlite3 *connection, struct index_state *state)
{
	sqlite3_stmt *statement = NULL;
	uint32_t found = 0;
	size_t i;
	int code = sqlite3_prepare_v2(
		connection, "SELECT name, sql, type FROM sqlite_schema", -1,
		&statement, NULL);
	int rc = sql_errno_of(connection, code);

	while (rc == 0 &&
	       (rc = sql_errno_of(connection, sqlite3_step(statement))) > 0) {
		int nr = find_object(statement);

		if (nr >= 0)
			found |= UINT32_C(1) << nr;
		else if (is_index(statement))
			state->lacks_index = true;
		else
			state->extra = true;
		rc = 0;
	}
	sqlite3_finalize(statement);
	if (rc == -EUCLEAN || rc == -EIO) {
		damaged(state, connection);
		return 0;
	}
	if (state->lacks_index)
		snprintf(state->detail, sizeof(state->detail),
			 "one is not cowd's");
	for (i = 0; rc == 0 && i < schema_object_count; i++) {
		if (found & UINT32_C(1) << i)
			continue;
		if (begins(schema_objects[i].sql, "CREATE TABLE"))
			state->damaged = true;
		else
			state->lacks_index = true;
		if (!state->detail[0])
			snprintf(state->detail, sizeof(state->detail),
				 "%s is missing", schema_objects[i].name);
	}
	return rc;
}

static int check_marks(sqlite3 *connection, struct index_state *state)
{
	int64_t id = 0, version = 0, features = 0;
	int rc = query(connection, "PRAGMA application_id", &id);

	if (rc == 0)
		rc = query(connection, "PRAGMA user_version", &version);
	if (rc == -EUCLEAN || rc == -EIO) {
		damaged(state, connection);
		return 0;
	}
	if (rc < 0)
		return rc;
	/* F-51, F-52 */
	state->newer = version > FORMAT_VERSION;
	state->unmarked = id != INDEX_APPLICATION_ID ||
			  version < FORMAT_VERSION;
	/* F-55; without the table the schema is looked at next. */
	if (query(connection,
		  "SELECT value FROM meta WHERE key = 'incompatible_features'",
		  &features) == 0)
		state->newer |= features != 0;
	return 0;
}

int index_state_look(sqlite3 *connection, bool thorough,
		     struct index_state *out_state)
{
	int rc;

	*out_state = (struct index_state){ 0 };
	rc = check_marks(connection, out_state);
	if (rc == 0 && !out_state->newer && !out_state->damaged)
		rc = check_schema(connection, out_state);
	if (rc == 0 && thorough && !out_state->newer && !out_state->damaged)
		rc = check_pages(connection, out_state);
	return rc;
}
