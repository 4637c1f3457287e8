/*
 * A scrub reads a segment: once, from its begin to its end, in pieces of 4 MiB.
 *
 * It is the disk that is to be looked at. What is in the page cache is
 * therefore read past it (O_DIRECT) and stays there; what is not is read
 * through it, as the kernel reads ahead then, and dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "scrub_impl.h"

struct reader {
	struct scrub_batch *batch;
	const struct scrub_segment *segment;
	uint64_t seed;
	int fd, direct_fd;     /* -1: it can't be read so */
	uint32_t next_records; /* the record block that comes next, or 0 */
	uint64_t checked_bytes;
};

/* Which blocks are in the page cache; without an answer: none. */
static void look_at_cache(struct reader *reader)
{
	uint8_t *resident = reader->batch->resident;
	struct stat st;
	void *map;

	memset(resident, 0, SEGMENT_BLOCKS);
	if (sysconf(_SC_PAGESIZE) != BLOCK_BYTES ||
	    fstat(reader->fd, &st) < 0 || st.st_size <= 0 ||
	    (uint64_t)st.st_size > SEGMENT_BYTES)
		return;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, reader->fd,
		   0);
	if (map == MAP_FAILED)
		return;
	if (mincore(map, (size_t)st.st_size, resident) < 0)
		memset(resident, 0, SEGMENT_BLOCKS);
	munmap(map, (size_t)st.st_size);
}

