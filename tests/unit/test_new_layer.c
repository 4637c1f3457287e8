/* What may become a layer, and what it is called. */
#include "layered_world.h"

#include "layers.h"
#include "new_layer.h"

static int create(struct store_world *world, const char *store,
		  const char *const *specs, size_t count,
		  struct layer_info **out_list)
{
	struct store_create_params params = {
		.path = world_place(world, store),
		.layer_paths = specs,
		.layer_count = count,
	};

	world->failure = (struct failure){ 0 };
	return store_create_layers(&params, out_list, &world->failure);
}

static void test_a_layer_is_called_as_its_path_ends(void **state)
{
	struct store_world *world = *state;
	const char *specs[4] = { world_place(world, "top"), NULL, NULL, "/" };
	struct layer_info *list;
	char named[128];

	snprintf(named, sizeof(named), "mine=%s", world_place(world, "low"));
	world_mkdir(world, "a@b");
	specs[1] = named;
	specs[2] = world_place(world, "a@b");
	/* The store would be in the last one. */
	assert_true(create(world, "s", specs, 4, &list) < 0);
	assert_ok(world, create(world, "s", specs, 3, &list));
	assert_string_equal(list[0].name, "top");
	assert_string_equal(list[1].name, "mine");
	assert_string_equal(list[2].name, "layer3");
	assert_string_equal(list[1].path, specs[1] + 5);
	free(list);
}

static void test_two_of_one_name_are_told_apart(void **state)
{
	struct store_world *world = *state;
	const char *specs[2];
	struct layer_info *list;

	world_mkdir(world, "new/top");
	specs[0] = world_place(world, "top");
	specs[1] = world_place(world, "new/top");
	assert_ok(world, create(world, "s", specs, 2, &list));
	assert_string_equal(list[0].name, "top");
	assert_string_equal(list[1].name, "layer2");
	free(list);
}

static void test_what_is_there_is_a_path_whatever_is_in_it(void **state)
{
	struct store_world *world = *state;

	assert_int_equal(chdir(world->directory), 0);
	assert_string_equal(layer_spec_path("a=/x"), "/x");
	assert_string_equal(layer_spec_path("a=b"), "b");
	assert_string_equal(layer_spec_path("./a=b"), "./a=b");
	assert_string_equal(layer_spec_path("/a=b"), "/a=b");
	assert_string_equal(layer_spec_path("=b"), "=b");
	assert_string_equal(layer_spec_path("b"), "b");
	world_mkdir(world, "a=b");
	assert_string_equal(layer_spec_path("a=b"), "a=b");
	assert_int_equal(chdir("/"), 0);
}

static void refused(struct store_world *world, const char *store, const char *a,
		    const char *b, enum failure_code code)
{
	const char *specs[2] = { a, b };
	struct layer_info *list;

	if (create(world, store, specs, b ? 2 : 1, &list) == 0)
		fail_msg("%s %s", a, b ? b : "");
	assert_int_equal(world->failure.code, code);
	assert_true(world->failure.object[0] != '\0');
}

static void test_what_cannot_be_a_layer_is_refused(void **state)
{
	struct store_world *world = *state;
	char named[2][128], long_name[400];

	refused(world, "s", world_place(world, "none"), NULL, FAILURE_FAILED);
	refused(world, "s", world_place(world, "store/lock"), NULL,
		FAILURE_FAILED);
	refused(world, "s", world_place(world, "store"), NULL, FAILURE_USAGE);
	refused(world, "s", world_place(world, "store/segments"), NULL,
		FAILURE_USAGE);
	refused(world, "top/s", world_place(world, "top"), NULL, FAILURE_USAGE);
	refused(world, "s", world->directory, NULL, FAILURE_USAGE);
	refused(world, "s", world_place(world, "top"),
		world_place(world, "new/../top"), FAILURE_USAGE);
	snprintf(named[0], 128, "a=%s", world_place(world, "top"));
	snprintf(named[1], 128, "a=%s", world_place(world, "low"));
	refused(world, "s", named[0], named[1], FAILURE_EXISTS);
	refused(world, "s", "a=", NULL, FAILURE_USAGE);
	snprintf(named[0], 128, "a@b=%s", world_place(world, "top"));
	refused(world, "s", named[0], NULL, FAILURE_USAGE);
	memset(long_name, 'x', 300);
	snprintf(long_name + 300, 100, "=%s", world_place(world, "top"));
	refused(world, "s", long_name, NULL, FAILURE_USAGE);
}

static void test_a_link_to_a_layer_is_the_layer(void **state)
{
	struct store_world *world = *state;

	assert_int_equal(symlink("top", world_place(world, "link")), 0);
	refused(world, "link/s", world_place(world, "top"), NULL,
		FAILURE_USAGE);
	refused(world, "s", world_place(world, "top"),
		world_place(world, "link"), FAILURE_USAGE);
}

