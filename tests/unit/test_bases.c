/* Rows of base: what an image store, or a stack of layers, was made over. */
#include "index_world.h"

static const struct base_fingerprint image = {
	.kind = BASE_KIND_FILE,
	.path = "/srv/image",
	.size_bytes = 5,
	.sample_hash = UINT64_MAX,
	.has_full_hash = true,
	.full_hash = UINT64_C(1) << 63,
};

struct seen {
	int count;
	int stop_at;
	struct base_row rows[4];
};

static int see(void *context, const struct base_row *row)
{
	struct seen *seen = context;

	assert_in_range(seen->count, 0, 3);
	seen->rows[seen->count++] = *row;
	return seen->count == seen->stop_at ? -ECANCELED : 0;
}

static void test_the_base_of_an_image_comes_back(void **state)
{
	struct world *world = *state;
	struct base_fingerprint found;

	assert_int_equal(index_base_get(world->index, 0, &found), -ENOENT);
	assert_int_equal(index_base_put(world->index, 0, "", &image), 0);
	assert_int_equal(index_base_get(world->index, 1, &found), -ENOENT);
	assert_int_equal(index_base_get(world->index, 0, &found), 0);
	assert_int_equal(found.kind, BASE_KIND_FILE);
	assert_string_equal(found.path, image.path);
	assert_true(found.sample_hash == UINT64_MAX && found.has_full_hash &&
		    found.full_hash == image.full_hash);
}

static void test_layers_are_loaded_by_number(void **state)
{
	struct world *world = *state;
	struct base_fingerprint layer = { .kind = BASE_KIND_DIRECTORY,
					  .path = "/srv/tree" };
	struct seen seen = { 0 };

	assert_int_equal(index_bases_load(world->index, see, &seen), 0);
	assert_int_equal(seen.count, 0);
	for (uint32_t id = 3; id-- > 0;) {
		char name[] = "layer-0";

		name[6] = (char)('0' + id);
		layer.mtime_ns = -(int64_t)id;
		assert_int_equal(index_base_put(world->index, id + 253, name,
						&layer),
				 0);
	}
	layer.inode = 7; /* put again: replaced */
	assert_int_equal(index_base_put(world->index, 254, "other", &layer), 0);
	assert_int_equal(index_bases_load(world->index, see, &seen), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.rows[0].layer, 253);
	assert_string_equal(seen.rows[0].name, "layer-0");
	assert_string_equal(seen.rows[1].name, "other");
	assert_int_equal(seen.rows[1].fingerprint.inode, 7);
	assert_int_equal(seen.rows[2].layer, 255);
	assert_int_equal(seen.rows[2].fingerprint.kind, BASE_KIND_DIRECTORY);
	assert_int_equal(seen.rows[2].fingerprint.mtime_ns, -2);
	assert_int_equal(index_base_delete(world->index, 254), 0);
	assert_int_equal(index_base_delete(world->index, 254), 0);
	seen = (struct seen){ .stop_at = 1 };
	assert_int_equal(index_bases_load(world->index, see, &seen),
			 -ECANCELED);
	seen = (struct seen){ 0 };
	assert_int_equal(index_bases_load(world->index, see, &seen), 0);
	assert_int_equal(seen.count, 2);
}

/* F-56 */
static void test_a_damaged_base_is_unclean(void **state)
{
	static const char *const rows[] = {
		"1, x'61', 3, '/srv', 0, 0, 0, 0, 0, 0, 0",
		"1, CAST(x'610062' AS TEXT), 3, '/srv', 0, 0, 0, 0, 0, 0, 0",
		"1, hex(zeroblob(128)), 3, '/srv', 0, 0, 0, 0, 0, 0, 0",
		"1, '', 5, '/srv', 0, 0, 0, 0, 0, 0, 0",
		"1, '', 4, '/srv', 0, 1, 0, 0, 0, 0, 0",
		"1, '', 4, '/srv@s', 0, 0, 0, 0, 0, 0, 0",
		"1, '', 4, '/srv@s', 0, -1, 0, 0, 0, 0, 0",
		"1, '', 4, '/srv@s', 0, 4294967296, 0, 0, 0, 0, 0",
		"1, '', 3, '/srv', 0, 0, -1, 0, 0, 0, 0",
		"1, '', 3, '/srv', 0, 0, 0, 'x', 0, 0, 0",
		"1, '', 3, hex(zeroblob(2048)), 0, 0, 0, 0, 0, 0, 0",
		"256, '', 3, '/srv', 0, 0, 0, 0, 0, 0, 0",
		"4294967296, '', 3, '/srv', 0, 0, 0, 0, 0, 0, 0",
	};
	struct world *world = *state;
	struct base_fingerprint found;
	struct seen seen = { 0 };
	char sql[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(sql, sizeof(sql),
			 "DELETE FROM base; INSERT INTO base VALUES(%s)",
			 rows[i]);
		tamper(world, sql);
		open_world(world);
		assert_int_equal(index_bases_load(world->index, see, &seen),
				 -EUCLEAN);
		if (rows[i][0] == '1')
			assert_int_equal(index_base_get(world->index, 1,
							&found),
					 -EUCLEAN);
	}
	assert_int_equal(seen.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_the_base_of_an_image_comes_back),
		WORLD_TEST(test_layers_are_loaded_by_number),
		WORLD_TEST(test_a_damaged_base_is_unclean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
