/*
 * Room on the host's disk: what users may write, and what must find room when
 * others have filled the disk to the last block.
 *
 * For the first a part of what is free stays free (`reserve`). That is no
 * promise, as others may take it. So real blocks are set aside as well: for
 * records (lib/log/spare.c), and for the next commit of the index, which grow
 * with what is not saved yet (lib/index/room.c). Users' writes that these
 * can't be set aside for are refused.
 *
 * To make a hole some file systems want room that can't be set aside for it:
 * reserve.tmp has it, and lends it.
 */
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "io.h"
#include "items.h"

enum {
	CHECK_NS = 50000000,
	SLACK_ROWS = 64, /* until it is looked at again */
	SLACK_BYTES = 1 << 16,
	LENT_BYTES = 1 << 19,
	SEGMENT_ROW_BYTES = 2 * SEGMENT_BITMAP_BYTES + 64,
};

/* What a checkpoint would write now. */
struct unsaved {
	uint64_t rows, bytes;
};

static struct unsaved unsaved_of(struct store *store)
{
	struct unsaved unsaved = { .rows = store->reaped_rows };

	mutex_lock(&store->map_lock);
	unsaved.rows += store->dirty_windows;
	unsaved.bytes += store->dirty_bytes;
	mutex_unlock(&store->map_lock);
	mutex_lock(&store->item_lock);
	unsaved.rows += store->items.count + store->saving_items.count;
	unsaved.bytes +=
		store->items.memory_bytes + store->saving_items.memory_bytes;
	mutex_unlock(&store->item_lock);
	return unsaved;
}

static uint64_t dirty_segments(struct space_map *map)
{
	uint64_t count = 0;
	size_t i;

	mutex_lock(&map->lock);
	for (i = 0; i < map->count; i++)
		count += map->segments[i]->dirty;
	mutex_unlock(&map->lock);
	return count;
}

/* For so many rows more than there are. */
static int keep_rows(struct store *store, struct unsaved unsaved, uint64_t rows,
		     uint64_t bytes)
{
	uint64_t segments = dirty_segments(&store->space);
	int rc;

	unsaved.rows += rows;
	unsaved.bytes += bytes;
	rc = index_keep_room(store->index, unsaved.rows + segments,
			     unsaved.bytes + segments * SEGMENT_ROW_BYTES);
	if (rc < 0)
		return rc;
	atomic_store(&store->covered_rows, unsaved.rows);
	atomic_store(&store->covered_bytes, unsaved.bytes);
	return 0;
}

bool reserve_covers(struct store *store)
{
	struct unsaved unsaved = unsaved_of(store);

	if (unsaved.rows <= atomic_load(&store->covered_rows) &&
	    unsaved.bytes <= atomic_load(&store->covered_bytes))
		return true;
	return keep_rows(store, unsaved, SLACK_ROWS, SLACK_BYTES) == 0 ||
	       keep_rows(store, unsaved, 0, 0) == 0;
}

uint32_t reserve_rows(struct store *store, uint32_t most)
{
	if (store->live.reserve_bytes == 0)
		return most;
	while (most > 0 && keep_rows(store, unsaved_of(store), most, 0) < 0)
		most /= 2;
	return most;
}

/* A hole finds room by itself. */
static bool needs_no_loan(const struct store *store)
{
	struct statfs fs;

	return fstatfs(store->directory_fd, &fs) < 0 ||
	       fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC;
}

static void keep_loan(struct store *store, bool wanted)
{
	if (!wanted || atomic_load(&store->loan_ready))
		return;
	if (store->loan_fd < 0 && !needs_no_loan(store))
		store->loan_fd = io_open_own(store->directory_fd, "reserve.tmp",
					     O_RDWR | O_CREAT);
	if (store->loan_fd < 0)
		wanted = false; /* not needed, or not now */
	if (wanted && io_allocate(store->loan_fd, 0, LENT_BYTES) < 0)
		wanted = false;
	atomic_store(&store->loan_ready, wanted);
}

bool reserve_lend(struct store *store)
{
	if (!atomic_exchange(&store->loan_ready, false))
		return false;
	return io_truncate(store->loan_fd, 0) == 0;
}

void reserve_keep(struct store *store)
{
	bool wanted = store->live.reserve_bytes > 0;

	keep_loan(store, wanted);
	(void)!log_keep_spare(store->log, wanted); /* lean, till next time */
	if (wanted &&
	    keep_rows(store, unsaved_of(store), SLACK_ROWS, SLACK_BYTES) < 0)
		(void)!reserve_covers(store);
}

/*
 * Writes use up a budget, what was free above the reserve at the last look;
 * it is looked again when that is gone, and every 50 ms. What is about to be
 * written is taken off (the caller's own may be among it, or not yet), and what
 * unsaved items will need as rows, first in the WAL.
 */
static bool below_reserve(struct store *store, uint64_t len_bytes)
{
	uint64_t now = (uint64_t)store_monotonic_ns();
	uint64_t last = atomic_load(&store->free_checked_ns);
	struct statvfs vfs;
	int64_t free_bytes, writing;

	if (atomic_fetch_sub(&store->write_budget_bytes, (int64_t)len_bytes) >=
		    (int64_t)len_bytes &&
	    now - last < CHECK_NS)
		return false;
	if (fstatvfs(store->directory_fd, &vfs) < 0)
		return false;
	writing = (int64_t)atomic_load(&store->writing_bytes);
	free_bytes =
		(int64_t)((uint64_t)vfs.f_bavail * vfs.f_frsize) -
		(int64_t)store->live.reserve_bytes -
		(writing > (int64_t)len_bytes ? writing : (int64_t)len_bytes) -
		2 * (int64_t)items_memory_bytes(store);
	atomic_store(&store->free_checked_ns, now);
	atomic_store(&store->write_budget_bytes, free_bytes / 2);
	atomic_store(&store->out_of_space, free_bytes < 0);
	return free_bytes < 0;
}

int store_check_writable(struct store *store, uint64_t user_bytes)
{
	if (atomic_load(&store->failed))
		return -EROFS;
	if (user_bytes == 0)
		return 0;
	/* What is not saved must not grow for ever. */
	if (index_waits(store->index) ||
	    (store->live.reserve_bytes > 0 &&
	     (log_is_lean(store->log) || !reserve_covers(store)))) {
		atomic_store(&store->out_of_space, true);
		return -ENOSPC;
	}
	if (store->live.reserve_bytes > 0 && below_reserve(store, user_bytes))
		return -ENOSPC;
	if (store->live.reserve_bytes == 0)
		atomic_store(&store->out_of_space, false);
	return 0;
}
