/*
 * Free pages of the index go back to the host: the rows of deleted snapshots
 * are most of a busy store's index, and index.bak has the same pages.
 *
 * In small steps, each a part of the transaction that is open anyway: a crash
 * leaves the pages of the last commit, as with every other change.
 */
#include <stdio.h>

#include "index_impl.h"

enum {
	SPARE_PAGES = 32, /* these may be free, */
	SPARE_SHARE = 16, /* and one in so many */
	SLACK = 2,	  /* twice as many before it is worth a step */

	AUTO_VACUUM_INCREMENTAL = 2, /* as PRAGMA auto_vacuum says */
};

static int number(sqlite3 *connection, const char *sql, uint32_t *out_value)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*out_value = (uint32_t)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : sql_errno(connection, code);
}

static uint32_t spare_of(uint32_t pages)
{
	return SPARE_PAGES + pages / SPARE_SHARE;
}

/* How many to give back, of the free ones. */
static uint32_t excess(uint32_t pages, uint32_t free_pages)
{
	uint32_t spare = spare_of(pages);

	return free_pages < SLACK * spare ? 0 : free_pages - spare;
}

static int shrink_locked(struct index *index, uint32_t most_pages,
			 bool *out_more) REQUIRES(index->lock)
{
	uint32_t pages = 0, free_pages = 0, mode = 0, step;
	char sql[64];
	int rc;

	if (index->failed)
		return index->failed;
	rc = number(index->connection, "PRAGMA page_count", &pages);
	if (rc == 0)
		rc = number(index->connection, "PRAGMA freelist_count",
			    &free_pages);
	if (rc == 0)
		rc = number(index->connection, "PRAGMA auto_vacuum", &mode);
	step = excess(pages, free_pages);
	if (rc < 0 || mode != AUTO_VACUUM_INCREMENTAL || step == 0)
		return rc;
	if (step > most_pages)
		step = most_pages;
	*out_more = excess(pages - step, free_pages - step) > 0;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%u)", step);
	index->dirty = true;
	rc = sql_exec(index->connection, sql);
	if (rc < 0)
		index_look_after(index, rc);
	return rc;
}

int index_shrink(struct index *index, uint32_t most_pages, bool *out_more)
{
	int rc;

	*out_more = false;
	mutex_lock(&index->lock);
	rc = shrink_locked(index, most_pages, out_more);
	mutex_unlock(&index->lock);
	return rc;
}
