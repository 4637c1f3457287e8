/*
 * Looks for copies of damaged blocks. Whatever offers one is only read, and
 * believed if the checksum is right: base at the same place, then any file
 * that --heal-from names (images, archives, trees, segments of another store)
 * and the store's own segments, at every place.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "chunk_format.h"
#include "heal.h"
#include "io.h"
#include "record_format.h"
#include "row_place.h"
#include "stored.h"

enum {
	READ_BYTES = 1 << 20,
	CHUNK_BYTES = CHUNK_BLOCKS_MAX * FORMAT_BLOCK_BYTES,
	STEP_BYTES = 512, /* of what an archive aligns to */
};

struct healer {
	struct check *check;
	struct bad_list *list;
	struct bad_chunk **by_sum; /* not healed ones, sorted by sum */
	size_t left;
	uint32_t lz4_sizes; /* bit n: a chunk of n stored blocks is wanted */
	bool raw_wanted;
	uint8_t data[READ_BYTES + CHUNK_BYTES];
};

static int by_sum(const void *a, const void *b)
{
	const struct bad_chunk *const *left = a, *const *right = b;

	return (*left)->sum < (*right)->sum ? -1 : (*left)->sum > (*right)->sum;
}

static void want(struct healer *healer)
{
	size_t i;

	healer->left = 0;
	healer->lz4_sizes = 0;
	healer->raw_wanted = false;
	for (i = 0; i < healer->list->count; i++) {
		struct bad_chunk *chunk = &healer->list->chunks[i];

		if (chunk->healed || chunk->kind != BAD_SUM)
			continue;
		healer->by_sum[healer->left++] = chunk;
		if (chunk->is_lz4)
			healer->lz4_sizes |= 1U << chunk->stored_blocks;
		else
			healer->raw_wanted = true;
	}
	qsort(healer->by_sum, healer->left, sizeof(*healer->by_sum), by_sum);
}

/* These bytes are what the chunk should be. */
static int put(struct healer *healer, struct bad_chunk *chunk,
	       const uint8_t *bytes, const char *from)
{
	struct row_place place = { 0 };
	char name[16];

	if (chunk->healed)
		return 0;
	chunk->healed = true;
	if (chunk->row)
		row_place(healer->check, &chunk->key,
			  chunk->first < 0 ? 0 : chunk->first, &place);
	place.where.segment = chunk->segment;
	place.where.block = chunk->block;
	if (!problem(healer->check, PROBLEM_BLOCK_HEALED, &place.where,
		     "from %s", from))
		return 0;
	log_segment_name(chunk->segment, name);
	return change_write(healer->check, CHANGE_PLACE_SEGMENTS, name,
			    (uint64_t)chunk->block * FORMAT_BLOCK_BYTES, bytes,
			    (size_t)chunk->stored_blocks * FORMAT_BLOCK_BYTES);
}

/* All chunks with these bytes. */
static int offer(struct healer *healer, const uint8_t *bytes, uint32_t blocks,
		 bool is_lz4, const char *from)
{
	struct bad_chunk want = {
		.sum = block_checksum(healer->check->seed, bytes,
				      (size_t)blocks * FORMAT_BLOCK_BYTES),
	};
	size_t low = 0, high = healer->left;
	int rc = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (healer->by_sum[middle]->sum < want.sum)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < healer->left && healer->by_sum[low]->sum == want.sum &&
	       rc == 0;
	     low++) {
		struct bad_chunk *chunk = healer->by_sum[low];

		if (chunk->is_lz4 == is_lz4 && chunk->stored_blocks == blocks)
			rc = put(healer, chunk, bytes, from);
	}
	return rc;
}

static int offer_at(struct healer *healer, const uint8_t *bytes, size_t len,
		    bool aligned, const char *from)
{
	uint16_t raw_blocks;
	uint32_t lz4_bytes, n;
	int rc = 0;

	if (healer->raw_wanted && len >= FORMAT_BLOCK_BYTES)
		rc = offer(healer, bytes, 1, false, from);
	if (!aligned || memcmp(bytes, "CLZ4", 4) != 0)
		return rc;
	for (n = 1; n <= CHUNK_BLOCKS_MAX && rc == 0; n++)
		if ((healer->lz4_sizes >> n & 1) &&
		    len >= (size_t)n * FORMAT_BLOCK_BYTES &&
		    chunk_header_decode(bytes, (size_t)n * FORMAT_BLOCK_BYTES,
					&raw_blocks, &lz4_bytes) == 0)
			rc = offer(healer, bytes, n, true, from);
	return rc;
}

/* Everything in a file, at multiples of step. */
static int search_file(struct healer *healer, int fd, size_t step,
		       const char *from)
{
	off_t at = 0;
	int rc = 0;

	while (rc == 0 && healer->left > 0) {
		off_t data = lseek(fd, at, SEEK_DATA);
		ssize_t n;
		size_t i;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data > at)
			at = data / READ_BYTES * READ_BYTES;
		n = io_read_full(fd, healer->data, sizeof(healer->data),
				 (uint64_t)at);
		if (n == 0)
			return 0;
		if (n < 0) { /* it is damaged itself, perhaps */
			at += READ_BYTES;
			continue;
		}
		/* The last block of a file may be a part of one. */
		memset(healer->data + n, 0, sizeof(healer->data) - (size_t)n);
		for (i = 0; i < READ_BYTES && i < (size_t)n && rc == 0;
		     i += step)
			rc = offer_at(healer, healer->data + i,
				      sizeof(healer->data) - i,
				      i % FORMAT_BLOCK_BYTES == 0, from);
		if (rc == 0)
			rc = check_progress(healer->check, 0, 1);
		at += READ_BYTES;
	}
	return rc;
}

