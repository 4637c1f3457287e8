/*
 * Reading segments, damaged ones too. Headers are looked at by who asks for
 * it; what a block holds has checksums of its own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "scope.h"
#include "segment_format.h"

struct segment_reader {
	int directory_fd; /* STORE/segments; borrowed */
	uint8_t uuid[FORMAT_UUID_BYTES];
	uint64_t seed;
	uint32_t segment; /* the one that is open, 0: none */
	int fd;
	uint64_t len_bytes;
};

void segment_reader_init(struct segment_reader *reader, int directory_fd,
			 const uint8_t uuid[FORMAT_UUID_BYTES], uint64_t seed);
void segment_reader_fini(struct segment_reader *reader);

/* Opens the file unless it is open; one with several names, too. -ENOENT: it
 * is not there, or no regular file. */
NODISCARD int segment_reader_open(struct segment_reader *reader,
				  uint32_t segment);
/* What is behind the end of the file reads as zeros. -ENOENT: there is no
 * such segment; -EIO: the device can't read it. */
NODISCARD int segment_read(struct segment_reader *reader, struct location at,
			   void *data, uint32_t blocks);
/* F-1 to F-6: 0, -EUCLEAN, -EPROTONOSUPPORT or as above. */
NODISCARD int segment_read_header(struct segment_reader *reader,
				  uint32_t segment);

/* The ids of all files with a segment's name, sorted; the caller's to free. */
NODISCARD int segment_list(int directory_fd, uint32_t **out_ids,
			   size_t *out_count);
