/*
 * Applying records to a head: the one place where the map of a file
 * changes, for new writes and for replay alike. Always in log order, so
 * memory after a crash and replay equals memory before it.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cache.h"
#include "store_impl.h"

struct drop_context {
	struct view *view;
	struct branch *branch;
	struct window *window;
	struct slot gone[WINDOW_BLOCKS];
	unsigned gone_count;
};

static void note_dropped(void *context, const struct slot *slot)
{
	struct drop_context *drop = context;

	drop->gone[drop->gone_count++] = *slot;
}

/* What only this head referred to is free now. */
static void free_dropped(struct drop_context *drop)
{
	struct store *store = drop->view->store;
	unsigned i;

	for (i = 0; i < drop->gone_count; i++) {
		const struct slot *slot = &drop->gone[i];
		struct location at = { slot->segment, slot->block };

		if (!slot_has_place(slot) ||
		    slot->birth <= drop->view->last_point)
			continue;
		/* A compressed chunk goes with the last block that uses it;
		 * only blocks of one birth share a chunk. */
		if (slot->kind == SLOT_KIND_LZ4 &&
		    window_uses_chunk(drop->window->slots,
				      drop->window->slot_count, slot))
			continue;
		space_map_free(&store->space, at, slot_stored_blocks(slot));
	}
}

static uint32_t data_slots(const struct slot *slots, uint32_t count)
{
	uint32_t i, data = 0;

	for (i = 0; i < count; i++)
		data += slots[i].kind != SLOT_KIND_ZERO;
	return data;
}

static int change_window(struct file *file, struct window *window,
			 struct drop_context *drop, unsigned begin,
			 unsigned end, const struct slot *slots,
			 uint32_t slot_count)
	REQUIRES(file->view->store->map_lock)
{
	size_t bytes;
	int rc = cache_begin_change(file->view, window);

	if (rc < 0)
		return rc;
	bytes = window_bytes(window);
	drop->window = window;
	rc = window_replace(window, begin, end, slots, slot_count, note_dropped,
			    drop);
	if (rc < 0)
		return rc;
	free_dropped(drop);
	cache_account(file->view->store, window, bytes);
	file->item.flags |= INODE_FLAG_MAPPED;
	file->item.data_blocks += data_slots(slots, slot_count);
	file->item.data_blocks -= drop->gone_count;
	drop->branch->row.refer_blocks += data_slots(slots, slot_count);
	drop->branch->row.refer_blocks -= drop->gone_count;
	return 0;
}

int file_apply_slots_locked(struct file *file, uint64_t number,
			    const struct slot *slots, uint32_t slot_count,
			    unsigned begin, unsigned end)
{
	struct view *view = file->view;
	struct drop_context drop = {
		.view = view,
		.branch = graph_branch(&view->store->graph, view->branch),
	};
	struct window *window;
	int rc = -EAGAIN;

	while (rc == -EAGAIN) {
		mutex_lock(&file->view->store->map_lock);
		window = cache_find(view->cache, file->inode, number);
		if (window)
			rc = change_window(file, window, &drop, begin, end,
					   slots, slot_count);
		mutex_unlock(&file->view->store->map_lock);
		if (rc == -EAGAIN) {
			int load = cache_load(file, number);

			if (load < 0)
				return load;
		}
	}
	drop.branch->row.changed = true;
	drop.branch->dirty = true;
	return rc;
}

/* The item may belong to a generation that others see. */
static void own_item(struct file *file) REQUIRES(file->view->store->order_lock)
{
	struct view *view = file->view;
	struct branch *branch = graph_branch(&view->store->graph, view->branch);

	if (file->version.line != view->line ||
	    file->version.gen <= view->last_point)
		file->version = (struct item_version){ view->line, view->gen };
	file->dirty = !file->gone;
	branch->row.changed = true;
	branch->dirty = true;
}

void file_touch_locked(struct file *file)
{
	mutex_lock(&file->view->store->map_lock);
	own_item(file);
	if (!file->view->store->is_tree) {
		file->item.mtime_ns = store_realtime_ns();
		file->item.ctime_ns = file->item.mtime_ns;
	}
	mutex_unlock(&file->view->store->map_lock);
}

