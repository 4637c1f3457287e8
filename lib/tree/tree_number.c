/*
 * Numbers of objects of base that are not theirs alone: st_ino was too large,
 * or is one of another device below the layer (a subvolume), so that the
 * number is a hash of it and another object may have the same.
 *
 * I1: an object that has an ORIGIN item has the number of that, for ever.
 * I2: of those without one the first that is known has the number, the next
 *     one the next that is free. All are in one block of 256 numbers, so that
 *     one scan tells which are fixed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"

enum { BLOCK_NUMBERS = 256 };

/* Is it the object that stat tells of? */
static int is_object(struct base_node *base, const struct base_stat *stat)
{
	struct base_stat other;
	int rc = base_stat(base, &other);

	if (rc < 0)
		return rc == -ESTALE || rc == -ENOENT ? 0 : rc;
	return other.layer == stat->layer &&
	       other.stat.st_dev == stat->stat.st_dev &&
	       other.stat.st_ino == stat->stat.st_ino;
}

/* Which numbers of a block have an ORIGIN item. */
struct block {
	bool fixed[BLOCK_NUMBERS];
	unsigned count;
};

static int see_origin(void *context, const struct item_key *key,
		      const void *payload, size_t payload_bytes)
{
	struct block *block = context;

	(void)payload;
	(void)payload_bytes;
	block->fixed[key->inode % BLOCK_NUMBERS] = true;
	block->count++;
	return 0;
}

/* I1. -ENOENT: none of them is it. */
static int find_fixed(struct tree *tree, uint64_t first,
		      const struct block *block, const struct base_stat *stat,
		      uint64_t *out_number)
{
	unsigned i;
	int rc;

	for (i = 0; block->count && i < BLOCK_NUMBERS; i++) {
		struct base_node *base = NULL;

		if (!block->fixed[i])
			continue;
		rc = base_of_inode(tree, first + i, &base);
		if (rc == 0 && base)
			rc = is_object(base, stat);
		base_node_put(base);
		if (rc < 0 && rc != -ESTALE)
			return rc;
		if (rc == 1) {
			*out_number = first + i;
			return 0;
		}
	}
	return -ENOENT;
}

/* I2 */
static int find_free(struct tree *tree, uint64_t first, uint64_t number,
		     const struct block *block, const struct base_stat *stat,
		     uint64_t *out_number)
{
	unsigned i;

	for (i = 0; i < BLOCK_NUMBERS; i++) {
		uint64_t next = first + (number + i) % BLOCK_NUMBERS;
		struct base_node *base;
		int rc = 1;

		if (block->fixed[next % BLOCK_NUMBERS])
			continue;
		base = node_known_base(tree, next);
		if (base)
			rc = is_object(base, stat);
		base_node_put(base);
		if (rc < 0)
			return rc;
		if (rc == 1) {
			*out_number = next;
			return 0;
		}
	}
	return -ENOSPC;
}

int object_number(struct tree *tree, struct base_node *base,
		  struct base_stat *stat)
{
	uint64_t number = stat->inode;
	uint64_t first = number - number % BLOCK_NUMBERS;
	struct block block = { .count = 0 };
	int rc;

	if (!base_number_is_hash(number))
		return 0;
	rc = view_origins_scan(tree->view, first, see_origin, &block);
	if (rc == 0)
		rc = find_fixed(tree, first, &block, stat, &number);
	if (rc == -ENOENT)
		rc = find_free(tree, first, number, &block, stat, &number);
	if (rc < 0)
		return rc;
	if (number != stat->inode)
		atomic_store(&tree->shares_numbers, true);
	stat->inode = number;
	if (S_ISDIR(stat->stat.st_mode))
		base_node_set_number(base, number);
	return 0;
}

int object_number_again(struct tree *tree, struct base_node *base,
			uint64_t *number, struct base_node **out_known)
{
	struct base_node *known = node_known_base(tree, *number);
	struct base_stat stat;
	int rc = 1;

	if (known && known != base) {
		rc = base_stat(base, &stat);
		if (rc == 0)
			rc = is_object(known, &stat);
	}
	if (rc == 0) { /* it is of another */
		base_node_put(known);
		known = NULL;
		rc = object_number(tree, base, &stat);
		if (rc == 0) {
			*number = stat.inode;
			known = node_known_base(tree, *number);
		}
	}
	if (rc < 0) {
		base_node_put(known);
		return rc;
	}
	*out_known = known;
	return 0;
}
