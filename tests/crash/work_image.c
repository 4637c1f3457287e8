/* Workloads on images: data, history, space, copies, settings. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "history.h"
#include "space.h"
#include "store_impl.h"
#include "world.h"

static const struct actor actor = { .uid = 7 };

enum { BLOCK = BLOCK_BYTES, SMALL_IMAGE = 40 * BLOCK_BYTES + 777 };

static int set_attributes(struct world *world, uint32_t mode)
{
	struct file_info info;

	file_get_info(world->file, &info);
	info.mode = mode;
	info.uid = mode & 077;
	info.mtime_ns = 12345;
	return file_set_info(world->file, &info);
}

static int take(struct world *world, const char *name)
{
	struct snapshot_info info;

	return history_snapshot(world->store, "main", name, "a note",
				SNAPSHOT_KIND_MANUAL, &actor, &info,
				&world->failure);
}

static void do_snapshot(struct world *world, const char *name)
{
	STEP(world, true, take(world, name));
}

static int roll_back(struct world *world, const char *name)
{
	struct rollback_result result;

	return history_rollback(world->store, "main", snapshot_id(world, name),
				NULL, &actor, &result, &world->failure);
}

/* What main holds now is what the test expects of it from here on. */
static void adopt(struct world *world)
{
	struct file_info info;
	size_t n = 0;

	if (world->over || !world->file)
		return;
	file_get_info(world->file, &info);
	world->expected_bytes = info.size_bytes;
	world->expects = true;
	memset(world->expected, 0, IMAGE_BYTES_MAX);
	if (file_read(world->file, 0, world->expected, info.size_bytes, &n) < 0)
		world_wrong(world, "main can't be read");
}

/* The head moves: what is expected is known only afterwards. */
#define MOVING_STEP(world, call) MOVING(STEP, world, call)
#define MOVING(STEP_HERE, world, call)             \
	do {                                       \
		struct view *view = (world)->view; \
                                                   \
		(world)->view = NULL;              \
		STEP_HERE(world, true, call);      \
		(world)->view = view;              \
		adopt(world);                      \
	} while (0)

static void do_rollback(struct world *world, const char *name)
{
	MOVING_STEP(world, roll_back(world, name));
}

static int undo(struct world *world)
{
	struct undo_result result;

	return history_undo(world->store, 0, false, &actor, &result,
			    &world->failure);
}

static void do_undo(struct world *world)
{
	MOVING_STEP(world, undo(world));
}

static int make_clone(struct world *world, const char *snapshot,
		      const char *name)
{
	struct branch_info info;

	return history_clone(world->store, "main",
			     snapshot ? snapshot_id(world, snapshot) : 0, name,
			     &actor, &info, &world->failure);
}

static void do_clone(struct world *world, const char *snapshot,
		     const char *name)
{
	STEP(world, true, make_clone(world, snapshot, name));
}

static int write_branch(struct world *world, const char *branch,
			uint64_t offset, size_t len, int byte)
{
	uint8_t data[8 * BLOCK];
	struct view *view;
	int rc = view_open_branch(world->store, branch, &view, &world->failure);

	if (rc < 0)
		return rc;
	memset(data, byte, sizeof(data));
	rc = file_write(view_image(view), offset, data, len);
	view_put(view);
	return rc;
}

static int gc(struct world *world)
{
	struct gc_result result;

	return space_gc(world->store, 0, false, &actor, NULL, NULL, &result,
			&world->failure);
}

static void do_gc(struct world *world)
{
	STEP(world, true, gc(world));
}

static int compact(struct world *world, unsigned percent)
{
	struct compact_result result;

	return space_compact(world->store, percent, false, NULL, NULL, &result,
			     &world->failure);
}

static int delete_snapshot(struct world *world, const char *name, bool now)
{
	return history_delete_snapshot(world->store, snapshot_id(world, name),
				       now, &actor, &world->failure);
}

static void work_data(struct world *world)
{
	unsigned i;

	do_create(world, 0, true);
	do_open(world);
	for (i = 0; i < 3; i++)
		do_write(world, i * 2 * BLOCK, (i + 1) * BLOCK, i + 1);
	do_sync(world);
	do_write(world, 100, 300, 10);
	do_write(world, 3 * BLOCK - 5, 10, 11);
	do_zero(world, BLOCK, 2 * BLOCK);
	do_write(world, 4 * BLOCK, BLOCK, 12);
	STEP(world, false, set_attributes(world, 0640));
	do_sync(world);
	do_zero(world, 4 * BLOCK + 17, BLOCK);
	do_resize(world, 20 * BLOCK + 5);
	do_write(world, 19 * BLOCK, 3 * BLOCK, 13);
	do_resize(world, 400000);
	do_checkpoint(world);
	for (i = 0; i < 4; i++)
		do_write(world, (30 - i) * BLOCK, BLOCK, 20 + i);
	STEP(world, false, set_attributes(world, 0601));
	do_close(world);
	do_open(world);
	do_write(world, 0, 2 * BLOCK, 30);
	do_zero(world, 8 * BLOCK, 4 * BLOCK);
	do_write(world, 9 * BLOCK, BLOCK, 31);
	STEP(world, true, file_sync(world->file));
	do_write(world, BLOCK, BLOCK, 32);
}

