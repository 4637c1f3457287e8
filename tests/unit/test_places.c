/*
 * D11, D12: no byte of a segment ever becomes another one. So a late punch
 * meets nothing that is new, and nothing live is handed out again. Whatever
 * the store writes passes the seam, where this test notes it.
 */
#include "store_world.h"

#include <pthread.h>

#include "io_hook.h"

enum { UNIT_BYTES = 8, FILES_MAX = 64, STEPS = 1200 };
#define UNITS (SEGMENT_BYTES / UNIT_BYTES)

static struct noted_file {
	ino_t inode;
	uint8_t *written; /* a bit for each unit */
} files[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t written_twice, punched_early, write_count, punch_count;

static struct noted_file *find(int fd, bool is_new)
{
	struct stat st;
	size_t i;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	for (i = 0; i < FILES_MAX && files[i].written; i++)
		if (files[i].inode == st.st_ino) {
			if (is_new)
				memset(files[i].written, 0, UNITS / 8);
			return &files[i];
		}
	if (!is_new || i == FILES_MAX)
		return NULL;
	files[i].inode = st.st_ino;
	files[i].written = calloc(1, UNITS / 8);
	assert_non_null(files[i].written);
	return &files[i];
}

static bool is_zero(const uint8_t *data, size_t len_bytes)
{
	return data[0] == 0 && memcmp(data, data + 1, len_bytes - 1) == 0;
}

/*
 * Zeros are what was there: the next segment is prepared with them, and a
 * record block has them behind its header. And replay writes what it has read
 * once more, in place, so that the next flush reaches it.
 */
static void note_write(struct noted_file *file, const struct io_event *event)
{
	const uint8_t *data = event->data;
	uint8_t *old = calloc(1, event->len), *before = old;
	uint64_t unit = event->offset / UNIT_BYTES;
	uint64_t end = (event->offset + event->len) / UNIT_BYTES;

	assert_non_null(old);
	(void)!pread(event->fd, old, event->len, (off_t)event->offset);
	write_count++;
	for (; unit < end; unit++, data += UNIT_BYTES, before += UNIT_BYTES) {
		uint8_t bit = (uint8_t)(1 << unit % 8);

		if (is_zero(data, UNIT_BYTES))
			continue;
		written_twice += (file->written[unit / 8] & bit) != 0 &&
				 memcmp(data, before, UNIT_BYTES) != 0;
		file->written[unit / 8] |= bit;
	}
	free(old);
}

/* Where nothing was written yet something could come. */
static void note_punch(struct noted_file *file, const struct io_event *event)
{
	uint64_t block = event->offset / BLOCK_BYTES;
	uint64_t end = (event->offset + event->len) / BLOCK_BYTES;

	punch_count++;
	for (; block < end; block++)
		punched_early += is_zero(file->written + block * BLOCK_BYTES /
								 UNIT_BYTES / 8,
					 BLOCK_BYTES / UNIT_BYTES / 8);
}

/* Before it is done: what is there can still be read. */
static int note_before(void *context, struct io_event *event)
{
	struct noted_file *file;

	(void)context;
	if (event->op != IO_OP_WRITE || event->fd < 0)
		return 0;
	pthread_mutex_lock(&lock);
	file = find(event->fd, false);
	if (file)
		note_write(file, event);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void note(void *context, const struct io_event *event, int64_t result)
{
	struct noted_file *file;
	size_t name_bytes = event->name ? strlen(event->name) : 0;

	(void)context;
	pthread_mutex_lock(&lock);
	if (event->op == IO_OP_OPEN && result >= 0 && event->flags & O_CREAT &&
	    name_bytes > 4 &&
	    (strcmp(event->name + name_bytes - 4, ".seg") == 0 ||
	     strcmp(event->name, "next.tmp") == 0))
		(void)find((int)result, true);
	else if (event->op == IO_OP_PUNCH && result >= 0 &&
		 (file = find(event->fd, false)))
		note_punch(file, event);
	pthread_mutex_unlock(&lock);
}

static void change_history(struct store_world *world, unsigned step)
{
	struct snapshot_info *list = NULL, info;
	struct rollback_result back;
	struct compact_result compact;
	struct gc_result gc;
	size_t count = 0;
	char name[16];

	snprintf(name, sizeof(name), "s%u", step);
	assert_ok(world, history_snapshots(world->store, "main", false, &list,
					   &count, &world->failure));
	switch (step % 5) {
	case 0:
	case 1:
		assert_ok(world,
			  history_snapshot(world->store, "main", name, "",
					   SNAPSHOT_KIND_MANUAL, &world_actor,
					   &info, &world->failure));
		break;
	case 2:
		if (count > 3)
			assert_ok(world,
				  history_rollback(world->store, "main",
						   list[step % count].id, "",
						   &world_actor, &back,
						   &world->failure));
		break;
	case 3:
		if (count > 6)
			(void)!history_delete_snapshot(world->store,
						       list[step % count].id,
						       true, &world_actor,
						       NULL);
		break;
	default:
		assert_ok(world, space_gc(world->store, 0, false, &world_actor,
					  NULL, NULL, &gc, &world->failure));
		assert_ok(world,
			  space_compact(world->store, 20, false, NULL, NULL,
					&compact, &world->failure));
		break;
	}
	free(list);
}

static void work(struct store_world *world)
{
	static uint8_t data[64 * BLOCK_BYTES];
	unsigned step, x = 1;

	for (step = 0; step < STEPS; step++) {
		uint64_t at, len_bytes;

		x = x * 1103515245 + 12345;
		at = (x >> 8) % (WORLD_BASE_BYTES - sizeof(data));
		len_bytes = 1 + (x >> 4) % sizeof(data);
		world_fill(data, (size_t)len_bytes, x);
		if (x >> 28 < 3)
			assert_int_equal(file_zero(world->file, at, len_bytes),
					 0);
		else
			assert_int_equal(file_write(world->file, at, data,
						    (size_t)len_bytes),
					 0);
		if (step % 10 == 9)
			assert_int_equal(file_sync(world->file), 0);
		if (step % 30 == 29)
			change_history(world, step / 30);
		if (step % 100 == 99)
			assert_int_equal(store_checkpoint(world->store), 0);
		if (step % 400 == 399)
			world_crash(world);
	}
}

static int setup(void **state)
{
	static const struct io_hook hook = { note_before, note, NULL };

	io_hook = &hook;
	return world_setup(state);
}

static void test_no_byte_of_a_segment_is_written_twice(void **state)
{
	struct store_world *world = *state;
	size_t i;

	work(world);
	world_close(world);
	io_hook = NULL;
	world_open(world);
	assert_true(write_count > STEPS && punch_count > 5);
	assert_int_equal(written_twice, 0);
	assert_int_equal(punched_early, 0);
	for (i = 0; i < FILES_MAX; i++)
		free(files[i].written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_no_byte_of_a_segment_is_written_twice, setup,
			world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