static void open_segment(struct reader *reader)
{
	int directory_fd = reader->batch->scrub->store->segments_fd;
	char name[16];

	log_segment_name(reader->segment->id, name);
	reader->fd = io_open_own(directory_fd, name, O_RDONLY);
	reader->direct_fd = -1;
	if (reader->fd < 0)
		return;
	reader->direct_fd =
		io_open_own(directory_fd, name, O_RDONLY | O_DIRECT);
	look_at_cache(reader);
	(void)posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static void close_segment(struct reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	if (reader->direct_fd >= 0)
		close(reader->direct_fd);
}

/* What is behind the end of the file is zeros. */
static int read_from(int fd, uint32_t block, uint32_t blocks, uint8_t *data)
{
	size_t len_bytes = (size_t)blocks * BLOCK_BYTES;
	ssize_t n = io_read_full(fd, data, len_bytes,
				 (uint64_t)block * BLOCK_BYTES);

	if (n < 0)
		return (int)n;
	memset(data + n, 0, len_bytes - (size_t)n);
	return 0;
}

static int read_blocks(struct reader *reader, uint32_t block, uint32_t blocks,
		       uint8_t *data)
{
	off_t offset = (off_t)block * BLOCK_BYTES;
	off_t len_bytes = (off_t)blocks * BLOCK_BYTES;
	bool is_cached = memchr(reader->batch->resident + block, 1, blocks) !=
			 NULL;
	int rc;

	if (reader->fd < 0)
		return reader->fd;
	if (is_cached && reader->direct_fd >= 0) {
		rc = read_from(reader->direct_fd, block, blocks, data);
		if (rc != -EINVAL)
			return rc;
		close(reader->direct_fd); /* not here, or an odd end */
		reader->direct_fd = -1;
	}
	rc = read_from(reader->fd, block, blocks, data);
	if (!is_cached)
		(void)posix_fadvise(reader->fd, offset, len_bytes,
				    POSIX_FADV_DONTNEED);
	return rc;
}

/* Reads it alone. 0: it is right. */
static int look_again(struct reader *reader, uint32_t block, uint8_t *data)
{
	uint32_t blocks = reader->segment->chunk_blocks[block];
	int rc = read_blocks(reader, block, blocks, data);

	if (rc < 0)
		return rc;
	return block_checksum(reader->seed, data,
			      (size_t)blocks * BLOCK_BYTES) ==
			       reader->segment->sums[block] ?
		       0 :
		       -EUCLEAN;
}

static int hit(struct reader *reader, uint32_t block, uint32_t blocks, int rc,
	       enum scrub_kind kind)
{
	struct location at = { reader->segment->id, block };

	return scrub_batch_hit(reader->batch, at, blocks,
			       rc == -EUCLEAN ? kind : SCRUB_KIND_UNREADABLE);
}

/* data: all of the chunk, or NULL if it could not be read with others. */
static int check_chunk(struct reader *reader, uint32_t block, uint8_t *data)
{
	const struct scrub_segment *segment = reader->segment;
	uint32_t blocks = segment->chunk_blocks[block];
	uint8_t *again;
	int rc;

	if (blocks == SCRUB_CONFLICT)
		return hit(reader, block, SCRUB_CONFLICT, -EUCLEAN,
			   SCRUB_KIND_DATA);
	reader->checked_bytes += (uint64_t)blocks * BLOCK_BYTES;
	if (data &&
	    block_checksum(reader->seed, data, (size_t)blocks * BLOCK_BYTES) ==
		    segment->sums[block])
		return 0;
	again = aligned_alloc(BLOCK_BYTES, CHUNK_BLOCKS_MAX * BLOCK_BYTES);
	if (!again)
		return -ENOMEM;
	rc = look_again(reader, block, again);
	free(again);
	return rc < 0 ? hit(reader, block, blocks, rc, SCRUB_KIND_DATA) : 0;
}

static int check_header(struct reader *reader, const uint8_t *data)
{
	struct store *store = reader->batch->scrub->store;
	struct segment_header header;
	int rc = data ? segment_header_decode(data, BLOCK_BYTES, &header) :
			-EIO;

	reader->checked_bytes += BLOCK_BYTES;
	if (rc == 0 &&
	    (header.segment != reader->segment->id ||
	     header.seed != store->seed ||
	     memcmp(header.uuid, store->uuid, sizeof(header.uuid)) != 0))
		rc = -EUCLEAN; /* F-6 */
	return rc < 0 ? hit(reader, 0, 1, rc == -EIO ? rc : -EUCLEAN,
			    SCRUB_KIND_HEADER) :
			0;
}

static int check_records(struct reader *reader, uint32_t block,
			 const uint8_t *data)
{
	uint32_t next = 0;
	int rc = data ? scrub_check_records(reader->seed, reader->segment,
					    block, data, &next) :
			-EIO;

	reader->checked_bytes += BLOCK_BYTES;
	reader->next_records = next;
	return rc < 0 ? hit(reader, block, 1, rc, SCRUB_KIND_RECORDS) : 0;
}

/* Whatever there is to be looked at at this block; data: NULL if its piece
 * could not be read, at the block else. */
static int check_block(struct reader *reader, uint32_t block, uint8_t *data)
{
	uint8_t one[BLOCK_BYTES] __attribute__((aligned(BLOCK_BYTES)));
	bool is_records = block && block == reader->next_records;

	if (block && !is_records)
		return reader->segment->chunk_blocks[block] ?
			       check_chunk(reader, block, data) :
			       0;
	if (!data && read_blocks(reader, block, 1, one) == 0)
		data = one;
	return is_records ? check_records(reader, block, data) :
			    check_header(reader, data);
}

/* The next block from here on that is looked at. */
static uint32_t next_wanted(const struct reader *reader, uint32_t block)
{
	const uint8_t *chunks = reader->segment->chunk_blocks;

	if (block == 0)
		return 0;
	while (block < SEGMENT_BLOCKS && !chunks[block] &&
	       block != reader->next_records)
		block++;
	return block;
}

/* Lets the kernel begin with the piece that comes next. */
static void announce(const struct reader *reader, uint32_t block)
{
	uint32_t blocks = SEGMENT_BLOCKS - block;

	if (blocks > SCRUB_PIECE_BLOCKS)
		blocks = SCRUB_PIECE_BLOCKS;
	if (reader->fd < 0 || !blocks ||
	    memchr(reader->batch->resident + block, 1, blocks))
		return;
	(void)posix_fadvise(reader->fd, (off_t)block * BLOCK_BYTES,
			    (off_t)blocks * BLOCK_BYTES, POSIX_FADV_WILLNEED);
}

/* Moves *block behind what was read. */
static int read_piece(struct reader *reader, uint32_t *block)
{
	uint32_t begin = *block, at, blocks = SEGMENT_BLOCKS - begin;
	struct scrub *scrub = reader->batch->scrub;
	uint64_t checked = reader->checked_bytes;
	uint8_t *buffer = reader->batch->buffer;
	int rc;

	if (blocks > SCRUB_PIECE_BLOCKS)
		blocks = SCRUB_PIECE_BLOCKS;
	rc = read_blocks(reader, begin, blocks, buffer);
	announce(reader, begin + blocks);
	if (rc < 0)
		buffer = NULL;
	rc = 0;
	for (at = begin; rc == 0 && at < begin + blocks; at++) {
		uint32_t chunk = reader->segment->chunk_blocks[at];

		if (chunk != SCRUB_CONFLICT && at + chunk > begin + blocks)
			break; /* it comes with the next piece, whole */
		rc = check_block(reader, at,
				 buffer ? buffer + (size_t)(at - begin) *
							   BLOCK_BYTES :
					  NULL);
	}
	*block = at;
	return rc < 0 ? rc :
			scrub_tick(scrub, (uint64_t)(at - begin) * BLOCK_BYTES,
				   reader->checked_bytes - checked);
}

int scrub_read_segment(struct scrub_batch *batch,
		       const struct scrub_segment *segment)
{
	struct reader reader = {
		.batch = batch,
		.segment = segment,
		.seed = batch->scrub->store->seed,
		.next_records = SEGMENT_FIRST_RECORD_BLOCK,
	};
	uint32_t block = 0;
	int rc = 0;

	open_segment(&reader);
	while (rc == 0 &&
	       (block = next_wanted(&reader, block)) < SEGMENT_BLOCKS)
		rc = read_piece(&reader, &block);
	close_segment(&reader);
	return rc;
}
