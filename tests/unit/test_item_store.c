/* Items are found wherever they are: unsaved, being saved, saved. */
#include "core_items.h"

static void test_the_newest_is_found_saved_or_not(void **state)
{
	struct store_world *world = *state;

	assert_text(world, 20, "a", NULL);
	put_text(world, 20, "a", "one");
	assert_text(world, 20, "a", "one");
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_text(world, 20, "a", "one");
	put_text(world, 20, "a", "two");
	assert_text(world, 20, "a", "two");
	put_text(world, 20, "a", NULL);
	assert_text(world, 20, "a", NULL);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_text(world, 20, "a", NULL);
}

static void test_what_a_checkpoint_saves_is_found_meanwhile(void **state)
{
	struct store_world *world = *state;
	struct store *store = world->store;

	put_text(world, 20, "a", "one");
	put_text(world, 20, "b", "one");
	mutex_lock(&store->order_lock);
	items_begin_save_locked(store);
	mutex_unlock(&store->order_lock);
	assert_true(items_unsaved(store, 1, 1));
	assert_text(world, 20, "a", "one");
	put_text(world, 20, "a", "two"); /* newer than what is saved */
	assert_int_equal(items_save(store), 0);
	assert_text(world, 20, "a", "two");
	assert_text(world, 20, "b", "one");
	items_end_save(store);
	assert_text(world, 20, "a", "two");
	assert_text(world, 20, "b", "one");
	assert_int_equal(text_rows(world), 2);
	assert_text(world, 20, "a", "two");
}

