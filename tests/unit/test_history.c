/* Snapshots: names, holds, the trash; what is refused and how. */
#include "store_world.h"

static int take(struct store_world *world, const char *name, const char *note)
{
	return history_snapshot(world->store, "main", name, note,
				SNAPSHOT_KIND_MANUAL, &world_actor, NULL,
				&world->failure);
}

static int drop(struct store_world *world, uint32_t id, bool now)
{
	return history_delete_snapshot(world->store, id, now, &world_actor,
				       &world->failure);
}

static int find(struct store_world *world, const char *name,
		struct snapshot_info *info)
{
	return history_find_snapshot(world->store, NULL, name, info,
				     &world->failure);
}

static void test_snapshots_keep_what_they_saw(void **state)
{
	struct store_world *world = *state;
	struct world_copy copies[6];
	uint32_t ids[6], i;
	char name[8];

	for (i = 0; i < 6; i++) {
		world_write(world, (size_t)i * 3000, 5000, i + 2);
		if (i == 3)
			world_resize(world, 12345);
		if (i == 4)
			world_resize(world, WORLD_BASE_BYTES + 99);
		copies[i] = world_copy(world);
		snprintf(name, sizeof(name), "s%u", i);
		ids[i] = world_snapshot(world, name);
		if (i == 2)
			assert_int_equal(store_checkpoint(world->store), 0);
	}
	world_write(world, 0, 40000, 99);
	for (i = 0; i < 6; i++)
		world_check_snapshot(world, ids[i], &copies[i]);
	world_crash(world);
	world_check(world);
	for (i = 0; i < 6; i++)
		world_check_snapshot(world, ids[i], &copies[i]);
	world_reopen(world);
	for (i = 0; i < 6; i++) {
		world_check_snapshot(world, ids[i], &copies[i]);
		free(copies[i].data);
	}
}

static void test_a_snapshot_is_durable_when_it_returns(void **state)
{
	struct store_world *world = *state;
	struct store_status status;

	world_write(world, 0, 5000, 2);
	world_snapshot(world, "s");
	store_status(world->store, &status);
	assert_int_equal(status.durable_records, status.log_records);
}

static void test_names_that_mean_something_else_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	"a/b",	   "a@b",   "a:b", "a,b",    "50%",  "a\nb",
		"\x7f", ".hidden", "-flag", "~1",  "latest", "base", "a\tb",
	};
	static const char *const good[] = { "a",     "A b",    "1",
					    "Übung", "a.b-c~", "latest2" };
	struct store_world *world = *state;
	char name[STORE_NAME_BYTES_MAX + 2];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_failure(world, take(world, bad[i], NULL), FAILURE_USAGE);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_ok(world, take(world, good[i], NULL));
	memset(name, 'n', sizeof(name));
	name[STORE_NAME_BYTES_MAX + 1] = '\0';
	assert_failure(world, take(world, name, NULL), FAILURE_USAGE);
	name[STORE_NAME_BYTES_MAX] = '\0';
	assert_ok(world, take(world, name, NULL));
	world_crash(world);
	assert_ok(world, find(world, name, &(struct snapshot_info){ 0 }));
}

static void test_a_note_is_kept_up_to_its_longest(void **state)
{
	struct store_world *world = *state;
	char note[STORE_NOTE_BYTES_MAX + 2];
	struct snapshot_info info;

	memset(note, 'x', sizeof(note));
	note[STORE_NOTE_BYTES_MAX + 1] = '\0';
	assert_failure(world, take(world, "s", note), FAILURE_USAGE);
	note[STORE_NOTE_BYTES_MAX] = '\0';
	assert_ok(world, take(world, "s", note));
	world_crash(world);
	assert_ok(world, find(world, "s", &info));
	assert_string_equal(info.note, note);
	world_reopen(world);
	assert_ok(world, find(world, "s", &info));
	assert_string_equal(info.note, note);
}

