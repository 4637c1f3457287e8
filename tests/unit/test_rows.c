/* Rows of history, segments and base come back, or are refused. */
#include "index_world.h"

struct seen {
	int count;
	uint64_t ids[8];
	int end_with;
};

static int see(struct seen *seen, uint64_t id)
{
	seen->ids[seen->count++] = id;
	return seen->end_with;
}

static int see_line(void *context, const struct line_row *row)
{
	assert_int_equal(row->fork_gen, row->id + 10);
	return see(context, row->id);
}

static int see_snapshot(void *context, const struct snapshot_row *row)
{
	assert_string_equal(row->name, "before upgrade");
	assert_string_equal(row->note, "n");
	assert_true(row->refer_blocks == UINT64_MAX);
	assert_int_equal(row->deleted_ns, -5);
	return see(context, row->id);
}

static int see_branch(void *context, const struct branch_row *row)
{
	assert_string_equal(row->name, "main");
	assert_true(row->changed);
	assert_int_equal(row->written_blocks, 77);
	return see(context, row->id);
}

static int see_hold(void *context, const struct hold_row *row)
{
	assert_string_equal(row->tag, "tag");
	return see(context, row->snapshot);
}

static int see_operation(void *context, const struct operation_row *row)
{
	assert_int_equal(row->record_bytes, row->id == 3 ? 0 : 2);
	return see(context, row->id);
}

static int see_segment(void *context, const struct segment_row *row)
{
	assert_true(row->sealed && row->packed && !row->punch);
	assert_int_equal(row->live[SEGMENT_BITMAP_BYTES - 1], 0x80);
	return see(context, row->id);
}

static void test_history_rows_come_back_as_they_were_put(void **state)
{
	struct world *world = *state;
	struct index *index = world->index;
	struct snapshot_row snapshot = {
		.id = 4,
		.name = "before upgrade",
		.note = "n",
		.refer_blocks = UINT64_MAX,
		.deleted_ns = -5,
	};
	struct branch_row branch = {
		.id = UINT32_MAX,
		.name = "main",
		.changed = true,
		.written_blocks = 77,
	};
	struct hold_row hold = { .snapshot = 4, .tag = "tag" };
	struct seen seen = { 0 };

	for (uint32_t id = 3; id > 0; id--) {
		struct line_row line = { id, id - 1, id + 10, id };
		struct operation_row operation = {
			.id = id,
			.record = id == 3 ? NULL : "ab",
			.record_bytes = id == 3 ? 0 : 2,
		};

		assert_int_equal(index_line_put(index, &line), 0);
		assert_int_equal(index_operation_put(index, &operation), 0);
	}
	assert_int_equal(index_lines_load(index, see_line, &seen), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.ids[0], 1);
	seen = (struct seen){ .end_with = -EINTR };
	assert_int_equal(index_lines_load(index, see_line, &seen), -EINTR);
	assert_int_equal(seen.count, 1);

	seen = (struct seen){ 0 };
	assert_int_equal(index_operations_load(index, 0, see_operation, &seen),
			 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(index_operations_load(index, 2, see_operation, &seen),
			 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.ids[0], 3);
	assert_int_equal(index_operations_trim(index, 3, 1), 0);
	seen = (struct seen){ 0 };
	assert_int_equal(index_operations_load(index, SIZE_MAX, see_operation,
					       &seen),
			 0);
	assert_int_equal(seen.count, 1);

	assert_int_equal(index_snapshot_put(index, &snapshot), 0);
	assert_int_equal(index_branch_put(index, &branch), 0);
	assert_int_equal(index_hold_put(index, &hold), 0);
	seen = (struct seen){ 0 };
	assert_int_equal(index_snapshots_load(index, see_snapshot, &seen), 0);
	assert_int_equal(index_branches_load(index, see_branch, &seen), 0);
	assert_int_equal(index_holds_load(index, see_hold, &seen), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.ids[1], UINT32_MAX);
	assert_int_equal(index_hold_delete(index, 4, "tag"), 0);
	assert_int_equal(index_hold_delete(index, 4, "tag"), 0);
	assert_int_equal(index_snapshot_delete(index, 4), 0);
	assert_int_equal(index_branch_delete(index, UINT32_MAX), 0);
	assert_int_equal(index_line_delete(index, 2), 0);
	seen = (struct seen){ 0 };
	assert_int_equal(index_snapshots_load(index, see_snapshot, &seen), 0);
	assert_int_equal(index_branches_load(index, see_branch, &seen), 0);
	assert_int_equal(index_holds_load(index, see_hold, &seen), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(index_lines_load(index, see_line, &seen), 0);
	assert_int_equal(seen.count, 2);
}

static void test_segments_come_back(void **state)
{
	struct world *world = *state;
	uint8_t live[SEGMENT_BITMAP_BYTES] = { 0 };
	struct segment_row row = {
		.id = 9, .sealed = true, .packed = true, .live = live
	};
	struct seen seen = { 0 };

	live[SEGMENT_BITMAP_BYTES - 1] = 0x80;
	assert_int_equal(index_segment_put(world->index, &row), 0);
	assert_int_equal(index_segments_load(world->index, see_segment, &seen),
			 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(index_segment_delete(world->index, 9), 0);
	assert_int_equal(index_segments_load(world->index, see_segment, &seen),
			 0);
	assert_int_equal(seen.count, 1);
}

static void test_damaged_columns_are_unclean(void **state)
{
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key cursor = { 0 };
	struct seen seen = { 0 };
	size_t bytes;

	tamper(world, "INSERT INTO lines VALUES(1, 0, 4294967296, 0);" /*F-56*/
		      "INSERT INTO branches VALUES(1, CAST(x'610062' AS TEXT),"
		      "1,1,0,0,0,0,0,0,0,0);"
		      "INSERT INTO holds VALUES(1, x'61', 0);"
		      "INSERT INTO segments VALUES(1,0,0,0,0,0,0,x'00');"
		      "INSERT INTO windows VALUES(1,1,1,1,1,zeroblob(20000))");
	open_world(world);
	assert_int_equal(index_lines_load(world->index, see_line, &seen),
			 -EUCLEAN);
	assert_int_equal(index_branches_load(world->index, see_branch, &seen),
			 -EUCLEAN);
	assert_int_equal(index_holds_load(world->index, see_hold, &seen),
			 -EUCLEAN);
	assert_int_equal(index_segments_load(world->index, see_segment, &seen),
			 -EUCLEAN);
	assert_int_equal(index_window_scan(world->index, &cursor, row, &bytes),
			 -EUCLEAN);
	assert_int_equal(seen.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_history_rows_come_back_as_they_were_put),
		WORLD_TEST(test_segments_come_back),
		WORLD_TEST(test_damaged_columns_are_unclean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