static struct slot extent_slot(const struct extent_record *extent, bool is_lz4,
			       uint32_t birth, unsigned i)
{
	struct slot slot = {
		.segment = extent->chunk.segment,
		.block = (uint16_t)extent->chunk.block,
		.birth = birth,
		.first = (uint16_t)((extent->first_block + i) % WINDOW_BLOCKS),
		.count = 1,
		.kind = SLOT_KIND_RAW,
		.sum = extent->sums[is_lz4 ? 0 : i],
	};

	if (is_lz4) {
		slot.kind = SLOT_KIND_LZ4;
		slot.lz4 = (uint8_t)(i << 4 | (extent->stored_blocks - 1U));
	} else {
		slot.block = (uint16_t)(slot.block + i);
	}
	return slot;
}

int file_apply_extent_locked(struct file *file,
			     const struct extent_record *extent, bool is_lz4)
{
	struct store *store = file->view->store;
	struct slot slots[RECORD_RAW_BLOCKS_MAX];
	unsigned begin = extent->first_block % WINDOW_BLOCKS, i;
	struct branch *branch;
	int rc;

	if (extent->block_count > WINDOW_BLOCKS - begin)
		return -EUCLEAN; /* an extent stays in its window */
	for (i = 0; i < extent->block_count; i++)
		slots[i] = extent_slot(extent, is_lz4, file->view->gen, i);
	space_map_use(&store->space, extent->chunk, extent->stored_blocks,
		      false);
	rc = file_apply_slots_locked(file, extent->first_block / WINDOW_BLOCKS,
				     slots, extent->block_count, begin,
				     begin + extent->block_count);
	if (rc < 0)
		return rc;
	branch = graph_branch(&store->graph, file->view->branch);
	branch->row.written_blocks += extent->stored_blocks;
	file_touch_locked(file);
	return 0;
}

int file_apply_share_locked(struct file *file, const struct share_record *share)
{
	struct space_map *space = &file->view->store->space;
	unsigned begin = share->slots[0].first;
	uint32_t count = (uint32_t)share->slot_count;
	uint32_t i;
	int rc;

	/* First: what they take the place of may be the same blocks. */
	for (i = 0; i < count; i++) {
		const struct slot *slot = &share->slots[i];
		struct location at = { slot->segment, slot->block };

		space_map_share(space, at, slot_stored_blocks(slot));
	}
	rc = file_apply_slots_locked(file, share->window, share->slots, count,
				     begin, begin + count);
	if (rc == 0)
		file_touch_locked(file);
	return rc;
}

/* Zeros in one window: uncovered where nothing of base can be seen. */
static int zero_window(struct file *file, uint64_t number, unsigned begin,
		       unsigned end) REQUIRES(file->view->store->order_lock)
{
	uint64_t first = number * WINDOW_BLOCKS;
	uint64_t visible =
		(file->item.base_visible_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	struct slot zero = {
		.first = (uint16_t)begin,
		.count = (uint16_t)(end - begin),
		.kind = SLOT_KIND_ZERO,
		.birth = file->view->gen,
	};
	unsigned count = 1;

	if (visible <= first + begin)
		count = 0;
	else if (visible < first + end)
		zero.count = (uint16_t)(visible - first - begin);
	return file_apply_slots_locked(file, number, &zero, count, begin, end);
}

int file_apply_zero_locked(struct file *file, uint64_t first_block,
			   uint64_t block_count)
{
	uint64_t block = first_block, end = first_block + block_count;

	while (block < end) {
		uint64_t number = block / WINDOW_BLOCKS;
		uint64_t window_end = (number + 1) * WINDOW_BLOCKS;
		uint64_t stop = window_end < end ? window_end : end;
		int rc = zero_window(file, number,
				     (unsigned)(block % WINDOW_BLOCKS),
				     (unsigned)(stop - number * WINDOW_BLOCKS));

		if (rc < 0)
			return rc;
		block = stop;
	}
	file_touch_locked(file);
	return 0;
}

int file_next_window(struct file *file, uint64_t number, uint64_t *out_number)
{
	struct store *store = file->view->store;
	uint64_t found = UINT64_MAX;
	struct window_cache *cache;
	int rc = index_window_number(store->index, file->inode, number, &found);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT)
		found = UINT64_MAX;
	mutex_lock(&store->map_lock);
	for (cache = store->caches; cache; cache = cache->next) {
		const struct window *window;

		if (cache->dirty_count == 0)
			continue;
		for (window = cache->windows; window; window = window->hh.next)
			if (window->number.window >= number &&
			    window->number.window < found &&
			    window->number.inode == file->inode)
				found = window->number.window;
	}
	mutex_unlock(&store->map_lock);
	*out_number = found;
	return found == UINT64_MAX ? -ENOENT : 0;
}

