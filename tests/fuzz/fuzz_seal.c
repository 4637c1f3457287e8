/* Checksums as docs/format.md has them. */
#include "fuzz_seal.h"

#include <string.h>
#include <xxhash.h>

#include "le.h"

/* At the beginning of bytes, of all that follows. */
static void seal_rest(uint64_t seed, uint8_t *bytes, size_t len_bytes)
{
	struct le64 sum = le64_put(XXH3_64bits_withSeed(
		bytes + sizeof(sum), len_bytes - sizeof(sum), seed));

	memcpy(bytes, &sum, sizeof(sum));
}

void seal_segment_header(uint8_t block[FORMAT_BLOCK_BYTES])
{
	const size_t checked = offsetof(struct disk_segment_header, checksum);
	struct le64 sum = le64_put(XXH3_64bits(block, checked));

	memcpy(block + checked, &sum, sizeof(sum));
}

void seal_record_block(uint64_t seed, uint8_t bytes[RECORD_BLOCK_HEADER_BYTES])
{
	const size_t checked = RECORD_BLOCK_HEADER_BYTES - sizeof(struct le64);
	struct le64 sum = le64_put(XXH3_64bits_withSeed(bytes, checked, seed));

	memcpy(bytes + checked, &sum, sizeof(sum));
}

void seal_record(const struct record_place *place, uint8_t *bytes,
		 size_t len_bytes)
{
	struct {
		struct le32 segment, epoch, block, offset;
	} disk = { le32_put(place->segment), le32_put(place->epoch),
		   le32_put(place->block), le32_put(place->offset) };

	seal_rest(XXH3_64bits_withSeed(&disk, sizeof(disk), place->seed), bytes,
		  len_bytes);
}

void seal_window_row(uint64_t seed, const struct window_key *key, uint8_t *row,
		     size_t len_bytes)
{
	struct {
		struct le64 inode, window;
		struct le32 line, gen;
	} disk = { le64_put(key->inode), le64_put(key->window),
		   le32_put(key->line), le32_put(key->gen) };

	seal_rest(XXH3_64bits_withSeed(&disk, sizeof(disk), seed), row,
		  len_bytes);
}

void seal_item_value(uint64_t seed, const struct item_identity *identity,
		     uint8_t *value, size_t len_bytes)
{
	uint8_t text[ITEM_KEY_BYTES_MAX + 8];
	struct le32 line = le32_put(identity->line);
	struct le32 gen = le32_put(identity->gen);

	memcpy(text, identity->key, identity->key_bytes);
	memcpy(text + identity->key_bytes, &line, sizeof(line));
	memcpy(text + identity->key_bytes + 4, &gen, sizeof(gen));
	seal_rest(XXH3_64bits_withSeed(text, identity->key_bytes + 8, seed),
		  value, len_bytes);
}
