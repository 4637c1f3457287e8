/* Encoding and checking of record blocks and records. */
#include "record_format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "slot.h"

#define RECORD_BLOCK_MAGIC UINT32_C(0x43455243) /* "CREC" */

enum { MODE_MAX = 07777 }; /* permission bits only */

enum items_flags {
	ITEMS_FLAG_MORE = 1,
	ITEMS_FLAG_CONTINUED = 2,
	ITEMS_FLAGS_KNOWN = ITEMS_FLAG_MORE | ITEMS_FLAG_CONTINUED,
};

struct disk_record_block {
	struct le32 magic;
	struct le32 segment;
	struct le32 epoch;
	struct le32 block;
	struct le64 first_lsn;
	struct le64 durable_lsn;
	struct le64 checksum;
};

struct disk_record {
	struct le64 checksum; /* of all that follows */
	struct le64 lsn;
	struct le32 unsynced;
	struct le16 record_bytes;
	struct le16 type;
};

struct disk_extent {
	struct le32 line;
	struct le32 gen;
	struct le64 inode;
	struct le64 first_block;
	struct le32 segment;
	struct le16 block;
	struct le16 block_count;
	struct le16 stored_blocks;
	struct le16 reserved[3];
};

struct disk_range {
	struct le32 line;
	struct le32 gen;
	struct le64 inode;
	struct le64 first;
	struct le64 count; /* RESIZE: absent */
};

struct disk_attributes {
	struct le32 line;
	struct le32 gen;
	struct le64 inode;
	struct le32 mode;
	struct le32 uid;
	struct le32 gid;
	struct le32 reserved;
	struct le64 atime_ns;
	struct le64 mtime_ns;
	struct le64 ctime_ns;
};

struct disk_move {
	struct le64 inode;
	struct le64 window;
	struct le32 segment;
	struct le16 block;
	struct le16 block_count;
	struct le16 stored_blocks;
	struct le16 is_lz4;
	struct le32 birth;
	struct le32 line;
	struct le32 reserved;
};

_Static_assert(offsetof(struct disk_move, birth) == MOVE_BIRTH_OFFSET &&
		       offsetof(struct disk_move, line) == MOVE_LINE_OFFSET,
	       "as told");

struct disk_move_source {
	struct le32 segment;
	struct le16 block;
	struct le16 skip_first; /* skip | block in the window << 4 */
};

struct disk_items {
	struct le32 line;
	struct le32 gen;
	struct le32 flags;
	struct le32 piece_bytes;
};

/* Files end below 2^63 bytes: so offsets never overflow. */
static bool range_valid(uint64_t first_block, uint64_t block_count)
{
	const uint64_t most = INT64_MAX / FORMAT_BLOCK_BYTES;

	return first_block <= most && block_count <= most - first_block;
}

/* Raw blocks are stored one for one; a compressed chunk is never longer. */
static bool stored_valid(bool is_lz4, unsigned block_count,
			 unsigned stored_blocks)
{
	return is_lz4 ? stored_blocks <= block_count :
			stored_blocks == block_count;
}

static bool location_valid(struct location at, uint32_t blocks)
{
	return at.segment != 0 && at.block != 0 && blocks != 0 &&
	       at.block < SEGMENT_BLOCKS && blocks <= SEGMENT_BLOCKS - at.block;
}

void record_block_encode(uint64_t seed,
			 const struct record_block_header *header,
			 uint8_t bytes[RECORD_BLOCK_HEADER_BYTES])
{
	struct disk_record_block disk = {
		.magic = le32_put(RECORD_BLOCK_MAGIC),
		.segment = le32_put(header->segment),
		.epoch = le32_put(header->epoch),
		.block = le32_put(header->block),
		.first_lsn = le64_put(header->first_lsn),
		.durable_lsn = le64_put(header->durable_lsn),
	};

	disk.checksum = le64_put(XXH3_64bits_withSeed(
		&disk, offsetof(struct disk_record_block, checksum), seed));
	memcpy(bytes, &disk, sizeof(disk));
}