static void work_big(struct world *world)
{
	unsigned i;

	do_create(world, 3 << 20, true);
	do_open(world);
	do_write(world, (2 << 20) - 3 * BLOCK, 6 * BLOCK, 1);
	do_write(world, (2 << 20) - 100, 200, 2);
	do_sync(world);
	do_write(world, 0, 300 * BLOCK, 3);
	do_zero(world, (2 << 20) - 8 * BLOCK, 16 * BLOCK);
	do_checkpoint(world);
	do_resize(world, (2 << 20) + 4096);
	do_resize(world, 1 << 20);
	for (i = 0; i < 40; i++) /* over the end of a record block */
		do_write(world, i * 6 * BLOCK, BLOCK, 50 + i);
	do_sync(world);
	do_resize(world, (4 << 20) + 5000);
	do_write(world, 4 << 20, 5000, 7);
	do_close(world);
}

static void work_history(struct world *world)
{
	do_create(world, SMALL_IMAGE, true);
	do_open(world);
	do_write(world, 0, 4 * BLOCK, 1);
	do_snapshot(world, "s1");
	do_write(world, 2 * BLOCK, 4 * BLOCK, 2);
	do_snapshot(world, "s2");
	STEP(world, true,
	     history_hold(world->store, snapshot_id(world, "s1"), "tag", &actor,
			  &world->failure));
	STEP(world, true,
	     history_rename_snapshot(world->store, snapshot_id(world, "s2"),
				     "two", &actor, &world->failure));
	do_write(world, 0, BLOCK, 3);
	do_rollback(world, "s1");
	do_write(world, BLOCK, BLOCK, 4);
	do_undo(world);
	STEP(world, true,
	     history_release(world->store, snapshot_id(world, "s1"), "tag",
			     &actor, &world->failure));
	do_clone(world, "s1", "other");
	STEP(world, false, write_branch(world, "other", 0, 2 * BLOCK, 0x55));
	do_clone(world, NULL, "third");
	STEP(world, false, write_branch(world, "third", BLOCK, BLOCK, 0x66));
	STEP(world, true,
	     history_rename_branch(world->store, "other", "second", &actor,
				   &world->failure));
	STEP(world, true, delete_snapshot(world, "two", false));
	do_undo(world);
	STEP(world, true, delete_snapshot(world, "s1", true));
	STEP(world, true,
	     history_delete_branch(world->store, "third", false, &actor,
				   &world->failure));
	do_undo(world);
	STEP(world, true,
	     history_delete_branch(world->store, "third", true, &actor,
				   &world->failure));
	do_background(world);
	do_gc(world);
	do_write(world, 5 * BLOCK, BLOCK, 5);
	do_close(world);
	do_open(world);
	do_rollback(world, "two");
	do_gc(world);
	do_close(world);
}

static void work_resize(struct world *world)
{
	do_create(world, SMALL_IMAGE, false);
	do_open(world);
	do_write(world, 0, 3 * BLOCK, 1);
	MOVING(STEP_IN_PARTS, world,
	       history_resize(world->store, "main", 9 * BLOCK, &actor,
			      &world->failure));
	do_write(world, 8 * BLOCK, BLOCK, 2);
	MOVING(STEP_IN_PARTS, world,
	       history_resize(world->store, "main", 2 * BLOCK, &actor,
			      &world->failure));
	MOVING(STEP_IN_PARTS, world, undo(world));
	MOVING(STEP_IN_PARTS, world,
	       history_resize(world->store, "main", 90 * BLOCK, &actor,
			      &world->failure));
	MOVING(STEP_IN_PARTS, world, undo(world));
	do_close(world);
}

static void work_segments(struct world *world)
{
	unsigned i;

	do_create(world, SMALL_IMAGE, false);
	do_open(world);
	do_write(world, 0, 6 * BLOCK, 1);
	do_snapshot(world, "s1");
	do_fill_segment(world, 5);
	for (i = 0; i < 4; i++)
		do_write(world, i * BLOCK, 2 * BLOCK, 10 + i);
	do_sync(world);
	do_write(world, 6 * BLOCK, 4 * BLOCK, 20);
	do_checkpoint(world);
	do_fill_segment(world, 3);
	do_write(world, 0, 6 * BLOCK, 30);
	do_write(world, 8 * BLOCK, 8 * BLOCK, 31);
	STEP(world, true, delete_snapshot(world, "s1", true));
	do_background(world);
	do_write(world, 20 * BLOCK, BLOCK, 32);
	STEP(world, true, compact(world, 10));
	do_write(world, 21 * BLOCK, BLOCK, 33);
	do_checkpoint(world);
	do_close(world);
	do_open(world);
	do_write(world, 2 * BLOCK, 20 * BLOCK, 34);
	do_checkpoint(world);
	do_background(world);
	do_write(world, 0, BLOCK, 35);
}

