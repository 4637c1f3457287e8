/*
 * Reading: delta over base.
 *
 * The slots of the range are copied under map_lock and read without it.
 * Meanwhile compaction or an overwrite may give their blocks back to the
 * host; then the checksum fails (or the segment is gone) and the slots have
 * changed: the read starts again. Only a mismatch that stays is damage.
 */
#include "file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cache.h"
#include "layers.h"
#include "store_impl.h"

enum { READ_BLOCKS_MAX = 256, READ_TRIES = 4 };

/* The slots of [begin, end) of a window, copied. */
struct mapped {
	struct slot slots[WINDOW_BLOCKS];
	unsigned count;
};

static int map_range(struct file *file, uint64_t number, unsigned begin,
		     unsigned end, struct mapped *mapped)
{
	struct view *view = file->view;
	struct store *store = view->store;
	struct window *window;
	bool loaded = false;
	unsigned i;
	int rc;

	mapped->count = 0;
	for (;; loaded = true) {
		mutex_lock(&store->map_lock);
		if (!(file->item.flags & INODE_FLAG_MAPPED)) {
			mutex_unlock(&store->map_lock);
			return 0; /* nobody ever wrote to it */
		}
		window = cache_find(view->cache, file->inode, number);
		if (window)
			break;
		mutex_unlock(&store->map_lock);
		rc = cache_load(file, number);
		if (rc < 0)
			return rc;
	}
	window->referenced = true;
	for (i = window_search(window, begin);
	     i < window->slot_count && window->slots[i].first < end; i++)
		mapped->slots[mapped->count++] = window->slots[i];
	mutex_unlock(&store->map_lock);
	if (!loaded)
		atomic_fetch_add_explicit(&store->count.window_hits, 1,
					  memory_order_relaxed);
	return 0;
}

static uint64_t visible_bytes(struct file *file)
{
	struct store *store = file->view->store;
	uint64_t visible;

	mutex_lock(&store->map_lock);
	visible = file->item.base_visible_bytes;
	mutex_unlock(&store->map_lock);
	return visible;
}

/* Without order_lock, which is held while records are written. */
uint64_t file_size(struct file *file)
{
	struct store *store = file->view->store;
	uint64_t size_bytes;

	mutex_lock(&store->map_lock);
	size_bytes = file->item.size_bytes;
	mutex_unlock(&store->map_lock);
	return size_bytes;
}

static bool has_base(const struct file *file)
{
	return file->base_file || file->view->store->base;
}

int file_base_seek(struct file *file, uint64_t offset_bytes, bool want_data,
		   uint64_t *out_offset_bytes)
{
	int rc;

	if (!file->base_file)
		return base_seek(file->view->store->base, offset_bytes,
				 want_data, out_offset_bytes);
	rc = base_file_seek(file->base_file, offset_bytes, want_data,
			    out_offset_bytes);
	if (rc != -ENXIO)
		return rc;
	*out_offset_bytes = UINT64_MAX; /* cut off at what is visible */
	return 0;
}

/* Base, cut off where it can no longer be seen. */
static int read_base(struct file *file, uint64_t offset_bytes, uint8_t *data,
		     size_t len_bytes)
{
	struct store *store = file->view->store;
	uint64_t visible = visible_bytes(file);
	size_t from_base = 0;

	if (has_base(file) && offset_bytes < visible)
		from_base = visible - offset_bytes < len_bytes ?
				    (size_t)(visible - offset_bytes) :
				    len_bytes;
	memset(data + from_base, 0, len_bytes - from_base);
	if (from_base == 0)
		return 0;
	atomic_fetch_add(&store->count.base_read_bytes, from_base);
	if (file->base_file)
		return base_file_read(file->base_file, offset_bytes, data,
				      from_base);
	return base_read(store->base, offset_bytes, data, from_base);
}

/* How many slots from here on lie one behind the other in a segment. */
static unsigned raw_run(const struct slot *slots, unsigned count)
{
	unsigned n = 1;

	while (n < count && slots[n].kind == SLOT_KIND_RAW &&
	       slots[n].segment == slots[0].segment &&
	       slots[n].block == slots[0].block + n &&
	       slots[n].first == slots[0].first + n)
		n++;
	return n;
}

