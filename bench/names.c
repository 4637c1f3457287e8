/*
 * What names cost without FUSE: names DIRECTORY COUNT [keep]. Makes a store
 * over an empty directory, COUNT files of 4 KiB in directories of 100, looks at
 * them, removes them; microseconds each. keep: the store is left with them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "file.h"
#include "store.h"
#include "tree.h"

#define CHECK(condition)                                                      \
	do {                                                                  \
		if (!(condition)) {                                           \
			fprintf(stderr, "names: line %d: %s: %s\n", __LINE__, \
				#condition, failure.message);                 \
			exit(1);                                              \
		}                                                             \
	} while (0)

static struct failure failure;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void report(const char *what, double begin, long count)
{
	printf("%-28s %8.2f us\n", what, (now() - begin) / (double)count);
}

static void name_of(char *name, size_t name_bytes, long nr)
{
	snprintf(name, name_bytes, "file-%05ld.c", nr);
}

static struct tree_node *directory_of(struct tree *tree, long nr, bool make)
{
	static const struct tree_caller caller = { .uid = 0 };
	struct tree_attr attr;
	struct tree_node *node;
	char name[32];

	snprintf(name, sizeof(name), "dir-%ld", nr / 100);
	if (make && nr % 100 == 0)
		CHECK(tree_create(tree_root(tree), name, S_IFDIR | 0755, 0,
				  NULL, &caller, &node, &attr) == 0);
	else
		CHECK(tree_lookup(tree_root(tree), name, &node, &attr) == 0);
	return node;
}

static void make(struct tree *tree, long count)
{
	static const struct tree_caller caller = { .uid = 0 };
	static char data[4096] = "some text";
	double begin = now();
	long nr;

	for (nr = 0; nr < count; nr++) {
		struct tree_node *parent = directory_of(tree, nr, true), *node;
		struct tree_attr attr;
		struct file *file;
		char name[32];

		name_of(name, sizeof(name), nr);
		CHECK(tree_create(parent, name, S_IFREG | 0644, 0, NULL,
				  &caller, &node, &attr) == 0);
		CHECK(tree_file_open(node, true, &file) == 0);
		CHECK(file_write(file, 0, data, sizeof(data)) == 0);
		tree_file_close(node);
		tree_node_put(node, 1);
		tree_node_put(parent, 1);
	}
	report("make and write", begin, count);
}

static void look(struct tree *tree, long count, const char *what)
{
	double begin = now();
	long nr;

	for (nr = 0; nr < count; nr++) {
		struct tree_node *parent = directory_of(tree, nr, false), *node;
		struct tree_attr attr;
		char name[32];

		name_of(name, sizeof(name), nr);
		CHECK(tree_lookup(parent, name, &node, &attr) == 0);
		tree_node_put(node, 1);
		tree_node_put(parent, 1);
	}
	report(what, begin, count);
}

static void list(struct tree *tree, long count)
{
	double begin = now();
	long nr;

	for (nr = 0; nr < count; nr += 100) {
		struct tree_node *node = directory_of(tree, nr, false);
		struct tree_listing *listing;

		CHECK(tree_list(node, &listing) == 0);
		tree_listing_free(listing);
		tree_node_put(node, 1);
	}
	report("list, a name", begin, count);
}

static void drop(struct tree *tree, long count)
{
	double begin = now();
	long nr;

	for (nr = 0; nr < count; nr++) {
		struct tree_node *parent = directory_of(tree, nr, false);
		char name[32];

		name_of(name, sizeof(name), nr);
		CHECK(tree_unlink(parent, name) == 0);
		tree_node_put(parent, 1);
	}
	report("unlink", begin, count);
}

int main(int argc, char **argv)
{
	char base[4096], path[4096];
	const char *layers[1] = { base };
	struct store_create_params params = { .path = path,
					      .layer_paths = layers,
					      .layer_count = 1 };
	struct store *store;
	struct view *view;
	struct tree *tree;
	double begin;
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

	if (argc < 3 || argc > 4 || count < 1) {
		fprintf(stderr, "usage: names DIRECTORY COUNT [keep]\n");
		return 2;
	}
	snprintf(base, sizeof(base), "%s/base", argv[1]);
	snprintf(path, sizeof(path), "%s/store", argv[1]);
	mkdir(base, 0755);
	config_defaults(&params.config);
	CHECK(store_create(&params, &failure) == 0);
	CHECK(store_open(path, NULL, &store, &failure) == 0);
	CHECK(view_open_branch(store, "main", &view, &failure) == 0);
	CHECK(tree_open(view, &tree, &failure) == 0);
	make(tree, count);
	look(tree, count, "look up, unsaved");
	list(tree, count);
	begin = now();
	CHECK(store_checkpoint(store) == 0);
	report("checkpoint, a file", begin, count);
	look(tree, count, "look up, saved");
	list(tree, count);
	if (argc == 3) {
		drop(tree, count);
		begin = now();
		CHECK(store_checkpoint(store) == 0);
		report("checkpoint, a file", begin, count);
	}
	tree_close(tree);
	CHECK(store_close(store) == 0);
	return 0;
}
