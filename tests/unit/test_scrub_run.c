/* What a scrub looks at besides data: segments, records, the index. */
#include "scrub_world.h"

static void test_headers_and_records_are_looked_at(void **state)
{
	struct store_world *world = *state;
	struct scrub_finding *list;
	size_t count, i;
	unsigned headers = 0, records = 0;

	/* More than a segment: the first is full then. */
	world_resize(world, 2 * SEGMENT_BYTES);
	for (i = 0; i < 80; i++)
		world_write(world, i << 20, 1 << 20, (uint32_t)i);
	scrub_all(world);
	assert_clean(world);
	flip(world, 1, 20);
	flip(world, 1, BLOCK_BYTES + 60);
	scrub_all(world);
	assert_int_equal(scrub_findings(world->store, &list, &count), 0);
	for (i = 0; i < count; i++) {
		assert_int_equal(list[i].segment, 1);
		headers += list[i].kind == SCRUB_KIND_HEADER;
		records += list[i].kind == SCRUB_KIND_RECORDS;
	}
	free(list);
	assert_int_equal(headers, 1);
	assert_int_equal(records, 1);
	assert_int_equal(count, 2);
}

static void test_a_page_of_the_index_is_found(void **state)
{
	struct store_world *world = *state;
	struct scrub_finding *list;
	char path[128];
	uint8_t page[8192];
	size_t count, i;
	bool found = false;
	int fd;

	for (i = 0; i < 64; i++)
		world_write_block(world, i * 2, (uint32_t)i);
	assert_int_equal(store_checkpoint(world->store), 0);
	snprintf(path, sizeof(path), "%s/index.db", world->path);
	/* Not closed before the store: that would let go of SQLite's lock. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(page, 0xa5, sizeof(page));
	assert_int_equal(pwrite(fd, page, sizeof(page), 3 * sizeof(page)),
			 sizeof(page));
	assert_ok(world, scrub_start(world->store, 0, &world->failure));
	assert_int_equal(scrub_wait(world->store, NULL, NULL), 0);
	assert_int_equal(scrub_findings(world->store, &list, &count), 0);
	for (i = 0; i < count; i++)
		found |= list[i].kind == SCRUB_KIND_INDEX && list[i].path[0];
	free(list);
	assert_true(found);
	assert_int_equal(health(world), STORE_HEALTH_DAMAGED);
	view_put(world->view);
	store_abandon(world->store);
	world->store = NULL;
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_headers_and_records_are_looked_at),
		WORLD_TEST(test_a_page_of_the_index_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