int record_block_decode(uint64_t seed, const void *block, size_t len_bytes,
			struct record_block_header *out_header)
{
	struct disk_record_block disk;

	if (len_bytes < sizeof(disk))
		return -EUCLEAN; /* F-10 */
	memcpy(&disk, block, sizeof(disk));
	if (le32_get(disk.magic) != RECORD_BLOCK_MAGIC)
		return -EUCLEAN; /* F-10 */
	if (le64_get(disk.checksum) !=
	    XXH3_64bits_withSeed(
		    &disk, offsetof(struct disk_record_block, checksum), seed))
		return -EUCLEAN; /* F-11 */
	*out_header = (struct record_block_header){
		.segment = le32_get(disk.segment),
		.epoch = le32_get(disk.epoch),
		.block = le32_get(disk.block),
		.first_lsn = le64_get(disk.first_lsn),
		.durable_lsn = le64_get(disk.durable_lsn),
	};
	return 0;
}

static uint64_t place_seed(const struct record_place *place)
{
	struct {
		struct le32 segment, epoch, block, offset;
	} bytes = {
		le32_put(place->segment),
		le32_put(place->epoch),
		le32_put(place->block),
		le32_put(place->offset),
	};

	return XXH3_64bits_withSeed(&bytes, sizeof(bytes), place->seed);
}

size_t record_bytes(size_t payload_bytes)
{
	return (RECORD_HEADER_BYTES + payload_bytes + 7) & ~(size_t)7;
}

void record_encode(const struct record_place *place,
		   const struct record *record, uint8_t *bytes)
{
	size_t total = record_bytes(record->payload_bytes);
	struct disk_record disk = {
		.lsn = le64_put(record->lsn),
		.unsynced = le32_put(record->unsynced),
		.record_bytes = le16_put((uint16_t)total),
		.type = le16_put((uint16_t)record->type),
	};

	memset(bytes, 0, total);
	memcpy(bytes, &disk, sizeof(disk));
	memcpy(bytes + sizeof(disk), record->payload, record->payload_bytes);
	disk.checksum = le64_put(XXH3_64bits_withSeed(
		bytes + sizeof(disk.checksum), total - sizeof(disk.checksum),
		place_seed(place)));
	memcpy(bytes, &disk, sizeof(disk));
}

int record_decode(const struct record_place *place, const void *bytes,
		  size_t len_bytes, struct record *out_record)
{
	struct disk_record disk;
	const uint8_t *start = bytes;
	size_t total, i;

	if (len_bytes < sizeof(disk))
		return -EUCLEAN; /* F-12 */
	memcpy(&disk, bytes, sizeof(disk));
	total = le16_get(disk.record_bytes);
	if (total == 0) {
		for (i = 0; i < sizeof(disk); i++)
			if (start[i])
				return -EUCLEAN; /* F-13 */
		return -ENOENT;
	}
	if (total < sizeof(disk) || total > len_bytes || total % 8 != 0)
		return -EUCLEAN; /* F-13 */
	if (le64_get(disk.checksum) !=
	    XXH3_64bits_withSeed(start + sizeof(disk.checksum),
				 total - sizeof(disk.checksum),
				 place_seed(place)))
		return -EUCLEAN; /* F-14 */
	if (le16_get(disk.type) < RECORD_TYPE_RAW ||
	    le16_get(disk.type) > RECORD_TYPE_LAST)
		return -EUCLEAN; /* F-15 */
	*out_record = (struct record){
		.lsn = le64_get(disk.lsn),
		.unsynced = le32_get(disk.unsynced),
		.type = (enum record_type)le16_get(disk.type),
		.payload = start + sizeof(disk),
		.payload_bytes = total - sizeof(disk),
		.record_bytes = total,
	};
	return 0;
}

static void sums_encode(const uint64_t *sums, size_t count, uint8_t *out)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct le64 sum = le64_put(sums[i]);

		memcpy(out + i * sizeof(sum), &sum, sizeof(sum));
	}
}

