/* Names: what a directory's items say of a name, else the merged base. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"

int check_name(const char *name)
{
	size_t len_bytes = strlen(name);

	if (len_bytes == 0)
		return -ENOENT;
	return len_bytes > ITEM_NAME_BYTES_MAX ? -ENAMETOOLONG : 0;
}

void found_fini(struct found_name *found)
{
	base_node_put(found->base);
	found->base = NULL;
}

/* 1: no item speaks of the name. */
static int find_item(struct tree_node *parent, const char *name,
		     struct found_name *found)
{
	const struct item_key key = {
		.inode = parent->inode,
		.type = ITEM_TYPE_DIRENT,
		.name = name,
		.name_bytes = strlen(name),
	};
	struct item_copy *copy = NULL;
	struct dirent_item dirent;
	int rc;

	/* Who changes a directory's names changes its inode, too. */
	if (atomic_load(&parent->stored) == STORED_NO)
		return 1;
	rc = view_item_get(parent->tree->view, &key, &copy);
	if (rc == -ENOENT)
		return 1;
	if (rc == 0)
		rc = dirent_item_decode(copy->payload, copy->payload_bytes,
					&dirent);
	free(copy);
	if (rc < 0)
		return rc;
	if (dirent.inode == 0)
		return -ENOENT;
	found->inode = dirent.inode;
	found->kind = dirent.kind;
	return 0;
}

int find_name(struct tree_node *parent, const char *name,
	      struct found_name *found)
{
	int rc = check_name(name);

	memset(found, 0, sizeof(*found));
	if (rc < 0)
		return rc;
	if (parent->kind != S_IFDIR >> MODE_KIND_SHIFT)
		return -ENOTDIR;
	rc = find_item(parent, name, found);
	if (rc <= 0)
		return rc;
	if (!parent->base || parent->remembered)
		return -ENOENT;
	rc = base_lookup(parent->base, name, &found->base, &found->stat);
	if (rc == 0)
		rc = object_number(parent->tree, found->base, &found->stat);
	if (rc < 0) {
		found_fini(found);
		return rc;
	}
	found->from_base = true;
	found->inode = found->stat.inode;
	found->kind = found->stat.stat.st_mode >> MODE_KIND_SHIFT;
	return 0;
}

/* Did a layer call it so that is not in the stack now, but may be again? */
static int find_origin(struct tree_node *parent, const char *name,
		       const struct tree_node *node, bool *out_there)
{
	const struct item_key key = { .inode = node->inode,
				      .type = ITEM_TYPE_ORIGIN };
	AUTO_FREE struct item_copy *copy = NULL;
	struct origin_item origin;
	int rc = view_item_get(parent->tree->view, &key, &copy);

	if (rc == 0)
		rc = origin_item_decode(copy->payload, copy->payload_bytes,
					&origin);
	*out_there = rc == 0 && origin.parent == parent->inode &&
		     origin.name_bytes == strlen(name) &&
		     memcmp(origin.name, name, origin.name_bytes) == 0;
	return rc == -ENOENT ? 0 : rc;
}

int find_below(struct tree_node *parent, const char *name,
	       const struct tree_node *node, bool *out_there)
{
	struct base_node *base = NULL;
	struct base_stat stat;
	int rc = -ENOENT;

	if (parent->base)
		rc = base_lookup(parent->base, name, &base, &stat);
	base_node_put(base);
	*out_there = rc == 0;
	if (rc == -ENOENT && node && node->inode >= INODE_NEW_END)
		return find_origin(parent, name, node, out_there);
	return rc == -ENOENT ? 0 : rc;
}

static int lookup(struct tree_node *parent, const char *name,
		  struct tree_node **out_node, struct tree_attr *out_attr)
{
	struct found_name found;
	struct tree_node *node = NULL;
	int rc = find_name(parent, name, &found);

	if (rc == 0) {
		rc = node_open(parent->tree, found.inode, found.kind,
			       found.base, &node);
		found.base = NULL;
	}
	if (rc == 0)
		rc = node_attr_seen(node, found.from_base ? &found.stat : NULL,
				    out_attr);
	if (rc == 0)
		*out_node = node;
	else if (node)
		tree_node_put(node, 1);
	found_fini(&found);
	return rc;
}

int tree_lookup(struct tree_node *parent, const char *name,
		struct tree_node **out_node, struct tree_attr *out_attr)
{
	struct tree *tree = parent->tree;
	int rc;

	pthread_rwlock_rdlock(&tree->names_lock);
	rc = lookup(parent, name, out_node, out_attr);
	pthread_rwlock_unlock(&tree->names_lock);
	return rc;
}

static int parent_of(struct tree_node *node, struct tree_node **out_node,
		     struct tree_attr *out_attr)
{
	struct tree_node *parent = NULL;
	struct base_node *base = NULL;
	uint64_t inode = ROOT_INODE;
	int rc = 0;

	if (node->kind != S_IFDIR >> MODE_KIND_SHIFT)
		return -ENOTDIR;
	if (node->remembered)
		return -ENOENT;
	if (node->inode != ROOT_INODE)
		rc = node_parent(node, &inode, &base);
	if (rc == 0)
		rc = node_open(node->tree, inode, S_IFDIR >> MODE_KIND_SHIFT,
			       base, &parent);
	if (rc == 0)
		rc = node_attr(parent, out_attr);
	if (rc == 0)
		*out_node = parent;
	else if (parent)
		tree_node_put(parent, 1);
	return rc;
}

int tree_parent(struct tree_node *node, struct tree_node **out_node,
		struct tree_attr *out_attr)
{
	struct tree *tree = node->tree;
	int rc;

	pthread_rwlock_rdlock(&tree->names_lock);
	rc = parent_of(node, out_node, out_attr);
	pthread_rwlock_unlock(&tree->names_lock);
	return rc;
}
