/*
 * Records that change what a file has: extents, zeros, sizes, copies,
 * attributes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apply_impl.h"

#define WINDOW_SIZE_BYTES ((uint64_t)WINDOW_BYTES)

int apply_verify(struct apply *apply, struct location at, uint32_t blocks,
		 bool is_lz4, const uint64_t *sums)
{
	uint8_t data[CHUNK_BLOCKS_MAX * FORMAT_BLOCK_BYTES];
	uint32_t i, n = is_lz4 ? blocks : 1;

	for (i = 0; i < blocks; i += n) {
		const struct location place = { at.segment, at.block + i };
		int rc = segment_read(apply->reader, place, data, n);

		if (rc == -ENOENT || rc == -EIO)
			return -ENODATA;
		if (rc < 0)
			return rc;
		if (block_checksum(apply->seed, data,
				   (size_t)n * FORMAT_BLOCK_BYTES) !=
		    sums[is_lz4 ? 0 : i])
			return -ENODATA;
	}
	return 0;
}

static int find_inode(struct apply *apply, uint32_t line, uint32_t gen,
		      uint64_t inode, uint64_t first_block)
{
	int rc = apply_target_at(apply, line, gen, inode, first_block);

	if (rc != 0)
		return rc;
	rc = apply_inode_get(apply, inode);
	if (rc == 1)
		apply_trouble(apply, APPLY_TROUBLE_INODE, line, gen, inode,
			      first_block);
	return rc;
}

static void give_up(struct apply *apply, const struct slot *slot)
{
	const struct location at = { slot->segment, slot->block };

	if (slot->segment != 0)
		block_map_give_up(apply->map, at, slot_stored_blocks(slot));
}

static bool is_data(const struct slot *slot)
{
	return slot->kind != 0 && slot->kind != SLOT_KIND_ZERO;
}

/* Blocks begin..end of a window get these slots; NULL: none. */
static int replace(struct apply *apply, uint64_t number, unsigned begin,
		   unsigned end, const struct slot *slots)
{
	struct apply_inode *inode = &apply->inode;
	struct apply_branch *branch = apply->target.branch;
	struct apply_window *window;
	int64_t change = 0;
	unsigned i;
	int rc = apply_window_get(apply, inode->inode, number, &window);

	if (rc == 0)
		rc = apply_window_own(apply, window);
	if (rc != 0)
		return rc;
	for (i = begin; i < end; i++) {
		struct slot *slot = &window->slots[i];

		change -= is_data(slot);
		give_up(apply, slot);
		if (slots)
			*slot = slots[i - begin];
		else
			memset(slot, 0, sizeof(*slot));
		slot->first = (uint16_t)i;
		slot->count = 1;
		change += is_data(slot);
	}
	inode->item.flags |= INODE_FLAG_MAPPED;
	inode->item.data_blocks += (uint64_t)change;
	inode->dirty = true;
	if (branch) {
		branch->refer_blocks += change;
		branch->changed = true;
		branch->dirty = true;
	}
	return 0;
}

static void extent_slots(const struct extent_record *extent, bool is_lz4,
			 struct slot *slots)
{
	unsigned i;

	for (i = 0; i < extent->block_count; i++)
		slots[i] = (struct slot){
			.segment = extent->chunk.segment,
			.block = (uint16_t)(extent->chunk.block +
					    (is_lz4 ? 0 : i)),
			.birth = extent->gen,
			.kind = is_lz4 ? SLOT_KIND_LZ4 : SLOT_KIND_RAW,
			.lz4 = is_lz4 ?
				       (uint8_t)(i << 4 |
						 (extent->stored_blocks - 1U)) :
				       0,
			.sum = extent->sums[is_lz4 ? 0 : i],
		};
}

int apply_extent(struct apply *apply, const struct record *record, bool verify)
{
	bool is_lz4 = record->type == RECORD_TYPE_LZ4;
	struct slot slots[RECORD_RAW_BLOCKS_MAX];
	struct extent_record extent;
	unsigned begin;
	int rc = extent_record_decode(record, &extent);

	if (rc == 0 && verify)
		rc = apply_verify(apply, extent.chunk, extent.stored_blocks,
				  is_lz4, extent.sums);
	if (rc == 0)
		rc = find_inode(apply, extent.line, extent.gen, extent.inode,
				extent.first_block);
	if (rc == 0)
		rc = block_map_use(apply->map, extent.chunk,
				   extent.stored_blocks, false);
	if (rc != 0)
		return rc;
	extent_slots(&extent, is_lz4, slots);
	begin = extent.first_block % WINDOW_BLOCKS;
	rc = replace(apply, extent.first_block / WINDOW_BLOCKS, begin,
		     begin + extent.block_count, slots);
	if (rc != 0)
		return rc;
	if (apply->target.branch)
		apply->target.branch->written_blocks += extent.stored_blocks;
	apply_inode_touch(apply, true);
	return 0;
}

/* Zeros are stored where base would show through, and nowhere else. */
static int zero_in_window(struct apply *apply, uint64_t number, unsigned begin,
			  unsigned end)
{
	uint64_t visible = (apply->inode.item.base_visible_bytes +
			    FORMAT_BLOCK_BYTES - 1) /
			   FORMAT_BLOCK_BYTES;
	struct slot slots[WINDOW_BLOCKS];
	unsigned i;

	memset(slots, 0, sizeof(slots));
	for (i = begin; i < end; i++) {
		if (number * WINDOW_BLOCKS + i >= visible)
			break;
		slots[i - begin].kind = SLOT_KIND_ZERO;
		slots[i - begin].birth = apply->target.gen;
	}
	return replace(apply, number, begin, end, slots);
}