/* A file, or all files below a directory: a tree, a store. */
static int search_path(struct healer *healer, const char *path)
{
	char *const paths[] = { (char *)(uintptr_t)path, NULL };
	FTS *walk =
		fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	const FTSENT *entry;
	int rc = walk ? 0 : -errno;

	while (rc == 0 && (entry = fts_read(walk)) != NULL) {
		AUTO_CLOSE int fd = -1;

		if (entry->fts_info != FTS_F)
			continue;
		fd = open(entry->fts_accpath,
			  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			rc = search_file(healer, fd,
					 entry->fts_level == 0 ?
						 STEP_BYTES :
						 FORMAT_BLOCK_BYTES,
					 entry->fts_path);
	}
	if (walk)
		fts_close(walk);
	return rc;
}

static int search_segments(struct healer *healer)
{
	AUTO_FREE uint32_t *ids = NULL;
	size_t count = 0, i;
	char name[16];
	int rc = segment_list(healer->check->segments_fd, &ids, &count);

	for (i = 0; i < count && rc == 0 && healer->left > 0; i++) {
		AUTO_CLOSE int fd = -1;

		log_segment_name(ids[i], name);
		fd = io_open_own(healer->check->segments_fd, name, O_RDONLY);
		if (fd >= 0)
			rc = search_file(healer, fd, FORMAT_BLOCK_BYTES, name);
	}
	return rc;
}

/* As the core compresses. 0: it does not pay. */
static uint32_t compress(const uint8_t *data, uint32_t blocks, uint8_t *stored)
{
	uint32_t most = blocks - (blocks + 7) / 8;
	int bytes;

	memset(stored, 0, CHUNK_BYTES);
	if (most == 0)
		return 0;
	bytes = LZ4_compress_default(
		(const char *)data, (char *)stored + CHUNK_HEADER_BYTES,
		(int)(blocks * FORMAT_BLOCK_BYTES),
		(int)(most * FORMAT_BLOCK_BYTES - CHUNK_HEADER_BYTES));
	if (bytes <= 0)
		return 0;
	chunk_header_encode((uint16_t)blocks, (uint32_t)bytes, stored);
	return ((uint32_t)bytes + CHUNK_HEADER_BYTES + FORMAT_BLOCK_BYTES - 1) /
	       FORMAT_BLOCK_BYTES;
}

/* What stands at the chunk's place of the file in another image. */
static int try_place(struct healer *healer, struct bad_chunk *chunk, int fd,
		     const char *from)
{
	uint8_t *data = healer->data, *stored = healer->data + CHUNK_BYTES;
	uint64_t offset;
	ssize_t n;
	uint32_t blocks;

	if (chunk->healed || chunk->kind != BAD_SUM || !chunk->row ||
	    chunk->first < 0 || chunk->key.inode != 2)
		return 0;
	offset = (chunk->key.window * WINDOW_BLOCKS + (unsigned)chunk->first) *
		 FORMAT_BLOCK_BYTES;
	n = io_read_full(fd, data, CHUNK_BYTES, offset);
	if (n <= 0)
		return 0;
	memset(data + n, 0, CHUNK_BYTES - (size_t)n);
	if (!chunk->is_lz4)
		return block_checksum(healer->check->seed, data,
				      FORMAT_BLOCK_BYTES) == chunk->sum ?
			       put(healer, chunk, data, from) :
			       0;
	for (blocks = chunk->stored_blocks + 1U; blocks <= CHUNK_BLOCKS_MAX;
	     blocks++)
		if (compress(data, blocks, stored) == chunk->stored_blocks &&
		    block_checksum(healer->check->seed, stored,
				   (size_t)chunk->stored_blocks *
					   FORMAT_BLOCK_BYTES) == chunk->sum)
			return put(healer, chunk, stored, from);
	return 0;
}

/* An image: base, or one that --heal-from names. */
static int search_image(struct healer *healer, const char *path,
			const char *from)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	size_t i;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return 0;
	for (i = 0; i < healer->list->count && rc == 0; i++)
		rc = try_place(healer, &healer->list->chunks[i], fd, from);
	return rc;
}

static int search_base(struct healer *healer)
{
	char path[4096] = "";
	sqlite3_stmt *row;
	int rc = query_begin(&healer->check->stored->queries, &row,
			     "SELECT path FROM base WHERE layer = 0", "");

	if (rc <= 0)
		return rc;
	if (sqlite3_column_type(row, 0) == SQLITE_TEXT)
		snprintf(path, sizeof(path), "%s",
			 (const char *)sqlite3_column_text(row, 0));
	query_end(row);
	return search_image(healer, path, "base");
}

int heal_find(struct check *check, struct bad_list *list)
{
	struct healer *healer = calloc(1, sizeof(*healer));
	unsigned i;
	int rc;

	if (!healer)
		return -ENOMEM;
	healer->check = check;
	healer->list = list;
	healer->by_sum = calloc(list->count + 1, sizeof(*healer->by_sum));
	rc = healer->by_sum ? search_base(healer) : -ENOMEM;
	for (i = 0; i < check->options->heal_count && rc == 0; i++)
		rc = search_image(healer, check->options->heal_from[i],
				  check->options->heal_from[i]);
	if (rc == 0)
		want(healer);
	for (i = 0; i < check->options->heal_count && rc == 0; i++)
		rc = search_path(healer, check->options->heal_from[i]);
	if (rc == 0)
		rc = search_segments(healer);
	free(healer->by_sum);
	free(healer);
	return rc;
}