static int read_raw_run(struct store *store, const struct slot *slots,
			unsigned count, uint8_t *data)
{
	struct location at = { slots[0].segment, slots[0].block };
	unsigned i;
	int rc = log_read_blocks(store->log, at, data, count);

	for (i = 0; rc == 0 && i < count; i++)
		if (block_checksum(store->seed, data + (size_t)i * BLOCK_BYTES,
				   BLOCK_BYTES) != slots[i].sum)
			rc = -EUCLEAN;
	return rc;
}

/* Asks the host for all scattered pieces at once, before reading them. */
static void advise(struct store *store, const struct mapped *mapped)
{
	unsigned i, run, runs = 0;

	for (i = 0; i < mapped->count; i += run, runs++)
		run = raw_run(mapped->slots + i, mapped->count - i);
	if (runs < 3)
		return;
	for (i = 0; i < mapped->count; i += run) {
		const struct slot *slot = &mapped->slots[i];
		struct location at = { slot->segment, slot->block };

		run = raw_run(slot, mapped->count - i);
		if (slot_has_place(slot))
			log_advise(store->log, at,
				   slot->kind == SLOT_KIND_RAW ?
					   run :
					   slot_stored_blocks(slot));
	}
}

/* cowd-fsck found it damaged and no other copy of it. */
static int tell_lost(struct file *file, uint64_t number, unsigned block)
{
	struct store *store = file->view->store;

	atomic_fetch_add(&store->count.lost_reads, 1);
	return log_errno(-EIO,
			 "%s: inode %" PRIu64 ", offset %" PRIu64
			 ": cowd-fsck gave this block up; it can be read "
			 "again once it is written",
			 store->path, file->inode,
			 number * WINDOW_BYTES + (uint64_t)block * BLOCK_BYTES);
}

/* Whole blocks [begin, end) of one window. */
static int read_mapped(struct file *file, uint64_t number, unsigned begin,
		       unsigned end, const struct mapped *mapped, uint8_t *data)
{
	struct store *store = file->view->store;
	uint64_t window_bytes_at = number * WINDOW_BYTES;
	unsigned block = begin, i = 0, stop, run;
	int rc = 0;

	advise(store, mapped);
	while (block < end && rc == 0) {
		const struct slot *slot = &mapped->slots[i];
		uint8_t *here = data + (size_t)(block - begin) * BLOCK_BYTES;

		if (i == mapped->count || slot->first > block) {
			stop = i == mapped->count ? end : slot->first;
			rc = read_base(
				file,
				window_bytes_at + (uint64_t)block * BLOCK_BYTES,
				here, (size_t)(stop - block) * BLOCK_BYTES);
			block = stop;
			continue;
		}
		if (slot->kind == SLOT_KIND_ZERO) {
			stop = (unsigned)slot->first + slot->count;
			stop = stop < end ? stop : end;
			memset(here, 0, (size_t)(stop - block) * BLOCK_BYTES);
			run = 1;
		} else if (slot->kind == SLOT_KIND_LOST) {
			return tell_lost(file, number, block);
		} else if (slot->kind == SLOT_KIND_RAW) {
			run = raw_run(slot, mapped->count - i);
			rc = read_raw_run(store, slot, run, here);
			stop = block + run;
		} else {
			run = 1;
			rc = chunk_read_block(store, slot, here);
			stop = block + 1;
		}
		i += run;
		block = stop;
	}
	return rc;
}

static bool same_map(const struct mapped *a, const struct mapped *b)
{
	return a->count == b->count &&
	       memcmp(a->slots, b->slots, a->count * sizeof(a->slots[0])) == 0;
}

/* Forgets a clean window, so that the next look loads the saved row. */
static void forget_window(struct file *file, uint64_t number)
{
	struct store *store = file->view->store;
	struct window *window;

	mutex_lock(&store->map_lock);
	window = cache_find(file->view->cache, file->inode, number);
	if (window && !window->dirty && !window->older)
		cache_drop_window(store, window);
	mutex_unlock(&store->map_lock);
}

