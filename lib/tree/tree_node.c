/*
 * Nodes: the inodes of a tree that somebody knows, and what they are.
 *
 * I1: there is one node for an inode, so that the number of names, opens and
 *     what is stored of it are told in one place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layer_names.h"
#include "tree_impl.h"

uint64_t tree_node_inode(const struct tree_node *node)
{
	return node->inode;
}

static struct tree_node *find_node(struct tree *tree, uint64_t inode)
	REQUIRES(tree->nodes_lock)
{
	struct tree_node *node;

	HASH_FIND(hh, tree->nodes, &inode, sizeof(inode), node);
	return node;
}

struct base_node *node_known_base(struct tree *tree, uint64_t inode)
{
	const struct tree_node *node;
	struct base_node *base = NULL;

	mutex_lock(&tree->nodes_lock);
	node = find_node(tree, inode);
	if (node && node->base)
		base = base_node_get(node->base);
	mutex_unlock(&tree->nodes_lock);
	return base;
}

/* Who comes second takes what the first has made. -EAGAIN: it may be of
 * another object. */
static int add_node(struct tree *tree, uint64_t inode, uint32_t kind,
		    struct base_node *base, struct tree_node **out_node)
	REQUIRES(tree->nodes_lock)
{
	struct tree_node *node = find_node(tree, inode);

	if (node && base && base_number_is_hash(inode))
		return -EAGAIN;
	if (node) {
		node->references++;
		*out_node = node;
		return 0;
	}
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->tree = tree;
	node->inode = inode;
	node->kind = kind;
	node->base = base ? base_node_get(base) : NULL;
	node->references = 1;
	HASH_ADD(hh, tree->nodes, inode, sizeof(node->inode), node);
	if (!node->hh.tbl) {
		base_node_put(node->base);
		free(node);
		return -ENOMEM;
	}
	*out_node = node;
	return 0;
}

/* The node that there is, with a reference more; *out_node NULL: none. *inode
 * becomes another one if it is of another object. */
static int take_node(struct tree *tree, uint64_t *inode, struct base_node *base,
		     struct tree_node **out_node)
{
	bool shared = base && base_number_is_hash(*inode);
	struct base_node *known = NULL;
	struct tree_node *node;
	int rc = 0;

	if (shared)
		rc = object_number_again(tree, base, inode, &known);
	if (rc < 0)
		return rc;
	mutex_lock(&tree->nodes_lock);
	node = find_node(tree, *inode);
	if (node && shared && node->base != known)
		rc = -EAGAIN;
	else if (node)
		node->references++;
	mutex_unlock(&tree->nodes_lock);
	base_node_put(known);
	*out_node = node;
	return rc;
}

static int find_or_add(struct tree *tree, uint64_t inode, uint32_t kind,
		       struct base_node *base, struct tree_node **out_node)
{
	int rc = take_node(tree, &inode, base, out_node);

	if (rc < 0 || *out_node)
		return rc;
	mutex_lock(&tree->nodes_lock);
	rc = add_node(tree, inode, kind, base, out_node);
	mutex_unlock(&tree->nodes_lock);
	return rc;
}

int node_open(struct tree *tree, uint64_t inode, uint32_t kind,
	      struct base_node *base, struct tree_node **out_node)
{
	struct tree_node *node = NULL;
	int rc = 0;

	if (!base && inode >= INODE_NEW_END) {
		rc = take_node(tree, &inode, NULL, &node);
		if (rc == 0 && !node)
			rc = base_of_inode(tree, inode, &base);
	}
	if (rc == 0 && !node) {
		do
			rc = find_or_add(tree, inode, kind, base, &node);
		while (rc == -EAGAIN);
	}
	base_node_put(base);
	if (rc == 0)
		*out_node = node;
	return rc;
}

struct tree_node *tree_node_get(struct tree_node *node)
{
	mutex_lock(&node->tree->nodes_lock);
	node->references++;
	mutex_unlock(&node->tree->nodes_lock);
	return node;
}

void node_free(struct tree_node *node)
{
	base_node_put(node->base);
	gone_free(node->remembered);
	free(node);
}

/* Only its owner is left, if there was work to be done for it meanwhile. */
static bool drop_references(struct tree_node *node, uint64_t count,
			    bool *out_orphan)
{
	struct tree *tree = node->tree;
	bool last;

	mutex_lock(&tree->nodes_lock);
	*out_orphan = node->orphan && node->references == count;
	if (!*out_orphan)
		node->references -= count;
	last = node->references == 0;
	if (last)
		HASH_DEL(tree->nodes, node);
	mutex_unlock(&tree->nodes_lock);
	return last;
}

void tree_node_put(struct tree_node *node, uint64_t count)
{
	bool last = false, orphan = true;

	while (orphan) {
		last = drop_references(node, count, &orphan);
		if (orphan)
			node_delete_orphan(node, count);
	}
	if (last)
		node_free(node);
}

int tree_node_find(struct tree *tree, uint64_t inode,
		   struct tree_node **out_node)
{
	struct inode_item item;
	int rc;

