/* Lines, branches and snapshots in memory: who sees what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct graph));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	graph_fini(*state);
	free(*state);
	return 0;
}

static void add_line(struct graph *graph, uint32_t id, uint32_t parent,
		     uint32_t fork_gen)
{
	struct line_row row = { id, parent, fork_gen, fork_gen + 1 };

	assert_int_equal(graph_add_line(graph, &row), 0);
	graph_refresh(graph);
}

static void add_branch(struct graph *graph, uint32_t id, uint32_t line,
		       uint32_t state)
{
	struct branch_row row = { .id = id, .line = line, .state = state };

	snprintf(row.name, sizeof(row.name), "b%u", id);
	assert_int_equal(graph_add_branch(graph, &row), 0);
	graph_refresh(graph);
}

static void add_snapshot(struct graph *graph, uint32_t id, uint32_t line,
			 uint32_t gen, uint32_t state)
{
	struct snapshot_row row = {
		.id = id, .line = line, .gen = gen, .state = state
	};

	snprintf(row.name, sizeof(row.name), "s%u", id);
	assert_int_equal(graph_add_snapshot(graph, &row), 0);
	graph_refresh(graph);
}

static void test_what_was_added_in_any_order_is_found(void **state)
{
	struct graph *graph = *state;
	uint32_t i;

	for (i = 0; i < 101; i++)
		add_snapshot(graph, 1 + i * 37 % 101, 1, 5,
			     SNAPSHOT_STATE_LIVE);
	for (i = 1; i <= 101; i++)
		assert_int_equal(graph_snapshot(graph, i)->row.id, i);
	assert_null(graph_snapshot(graph, 0));
	assert_null(graph_snapshot(graph, 102));
	for (i = 1; i <= 101; i += 2)
		graph_remove_snapshot(graph, i);
	for (i = 1; i <= 101; i++)
		assert_int_equal(!graph_snapshot(graph, i), i % 2);
}

/* A17 */
static void test_an_id_is_taken_once(void **state)
{
	struct snapshot_row snapshot = { .id = 3 };
	struct branch_row branch = { .id = 3 };
	struct line_row line = { .id = 3 };
	struct graph *graph = *state;

	assert_int_equal(graph_add_snapshot(graph, &snapshot), 0);
	assert_int_equal(graph_add_snapshot(graph, &snapshot), -EEXIST);
	assert_int_equal(graph_add_branch(graph, &branch), 0);
	assert_int_equal(graph_add_branch(graph, &branch), -EEXIST);
	assert_int_equal(graph_add_line(graph, &line), 0);
	assert_int_equal(graph_add_line(graph, &line), -EEXIST);
}

static void test_a_name_in_the_trash_is_free(void **state)
{
	struct graph *graph = *state;

	add_snapshot(graph, 1, 1, 5, SNAPSHOT_STATE_TRASH);
	add_branch(graph, 1, 1, BRANCH_STATE_TRASH);
	assert_null(graph_snapshot_named(graph, "s1"));
	assert_null(graph_branch_named(graph, "b1"));
	graph_snapshot(graph, 1)->row.state = SNAPSHOT_STATE_LIVE;
	graph_branch(graph, 1)->row.state = BRANCH_STATE_LIVE;
	assert_ptr_equal(graph_snapshot_named(graph, "s1"),
			 graph_snapshot(graph, 1));
	assert_ptr_equal(graph_branch_named(graph, "b1"),
			 graph_branch(graph, 1));
}

static void test_a_branch_that_is_being_deleted_has_no_line(void **state)
{
	struct graph *graph = *state;

	add_branch(graph, 1, 4, BRANCH_STATE_DELETING);
	assert_null(graph_branch_of_line(graph, 4));
	add_branch(graph, 2, 4, BRANCH_STATE_TRASH);
	assert_int_equal(graph_branch_of_line(graph, 4)->row.id, 2);
}

static void test_a_path_ends_where_each_line_left_its_parent(void **state)
{
	struct graph *graph = *state;
	struct line_path *path;

	add_line(graph, 1, 0, 0);
	add_line(graph, 2, 1, 10);
	add_line(graph, 5, 2, 20);
	path = graph_path(graph, 5, 33);
	assert_int_equal(path->count, 3);
	assert_int_equal(path->level[0].line, 1);
	assert_int_equal(path->level[0].gen, 10);
	assert_int_equal(path->level[1].line, 2);
	assert_int_equal(path->level[1].gen, 20);
	assert_int_equal(path->level[2].line, 5);
	assert_int_equal(path->level[2].gen, 33);
	free(path);
	graph_remove_line(graph, 2);
	assert_null(graph_path(graph, 5, 33));
}

