/* Inodes in use: one for all who use it, kept until their item is. */
#include "core_items.h"

static void put_inode(struct store_world *world, uint64_t inode,
		      const struct inode_item *item)
{
	uint8_t key[ITEM_PREFIX_BYTES], payload[INODE_ITEM_BYTES];
	struct batch edits = { 0 };

	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	assert_int_equal(
		item_edits_add(&edits, key, sizeof(key), payload,
			       item ? inode_item_encode(item, payload) : 0),
		0);
	assert_int_equal(commit_edits(world->view, &edits), 0);
}

static int get(struct view *view, uint64_t inode, struct file **out_file)
{
	int rc;

	mutex_lock(&view->store->order_lock);
	rc = file_get_locked(view, inode, out_file);
	mutex_unlock(&view->store->order_lock);
	return rc;
}

static void put(struct file *file)
{
	struct store *store = file->view->store;

	mutex_lock(&store->order_lock);
	mutex_assert_held(&file->view->store->order_lock);
	assert_int_equal(file_put_locked(file), 0);
	mutex_unlock(&store->order_lock);
}

static void make_inode(struct store_world *world, uint64_t inode)
{
	const struct inode_item item = { .mode = S_IFREG | 0640, .nlink = 1 };

	put_inode(world, inode, &item);
}

static void write_some(struct file *file, size_t len_bytes)
{
	uint8_t *data = malloc(len_bytes);

	world_fill(data, len_bytes, (uint32_t)len_bytes);
	assert_int_equal(file_write(file, 0, data, len_bytes), 0);
	free(data);
}

static void assert_size(struct file *file, uint64_t size_bytes)
{
	struct file_info info;

	file_get_info(file, &info);
	assert_int_equal(info.size_bytes, size_bytes);
	assert_int_equal(info.mode, 0640);
}

static void test_an_inode_in_use_is_one_for_all(void **state)
{
	struct store_world *world = *state;
	struct file *a, *b;

	make_inode(world, 50);
	assert_int_equal(get(world->view, 50, &a), 0);
	assert_int_equal(get(world->view, 50, &b), 0);
	assert_ptr_equal(a, b);
	put(b);
	write_some(a, 100);
	assert_size(a, 100);
	put(a);
	assert_int_equal(get(world->view, 51, &a), -ENOENT);
}

static void test_what_is_unsaved_outlives_its_users(void **state)
{
	struct store_world *world = *state;
	struct file *file;

	make_inode(world, 50);
	assert_int_equal(get(world->view, 50, &file), 0);
	write_some(file, 5000);
	put(file);
	assert_int_equal(get(world->view, 50, &file), 0);
	assert_size(file, 5000);
	write_some(file, 6000);
	assert_int_equal(store_checkpoint(world->store), 0); /* in use */
	write_some(file, 7000);
	put(file);
	world_reopen(world);
	assert_int_equal(get(world->view, 50, &file), 0);
	assert_size(file, 7000);
	put(file);
	world_crash(world);
	assert_int_equal(get(world->view, 50, &file), 0);
	assert_size(file, 7000);
	put(file);
}

static void test_a_snapshot_has_its_own(void **state)
{
	struct store_world *world = *state;
	struct file *file, *old;
	struct view *view;
	uint32_t id;

	make_inode(world, 50);
	assert_int_equal(get(world->view, 50, &file), 0);
	write_some(file, 5000);
	id = world_snapshot(world, "s"); /* of what is nowhere saved */
	write_some(file, 9000);
	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	assert_int_equal(get(view, 50, &old), 0);
	assert_ptr_not_equal(old, file);
	assert_size(old, 5000);
	assert_size(file, 9000);
	put(old);
	view_put(view);
	put(file);
}

static void test_nobody_finds_an_inode_that_is_gone(void **state)
{
	struct store_world *world = *state;
	struct file *file, *other;

	make_inode(world, 50);
	assert_int_equal(get(world->view, 50, &file), 0);
	put_inode(world, 50, NULL);
	assert_int_equal(get(world->view, 50, &other), -ENOENT);
	assert_size(file, 0); /* who has it can still ask */
	put_inode(world, 50, NULL);
	put(file);
	assert_int_equal(get(world->view, 50, &other), -ENOENT);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(get(world->view, 50, &other), -ENOENT);
}

static void test_held_writers_wait(void **state)
{
	struct store_world *world = *state;
	struct view *view = world->view;
	int i;

	view_hold_writers(view);
	for (i = 0; i < VIEW_STRIPES; i++)
		assert_int_equal(pthread_rwlock_tryrdlock(&view->stripes[i]),
				 EBUSY);
	view_release_writers(view);
	for (i = 0; i < VIEW_STRIPES; i++) {
		assert_int_equal(pthread_rwlock_tryrdlock(&view->stripes[i]),
				 0);
		pthread_rwlock_unlock(&view->stripes[i]);
	}
	view_wait_for_writers(view); /* there are none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_an_inode_in_use_is_one_for_all),
		WORLD_TEST(test_what_is_unsaved_outlives_its_users),
		WORLD_TEST(test_a_snapshot_has_its_own),
		WORLD_TEST(test_nobody_finds_an_inode_that_is_gone),
		WORLD_TEST(test_held_writers_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
