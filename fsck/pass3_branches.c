/* Branches and snapshots: where they stand, what they are called, and that
 * no head writes where somebody looks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "pass3.h"

enum { STATE_LAST = 2, KIND_LAST = 2 };

/* Of a column that is no reference: its repair is a constant. */
struct column_rule {
	const char *column;
	const char *bad;    /* SQL: when it can't be */
	const char *repair; /* SQL: what it becomes */
};

static const struct column_rule branch_rules[] = {
	{ "state", "typeof(state) <> 'integer' OR state NOT IN (0, 1, 2)",
	  "0" },
	{ "parent_snapshot",
	  "typeof(parent_snapshot) <> 'integer' OR "
	  "parent_snapshot NOT BETWEEN 0 AND 4294967295",
	  "0" },
	{ "parent_branch",
	  "typeof(parent_branch) <> 'integer' OR "
	  "parent_branch NOT BETWEEN 0 AND 4294967295",
	  "0" },
	{ "created_ns", "typeof(created_ns) <> 'integer'", "1" },
	{ "deleted_ns", "typeof(deleted_ns) <> 'integer'", "0" },
	{ "refer_blocks",
	  "typeof(refer_blocks) <> 'integer' OR refer_blocks < 0", "0" },
	{ "written_blocks",
	  "typeof(written_blocks) <> 'integer' OR written_blocks < 0", "0" },
	{ "changed", "typeof(changed) <> 'integer' OR changed NOT IN (0, 1)",
	  "1" },
};

static const struct column_rule snapshot_rules[] = {
	{ "branch",
	  "typeof(branch) <> 'integer' OR branch NOT BETWEEN 0 AND 4294967295",
	  "0" },
	{ "state", "typeof(state) <> 'integer' OR state NOT IN (0, 1, 2)",
	  "0" },
	{ "kind", "typeof(kind) <> 'integer' OR kind NOT IN (0, 1, 2)", "0" },
	{ "created_ns", "typeof(created_ns) <> 'integer'", "1" },
	{ "deleted_ns", "typeof(deleted_ns) <> 'integer'", "0" },
	{ "size_bytes", "typeof(size_bytes) <> 'integer' OR size_bytes < 0",
	  "0" },
	{ "refer_blocks",
	  "typeof(refer_blocks) <> 'integer' OR refer_blocks < 0", "0" },
	{ "written_blocks",
	  "typeof(written_blocks) <> 'integer' OR written_blocks < 0", "0" },
	{ "note",
	  "typeof(note) <> 'text' OR length(CAST(note AS BLOB)) > 1024 OR "
	  "instr(CAST(note AS BLOB), x'00') > 0",
	  "''" },
};

static int check_columns(struct check *check, const char *table,
			 enum problem_number number,
			 const struct column_rule *rules, size_t count)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < count; i++) {
		const struct column_rule *rule = &rules[i];
		AUTO_STATEMENT sqlite3_stmt *rows = NULL;
		char sql[512];

		snprintf(sql, sizeof(sql), "SELECT id, name FROM %s WHERE %s",
			 table, rule->bad);
		rc = work_query(check, &rows, sql, "");
		while (rc == 0 && (rc = work_step(check, rows)) > 0) {
			struct problem_where where = { 0 };
			char name[256];

			rc = 0;
			(void)!work_text(rows, 1, name, sizeof(name));
			if (number == PROBLEM_BRANCH)
				where.branch = name;
			else
				where.snapshot = name;
			snprintf(sql, sizeof(sql),
				 "UPDATE %s SET %s = %s WHERE id = ?", table,
				 rule->column, rule->repair);
			if (problem(check, number, &where, "%s", rule->column))
				rc = work_repair(check, sql, "i",
						 sqlite3_column_int64(rows, 0));
		}
	}
	return rc;
}

bool pass3_name_fits(const char *name)
{
	const unsigned char *c = (const unsigned char *)name;

	if (!*c || *c == '-' || *c == '~' || strcmp(name, "latest") == 0 ||
	    strcmp(name, "base") == 0)
		return false;
	for (; *c; c++)
		if (*c < ' ' || *c == 127 || strchr("/@:,%", *c))
			return false;
	return true;
}

/* A name with the number in it that no other has. */
static int fresh_name(struct check *check, bool branch, int64_t id, char *name,
		      size_t name_bytes)
{
	int nr, rc = 1;

	for (nr = 1; rc > 0; nr++) {
		AUTO_STATEMENT sqlite3_stmt *statement = NULL;

		snprintf(name, name_bytes,
			 nr == 1 ? "renamed-%" PRId64 :
				   "renamed-%" PRId64 "-%d",
			 id, nr);
		rc = work_query(
			check, &statement,
			branch ? "SELECT 1 FROM branches WHERE name = ?" :
				 "SELECT 1 FROM snapshots WHERE name = ?",
			"s", name);
		if (rc == 0)
			rc = work_step(check, statement);
	}
	return rc;
}

