/* The statements: they can be prepared, and seek instead of sorting. */
#include "index_world.h"

static void plan_of(struct world *world, enum statement statement, char *plan,
		    size_t plan_bytes)
{
	sqlite3_stmt *prepared;
	char sql[1024];

	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s",
		 sql_texts[statement]);
	assert_int_equal(sqlite3_prepare_v2(world->index->connection, sql, -1,
					    &prepared, NULL),
			 SQLITE_OK);
	plan[0] = '\0';
	while (sqlite3_step(prepared) == SQLITE_ROW) {
		size_t len = strlen(plan);

		snprintf(plan + len, plan_bytes - len, "%s\n",
			 (const char *)sqlite3_column_text(prepared, 3));
	}
	sqlite3_finalize(prepared);
}

static void test_look_ups_seek_and_never_sort(void **state)
{
	static const struct {
		enum statement statement;
		const char *seek;
	} wanted[] = {
		{ STATEMENT_WINDOW_FIND,
		  "windows_by_key (inode=? AND window=? AND (line,gen)<(?,?))" },
		{ STATEMENT_WINDOW_NEXT,
		  "windows_by_key (inode=? AND window=? AND line=? AND gen>?)" },
		{ STATEMENT_WINDOW_PREVIOUS,
		  "windows_by_key (inode=? AND window=? AND line=? AND gen<?)" },
		{ STATEMENT_WINDOW_SCAN,
		  "windows_by_key ((inode,window,line,gen)>(?,?,?,?))" },
		{ STATEMENT_WINDOWS_OF_GEN,
		  "windows_by_line (line=? AND gen=? AND rowid>?)" },
		{ STATEMENT_WINDOWS_OF_LINE,
		  "windows_by_line (line=? AND gen>? AND gen<?)" },
		{ STATEMENT_WINDOW_NUMBER,
		  "windows_by_key (inode=? AND window>?)" },
		{ STATEMENT_ITEM_FIND,
		  "items_by_key (key=? AND (line,gen)<(?,?))" },
		{ STATEMENT_ITEM_NEXT,
		  "items_by_key (key=? AND line=? AND gen>?)" },
		{ STATEMENT_ITEM_PREVIOUS,
		  "items_by_key (key=? AND line=? AND gen<?)" },
		{ STATEMENT_ITEM_DELETE,
		  "items_by_key (key=? AND line=? AND gen=?)" },
		{ STATEMENT_ITEM_RELABEL,
		  "items_by_key (key=? AND line=? AND gen=?)" },
		{ STATEMENT_ITEM_SCAN, "items_by_key (key>?)" },
		{ STATEMENT_ITEMS_OF_GEN,
		  "items_by_line (line=? AND gen=? AND rowid>?)" },
		{ STATEMENT_ITEMS_OF_LINE,
		  "items_by_line (line=? AND gen>? AND gen<?)" },
	};
	struct world *world = *state;
	char plan[1024];

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		plan_of(world, wanted[i].statement, plan, sizeof(plan));
		if (!strstr(plan, wanted[i].seek) || strstr(plan, "TEMP") ||
		    strstr(plan, "SCAN"))
			fail_msg("%s\n%s", sql_texts[wanted[i].statement],
				 plan);
	}
}

static void test_every_statement_can_be_prepared(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_stmt *prepared = NULL;

		assert_int_equal(sqlite3_prepare_v2(world->index->connection,
						    sql_texts[i], -1, &prepared,
						    NULL),
				 SQLITE_OK);
		sqlite3_finalize(prepared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_look_ups_seek_and_never_sort),
		WORLD_TEST(test_every_statement_can_be_prepared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
