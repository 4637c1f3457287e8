/* Layers in a temporary directory, and what tests do with them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers.h"
#include "logging.h"

enum {
	WORLD_LAYERS = 3,
	WORLD_PATH = 128,
	/* What world_limit allows, of which a stack opens so many. */
	WORLD_DESCRIPTORS = 256,
	WORLD_OPEN_MAX = WORLD_DESCRIPTORS / 4,
};

/* Layers have the ids 1, 2, 3: directories "1", "2", "3", 1 on top. */
struct layers_world {
	char root[64];
	int fd; /* of root */
	struct layers *layers;
	struct base_node *top; /* of the merged base */
	struct failure failure;
};

/* All in it, without following anything; directories may be unreadable. */
static inline void world_remove(int dir_fd, const char *name)
{
	const struct dirent *entry;
	DIR *listing;
	int fd;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return;
	(void)fchmodat(dir_fd, name, 0700, 0);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	assert_true(fd >= 0);
	listing = fdopendir(fd);
	assert_non_null(listing);
	while ((entry = readdir(listing)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			world_remove(fd, entry->d_name);
	closedir(listing);
	assert_int_equal(unlinkat(dir_fd, name, AT_REMOVEDIR), 0);
}

static inline int world_setup(void **state)
{
	struct layers_world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	log_set_level((enum log_level)0);
	umask(022);
	snprintf(world->root, sizeof(world->root), "/tmp/cowd-layers-XXXXXX");
	assert_non_null(mkdtemp(world->root));
	world->fd = open(world->root, O_RDONLY | O_DIRECTORY);
	assert_true(world->fd >= 0);
	assert_int_equal(mkdirat(world->fd, "1", 0755), 0);
	assert_int_equal(mkdirat(world->fd, "2", 0755), 0);
	assert_int_equal(mkdirat(world->fd, "3", 0755), 0);
	*state = world;
	return 0;
}

static inline void world_close(struct layers_world *world)
{
	base_node_put(world->top);
	layers_put(world->layers);
	world->top = NULL;
	world->layers = NULL;
}

static inline int world_teardown(void **state)
{
	struct layers_world *world = *state;

	world_close(world);
	close(world->fd);
	world_remove(AT_FDCWD, world->root);
	free(world);
	return 0;
}

/* Paths are relative to the world: "2/dir/file". */
static inline void world_mkdir(struct layers_world *world, const char *path)
{
	assert_int_equal(mkdirat(world->fd, path, 0755), 0);
}

static inline void world_write(struct layers_world *world, const char *path,
			       const char *text)
{
	int fd = openat(world->fd, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline ino_t world_inode(struct layers_world *world, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(world->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

/* Opens the layers of which order has the ids, topmost first: "123". */
static inline void world_open(struct layers_world *world, const char *order)
{
	char paths[WORLD_LAYERS][WORLD_PATH];
	struct layer_spec specs[WORLD_LAYERS];
	struct base_stat stat;
	size_t count = strlen(order);
	size_t i;

	assert_true(count <= WORLD_LAYERS);
	for (i = 0; i < count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%c", world->root,
			 order[i]);
		specs[i] = (struct layer_spec){
			.id = (uint32_t)(order[i] - '0'),
			.path = paths[i],
		};
	}
	assert_int_equal(
		layers_open(specs, count, &world->layers, &world->failure), 0);
	assert_int_equal(base_root(world->layers, &world->top, &stat), 0);
	assert_int_equal(stat.inode, 1);
}

/* Looks path up in the merge, name by name; what base_lookup returned last. */
static inline int world_find(struct layers_world *world, const char *path,
			     struct base_node **out_node,
			     struct base_stat *out_stat)
{
	struct base_node *at = base_node_get(world->top);
	int rc = 0;

	while (rc == 0 && *path) {
		size_t len = strcspn(path, "/");
		struct base_node *next = NULL;
		char name[NAME_MAX + 1];

		assert_true(len < sizeof(name));
		memcpy(name, path, len);
		name[len] = '\0';
		path += len + (path[len] == '/');
		rc = base_lookup(at, name, &next, out_stat);
		base_node_put(at);
		at = next;
	}
	if (rc == 0)
		*out_node = at;
	return rc;
}

static inline struct base_node *world_node(struct layers_world *world,
					   const char *path,
					   struct base_stat *out_stat)
{
	struct base_node *node = NULL;

	assert_int_equal(world_find(world, path, &node, out_stat), 0);
	return node;
}

/* The layer that decides, or a negative errno. */
static inline int world_layer(struct layers_world *world, const char *path)
{
	struct base_node *node = NULL;
	struct base_stat stat;
	int rc = world_find(world, path, &node, &stat);

	if (rc < 0)
		return rc;
	assert_int_equal(stat.layer, base_node_layer(node));
	base_node_put(node);
	return (int)stat.layer;
}

static inline struct base_file *world_file(struct layers_world *world,
					   const char *path)
{
	struct base_stat stat;
	struct base_node *node = world_node(world, path, &stat);
	struct base_file *file;

	assert_int_equal(base_file_open(node, &stat, &file), 0);
	base_node_put(node);
	return file;
}

/* So that few files are many, for stacks that are opened from here on. */
static inline void world_limit(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = WORLD_DESCRIPTORS;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static inline unsigned world_open_descriptors(void)
{
	DIR *listing = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(listing);
	while (readdir(listing) != NULL)
		count++;
	closedir(listing);
	return count;
}
