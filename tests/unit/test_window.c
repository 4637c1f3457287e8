/* Slots of one window, against an array of what each block should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "window.h"

struct dropped {
	struct slot slots[WINDOW_BLOCKS];
	unsigned count;
};

static void note(void *context, const struct slot *slot)
{
	struct dropped *dropped = context;

	dropped->slots[dropped->count++] = *slot;
}

static struct slot zeros(unsigned first, unsigned count)
{
	return (struct slot){ .first = (uint16_t)first,
			      .count = (uint16_t)count,
			      .kind = SLOT_KIND_ZERO };
}

static struct slot data(unsigned first, uint16_t block)
{
	return (struct slot){ .first = (uint16_t)first,
			      .count = 1,
			      .kind = SLOT_KIND_RAW,
			      .segment = 1,
			      .block = block };
}

static void replace(struct window *window, unsigned begin, unsigned end,
		    const struct slot *slots, unsigned count)
{
	assert_int_equal(window_replace(window, begin, end, slots, count, NULL,
					NULL),
			 0);
}

static void assert_slot(const struct window *window, unsigned i, unsigned first,
			unsigned count)
{
	assert_true(i < window->slot_count);
	assert_int_equal(window->slots[i].first, first);
	assert_int_equal(window->slots[i].count, count);
}

static void test_an_empty_window_covers_nothing(void **state)
{
	struct window window = { 0 };

	(void)state;
	assert_null(window_slot(&window, 0));
	assert_null(window_slot(&window, WINDOW_BLOCKS - 1));
	assert_int_equal(window_search(&window, 0), 0);
}

static void test_a_slot_covers_its_blocks_and_no_others(void **state)
{
	struct slot slot = zeros(10, 5);
	struct window window = { 0 };

	(void)state;
	replace(&window, 10, 15, &slot, 1);
	assert_null(window_slot(&window, 9));
	assert_non_null(window_slot(&window, 10));
	assert_non_null(window_slot(&window, 14));
	assert_null(window_slot(&window, 15));
	assert_int_equal(window_search(&window, 14), 0);
	assert_int_equal(window_search(&window, 15), 1);
	free(window.slots);
}

static void test_a_hole_in_zeros_leaves_both_ends(void **state)
{
	struct slot slot = zeros(0, WINDOW_BLOCKS);
	struct window window = { 0 };

	(void)state;
	replace(&window, 0, WINDOW_BLOCKS, &slot, 1);
	replace(&window, 100, 101, NULL, 0);
	assert_int_equal(window.slot_count, 2);
	assert_slot(&window, 0, 0, 100);
	assert_slot(&window, 1, 101, WINDOW_BLOCKS - 101);
	slot = data(100, 7);
	replace(&window, 100, 101, &slot, 1);
	assert_int_equal(window.slot_count, 3);
	assert_slot(&window, 1, 100, 1);
	free(window.slots);
}

static void test_every_part_of_data_that_goes_is_told(void **state)
{
	struct slot slots[4] = { data(3, 1), zeros(4, 2), data(6, 2),
				 data(7, 3) };
	struct dropped dropped = { .count = 0 };
	struct window window = { 0 };

	(void)state;
	replace(&window, 3, 8, slots, 4);
	assert_int_equal(window_replace(&window, 4, 7, NULL, 0, note, &dropped),
			 0);
	assert_int_equal(dropped.count, 1);
	assert_int_equal(dropped.slots[0].block, 2);
	assert_int_equal(window_replace(&window, 0, WINDOW_BLOCKS, NULL, 0,
					note, &dropped),
			 0);
	assert_int_equal(dropped.count, 3);
	assert_int_equal(dropped.slots[1].block, 1);
	assert_int_equal(dropped.slots[2].block, 3);
	assert_int_equal(window.slot_count, 0);
	free(window.slots);
}

static void check(const struct window *window, const uint16_t *blocks)
{
	unsigned i, end = 0;

	for (i = 0; i < window->slot_count; i++) {
		assert_true(window->slots[i].first >= end);
		end = (unsigned)window->slots[i].first + window->slots[i].count;
	}
	assert_true(end <= WINDOW_BLOCKS);
	for (i = 0; i < WINDOW_BLOCKS; i++) {
		const struct slot *slot = window_slot(window, i);

		assert_int_equal(slot ? (slot->kind == SLOT_KIND_ZERO ?
						 UINT16_MAX :
						 slot->block) :
					0,
				 blocks[i]);
	}
}

/* 0: not covered, UINT16_MAX: zeros. */
static void test_any_row_of_changes_equals_an_array(void **state)
{
	uint16_t blocks[WINDOW_BLOCKS] = { 0 };
	struct window window = { 0 };
	uint16_t next = 1;
	unsigned round, i;

	(void)state;
	srand(5);
	for (round = 0; round < 2000; round++) {
		unsigned begin = (unsigned)rand() % WINDOW_BLOCKS;
		unsigned most = WINDOW_BLOCKS - begin;
		unsigned count = 1 + (unsigned)rand() % (most < 40 ? most : 40);
		unsigned kind = (unsigned)rand() % 3;
		struct slot slots[40];

		for (i = 0; i < count; i++) {
			slots[i] = data(begin + i, next);
			blocks[begin + i] = kind == 0 ? 0 :
					    kind == 1 ? UINT16_MAX :
							next++;
		}
		if (kind == 1)
			slots[0] = zeros(begin, count);
		replace(&window, begin, begin + count, slots,
			kind == 2 ? count : kind);
		if (next > 60000)
			next = 1;
		check(&window, blocks);
	}
	free(window.slots);
}

static void test_a_window_of_single_blocks_is_full_at_its_size(void **state)
{
	struct window window = { 0 };
	struct slot slot;
	unsigned i;

	(void)state;
	for (i = WINDOW_BLOCKS; i-- > 0;) {
		slot = data(i, (uint16_t)i);
		replace(&window, i, i + 1, &slot, 1);
	}
	assert_int_equal(window.slot_count, WINDOW_BLOCKS);
	assert_true(window.slot_capacity <= WINDOW_BLOCKS);
	assert_true(window_bytes(&window) >=
		    WINDOW_BLOCKS * sizeof(struct slot));
	free(window.slots);
}

static void test_the_same_chunk_is_the_same_place(void **state)
{
	struct slot slots[2] = { data(0, 5), zeros(1, 1) };
	struct slot other = data(9, 5), zero = zeros(3, 1);

	(void)state;
	assert_true(window_uses_chunk(slots, 2, &other));
	other.segment = 2;
	assert_false(window_uses_chunk(slots, 2, &other));
	assert_false(window_uses_chunk(slots, 2, &zero));
	assert_false(window_uses_chunk(NULL, 0, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_window_covers_nothing),
		cmocka_unit_test(test_a_slot_covers_its_blocks_and_no_others),
		cmocka_unit_test(test_a_hole_in_zeros_leaves_both_ends),
		cmocka_unit_test(test_every_part_of_data_that_goes_is_told),
		cmocka_unit_test(test_any_row_of_changes_equals_an_array),
		cmocka_unit_test(
			test_a_window_of_single_blocks_is_full_at_its_size),
		cmocka_unit_test(test_the_same_chunk_is_the_same_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
