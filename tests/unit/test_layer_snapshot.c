/* Layers that are snapshots of other stores, of a source that is made up. */
#include "layers_world.h"

static struct layers_world *shown;
static int opened;

/* The directory "2" is what the other store shows. */
static int show(const struct base_fingerprint *expected, int *out_fd,
		struct failure *failure)
{
	if (expected->inode != 7)
		return failure_set(failure, FAILURE_BASE_CHANGED,
				   expected->path, "gone");
	opened++;
	*out_fd = openat(shown->fd, "2", O_PATH | O_DIRECTORY);
	return *out_fd < 0 ? -errno : 0;
}

static const struct snapshot_source source = { .open = show };

static const struct base_fingerprint snapshot = {
	.kind = BASE_KIND_SNAPSHOT,
	.path = "/srv/a@b.cowd@v1",
	.device = 1,
	.sample_hash = 2,
	.inode = 7,
};

static int open_over(struct layers_world *world,
		     const struct base_fingerprint *expected,
		     const struct snapshot_source *from, struct layers *beside,
		     struct layers **out_layers)
{
	char top[WORLD_PATH];
	const struct layer_spec specs[] = {
		{ .id = 1, .path = top },
		{ .id = 5, .expected = expected, .source = from },
	};

	shown = world;
	snprintf(top, sizeof(top), "%s/1", world->root);
	memset(&world->failure, 0, sizeof(world->failure));
	return beside ? layers_open_beside(beside, specs, 2, out_layers,
					   &world->failure) :
			layers_open(specs, 2, out_layers, &world->failure);
}

static void test_a_snapshot_is_merged_as_a_directory_is(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node = NULL;
	struct base_stat stat;

	world_write(world, "1/both", "top");
	world_write(world, "2/both", "snapshot");
	world_write(world, "2/below", "");
	assert_int_equal(
		open_over(world, &snapshot, &source, NULL, &world->layers), 0);
	assert_string_equal(layers_path(world->layers, 1), snapshot.path);
	assert_int_equal(layers_served(world->layers, 0), 0);
	assert_int_equal(layers_served(world->layers, 5), 0);
	assert_int_equal(layers_served(world->layers, 2), -ENOENT);
	assert_int_equal(base_root(world->layers, &world->top, &stat), 0);
	assert_int_equal(world_find(world, "both", &node, &stat), 0);
	assert_int_equal(stat.layer, 1);
	base_node_put(node);
	assert_int_equal(world_find(world, "below", &node, &stat), 0);
	assert_int_equal(stat.layer, 5);
	assert_int_equal(stat.inode,
			 base_number(5, world_inode(world, "2/below")));
	base_node_put(node);
}

static void test_stacks_of_one_store_share_it(void **state)
{
	struct layers_world *world = *state;
	struct layers *other;

	opened = 0;
	assert_int_equal(
		open_over(world, &snapshot, &source, NULL, &world->layers), 0);
	assert_int_equal(
		open_over(world, &snapshot, &source, world->layers, &other), 0);
	assert_int_equal(opened, 1);
	layers_put(other);
	assert_int_equal(layers_served(world->layers, 5), 0);
}

static void test_one_that_cannot_be_opened_is_named(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint other = snapshot;

	assert_int_equal(open_over(world, &snapshot, NULL, NULL,
				   &world->layers),
			 -EOPNOTSUPP);
	assert_string_equal(world->failure.object, snapshot.path);
	other.inode = 8;
	assert_int_equal(open_over(world, &other, &source, NULL,
				   &world->layers),
			 -ESTALE);
	assert_string_equal(world->failure.message, "gone");
}

static void test_uuid_and_id_make_it_the_same_not_its_name(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint other = snapshot;

	snprintf(other.path, sizeof(other.path), "/elsewhere/c@renamed");
	assert_int_equal(layer_snapshot_compare(&snapshot, &other, NULL), 0);
	other.inode++;
	assert_int_equal(layer_snapshot_compare(&snapshot, &other, NULL),
			 -ESTALE);
	other = snapshot;
	other.device++;
	assert_int_equal(layer_snapshot_compare(&snapshot, &other, NULL),
			 -ESTALE);
	other = snapshot;
	other.sample_hash++;
	assert_int_equal(layer_snapshot_compare(&snapshot, &other, NULL),
			 -ESTALE);
	other = snapshot;
	other.kind = BASE_KIND_DIRECTORY;
	assert_int_equal(layer_snapshot_compare(&snapshot, &other,
						&world->failure),
			 -ESTALE);
	assert_non_null(strstr(world->failure.message, "directory"));
}

static void test_its_store_ends_at_the_last_at_sign(void **state)
{
	(void)state;
	assert_int_equal(layer_store_bytes(&snapshot), strlen("/srv/a@b.cowd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_snapshot_is_merged_as_a_directory_is,
			world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			test_stacks_of_one_store_share_it, world_setup,
			world_teardown),
		cmocka_unit_test_setup_teardown(
			test_one_that_cannot_be_opened_is_named, world_setup,
			world_teardown),
		cmocka_unit_test_setup_teardown(
			test_uuid_and_id_make_it_the_same_not_its_name,
			world_setup, world_teardown),
		cmocka_unit_test(test_its_store_ends_at_the_last_at_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