static int cut_window(struct file *file, uint64_t number, unsigned begin)
	REQUIRES(file->view->store->order_lock)
{
	struct store *store = file->view->store;
	const struct window *window;
	bool empty;
	int rc = cache_load(file, number);

	if (rc < 0)
		return rc;
	mutex_lock(&store->map_lock);
	window = cache_find(file->view->cache, file->inode, number);
	empty = window && window_search(window, begin) == window->slot_count;
	mutex_unlock(&store->map_lock);
	return empty ? 0 :
		       file_apply_slots_locked(file, number, NULL, 0, begin,
					       WINDOW_BLOCKS);
}

enum { FEW_WINDOWS = 64 };

/* Uncovers all blocks from first_block on, of a file that was old_bytes long;
 * base is cut off by the caller. */
static int cut_slots(struct file *file, uint64_t first_block,
		     uint64_t old_bytes) REQUIRES(file->view->store->order_lock)
{
	uint64_t number = first_block / WINDOW_BLOCKS;
	uint64_t end = (old_bytes + WINDOW_BYTES - 1) / WINDOW_BYTES;
	unsigned begin = (unsigned)(first_block % WINDOW_BLOCKS);
	bool search = end > number && end - number > FEW_WINDOWS;
	int rc = 0;

	if (!(file->item.flags & INODE_FLAG_MAPPED))
		return 0;
	for (; number < end && rc == 0; number++, begin = 0) {
		uint64_t next = number;

		/* A few are looked at one by one; of many, those that were
		 * ever written to. */
		if (search)
			rc = file_next_window(file, number, &next);
		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		if (next != number)
			begin = 0;
		number = next;
		rc = cut_window(file, number, begin);
	}
	return rc;
}

int file_apply_resize_locked(struct file *file, uint64_t size_bytes)
{
	struct store *store = file->view->store;
	uint64_t old_bytes = file->item.size_bytes;
	struct branch *branch = graph_branch(&store->graph, file->view->branch);

	file_touch_locked(file);
	mutex_lock(&store->map_lock);
	file->item.size_bytes = size_bytes;
	if (size_bytes < file->item.base_visible_bytes)
		file->item.base_visible_bytes = size_bytes;
	branch->size_bytes = size_bytes;
	mutex_unlock(&store->map_lock);
	if (size_bytes >= old_bytes)
		return 0;
	return cut_slots(file, (size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES,
			 old_bytes);
}

int file_apply_delete_locked(struct file *file)
{
	int rc = cut_slots(file, 0, file->item.size_bytes);

	/* Nobody finds it any more; who has it open keeps an empty file. */
	mutex_lock(&file->view->store->map_lock);
	file->item.size_bytes = 0;
	file->item.base_visible_bytes = 0;
	file->item.nlink = 0;
	file->dirty = false;
	file->gone = true;
	mutex_unlock(&file->view->store->map_lock);
	return rc;
}

void file_apply_attributes_locked(struct file *file,
				  const struct attributes_record *attributes)
{
	struct inode_item *item = &file->item;

	mutex_lock(&file->view->store->map_lock);
	own_item(file);
	item->mode = (item->mode & S_IFMT) | attributes->mode;
	item->uid = attributes->uid;
	item->gid = attributes->gid;
	item->atime_ns = attributes->atime_ns;
	item->mtime_ns = attributes->mtime_ns;
	item->ctime_ns = attributes->ctime_ns;
	mutex_unlock(&file->view->store->map_lock);
}
