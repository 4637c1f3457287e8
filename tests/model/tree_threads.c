/*
 * Threads on one tree: some write files of their own and of base, some make,
 * rename and remove names, one changes attributes and names of the others'
 * files, one walks over all, while snapshots come and go. For
 * ThreadSanitizer, and for the claim that nobody misses what he did.
 *
 *   tree_threads [SECONDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "history.h"
#include "logging.h"
#include "store.h"
#include "tree.h"

enum { WRITERS = 2, NAMERS = 2, FILES = 4, NAMES = 12, BYTES_MAX = 20000 };

#define CHECK(expression)                                              \
	do {                                                           \
		if (!(expression)) {                                   \
			fprintf(stderr, "tree_threads: line %d: %s\n", \
				__LINE__, #expression);                \
			abort();                                       \
		}                                                      \
	} while (0)

static struct store *store;
static struct tree *tree;
static atomic_bool stop;
static atomic_uint_fast64_t operations;
static const struct actor actor;
static const struct tree_caller caller = { .uid = 1, .gid = 2 };

struct worker {
	pthread_t thread;
	unsigned nr, seed;
	size_t size[FILES];
	uint8_t fill[FILES];
	bool there[NAMES];
	uint64_t inode[NAMES];
};

static unsigned below(struct worker *worker, unsigned limit)
{
	return (unsigned)rand_r(&worker->seed) % limit;
}

static struct tree_node *find(struct tree_node *parent, const char *name)
{
	struct tree_node *node;
	struct tree_attr attr;

	CHECK(tree_lookup(parent, name, &node, &attr) == 0);
	return node;
}

/* --- writers: w<nr>_<file>, of which some are base's --- */

static void file_name(char name[16], unsigned owner, unsigned nr)
{
	snprintf(name, 16, "w%u_%u", owner, nr);
}

static void check_file(struct tree *in, const char *name, size_t size,
		       uint8_t fill)
{
	struct tree_node *node = find(tree_root(in), name);
	uint8_t data[BYTES_MAX];
	struct tree_attr attr;
	struct file *file;
	size_t got, i;

	CHECK(tree_get_attr(node, &attr) == 0);
	CHECK(attr.size_bytes == size);
	CHECK(tree_file_open(node, false, &file) == 0);
	CHECK(file_read(file, 0, data, sizeof(data), &got) == 0);
	CHECK(got == size);
	for (i = 0; i < got; i++)
		CHECK(data[i] == fill);
	tree_file_close(node);
	tree_node_put(node, 1);
}

static void write_file(struct worker *worker, unsigned nr)
{
	size_t size = 1 + below(worker, BYTES_MAX);
	uint8_t data[BYTES_MAX];
	struct tree_node *node;
	struct file *file;
	char name[16];

	file_name(name, worker->nr, nr);
	node = find(tree_root(tree), name);
	worker->fill[nr]++;
	memset(data, worker->fill[nr], size);
	CHECK(tree_file_open(node, true, &file) == 0);
	CHECK(file_resize(file, below(worker, 2) ? 0 : size) == 0);
	CHECK(file_write(file, 0, data, size) == 0);
	worker->size[nr] = size;
	tree_file_close(node);
	tree_node_put(node, 1);
}

static void *write_files(void *context)
{
	struct worker *worker = context;
	char name[16];

	while (!atomic_load(&stop)) {
		unsigned nr = below(worker, FILES);

		if (below(worker, 2))
			write_file(worker, nr);
		file_name(name, worker->nr, nr);
		check_file(tree, name, worker->size[nr], worker->fill[nr]);
		atomic_fetch_add(&operations, 1);
	}
	return NULL;
}

/* --- one who changes others' files, but not their data --- */

static void change_file(struct worker *worker, struct tree_node *node)
{
	struct tree_attr attr = { .mode = below(worker, 01000),
				  .mtime_ns = below(worker, 1000) };
	char name[16];
	int rc;

	switch (below(worker, 4)) {
	case 0:
		CHECK(tree_set_attr(node, TREE_SET_MODE, &attr, NULL) == 0);
		break;
	case 1:
		CHECK(tree_set_attr(node, TREE_SET_MTIME, &attr, &attr) == 0);
		break;
	case 2:
		CHECK(tree_set_xattr(node, "user.x", &attr.mode,
				     sizeof(attr.mode), 0) == 0);
		break;
	case 3:
		snprintf(name, sizeof(name), "l%u", below(worker, 5));
		rc = tree_link(node, tree_root(tree), name, &attr);
		CHECK(rc == 0 || rc == -EEXIST);
		if (rc == -EEXIST)
			CHECK(tree_unlink(tree_root(tree), name) == 0);
		break;
	}
}

