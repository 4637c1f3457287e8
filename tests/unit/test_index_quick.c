/* The second look at the index, beside the connection that uses it. */
#include "index_world.h"

#include "index_quick.h"

static int look(struct world *world, char *text, size_t text_bytes)
{
	struct index_quick *quick;
	int rc = index_quick_open(world->directory, &quick);

	if (rc < 0)
		return rc;
	rc = index_quick_run(quick, world->index, text, text_bytes);
	index_quick_close(quick);
	return rc;
}

static void fill(struct world *world)
{
	uint8_t blob[4000] = "x";
	char key[32];
	int i;

	for (i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(index_meta_put_blob(world->index, key, blob,
						     sizeof(blob)),
				 0);
	}
	assert_int_equal(index_commit(world->index), 0);
}

static void test_a_sound_index_is_sound_while_it_is_written(void **state)
{
	struct world *world = *state;
	char text[256];

	assert_int_equal(look(world, text, sizeof(text)), 0);
	fill(world);
	assert_int_equal(index_meta_put(world->index, "a", 1), 0);
	assert_int_equal(look(world, text, sizeof(text)), 0);
	/* The connection has its lock, and its transaction, still. */
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(look(world, text, sizeof(text)), 0);
}

static void test_a_bad_page_is_told_in_one_line(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], text[256], page[8192];
	struct stat st;
	int fd;

	fill(world);
	path_in(world, "index.db", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	memset(page, 0x5a, sizeof(page));
	assert_int_equal(pwrite(fd, page, sizeof(page), 2 * sizeof(page)),
			 sizeof(page));
	assert_int_equal(look(world, text, sizeof(text)), -EUCLEAN);
	assert_true(text[0] != '\0');
	assert_null(strchr(text, '\n'));
	close(fd);
}

static void test_it_can_be_interrupted(void **state)
{
	struct world *world = *state;
	struct index_quick *quick;
	char text[256];

	assert_int_equal(index_quick_open(world->directory, &quick), 0);
	index_quick_interrupt(quick);
	assert_int_equal(index_quick_run(quick, world->index, text,
					 sizeof(text)),
			 -EINTR);
	index_quick_close(quick);
	assert_int_equal(index_quick_open("/nowhere", &quick), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_sound_index_is_sound_while_it_is_written),
		WORLD_TEST(test_a_bad_page_is_told_in_one_line),
		WORLD_TEST(test_it_can_be_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