static int rename_to(struct check *check, bool branch, const char *name,
		     int64_t id)
{
	struct problem_where where = { 0 };
	char fresh[64];
	int rc;

	if (branch)
		where.branch = name;
	else
		where.snapshot = name;
	if (!problem(check,
		     branch ? PROBLEM_BRANCH_NAME : PROBLEM_SNAPSHOT_NAME,
		     &where, NULL))
		return 0;
	rc = fresh_name(check, branch, id, fresh, sizeof(fresh));
	if (rc < 0)
		return rc;
	return work_repair(check,
			   branch ?
				   "UPDATE branches SET name = ? WHERE id = ?" :
				   "UPDATE snapshots SET name = ? WHERE id = ?",
			   "si", fresh, id);
}

/* Of live ones with one name the oldest keeps it. */
static int check_names(struct check *check, bool branch)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	char name[256], before[256] = "";
	int rc = work_query(check, &rows,
			    branch ? "SELECT id, name, state FROM branches "
				     "ORDER BY state <> 0, name, id" :
				     "SELECT id, name, state FROM snapshots "
				     "ORDER BY state <> 0, name, id",
			    "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		bool good = work_text(rows, 1, name, sizeof(name));
		bool live = sqlite3_column_int64(rows, 2) == 0;

		/* Work branches, which the next opening drops, have a dot. */
		good = good && pass3_name_fits(name) &&
		       (name[0] != '.' || branch);
		if (live && good && strcmp(name, before) == 0)
			good = false;
		rc = 0;
		if (!good)
			rc = rename_to(check, branch, name,
				       sqlite3_column_int64(rows, 0));
		else if (live)
			memcpy(before, name, sizeof(before));
	}
	return rc;
}

/* What does not tell where it stands. */
static const char lost_sql[] =
	"typeof(line) <> 'integer' OR line NOT BETWEEN 1 AND 4294967295 OR "
	"typeof(gen) <> 'integer' OR gen NOT BETWEEN 1 AND 4294967295 OR "
	"id NOT BETWEEN 1 AND 4294967295";

int pass3_snapshots(struct check *check)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	char sql[512], name[256];
	int rc;

	snprintf(sql, sizeof(sql), "SELECT id, name FROM snapshots WHERE %s",
		 lost_sql);
	rc = work_query(check, &rows, sql, "");
	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		struct problem_where where = { .snapshot = name };

		rc = 0;
		(void)!work_text(rows, 1, name, sizeof(name));
		if (problem(check, PROBLEM_SNAPSHOT_LOST, &where, NULL))
			rc = work_repair(check,
					 "DELETE FROM snapshots WHERE id = ?",
					 "i", sqlite3_column_int64(rows, 0));
	}
	if (rc == 0)
		rc = check_columns(
			check, "snapshots", PROBLEM_SNAPSHOT, snapshot_rules,
			sizeof(snapshot_rules) / sizeof(snapshot_rules[0]));
	return rc == 0 ? check_names(check, false) : rc;
}

static int newest_free_line(struct check *check, int64_t *out)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int rc = work_query(check, &statement,
			    "SELECT max(id) FROM lines WHERE id NOT IN "
			    "(SELECT line FROM branches WHERE "
			    "typeof(line) = 'integer')",
			    "");

	*out = 1;
	if (rc == 0)
		rc = work_step(check, statement);
	if (rc > 0 && (!work_int(statement, 0, out) || *out < 1))
		*out = 1;
	return rc < 0 ? rc : 0;
}

/* A number that can't be: the next one that is free. Snapshots of the branch
 * are of one that is gone then. */
static int renumber(struct check *check, int64_t id)
{
	uint32_t fresh = 0;
	int rc;

	if (id >= 1 && id <= UINT32_MAX)
		return 0;
	rc = pass3_take(check, "next_branch", 1, &fresh);
	return rc < 0 ? rc :
			work_repair(check,
				    "UPDATE branches SET id = ? WHERE id = ?",
				    "ii", (int64_t)fresh, id);
}