static void *change_files(void *context)
{
	struct worker *worker = context;
	struct tree_node *node;
	char name[16];

	while (!atomic_load(&stop)) {
		file_name(name, below(worker, WRITERS), below(worker, FILES));
		node = find(tree_root(tree), name);
		change_file(worker, node);
		tree_node_put(node, 1);
		atomic_fetch_add(&operations, 1);
	}
	return NULL;
}

/* --- namers: n<owner>_<nr>, in either of two directories --- */

static int lookup(struct tree_node *directory, const char *name)
{
	struct tree_node *node;
	struct tree_attr attr;
	int rc = tree_lookup(directory, name, &node, &attr);

	if (rc == 0)
		tree_node_put(node, 1);
	return rc;
}

static void make_name(struct worker *worker, unsigned nr,
		      struct tree_node *directory, const char *name)
{
	bool is_directory = below(worker, 3) == 0;
	struct tree_node *node;
	struct tree_attr attr;

	CHECK(tree_create(directory, name,
			  is_directory ? S_IFDIR | 0755 : S_IFREG | 0644, 0,
			  NULL, &caller, &node, &attr) == 0);
	worker->there[nr] = true;
	worker->inode[nr] = attr.inode;
	tree_node_put(node, 1);
}

static void move_name(struct worker *worker, unsigned nr,
		      struct tree_node *from, struct tree_node *to,
		      const char *name)
{
	struct tree_node *node;
	struct tree_attr attr;

	if (lookup(from, name) < 0)
		return;
	CHECK(tree_rename(from, name, to, name, 0, &caller) == 0);
	CHECK(tree_lookup(to, name, &node, &attr) == 0);
	CHECK(attr.inode == worker->inode[nr]);
	tree_node_put(node, 1);
}

static void remove_name(struct worker *worker, unsigned nr,
			struct tree_node *directory, const char *name)
{
	struct tree_node *node;
	struct tree_attr attr;
	struct file *file = NULL;
	int rc = tree_lookup(directory, name, &node, &attr);

	if (rc < 0)
		return;
	if (S_ISREG(attr.mode) && below(worker, 2))
		CHECK(tree_file_open(node, true, &file) == 0);
	CHECK((S_ISDIR(attr.mode) ? tree_rmdir : tree_unlink)(directory,
							      name) == 0);
	if (file) {
		CHECK(file_write(file, 5000, "gone", 4) == 0);
		tree_file_close(node);
	}
	CHECK(tree_get_attr(node, &attr) == 0);
	CHECK(attr.nlink == 0);
	tree_node_put(node, 1);
	worker->there[nr] = false;
}

static void *use_names(void *context)
{
	struct worker *worker = context;
	struct tree_node *directories[2] = { find(tree_root(tree), "x"),
					     find(tree_root(tree), "y") };
	char name[16];

	while (!atomic_load(&stop)) {
		unsigned nr = below(worker, NAMES), at = below(worker, 2);

		snprintf(name, sizeof(name), "n%u_%u", worker->nr, nr);
		if (!worker->there[nr])
			make_name(worker, nr, directories[at], name);
		else if (below(worker, 3))
			move_name(worker, nr, directories[at],
				  directories[1 - at], name);
		else
			remove_name(worker, nr, directories[at], name);
		CHECK((lookup(directories[0], name) == 0) +
			      (lookup(directories[1], name) == 0) ==
		      worker->there[nr]);
		atomic_fetch_add(&operations, 1);
	}
	tree_node_put(directories[0], 1);
	tree_node_put(directories[1], 1);
	return NULL;
}

/* --- one who walks --- */

static void walk(struct tree_node *directory)
{
	struct tree_listing *listing;
	struct tree_node *node;
	struct tree_attr attr;
	char names[100];
	size_t i, bytes;

	CHECK(tree_list(directory, &listing) == 0);
	for (i = 0; i < listing->count; i++) {
		int rc = tree_lookup(directory, listing->entries[i].name, &node,
				     &attr);

		CHECK(rc == 0 || rc == -ENOENT);
		if (rc < 0)
			continue;
		CHECK(tree_list_xattr(node, names, sizeof(names), &bytes) == 0);
		if (S_ISDIR(attr.mode))
			walk(node);
		tree_node_put(node, 1);
	}
	tree_listing_free(listing);
}

