/* Opening a stack of layers, and what stacks share. */
#include "layers_world.h"

/* Counts down to the allocation that fails; negative: none does. */
static int allocations_left = -1;

void *__real_calloc(size_t count, size_t bytes);
void *__real_malloc(size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

static bool allocation_fails(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return allocation_fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_malloc(size_t bytes)
{
	return allocation_fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
	return allocation_fails() ? NULL : __real_realloc(memory, bytes);
}

static int open_spec(struct layers_world *world, const struct layer_spec *specs,
		     size_t count)
{
	int rc;

	memset(&world->failure, 0, sizeof(world->failure));
	rc = layers_open(specs, count, &world->layers, &world->failure);
	if (rc < 0)
		assert_null(world->layers);
	return rc;
}

static void test_stack_tells_its_layers_topmost_first(void **state)
{
	struct layers_world *world = *state;
	char path[WORLD_PATH];

	world_open(world, "31");
	assert_int_equal(layers_count(world->layers), 2);
	assert_int_equal(layers_id(world->layers, 0), 3);
	assert_int_equal(layers_id(world->layers, 1), 1);
	snprintf(path, sizeof(path), "%s/3", world->root);
	assert_string_equal(layers_path(world->layers, 0), path);
	assert_ptr_equal(base_node_layers(world->top), world->layers);
}

static void test_ids_are_checked(void **state)
{
	struct layers_world *world = *state;
	struct layer_spec specs[LAYERS_MAX + 1];
	size_t i;

	for (i = 0; i <= LAYERS_MAX; i++)
		specs[i] = (struct layer_spec){ .id = (uint32_t)i + 1,
						.path = world->root };
	assert_int_equal(open_spec(world, specs, 0), -EINVAL);
	assert_int_equal(open_spec(world, specs, LAYERS_MAX + 1), -EINVAL);
	assert_int_equal(open_spec(world, specs, LAYERS_MAX), 0);
	world_close(world);
	specs[1].id = 1;
	assert_int_equal(open_spec(world, specs, 2), -EUCLEAN);
	specs[1].id = 0;
	assert_int_equal(open_spec(world, specs, 2), -EUCLEAN);
	specs[1].id = LAYER_ID_MAX + 1;
	assert_int_equal(open_spec(world, specs, 2), -EUCLEAN);
	specs[1].id = LAYER_ID_MAX;
	assert_int_equal(open_spec(world, specs, 2), 0);
}

static void test_sixty_four_layers_are_one_base(void **state)
{
	struct layers_world *world = *state;
	struct layer_spec specs[LAYERS_MAX];
	char paths[LAYERS_MAX][WORLD_PATH], name[32];
	struct base_stat stat;
	int i;

	for (i = 0; i < LAYERS_MAX; i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		world_mkdir(world, name);
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", world->root,
			 name);
		specs[i] = (struct layer_spec){ .id = (uint32_t)i + 1,
						.path = paths[i] };
	}
	world_write(world, "many-63/f", "lowest");
	assert_int_equal(open_spec(world, specs, LAYERS_MAX), 0);
	assert_int_equal(base_root(world->layers, &world->top, &stat), 0);
	assert_int_equal(world_layer(world, "f"), 64);
	assert_int_equal(world_layer(world, "g"), -ENOENT);
}

static void test_what_can_not_be_opened_is_named(void **state)
{
	struct layers_world *world = *state;
	char good[WORLD_PATH], bad[WORLD_PATH];
	struct layer_spec specs[2] = { { .id = 1, .path = good },
				       { .id = 2, .path = bad } };

	snprintf(good, sizeof(good), "%s/1", world->root);
	snprintf(bad, sizeof(bad), "%s/none", world->root);
	assert_int_equal(open_spec(world, specs, 2), -ENOENT);
	assert_string_equal(world->failure.object, bad);
	assert_non_null(strstr(world->failure.message, "does not exist"));
	world_write(world, "file", "");
	snprintf(bad, sizeof(bad), "%s/file", world->root);
	assert_int_equal(open_spec(world, specs, 2), -ENOTDIR);
	assert_string_equal(world->failure.object, bad);
	assert_non_null(strstr(world->failure.message, "not a directory"));
	assert_int_equal(symlinkat("1", world->fd, "link"), 0);
	snprintf(bad, sizeof(bad), "%s/link", world->root);
	assert_true(open_spec(world, specs, 2) < 0);
	assert_string_equal(world->failure.object, bad);
}

static void test_another_directory_than_expected_is_refused(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint expected;
	char path[WORLD_PATH];
	struct layer_spec spec = { .id = 1, .expected = &expected };

	snprintf(path, sizeof(path), "%s/1", world->root);
	assert_int_equal(layer_fingerprint_take(path, &expected, NULL), 0);
	assert_int_equal(open_spec(world, &spec, 1), 0);
	assert_string_equal(layers_path(world->layers, 0), path);
	world_close(world);
	assert_int_equal(
		renameat2(world->fd, "1", world->fd, "2", RENAME_EXCHANGE), 0);
	assert_int_equal(open_spec(world, &spec, 1), -ESTALE);
	assert_int_equal(world->failure.code, FAILURE_BASE_CHANGED);
	assert_string_equal(world->failure.object, path);
	snprintf(path, sizeof(path), "%s/2", world->root);
	spec.path = path; /* it was moved there */
	assert_int_equal(open_spec(world, &spec, 1), 0);
}

static void test_layer_stays_the_directory_that_was_opened(void **state)
{
	struct layers_world *world = *state;

	world_write(world, "1/f", "");
	world_write(world, "2/g", "");
	world_open(world, "1");
	assert_int_equal(
		renameat2(world->fd, "1", world->fd, "2", RENAME_EXCHANGE), 0);
	assert_int_equal(world_layer(world, "f"), 1);
	assert_int_equal(world_layer(world, "g"), -ENOENT);
}

static void test_stacks_of_a_store_share_bounds_and_changes(void **state)
{
	struct layers_world *world = *state;
	char path[WORLD_PATH];
	struct layer_spec spec = { .id = 2, .path = path };
	struct layers_changes changes;
	struct layers *other;
	struct base_node *root, *node;
	struct base_stat stat;

	world_write(world, "2/f", "");
	world_open(world, "123");
	snprintf(path, sizeof(path), "%s/2", world->root);
	assert_int_equal(layers_open_beside(world->layers, &spec, 1, &other,
					    &world->failure),
			 0);
	spec.id = 0;
	assert_int_equal(layers_open_beside(world->layers, &spec, 1,
					    &(struct layers *){ NULL }, NULL),
			 -EUCLEAN);
	assert_int_equal(base_root(other, &root, &stat), 0);
	layers_put(other); /* the root holds it */
	assert_int_equal(base_lookup(root, "f", &node, &stat), 0);
	base_node_put(root); /* and the node the root */
	assert_int_equal(unlinkat(world->fd, "2/f", 0), 0);
	assert_int_equal(base_stat(node, &stat), -ESTALE);
	assert_int_equal(base_stat(node, &stat), -ESTALE);
	layers_changes(world->layers, &changes);
	assert_int_equal(changes.count, 1);
	assert_string_equal(changes.path, "/f");
	world_close(world);
	assert_int_equal(base_stat(node, &stat), -ESTALE);
	base_node_put(node);
}

static void test_bounds_follow_the_limit_of_descriptors(void **state)
{
	enum { FILES = 70 };
	struct layers_world *world = *state;
	struct base_file *files[FILES];
	unsigned before;
	char path[32], byte;
	int i;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "1/%d", i);
		world_write(world, path, "x");
	}
	world_limit();
	world_open(world, "1");
	before = world_open_descriptors();
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%d", i);
		files[i] = world_file(world, path);
		assert_int_equal(base_file_read(files[i], 0, &byte, 1), 0);
	}
	assert_int_equal(world_open_descriptors(), before + WORLD_OPEN_MAX);
	for (i = 0; i < FILES; i++)
		base_file_close(files[i]);
}

