/*
 * What rows say that is stored in a segment, and whether it is: the sums of
 * its blocks, and a read of all that are named.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "block_map.h"
#include "scope.h"
#include "segment_read.h"
#include "slot.h"

enum expect_kind {
	EXPECT_NOTHING,
	EXPECT_RAW,
	EXPECT_CHUNK, /* a compressed one begins here */
	EXPECT_INNER, /* of a compressed one */
};

struct expect {
	uint32_t segment;
	uint32_t count; /* blocks that are named */
	uint8_t kind[SEGMENT_BLOCKS];
	uint8_t blocks[SEGMENT_BLOCKS]; /* of the chunk that begins here */
	uint64_t sums[SEGMENT_BLOCKS];

	/* What expect_read found. */
	uint8_t bad[BLOCK_MAP_BYTES];	 /* named, and not what it should be */
	uint8_t unread[BLOCK_MAP_BYTES]; /* the device can't read it */
	int header; /* 0, -EUCLEAN, ... as segment_read_header */
	int rc;	    /* why it could not be read at all */
	uint64_t read_bytes;
	bool short_file; /* it ends before something that is named */
};

/* One block, or compressed chunk, that a slot names. false: it is at odds
 * with what another slot says of the same blocks. */
bool expect_slot(struct expect *expect, const struct slot *slot);
/* Reads once, from begin to end, what is named. */
void expect_read(struct expect *expect, struct segment_reader *reader);