	pthread_rwlock_rdlock(&tree->names_lock);
	mutex_lock(&tree->nodes_lock);
	*out_node = find_node(tree, inode);
	if (*out_node)
		(*out_node)->references++;
	mutex_unlock(&tree->nodes_lock);
	rc = *out_node ? 0 : view_inode_get(tree->view, inode, &item);
	if (rc == 0 && !*out_node)
		rc = item.nlink == 0 ? -ESTALE :
				       node_open(tree, inode,
						 item.mode >> MODE_KIND_SHIFT,
						 NULL, out_node);
	pthread_rwlock_unlock(&tree->names_lock);
	return rc == -ENOENT ? -ESTALE : rc;
}

void node_comes_back(struct tree *tree, uint64_t inode)
{
	struct tree_node *node;

	mutex_lock(&tree->nodes_lock);
	node = find_node(tree, inode);
	if (node && node->remembered) {
		gone_free(node->remembered);
		node->remembered = NULL;
		atomic_store(&node->stored, STORED_NO);
	}
	mutex_unlock(&tree->nodes_lock);
}

/* --- what a node is --- */

/* 1: it has no item, base tells. */
static int load_item(struct tree_node *node, struct inode_item *out_item)
{
	int rc;

	if (node->remembered) {
		*out_item = node->remembered->item;
		return 0;
	}
	if (atomic_load(&node->stored) == STORED_NO)
		return 1;
	rc = view_inode_get(node->tree->view, node->inode, out_item);
	if (rc == 0)
		atomic_store(&node->stored, STORED_YES);
	if (rc != -ENOENT)
		return rc;
	if (!node->base)
		return -ESTALE;
	atomic_store(&node->stored, STORED_NO);
	return 1;
}

int node_load_seen(struct tree_node *node, struct inode_item *out_item,
		   struct base_stat *seen)
{
	int rc = load_item(node, out_item);

	if (rc <= 0)
		return rc;
	rc = base_stat(node->base, seen);
	if (rc < 0)
		return rc;
	inode_item_of_base(seen, out_item);
	return 1;
}

int node_load(struct tree_node *node, struct inode_item *out_item)
{
	struct base_stat seen;
	int rc = node_load_seen(node, out_item, &seen);

	return rc < 0 ? rc : 0;
}

/* Blocks of 512 bytes: what is stored and what base has, but no more than the
 * size asks for. */
static uint64_t blocks_of(const struct inode_item *item,
			  const struct base_stat *seen)
{
	uint64_t blocks = item->data_blocks * (BLOCK_BYTES / 512);
	uint64_t most = (item->size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES *
			(BLOCK_BYTES / 512);

	if (S_ISDIR(item->mode))
		return seen ? (uint64_t)seen->stat.st_blocks : 8;
	if (!seen)
		return blocks;
	if (item->data_blocks == 0 &&
	    item->size_bytes == (uint64_t)seen->stat.st_size)
		return (uint64_t)seen->stat.st_blocks;
	blocks += (uint64_t)seen->stat.st_blocks;
	return blocks < most ? blocks : most;
}

static void fill_attr(const struct tree_node *node,
		      const struct inode_item *item,
		      const struct base_stat *seen, struct tree_attr *out_attr)
{
	*out_attr = (struct tree_attr){
		.inode = node->inode,
		.mode = item->mode,
		.nlink = item->nlink,
		.uid = item->uid,
		.gid = item->gid,
		.rdev = item->rdev,
		.size_bytes = item->size_bytes,
		.blocks = blocks_of(item, seen),
		.atime_ns = item->atime_ns,
		.mtime_ns = item->mtime_ns,
		.ctime_ns = item->ctime_ns,
		.btime_ns = item->btime_ns,
		.raw = item->flags & INODE_FLAG_RAW,
	};
}

int node_attr_seen(struct tree_node *node, const struct base_stat *stat,
		   struct tree_attr *out_attr)
{
	struct inode_item item;
	struct base_stat seen;
	int rc = load_item(node, &item);
	bool from_base = rc == 1;

	if (rc < 0)
		return rc;
	if (!stat && node->base && !node->remembered &&
	    (from_base || item.base_visible_bytes > 0)) {
		rc = base_stat(node->base, &seen);
		if (rc == 0)
			stat = &seen;
		else if (from_base)
			return rc;
	}
	if (from_base && !node->tree->follow)
		(void)!base_seen(node->base, stat); /* it is told */
	if (from_base)
		inode_item_of_base(stat, &item);
	else if (item.base_visible_bytes == 0)
		stat = NULL;
	fill_attr(node, &item, stat, out_attr);
	return 0;
}

int node_attr(struct tree_node *node, struct tree_attr *out_attr)
{
	return node_attr_seen(node, NULL, out_attr);
}

int node_parent(struct tree_node *node, uint64_t *out_inode,
		struct base_node **out_base)
{
	struct base_node *parent;
	struct inode_item item;
	int rc = load_item(node, &item);

	if (out_base)
		*out_base = NULL;
	if (rc == 0) {
		*out_inode = item.parent;
		return 0;
	}
	if (rc < 0)
		return rc;
	parent = base_node_parent(node->base);
	*out_inode = ROOT_INODE;
	if (!parent || !base_node_parent(parent))
		return 0;
	*out_inode = base_node_number(parent);
	if (out_base)
		*out_base = base_node_get(parent);
	return 0;
}