int apply_zero(struct apply *apply, const struct record *record)
{
	struct zero_record zero;
	uint64_t block, end;
	int rc = zero_record_decode(record, &zero);

	if (rc == 0)
		rc = find_inode(apply, zero.line, zero.gen, zero.inode,
				zero.first_block);
	if (rc != 0)
		return rc;
	block = zero.first_block;
	end = block + zero.block_count;
	while (block < end && rc == 0) {
		uint64_t number = block / WINDOW_BLOCKS;
		uint64_t stop = (number + 1) * WINDOW_BLOCKS;

		if (stop > end)
			stop = end;
		rc = zero_in_window(apply, number,
				    (unsigned)(block % WINDOW_BLOCKS),
				    (unsigned)(stop - number * WINDOW_BLOCKS));
		block = stop;
	}
	if (rc == 0)
		apply_inode_touch(apply, true);
	return rc;
}

static int cut_window(struct apply *apply, uint64_t number, unsigned begin)
{
	struct apply_window *window;
	unsigned i;
	int rc = apply_window_get(apply, apply->inode.inode, number, &window);

	if (rc != 0)
		return rc;
	for (i = begin; i < WINDOW_BLOCKS; i++)
		if (window->slots[i].kind != 0)
			return replace(apply, number, begin, WINDOW_BLOCKS,
				       NULL);
	return 0;
}

int apply_cut(struct apply *apply, uint64_t first_block, uint64_t old_bytes)
{
	uint64_t number = first_block / WINDOW_BLOCKS;
	uint64_t end = (old_bytes + WINDOW_SIZE_BYTES - 1) / WINDOW_SIZE_BYTES;
	unsigned begin = (unsigned)(first_block % WINDOW_BLOCKS);
	uint64_t inode = apply->inode.inode;
	sqlite3_stmt *row;
	int rc;

	if (!(apply->inode.item.flags & INODE_FLAG_MAPPED))
		return 0;
	rc = apply_windows_flush(apply, inode, false);
	while (rc == 0 && number < end) {
		uint64_t next;

		rc = query_begin(apply->queries, &row,
				 "SELECT window FROM windows WHERE inode = ?"
				 " AND window >= ? ORDER BY window LIMIT 1",
				 "ii", (int64_t)inode, (int64_t)number);
		if (rc <= 0)
			return rc;
		next = (uint64_t)sqlite3_column_int64(row, 0);
		query_end(row);
		if (next >= end)
			return 0;
		rc = cut_window(apply, next, next == number ? begin : 0);
		number = next + 1;
		begin = 0;
	}
	return rc;
}

int apply_resize(struct apply *apply, const struct record *record)
{
	struct inode_item *item = &apply->inode.item;
	struct resize_record resize;
	uint64_t old_bytes;
	int rc = resize_record_decode(record, &resize);

	if (rc == 0)
		rc = find_inode(apply, resize.line, resize.gen, resize.inode,
				0);
	if (rc != 0)
		return rc;
	apply_inode_touch(apply, true);
	old_bytes = item->size_bytes;
	item->size_bytes = resize.size_bytes;
	if (resize.size_bytes < item->base_visible_bytes)
		item->base_visible_bytes = resize.size_bytes;
	if (resize.size_bytes >= old_bytes)
		return 0;
	return apply_cut(apply,
			 (resize.size_bytes + FORMAT_BLOCK_BYTES - 1) /
				 FORMAT_BLOCK_BYTES,
			 old_bytes);
}

int apply_attributes(struct apply *apply, const struct record *record)
{
	struct inode_item *item = &apply->inode.item;
	struct attributes_record attributes;
	int rc = attributes_record_decode(record, &attributes);

	if (rc == 0)
		rc = find_inode(apply, attributes.line, attributes.gen,
				attributes.inode, 0);
	if (rc != 0)
		return rc;
	apply_inode_touch(apply, false);
	item->mode = (item->mode & S_IFMT) | attributes.mode;
	item->uid = attributes.uid;
	item->gid = attributes.gid;
	item->atime_ns = attributes.atime_ns;
	item->mtime_ns = attributes.mtime_ns;
	item->ctime_ns = attributes.ctime_ns;
	return 0;
}

int apply_share(struct apply *apply, const struct record *record)
{
	AUTO_FREE struct share_record *share = malloc(sizeof(*share));
	unsigned begin;
	size_t i;
	int rc = share ? share_record_decode(record, share) : -ENOMEM;

	if (rc == 0)
		rc = find_inode(apply, share->line, share->gen, share->inode,
				share->window * WINDOW_BLOCKS);
	for (i = 0; rc == 0 && i < share->slot_count; i++) {
		const struct slot *slot = &share->slots[i];
		const struct location at = { slot->segment, slot->block };

		rc = block_map_share(apply->map, at, slot_stored_blocks(slot));
	}
	if (rc != 0)
		return rc;
	begin = share->slots[0].first;
	rc = replace(apply, share->window, begin,
		     begin + (unsigned)share->slot_count, share->slots);
	if (rc == 0)
		apply_inode_touch(apply, true);
	return rc;
}