/* A17 */
static void test_a_ring_of_lines_has_no_path(void **state)
{
	struct graph *graph = *state;

	add_line(graph, 1, 2, 1);
	add_line(graph, 2, 1, 1);
	assert_null(graph_path(graph, 1, 5));
}

static void test_the_last_point_is_the_newest_that_others_see(void **state)
{
	struct graph *graph = *state;

	add_line(graph, 1, 0, 0);
	add_branch(graph, 1, 1, BRANCH_STATE_LIVE);
	assert_int_equal(graph_last_point(graph, 1, 50), 0);
	add_snapshot(graph, 1, 1, 10, SNAPSHOT_STATE_LIVE);
	add_snapshot(graph, 2, 1, 20, SNAPSHOT_STATE_TRASH);
	add_snapshot(graph, 3, 1, 30, SNAPSHOT_STATE_DELETING);
	assert_int_equal(graph_last_point(graph, 1, 50), 20);
	assert_int_equal(graph_last_point(graph, 1, 20), 20);
	assert_int_equal(graph_last_point(graph, 1, 19), 10);
	assert_int_equal(graph_last_point(graph, 1, 9), 0);
}

static void test_a_line_that_nobody_is_on_keeps_but_does_not_see(void **state)
{
	struct graph *graph = *state;

	add_line(graph, 1, 0, 0);
	add_branch(graph, 1, 1, BRANCH_STATE_LIVE);
	add_line(graph, 2, 1, 10);
	assert_int_equal(graph_last_point(graph, 1, 50), 0);
	assert_int_equal(graph_last_kept(graph, 1, 50), 10);
	add_branch(graph, 2, 2, BRANCH_STATE_LIVE);
	assert_int_equal(graph_last_point(graph, 1, 50), 10);
	graph_branch(graph, 2)->row.state = BRANCH_STATE_DELETING;
	graph_refresh(graph);
	assert_int_equal(graph_last_point(graph, 1, 50), 0);
	assert_int_equal(graph_last_kept(graph, 1, 50), 10);
}

/* Rollbacks leave empty lines between a head and what it came from. */
static void test_empty_parents_are_as_good_as_folded(void **state)
{
	struct graph *graph = *state;

	add_line(graph, 1, 0, 0);
	add_line(graph, 2, 1, 10);
	add_line(graph, 3, 2, 20);
	add_branch(graph, 1, 3, BRANCH_STATE_LIVE);
	assert_int_equal(graph_last_point(graph, 3, 50), 0);
	add_snapshot(graph, 1, 1, 5, SNAPSHOT_STATE_LIVE);
	assert_int_equal(graph_last_point(graph, 3, 50), 10);
	add_snapshot(graph, 2, 2, 20, SNAPSHOT_STATE_LIVE);
	assert_int_equal(graph_last_point(graph, 3, 50), 20);
}

static void test_a_parent_that_two_have_left_is_a_point_of_both(void **state)
{
	struct graph *graph = *state;

	add_line(graph, 1, 0, 0);
	add_line(graph, 2, 1, 10);
	add_line(graph, 3, 1, 20);
	add_branch(graph, 1, 2, BRANCH_STATE_LIVE);
	add_branch(graph, 2, 3, BRANCH_STATE_LIVE);
	assert_int_equal(graph_last_point(graph, 2, 50), 10);
	assert_int_equal(graph_last_point(graph, 3, 50), 20);
	graph_branch(graph, 1)->row.state = BRANCH_STATE_DELETING;
	graph_refresh(graph);
	assert_int_equal(graph_last_point(graph, 3, 50), 0);
}

static void test_the_next_point_is_the_first_seen_or_left(void **state)
{
	struct graph *graph = *state;

	add_line(graph, 1, 0, 0);
	assert_int_equal(graph_next_point(graph, 1, 0), UINT32_MAX);
	add_snapshot(graph, 1, 1, 30, SNAPSHOT_STATE_LIVE);
	add_snapshot(graph, 2, 1, 10, SNAPSHOT_STATE_DELETING);
	add_line(graph, 2, 1, 20);
	assert_int_equal(graph_next_point(graph, 1, 0), 20);
	assert_int_equal(graph_next_point(graph, 1, 20), 20);
	assert_int_equal(graph_next_point(graph, 1, 21), 30);
	assert_int_equal(graph_next_point(graph, 1, 31), UINT32_MAX);
	assert_int_equal(graph_next_point(graph, 2, 0), UINT32_MAX);
}