static void test_a_name_is_given_once(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");
	uint32_t other = world_snapshot(world, "t");

	assert_failure(world, take(world, "s", NULL), FAILURE_EXISTS);
	assert_failure(world,
		       history_rename_snapshot(world->store, other, "s",
					       &world_actor, &world->failure),
		       FAILURE_EXISTS);
	assert_ok(world, drop(world, id, false));
	assert_ok(world, take(world, "s", NULL));
}

static void test_a_branch_that_is_not_there_is_not_found(void **state)
{
	struct store_world *world = *state;

	assert_failure(world,
		       history_snapshot(world->store, "nope", "s", NULL,
					SNAPSHOT_KIND_MANUAL, &world_actor,
					NULL, &world->failure),
		       FAILURE_NOT_FOUND);
}

static void test_what_is_held_is_not_deleted(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");

	assert_ok(world, history_hold(world->store, id, "a", &world_actor,
				      &world->failure));
	assert_ok(world, history_hold(world->store, id, "b", &world_actor,
				      &world->failure));
	assert_failure(world,
		       history_hold(world->store, id, "a", &world_actor,
				    &world->failure),
		       FAILURE_EXISTS);
	world_reopen(world);
	assert_failure(world, drop(world, id, false), FAILURE_HELD);
	assert_failure(world, drop(world, id, true), FAILURE_HELD);
	assert_ok(world, history_release(world->store, id, "a", &world_actor,
					 &world->failure));
	assert_failure(world,
		       history_release(world->store, id, "a", &world_actor,
				       &world->failure),
		       FAILURE_NOT_FOUND);
	world_crash(world);
	assert_failure(world, drop(world, id, false), FAILURE_HELD);
	assert_ok(world, history_release(world->store, id, "b", &world_actor,
					 &world->failure));
	assert_ok(world, drop(world, id, false));
}

static void test_what_is_open_is_not_deleted_for_good(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");
	struct view *view;

	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	assert_failure(world, drop(world, id, true), FAILURE_BUSY);
	assert_ok(world, drop(world, id, false));
	view_put(view);
	assert_ok(world, drop(world, id, true));
	assert_failure(world,
		       view_open_snapshot(world->store, id, &view,
					  &world->failure),
		       FAILURE_NOT_FOUND);
}

static void test_what_was_deleted_for_good_stays_away(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s"), next;

	assert_ok(world, drop(world, id, true));
	assert_failure(world, drop(world, id, false), FAILURE_NOT_FOUND);
	assert_failure(world,
		       history_rename_snapshot(world->store, id, "x",
					       &world_actor, &world->failure),
		       FAILURE_NOT_FOUND);
	assert_failure(world,
		       history_hold(world->store, id, "x", &world_actor,
				    &world->failure),
		       FAILURE_NOT_FOUND);
	world_gc(world);
	world_reopen(world);
	next = world_snapshot(world, "s");
	assert_true(next > id); /* an id is never used again */
}

static void test_a_trashed_snapshot_is_neither_renamed_nor_held(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");

	assert_ok(world, drop(world, id, false));
	assert_failure(world,
		       history_rename_snapshot(world->store, id, "x",
					       &world_actor, &world->failure),
		       FAILURE_NOT_FOUND);
	assert_failure(world,
		       history_hold(world->store, id, "x", &world_actor,
				    &world->failure),
		       FAILURE_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_snapshots_keep_what_they_saw),
		WORLD_TEST(test_a_snapshot_is_durable_when_it_returns),
		WORLD_TEST(test_names_that_mean_something_else_are_refused),
		WORLD_TEST(test_a_note_is_kept_up_to_its_longest),
		WORLD_TEST(test_a_name_is_given_once),
		WORLD_TEST(test_a_branch_that_is_not_there_is_not_found),
		WORLD_TEST(test_what_is_held_is_not_deleted),
		WORLD_TEST(test_what_is_open_is_not_deleted_for_good),
		WORLD_TEST(test_what_was_deleted_for_good_stays_away),
		WORLD_TEST(test_a_trashed_snapshot_is_neither_renamed_nor_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