static int visit_nothing(void *context, const char *name, uint64_t inode,
			 uint32_t kind)
{
	(void)context, (void)name, (void)inode, (void)kind;
	return 0;
}

/* Ends at the first failure; all that was made is given back. */
static int use_all(const struct layer_spec *specs)
{
	struct base_node *top = NULL, *directory = NULL, *node = NULL;
	struct layers *layers = NULL;
	struct base_file *file = NULL;
	struct base_stat stat;
	char byte;
	int rc = layers_open(specs, 2, &layers, NULL);

	if (rc == 0)
		rc = base_root(layers, &top, &stat);
	if (rc == 0)
		rc = base_lookup(top, "d", &directory, &stat);
	if (rc == 0)
		rc = base_list(directory, visit_nothing, NULL);
	if (rc == 0)
		rc = base_lookup(directory, "f", &node, &stat);
	if (rc == 0)
		rc = base_file_open(node, &stat, &file);
	if (rc == 0)
		rc = base_file_read(file, 0, &byte, 1);
	base_file_close(file);
	base_node_put(node);
	base_node_put(directory);
	base_node_put(top);
	layers_put(layers);
	return rc;
}

static void test_any_allocation_may_fail(void **state)
{
	struct layers_world *world = *state;
	char paths[2][WORLD_PATH];
	struct layer_spec specs[2] = { { .id = 1, .path = paths[0] },
				       { .id = 2, .path = paths[1] } };
	unsigned before = world_open_descriptors();
	int nr = 0;
	int rc;

	snprintf(paths[0], WORLD_PATH, "%s/1", world->root);
	snprintf(paths[1], WORLD_PATH, "%s/2", world->root);
	world_mkdir(world, "1/d");
	world_mkdir(world, "2/d");
	world_write(world, "1/d/f", "x");
	do {
		allocations_left = nr++;
		rc = use_all(specs);
		assert_true(rc == 0 || rc == -ENOMEM);
		assert_int_equal(world_open_descriptors(), before);
	} while (allocations_left < 0);
	allocations_left = -1;
	assert_int_equal(rc, 0);
	assert_true(nr > 10);
}

