/* Sums of a segment: collected, then compared in one sequential read. */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

enum { READ_BLOCKS = 64, CHUNK_BLOCKS = 16 }; /* fits a processor's cache */

bool expect_slot(struct expect *expect, const struct slot *slot)
{
	unsigned n = slot_stored_blocks(slot), i;
	uint8_t kind = slot->kind == SLOT_KIND_LZ4 ? EXPECT_CHUNK : EXPECT_RAW;

	if (expect->kind[slot->block] == kind)
		return expect->sums[slot->block] == slot->sum &&
		       expect->blocks[slot->block] == n;
	for (i = 0; i < n; i++)
		if (expect->kind[slot->block + i] != EXPECT_NOTHING)
			return false;
	expect->kind[slot->block] = kind;
	expect->blocks[slot->block] = (uint8_t)n;
	expect->sums[slot->block] = slot->sum;
	for (i = 1; i < n; i++)
		expect->kind[slot->block + i] = EXPECT_INNER;
	expect->count += n;
	return true;
}

/* One read of READ_BLOCKS, and CHUNK_BLOCKS more for a chunk that goes on. */
struct span {
	struct expect *expect;
	struct segment_reader *reader;
	uint32_t begin, count;
	uint8_t *data;
};

static bool is_wanted(const struct span *span, uint32_t block)
{
	return span->expect->kind[block] != EXPECT_NOTHING;
}

/* -EIO for some sector of it: block by block then. */
static void read_span(struct span *span)
{
	uint64_t offset = (uint64_t)span->begin * FORMAT_BLOCK_BYTES;
	size_t len = (size_t)span->count * FORMAT_BLOCK_BYTES;
	ssize_t n = io_read_full(span->reader->fd, span->data, len, offset);
	uint32_t i;

	if (n >= 0) {
		memset(span->data + n, 0, len - (size_t)n);
		span->expect->read_bytes += (uint64_t)n;
		return;
	}
	for (i = 0; i < span->count; i++) {
		uint8_t *block = span->data + (size_t)i * FORMAT_BLOCK_BYTES;

		n = io_read_full(span->reader->fd, block, FORMAT_BLOCK_BYTES,
				 offset + (uint64_t)i * FORMAT_BLOCK_BYTES);
		memset(block + (n > 0 ? n : 0), 0,
		       FORMAT_BLOCK_BYTES - (size_t)(n > 0 ? n : 0));
		if (n < 0)
			block_bit_set(span->expect->unread, span->begin + i);
	}
}

static void look_at(struct span *span)
{
	struct expect *expect = span->expect;
	uint32_t i, n;

	for (i = 0; i < span->count; i += n) {
		const uint8_t *data =
			span->data + (size_t)i * FORMAT_BLOCK_BYTES;
		uint32_t block = span->begin + i, j;
		uint8_t kind = expect->kind[block];

		n = 1;
		if (kind != EXPECT_RAW && kind != EXPECT_CHUNK)
			continue;
		n = expect->blocks[block];
		if (block_checksum(span->reader->seed, data,
				   (size_t)n * FORMAT_BLOCK_BYTES) ==
		    expect->sums[block])
			continue;
		for (j = 0; j < n; j++)
			block_bit_set(expect->bad, block + j);
	}
}

/* From begin on, what is wanted; a chunk is never cut. */
static uint32_t find_span(struct span *span, uint32_t begin)
{
	struct expect *expect = span->expect;
	uint32_t end;

	while (begin < SEGMENT_BLOCKS && !is_wanted(span, begin))
		begin++;
	end = begin;
	while (end < SEGMENT_BLOCKS && end < begin + READ_BLOCKS) {
		uint32_t next = end;

		/* Over a gap it is read on rather than sought. */
		while (next < SEGMENT_BLOCKS && next < begin + READ_BLOCKS &&
		       !is_wanted(span, next))
			next++;
		if (next >= SEGMENT_BLOCKS || next >= begin + READ_BLOCKS ||
		    next - end > 8)
			break;
		end = next + (expect->kind[next] == EXPECT_CHUNK ?
				      expect->blocks[next] :
				      1U);
	}
	span->begin = begin;
	span->count = end - begin;
	return end;
}

void expect_read(struct expect *expect, struct segment_reader *reader)
{
	struct span span = {
		.expect = expect,
		.reader = reader,
	};
	uint32_t next = 1, last = SEGMENT_BLOCKS;
	int rc = segment_reader_open(reader, expect->segment);

	expect->rc = rc;
	if (rc < 0)
		return;
	span.data = malloc((size_t)(READ_BLOCKS + CHUNK_BLOCKS) *
			   FORMAT_BLOCK_BYTES);
	if (!span.data) {
		expect->rc = -ENOMEM;
		return;
	}
	(void)posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	expect->header = segment_read_header(reader, expect->segment);
	while (last > 1 && expect->kind[last - 1] == EXPECT_NOTHING)
		last--;
	expect->short_file = last > 1 &&
			     reader->len_bytes <=
				     (uint64_t)(last - 1) * FORMAT_BLOCK_BYTES;
	while (next < SEGMENT_BLOCKS) {
		next = find_span(&span, next);
		if (span.count == 0)
			break;
		read_span(&span);
		look_at(&span);
	}
	free(span.data);
}