static int read_window(struct file *file, uint64_t number, unsigned begin,
		       unsigned end, uint8_t *data)
{
	struct store *store = file->view->store;
	struct mapped maps[2];
	int tries, rc;

	for (tries = 0; tries < READ_TRIES; tries++) {
		struct mapped *mapped = &maps[tries % 2];

		rc = map_range(file, number, begin, end, mapped);
		if (rc < 0)
			return rc;
		if (tries > 1 && same_map(&maps[0], &maps[1]))
			break;
		rc = read_mapped(file, number, begin, end, mapped, data);
		if (rc != -EUCLEAN && rc != -ENOENT)
			return rc;
		forget_window(file, number);
	}
	atomic_fetch_add(&store->count.checksum_errors, 1);
	return log_errno(-EUCLEAN,
			 "%s: stored data of offset %" PRIu64 ", %u blocks, is "
			 "damaged",
			 store->path,
			 number * WINDOW_BYTES + (uint64_t)begin * BLOCK_BYTES,
			 end - begin);
}

/* Whole blocks, at most READ_BLOCKS_MAX. */
static int read_blocks(struct file *file, uint64_t first_block,
		       uint32_t block_count, uint8_t *data)
{
	while (block_count > 0) {
		unsigned begin = first_block % WINDOW_BLOCKS;
		unsigned room = WINDOW_BLOCKS - begin;
		unsigned count = block_count < room ? block_count : room;
		int rc = read_window(file, first_block / WINDOW_BLOCKS, begin,
				     begin + count, data);

		if (rc < 0)
			return rc;
		first_block += count;
		block_count -= count;
		data += (size_t)count * BLOCK_BYTES;
	}
	return 0;
}

int file_read_block(struct file *file, uint64_t block, uint8_t *data)
{
	return read_blocks(file, block, 1, data);
}

/* The part of one block that is asked for. */
static int read_part(struct file *file, uint64_t offset_bytes, uint8_t *data,
		     size_t len_bytes)
{
	uint8_t block[BLOCK_BYTES];
	int rc = read_blocks(file, offset_bytes / BLOCK_BYTES, 1, block);

	if (rc == 0)
		memcpy(data, block + offset_bytes % BLOCK_BYTES, len_bytes);
	return rc;
}

int file_read(struct file *file, uint64_t offset_bytes, void *data,
	      size_t len_bytes, size_t *out_len_bytes)
{
	struct store *store = file->view->store;
	uint64_t size_bytes = file_size(file);
	uint8_t *next = data;
	size_t done = 0;
	int rc = 0;

	if (file->left)
		return -ESTALE;
	if (offset_bytes >= size_bytes)
		len_bytes = 0;
	else if (len_bytes > size_bytes - offset_bytes)
		len_bytes = (size_t)(size_bytes - offset_bytes);
	while (done < len_bytes && rc == 0) {
		uint64_t at = offset_bytes + done;
		size_t left = len_bytes - done, step;
		uint32_t blocks;

		if (at % BLOCK_BYTES != 0 || left < BLOCK_BYTES) {
			step = BLOCK_BYTES - at % BLOCK_BYTES;
			step = step < left ? step : left;
			rc = read_part(file, at, next + done, step);
		} else {
			blocks = left / BLOCK_BYTES < READ_BLOCKS_MAX ?
					 (uint32_t)(left / BLOCK_BYTES) :
					 READ_BLOCKS_MAX;
			step = (size_t)blocks * BLOCK_BYTES;
			rc = read_blocks(file, at / BLOCK_BYTES, blocks,
					 next + done);
		}
		done += step;
	}
	if (rc < 0)
		return rc;
	atomic_fetch_add(&store->count.reads, 1);
	atomic_fetch_add(&store->count.read_bytes, len_bytes);
	*out_len_bytes = len_bytes;
	return 0;
}

void file_get_info(struct file *file, struct file_info *out_info)
{
	struct store *store = file->view->store;
	const struct inode_item *item = &file->item;

	mutex_lock(&store->map_lock);
	*out_info = (struct file_info){
		.size_bytes = item->size_bytes,
		.mtime_ns = item->mtime_ns,
		.ctime_ns = item->ctime_ns,
		.atime_ns = item->atime_ns,
		.mode = item->mode & 07777,
		.uid = item->uid,
		.gid = item->gid,
	};
	mutex_unlock(&store->map_lock);
	out_info->delta_bytes = file_delta_bytes(file);
}

