/*
 * Copying within a store: a SHARE record gives the copy the chunks that the
 * original has. Stored blocks know no owner but what space_map tells: shared
 * ones are given back by a sweep only (sweep.c).
 *
 * I1: what the original has is looked at, logged and applied under one
 *     order_lock: nobody frees it in between.
 * I2: blocks of the copy are changed whole, under their stripe held shared,
 *     as all whole blocks are (file_write.c, I2).
 * I3: a part block at the end is shared only if it is the last of both
 *     files: what is behind the end of either is zeros.
 *
 * A crash leaves the copy as after some prefix of its steps.
 */
#include <errno.h>
#include <stdlib.h>

#include "store_impl.h"

#define SHARE_NS INT64_C(200000000)

enum { COPY_BYTES = 1 << 20 };

struct share {
	struct file *from, *to;
	uint64_t from_bytes, to_bytes; /* where it stands */
	uint64_t left_bytes;
	struct share_record record;
	struct slot slots[WINDOW_BLOCKS];
	uint8_t data[COPY_BYTES];
};

static void advance(struct share *share, uint64_t len_bytes)
{
	share->from_bytes += len_bytes;
	share->to_bytes += len_bytes;
	share->left_bytes -= len_bytes;
}

static int copy_bytes(struct share *share, uint64_t len_bytes)
{
	size_t len = len_bytes < COPY_BYTES ? (size_t)len_bytes : COPY_BYTES;
	int rc = file_read(share->from, share->from_bytes, share->data, len,
			   &len);

	if (rc == 0)
		rc = file_write(share->to, share->to_bytes, share->data, len);
	if (rc < 0)
		return rc;
	if (len == 0) /* it was cut meanwhile */
		share->left_bytes = 0;
	advance(share, len);
	return 0;
}

/* Whole blocks without data. */
static int copy_hole(struct share *share, uint64_t len_bytes)
{
	int rc = 0;

	if (share->to_bytes < file_size(share->to))
		rc = file_zero(share->to, share->to_bytes, len_bytes);
	if (rc == 0)
		rc = file_grow(share->to, share->to_bytes + len_bytes);
	if (rc == 0)
		advance(share, len_bytes);
	return rc;
}

/* Nothing is stored here: a hole as far as it goes, or base. */
static int copy_unstored(struct share *share, uint64_t len_bytes)
{
	uint64_t data;
	int rc = file_seek(share->from, share->from_bytes, true, &data);

	if (rc == -ENXIO)
		data = UINT64_MAX;
	else if (rc < 0)
		return rc;
	data = data / BLOCK_BYTES * BLOCK_BYTES;
	if (data <= share->from_bytes)
		return copy_bytes(share, len_bytes);
	data -= share->from_bytes;
	return copy_hole(share,
			 data < share->left_bytes ? data : share->left_bytes);
}

/* The slots of stored blocks that lie one behind the other from block on. */
static size_t stored_run(const struct slot *slots, unsigned count,
			 unsigned block, unsigned most)
{
	size_t n = 0;

	while (n < count && n < most && slots[n].first == block + n &&
	       slot_has_place(&slots[n]))
		n++;
	return n;
}

/* Fills the record with what is stored from here on; 0 slots: nothing is. */
static int find_locked(struct share *share, unsigned most)
	REQUIRES(share->to->view->store->order_lock)
{
	struct share_record *record = &share->record;
	uint64_t from = share->from_bytes / BLOCK_BYTES;
	uint64_t to = share->to_bytes / BLOCK_BYTES;
	unsigned block = from % WINDOW_BLOCKS, count, i = 0;
	int rc = file_map_window(share->from, from / WINDOW_BLOCKS,
				 share->slots, &count);
	size_t n;

	if (rc < 0)
		return rc;
	while (i < count &&
	       (unsigned)share->slots[i].first + share->slots[i].count <= block)
		i++;
	record->line = share->to->view->line;
	record->gen = share->to->view->gen;
	record->inode = share->to->inode;
	record->window = to / WINDOW_BLOCKS;
	record->slot_count =
		stored_run(share->slots + i, count - i, block, most);
	for (n = 0; n < record->slot_count; n++) {
		record->slots[n] = share->slots[i + n];
		record->slots[n].first = (uint16_t)(to % WINDOW_BLOCKS + n);
		record->slots[n].birth = record->gen;
	}
	record->slot_count = share_record_fit(record);
	return 0;
}

static int append_locked(struct share *share)
	REQUIRES(share->to->view->store->order_lock)
{
	struct store *store = share->to->view->store;
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	uint64_t lsn;
	int rc = store_logged(
		store,
		log_append(store->log, RECORD_TYPE_SHARE, payload,
			   share_record_encode(&share->record, payload), &lsn));

	if (rc < 0)
		return rc;
	rc = file_apply_share_locked(share->to, &share->record);
	if (rc < 0)
		return store_fail(store, rc, "can't apply a logged copy");
	return 0;
}

