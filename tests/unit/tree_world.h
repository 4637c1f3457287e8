/*
 * A tree over a directory on the host, for the tests of lib/tree.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "history.h"
#include "store.h"
#include "tree.h"
#include "view_items.h"

struct tree_world {
	char directory[48], path[64], base[64], low[64]; /* low: a layer */
	struct store *store;
	struct tree *tree; /* of main */
	struct failure failure;
};

static const struct tree_caller world_caller = { .uid = 7, .gid = 8 };

#define assert_ok(world, call)                                \
	do {                                                  \
		int rc_ = (call);                             \
                                                              \
		if (rc_ != 0)                                 \
			fail_msg("%s: %d: %s %s", #call, rc_, \
				 (world)->failure.object,     \
				 (world)->failure.message);   \
	} while (0)

/* Until the clock that times are taken from has gone on. */
static inline void world_tick(void)
{
	struct timespec before, now;

	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	do {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/* path is below the base; a file if text is not NULL. */
static inline void world_base(struct tree_world *world, const char *path,
			      const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", world->base, path);
	if (!text) {
		assert_int_equal(mkdir(full, 0755), 0);
		return;
	}
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static inline void world_open(struct tree_world *world)
{
	struct view *view;

	assert_ok(world, store_open(world->path, NULL, &world->store,
				    &world->failure));
	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	assert_ok(world, tree_open(view, &world->tree, &world->failure));
}

static inline void world_close(struct tree_world *world)
{
	tree_close(world->tree);
	assert_int_equal(store_close(world->store), 0);
}

static inline void world_reopen(struct tree_world *world)
{
	world_close(world);
	world_open(world);
}

static inline void world_crash(struct tree_world *world)
{
	tree_abandon(world->tree);
	store_abandon(world->store);
	world_open(world);
}

/* A second layer: d/low, d/more/, d/sub/l, a "hidden", z "below" */
static inline void world_make_low(struct tree_world *world)
{
	char base[64];

	memcpy(base, world->base, sizeof(base));
	snprintf(world->low, sizeof(world->low), "%s/low", world->directory);
	assert_int_equal(mkdir(world->low, 0755), 0);
	memcpy(world->base, world->low, sizeof(base));
	world_base(world, "d", NULL);
	world_base(world, "d/more", NULL);
	world_base(world, "d/sub", NULL);
	world_base(world, "d/low", "low");
	world_base(world, "d/sub/l", "l");
	world_base(world, "a", "hidden");
	world_base(world, "z", "below");
	memcpy(world->base, base, sizeof(base));
}

/* d/f "in d", d/g, d/sub/h, a "hello", link -> a, b: hard link of a */
static inline int world_setup_layers(void **state, size_t layer_count)
{
	struct tree_world *world = calloc(1, sizeof(*world));
	struct store_create_params params = { .path = world->path };
	const char *layers[2] = { world->base, world->low };
	char path[128], other[128];

	snprintf(world->directory, sizeof(world->directory),
		 "/tmp/cowd-tree-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/s", world->directory);
	snprintf(world->base, sizeof(world->base), "%s/base", world->directory);
	assert_int_equal(mkdir(world->base, 0755), 0);
	world_base(world, "d", NULL);
	world_base(world, "d/sub", NULL);
	world_base(world, "d/f", "in d");
	world_base(world, "d/g", "in d, too");
	world_base(world, "d/sub/h", "deep");
	world_base(world, "a", "hello");
	snprintf(path, sizeof(path), "%s/a", world->base);
	snprintf(other, sizeof(other), "%s/b", world->base);
	assert_int_equal(link(path, other), 0);
	snprintf(other, sizeof(other), "%s/link", world->base);
	assert_int_equal(symlink("a", other), 0);
	world_make_low(world);
	world_tick();
	config_defaults(&params.config);
	params.config.reserve_bytes = 0;
	params.layer_paths = layers;
	params.layer_count = layer_count;
	assert_ok(world, store_create(&params, &world->failure));
	world_open(world);
	*state = world;
	return 0;
}

static inline int world_setup(void **state)
{
	return world_setup_layers(state, 1);
}

static inline int world_setup_merged(void **state)
{
	return world_setup_layers(state, 2);
}

static inline int world_teardown(void **state)
{
	struct tree_world *world = *state;
	char command[128];

	world_close(world);
	snprintf(command, sizeof(command), "rm -rf '%s'", world->directory);
	assert_int_equal(system(command), 0);
	free(world);
	return 0;
}

/* The node of a path; the caller puts it. NULL: rc says why. */
static inline struct tree_node *world_find(struct tree_world *world,
					   const char *path, int *out_rc)
{
	struct tree_node *node = tree_node_get(tree_root(world->tree)), *next;
	struct tree_attr attr;
	char copy[512], *part, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((part = strtok_r(rest, "/", &rest))) {
		*out_rc = tree_lookup(node, part, &next, &attr);
		tree_node_put(node, 1);
		if (*out_rc < 0)
			return NULL;
		node = next;
	}
	*out_rc = 0;
	return node;
}

static inline struct tree_node *world_node(struct tree_world *world,
					   const char *path)
{
	int rc;
	struct tree_node *node = world_find(world, path, &rc);

	if (!node)
		fail_msg("%s: %d", path, rc);
	return node;
}

static inline int world_lookup_rc(struct tree_world *world, const char *path)
{
	int rc;
	struct tree_node *node = world_find(world, path, &rc);

	if (node)
		tree_node_put(node, 1);
	return rc;
}

/* The number that a listing gives, as d_ino; 0: not listed. */
static inline uint64_t world_listed(struct tree_world *world,
				    const char *directory, const char *name)
{
	struct tree_node *node = world_node(world, directory);
	struct tree_listing *listing;
	uint64_t inode = 0;
	size_t i;

	assert_int_equal(tree_list(node, &listing), 0);
	for (i = 0; i < listing->count; i++)
		if (strcmp(listing->entries[i].name, name) == 0)
			inode = listing->entries[i].inode;
	tree_listing_free(listing);
	tree_node_put(node, 1);
	return inode;
}

static inline struct tree_attr world_attr(struct tree_world *world,
					  const char *path)
{
	struct tree_node *node = world_node(world, path);
	struct tree_attr attr;

	assert_int_equal(tree_get_attr(node, &attr), 0);
	tree_node_put(node, 1);
	return attr;
}

/* Makes what is not there, and writes the text over its beginning. */
static inline void world_put(struct tree_world *world, const char *directory,
			     const char *name, const char *text)
{
	struct tree_node *parent = world_node(world, directory), *node;
	struct tree_attr attr;
	struct file *file;
	int rc = tree_lookup(parent, name, &node, &attr);

	if (rc == -ENOENT)
		rc = tree_create(parent, name, S_IFREG | 0644, 0, NULL,
				 &world_caller, &node, &attr);
	assert_int_equal(rc, 0);
	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(file_write(file, 0, text, strlen(text)), 0);
	tree_file_close(node);
	tree_node_put(node, 1);
	tree_node_put(parent, 1);
}

static inline void world_expect(struct tree_world *world, const char *path,
				const char *text)
{
	struct tree_node *node = world_node(world, path);
	char data[256] = "";
	struct file *file;
	size_t len_bytes;

	assert_int_equal(tree_file_open(node, false, &file), 0);
	assert_int_equal(file_read(file, 0, data, sizeof(data) - 1, &len_bytes),
			 0);
	assert_string_equal(data, text);
	tree_file_close(node);
	tree_node_put(node, 1);
}

/* The sorted names, with a space behind each. */
static inline void world_expect_names(struct tree_world *world,
				      const char *path, const char *names)
{
	struct tree_node *node = world_node(world, path);
	struct tree_listing *listing;
	const char *sorted[64];
	char all[2048] = "";
	size_t i, j;

	assert_int_equal(tree_list(node, &listing), 0);
	assert_true(listing->count < 64);
	for (i = 0; i < listing->count; i++) {
		for (j = i; j > 0 &&
			    strcmp(sorted[j - 1], listing->entries[i].name) > 0;
		     j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = listing->entries[i].name;
	}
	for (i = 0; i < listing->count; i++) {
		strncat(all, sorted[i], sizeof(all) - strlen(all) - 1);
		strncat(all, " ", sizeof(all) - strlen(all) - 1);
	}
	assert_string_equal(all, names);
	tree_listing_free(listing);
	tree_node_put(node, 1);
}

static inline int world_rename(struct tree_world *world, const char *from,
			       const char *name, const char *to,
			       const char *new_name, unsigned flags)
{
	struct tree_node *a = world_node(world, from);
	struct tree_node *b = world_node(world, to);
	int rc = tree_rename(a, name, b, new_name, flags, &world_caller);

	tree_node_put(a, 1);
	tree_node_put(b, 1);
	return rc;
}

static inline int world_unlink(struct tree_world *world, const char *directory,
			       const char *name)
{
	struct tree_node *parent = world_node(world, directory);
	int rc = tree_unlink(parent, name);

	tree_node_put(parent, 1);
	return rc;
}

static inline int world_rmdir(struct tree_world *world, const char *directory,
			      const char *name)
{
	struct tree_node *parent = world_node(world, directory);
	int rc = tree_rmdir(parent, name);

	tree_node_put(parent, 1);
	return rc;
}

static inline int world_make(struct tree_world *world, const char *directory,
			     const char *name, uint32_t mode)
{
	struct tree_node *parent = world_node(world, directory), *node;
	struct tree_attr attr;
	int rc = tree_create(parent, name, mode, 0,
			     S_ISLNK(mode) ? "target" : NULL, &world_caller,
			     &node, &attr);

	tree_node_put(parent, 1);
	if (rc == 0)
		tree_node_put(node, 1);
	return rc;
}

static inline int world_link(struct tree_world *world, const char *path,
			     const char *directory, const char *name)
{
	struct tree_node *parent = world_node(world, directory);
	struct tree_node *node = world_node(world, path);
	struct tree_attr attr;
	int rc = tree_link(node, parent, name, &attr);

	tree_node_put(parent, 1);
	tree_node_put(node, 1);
	return rc;
}

static inline int world_count_item(void *context, const struct item_key *key,
				   const void *payload, size_t payload_bytes)
{
	(void)key, (void)payload, (void)payload_bytes;
	++*(unsigned *)context;
	return 0;
}

/* Items of this type that an inode has. */
static inline unsigned world_items(struct tree_world *world, uint64_t inode,
				   enum item_type type)
{
	unsigned count = 0;

	assert_int_equal(view_items_scan(tree_view(world->tree), inode, type,
					 world_count_item, &count),
			 0);
	return count;
}
