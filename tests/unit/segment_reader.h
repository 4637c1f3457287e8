/*
 * What the segments of a store say, read with format/ alone: as who has lost
 * the index must read them.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record_format.h"
#include "segment_format.h"
#include "share_format.h"
#include "state_format.h"

enum { READER_SEGMENTS = 4096 };

typedef void reader_visit(void *context, uint32_t segment,
			  const struct record *record);

static inline bool reader_block(int fd, uint32_t block, uint8_t *bytes)
{
	memset(bytes, 0, FORMAT_BLOCK_BYTES);
	return pread(fd, bytes, FORMAT_BLOCK_BYTES,
		     (off_t)block * FORMAT_BLOCK_BYTES) > 0;
}

/* The records of a segment, from its first record block on. */
static inline void reader_walk(int fd, uint32_t segment, uint64_t seed,
			       reader_visit *visit, void *context)
{
	uint8_t bytes[FORMAT_BLOCK_BYTES];
	struct location at = { segment, SEGMENT_FIRST_RECORD_BLOCK };

	while (at.segment == segment && reader_block(fd, at.block, bytes)) {
		struct record_block_header header;
		struct record_place place = { seed, segment, 0, at.block,
					      RECORD_BLOCK_HEADER_BYTES };
		struct record record = { 0 };

		if (record_block_decode(seed, bytes, sizeof(bytes), &header) <
		    0)
			return;
		place.epoch = header.epoch;
		for (;;) {
			if (record_decode(&place, bytes + place.offset,
					  sizeof(bytes) - place.offset,
					  &record) < 0)
				return;
			if (record.type == RECORD_TYPE_JUMP)
				break;
			visit(context, segment, &record);
			place.offset += (uint32_t)record.record_bytes;
		}
		assert_int_equal(jump_record_decode(&record, &at), 0);
	}
}

static inline int reader_by_id(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* All of them, in the order of the log. */
static inline void reader_walk_store(const char *store_path,
				     reader_visit *visit, void *context)
{
	static uint32_t ids[READER_SEGMENTS];
	struct segment_header header;
	uint8_t bytes[FORMAT_BLOCK_BYTES];
	struct dirent *entry;
	size_t count = 0, i;
	char path[256];
	DIR *directory;

	snprintf(path, sizeof(path), "%s/segments", store_path);
	directory = opendir(path);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (strlen(entry->d_name) == 12 &&
		    strcmp(entry->d_name + 8, ".seg") == 0) {
			assert_true(count < READER_SEGMENTS);
			ids[count++] =
				(uint32_t)strtoul(entry->d_name, NULL, 16);
		}
	closedir(directory);
	qsort(ids, count, sizeof(ids[0]), reader_by_id);
	for (i = 0; i < count; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/segments/%08x.seg", store_path,
			 ids[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		if (reader_block(fd, 0, bytes) &&
		    segment_header_decode(bytes, sizeof(bytes), &header) == 0)
			reader_walk(fd, ids[i], header.seed, visit, context);
		close(fd);
	}
}

/* The newest whole dump, as pieces come. */
struct reader_dump {
	struct state_record newest; /* of bytes */
	uint8_t *bytes;
	size_t filled_bytes;
	struct state_record coming;
	uint8_t *coming_bytes;
	size_t coming_filled;
	uint64_t seed;
};

static inline void reader_add_piece(struct reader_dump *dump,
				    const struct record *record)
{
	struct state_record piece;
	struct state_record *coming = &dump->coming;

	assert_int_equal(state_record_decode(record, &piece), 0);
	if (piece.offset == 0) {
		*coming = piece;
		free(dump->coming_bytes);
		dump->coming_bytes = malloc(piece.dump_bytes);
		assert_non_null(dump->coming_bytes);
		dump->coming_filled = 0;
	}
	if (piece.checksum != coming->checksum ||
	    piece.as_of_lsn != coming->as_of_lsn ||
	    piece.offset != dump->coming_filled)
		return; /* what it begins with is gone */
	memcpy(dump->coming_bytes + piece.offset, piece.piece,
	       piece.piece_bytes);
	dump->coming_filled += piece.piece_bytes;
	if (dump->coming_filled < coming->dump_bytes)
		return;
	assert_true(state_checksum(dump->seed, dump->coming_bytes,
				   coming->dump_bytes) == coming->checksum);
	free(dump->bytes);
	dump->bytes = dump->coming_bytes;
	dump->newest = *coming;
	dump->filled_bytes = coming->dump_bytes;
	dump->coming_bytes = NULL;
}

static inline void reader_dump_fini(struct reader_dump *dump)
{
	free(dump->bytes);
	free(dump->coming_bytes);
}