static void test_any_descriptor_may_be_missing(void **state)
{
	struct layers_world *world = *state;
	char paths[2][WORLD_PATH];
	struct layer_spec specs[2] = { { .id = 1, .path = paths[0] },
				       { .id = 2, .path = paths[1] } };
	unsigned before = world_open_descriptors();
	struct rlimit limit, low;
	int rc = -EMFILE;

	snprintf(paths[0], WORLD_PATH, "%s/1", world->root);
	snprintf(paths[1], WORLD_PATH, "%s/2", world->root);
	world_mkdir(world, "1/d");
	world_mkdir(world, "2/d");
	world_write(world, "1/d/f", "x");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (low = limit, low.rlim_cur = 1; rc < 0; low.rlim_cur++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		rc = use_all(specs);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_true(rc == 0 || rc == -EMFILE);
		assert_int_equal(world_open_descriptors(), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		WORLD_TEST(test_stack_tells_its_layers_topmost_first),
		WORLD_TEST(test_ids_are_checked),
		WORLD_TEST(test_sixty_four_layers_are_one_base),
		WORLD_TEST(test_what_can_not_be_opened_is_named),
		WORLD_TEST(test_another_directory_than_expected_is_refused),
		WORLD_TEST(test_layer_stays_the_directory_that_was_opened),
		WORLD_TEST(test_stacks_of_a_store_share_bounds_and_changes),
		WORLD_TEST(test_any_allocation_may_fail),
		WORLD_TEST(test_any_descriptor_may_be_missing),
		WORLD_TEST(test_bounds_follow_the_limit_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
