/*
 * cowd-fsck's own implementation of what records mean: the index is at the
 * log's end before the core sees it, so that what the model compares is what
 * that made of the log.
 */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "fsck.h"
#include "space_scan.h"

#define MUST(expression)                                               \
	do {                                                           \
		if (!(expression)) {                                   \
			fprintf(stderr, "%s: line %d: %s\n", __FILE__, \
				__LINE__, #expression);                \
			abort();                                       \
		}                                                      \
	} while (0)

static bool tell(void *context, enum apply_trouble trouble,
		 const struct record *record, uint32_t line, uint32_t gen,
		 uint64_t inode, uint64_t first_block)
{
	(void)context;
	fprintf(stderr,
		"replay: LSN %llu, type %d: trouble %d with line %u, gen %u, "
		"inode %llu, block %llu\n",
		(unsigned long long)record->lsn, record->type, trouble, line,
		gen, (unsigned long long)inode,
		(unsigned long long)first_block);
	return true;
}

static void apply_to(struct queries *queries, struct segment_reader *reader)
{
	const struct apply_events events = { .trouble = tell };
	struct block_map map = { 0 };
	struct apply_result result;
	struct log_position from;
	struct apply *apply;

	MUST(block_map_load(&map, queries) == 0);
	MUST(apply_new(queries, reader, &map, &apply) == 0);
	apply_set_events(apply, &events);
	MUST(apply_get_position(queries, &from) == 0);
	MUST(apply_log(apply, &from, &result) == 0);
	MUST(result.how != LOG_END_DAMAGED);
	MUST(result.troubles == 0);
	apply_free(apply);
	MUST(space_scan(&map, queries, reader->seed, NULL, NULL) == 0);
	space_settle(&map);
	MUST(block_map_save(&map, queries) == 0);
	MUST(query_run(queries, "UPDATE meta SET value = 0 WHERE key = 'clean'",
		       "") == 0);
	block_map_fini(&map);
}

static void get_seed(struct queries *queries, uint8_t *uuid, uint64_t *seed)
{
	sqlite3_stmt *row;

	MUST(query_begin(queries, &row,
			 "SELECT value FROM meta WHERE key = 'uuid'", "") == 1);
	memcpy(uuid, sqlite3_column_blob(row, 0), FORMAT_UUID_BYTES);
	query_end(row);
	MUST(query_begin(queries, &row,
			 "SELECT value FROM meta WHERE key = 'seed'", "") == 1);
	*seed = (uint64_t)sqlite3_column_int64(row, 0);
	query_end(row);
}

/* Whatever state the store was left in: there is nothing to repair; but the
 * items of one of the models mean nothing. */
static void check_store(const char *store_path)
{
	struct fsck_options options = { .path = store_path };
	struct fsck_result result;

	if (strncmp(program_invocation_short_name, "items", 5) == 0 ||
	    fsck_run(&options, &result) == 0)
		return;
	fprintf(stderr, "replay: %s %s\n", result.message, result.hint);
	options.out = stderr;
	options.verbose = true;
	(void)fsck_run(&options, &result);
	abort();
}

/* Now and then the index is lost, and its copy too. */
static bool rebuild_store(const char *store_path)
{
	static unsigned count;
	struct fsck_options options = {
		.path = store_path,
		.mode = FSCK_MODE_YES,
		.rebuild = FSCK_REBUILD_SEGMENTS,
	};
	struct fsck_result result;

	if (!getenv("REPLAY_REBUILDS") || ++count % 2)
		return false;
	if (getenv("REPLAY_TELLS"))
		options.out = stderr;
	if (fsck_run(&options, &result) != FSCK_EXIT_FIXED) {
		fprintf(stderr, "replay: %s %s\n", result.message, result.hint);
		abort();
	}
	check_store(store_path);
	return true;
}

void replay_before_open(const char *store_path)
{
	uint8_t uuid[FORMAT_UUID_BYTES];
	struct segment_reader reader;
	struct queries queries;
	char path[512];
	uint64_t seed;
	sqlite3 *db;
	int fd;

	check_store(store_path);
	if (rebuild_store(store_path))
		return;
	snprintf(path, sizeof(path), "%s/index.db", store_path);
	MUST(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) ==
	     SQLITE_OK);
	MUST(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN", NULL,
			  NULL, NULL) == SQLITE_OK);
	queries_init(&queries, db);
	get_seed(&queries, uuid, &seed);
	snprintf(path, sizeof(path), "%s/segments", store_path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0);
	segment_reader_init(&reader, fd, uuid, seed);
	apply_to(&queries, &reader);
	segment_reader_fini(&reader);
	close(fd);
	queries_fini(&queries);
	MUST(sqlite3_exec(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL,
			  NULL, NULL) == SQLITE_OK);
	MUST(sqlite3_close(db) == SQLITE_OK);
}
