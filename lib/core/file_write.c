/*
 * Writing: reserve blocks, write them, append the record, apply it.
 *
 * I1: the record is appended after its blocks are written, and the map
 *     changes after the record is appended, both under order_lock.
 * I2: a part block is read, merged and written whole under its stripe,
 *     exclusively; whole blocks hold the stripe shared. So no write of a
 *     block is lost to a part write of its neighbour's bytes.
 *     A head moves with all stripes held: so no part write carries bytes
 *     from one state to another.
 * I3: bytes of the last block behind the end of the file are zeros.
 * I4: a record is of an inode that has an item where it stands in the log:
 *     whoever has it open when it goes gets ESTALE, also in the midst of a
 *     write. Replay would take it for damage.
 *
 * A crash leaves the file as after some prefix of the acknowledged writes
 * and perhaps one more.
 */
#include <errno.h>
#include <lz4.h>
#include <string.h>

#include "cache.h"
#include "chunk_format.h"
#include "dump.h"
#include "store_impl.h"

pthread_rwlock_t *file_stripe(struct file *file, uint64_t block)
{
	uint64_t window = block / WINDOW_BLOCKS + file->inode * 7;

	return &file->view->stripes[window % VIEW_STRIPES];
}

static bool is_zero(const uint8_t *data, size_t len_bytes)
{
	return data[0] == 0 && memcmp(data, data + 1, len_bytes - 1) == 0;
}

static int check(struct file *file, uint64_t user_bytes)
{
	if (!file->view->is_head)
		return -EROFS;
	return worker_wait_for_room(file->view->store, user_bytes);
}

/* I4 */
int file_check_item_locked(const struct file *file)
{
	return file->gone || file->version.line == 0 ? -ESTALE : 0;
}

static int append_extent_locked(struct file *file, struct extent_record *extent,
				enum record_type type)
	REQUIRES(file->view->store->order_lock)
{
	struct store *store = file->view->store;
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;
	int rc = file_check_item_locked(file);

	if (rc < 0)
		return rc;
	extent->line = file->view->line;
	extent->gen = file->view->gen;
	rc = store_logged(
		store,
		log_append(store->log, type, payload,
			   extent_record_encode(extent, type, payload), &lsn));
	if (rc < 0)
		return rc;
	rc = file_apply_extent_locked(file, extent, type == RECORD_TYPE_LZ4);
	if (rc < 0)
		return store_fail(store, rc, "can't apply a logged write");
	return 0;
}

static int commit_extent(struct file *file, struct extent_record *extent,
			 enum record_type type)
{
	int rc;

	mutex_lock(&file->view->store->order_lock);
	rc = append_extent_locked(file, extent, type);
	mutex_unlock(&file->view->store->order_lock);
	return rc;
}