static void test_a_value_of_any_size_comes_back(void **state)
{
	struct store_world *world = *state;
	size_t sizes[] = { 0, 1, 1015, 1016, 4096, 65536 }, i;
	uint8_t *value = malloc(65536), *payload = malloc(65537);
	uint8_t key[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = text_key(20, "large", key);

	world_fill(value, 65536, 3);
	for (i = 0; i < 2 * (sizeof(sizes) / sizeof(sizes[0])); i++) {
		const struct xattr_item item = { XATTR_KIND_VALUE, value,
						 sizes[i / 2] };
		AUTO_FREE struct item_copy *copy = NULL;
		struct batch edits = { 0 };

		assert_int_equal(
			item_edits_add(&edits, key, key_bytes, payload,
				       xattr_item_encode(&item, payload)),
			0);
		assert_int_equal(commit_edits(world->view, &edits), 0);
		if (i % 2)
			assert_int_equal(store_checkpoint(world->store), 0);
		assert_int_equal(items_find(world->store, world->view->path,
					    key, key_bytes, &copy),
				 0);
		assert_int_equal(copy->payload_bytes, 1 + item.value_bytes);
		assert_memory_equal(copy->payload + 1, value, item.value_bytes);
	}
	free(value);
	free(payload);
}

/* I4 */
static void test_an_absent_row_is_there_only_to_hide_one(void **state)
{
	struct store_world *world = *state;
	uint32_t id;

	put_text(world, 20, "never", NULL);
	put_text(world, 20, "made", "and removed");
	assert_int_equal(text_rows(world), 1);
	put_text(world, 20, "made", NULL);
	assert_int_equal(text_rows(world), 0);
	put_text(world, 20, "kept", "by a snapshot");
	id = world_snapshot(world, "s");
	put_text(world, 20, "kept", NULL);
	assert_int_equal(text_rows(world), 2);
	world_snapshot(world, "t");
	put_text(world, 20, "kept", NULL); /* is absent already */
	assert_int_equal(text_rows(world), 2);
	assert_text(world, 20, "kept", NULL);
	assert_snapshot_text(world, id, 20, "kept", "by a snapshot");
	put_text(world, 20, "kept", "again");
	assert_int_equal(text_rows(world), 3);
}

/* I3: the clone kept the first version; it is gone when the second comes. */
static void test_a_row_that_nobody_sees_goes_with_the_next(void **state)
{
	struct store_world *world = *state;

	put_text(world, 20, "a", "one");
	put_text(world, 20, "b", "one");
	clone_branch(world, "main", 0, "clone");
	assert_int_equal(text_rows(world), 2);
	drop_branch(world, "clone");
	world_gc(world);
	put_text(world, 20, "a", "two");
	put_text(world, 20, "b", NULL);
	assert_int_equal(text_rows(world), 1);
	assert_text(world, 20, "a", "two");
	world_crash(world);
	assert_text(world, 20, "a", "two");
	assert_text(world, 20, "b", NULL);
}

/* Its deletion may be lost with the end of the log. */
static void test_a_row_of_a_snapshot_waits_for_its_saved_deletion(void **state)
{
	struct store_world *world = *state;
	struct store *store = world->store;
	uint32_t id, gen;

	put_text(world, 20, "a", "one");
	gen = world->view->gen;
	id = world_snapshot(world, "s");
	mutex_lock(&store->order_lock);
	graph_snapshot(&store->graph, id)->row.state = SNAPSHOT_STATE_DELETING;
	graph_snapshot(&store->graph, id)->dirty = true;
	assert_int_equal(graph_last_saved_point(&store->graph, 1, gen), gen);
	graph_snapshot(&store->graph, id)->dirty = false;
	assert_int_equal(graph_last_saved_point(&store->graph, 1, gen), 0);
	graph_snapshot(&store->graph, id)->row.state = SNAPSHOT_STATE_LIVE;
	mutex_unlock(&store->order_lock);
}

static void test_facts_have_no_versions(void **state)
{
	struct store_world *world = *state;
	const struct origin_item origin = { .layer = 1,
					    .parent = 1,
					    .base_inode = 5,
					    .kind = S_IFREG >> 12,
					    .name = "f",
					    .name_bytes = 1 };
	AUTO_FREE struct item_copy *copy = NULL;
	uint8_t key[ITEM_PREFIX_BYTES], payload[ORIGIN_ITEM_BYTES_MAX];
	size_t payload_bytes = origin_item_encode(&origin, payload);
	struct rollback_result result;
	struct batch edits = { 0 };
	uint32_t id = world_snapshot(world, "s");

	item_key_prefix((UINT64_C(1) << 40) + 5, ITEM_TYPE_ORIGIN, key);
	assert_int_equal(item_edits_add(&edits, key, sizeof(key), payload,
					payload_bytes),
			 0);
	assert_int_equal(commit_edits(world->view, &edits), 0);
	world_rollback(world, id, &result);
	world_crash(world);
	assert_int_equal(items_find(world->store, items_facts_path, key,
				    sizeof(key), &copy),
			 0);
	assert_int_equal(copy->payload_bytes, payload_bytes);
	assert_memory_equal(copy->payload, payload, payload_bytes);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(rows_of_line(world, 0), 1);
	assert_int_equal(item_edits_add(&edits, key, sizeof(key), NULL, 0), 0);
	assert_int_equal(commit_edits(world->view, &edits), 0);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(rows_of_line(world, 0), 0);
}

static void test_a_damaged_row_is_unclean(void **state)
{
	struct store_world *world = *state;
	AUTO_FREE struct item_copy *copy = NULL;
	const struct item_version version = { 1, 1 };
	uint8_t key[ITEM_KEY_BYTES_MAX], value[12] = { 0 };
	size_t key_bytes = text_key(20, "a", key);

	assert_int_equal(index_item_put(world->store->index, key, key_bytes,
					&version, value, sizeof(value)),
			 0);
	assert_int_equal(items_find(world->store, world->view->path, key,
				    key_bytes, &copy),
			 -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_the_newest_is_found_saved_or_not),
		WORLD_TEST(test_what_a_checkpoint_saves_is_found_meanwhile),
		WORLD_TEST(test_a_value_of_any_size_comes_back),
		WORLD_TEST(test_an_absent_row_is_there_only_to_hide_one),
		WORLD_TEST(test_a_row_that_nobody_sees_goes_with_the_next),
		WORLD_TEST(
			test_a_row_of_a_snapshot_waits_for_its_saved_deletion),
		WORLD_TEST(test_facts_have_no_versions),
		WORLD_TEST(test_a_damaged_row_is_unclean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
