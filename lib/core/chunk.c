/* Reading stored blocks: verified, decompressed, the last few kept. */
#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "chunk_format.h"
#include "store_impl.h"

static struct chunk_cache_entry *find_entry(struct store *store,
					    struct location at)
{
	int i;

	for (i = 0; i < CHUNK_CACHE_ENTRIES; i++)
		if (store->chunks[i].data &&
		    store->chunks[i].at.segment == at.segment &&
		    store->chunks[i].at.block == at.block)
			return &store->chunks[i];
	return NULL;
}

static bool cached_read(struct store *store, struct location at, void *data,
			uint32_t *out_raw_blocks)
{
	struct chunk_cache_entry *entry;

	mutex_lock(&store->chunk_lock);
	entry = find_entry(store, at);
	if (entry) {
		entry->used = ++store->chunk_clock;
		memcpy(data, entry->data,
		       (size_t)entry->raw_blocks * BLOCK_BYTES);
		*out_raw_blocks = entry->raw_blocks;
	}
	mutex_unlock(&store->chunk_lock);
	return entry != NULL;
}

static void keep(struct store *store, struct location at, const void *data,
		 uint32_t raw_blocks)
{
	struct chunk_cache_entry *entry = &store->chunks[0];
	int i;

	mutex_lock(&store->chunk_lock);
	for (i = 1; i < CHUNK_CACHE_ENTRIES; i++)
		if (store->chunks[i].used < entry->used)
			entry = &store->chunks[i];
	if (!entry->data)
		entry->data = malloc(CHUNK_BLOCKS_MAX * BLOCK_BYTES);
	if (entry->data) {
		memcpy(entry->data, data, (size_t)raw_blocks * BLOCK_BYTES);
		entry->at = at;
		entry->raw_blocks = raw_blocks;
		entry->used = ++store->chunk_clock;
	}
	mutex_unlock(&store->chunk_lock);
}

void chunk_cache_drop(struct store *store)
{
	int i;

	mutex_lock(&store->chunk_lock);
	for (i = 0; i < CHUNK_CACHE_ENTRIES; i++) {
		free(store->chunks[i].data);
		store->chunks[i] = (struct chunk_cache_entry){ 0 };
	}
	mutex_unlock(&store->chunk_lock);
}

static int decompress(const uint8_t *stored, size_t stored_bytes, void *data,
		      uint32_t *out_raw_blocks)
{
	uint16_t raw_blocks;
	uint32_t lz4_bytes;
	int rc = chunk_header_decode(stored, stored_bytes, &raw_blocks,
				     &lz4_bytes);

	if (rc < 0)
		return rc;
	rc = LZ4_decompress_safe((const char *)stored + CHUNK_HEADER_BYTES,
				 data, (int)lz4_bytes,
				 raw_blocks * BLOCK_BYTES);
	if (rc != raw_blocks * BLOCK_BYTES)
		return -EUCLEAN;
	*out_raw_blocks = raw_blocks;
	return 0;
}

int chunk_read(struct store *store, const struct slot *slot, void *data,
	       uint32_t *out_raw_blocks)
{
	struct location at = { slot->segment, slot->block };
	uint8_t stored[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
	uint32_t blocks = slot_stored_blocks(slot);
	size_t stored_bytes = (size_t)blocks * BLOCK_BYTES;
	bool is_lz4 = slot->kind == SLOT_KIND_LZ4;
	int rc;

	*out_raw_blocks = 1;
	if (is_lz4 && cached_read(store, at, data, out_raw_blocks))
		return 0;
	rc = log_read_blocks(store->log, at, is_lz4 ? stored : data, blocks);
	if (rc < 0)
		return rc;
	if (block_checksum(store->seed, is_lz4 ? stored : data, stored_bytes) !=
	    slot->sum)
		return -EUCLEAN;
	if (!is_lz4)
		return 0;
	rc = decompress(stored, stored_bytes, data, out_raw_blocks);
	if (rc == 0)
		keep(store, at, data, *out_raw_blocks);
	return rc;
}

int chunk_read_block(struct store *store, const struct slot *slot, void *block)
{
	uint8_t data[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
	uint32_t raw_blocks;
	int rc;

	if (slot->kind == SLOT_KIND_RAW)
		return chunk_read(store, slot, block, &raw_blocks);
	rc = chunk_read(store, slot, data, &raw_blocks);
	if (rc < 0)
		return rc;
	if (slot_skip(slot) >= raw_blocks)
		return -EUCLEAN;
	memcpy(block, data + slot_skip(slot) * BLOCK_BYTES, BLOCK_BYTES);
	return 0;
}

uint32_t chunk_compress(const uint8_t *data, uint32_t block_count,
			uint8_t *stored)
{
	uint32_t most = block_count - (block_count + 7) / 8, blocks;
	int lz4_bytes;

	if (most == 0)
		return 0;
	lz4_bytes = LZ4_compress_default(
		(const char *)data, (char *)stored + CHUNK_HEADER_BYTES,
		(int)(block_count * BLOCK_BYTES),
		(int)(most * BLOCK_BYTES - CHUNK_HEADER_BYTES));
	if (lz4_bytes <= 0)
		return 0;
	chunk_header_encode((uint16_t)block_count, (uint32_t)lz4_bytes, stored);
	blocks = ((uint32_t)lz4_bytes + CHUNK_HEADER_BYTES + BLOCK_BYTES - 1) /
		 BLOCK_BYTES;
	memset(stored + CHUNK_HEADER_BYTES + lz4_bytes, 0,
	       (size_t)blocks * BLOCK_BYTES - CHUNK_HEADER_BYTES -
		       (size_t)lz4_bytes);
	return blocks;
}
