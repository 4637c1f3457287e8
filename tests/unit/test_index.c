/*
 * The index on a real file system. The leapfrog is compared with brute
 * force over random trees of lines; files that are not what cowd makes are
 * refused. argv[1] or SCHEMA_SQL: where schema.sql is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "index_impl.h"

#ifndef SCHEMA_SQL
#define SCHEMA_SQL "lib/index/schema.sql"
#endif

static const char *schema_path = SCHEMA_SQL;

struct world {
	char directory[64];
	struct index *index;
};

static void path_in(const struct world *world, const char *name, char *path)
{
	snprintf(path, PATH_MAX, "%s/%s", world->directory, name);
}

static void open_world(struct world *world)
{
	struct failure failure = { 0 };

	if (index_open(world->directory, &world->index, &failure) < 0)
		fail_msg("open: %s", failure.message);
}

static void close_world(struct world *world)
{
	index_close(world->index);
	world->index = NULL;
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	snprintf(world->directory, sizeof(world->directory), "%s",
		 "/tmp/test_index.XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	assert_int_equal(index_create(world->directory, NULL), 0);
	open_world(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	close_world(world);
	directory = opendir(world->directory);
	while (directory && (entry = readdir(directory))) {
		path_in(world, entry->d_name, path);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (directory)
		closedir(directory);
	rmdir(world->directory);
	free(world);
	return 0;
}

/* Changes the file as another program could; closes the index first. */
static void tamper(struct world *world, const char *sql)
{
	char path[PATH_MAX];
	sqlite3 *connection;
	char *message = NULL;

	close_world(world);
	path_in(world, "index.db", path);
	assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
	sqlite3_exec(connection, sql, NULL, NULL, &message);
	if (message)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(connection);
}

static void assert_refused(struct world *world, enum failure_code code,
			   const char *message, const char *hint)
{
	struct failure failure = { 0 };

	assert_true(index_open(world->directory, &world->index, &failure) < 0);
	assert_null(world->index);
	assert_int_equal(failure.code, code);
	if (!strstr(failure.message, message))
		fail_msg("message: %s", failure.message);
	if (hint && !strstr(failure.hint, hint))
		fail_msg("hint: %s", failure.hint);
}

static bool exists(const struct world *world, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	path_in(world, name, path);
	return lstat(path, &st) == 0;
}

static void test_the_schema_is_that_of_schema_sql(void **state)
{
	size_t lines = 0, found = 0;
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(schema_path, "re");

	(void)state;
	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, ";\n")] = '\0';
		if (!*line)
			continue;
		lines++;
		for (size_t i = 0; i < schema_object_count; i++)
			found += strcmp(line, schema_objects[i].sql) == 0;
	}
	fclose(file);
	assert_int_equal(lines, schema_object_count);
	assert_int_equal(found, lines);
}