/* --- snapshots, of a source that is made up --- */

static char held[3][300];
static unsigned hold_count, refuse_hold;

static int find(const char *text, const uint64_t own_uuid[2],
		struct base_fingerprint *out_fingerprint,
		struct failure *failure)
{
	(void)own_uuid;
	if (strstr(text, "none"))
		return failure_set(failure, FAILURE_NOT_FOUND, text, "none");
	*out_fingerprint = (struct base_fingerprint){
		.kind = BASE_KIND_SNAPSHOT,
		.device = 1,
		.inode = text[strlen(text) - 1] == '2' ? 2 : 1,
	};
	snprintf(out_fingerprint->path, sizeof(out_fingerprint->path), "%s",
		 text);
	return 0;
}

static int hold(const struct base_fingerprint *snapshot, const char *tag,
		bool on, struct failure *failure)
{
	if (on && hold_count + 1 == refuse_hold)
		return failure_set(failure, FAILURE_HELD, tag, "refused");
	if (on)
		snprintf(held[hold_count++], 300, "%s %u", tag,
			 (unsigned)snapshot->inode);
	else
		hold_count--;
	return 0;
}

static const struct snapshot_source source = { .find = find, .hold = hold };

static int create_over(struct store_world *world, const char *const *specs,
		       size_t count)
{
	struct store_create_params params = {
		.path = world_place(world, "a b:c"),
		.layer_paths = specs,
		.layer_count = count,
		.source = &source,
	};

	hold_count = 0;
	world->failure = (struct failure){ 0 };
	config_defaults(&params.config);
	return store_create(&params, &world->failure);
}

static void test_a_snapshot_is_held_and_called_as_it_is(void **state)
{
	struct store_world *world = *state;
	const char *specs[] = { "/srv/a.cowd@v1", "x=/srv/a.cowd@v2" };
	const struct base_row *rows;
	struct store *store;
	size_t count;

	assert_ok(world, create_over(world, specs, 2));
	assert_int_equal(hold_count, 2);
	assert_int_equal(strncmp(held[0], "layer-of-a_b_c-", 15), 0);
	assert_string_equal(strrchr(held[0], ' '), " 1");
	assert_string_equal(strrchr(held[1], ' '), " 2");
	assert_ok(world, store_open_with(world_place(world, "a b:c"), NULL,
					 &source, &store, &world->failure));
	rows = store_layer_rows(store, &count);
	assert_int_equal(count, 2);
	assert_string_equal(rows[0].name, "a.cowd-v1");
	assert_string_equal(rows[0].fingerprint.path, specs[0]);
	assert_int_equal(rows[0].fingerprint.kind, BASE_KIND_SNAPSHOT);
	assert_string_equal(rows[1].name, "x");
	assert_int_equal(store_close(store), 0);
}

static void test_a_hold_that_is_refused_leaves_nothing(void **state)
{
	struct store_world *world = *state;
	const char *specs[] = { "/srv/a.cowd@v1", "/srv/a.cowd@v2" };

	refuse_hold = 2;
	assert_true(create_over(world, specs, 2) < 0);
	refuse_hold = 0;
	assert_string_equal(world->failure.message, "refused");
	assert_int_equal(hold_count, 0);
	assert_int_equal(access(world_place(world, "a b:c"), F_OK), -1);
}

static void test_one_snapshot_is_one_layer(void **state)
{
	struct store_world *world = *state;
	const char *specs[] = { "/srv/a.cowd@v1", "/srv/b.cowd@v1" };

	assert_failure(world, create_over(world, specs, 2), FAILURE_USAGE);
	specs[1] = "/srv/none.cowd@v1";
	assert_true(create_over(world, specs, 2) < 0);
	assert_int_equal(world->failure.code, FAILURE_NOT_FOUND);
	assert_int_equal(hold_count, 0);
}

static void test_a_directory_that_is_called_so_wins(void **state)
{
	struct store_world *world = *state;
	const char *specs[1];

	world_mkdir(world, "low@none");
	specs[0] = world_place(world, "low@none");
	assert_ok(world, create_over(world, specs, 1));
	assert_int_equal(hold_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYERED_TEST(test_a_layer_is_called_as_its_path_ends),
		LAYERED_TEST(test_two_of_one_name_are_told_apart),
		LAYERED_TEST(test_what_is_there_is_a_path_whatever_is_in_it),
		LAYERED_TEST(test_what_cannot_be_a_layer_is_refused),
		LAYERED_TEST(test_a_link_to_a_layer_is_the_layer),
		LAYERED_TEST(test_a_snapshot_is_held_and_called_as_it_is),
		LAYERED_TEST(test_a_hold_that_is_refused_leaves_nothing),
		LAYERED_TEST(test_one_snapshot_is_one_layer),
		LAYERED_TEST(test_a_directory_that_is_called_so_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
