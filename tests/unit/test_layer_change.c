/* Which layers a branch sees, and that what others see stays. */
#include "layered_world.h"

static void test_layers_are_listed_from_the_top(void **state)
{
	assert_layers(*state, "main", "tl");
}

static void test_a_layer_goes_where_it_is_wanted(void **state)
{
	struct store_world *world = *state;

	assert_ok(world, layer_add(world, "new", NULL, false));
	assert_layers(world, "main", "ntl");
	assert_ok(world, layer_remove(world, "new"));
	assert_layers(world, "main", "tl");
	assert_ok(world, layer_add(world, "new", "top", false));
	assert_layers(world, "main", "tnl");
	assert_ok(world, layer_remove(world, "new"));
	assert_ok(world, layer_add(world, "new", NULL, true));
	assert_layers(world, "main", "tln");
	assert_ok(world, layer_remove(world, world_place(world, "low")));
	assert_layers(world, "main", "tn");
}

static void test_a_change_survives_a_kill_and_a_restart(void **state)
{
	struct store_world *world = *state;

	assert_ok(world, layer_add(world, "new", "top", false));
	layered_crash(world);
	assert_layers(world, "main", "tnl");
	assert_ok(world, layer_remove(world, "top"));
	layered_crash(world);
	assert_layers(world, "main", "nl");
	layered_reopen(world);
	assert_layers(world, "main", "nl");
}

/* index.bak knows the row as soon as the log refers to it. */
static void test_the_copy_of_the_index_knows_a_new_layer(void **state)
{
	struct store_world *world = *state;
	struct view *view;
	struct layers *layers;

	assert_ok(world, layer_add(world, "new", NULL, false));
	store_abandon(world->store);
	unlink(world_place(world, "store/index.db-wal"));
	assert_int_equal(rename(world_place(world, "store/index.bak"),
				world_place(world, "store/index.db")),
			 0);
	layered_open(world);
	assert_layers(world, "main", "ntl");
	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	assert_ok(world, view_open_layers(view, &layers, &world->failure));
	layers_put(layers);
	view_put(view);
}

static void test_snapshots_and_clones_keep_their_own(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct branch_info info;
	uint32_t id = world_snapshot(world, "before");

	assert_ok(world, history_clone(world->store, "main", 0, "other",
				       &world_actor, &info, &world->failure));
	assert_ok(world, layer_add(world, "new", NULL, false));
	assert_ok(world, layer_remove(world, "low"));
	assert_layers(world, "main", "nt");
	assert_layers(world, "other", "tl");
	world_rollback(world, id, &result);
	assert_true(result.kept);
	assert_layers(world, "main", "tl");
	world_rollback(world, result.kept_as.id, &result);
	assert_layers(world, "main", "nt");
}

static void test_an_id_is_of_one_directory_for_ever(void **state)
{
	struct store_world *world = *state;
	uint32_t id;

	assert_ok(world, layer_add(world, "new", NULL, false));
	id = layer_named(world, "new").id;
	assert_int_equal(id, 3);
	assert_ok(world, layer_remove(world, "new"));
	world_mkdir(world, "next");
	assert_ok(world, layer_add(world, "next", NULL, false));
	assert_int_equal(layer_named(world, "next").id, 4);
	assert_ok(world, layer_add(world, "new", NULL, false));
	assert_int_equal(layer_named(world, "new").id, id);
}

static void test_a_layer_comes_back_under_its_own_name(void **state)
{
	struct store_world *world = *state;
	const struct layer_place top = { NULL, false };
	struct layer_info info;
	char spec[PATH_MAX];

	snprintf(spec, sizeof(spec), "known=%s", world_place(world, "new"));
	assert_ok(world,
		  store_layer_add(world->store, "main", spec, &top, false,
				  &world_actor, &info, &world->failure));
	assert_int_equal(layer_remove(world, "known"), 0);
	assert_ok(world,
		  store_layer_add(world->store, "main", spec, &top, false,
				  &world_actor, &info, &world->failure));
	assert_string_equal(info.name, "known");
	snprintf(spec, sizeof(spec), "known=%s", world_place(world, "low"));
	assert_failure(world,
		       store_layer_add(world->store, "main", spec, &top, false,
				       &world_actor, &info, &world->failure),
		       FAILURE_EXISTS);
}

static void test_a_dry_run_checks_and_changes_nothing(void **state)
{
	struct store_world *world = *state;
	const struct layer_place top = { NULL, false };
	struct layer_info info;

	assert_ok(world, store_layer_add(world->store, "main",
					 world_place(world, "new"), &top, true,
					 &world_actor, &info, &world->failure));
	assert_int_equal(info.position, 1);
	assert_int_equal(info.id, 3);
	assert_ok(world,
		  store_layer_remove(world->store, "main", "low", true,
				     &world_actor, &info, &world->failure));
	assert_layers(world, "main", "tl");
	assert_failure(world,
		       store_layer_add(world->store, "main",
				       world_place(world, "nowhere"), &top,
				       true, &world_actor, &info,
				       &world->failure),
		       FAILURE_FAILED);
}