static void sums_decode(const uint8_t *bytes, size_t count, uint64_t *sums)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct le64 sum;

		memcpy(&sum, bytes + i * sizeof(sum), sizeof(sum));
		sums[i] = le64_get(sum);
	}
}

size_t extent_record_encode(const struct extent_record *extent,
			    enum record_type type, uint8_t *out)
{
	struct disk_extent disk = {
		.line = le32_put(extent->line),
		.gen = le32_put(extent->gen),
		.inode = le64_put(extent->inode),
		.first_block = le64_put(extent->first_block),
		.segment = le32_put(extent->chunk.segment),
		.block = le16_put((uint16_t)extent->chunk.block),
		.block_count = le16_put(extent->block_count),
		.stored_blocks = le16_put(extent->stored_blocks),
	};
	size_t count = type == RECORD_TYPE_LZ4 ? 1 : extent->block_count;

	memcpy(out, &disk, sizeof(disk));
	sums_encode(extent->sums, count, out + sizeof(disk));
	return sizeof(disk) + count * sizeof(struct le64);
}

int extent_record_decode(const struct record *record,
			 struct extent_record *out_extent)
{
	struct disk_extent disk;
	bool is_lz4 = record->type == RECORD_TYPE_LZ4;
	size_t count, most = is_lz4 ? CHUNK_BLOCKS_MAX : RECORD_RAW_BLOCKS_MAX;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	out_extent->line = le32_get(disk.line);
	out_extent->gen = le32_get(disk.gen);
	out_extent->inode = le64_get(disk.inode);
	out_extent->first_block = le64_get(disk.first_block);
	out_extent->chunk.segment = le32_get(disk.segment);
	out_extent->chunk.block = le16_get(disk.block);
	out_extent->block_count = le16_get(disk.block_count);
	out_extent->stored_blocks = le16_get(disk.stored_blocks);
	if (out_extent->block_count == 0 || out_extent->block_count > most ||
	    !stored_valid(is_lz4, out_extent->block_count,
			  out_extent->stored_blocks) ||
	    !range_valid(out_extent->first_block, out_extent->block_count) ||
	    out_extent->block_count >
		    WINDOW_BLOCKS - out_extent->first_block % WINDOW_BLOCKS ||
	    !location_valid(out_extent->chunk, out_extent->stored_blocks))
		return -EUCLEAN; /* F-17 */
	count = is_lz4 ? 1 : out_extent->block_count;
	if (record->payload_bytes < sizeof(disk) + count * sizeof(struct le64))
		return -EUCLEAN; /* F-16 */
	sums_decode(record->payload + sizeof(disk), count, out_extent->sums);
	return 0;
}

size_t zero_record_encode(const struct zero_record *zero, uint8_t *out)
{
	struct disk_range disk = {
		.line = le32_put(zero->line),
		.gen = le32_put(zero->gen),
		.inode = le64_put(zero->inode),
		.first = le64_put(zero->first_block),
		.count = le64_put(zero->block_count),
	};

	memcpy(out, &disk, sizeof(disk));
	return sizeof(disk);
}

int zero_record_decode(const struct record *record,
		       struct zero_record *out_zero)
{
	struct disk_range disk;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	*out_zero = (struct zero_record){
		.line = le32_get(disk.line),
		.gen = le32_get(disk.gen),
		.inode = le64_get(disk.inode),
		.first_block = le64_get(disk.first),
		.block_count = le64_get(disk.count),
	};
	if (!range_valid(out_zero->first_block, out_zero->block_count))
		return -EUCLEAN; /* F-18 */
	return 0;
}

size_t resize_record_encode(const struct resize_record *resize, uint8_t *out)
{
	struct disk_range disk = {
		.line = le32_put(resize->line),
		.gen = le32_put(resize->gen),
		.inode = le64_put(resize->inode),
		.first = le64_put(resize->size_bytes),
	};

	memcpy(out, &disk, offsetof(struct disk_range, count));
	return offsetof(struct disk_range, count);
}

int resize_record_decode(const struct record *record,
			 struct resize_record *out_resize)
{
	struct disk_range disk;