static void test_a_new_index_is_private_and_has_no_shm(void **state)
{
	struct world *world = *state;
	struct stat st;
	char path[PATH_MAX];
	int64_t value = -1;

	path_in(world, "index.db", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(index_meta_put(world->index, "a", 1), 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_false(exists(world, "index.db-shm"));
	assert_int_equal(index_meta_get(world->index, "incompatible_features",
					&value),
			 0);
	assert_int_equal(value, 0);
	assert_int_equal(index_create(world->directory, NULL), -EEXIST);
}

static void test_what_was_not_committed_is_forgotten(void **state)
{
	struct world *world = *state;
	int64_t value = 0;
	char blob[3];

	assert_int_equal(index_meta_put(world->index, "kept", INT64_MIN), 0);
	assert_int_equal(index_meta_put_blob(world->index, "blob", "abc", 3),
			 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(index_meta_put(world->index, "kept", 2), 0);
	assert_int_equal(index_meta_put(world->index, "lost", 3), 0);
	close_world(world);
	open_world(world);
	assert_int_equal(index_meta_get(world->index, "kept", &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(index_meta_get(world->index, "lost", &value), -ENOENT);
	assert_int_equal(index_meta_get_blob(world->index, "blob", blob, 3), 0);
	assert_memory_equal(blob, "abc", 3);
	assert_int_equal(index_meta_get_blob(world->index, "blob", blob, 2),
			 -EUCLEAN);
	assert_int_equal(index_meta_get(world->index, "blob", &value),
			 -EUCLEAN);
}

static void test_a_foreign_schema_is_refused(void **state)
{
	static const char *const changes[][2] = {
		{ "CREATE TRIGGER t AFTER INSERT ON meta BEGIN " /* F-54 */
		  "DELETE FROM windows; END",
		  "DROP TRIGGER t" },
		{ "CREATE VIEW v AS SELECT * FROM meta", "DROP VIEW v" },
		{ "CREATE TABLE other(a)", "DROP TABLE other" },
		{ "CREATE INDEX other ON lines(parent)", "DROP INDEX other" },
		{ "ALTER TABLE lines RENAME COLUMN parent TO p",
		  "ALTER TABLE lines RENAME COLUMN p TO parent" },
		{ "DROP INDEX windows_by_line",
		  "CREATE INDEX windows_by_line ON windows(line, gen)" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		tamper(world, changes[i][0]);
		assert_refused(world, FAILURE_CORRUPT,
			       "the index has a schema that is not cowd's",
			       NULL);
		tamper(world, changes[i][1]);
		open_world(world);
	}
}

static void test_a_newer_index_is_refused(void **state)
{
	struct world *world = *state;

	tamper(world, "PRAGMA user_version=2"); /* F-52 */
	assert_refused(world, FAILURE_UNSUPPORTED, "newer cowd (format 2)",
		       "newer cowd");
	tamper(world, "PRAGMA user_version=1; CREATE TABLE later(a); "
		      "UPDATE meta SET value=4 "
		      "WHERE key='incompatible_features'"); /* F-55 */
	assert_refused(world, FAILURE_UNSUPPORTED, "newer cowd", NULL);
	tamper(world, "DROP TABLE later; UPDATE meta SET value=0 WHERE "
		      "key='incompatible_features'; UPDATE meta SET value=8 "
		      "WHERE key='compatible_features'");
	open_world(world);
}

static void test_other_files_are_refused(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], other[PATH_MAX];
	int fd;

	tamper(world, "PRAGMA application_id=7"); /* F-51 */
	assert_refused(world, FAILURE_CORRUPT, "not an index of cowd", NULL);
	tamper(world, "PRAGMA application_id=1129273156");
	tamper(world, "PRAGMA journal_mode=DELETE"); /* F-53 */
	assert_refused(world, FAILURE_CORRUPT, "WAL", NULL);
	tamper(world, "PRAGMA journal_mode=WAL");

	path_in(world, "index.db", path);
	path_in(world, "other", other);
	assert_int_equal(link(path, other), 0); /* F-50 */
	assert_refused(world, FAILURE_CORRUPT, "not a regular file", NULL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_refused(world, FAILURE_CORRUPT, "not a regular file", NULL);
	assert_int_equal(rename(other, path), 0);
	path_in(world, "index.db-wal", other);
	assert_int_equal(symlink("/dev/null", other), 0);
	assert_refused(world, FAILURE_CORRUPT, "not a regular file", NULL);
	assert_int_equal(unlink(other), 0);
	open_world(world);
	close_world(world);

	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "not SQLite", 10, 0), 10);
	close(fd);
	assert_refused(world, FAILURE_CORRUPT, "damaged", "index.bak");
	assert_int_equal(truncate(path, 0), 0);
	assert_refused(world, FAILURE_CORRUPT, "not an index of cowd", NULL);
}

static void test_a_second_opener_is_told_that_it_is_busy(void **state)
{
	struct world *world = *state;
	struct failure failure = { 0 };
	struct index *second = NULL;

	assert_int_equal(index_open(world->directory, &second, &failure),
			 -EBUSY);
	assert_int_equal(failure.code, FAILURE_BUSY);
	assert_null(second);
}

static void test_a_missing_index_comes_back_from_the_copy(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], copy[PATH_MAX];
	int64_t value = 0;

	assert_int_equal(index_meta_put(world->index, "a", 1), 0);
	/* Waiting rows are not to be committed by a backup. */
	assert_int_equal(index_backup(world->index, world->directory), -EBUSY);
	assert_false(exists(world, "index.bak"));
	assert_int_equal(index_commit(world->index), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(index_backup(world->index, world->directory),
				 0);
	assert_false(exists(world, "index.bak.tmp"));
	assert_false(exists(world, "index.bak.tmp-wal"));
	assert_int_equal(index_meta_put(world->index, "a", 2), 0);
	assert_int_equal(index_commit(world->index), 0);
	close_world(world);

	path_in(world, "index.db", path);
	path_in(world, "index.bak", copy);
	assert_int_equal(unlink(path), 0);
	assert_refused(world, FAILURE_CORRUPT, "index.db is missing",
		       "restores the last copy");
	assert_int_equal(rename(copy, path), 0);
	open_world(world);
	assert_int_equal(index_meta_get(world->index, "a", &value), 0);
	assert_int_equal(value, 1);
	close_world(world);
	assert_int_equal(unlink(path), 0);
	assert_refused(world, FAILURE_CORRUPT, "index.db is missing",
		       "from a backup");
}

/* A random tree of lines; a child forks at some generation of its parent
 * and begins after it. Generations count over the whole store. */
enum { LINES = 12, GENS = 40, WINDOWS = 3 };

struct tree {
	uint32_t parent[LINES + 1], fork[LINES + 1], first[LINES + 1];
	bool row[WINDOWS][LINES + 1][GENS];
};

static void grow(struct tree *tree, struct index *index, unsigned *seed)
{
	memset(tree, 0, sizeof(*tree));
	for (uint32_t line = 1; line <= LINES; line++) {
		uint32_t parent = line == 1 ? 0 : (uint32_t)rand_r(seed) % line;
		uint32_t fork = (uint32_t)rand_r(seed) % GENS;

		tree->parent[line] = parent;
		tree->fork[line] = fork;
		for (uint32_t gen = 0; gen < GENS; gen++) {
			for (uint32_t w = 0; w < WINDOWS; w++) {
				struct window_key key = { 7, w, line, gen };
				uint8_t row[4] = { (uint8_t)w, (uint8_t)line,
						   (uint8_t)gen, 1 };
				struct inode_row inode = {
					.inode = w + 1,
					.line = line,
					.gen = gen,
					.size_bytes = line * 1000 + gen,
				};

				/* Sparse, dense and empty lines. */
				if (rand_r(seed) % (int)(1 + line * 3) != 0)
					continue;
				tree->row[w][line][gen] = true;
				assert_int_equal(index_window_put(index, &key,
								  row, 4),
						 0);
				assert_int_equal(index_inode_put(index, &inode),
						 0);
			}
		}
	}
}

static struct line_path *path_to(const struct tree *tree, uint32_t line,
				 uint32_t gen)
{
	struct line_path *path =
		calloc(1, sizeof(*path) + (LINES + 1) * sizeof(path->level[0]));
	uint32_t at, count = 0;

	assert_non_null(path);
	for (at = line; at; at = tree->parent[at])
		count++;
	path->count = count;
	for (at = line; at; gen = tree->fork[at], at = tree->parent[at])
		path->level[--count] = (struct line_limit){ at, gen };
	return path;
}

static bool brute(const struct tree *tree, const struct line_path *path,
		  uint32_t w, uint32_t *line, uint32_t *gen)
{
	for (uint32_t i = path->count; i-- > 0;) {
		*line = path->level[i].line;
		for (*gen = path->level[i].gen + 1; (*gen)-- > 0;)
			if (tree->row[w][*line][*gen])
				return true;
	}
	return false;
}

static void compare(struct index *index, const struct tree *tree, uint32_t line,
		    uint32_t gen, uint32_t w)
{
	AUTO_FREE struct line_path *path = path_to(tree, line, gen);
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	uint32_t want_line, want_gen;
	struct inode_row inode;
	struct window_key key;
	size_t row_bytes = 0;
	bool found = brute(tree, path, w, &want_line, &want_gen);
	int rc = index_window_find(index, path, 7, w, &key, row, &row_bytes);

	assert_int_equal(rc, found ? 0 : -ENOENT);
	assert_int_equal(index_inode_find(index, path, w + 1, &inode), rc);
	if (!found)
		return;
	assert_int_equal(key.line, want_line);
	assert_int_equal(key.gen, want_gen);
	assert_int_equal(row_bytes, 4);
	assert_int_equal(row[0], w);
	assert_int_equal(row[1], want_line);
	assert_int_equal(row[2], want_gen);
	assert_int_equal(inode.line, want_line);
	assert_int_equal(inode.gen, want_gen);
	assert_int_equal(inode.size_bytes, want_line * 1000 + want_gen);
}

static void test_the_leapfrog_finds_what_brute_force_finds(void **state)
{
	struct world *world = *state;
	static struct tree tree;

	for (unsigned round = 0; round < 12; round++) {
		unsigned seed = round;

		grow(&tree, world->index, &seed);
		for (uint32_t line = 1; line <= LINES; line++)
			for (uint32_t gen = 0; gen < GENS; gen += 3)
				for (uint32_t w = 0; w < WINDOWS; w++)
					compare(world->index, &tree, line, gen,
						w);
		close_world(world); /* forgets the tree */
		open_world(world);
	}
}

static void test_an_empty_path_finds_nothing(void **state)
{
	struct world *world = *state;
	struct line_path path = { 1, 0 };
	struct inode_row row;

	assert_int_equal(index_inode_find(world->index, &path, 1, &row),
			 -ENOENT);
}

static void put_window(struct world *world, uint64_t inode, uint64_t window,
		       uint32_t line, uint32_t gen)
{
	struct window_key key = { inode, window, line, gen };

	assert_int_equal(index_window_put(world->index, &key,
					  (const uint8_t *)"row", 3),
			 0);
}

static void test_a_scan_sees_every_row_once_in_key_order(void **state)
{
	static const struct window_key keys[] = {
		{ UINT64_MAX, 4, 1, 0 }, { 1, 0, 1, 5 },
		{ 1, 0, 2, 0 },		 { 1, 1, 1, UINT32_MAX },
		{ 2, 0, UINT32_MAX, 1 },
	};
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key cursor = { 0 };
	size_t bytes = 0;
	const size_t count = sizeof(keys) / sizeof(keys[0]);

	for (size_t i = count; i-- > 0;)
		put_window(world, keys[i].inode, keys[i].window, keys[i].line,
			   keys[i].gen);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(index_window_scan(world->index, &cursor, row,
						   &bytes),
				 0);
		assert_memory_equal(&cursor, &keys[i], sizeof(cursor));
		assert_int_equal(bytes, 3);
	}
	assert_int_equal(index_window_scan(world->index, &cursor, row, &bytes),
			 -ENOENT);
}

static void test_rows_of_a_line_come_in_pages(void **state)
{
	struct world *world = *state;

	for (uint32_t gen = 0; gen < 10; gen++)
		for (uint64_t window = 0; window < 7; window++) {
			put_window(world, 3, window, 5, gen);
			put_window(world, 3, window, 6, gen);
		}
	for (int most = 0; most < 60; most += 4) {
		struct window_key keys[64];
		int64_t cursor[2] = { 0, 0 };
		int n = 0, total = 0;

		do {
			n = index_windows_of_line(world->index, 5, 2, 9, keys,
						  most, cursor);
			assert_in_range(n, 0, (unsigned)most);
			for (int i = 0; i < n; i++, total++) {
				assert_int_equal(keys[i].line, 5);
				assert_int_equal(keys[i].gen, 2 + total / 7);
				assert_int_equal(keys[i].window, total % 7);
			}
		} while (n > 0);
		assert_int_equal(total, most ? 49 : 0);
		cursor[0] = cursor[1] = 0;
		assert_int_equal(index_windows_of_line(world->index, 5, 4, 4,
						       keys, most, cursor),
				 0);
	}
}

static void test_neighbours_and_numbers(void **state)
{
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key key;
	uint64_t number;
	size_t bytes;

	put_window(world, 1, 8, 2, 5);
	put_window(world, 1, 8, 2, 9);
	put_window(world, 1, 8, 3, 7);
	assert_int_equal(index_window_next(world->index, 1, 8, 2, 6, &key, row,
					   &bytes),
			 0);
	assert_int_equal(key.gen, 9);
	assert_int_equal(index_window_next(world->index, 1, 8, 2, 10, &key, row,
					   &bytes),
			 -ENOENT);
	assert_int_equal(index_window_previous(world->index, 1, 8, 2, 8, &key,
					       row, &bytes),
			 0);
	assert_int_equal(key.gen, 5);
	assert_int_equal(index_window_previous(world->index, 1, 8, 2, 4, &key,
					       row, &bytes),
			 -ENOENT);
	assert_int_equal(index_window_number(world->index, 1, 0, &number), 0);
	assert_int_equal(number, 8);
	assert_int_equal(index_window_number(world->index, 1, 9, &number),
			 -ENOENT);
}

static void test_relabel_moves_a_row_unless_the_place_is_taken(void **state)
{
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key key = { 1, 8, 2, 5 }, found;
	const uint8_t *moved = (const uint8_t *)"moved";
	size_t bytes = 0;

	put_window(world, 1, 8, 2, 5);
	put_window(world, 1, 8, 3, 5);
	assert_int_equal(index_window_relabel(world->index, &key, 3, moved, 5),
			 -EEXIST);
	assert_int_equal(index_window_relabel(world->index, &key, 4, moved, 5),
			 0);
	assert_int_equal(index_window_relabel(world->index, &key, 4, moved, 5),
			 -ENOENT);
	assert_int_equal(index_window_next(world->index, 1, 8, 4, 0, &found,
					   row, &bytes),
			 0);
	assert_int_equal(bytes, 5);
	assert_memory_equal(row, "moved", 5);
	assert_int_equal(index_window_delete(world->index, &found), 0);
	assert_int_equal(index_window_delete(world->index, &found), 0);
	assert_int_equal(index_window_next(world->index, 1, 8, 4, 0, &found,
					   row, &bytes),
			 -ENOENT);
}

static void put_inode(struct world *world, uint64_t inode, uint32_t line,
		      uint32_t gen)
{
	struct inode_row row = { .inode = inode, .line = line, .gen = gen };

	assert_int_equal(index_inode_put(world->index, &row), 0);
}

static uint32_t newest(struct world *world, uint64_t inode, uint32_t line,
		       uint32_t gen)
{
	struct line_path *path =
		calloc(1, sizeof(*path) + sizeof(path->level[0]));
	struct inode_row row = { .gen = 999 };

	assert_non_null(path);
	path->count = 1;
	path->level[0] = (struct line_limit){ line, gen };
	if (index_inode_find(world->index, path, inode, &row) < 0)
		row.gen = 999;
	free(path);
	return row.gen;
}

static void test_thinning_keeps_the_last_row_of_a_range(void **state)
{
	struct world *world = *state;

	for (uint32_t gen = 1; gen <= 9; gen += 2) {
		put_inode(world, 1, 2, gen); /* 1 3 5 7 9 */
		put_inode(world, 1, 3, gen);
	}
	put_inode(world, 2, 2, 4);
	/* [2, 7): 3 and 5 are replaced, by 5 and by 7, which is the end. */
	assert_int_equal(index_inodes_thin(world->index, 2, 2, 7), 0);
	assert_int_equal(newest(world, 1, 2, 6), 1);
	assert_int_equal(newest(world, 1, 2, 7), 7);
	assert_int_equal(newest(world, 1, 2, 99), 9);
	assert_int_equal(newest(world, 1, 3, 6), 5);
	assert_int_equal(newest(world, 2, 2, 6), 4);
	/* [7, 8): nothing in [8] replaces 7. */
	assert_int_equal(index_inodes_thin(world->index, 2, 7, 8), 0);
	assert_int_equal(newest(world, 1, 2, 8), 7);
	assert_int_equal(index_inodes_cut(world->index, 2, 0), 0);
	assert_int_equal(newest(world, 1, 2, 99), 999);
	assert_int_equal(newest(world, 1, 3, 99), 9);
}

static void test_relabelled_inodes_don_t_hide_the_line_s_own(void **state)
{
	struct world *world = *state;

	put_inode(world, 1, 2, 3);
	put_inode(world, 1, 2, 5);
	put_inode(world, 2, 2, 5);
	put_inode(world, 2, 4, 8);
	put_inode(world, 3, 2, 5);
	put_inode(world, 3, 4, 11);
	assert_int_equal(index_inodes_relabel(world->index, 2, 4, 10), 0);
	assert_int_equal(newest(world, 1, 4, 99), 5);
	assert_int_equal(newest(world, 1, 4, 4), 999);
	assert_int_equal(newest(world, 2, 4, 7), 999); /* own is early */
	assert_int_equal(newest(world, 2, 4, 99), 8);
	assert_int_equal(newest(world, 3, 4, 10), 5); /* own is later */
	assert_int_equal(newest(world, 3, 4, 11), 11);
	assert_int_equal(newest(world, 1, 2, 99), 999);
	assert_int_equal(newest(world, 3, 2, 99), 999);
}

struct seen {
	int count;
	uint64_t ids[8];
	int end_with;
};

static int see(struct seen *seen, uint64_t id)
{
	seen->ids[seen->count++] = id;
	return seen->end_with;
}

static int see_line(void *context, const struct line_row *row)
{
	assert_int_equal(row->fork_gen, row->id + 10);
	return see(context, row->id);
}

static int see_snapshot(void *context, const struct snapshot_row *row)
{
	assert_string_equal(row->name, "before upgrade");
	assert_string_equal(row->note, "n");
	assert_true(row->refer_blocks == UINT64_MAX);
	assert_int_equal(row->deleted_ns, -5);
	return see(context, row->id);
}

static int see_branch(void *context, const struct branch_row *row)
{
	assert_string_equal(row->name, "main");
	assert_true(row->changed);
	assert_int_equal(row->written_blocks, 77);
	return see(context, row->id);
}

static int see_hold(void *context, const struct hold_row *row)
{
	assert_string_equal(row->tag, "tag");
	return see(context, row->snapshot);
}

static int see_operation(void *context, const struct operation_row *row)
{
	assert_int_equal(row->record_bytes, row->id == 3 ? 0 : 2);
	return see(context, row->id);
}

static int see_segment(void *context, const struct segment_row *row)
{
	assert_true(row->sealed && row->packed && !row->punch);
	assert_int_equal(row->live[SEGMENT_BITMAP_BYTES - 1], 0x80);
	return see(context, row->id);
}

static void test_history_rows_come_back_as_they_were_put(void **state)
{
	struct world *world = *state;
	struct index *index = world->index;
	struct snapshot_row snapshot = {
		.id = 4,
		.name = "before upgrade",
		.note = "n",
		.refer_blocks = UINT64_MAX,
		.deleted_ns = -5,
	};
	struct branch_row branch = {
		.id = UINT32_MAX,
		.name = "main",
		.changed = true,
		.written_blocks = 77,
	};
	struct hold_row hold = { .snapshot = 4, .tag = "tag" };
	struct seen seen = { 0 };

	for (uint32_t id = 3; id > 0; id--) {
		struct line_row line = { id, id - 1, id + 10, id };
		struct operation_row operation = {
			.id = id,
			.record = id == 3 ? NULL : "ab",
			.record_bytes = id == 3 ? 0 : 2,
		};

		assert_int_equal(index_line_put(index, &line), 0);
		assert_int_equal(index_operation_put(index, &operation), 0);
	}
	assert_int_equal(index_lines_load(index, see_line, &seen), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.ids[0], 1);
	seen = (struct seen){ .end_with = -EINTR };
	assert_int_equal(index_lines_load(index, see_line, &seen), -EINTR);
	assert_int_equal(seen.count, 1);

	seen = (struct seen){ 0 };
	assert_int_equal(index_operations_load(index, 0, see_operation, &seen),
			 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(index_operations_load(index, 2, see_operation, &seen),
			 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.ids[0], 3);
	assert_int_equal(index_operations_trim(index, 3, 1), 0);
	seen = (struct seen){ 0 };
	assert_int_equal(index_operations_load(index, SIZE_MAX, see_operation,
					       &seen),
			 0);
	assert_int_equal(seen.count, 1);

	assert_int_equal(index_snapshot_put(index, &snapshot), 0);
	assert_int_equal(index_branch_put(index, &branch), 0);
	assert_int_equal(index_hold_put(index, &hold), 0);
	seen = (struct seen){ 0 };
	assert_int_equal(index_snapshots_load(index, see_snapshot, &seen), 0);
	assert_int_equal(index_branches_load(index, see_branch, &seen), 0);
	assert_int_equal(index_holds_load(index, see_hold, &seen), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.ids[1], UINT32_MAX);
	assert_int_equal(index_hold_delete(index, 4, "tag"), 0);
	assert_int_equal(index_hold_delete(index, 4, "tag"), 0);
	assert_int_equal(index_snapshot_delete(index, 4), 0);
	assert_int_equal(index_branch_delete(index, UINT32_MAX), 0);
	assert_int_equal(index_line_delete(index, 2), 0);
	seen = (struct seen){ 0 };
	assert_int_equal(index_snapshots_load(index, see_snapshot, &seen), 0);
	assert_int_equal(index_branches_load(index, see_branch, &seen), 0);
	assert_int_equal(index_holds_load(index, see_hold, &seen), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(index_lines_load(index, see_line, &seen), 0);
	assert_int_equal(seen.count, 2);
}

static void test_segments_and_base_come_back(void **state)
{
	struct world *world = *state;
	uint8_t live[SEGMENT_BITMAP_BYTES] = { 0 };
	struct segment_row row = {
		.id = 9, .sealed = true, .packed = true, .live = live
	};
	struct base_fingerprint base = {
		.kind = BASE_KIND_FILE, .path = "/srv/image",
		.size_bytes = 5, .sample_hash = UINT64_MAX,
		.has_full_hash = true, .full_hash = UINT64_C(1) << 63,
	}, found;
	struct seen seen = { 0 };

	live[SEGMENT_BITMAP_BYTES - 1] = 0x80;
	assert_int_equal(index_segment_put(world->index, &row), 0);
	assert_int_equal(index_segments_load(world->index, see_segment, &seen),
			 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(index_segment_delete(world->index, 9), 0);
	assert_int_equal(index_segments_load(world->index, see_segment, &seen),
			 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(index_base_get(world->index, &found), -ENOENT);
	assert_int_equal(index_base_put(world->index, &base), 0);
	assert_int_equal(index_base_get(world->index, &found), 0);
	assert_string_equal(found.path, base.path);
	assert_true(found.sample_hash == UINT64_MAX && found.has_full_hash &&
		    found.full_hash == base.full_hash);
	assert_int_equal(index_dirent_put(world->index, 1, "name", 1, 1, 2, 8),
			 0);
}

static void test_damaged_columns_are_unclean(void **state)
{
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key cursor = { 0 };
	struct seen seen = { 0 };
	size_t bytes;

	tamper(world, "INSERT INTO lines VALUES(1, 0, 4294967296, 0);" /*F-56*/
		      "INSERT INTO branches VALUES(1, CAST(x'610062' AS TEXT),"
		      "1,1,0,0,0,0,0,0,0,0);"
		      "INSERT INTO holds VALUES(1, x'61', 0);"
		      "INSERT INTO segments VALUES(1,0,0,0,0,0,0,x'00');"
		      "INSERT INTO windows VALUES(1,1,1,1,1,zeroblob(20000))");
	open_world(world);
	assert_int_equal(index_lines_load(world->index, see_line, &seen),
			 -EUCLEAN);
	assert_int_equal(index_branches_load(world->index, see_branch, &seen),
			 -EUCLEAN);
	assert_int_equal(index_holds_load(world->index, see_hold, &seen),
			 -EUCLEAN);
	assert_int_equal(index_segments_load(world->index, see_segment, &seen),
			 -EUCLEAN);
	assert_int_equal(index_window_scan(world->index, &cursor, row, &bytes),
			 -EUCLEAN);
	assert_int_equal(seen.count, 0);
}

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
		{ STATEMENT_INODE_FIND, "(inode=? AND (line,gen)<(?,?))" },
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

static void test_after_a_lost_transaction_nothing_is_written(void **state)
{
	struct world *world = *state;
	int64_t value = 0;

	assert_int_equal(index_meta_put(world->index, "kept", 1), 0);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(index_meta_put(world->index, "lost", 1), 0);
	/* As SQLite does after some errors, a full disk among them. */
	assert_int_equal(sql_exec(world->index->connection, "ROLLBACK"), 0);
	assert_true(index_commit(world->index) < 0);
	assert_true(index_meta_put(world->index, "later", 1) < 0);
	assert_true(index_commit(world->index) < 0);
	assert_true(index_backup(world->index, world->directory) < 0);
	assert_int_equal(index_meta_get(world->index, "kept", &value), 0);
	close_world(world);
	open_world(world);
	assert_int_equal(index_meta_get(world->index, "later", &value),
			 -ENOENT);
	assert_int_equal(index_meta_get(world->index, "kept", &value), 0);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_schema_is_that_of_schema_sql),
		WORLD_TEST(test_a_new_index_is_private_and_has_no_shm),
		WORLD_TEST(test_what_was_not_committed_is_forgotten),
		WORLD_TEST(test_a_foreign_schema_is_refused),
		WORLD_TEST(test_a_newer_index_is_refused),
		WORLD_TEST(test_other_files_are_refused),
		WORLD_TEST(test_a_second_opener_is_told_that_it_is_busy),
		WORLD_TEST(test_a_missing_index_comes_back_from_the_copy),
		WORLD_TEST(test_the_leapfrog_finds_what_brute_force_finds),
		WORLD_TEST(test_an_empty_path_finds_nothing),
		WORLD_TEST(test_a_scan_sees_every_row_once_in_key_order),
		WORLD_TEST(test_rows_of_a_line_come_in_pages),
		WORLD_TEST(test_neighbours_and_numbers),
		WORLD_TEST(test_relabel_moves_a_row_unless_the_place_is_taken),
		WORLD_TEST(test_thinning_keeps_the_last_row_of_a_range),
		WORLD_TEST(test_relabelled_inodes_don_t_hide_the_line_s_own),
		WORLD_TEST(test_history_rows_come_back_as_they_were_put),
		WORLD_TEST(test_segments_and_base_come_back),
		WORLD_TEST(test_damaged_columns_are_unclean),
		WORLD_TEST(test_look_ups_seek_and_never_sort),
		WORLD_TEST(test_every_statement_can_be_prepared),
		WORLD_TEST(test_after_a_lost_transaction_nothing_is_written),
	};

	if (argc > 1)
		schema_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