static int compress(struct world *world, enum compress_mode mode)
{
	struct store_config config;

	store_get_config(world->store, &config);
	config.compress = mode;
	return store_configure(world->store, &config, &world->failure);
}

static void work_lz4(struct world *world)
{
	do_create(world, SMALL_IMAGE, false);
	do_open(world);
	STEP(world, false, compress(world, COMPRESS_MODE_INLINE));
	do_write(world, 0, 16 * BLOCK, 1);
	do_snapshot(world, "s1");
	do_write(world, 4 * BLOCK, 4 * BLOCK, 2);
	do_write(world, 16 * BLOCK + 100, 5000, 3);
	do_sync(world);
	STEP(world, false, compress(world, COMPRESS_MODE_IDLE));
	do_write(world, 20 * BLOCK, 16 * BLOCK, 4);
	do_fill_segment(world, 4);
	do_write(world, 0, 8 * BLOCK, 5);
	do_checkpoint(world);
	do_background(world);
	do_write(world, 24 * BLOCK, BLOCK, 6);
	STEP(world, true, delete_snapshot(world, "s1", true));
	do_background(world);
	do_fill_segment(world, 4);
	do_write(world, 30 * BLOCK, 8 * BLOCK, 7);
	STEP(world, true, compact(world, 1));
	do_background(world);
	do_close(world);
}

static int share(struct world *world, uint64_t from, uint64_t to, uint64_t len)
{
	uint64_t n = 0;
	int rc = file_share(world->file, from, world->file, to, len, &n);

	if (rc == 0)
		memcpy(world->expected + to, world->expected + from, n);
	return rc;
}

static void work_share(struct world *world)
{
	do_create(world, SMALL_IMAGE, true);
	do_open(world);
	do_write(world, 0, 8 * BLOCK, 1);
	STEP(world, false, share(world, 0, 10 * BLOCK, 4 * BLOCK));
	do_write(world, 2 * BLOCK, 2 * BLOCK, 2);
	do_snapshot(world, "s1");
	STEP(world, false, share(world, 2 * BLOCK, 20 * BLOCK, 6 * BLOCK));
	do_sync(world);
	do_write(world, 0, 8 * BLOCK, 3);
	do_checkpoint(world);
	do_write(world, 10 * BLOCK, 16 * BLOCK, 4);
	STEP(world, true, delete_snapshot(world, "s1", true));
	do_background(world);
	do_gc(world);
	do_write(world, 5 * BLOCK, BLOCK, 5);
	do_close(world);
}

static void work_config(struct world *world)
{
	do_create(world, SMALL_IMAGE, false);
	do_open(world);
	do_configure(world, 5 << 20);
	do_write(world, 0, BLOCK, 1);
	do_configure(world, 6 << 20);
	do_sync(world);
	do_configure(world, 7 << 20);
	do_close(world);
}

static int backup(struct world *world)
{
	struct store *store = world->store;
	int rc;

	mutex_lock(&store->maintenance_lock);
	rc = checkpoint_run(store, true);
	mutex_unlock(&store->maintenance_lock);
	return rc;
}

/* Folds of many generations, index.bak, many operations. */
static void work_fold(struct world *world)
{
	char name[8];
	unsigned i;

	do_create(world, SMALL_IMAGE, true);
	do_open(world);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		do_write(world, i * BLOCK, 3 * BLOCK, i);
		do_snapshot(world, name);
	}
	STEP(world, true, backup(world));
	do_rollback(world, "s1");
	do_write(world, 0, BLOCK, 10);
	do_rollback(world, "s2");
	do_write(world, 7 * BLOCK, BLOCK, 11);
	do_checkpoint(world);
	STEP(world, true, delete_snapshot(world, "s0", true));
	STEP(world, true, delete_snapshot(world, "s3", true));
	do_background(world);
	do_gc(world);
	STEP(world, true, delete_snapshot(world, "s1", true));
	STEP(world, true, delete_snapshot(world, "s2", true));
	do_gc(world);
	STEP(world, true, backup(world));
	do_write(world, 0, 9 * BLOCK, 12);
	do_gc(world);
	do_close(world);
}

void second_life_image(struct world *world)
{
	do_open(world);
	adopt(world);
	if (world->over)
		return;
	do_write(world, 0, BLOCK, 200);
	do_write(world, BLOCK, 2 * BLOCK, 201);
	do_sync(world);
	do_write(world, 4 * BLOCK, BLOCK, 202);
	do_snapshot(world, "later");
	do_write(world, 0, BLOCK, 203);
	do_checkpoint(world);
	do_write(world, 3 * BLOCK, BLOCK, 204);
}

const struct named_workload image_workloads[] = {
	{ "data", work_data },	       { "big", work_big },
	{ "history", work_history },   { "resize", work_resize },
	{ "segments", work_segments }, { "lz4", work_lz4 },
	{ "share", work_share },       { "config", work_config },
	{ "fold", work_fold },
};

const size_t image_workload_count =
	sizeof(image_workloads) / sizeof(image_workloads[0]);
