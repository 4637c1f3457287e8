/*
 * A store over the directories "top" and "low" in a directory of its own, for
 * the tests of layers. The view of main is not open; a test that opens it
 * puts it.
 */
#pragma once

#include "store_world.h"

#include "store_layers.h"

static inline const char *world_place(const struct store_world *world,
				      const char *name)
{
	static char paths[8][128];
	static unsigned nr;
	char *path = paths[nr++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", world->directory, name);
	return path;
}

static inline void world_mkdir(const struct store_world *world,
			       const char *name)
{
	assert_int_equal(mkdir(world_place(world, name), 0755), 0);
}

static inline void layered_open(struct store_world *world)
{
	assert_ok(world, store_open(world->path, NULL, &world->store,
				    &world->failure));
}

static inline void layered_reopen(struct store_world *world)
{
	assert_int_equal(store_close(world->store), 0);
	layered_open(world);
}

static inline void layered_crash(struct store_world *world)
{
	store_abandon(world->store);
	layered_open(world);
}

static inline int layered_setup(void **state)
{
	struct store_world *world = calloc(1, sizeof(*world));
	const char *layers[2];
	struct store_create_params params = { .path = world->path,
					      .layer_paths = layers,
					      .layer_count = 2 };

	snprintf(world->directory, sizeof(world->directory),
		 "/tmp/cowd-layers-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/store",
		 world->directory);
	world_mkdir(world, "top");
	world_mkdir(world, "low");
	world_mkdir(world, "new");
	layers[0] = world_place(world, "top");
	layers[1] = world_place(world, "low");
	world_config(&params.config);
	assert_ok(world, store_create(&params, &world->failure));
	layered_open(world);
	*state = world;
	return 0;
}

#define LAYERED_TEST(test) \
	cmocka_unit_test_setup_teardown(test, layered_setup, world_teardown)

/* A letter of the name for each layer that the branch sees, topmost first. */
static inline void assert_layers(struct store_world *world, const char *branch,
				 const char *letters)
{
	struct layer_info *list;
	size_t count, i, seen = strlen(letters);

	assert_ok(world, store_layers_list(world->store, branch, &list, &count,
					   &world->failure));
	assert_true(count >= seen);
	for (i = 0; i < count; i++) {
		assert_int_equal(list[i].position, i < seen ? i + 1 : 0);
		if (i < seen)
			assert_int_equal(list[i].name[0], letters[i]);
	}
	free(list);
}

static inline struct layer_info layer_named(struct store_world *world,
					    const char *name)
{
	struct layer_info *list, found = { 0 };
	size_t count, i;

	assert_ok(world, store_layers_list(world->store, "main", &list, &count,
					   &world->failure));
	for (i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			found = list[i];
	free(list);
	assert_true(found.id > 0);
	return found;
}

static inline int layer_add(struct store_world *world, const char *name,
			    const char *below, bool bottom)
{
	const struct layer_place place = { below, bottom };
	struct layer_info info;

	return store_layer_add(world->store, "main", world_place(world, name),
			       &place, false, &world_actor, &info,
			       &world->failure);
}

static inline int layer_remove(struct store_world *world, const char *name)
{
	struct layer_info info;

	return store_layer_remove(world->store, "main", name, false,
				  &world_actor, &info, &world->failure);
}