static int append_zero_locked(struct file *file, uint64_t first_block,
			      uint64_t block_count)
	REQUIRES(file->view->store->order_lock)
{
	struct store *store = file->view->store;
	struct zero_record zero = {
		.line = file->view->line,
		.gen = file->view->gen,
		.inode = file->inode,
		.first_block = first_block,
		.block_count = block_count,
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;
	int rc = file_check_item_locked(file);

	if (rc == 0)
		rc = store_logged(
			store,
			log_append(store->log, RECORD_TYPE_ZERO, payload,
				   zero_record_encode(&zero, payload), &lsn));
	if (rc < 0)
		return rc;
	rc = file_apply_zero_locked(file, first_block, block_count);
	if (rc < 0)
		return store_fail(store, rc, "can't apply a logged discard");
	return 0;
}

/* Does the range read as zeros already, without a slot of data? */
static bool reads_as_hole(struct file *file, uint64_t first_block,
			  uint64_t block_count)
{
	struct store *store = file->view->store;
	uint64_t begin = first_block * BLOCK_BYTES, data, visible;
	struct window *window;
	const struct slot *slot;
	unsigned from = first_block % WINDOW_BLOCKS, i;
	bool empty = true;

	mutex_lock(&store->map_lock);
	window = cache_find(file->view->cache, file->inode,
			    first_block / WINDOW_BLOCKS);
	visible = file->item.base_visible_bytes;
	if (!window)
		empty = false;
	for (i = window ? window_search(window, from) : 0;
	     window && empty && i < window->slot_count; i++) {
		slot = &window->slots[i];
		if (slot->first >= from + block_count)
			break;
		empty = false;
	}
	mutex_unlock(&store->map_lock);
	if (!empty || !(file->base_file || store->base) || begin >= visible)
		return empty;
	return file_base_seek(file, begin, true, &data) == 0 &&
	       (data >= begin + block_count * BLOCK_BYTES || data >= visible);
}

static int write_zeros(struct file *file, uint64_t first_block,
		       uint64_t block_count)
{
	struct store *store = file->view->store;
	int rc = cache_load(file, first_block / WINDOW_BLOCKS);

	if (rc < 0 || reads_as_hole(file, first_block, block_count))
		return rc;
	atomic_fetch_add(&store->count.zero_bytes, block_count * BLOCK_BYTES);
	mutex_lock(&file->view->store->order_lock);
	rc = append_zero_locked(file, first_block, block_count);
	mutex_unlock(&file->view->store->order_lock);
	return rc;
}

static int write_raw(struct file *file, uint64_t first_block,
		     uint32_t block_count, const uint8_t *data)
{
	struct store *store = file->view->store;
	struct extent_record extent = {
		.inode = file->inode,
		.first_block = first_block,
		.block_count = (uint16_t)block_count,
		.stored_blocks = (uint16_t)block_count,
	};
	uint32_t i;
	int rc = store_logged(store, log_reserve(store->log, block_count,
						 &extent.chunk));

	if (rc < 0)
		return rc;
	for (i = 0; i < block_count; i++)
		extent.sums[i] = block_checksum(store->seed,
						data + (size_t)i * BLOCK_BYTES,
						BLOCK_BYTES);
	rc = store_logged(store, log_write_blocks(store->log, extent.chunk,
						  data, block_count));
	if (rc < 0)
		return rc;
	atomic_fetch_add(&store->count.stored_bytes,
			 (uint64_t)block_count * BLOCK_BYTES);
	return commit_extent(file, &extent, RECORD_TYPE_RAW); /* I1 */
}

/* 1 when the chunk saves nothing and must be stored raw. */
static int write_lz4(struct file *file, uint64_t first_block,
		     uint32_t block_count, const uint8_t *data)
{
	struct store *store = file->view->store;
	struct extent_record extent = {
		.inode = file->inode,
		.first_block = first_block,
		.block_count = (uint16_t)block_count,
	};
	uint8_t stored[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
	uint32_t blocks = chunk_compress(data, block_count, stored);
	int rc;

	if (blocks == 0)
		return 1;
	rc = store_logged(store,
			  log_reserve(store->log, blocks, &extent.chunk));
	if (rc < 0)
		return rc;
	extent.stored_blocks = (uint16_t)blocks;
	extent.sums[0] = block_checksum(store->seed, stored,
					(size_t)blocks * BLOCK_BYTES);
	rc = store_logged(store, log_write_blocks(store->log, extent.chunk,
						  stored, blocks));
	if (rc < 0)
		return rc;
	atomic_fetch_add(&store->count.stored_bytes,
			 (uint64_t)blocks * BLOCK_BYTES);
	return commit_extent(file, &extent, RECORD_TYPE_LZ4);
}

static int write_data(struct file *file, uint64_t first_block,
		      uint32_t block_count, const uint8_t *data)
{
	struct store *store = file->view->store;
	bool is_inline = store->live.compress == COMPRESS_MODE_INLINE;
	int rc = 0;

	if (is_inline) {
		mutex_lock(&store->map_lock);
		is_inline = !(file->item.flags & INODE_FLAG_RAW);
		mutex_unlock(&store->map_lock);
	}
	if (!is_inline)
		return write_raw(file, first_block, block_count, data);
	while (block_count > 0 && rc == 0) {
		uint32_t count = block_count < CHUNK_BLOCKS_MAX ?
					 block_count :
					 CHUNK_BLOCKS_MAX;

		rc = write_lz4(file, first_block, count, data);
		if (rc == 1)
			rc = write_raw(file, first_block, count, data);
		first_block += count;
		block_count -= count;
		data += (size_t)count * BLOCK_BYTES;
	}
	return rc;
}

/* Whole blocks of one window: runs of zeros and of data in turn. */
static int write_run(struct file *file, uint64_t first_block,
		     uint32_t block_count, const uint8_t *data)
{
	uint32_t i = 0, begin;
	bool zero;
	int rc;

	while (i < block_count) {
		begin = i;
		zero = is_zero(data + (size_t)i * BLOCK_BYTES, BLOCK_BYTES);
		for (i++; i < block_count; i++)
			if (is_zero(data + (size_t)i * BLOCK_BYTES,
				    BLOCK_BYTES) != zero)
				break;
		rc = zero ? write_zeros(file, first_block + begin, i - begin) :
			    write_data(file, first_block + begin, i - begin,
				       data + (size_t)begin * BLOCK_BYTES);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int write_whole(struct file *file, uint64_t first_block,
		       uint32_t block_count, const uint8_t *data)
{
	while (block_count > 0) {
		unsigned room = WINDOW_BLOCKS - first_block % WINDOW_BLOCKS;
		uint32_t count = block_count < room ? block_count : room;
		pthread_rwlock_t *stripe = file_stripe(file, first_block);
		int rc;

		if (count > RECORD_RAW_BLOCKS_MAX)
			count = RECORD_RAW_BLOCKS_MAX;
		pthread_rwlock_rdlock(stripe);
		rc = write_run(file, first_block, count, data);
		pthread_rwlock_unlock(stripe);
		if (rc < 0)
			return rc;
		first_block += count;
		block_count -= count;
		data += (size_t)count * BLOCK_BYTES;
	}
	return 0;
}

/* Merges data into one block and writes it whole. The stripe is held. */
static int merge_block(struct file *file, uint64_t block, unsigned offset,
		       const uint8_t *data, size_t len_bytes)
{
	uint8_t merged[BLOCK_BYTES];
	int rc = file_read_block(file, block, merged);

	if (rc < 0)
		return rc;
	if (data)
		memcpy(merged + offset, data, len_bytes);
	else
		memset(merged + offset, 0, len_bytes);
	return write_run(file, block, 1, merged);
}

static int write_part(struct file *file, uint64_t offset_bytes,
		      const uint8_t *data, size_t len_bytes)
{
	uint64_t block = offset_bytes / BLOCK_BYTES;
	pthread_rwlock_t *stripe = file_stripe(file, block);
	int rc;

	pthread_rwlock_wrlock(stripe); /* I2 */
	rc = merge_block(file, block, (unsigned)(offset_bytes % BLOCK_BYTES),
			 data, len_bytes);
	pthread_rwlock_unlock(stripe);
	return rc;
}

/* A dump repeats the items of these. */
static void note_kept_inode_locked(const struct file *file)
	REQUIRES(file->view->store->order_lock)
{
	if (file->inode < FIRST_NEW_INODE)
		dump_note_locked(file->view->store);
}

static int append_resize_locked(struct file *file, uint64_t size_bytes)
	REQUIRES(file->view->store->order_lock)
{
	struct store *store = file->view->store;
	struct resize_record resize = {
		.line = file->view->line,
		.gen = file->view->gen,
		.inode = file->inode,
		.size_bytes = size_bytes,
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;
	int rc = file_check_item_locked(file);

	if (rc == 0)
		rc = store_logged(
			store,
			log_append(store->log, RECORD_TYPE_RESIZE, payload,
				   resize_record_encode(&resize, payload),
				   &lsn));
	if (rc < 0)
		return rc;
	note_kept_inode_locked(file);
	rc = file_apply_resize_locked(file, size_bytes);
	if (rc < 0)
		return store_fail(store, rc, "can't apply a logged resize");
	return 0;
}

int file_grow_locked(struct file *file, uint64_t size_bytes)
{
	return size_bytes > file->item.size_bytes ?
		       append_resize_locked(file, size_bytes) :
		       0;
}

int file_grow(struct file *file, uint64_t size_bytes)
{
	int rc;

	mutex_lock(&file->view->store->order_lock);
	rc = file_grow_locked(file, size_bytes);
	mutex_unlock(&file->view->store->order_lock);
	return rc;
}

static int write_all(struct file *file, uint64_t offset_bytes,
		     const uint8_t *next, size_t left)
{
	int rc = 0;

	if (offset_bytes + left > file_size(file))
		rc = file_grow(file, offset_bytes + left);
	while (left > 0 && rc == 0) {
		size_t in_block = offset_bytes % BLOCK_BYTES, step;

		if (in_block || left < BLOCK_BYTES) {
			step = BLOCK_BYTES - in_block;
			step = step < left ? step : left;
			rc = write_part(file, offset_bytes, next, step);
		} else {
			step = left / BLOCK_BYTES * BLOCK_BYTES;
			rc = write_whole(file, offset_bytes / BLOCK_BYTES,
					 (uint32_t)(step / BLOCK_BYTES), next);
		}
		offset_bytes += step;
		next += step;
		left -= step;
	}
	return rc;
}

int file_write(struct file *file, uint64_t offset_bytes, const void *data,
	       size_t len_bytes)
{
	struct store *store = file->view->store;
	int rc;

	if (offset_bytes > FILE_SIZE_BYTES_MAX ||
	    len_bytes > FILE_SIZE_BYTES_MAX - offset_bytes)
		return -EFBIG;
	/* Writers at the same time must not use up the reserve together. */
	atomic_fetch_add(&store->writing_bytes, (int64_t)len_bytes);
	rc = check(file, len_bytes);
	if (rc == 0 && len_bytes > 0) {
		worker_throttle(store);
		rc = write_all(file, offset_bytes, data, len_bytes);
	}
	atomic_fetch_sub(&store->writing_bytes, (int64_t)len_bytes);
	if (rc < 0 || len_bytes == 0)
		return rc;
	atomic_fetch_add(&store->count.writes, 1);
	atomic_fetch_add(&store->count.write_bytes, len_bytes);
	return 0;
}

static int zero_blocks(struct file *file, uint64_t first_block,
		       uint64_t block_count)
{
	while (block_count > 0) {
		uint64_t room = WINDOW_BLOCKS - first_block % WINDOW_BLOCKS;
		uint64_t count = block_count < room ? block_count : room;
		pthread_rwlock_t *stripe = file_stripe(file, first_block);
		int rc;

		worker_throttle(file->view->store);
		pthread_rwlock_rdlock(stripe);
		rc = write_zeros(file, first_block, count);
		pthread_rwlock_unlock(stripe);
		if (rc < 0)
			return rc;
		first_block += count;
		block_count -= count;
	}
	return 0;
}

int file_zero(struct file *file, uint64_t offset_bytes, uint64_t len_bytes)
{
	uint64_t size_bytes = file_size(file), end, first, last;
	int rc = check(file, 0);

	if (rc < 0)
		return rc;
	if (offset_bytes >= size_bytes || len_bytes == 0)
		return 0;
	end = len_bytes > size_bytes - offset_bytes ? size_bytes :
						      offset_bytes + len_bytes;
	if (end == size_bytes) /* I3 */
		end = (end + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	first = (offset_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	last = end / BLOCK_BYTES;
	if (first > last) /* inside one block */
		return write_part(file, offset_bytes, NULL,
				  (size_t)(end - offset_bytes));
	if (offset_bytes % BLOCK_BYTES)
		rc = write_part(file, offset_bytes, NULL,
				BLOCK_BYTES - offset_bytes % BLOCK_BYTES);
	if (rc == 0)
		rc = zero_blocks(file, first, last - first);
	if (rc == 0)
		atomic_fetch_add(&file->view->store->discarded_bytes,
				 (last - first) * BLOCK_BYTES);
	if (rc == 0 && end % BLOCK_BYTES)
		rc = write_part(file, last * BLOCK_BYTES, NULL,
				(size_t)(end % BLOCK_BYTES));
	return rc;
}

static int resize_locked(struct file *file, uint64_t size_bytes)
	REQUIRES(file->view->store->order_lock)
{
	if (size_bytes == file->item.size_bytes)
		return 0;
	return append_resize_locked(file, size_bytes);
}

int file_resize(struct file *file, uint64_t size_bytes)
{
	struct store *store = file->view->store;
	unsigned tail = (unsigned)(size_bytes % BLOCK_BYTES);
	int rc = check(file, 0);

	if (rc < 0)
		return rc;
	if (size_bytes > FILE_SIZE_BYTES_MAX)
		return -EFBIG;
	worker_throttle(store);
	view_hold_writers(file->view);
	if (tail && size_bytes < file_size(file)) /* I3 */
		rc = merge_block(file, size_bytes / BLOCK_BYTES, tail, NULL,
				 BLOCK_BYTES - tail);
	if (rc == 0) {
		mutex_lock(&file->view->store->order_lock);
		rc = resize_locked(file, size_bytes);
		mutex_unlock(&file->view->store->order_lock);
	}
	view_release_writers(file->view);
	return rc;
}

static int set_info_locked(struct file *file, const struct file_info *info)
	REQUIRES(file->view->store->order_lock)
{
	struct store *store = file->view->store;
	struct attributes_record attributes = {
		.line = file->view->line,
		.gen = file->view->gen,
		.inode = file->inode,
		.mode = info->mode & 07777,
		.uid = info->uid,
		.gid = info->gid,
		.atime_ns = info->atime_ns,
		.mtime_ns = info->mtime_ns,
		.ctime_ns = store_realtime_ns(),
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;
	int rc = file_check_item_locked(file);

	if (rc == 0)
		rc = store_logged(
			store,
			log_append(store->log, RECORD_TYPE_ATTRIBUTES, payload,
				   attributes_record_encode(&attributes,
							    payload),
				   &lsn));
	if (rc < 0)
		return rc;
	note_kept_inode_locked(file);
	file_apply_attributes_locked(file, &attributes);
	return 0;
}

int file_set_info(struct file *file, const struct file_info *info)
{
	int rc = check(file, 0);

	if (rc < 0)
		return rc;
	mutex_lock(&file->view->store->order_lock);
	rc = set_info_locked(file, info);
	mutex_unlock(&file->view->store->order_lock);
	return rc;
}

int file_sync(struct file *file)
{
	if (!file->view->is_head)
		return 0;
	return store_sync(file->view->store);
}

uint64_t file_delta_bytes(struct file *file)
{
	struct store *store = file->view->store;
	const struct snapshot *snapshot;
	const struct branch *branch;
	uint64_t blocks = 0;

	mutex_lock(&store->order_lock);
	branch = graph_branch(&store->graph, file->view->branch);
	snapshot = graph_snapshot(&store->graph, file->view->snapshot);
	if (file->view->is_head && branch)
		blocks = branch->row.refer_blocks;
	else if (snapshot)
		blocks = snapshot->row.refer_blocks;
	mutex_unlock(&store->order_lock);
	return blocks * BLOCK_BYTES;
}
