/*
 * Pass 3: history. First what can be told of a row by itself, then what rows
 * say of each other, so that later passes find a graph without holes or
 * cycles in check->past.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "history_format.h"
#include "pass3.h"

enum { FIRST_NEW_INODE_NR = 16 };

int pass3_take(struct check *check, const char *counter, int64_t least,
	       uint32_t *out)
{
	int64_t value = 0;
	int rc = work_meta(check, counter, &value);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT || value < least)
		value = least;
	if (value >= UINT32_MAX)
		return check_failed(check, -EOVERFLOW, "%s", counter);
	*out = (uint32_t)value;
	return work_meta_put(check, counter, value + 1);
}

static int check_holds(struct check *check)
{
	static const char sql[] =
		"SELECT snapshot, tag FROM holds WHERE snapshot NOT IN "
		"(SELECT id FROM snapshots) OR typeof(snapshot) <> 'integer' "
		"OR typeof(tag) <> 'text' OR typeof(created_ns) <> 'integer' "
		"OR length(CAST(tag AS BLOB)) NOT BETWEEN 1 AND 255 OR "
		"instr(CAST(tag AS BLOB), x'00') > 0 LIMIT 1";
	int rc = 0;

	for (;;) {
		AUTO_STATEMENT sqlite3_stmt *row = NULL;
		char tag[256];

		rc = work_query(check, &row, sql, "");
		if (rc == 0)
			rc = work_step(check, row);
		if (rc <= 0)
			return rc;
		(void)!work_text(row, 1, tag, sizeof(tag));
		work_finalize(&row);
		if (!problem(check, PROBLEM_HOLD, NULL, "%s", tag))
			return 0;
		rc = work_repair(check,
				 "DELETE FROM holds WHERE (snapshot, tag) IN "
				 "(SELECT snapshot, tag FROM holds WHERE "
				 "snapshot NOT IN (SELECT id FROM snapshots) "
				 "OR typeof(snapshot) <> 'integer' OR "
				 "typeof(tag) <> 'text' OR typeof(created_ns) "
				 "<> 'integer' OR length(CAST(tag AS BLOB)) "
				 "NOT BETWEEN 1 AND 255 OR instr(CAST(tag AS "
				 "BLOB), x'00') > 0 LIMIT 1)",
				 "");
		if (rc < 0)
			return rc;
	}
}

static bool operation_fits(sqlite3_stmt *row, struct history_record *history)
{
	struct record record = { 0 };
	int64_t id, lsn, undone;

	record.payload = work_blob(row, 3, &record.payload_bytes);
	return record.payload && work_int(row, 0, &id) && id > 0 &&
	       work_int(row, 1, &lsn) && work_int(row, 2, &undone) &&
	       (undone == 0 || undone == 1) &&
	       history_record_decode(&record, history) == 0;
}

static int check_operations(struct check *check)
{
	AUTO_FREE struct history_record *history = malloc(sizeof(*history));
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	int rc = !history ? -ENOMEM :
			    work_query(check, &rows,
				       "SELECT id, lsn, undone, record FROM "
				       "operations",
				       "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		int64_t id = sqlite3_column_int64(rows, 0);

		rc = 0;
		if (!operation_fits(rows, history) &&
		    problem(check, PROBLEM_OPERATION, NULL, "op-%" PRId64, id))
			rc = work_repair(check,
					 "DELETE FROM operations WHERE id = ?",
					 "i", id);
	}
	return rc;
}

static int raise_counter(struct check *check, const char *name, int64_t least)
{
	int64_t value = 0;
	int rc = work_meta(check, name, &value);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && value >= least)
		return 0;
	if (!problem(check, PROBLEM_COUNTER, NULL,
		     "%s is %" PRId64 ", not %" PRId64 " or more", name, value,
		     least))
		return 0;
	return work_meta_put(check, name, least);
}

/* sql: the greatest number that is in use. */
static int check_counter(struct check *check, const char *name, const char *sql)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int64_t used = 0;
	int rc = work_query(check, &statement, sql, "");

	if (rc == 0)
		rc = work_step(check, statement);
	if (rc < 0)
		return rc;
	if (rc == 0 || !work_int(statement, 0, &used) || used < 0)
		used = 0;
	work_finalize(&statement);
	return used >= UINT32_MAX ? 0 : raise_counter(check, name, used + 1);
}

/* The greatest number that a key begins with, of those made in the store. */
static int check_inodes(struct check *check)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int64_t used = FIRST_NEW_INODE_NR - 1, value = 0;
	const uint8_t *key;
	size_t bytes = 0, i;
	int rc = work_query(check, &statement,
			    "SELECT key FROM items WHERE "
			    "key < x'0000010000000000' ORDER BY key DESC "
			    "LIMIT 1",
			    "");

	if (rc == 0)
		rc = work_step(check, statement);
	if (rc < 0)
		return rc;
	key = rc > 0 ? work_blob(statement, 0, &bytes) : NULL;
	for (i = 0; key && bytes >= 8 && i < 8; i++)
		value = value << 8 | key[i];
	if (value > used)
		used = value;
	work_finalize(&statement);
	return raise_counter(check, "next_inode", used + 1);
}

int pass3_counters(struct check *check)
{
	static const struct {
		const char *name, *sql;
		bool slow;
	} counters[] = {
		{ "next_line", "SELECT max(id) FROM lines", false },
		{ "next_branch", "SELECT max(id) FROM branches", false },
		{ "next_snapshot", "SELECT max(id) FROM snapshots", false },
		{ "next_operation", "SELECT max(id) FROM operations", false },
		{ "next_gen",
		  "SELECT max(gen) FROM (SELECT max(gen) AS gen FROM branches "
		  "UNION ALL SELECT max(gen) FROM snapshots UNION ALL SELECT "
		  "max(max(first_gen), max(fork_gen)) FROM lines)",
		  false },
		{ "next_gen", "SELECT max(gen) FROM windows", true },
		{ "next_gen", "SELECT max(gen) FROM items", true },
	};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
		if (!counters[i].slow || !check->options->quick)
			rc = check_counter(check, counters[i].name,
					   counters[i].sql);
	return rc == 0 ? check_inodes(check) : rc;
}

int pass3_history(struct check *check)
{
	int rc = pass3_snapshots(check);

	if (rc == 0)
		rc = pass3_lines(check);
	if (rc == 0)
		rc = pass3_branches(check);
	if (rc == 0)
		rc = check_holds(check);
	if (rc == 0)
		rc = check_operations(check);
	if (rc == 0)
		rc = pass3_counters(check);
	return rc == 0 ? past_load(check, &check->past) : rc;
}
