/* Items in the working copy: finding the one that a view sees, and writing
 * versions with checksums that are right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "item_format.h"
#include "scope.h"

struct check;

struct item_row {
	int64_t id;
	uint32_t line, gen;
	size_t payload_bytes; /* 0: absent */
	uint8_t payload[ITEM_PAYLOAD_BYTES_MAX];
};

/* The version that a view at (line, gen) sees; 1: there is one, that may be
 * absent; 0: none. Damaged ones count as none. */
NODISCARD int item_row_find(struct check *check, const struct item_key *key,
			    uint32_t line, uint32_t gen, struct item_row *out);
/* Makes or replaces a version, told as a change. payload_bytes 0: absent. */
NODISCARD int item_row_put(struct check *check, const struct item_key *key,
			   uint32_t line, uint32_t gen, const void *payload,
			   size_t payload_bytes);
/* As the above for the item of an inode. find: 1 and the inode if there is
 * one that is not absent. */
NODISCARD int item_row_inode(struct check *check, uint64_t inode, uint32_t line,
			     uint32_t gen, struct inode_item *out);
NODISCARD int item_row_put_inode(struct check *check, uint64_t inode,
				 uint32_t line, uint32_t gen,
				 const struct inode_item *item);
NODISCARD int item_row_put_name(struct check *check, uint64_t directory,
				const char *name, uint32_t line, uint32_t gen,
				uint64_t inode, uint32_t mode);
