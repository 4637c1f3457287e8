/* Replayed history is the history that was made, field by field. */
#include "store_world.h"

static void dump_lists(struct store_world *world, FILE *out)
{
	struct snapshot_info *snapshots;
	struct operation_info *operations;
	struct branch_info *branches;
	struct hold_info *holds;
	size_t count, i;

	assert_ok(world, history_snapshots(world->store, NULL, true, &snapshots,
					   &count, &world->failure));
	for (i = 0; i < count; i++) {
		const struct snapshot_info *s = &snapshots[i];

		fprintf(out, "@%u %s of %u %s after %u, %d %d, %ld %ld, ",
			s->id, s->name, s->branch_id, s->branch, s->parent_id,
			s->state, s->kind, (long)s->created_ns,
			(long)s->deleted_ns);
		fprintf(out, "%lu %lu %lu, %s, %u %u\n",
			(unsigned long)s->size_bytes,
			(unsigned long)s->refer_bytes,
			(unsigned long)s->written_bytes, s->note, s->hold_count,
			s->clone_count);
	}
	free(snapshots);
	assert_int_equal(
		history_branches(world->store, true, &branches, &count), 0);
	for (i = 0; i < count; i++) {
		const struct branch_info *b = &branches[i];

		fprintf(out, "%u %s of %u %s, %ld %ld, %lu %lu %lu, %d %u\n",
			b->id, b->name, b->parent_snapshot_id, b->parent,
			(long)b->created_ns, (long)b->deleted_ns,
			(unsigned long)b->size_bytes,
			(unsigned long)b->refer_bytes,
			(unsigned long)b->written_bytes, b->changed,
			b->snapshot_count);
	}
	free(branches);
	assert_int_equal(history_holds(world->store, 0, &holds, &count), 0);
	for (i = 0; i < count; i++)
		fprintf(out, "%u held by %s\n", holds[i].snapshot_id,
			holds[i].tag);
	free(holds);
	assert_int_equal(
		history_operations(world->store, 100, &operations, &count), 0);
	for (i = 0; i < count; i++)
		fprintf(out, "op-%lu %d %ld %u %lu %d %s\n",
			(unsigned long)operations[i].id, operations[i].kind,
			(long)operations[i].time_ns, operations[i].uid,
			(unsigned long)operations[i].undoes,
			operations[i].undone, operations[i].text);
	free(operations);
}

/* All that can be seen of history, as text. The caller frees. */
static char *dump(struct store_world *world)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	dump_lists(world, out);
	fclose(out);
	return text;
}

static void assert_unchanged(struct store_world *world, char *before)
{
	char *after = dump(world);

	assert_string_equal(before, after);
	free(after);
}

static void clone_and_shrink(struct store_world *world)
{
	struct branch_info info;

	assert_ok(world, history_clone(world->store, "main", 0, "c",
				       &world_actor, &info, &world->failure));
	assert_ok(world, history_resize(world->store, "c", 5000, &world_actor,
					&world->failure));
	assert_ok(world, history_rename_branch(world->store, "c", "d",
					       &world_actor, &world->failure));
	assert_ok(world, history_clone(world->store, "d", 0, "gone",
				       &world_actor, &info, &world->failure));
	assert_ok(world, history_delete_branch(world->store, "gone", false,
					       &world_actor, &world->failure));
}

/* Every kind of operation, some saved and some only in the log. */
static void make_history(struct store_world *world, bool checkpoint)
{
	struct rollback_result result;
	uint32_t a, b;

	world_write(world, 0, 9000, 2);
	a = world_snapshot(world, "a");
	world_write(world, 4000, 9000, 3);
	b = world_snapshot(world, "b");
	assert_ok(world, history_hold(world->store, a, "h", &world_actor,
				      &world->failure));
	assert_ok(world, history_hold(world->store, b, "h", &world_actor,
				      &world->failure));
	if (checkpoint)
		assert_int_equal(store_checkpoint(world->store), 0);
	assert_ok(world, history_release(world->store, b, "h", &world_actor,
					 &world->failure));
	assert_ok(world,
		  history_rename_snapshot(world->store, b, "B", &world_actor,
					  &world->failure));
	world_write(world, 8000, 9000, 4);
	world_rollback(world, a, &result);
	world_undo(world, 0, &(struct undo_result){ 0 });
	clone_and_shrink(world);
	world_write(world, 100, 5000, 5);
	assert_ok(world,
		  history_delete_snapshot(world->store, b, false, &world_actor,
					  &world->failure));
}

static void test_replay_makes_the_same_history(void **state)
{
	struct store_world *world = *state;
	char *before;

	make_history(world, false);
	before = dump(world);
	world_crash(world);
	assert_unchanged(world, before);
	world_reopen(world);
	assert_unchanged(world, before);
	world_check(world);
	free(before);
}

static void test_half_saved_history_is_completed_by_replay(void **state)
{
	struct store_world *world = *state;
	char *before;

	make_history(world, true);
	before = dump(world);
	world_crash(world);
	assert_unchanged(world, before);
	world_check(world);
	free(before);
}

static void test_ids_go_on_after_a_replay(void **state)
{
	struct store_world *world = *state;
	struct branch_info first, second;
	uint32_t id = world_snapshot(world, "a");

	assert_ok(world, history_clone(world->store, "main", 0, "c",
				       &world_actor, &first, &world->failure));
	world_crash(world);
	assert_true(world_snapshot(world, "b") > id);
	assert_ok(world, history_clone(world->store, "main", 0, "d",
				       &world_actor, &second, &world->failure));
	assert_true(second.id > first.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_replay_makes_the_same_history),
		WORLD_TEST(test_half_saved_history_is_completed_by_replay),
		WORLD_TEST(test_ids_go_on_after_a_replay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
