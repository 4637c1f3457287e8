/* Moving the chunks of one window out of a segment. */
#pragma once

#include "space.h"
#include "store_impl.h"

/* What is to be moved of one window, in the order of the file. */
struct sources {
	struct slot slots[WINDOW_BLOCKS * 4];
	size_t count;
	/* The first line, of those that see blocks of a birth. */
	struct birth_line {
		uint32_t birth, line;
	} births[WINDOW_BLOCKS * 4];
	size_t birth_count;
};

struct mover {
	struct store *store;
	struct sources sources;
	struct compact_result result;
	bool raw;	    /* not to be compressed: raw_inode's blocks */
	uint64_t raw_inode; /* 0: none was looked at */
	uint8_t data[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
	uint8_t stored[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
};

/* Fills mover->sources with what any version of the window has in the
 * segment. */
NODISCARD int move_gather(struct mover *mover, uint32_t segment, uint64_t inode,
			  uint64_t window);
/* How many sources go into the next chunk: consecutive blocks of one birth,
 * so that one row never keeps a chunk that another has freed. */
unsigned move_group_blocks(const struct slot *slots, size_t count);
/* Does any version of the inode say that its blocks are not to be compressed?
 * Also for what follows of that inode. */
NODISCARD int move_look_at(struct mover *mover, uint64_t inode);
/* Writes all of it again at the log's tail. */
NODISCARD int move_window(struct mover *mover, uint32_t segment, uint64_t inode,
			  uint64_t window);