	if (record->payload_bytes < offsetof(struct disk_range, count))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, offsetof(struct disk_range, count));
	*out_resize = (struct resize_record){
		.line = le32_get(disk.line),
		.gen = le32_get(disk.gen),
		.inode = le64_get(disk.inode),
		.size_bytes = le64_get(disk.first),
	};
	if (out_resize->size_bytes > INT64_MAX)
		return -EUCLEAN; /* F-18 */
	return 0;
}

size_t attributes_record_encode(const struct attributes_record *attributes,
				uint8_t *out)
{
	struct disk_attributes disk = {
		.line = le32_put(attributes->line),
		.gen = le32_put(attributes->gen),
		.inode = le64_put(attributes->inode),
		.mode = le32_put(attributes->mode),
		.uid = le32_put(attributes->uid),
		.gid = le32_put(attributes->gid),
		.atime_ns = le64_put((uint64_t)attributes->atime_ns),
		.mtime_ns = le64_put((uint64_t)attributes->mtime_ns),
		.ctime_ns = le64_put((uint64_t)attributes->ctime_ns),
	};

	memcpy(out, &disk, sizeof(disk));
	return sizeof(disk);
}

int attributes_record_decode(const struct record *record,
			     struct attributes_record *out)
{
	struct disk_attributes disk;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	*out = (struct attributes_record){
		.line = le32_get(disk.line),
		.gen = le32_get(disk.gen),
		.inode = le64_get(disk.inode),
		.mode = le32_get(disk.mode),
		.uid = le32_get(disk.uid),
		.gid = le32_get(disk.gid),
		.atime_ns = (int64_t)le64_get(disk.atime_ns),
		.mtime_ns = (int64_t)le64_get(disk.mtime_ns),
		.ctime_ns = (int64_t)le64_get(disk.ctime_ns),
	};
	if (out->mode > MODE_MAX)
		return -EUCLEAN; /* F-23 */
	return 0;
}

size_t move_record_encode(const struct move_record *move, uint8_t *out)
{
	struct disk_move disk = {
		.inode = le64_put(move->inode),
		.window = le64_put(move->window),
		.segment = le32_put(move->chunk.segment),
		.block = le16_put((uint16_t)move->chunk.block),
		.block_count = le16_put(move->block_count),
		.stored_blocks = le16_put(move->stored_blocks),
		.is_lz4 = le16_put(move->is_lz4),
		.birth = le32_put(move->birth),
		.line = le32_put(move->line),
	};
	size_t sum_count = move->is_lz4 ? 1 : move->block_count;
	uint8_t *next = out + sizeof(disk);
	size_t i;

	memcpy(out, &disk, sizeof(disk));
	sums_encode(move->sums, sum_count, next);
	next += sum_count * sizeof(struct le64);
	for (i = 0; i < move->block_count; i++) {
		struct disk_move_source source = {
			.segment = le32_put(move->source[i].at.segment),
			.block = le16_put((uint16_t)move->source[i].at.block),
			.skip_first = le16_put(
				(uint16_t)(move->source[i].skip |
					   (unsigned)move->source[i].first
						   << 4)),
		};

		memcpy(next, &source, sizeof(source));
		next += sizeof(source);
	}
	return (size_t)(next - out);
}

static bool move_valid(const struct move_record *move, unsigned is_lz4)
{
	const uint64_t most = INT64_MAX / FORMAT_BLOCK_BYTES;

	return is_lz4 <= 1 && move->block_count != 0 &&
	       move->block_count <= CHUNK_BLOCKS_MAX &&
	       move->window <= most / WINDOW_BLOCKS &&
	       stored_valid(is_lz4, move->block_count, move->stored_blocks) &&
	       location_valid(move->chunk, move->stored_blocks);
}

static int move_sources_decode(const uint8_t *next,
			       struct move_record *out_move)
{
	size_t i;