static void undo(struct store_world *world, enum operation_kind kind)
{
	struct undo_result result;

	assert_ok(world, history_undo(world->store, 0, false, &world_actor,
				      &result, &world->failure));
	assert_int_equal(result.undone.kind, kind);
	assert_string_equal(result.branch, "main");
}

static void test_changes_are_in_the_log_and_can_be_undone(void **state)
{
	struct store_world *world = *state;
	struct operation_info *list;
	struct undo_result result;
	size_t count;

	assert_int_equal(layer_add(world, "new", "top", false), 0);
	assert_int_equal(layer_remove(world, "top"), 0);
	assert_layers(world, "main", "nl");
	assert_int_equal(history_operations(world->store, 9, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].text, "layer remove main top");
	assert_string_equal(list[1].text, "layer add main new");
	assert_int_equal(list[0].uid, 7);
	free(list);
	layered_crash(world);
	undo(world, OPERATION_LAYER_REMOVE);
	assert_layers(world, "main", "tnl");
	undo(world, OPERATION_LAYER_ADD);
	assert_layers(world, "main", "tl");
	assert_ok(world, history_undo(world->store, 4, false, &world_actor,
				      &result, &world->failure));
	assert_layers(world, "main", "tnl");
	layered_reopen(world);
	assert_layers(world, "main", "tnl");
}

static void test_what_changed_since_is_not_undone(void **state)
{
	struct store_world *world = *state;
	struct undo_result result;

	assert_int_equal(layer_remove(world, "low"), 0); /* op-1 */
	assert_int_equal(layer_add(world, "low", NULL, false), 0);
	assert_failure(world,
		       history_undo(world->store, 1, false, &world_actor,
				    &result, &world->failure),
		       FAILURE_UNSUPPORTED);
	assert_layers(world, "main", "lt");
}

static void test_what_makes_no_sense_is_refused(void **state)
{
	struct store_world *world = *state;

	assert_failure(world, layer_add(world, "top", NULL, false),
		       FAILURE_EXISTS);
	assert_failure(world, layer_add(world, "nowhere", NULL, false),
		       FAILURE_FAILED);
	assert_failure(world, layer_add(world, "store/lock", NULL, false),
		       FAILURE_FAILED);
	assert_failure(world, layer_add(world, "store/segments", NULL, false),
		       FAILURE_USAGE);
	assert_failure(world, layer_add(world, ".", NULL, false),
		       FAILURE_USAGE);
	assert_failure(world, layer_add(world, "new", "nosuch", false),
		       FAILURE_NOT_FOUND);
	assert_failure(world, layer_remove(world, "nosuch"), FAILURE_NOT_FOUND);
	assert_layers(world, "main", "tl");
	assert_ok(world, layer_remove(world, "top"));
	assert_failure(world, layer_remove(world, "top"), FAILURE_NOT_FOUND);
	assert_failure(world, layer_remove(world, "low"), FAILURE_USAGE);
	assert_failure(world, layer_add(world, "new", "top", false),
		       FAILURE_NOT_FOUND);
}

static void test_a_branch_that_is_open_is_left_alone(void **state)
{
	struct store_world *world = *state;
	struct view *view;

	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	assert_failure(world, layer_add(world, "new", NULL, false),
		       FAILURE_BUSY);
	assert_failure(world, layer_remove(world, "low"), FAILURE_BUSY);
	view_put(view);
	assert_layers(world, "main", "tl");
	assert_ok(world, layer_add(world, "new", NULL, false));
}

static void test_an_image_has_no_layers(void **state)
{
	struct store_world *world = *state;
	struct layer_info *list;
	size_t count;

	assert_failure(world, layer_add(world, "base", NULL, false),
		       FAILURE_USAGE);
	assert_failure(world, layer_remove(world, "base"), FAILURE_USAGE);
	assert_failure(world,
		       store_layers_list(world->store, "main", &list, &count,
					 &world->failure),
		       FAILURE_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYERED_TEST(test_layers_are_listed_from_the_top),
		LAYERED_TEST(test_a_layer_goes_where_it_is_wanted),
		LAYERED_TEST(test_a_layer_comes_back_under_its_own_name),
		LAYERED_TEST(test_a_change_survives_a_kill_and_a_restart),
		LAYERED_TEST(test_the_copy_of_the_index_knows_a_new_layer),
		LAYERED_TEST(test_snapshots_and_clones_keep_their_own),
		LAYERED_TEST(test_an_id_is_of_one_directory_for_ever),
		LAYERED_TEST(test_a_dry_run_checks_and_changes_nothing),
		LAYERED_TEST(test_changes_are_in_the_log_and_can_be_undone),
		LAYERED_TEST(test_what_changed_since_is_not_undone),
		LAYERED_TEST(test_what_makes_no_sense_is_refused),
		LAYERED_TEST(test_a_branch_that_is_open_is_left_alone),
		WORLD_TEST(test_an_image_has_no_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
