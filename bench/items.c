/*
 * What the items of directory trees cost in the index: a million rows, of
 * directories with 100,000 files each, a name and an inode for every file.
 *
 *   items DIRECTORY
 *
 * The directory is empty before; the index (270 MB) stays there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "index.h"

enum {
	DIRECTORIES = 5,
	FILES = 100000, /* in each */
	ROWS = 2 * DIRECTORIES * FILES,
	LOOK_UPS = 200000,
	BATCH_ITEMS = 1024,
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "items: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void tell(const char *what, double begin_s, int count)
{
	double seconds = now_s() - begin_s;

	printf("%-34s %8.3f s %9.2f us each\n", what, seconds,
	       seconds * 1e6 / count);
}

static size_t name_key(int directory, int nr, const char *format, uint8_t *out)
{
	char name[64];
	struct item_key key = { .inode = (uint64_t)directory + 16,
				.type = ITEM_TYPE_DIRENT,
				.name = name };

	key.name_bytes = (size_t)snprintf(name, sizeof(name), format, nr);
	return item_key_encode(&key, out);
}

static size_t inode_key(int directory, int nr, uint8_t *out)
{
	const struct item_key key = {
		.inode = 1000 + (uint64_t)directory * FILES + (uint64_t)nr,
		.type = ITEM_TYPE_INODE,
	};

	return item_key_encode(&key, out);
}

/* A checkpoint gives the index its items in the order of keys. */
static void put_all(struct index *index, uint32_t gen)
{
	const struct item_version version = { 1, gen };
	uint8_t key[ITEM_KEY_BYTES_MAX],
		value[ITEM_CHECKSUM_BYTES + 96] = { 1 };

	for (int type = 0; type < 2; type++)
		for (int d = 0; d < DIRECTORIES; d++)
			for (int i = 0; i < FILES; i++) {
				size_t key_bytes =
					type ? inode_key(d, i, key) :
					       name_key(d, i, "file-%08d.txt",
							key);
				size_t bytes = ITEM_CHECKSUM_BYTES +
					       (type ? INODE_ITEM_BYTES :
						       DIRENT_ITEM_BYTES);

				check(index_item_put(index, key, key_bytes,
						     &version, value, bytes),
				      "put");
			}
}

static void find(struct index *index, const struct line_path *path,
		 const char *what, int files, const char *format, int want)
{
	double begin_s = now_s();
	unsigned seed = 1;

	for (int i = 0; i < LOOK_UPS; i++) {
		uint8_t key[ITEM_KEY_BYTES_MAX], value[256];
		int d = rand_r(&seed) % (files < FILES ? 1 : DIRECTORIES);
		int nr = rand_r(&seed) % files;
		size_t bytes, key_bytes = format ?
						  name_key(d, nr, format, key) :
						  inode_key(d, nr, key);
		struct item_version version;
		int rc = index_item_find(index, path, key, key_bytes, &version,
					 value, sizeof(value), &bytes);

		check(rc == want ? 0 : rc ? rc : -EEXIST, what);
	}
	tell(what, begin_s, LOOK_UPS);
}

static void scan(struct index *index, const struct line_path *path,
		 const char *what)
{
	static struct item_found items[BATCH_ITEMS];
	static uint8_t arena[ITEM_ARENA_BYTES_MIN];
	struct item_batch batch = { .items = items,
				    .items_capacity = BATCH_ITEMS,
				    .arena = arena,
				    .arena_bytes = sizeof(arena) };
	struct item_cursor cursor = { 0 };
	uint8_t prefix[ITEM_PREFIX_BYTES];
	double begin_s = now_s();
	size_t count = 0;

	item_key_prefix(16 + 3, ITEM_TYPE_DIRENT, prefix);
	while (!batch.end) {
		check(index_item_scan(index, path, prefix, sizeof(prefix),
				      &cursor, &batch),
		      "scan");
		count += batch.count;
	}
	check(count == FILES ? 0 : -ENOENT, what);
	tell(what, begin_s, FILES);
}

static void measure(struct index *index, const struct line_path *path)
{
	find(index, path, "find any name", FILES, "file-%08d.txt", 0);
	find(index, path, "find any inode", FILES, NULL, 0);
	find(index, path, "find of 10,000 inodes", 10000, NULL, 0);
	find(index, path, "miss any name", FILES, "file-%08d.no", -ENOENT);
	find(index, path, "miss of 10,000 names", 10000, "file-%08d.no",
	     -ENOENT);
	scan(index, path, "scan of 100,000 names");
}

int main(int argc, char **argv)
{
	struct line_path *path =
		calloc(1, sizeof(*path) + sizeof(path->level[0]));
	struct index *index = NULL;
	double begin_s;

	if (argc != 2 || !path) {
		fprintf(stderr, "usage: items DIRECTORY\n");
		return 2;
	}
	path->count = 1;
	path->level[0] = (struct line_limit){ 1, 99 };
	check(index_create(argv[1], NULL), "create");
	check(index_open(argv[1], &index, NULL), "open");
	begin_s = now_s();
	put_all(index, 1);
	tell("put of 1,000,000 rows", begin_s, ROWS);
	begin_s = now_s();
	check(index_commit(index), "commit");
	tell("commit of them", begin_s, ROWS);
	measure(index, path);
	begin_s = now_s();
	put_all(index, 2);
	check(index_commit(index), "commit");
	tell("a second version of all, commit", begin_s, ROWS);
	measure(index, path);
	index_close(index);
	free(path);
	return 0;
}
