/*
 * Lines: each is there, left a line with a smaller number, and is known if
 * rows are of it. So there is no cycle, and one loop finds any way to base.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pass3.h"
#include "witness.h"

static int put(struct check *check, const struct past_line *line)
{
	return work_repair(check,
			   "INSERT OR REPLACE INTO lines VALUES(?, ?, ?, ?)",
			   "iiii", (int64_t)line->id, (int64_t)line->parent,
			   (int64_t)line->fork_gen, (int64_t)line->first_gen);
}

/* The oldest generation that rows are of; 1: there is none. */
static int first_gen(struct check *check, uint32_t line, uint32_t *out)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int rc = work_query(check, &statement,
			    "SELECT min(gen) FROM (SELECT min(gen) AS gen FROM "
			    "windows WHERE line = ?1 UNION ALL "
			    "SELECT min(gen) FROM items WHERE line = ?1)",
			    "i", (int64_t)line);

	*out = 1;
	if (rc == 0)
		rc = work_step(check, statement);
	if (rc > 0 && (!work_u32(statement, 0, out) || *out == 0))
		*out = 1;
	return rc < 0 ? rc : 0;
}

static int line_exists(struct check *check, uint32_t id)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int rc = work_query(check, &statement,
			    "SELECT 1 FROM lines WHERE id = ?", "i",
			    (int64_t)id);

	return rc < 0 ? rc : work_step(check, statement);
}

/* *line becomes what was put; its id 0: nothing was. */
static int restore_one(struct check *check, uint32_t id, const char *why,
		       struct past_line *line)
{
	struct problem_where where = { .line = id };
	bool fix;
	int rc = witness_line(check, id, line);

	if (rc < 0)
		return rc;
	fix = problem(check, rc > 0 ? PROBLEM_LINE : PROBLEM_LINE_LOST, &where,
		      "%s", why);
	if (rc == 0) {
		*line = (struct past_line){ .id = id };
		rc = first_gen(check, id, &line->first_gen);
	}
	if (!fix)
		line->id = 0;
	return rc < 0 || !fix ? rc < 0 ? rc : 0 : put(check, line);
}

/* A line that is needed and not there, or whose row says nothing; and those
 * that it left, if they are not there either. */
static int restore(struct check *check, uint32_t id, const char *why)
{
	struct past_line line;
	int rc = 0;

	while (rc == 0 && id > 0) {
		rc = restore_one(check, id, why, &line);
		if (rc < 0 || !line.id || !line.parent)
			return rc;
		id = line.parent; /* smaller each time */
		why = "a line left it";
		rc = line_exists(check, id);
	}
	return rc < 0 ? rc : 0;
}

/* Rows whose columns can't be. Ids are of SQLite: integers, none twice. */
static int check_rows(struct check *check)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	int rc = work_query(check, &rows,
			    "SELECT id, parent, fork_gen, first_gen FROM lines "
			    "ORDER BY id",
			    "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		struct past_line line;

		rc = 0;
		if (!work_u32(rows, 0, &line.id) || line.id == 0) {
			if (problem(check, PROBLEM_LINE, NULL,
				    "its number is no number of a line"))
				rc = work_repair(
					check, "DELETE FROM lines WHERE id = ?",
					"i", sqlite3_column_int64(rows, 0));
			continue;
		}
		if (!work_u32(rows, 1, &line.parent) ||
		    !work_u32(rows, 2, &line.fork_gen) ||
		    !work_u32(rows, 3, &line.first_gen) ||
		    line.parent >= line.id || line.first_gen == 0 ||
		    line.fork_gen >= line.first_gen)
			rc = restore(check, line.id, "its row can't be");
	}
	return rc;
}

/* Lines that others name and that are not there. sql: their numbers. */
static int check_named(struct check *check, const char *sql, const char *who)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	int rc = work_query(check, &rows, sql, "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		uint32_t id;

		rc = 0;
		if (work_u32(rows, 0, &id) && id > 0)
			rc = restore(check, id, who);
	}
	return rc;
}

/* The next line that has rows, above `after`. 0: there is none. */
static int next_line_of_rows(struct check *check, const char *table,
			     uint32_t after, uint32_t *out)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	char sql[96];
	int rc;

	*out = 0;
	snprintf(sql, sizeof(sql), "SELECT min(line) FROM %s WHERE line > ?",
		 table);
	rc = work_query(check, &statement, sql, "i", (int64_t)after);
	if (rc == 0)
		rc = work_step(check, statement);
	if (rc > 0 && !work_u32(statement, 0, out))
		*out = 0;
	return rc < 0 ? rc : 0;
}

static int add_branch(struct check *check, uint32_t line)
{
	uint32_t branch, gen;
	char name[32];
	int rc = pass3_take(check, "next_branch", 1, &branch);

	if (rc == 0)
		rc = pass3_take(check, "next_gen", 1, &gen);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), "lost-%" PRIu32, line);
	return work_repair(check,
			   "INSERT INTO branches VALUES(?, ?, ?, ?, 0, 0, 0, "
			   "1, 0, 0, 0, 1)",
			   "isii", (int64_t)branch, name, (int64_t)line,
			   (int64_t)gen);
}

/* Nobody sees such rows, and they may be all that is left of a branch. */
static int check_unknown(struct check *check, const char *table)
{
	uint32_t line = 0;
	int rc;

	while ((rc = next_line_of_rows(check, table, line, &line)) == 0 &&
	       line) {
		struct problem_where where = { .line = line };
		struct past_line row = { .id = line };

		rc = line_exists(check, line);
		if (rc > 0)
			continue;
		if (rc < 0)
			return rc;
		if (!problem(check, PROBLEM_LINE_UNKNOWN, &where, NULL))
			continue;
		rc = witness_line(check, line, &row);
		if (rc == 0) {
			row = (struct past_line){ .id = line };
			rc = first_gen(check, line, &row.first_gen);
		}
		if (rc >= 0)
			rc = put(check, &row);
		if (rc == 0)
			rc = add_branch(check, line);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int pass3_lines(struct check *check)
{
	int rc = check_rows(check);

	if (rc == 0)
		rc = check_named(check,
				 "SELECT DISTINCT line FROM branches WHERE "
				 "line NOT IN (SELECT id FROM lines)",
				 "a branch is on it");
	if (rc == 0)
		rc = check_named(check,
				 "SELECT DISTINCT line FROM snapshots WHERE "
				 "line NOT IN (SELECT id FROM lines)",
				 "a snapshot is on it");
	if (rc == 0)
		rc = check_unknown(check, "windows");
	if (rc == 0)
		rc = check_unknown(check, "items");
	if (rc == 0)
		rc = check_named(check,
				 "SELECT DISTINCT parent FROM lines WHERE "
				 "parent > 0 AND parent NOT IN "
				 "(SELECT id FROM lines)",
				 "a line left it");
	return rc;
}
