/*
 * index.bak is looked at where it is, without lock or journal (immutable);
 * what it says is believed only as far as its columns have the right types.
 */
#include "witness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup.h"
#include "check.h"
#include "history_format.h"

static bool line_fits(const struct past_line *line)
{
	return line->id > 0 && line->parent < line->id &&
	       line->fork_gen < line->first_gen;
}

static int from_operations(struct check *check, uint32_t id,
			   struct past_line *out_line)
{
	AUTO_FREE struct history_record *history = malloc(sizeof(*history));
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int rc = work_query(check, &statement,
			    "SELECT record FROM operations ORDER BY id DESC "
			    "LIMIT 1000",
			    "");

	while (rc == 0 && history && (rc = work_step(check, statement)) > 0) {
		struct record record = { 0 };

		rc = 0;
		record.payload = work_blob(statement, 0, &record.payload_bytes);
		if (!record.payload ||
		    history_record_decode(&record, history) < 0 ||
		    (history->op != HISTORY_OP_ROLLBACK &&
		     history->op != HISTORY_OP_CLONE) ||
		    history->line != id)
			continue;
		*out_line = (struct past_line){
			.id = id,
			.parent = history->from_line,
			.fork_gen = history->from_gen,
			.first_gen = history->gen,
		};
		return line_fits(out_line);
	}
	return rc;
}

int witness_row(struct check *check, const char *table, int64_t id,
		sqlite3_stmt **out_statement)
{
	sqlite3 *backup = backup_connection(check);
	char sql[128];

	*out_statement = NULL;
	if (!backup)
		return 0;
	snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE rowid = ?", table);
	if (sqlite3_prepare_v2(backup, sql, -1, out_statement, NULL) !=
		    SQLITE_OK ||
	    sqlite3_bind_int64(*out_statement, 1, id) != SQLITE_OK)
		return 0;
	return sqlite3_step(*out_statement) == SQLITE_ROW;
}

int witness_line(struct check *check, uint32_t id, struct past_line *out_line)
{
	AUTO_STATEMENT sqlite3_stmt *row = NULL;
	int rc = from_operations(check, id, out_line);

	if (rc != 0 || witness_row(check, "lines", id, &row) <= 0)
		return rc;
	*out_line = (struct past_line){ .id = id };
	return work_u32(row, 1, &out_line->parent) &&
	       work_u32(row, 2, &out_line->fork_gen) &&
	       work_u32(row, 3, &out_line->first_gen) && line_fits(out_line);
}