/* How many blocks one step may take; the last may be a part of one. */
static unsigned step_blocks(const struct share *share, uint64_t end_bytes)
{
	uint64_t from = share->from_bytes / BLOCK_BYTES;
	uint64_t to = share->to_bytes / BLOCK_BYTES;
	uint64_t most = end_bytes / BLOCK_BYTES - from;
	unsigned from_room = WINDOW_BLOCKS - from % WINDOW_BLOCKS;
	unsigned to_room = WINDOW_BLOCKS - to % WINDOW_BLOCKS;
	unsigned room = from_room < to_room ? from_room : to_room;

	return most < room ? (unsigned)most : room;
}

/* I3: both files end in the block in which the range does. */
static bool ends_both(struct share *share)
{
	return file_size(share->from) ==
		       share->from_bytes + share->left_bytes &&
	       file_size(share->to) <= share->to_bytes + share->left_bytes;
}

static int step_locked(struct share *share, uint64_t *out_len_bytes)
	REQUIRES(share->to->view->store->order_lock)
{
	uint64_t end = share->from_bytes + share->left_bytes, len_bytes;
	int rc = share->from->left ? -ESTALE :
				     file_check_item_locked(share->to);

	*out_len_bytes = 0;
	if (rc < 0)
		return rc;
	if (end % BLOCK_BYTES && ends_both(share))
		end += BLOCK_BYTES - end % BLOCK_BYTES;
	rc = find_locked(share, step_blocks(share, end));
	if (rc < 0 || share->record.slot_count == 0)
		return rc;
	len_bytes = share->record.slot_count * BLOCK_BYTES;
	*out_len_bytes = len_bytes < share->left_bytes ? len_bytes :
							 share->left_bytes;
	rc = file_grow_locked(share->to, share->to_bytes + *out_len_bytes);
	return rc < 0 ? rc : append_locked(share);
}

/* At the begin of a block in both. */
static int share_step(struct share *share)
{
	struct store *store = share->to->view->store;
	pthread_rwlock_t *stripe =
		file_stripe(share->to, share->to_bytes / BLOCK_BYTES);
	uint64_t blocks_bytes = share->left_bytes / BLOCK_BYTES * BLOCK_BYTES;
	uint64_t len_bytes;
	int rc;

	worker_throttle(store);
	pthread_rwlock_rdlock(stripe); /* I2 */
	mutex_lock(&store->order_lock);
	rc = step_locked(share, &len_bytes);
	mutex_unlock(&store->order_lock);
	pthread_rwlock_unlock(stripe);
	if (rc < 0)
		return rc;
	advance(share, len_bytes);
	if (len_bytes > 0)
		return 0;
	return blocks_bytes ? copy_unstored(share, blocks_bytes) :
			      copy_bytes(share, share->left_bytes);
}

static int step(struct share *share)
{
	uint64_t in_block = share->from_bytes % BLOCK_BYTES;

	if (in_block != share->to_bytes % BLOCK_BYTES)
		return copy_bytes(share, share->left_bytes);
	if (in_block && BLOCK_BYTES - in_block < share->left_bytes)
		return copy_bytes(share, BLOCK_BYTES - in_block);
	if (in_block)
		return copy_bytes(share, share->left_bytes);
	return share_step(share);
}

static int check(struct file *from, struct file *to, uint64_t to_bytes,
		 uint64_t len_bytes)
{
	if (!to->view->is_head)
		return -EROFS;
	if (from->left)
		return -ESTALE;
	if (from->view->store != to->view->store)
		return -EXDEV;
	if (to_bytes > FILE_SIZE_BYTES_MAX ||
	    len_bytes > FILE_SIZE_BYTES_MAX - to_bytes)
		return -EFBIG;
	return worker_wait_for_room(to->view->store, BLOCK_BYTES);
}

int file_share(struct file *from, uint64_t from_bytes, struct file *to,
	       uint64_t to_bytes, uint64_t len_bytes, uint64_t *out_len_bytes)
{
	uint64_t size_bytes = file_size(from);
	struct share *share;
	int64_t until_ns;
	int rc;

	if (from_bytes >= size_bytes)
		len_bytes = 0;
	else if (len_bytes > size_bytes - from_bytes)
		len_bytes = size_bytes - from_bytes;
	rc = check(from, to, to_bytes, len_bytes);
	if (rc < 0)
		return rc;
	share = malloc(sizeof(*share));
	if (!share)
		return -ENOMEM;
	share->from = from;
	share->to = to;
	share->from_bytes = from_bytes;
	share->to_bytes = to_bytes;
	share->left_bytes = len_bytes;
	/* However long room or a lock took: nothing copied means the end. */
	until_ns = store_monotonic_ns() + SHARE_NS;
	if (share->left_bytes > 0)
		rc = step(share);
	while (rc == 0 && share->left_bytes > 0 &&
	       store_monotonic_ns() < until_ns)
		rc = step(share);
	*out_len_bytes = share->from_bytes - from_bytes;
	free(share);
	/* What was copied is told first, as write(2) does. */
	return *out_len_bytes ? 0 : rc;
}