static void test_a_ghost_has_nobody_and_at_most_one_child(void **state)
{
	struct graph *graph = *state;

	add_line(graph, 1, 0, 0);
	assert_true(graph_is_ghost(graph, graph_line(graph, 1)));
	add_line(graph, 2, 1, 10);
	assert_true(graph_is_ghost(graph, graph_line(graph, 1)));
	add_line(graph, 3, 1, 11);
	assert_false(graph_is_ghost(graph, graph_line(graph, 1)));
	graph_remove_line(graph, 2);
	assert_true(graph_is_ghost(graph, graph_line(graph, 1)));
	add_snapshot(graph, 1, 1, 4, SNAPSHOT_STATE_DELETING);
	assert_false(graph_is_ghost(graph, graph_line(graph, 1)));
	graph_remove_snapshot(graph, 1);
	add_branch(graph, 1, 1, BRANCH_STATE_DELETING);
	assert_false(graph_is_ghost(graph, graph_line(graph, 1)));
}

static void test_holds_are_counted(void **state)
{
	struct hold_row first = { .snapshot = 1, .tag = "a" };
	struct hold_row second = { .snapshot = 1, .tag = "b" };
	struct graph *graph = *state;

	add_snapshot(graph, 1, 1, 4, SNAPSHOT_STATE_LIVE);
	assert_int_equal(graph_add_hold(graph, &first), 0);
	assert_int_equal(graph_add_hold(graph, &second), 0);
	assert_int_equal(graph_snapshot(graph, 1)->hold_count, 2);
	graph_remove_hold(graph, 1, "c");
	graph_remove_hold(graph, 2, "a");
	assert_int_equal(graph_snapshot(graph, 1)->hold_count, 2);
	graph_remove_hold(graph, 1, "a");
	assert_int_equal(graph_snapshot(graph, 1)->hold_count, 1);
	assert_string_equal(graph->holds[0].tag, "b");
}

static void test_only_the_newest_operations_are_kept(void **state)
{
	struct history_record *record = calloc(1, sizeof(*record));
	struct graph *graph = *state;
	uint64_t i;

	assert_non_null(record);
	for (i = 1; i <= GRAPH_OPERATIONS_MAX + 7; i++) {
		record->time_ns = (int64_t)i;
		assert_int_equal(
			graph_add_operation(graph, i, i, false, record), 0);
	}
	free(record);
	assert_int_equal(graph->operation_count, GRAPH_OPERATIONS_MAX);
	for (i = 0; i < GRAPH_OPERATIONS_MAX; i++) {
		assert_int_equal(graph->operations[i].id, i + 8);
		assert_int_equal(graph->operations[i].record->time_ns, i + 8);
	}
}

static void test_changes_queue_in_order(void **state)
{
	struct change_queue queue;
	struct change *first, *second;

	(void)state;
	change_queue_init(&queue);
	first = change_add(&queue, CHANGE_HOLD, 0);
	second = change_add(&queue, CHANGE_OPERATION, 10);
	assert_ptr_equal(queue.first, first);
	assert_ptr_equal(first->next, second);
	assert_null(second->next);
	change_queue_free(&queue);
	assert_null(queue.first);
	assert_non_null(change_add(&queue, CHANGE_HOLD_DELETE, 0));
	assert_int_equal(queue.first->kind, CHANGE_HOLD_DELETE);
	change_queue_free(&queue);
}

#define GRAPH_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GRAPH_TEST(test_what_was_added_in_any_order_is_found),
		GRAPH_TEST(test_an_id_is_taken_once),
		GRAPH_TEST(test_a_name_in_the_trash_is_free),
		GRAPH_TEST(test_a_branch_that_is_being_deleted_has_no_line),
		GRAPH_TEST(test_a_path_ends_where_each_line_left_its_parent),
		GRAPH_TEST(test_a_ring_of_lines_has_no_path),
		GRAPH_TEST(test_the_last_point_is_the_newest_that_others_see),
		GRAPH_TEST(
			test_a_line_that_nobody_is_on_keeps_but_does_not_see),
		GRAPH_TEST(test_empty_parents_are_as_good_as_folded),
		GRAPH_TEST(test_a_parent_that_two_have_left_is_a_point_of_both),
		GRAPH_TEST(test_the_next_point_is_the_first_seen_or_left),
		GRAPH_TEST(test_a_ghost_has_nobody_and_at_most_one_child),
		GRAPH_TEST(test_holds_are_counted),
		GRAPH_TEST(test_only_the_newest_operations_are_kept),
		GRAPH_TEST(test_changes_queue_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