static int check_lost(struct check *check)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	char sql[512], name[256];
	int rc;

	snprintf(sql, sizeof(sql), "SELECT id, name FROM branches WHERE %s",
		 lost_sql);
	rc = work_query(check, &rows, sql, "");
	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		struct problem_where where = { .branch = name };
		uint32_t gen = 0;
		int64_t line = 0;

		rc = 0;
		(void)!work_text(rows, 1, name, sizeof(name));
		if (!problem(check, PROBLEM_BRANCH_LOST, &where, NULL))
			continue;
		rc = newest_free_line(check, &line);
		if (rc == 0)
			rc = pass3_take(check, "next_gen", 1, &gen);
		if (rc == 0)
			rc = work_repair(check,
					 "UPDATE branches SET line = ?, "
					 "gen = ? WHERE id = ?",
					 "iii", line, (int64_t)gen,
					 sqlite3_column_int64(rows, 0));
		if (rc == 0)
			rc = renumber(check, sqlite3_column_int64(rows, 0));
	}
	return rc;
}

static int new_generation(struct check *check, const struct past_branch *branch)
{
	uint32_t gen;
	int rc = pass3_take(check, "next_gen", 1, &gen);

	return rc < 0 ? rc :
			work_repair(check,
				    "UPDATE branches SET gen = ? WHERE id = ?",
				    "ii", (int64_t)gen, (int64_t)branch->id);
}

/* The first on the line keeps it; others go on beside it. */
static int new_line(struct check *check, const struct past_branch *branch)
{
	uint32_t line = 0, gen = 0;
	int rc = pass3_take(check, "next_line", (int64_t)branch->line + 1,
			    &line);

	if (rc == 0)
		rc = pass3_take(check, "next_gen", (int64_t)branch->gen + 1,
				&gen);
	if (rc == 0)
		rc = work_repair(check, "INSERT INTO lines VALUES(?, ?, ?, ?)",
				 "iiii", (int64_t)line, (int64_t)branch->line,
				 (int64_t)branch->gen, (int64_t)gen);
	return rc < 0 ? rc :
			work_repair(check,
				    "UPDATE branches SET line = ?, gen = ? "
				    "WHERE id = ?",
				    "iii", (int64_t)line, (int64_t)gen,
				    (int64_t)branch->id);
}

/* A line is the first branch's that is met on it. */
static int check_shared(struct check *check)
{
	const struct past *past = &check->past;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < past->branch_count; i++) {
		const struct past_branch *branch = &past->branches[i];
		struct past_line *line = past_find_line(past, branch->line);
		struct problem_where where = { .branch = branch->name };

		if (!line || branch->state == STATE_LAST ||
		    line->head == branch->id ||
		    !problem(check, PROBLEM_BRANCH_SHARED, &where, NULL))
			continue;
		rc = new_line(check, branch);
		if (branch->gen > line->last_point)
			line->last_point = branch->gen;
	}
	return rc;
}

static int check_heads(struct check *check)
{
	const struct past *past = &check->past;
	size_t i;
	int rc = check_shared(check);

	for (i = 0; rc == 0 && i < past->branch_count; i++) {
		const struct past_branch *branch = &past->branches[i];
		struct past_line *line = past_find_line(past, branch->line);
		struct problem_where where = { .branch = branch->name };

		if (!line || line->head != branch->id ||
		    branch->gen > line->last_point)
			continue;
		where.line = branch->line;
		where.gen = branch->gen;
		if (problem(check, PROBLEM_BRANCH_HEAD, &where, NULL))
			rc = new_generation(check, branch);
	}
	return rc;
}

static int check_any(struct check *check)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	uint32_t branch = 0, gen = 0;
	int64_t line = 0;
	int rc = work_query(check, &statement,
			    "SELECT 1 FROM branches WHERE state = 0 AND "
			    "name NOT LIKE '.%'",
			    "");

	if (rc == 0)
		rc = work_step(check, statement);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (!problem(check, PROBLEM_BRANCH_NONE, NULL, NULL))
		return 0;
	work_finalize(&statement);
	rc = newest_free_line(check, &line);
	if (rc == 0)
		rc = pass3_take(check, "next_branch", 1, &branch);
	if (rc == 0)
		rc = pass3_take(check, "next_gen", 1, &gen);
	return rc < 0 ? rc :
			work_repair(check,
				    "INSERT INTO branches VALUES(?, 'main', ?, "
				    "?, 0, 0, 0, 1, 0, 0, 0, 1)",
				    "iii", (int64_t)branch, line, (int64_t)gen);
}

int pass3_branches(struct check *check)
{
	int rc = check_lost(check);

	if (rc == 0)
		rc = check_columns(
			check, "branches", PROBLEM_BRANCH, branch_rules,
			sizeof(branch_rules) / sizeof(branch_rules[0]));
	if (rc == 0)
		rc = check_any(check);
	if (rc == 0)
		rc = check_names(check, true);
	if (rc == 0)
		rc = past_load(check, &check->past);
	return rc == 0 ? check_heads(check) : rc;
}