	for (i = 0; i < out_move->block_count; i++) {
		struct disk_move_source source;
		struct location *at = &out_move->source[i].at;
		unsigned skip_first;

		memcpy(&source, next + i * sizeof(source), sizeof(source));
		at->segment = le32_get(source.segment);
		at->block = le16_get(source.block);
		skip_first = le16_get(source.skip_first);
		if (!location_valid(*at, 1) || skip_first >> 4 >= WINDOW_BLOCKS)
			return -EUCLEAN; /* F-19 */
		out_move->source[i].skip = (uint8_t)(skip_first & 15U);
		out_move->source[i].first = (uint16_t)(skip_first >> 4);
	}
	return 0;
}

int move_record_decode(const struct record *record,
		       struct move_record *out_move)
{
	struct disk_move disk;
	size_t sum_count;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	memset(out_move, 0, sizeof(*out_move));
	out_move->inode = le64_get(disk.inode);
	out_move->window = le64_get(disk.window);
	out_move->chunk.segment = le32_get(disk.segment);
	out_move->chunk.block = le16_get(disk.block);
	out_move->block_count = le16_get(disk.block_count);
	out_move->stored_blocks = le16_get(disk.stored_blocks);
	out_move->is_lz4 = le16_get(disk.is_lz4) != 0;
	out_move->birth = le32_get(disk.birth);
	out_move->line = le32_get(disk.line);
	if (!move_valid(out_move, le16_get(disk.is_lz4)))
		return -EUCLEAN; /* F-19 */
	sum_count = out_move->is_lz4 ? 1 : out_move->block_count;
	if (record->payload_bytes <
	    sizeof(disk) + sum_count * sizeof(struct le64) +
		    out_move->block_count * sizeof(struct disk_move_source))
		return -EUCLEAN; /* F-16 */
	sums_decode(record->payload + sizeof(disk), sum_count, out_move->sums);
	return move_sources_decode(record->payload + sizeof(disk) +
					   sum_count * sizeof(struct le64),
				   out_move);
}

size_t jump_record_encode(struct location target, uint8_t *out)
{
	struct le32 words[2] = { le32_put(target.segment),
				 le32_put(target.block) };

	memcpy(out, words, sizeof(words));
	return sizeof(words);
}

int jump_record_decode(const struct record *record, struct location *out_target)
{
	struct le32 words[2];

	if (record->payload_bytes < sizeof(words))
		return -EUCLEAN; /* F-16 */
	memcpy(words, record->payload, sizeof(words));
	out_target->segment = le32_get(words[0]);
	out_target->block = le32_get(words[1]);
	if (!location_valid(*out_target, 1))
		return -EUCLEAN; /* F-20 */
	return 0;
}

size_t items_record_encode(const struct items_record *items, uint8_t *out)
{
	struct disk_items disk = {
		.line = le32_put(items->line),
		.gen = le32_put(items->gen),
		.flags = le32_put(
			(items->more ? ITEMS_FLAG_MORE : 0U) |
			(items->continued ? ITEMS_FLAG_CONTINUED : 0U)),
		.piece_bytes = le32_put((uint32_t)items->piece_bytes),
	};

	memcpy(out, &disk, sizeof(disk));
	memcpy(out + sizeof(disk), items->piece, items->piece_bytes);
	return sizeof(disk) + items->piece_bytes;
}

int items_record_decode(const struct record *record,
			struct items_record *out_items)
{
	struct disk_items disk;
	uint32_t flags;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	flags = le32_get(disk.flags);
	*out_items = (struct items_record){
		.line = le32_get(disk.line),
		.gen = le32_get(disk.gen),
		.more = (flags & ITEMS_FLAG_MORE) != 0,
		.continued = (flags & ITEMS_FLAG_CONTINUED) != 0,
		.piece = record->payload + sizeof(disk),
		.piece_bytes = le32_get(disk.piece_bytes),
	};
	if ((flags & ~(uint32_t)ITEMS_FLAGS_KNOWN) != 0 ||
	    out_items->piece_bytes == 0 ||
	    out_items->piece_bytes > RECORD_PIECE_BYTES_MAX)
		return -EUCLEAN; /* F-69 */
	if (out_items->piece_bytes > record->payload_bytes - sizeof(disk))
		return -EUCLEAN; /* F-16 */
	return 0;
}