static void *walk_all(void *context)
{
	(void)context;
	while (!atomic_load(&stop)) {
		walk(tree_root(tree));
		atomic_fetch_add(&operations, 1);
	}
	return NULL;
}

/* --- history --- */

static void keep_house(unsigned round)
{
	struct snapshot_info info;
	struct failure failure = { 0 };
	struct view *view;
	struct tree *then;
	char name[32];

	snprintf(name, sizeof(name), "s%u", round);
	CHECK(history_snapshot(store, "main", name, NULL, SNAPSHOT_KIND_MANUAL,
			       &actor, &info, &failure) == 0);
	if (round % 4 == 1) {
		CHECK(view_open_snapshot(store, info.id, &view, &failure) == 0);
		CHECK(tree_open(view, &then, &failure) == 0);
		walk(tree_root(then));
		tree_close(then);
	}
	if (round % 3 == 2)
		CHECK(history_delete_snapshot(store, info.id, true, &actor,
					      &failure) == 0);
	if (round % 5 == 4)
		CHECK(store_checkpoint(store) == 0);
}

static void make_base(const char *base)
{
	char path[160];
	unsigned i;

	CHECK(mkdir(base, 0755) == 0);
	snprintf(path, sizeof(path), "%s/x", base);
	CHECK(mkdir(path, 0755) == 0);
	snprintf(path, sizeof(path), "%s/x/in", base);
	CHECK(mkdir(path, 0755) == 0);
	snprintf(path, sizeof(path), "%s/y", base);
	CHECK(mkdir(path, 0755) == 0);
	for (i = 0; i < WRITERS * FILES; i++) {
		snprintf(path, sizeof(path), "%s/w%u_%u", base, i / FILES,
			 i % FILES);
		close(open(path, O_CREAT | O_WRONLY, 0644));
	}
}

static void open_all(const char *path)
{
	struct failure failure = { 0 };
	struct view *view;

	CHECK(store_open(path, NULL, &store, &failure) == 0);
	CHECK(view_open_branch(store, "main", &view, &failure) == 0);
	CHECK(tree_open(view, &tree, &failure) == 0);
}

static unsigned run(struct worker *workers, unsigned count, int seconds)
{
	time_t end = time(NULL) + seconds;
	unsigned round = 0, i;

	for (i = 0; i < count; i++) {
		workers[i].nr = i < WRITERS ? i : i - WRITERS;
		workers[i].seed = i + 1;
		CHECK(pthread_create(&workers[i].thread, NULL,
				     i < WRITERS	      ? write_files :
				     i < WRITERS + NAMERS     ? use_names :
				     i < WRITERS + NAMERS + 1 ? change_files :
								walk_all,
				     &workers[i]) == 0);
	}
	while (time(NULL) < end) {
		usleep(20000);
		keep_house(round++);
	}
	atomic_store(&stop, true);
	for (i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	return round;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 3;
	char directory[] = "/tmp/cowd-threads-XXXXXX", path[64], base[64];
	const char *layers[1] = { base };
	struct store_create_params params = { .path = path,
					      .layer_paths = layers,
					      .layer_count = 1 };
	struct worker workers[WRITERS + NAMERS + 2] = { 0 };
	struct failure failure = { 0 };
	char command[128], name[16];
	unsigned round, i;

	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/store", directory);
	snprintf(base, sizeof(base), "%s/base", directory);
	make_base(base);
	config_defaults(&params.config);
	params.config.reserve_bytes = 0;
	params.config.checkpoint_every_ns = 200000000;
	log_set_level(LOG_LEVEL_ERROR);
	CHECK(store_create(&params, &failure) == 0);
	open_all(path);
	round = run(workers, WRITERS + NAMERS + 2, seconds);
	tree_close(tree);
	CHECK(store_close(store) == 0);
	open_all(path);
	for (i = 0; i < WRITERS * FILES; i++) {
		file_name(name, i / FILES, i % FILES);
		check_file(tree, name, workers[i / FILES].size[i % FILES],
			   workers[i / FILES].fill[i % FILES]);
	}
	tree_close(tree);
	CHECK(store_close(store) == 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	CHECK(system(command) == 0);
	printf("tree_threads: %" PRIuFAST64 " operations, %u snapshots: "
	       "equal\n",
	       atomic_load(&operations), round);
	return 0;
}
