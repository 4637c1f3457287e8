/*
 * The leapfrog, for windows and items, compared with brute force over random
 * trees of lines.
 */
#include "index_world.h"

/* A random tree of lines; a child forks at some generation of its parent
 * and begins after it. Generations count over the whole store. */
enum { LINES = 12, GENS = 40, WINDOWS = 3 };

struct tree {
	uint32_t parent[LINES + 1], fork[LINES + 1], first[LINES + 1];
	bool row[WINDOWS][LINES + 1][GENS];
};

static void grow(struct tree *tree, struct index *index, unsigned *seed)
{
	memset(tree, 0, sizeof(*tree));
	for (uint32_t line = 1; line <= LINES; line++) {
		uint32_t parent = line == 1 ? 0 : (uint32_t)rand_r(seed) % line;
		uint32_t fork = (uint32_t)rand_r(seed) % GENS;

		tree->parent[line] = parent;
		tree->fork[line] = fork;
		for (uint32_t gen = 0; gen < GENS; gen++) {
			for (uint32_t w = 0; w < WINDOWS; w++) {
				struct window_key key = { 7, w, line, gen };
				uint8_t row[4] = { (uint8_t)w, (uint8_t)line,
						   (uint8_t)gen, 1 };

				/* Sparse, dense and empty lines. */
				if (rand_r(seed) % (int)(1 + line * 3) != 0)
					continue;
				tree->row[w][line][gen] = true;
				assert_int_equal(index_window_put(index, &key,
								  row, 4),
						 0);
				assert_int_equal(
					index_item_put(index, (uint8_t *)&w, 1,
						       &(struct item_version){
							       line, gen },
						       row, 4),
					0);
			}
		}
	}
}

static struct line_path *path_to(const struct tree *tree, uint32_t line,
				 uint32_t gen)
{
	struct line_path *path =
		calloc(1, sizeof(*path) + (LINES + 1) * sizeof(path->level[0]));
	uint32_t at, count = 0;

	assert_non_null(path);
	for (at = line; at; at = tree->parent[at])
		count++;
	path->count = count;
	for (at = line; at; gen = tree->fork[at], at = tree->parent[at])
		path->level[--count] = (struct line_limit){ at, gen };
	return path;
}

static bool brute(const struct tree *tree, const struct line_path *path,
		  uint32_t w, uint32_t *line, uint32_t *gen)
{
	for (uint32_t i = path->count; i-- > 0;) {
		*line = path->level[i].line;
		for (*gen = path->level[i].gen + 1; (*gen)-- > 0;)
			if (tree->row[w][*line][*gen])
				return true;
	}
	return false;
}

static void compare(struct index *index, const struct tree *tree, uint32_t line,
		    uint32_t gen, uint32_t w)
{
	AUTO_FREE struct line_path *path = path_to(tree, line, gen);
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	uint32_t want_line, want_gen;
	struct item_version version;
	struct window_key key;
	uint8_t value[4];
	size_t row_bytes = 0, value_bytes = 0;
	bool found = brute(tree, path, w, &want_line, &want_gen);
	int rc = index_window_find(index, path, 7, w, &key, row, &row_bytes);

	assert_int_equal(rc, found ? 0 : -ENOENT);
	assert_int_equal(index_item_find(index, path, (uint8_t *)&w, 1,
					 &version, value, sizeof(value),
					 &value_bytes),
			 rc);
	if (!found)
		return;
	assert_int_equal(key.line, want_line);
	assert_int_equal(key.gen, want_gen);
	assert_int_equal(row_bytes, 4);
	assert_int_equal(row[0], w);
	assert_int_equal(row[1], want_line);
	assert_int_equal(row[2], want_gen);
	assert_int_equal(version.line, want_line);
	assert_int_equal(version.gen, want_gen);
	assert_int_equal(value_bytes, 4);
	assert_memory_equal(value, row, 4);
}

static void test_the_leapfrog_finds_what_brute_force_finds(void **state)
{
	struct world *world = *state;
	static struct tree tree;

	for (unsigned round = 0; round < 12; round++) {
		unsigned seed = round;

		grow(&tree, world->index, &seed);
		for (uint32_t line = 1; line <= LINES; line++)
			for (uint32_t gen = 0; gen < GENS; gen += 3)
				for (uint32_t w = 0; w < WINDOWS; w++)
					compare(world->index, &tree, line, gen,
						w);
		close_world(world); /* forgets the tree */
		open_world(world);
	}
}

static void test_an_empty_path_finds_nothing(void **state)
{
	struct world *world = *state;
	struct line_path path = { 1, 0 };
	struct item_version version;
	size_t bytes;

	assert_int_equal(index_item_find(world->index, &path, (uint8_t *)"k", 1,
					 &version, NULL, 0, &bytes),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_the_leapfrog_finds_what_brute_force_finds),
		WORLD_TEST(test_an_empty_path_finds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
