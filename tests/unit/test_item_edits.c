/*
 * A batch is all or nothing: whatever the log has of it after a full disk, a
 * crash, or both; and an inode that goes gives back what it had.
 */
#include "core_items.h"

#include "log.h"

/* The linker gives every record of the log to this one, and every write of
 * blocks to the next. */
static int records_left = -1; /* until the disk is full; -1: never */
static void (*before_blocks)(struct store_world *world);
static struct store_world *blocks_world;

int __real_log_append(struct log *log, enum record_type type,
		      const void *payload, size_t payload_bytes,
		      uint64_t *out_lsn);
int __wrap_log_append(struct log *log, enum record_type type,
		      const void *payload, size_t payload_bytes,
		      uint64_t *out_lsn);
int __real_log_write_blocks(struct log *log, struct location at,
			    const void *data, uint32_t blocks);
int __wrap_log_write_blocks(struct log *log, struct location at,
			    const void *data, uint32_t blocks);

int __wrap_log_append(struct log *log, enum record_type type,
		      const void *payload, size_t payload_bytes,
		      uint64_t *out_lsn)
{
	if (records_left == 0)
		return -ENOSPC;
	if (records_left > 0)
		records_left--;
	return __real_log_append(log, type, payload, payload_bytes, out_lsn);
}

int __wrap_log_write_blocks(struct log *log, struct location at,
			    const void *data, uint32_t blocks)
{
	void (*hook)(struct store_world * world) = before_blocks;

	before_blocks = NULL;
	if (hook)
		hook(blocks_world);
	return __real_log_write_blocks(log, at, data, blocks);
}

enum { MANY = 30, TEXT_BYTES = 250 };

static void name_of(unsigned nr, char name[8])
{
	snprintf(name, 8, "n%u", nr);
}

/* Three records' worth of xattrs of the inode. */
static int commit_many(struct store_world *world, uint64_t inode, char letter)
{
	struct batch edits = { 0 };
	char text[TEXT_BYTES + 1] = { 0 }, name[8];
	unsigned i;

	memset(text, letter, TEXT_BYTES);
	for (i = 0; i < MANY; i++) {
		name_of(i, name);
		add_text(&edits, inode, name, text);
	}
	return commit_edits(world->view, &edits);
}

static void assert_many(struct store_world *world, uint64_t inode, char letter)
{
	char text[TEXT_BYTES + 1] = { 0 }, name[8];
	unsigned i;

	memset(text, letter, TEXT_BYTES);
	for (i = 0; i < MANY; i++) {
		name_of(i, name);
		assert_text(world, inode, name, letter ? text : NULL);
	}
}

static uint64_t records(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	return status.log_records;
}

static void test_a_batch_of_several_records_survives_a_crash(void **state)
{
	struct store_world *world = *state;
	uint64_t before = records(world);

	assert_int_equal(commit_many(world, 20, 'a'), 0);
	assert_true(records(world) - before >= 3);
	assert_many(world, 20, 'a');
	world_crash(world);
	assert_many(world, 20, 'a');
}

/* The last of two entries with one key stays. */
static void test_entries_apply_in_their_order(void **state)
{
	struct store_world *world = *state;
	struct batch edits = { 0 };

	add_text(&edits, 20, "a", "one");
	add_text(&edits, 20, "b", "one");
	add_text(&edits, 20, "a", NULL);
	add_text(&edits, 20, "b", "two");
	assert_int_equal(commit_edits(world->view, &edits), 0);
	assert_text(world, 20, "a", NULL);
	assert_text(world, 20, "b", "two");
	world_crash(world);
	assert_text(world, 20, "a", NULL);
	assert_text(world, 20, "b", "two");
}

static void test_a_full_disk_in_the_midst_leaves_nothing(void **state)
{
	struct store_world *world = *state;

	for (int room = 0; room < 3; room++) {
		records_left = room;
		assert_int_equal(commit_many(world, 20, 'a'), -ENOSPC);
		records_left = -1;
		assert_many(world, 20, 0);
		put_text(world, 21, "after", "it");
	}
	world_crash(world);
	assert_many(world, 20, 0);
	assert_text(world, 21, "after", "it");
	assert_int_equal(commit_many(world, 20, 'b'), 0);
	assert_many(world, 20, 'b');
}