int file_map_window(struct file *file, uint64_t number, struct slot *slots,
		    unsigned *out_slot_count)
{
	AUTO_FREE struct mapped *mapped = malloc(sizeof(*mapped));
	int rc;

	if (!mapped)
		return -ENOMEM;
	rc = map_range(file, number, 0, WINDOW_BLOCKS, mapped);
	if (rc < 0)
		return rc;
	memcpy(slots, mapped->slots, mapped->count * sizeof(*slots));
	*out_slot_count = mapped->count;
	return 0;
}

/* Where the map of [block, window end) next is of the wanted sort. */
static int seek_in_window(struct file *file, uint64_t offset_bytes,
			  bool want_data, uint64_t *out_offset)
{
	uint64_t number = offset_bytes / WINDOW_BYTES;
	uint64_t window_at = number * WINDOW_BYTES;
	unsigned block = (unsigned)(offset_bytes % WINDOW_BYTES / BLOCK_BYTES);
	uint64_t visible = visible_bytes(file), found;
	struct mapped mapped;
	unsigned i = 0;
	int rc = map_range(file, number, block, WINDOW_BLOCKS, &mapped);

	if (rc < 0)
		return rc;
	while (block < WINDOW_BLOCKS) {
		const struct slot *slot = &mapped.slots[i];
		uint64_t at = window_at + (uint64_t)block * BLOCK_BYTES;
		unsigned stop = i < mapped.count ? slot->first : WINDOW_BLOCKS;
		uint64_t end = window_at + (uint64_t)stop * BLOCK_BYTES;

		at = at > offset_bytes ? at : offset_bytes;
		if (i < mapped.count && slot->first <= block) {
			if ((slot->kind != SLOT_KIND_ZERO) == want_data) {
				*out_offset = at;
				return 0;
			}
			block = (unsigned)slot->first + slot->count;
			i++;
			continue;
		}
		found = at;
		if (has_base(file) && at < visible) {
			rc = file_base_seek(file, at, want_data, &found);
			if (rc < 0)
				return rc;
			if (found >= visible)
				found = want_data ? UINT64_MAX : visible;
		} else if (want_data) {
			found = UINT64_MAX;
		}
		if (found < end) {
			*out_offset = found;
			return 0;
		}
		block = stop;
	}
	return -EAGAIN; /* not in this window */
}

/* Where to look for data from a window's begin on: over what has neither a
 * version nor data of base. */
static int skip_holes(struct file *file, uint64_t *at)
{
	uint64_t number, stored = UINT64_MAX, below = UINT64_MAX;
	int rc = file_next_window(file, *at / WINDOW_BYTES, &number);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0)
		stored = number * WINDOW_BYTES;
	if (has_base(file) && *at < visible_bytes(file)) {
		rc = file_base_seek(file, *at, true, &below);
		if (rc < 0)
			return rc;
	}
	*at = stored < below ? stored : below;
	return 0;
}

int file_seek(struct file *file, uint64_t offset_bytes, bool want_data,
	      uint64_t *out_offset_bytes)
{
	uint64_t size_bytes = file_size(file);
	uint64_t at = offset_bytes;
	unsigned windows = 0;
	int rc;

	if (file->left)
		return -ESTALE;
	if (offset_bytes >= size_bytes)
		return -ENXIO;
	while (at < size_bytes) {
		rc = seek_in_window(file, at, want_data, &at);
		if (rc == 0)
			break;
		if (rc != -EAGAIN)
			return rc;
		at = (at / WINDOW_BYTES + 1) * WINDOW_BYTES;
		/* Not at once: near ones are found faster by looking. */
		rc = want_data && ++windows % 8 == 0 ? skip_holes(file, &at) :
						       0;
		if (rc < 0)
			return rc;
	}
	if (at >= size_bytes) {
		if (want_data)
			return -ENXIO;
		at = size_bytes;
	}
	*out_offset_bytes = at;
	return 0;
}
