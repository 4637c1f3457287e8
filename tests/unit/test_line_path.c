/* Looking up a line in the path of a view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index.h"

static struct line_path *path_of(const struct line_limit *levels,
				 uint32_t count)
{
	struct line_path *path =
		calloc(1, sizeof(*path) + count * sizeof(path->level[0]));

	assert_non_null(path);
	path->count = count;
	for (uint32_t i = 0; i < count; i++)
		path->level[i] = levels[i];
	return path;
}

static void test_an_empty_path_has_no_line(void **state)
{
	AUTO_FREE struct line_path *path = path_of(NULL, 0);

	(void)state;
	assert_null(line_path_find(path, 0));
	assert_null(line_path_find(path, UINT32_MAX));
}

static void test_every_level_is_found_and_nothing_between(void **state)
{
	struct line_limit levels[9];

	(void)state;
	for (uint32_t count = 1; count <= 9; count++) {
		AUTO_FREE struct line_path *path = NULL;

		for (uint32_t i = 0; i < count; i++)
			levels[i] = (struct line_limit){ 3 * i + 1, i };
		path = path_of(levels, count);
		for (uint32_t line = 0; line <= 3 * count + 1; line++) {
			const struct line_limit *level =
				line_path_find(path, line);

			if (line % 3 == 1 && line < 3 * count)
				assert_ptr_equal(level, &path->level[line / 3]);
			else
				assert_null(level);
		}
	}
}

static void test_the_largest_line_is_found(void **state)
{
	const struct line_limit levels[] = { { 1, 0 }, { UINT32_MAX, 7 } };
	AUTO_FREE struct line_path *path = path_of(levels, 2);

	(void)state;
	assert_int_equal(line_path_find(path, UINT32_MAX)->gen, 7);
	assert_null(line_path_find(path, UINT32_MAX - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_path_has_no_line),
		cmocka_unit_test(test_every_level_is_found_and_nothing_between),
		cmocka_unit_test(test_the_largest_line_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