static void copy_file(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

/* As who repairs the index does it. */
static void restore_backup(struct store_world *world)
{
	char backup[96], index[96], wal[96];

	store_abandon(world->store);
	snprintf(backup, sizeof(backup), "%s/index.bak", world->path);
	snprintf(index, sizeof(index), "%s/index.db", world->path);
	snprintf(wal, sizeof(wal), "%s/index.db-wal", world->path);
	unlink(wal);
	copy_file(backup, index);
	world_open(world);
}

static void test_a_torn_batch_is_left_out_at_every_replay(void **state)
{
	struct store_world *world = *state;
	struct store_status status;

	put_text(world, 21, "before", "it");
	records_left = 2;
	assert_int_equal(commit_many(world, 20, 'a'), -ENOSPC);
	records_left = -1;
	world_crash(world); /* the log ends with a batch that goes on */
	assert_many(world, 20, 0);
	assert_text(world, 21, "before", "it");
	assert_int_equal(commit_many(world, 22, 'b'), 0);
	world_crash(world);
	assert_many(world, 20, 0);
	assert_many(world, 22, 'b');
	restore_backup(world);
	store_status(world->store, &status);
	assert_true(status.recovered_records >= 6);
	assert_many(world, 20, 0);
	assert_many(world, 22, 'b');
	assert_text(world, 21, "before", "it");
}

static void set_reserve(struct store_world *world, uint64_t reserve_bytes)
{
	struct store_config config;

	store_get_config(world->store, &config);
	config.reserve_bytes = reserve_bytes;
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
}

static void add_name(struct batch *edits, const char *name, uint64_t inode,
		     uint8_t kind)
{
	const struct item_key item = { .inode = 1,
				       .type = ITEM_TYPE_DIRENT,
				       .name = name,
				       .name_bytes = strlen(name) };
	const struct dirent_item dirent = { inode, kind };
	uint8_t key[ITEM_KEY_BYTES_MAX], payload[DIRENT_ITEM_BYTES];
	size_t key_bytes = item_key_encode(&item, key);

	assert_int_equal(item_edits_add(edits, key, key_bytes, payload,
					dirent_item_encode(&dirent, payload)),
			 0);
}

static void test_the_reserve_is_for_what_makes_room(void **state)
{
	struct store_world *world = *state;
	struct batch edits = { 0 };

	put_text(world, 20, "a", "one");
	set_reserve(world, UINT64_C(1) << 40);
	add_text(&edits, 20, "b", "one");
	assert_int_equal(commit_edits(world->view, &edits), -ENOSPC);
	add_name(&edits, "new", 50, S_IFREG >> 12);
	assert_int_equal(commit_edits(world->view, &edits), -ENOSPC);
	assert_text(world, 20, "b", NULL);
	put_text(world, 20, "a", NULL); /* removes */
	add_text(&edits, 20, "old", NULL);
	add_name(&edits, "new", 50, S_IFREG >> 12); /* renames */
	assert_int_equal(commit_edits(world->view, &edits), 0);
	add_name(&edits, "gone", 0, 0); /* hides */
	add_name(&edits, "newer", 50, S_IFREG >> 12);
	assert_int_equal(commit_edits(world->view, &edits), 0);
	set_reserve(world, 0);
	put_text(world, 20, "b", "one");
}

static void test_more_than_a_batch_may_have_is_refused(void **state)
{
	struct store_world *world = *state;
	uint8_t key[ITEM_KEY_BYTES_MAX], *large = calloc(1, 65537);
	size_t key_bytes = text_key(20, "a", key), used;
	struct batch edits = { 0 };

	large[0] = XATTR_KIND_VALUE;
	assert_int_equal(item_edits_add(&edits, key, key_bytes, large, 65537),
			 0);
	used = edits.used_bytes;
	assert_int_equal(item_edits_add(&edits, key, key_bytes, large, 65537),
			 -E2BIG);
	assert_int_equal(edits.used_bytes, used);
	assert_int_equal(commit_edits(world->view, &edits), 0);
	free(large);
}

static void test_only_a_head_takes_edits(void **state)
{
	struct store_world *world = *state;
	struct batch edits = { 0 };
	struct view *view;
	uint32_t id = world_snapshot(world, "s");

	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	add_text(&edits, 20, "a", "one");
	assert_int_equal(commit_edits(view, &edits), -EROFS);
	assert_text_in(view, 20, "a", NULL);
	view_put(view);
	assert_text(world, 20, "a", NULL);
}

/* --- inodes --- */

static int commit_inode(struct store_world *world, uint64_t inode,
			const struct inode_item *item)
{
	uint8_t key[ITEM_PREFIX_BYTES], payload[INODE_ITEM_BYTES];
	struct batch edits = { 0 };

	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	assert_int_equal(
		item_edits_add(&edits, key, sizeof(key), payload,
			       item ? inode_item_encode(item, payload) : 0),
		0);
	return commit_edits(world->view, &edits);
}

static struct file *make_file(struct store_world *world, uint64_t inode)
{
	const struct inode_item item = { .mode = S_IFREG | 0600, .nlink = 1 };
	struct file *file;

	assert_int_equal(commit_inode(world, inode, &item), 0);
	mutex_lock(&world->store->order_lock);
	mutex_assert_held(&world->view->store->order_lock);
	assert_int_equal(file_get_locked(world->view, inode, &file), 0);
	mutex_unlock(&world->store->order_lock);
	return file;
}

static void put_file(struct file *file)
{
	struct store *store = file->view->store;

	mutex_lock(&store->order_lock);
	mutex_assert_held(&file->view->store->order_lock);
	assert_int_equal(file_put_locked(file), 0);
	mutex_unlock(&store->order_lock);
}

static void write_blocks(struct file *file, uint64_t block, size_t count)
{
	uint8_t *data = malloc(count * BLOCK_BYTES);

	world_fill(data, count * BLOCK_BYTES, 7);
	assert_int_equal(file_write(file, block * BLOCK_BYTES, data,
				    count * BLOCK_BYTES),
			 0);
	free(data);
}

static uint64_t live_blocks(struct store_world *world)
{
	struct space_map *map = &world->store->space;
	uint64_t blocks;

	mutex_lock(&map->lock);
	blocks = map->live_blocks - map->metadata_blocks;
	mutex_unlock(&map->lock);
	return blocks;
}

static void test_an_inode_that_goes_gives_its_blocks_back(void **state)
{
	struct store_world *world = *state;
	struct file *file = make_file(world, 50);
	struct file *other = make_file(world, 51);

	write_blocks(other, 3, 4);
	write_blocks(file, 0, 3);
	write_blocks(file, 5 * (uint64_t)WINDOW_BLOCKS - 1, 2);
	assert_int_equal(live_blocks(world), 9);
	put_file(file);
	assert_int_equal(commit_inode(world, 50, NULL), 0);
	assert_int_equal(live_blocks(world), 4);
	put_file(other);
	world_crash(world);
	assert_int_equal(live_blocks(world), 4);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_crash(world);
	assert_int_equal(live_blocks(world), 4);
}

static void test_a_snapshot_keeps_the_blocks_of_a_gone_inode(void **state)
{
	struct store_world *world = *state;
	struct file *file = make_file(world, 50);
	uint32_t id;

	write_blocks(file, 0, 3);
	id = world_snapshot(world, "s");
	write_blocks(file, 1, 1);
	put_file(file);
	assert_int_equal(commit_inode(world, 50, NULL), 0);
	assert_int_equal(live_blocks(world), 3);
	drop_snapshot(world, id);
	world_gc(world);
	assert_int_equal(live_blocks(world), 0);
}

static void delete_50(struct store_world *world)
{
	assert_int_equal(commit_inode(world, 50, NULL), 0);
}

/* A record of an inode that is gone would be damage at replay. */
static void test_a_write_that_comes_after_the_end_is_stale(void **state)
{
	struct store_world *world = *state;
	struct file *file = make_file(world, 50);
	uint8_t block[BLOCK_BYTES];
	struct file_info info;

	memset(block, 5, sizeof(block));
	assert_int_equal(file_write(file, 0, block, sizeof(block)), 0);
	blocks_world = world;
	before_blocks = delete_50;
	assert_int_equal(file_write(file, 0, block, sizeof(block)), -ESTALE);
	assert_int_equal(file_write(file, 0, block, 1), -ESTALE);
	assert_int_equal(file_zero(file, 0, 1), 0); /* it is empty */
	assert_int_equal(file_resize(file, 9), -ESTALE);
	file_get_info(file, &info);
	assert_int_equal(info.size_bytes, 0);
	assert_int_equal(file_set_info(file, &info), -ESTALE);
	put_file(file);
	assert_int_equal(live_blocks(world), 0);
	world_crash(world);
	assert_int_equal(live_blocks(world), 0);
	world_check(world);
}

static void test_who_has_an_inode_open_sees_its_edits(void **state)
{
	struct store_world *world = *state;
	struct file *file = make_file(world, 50);
	struct inode_item item;
	struct file_info info;

	write_blocks(file, 0, 2);
	item = file->item;
	item.mode = S_IFREG | 0444;
	assert_int_equal(commit_inode(world, 50, &item), 0);
	file_get_info(file, &info);
	assert_int_equal(info.mode, 0444);
	assert_int_equal(info.size_bytes, 2 * BLOCK_BYTES);
	put_file(file);
	world_crash(world);
	file = make_file(world, 51);
	assert_true(world->store->next_inode >= 52);
	put_file(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_batch_of_several_records_survives_a_crash),
		WORLD_TEST(test_entries_apply_in_their_order),
		WORLD_TEST(test_a_full_disk_in_the_midst_leaves_nothing),
		WORLD_TEST(test_a_torn_batch_is_left_out_at_every_replay),
		WORLD_TEST(test_the_reserve_is_for_what_makes_room),
		WORLD_TEST(test_more_than_a_batch_may_have_is_refused),
		WORLD_TEST(test_only_a_head_takes_edits),
		WORLD_TEST(test_an_inode_that_goes_gives_its_blocks_back),
		WORLD_TEST(test_a_snapshot_keeps_the_blocks_of_a_gone_inode),
		WORLD_TEST(test_a_write_that_comes_after_the_end_is_stale),
		WORLD_TEST(test_who_has_an_inode_open_sees_its_edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
