/* What an inode is: asking and changing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"

enum { MODE_BITS = 07777 };

int tree_get_attr(struct tree_node *node, struct tree_attr *out_attr)
{
	struct tree *tree = node->tree;
	int rc;

	pthread_rwlock_rdlock(&tree->names_lock);
	rc = node_attr(node, out_attr);
	pthread_rwlock_unlock(&tree->names_lock);
	return rc;
}

static int set_size(struct tree_node *node, uint64_t size_bytes)
{
	struct file *file;
	int rc;

	if (node->kind == S_IFDIR >> MODE_KIND_SHIFT)
		return -EISDIR;
	if (node->kind != S_IFREG >> MODE_KIND_SHIFT)
		return -EINVAL;
	rc = tree_file_open(node, true, &file);
	if (rc < 0)
		return rc;
	rc = file_resize(file, size_bytes);
	tree_file_close(node);
	return rc;
}

static void set_item(struct change *change, unsigned mask,
		     const struct tree_attr *attr, struct inode_item *item)
{
	int64_t time_ns = change_time(change, item);

	if (mask & TREE_SET_MODE)
		item->mode = (item->mode & ~(uint32_t)MODE_BITS) |
			     (attr->mode & MODE_BITS);
	if (mask & TREE_SET_UID)
		item->uid = attr->uid;
	if (mask & TREE_SET_GID)
		item->gid = attr->gid;
	if (mask & TREE_SET_RAW)
		item->flags = attr->raw ?
				      item->flags | INODE_FLAG_RAW :
				      item->flags & ~(uint32_t)INODE_FLAG_RAW;
	if (mask & TREE_SET_ATIME)
		item->atime_ns = attr->atime_ns;
	if (mask & TREE_SET_MTIME)
		item->mtime_ns = attr->mtime_ns;
	else if (mask & TREE_SET_SIZE) /* even if it is the same */
		item->mtime_ns = time_ns;
	item->ctime_ns = mask & TREE_SET_CTIME ? attr->ctime_ns : time_ns;
}

static int set_locked(struct change *change, struct tree_node *node,
		      unsigned mask, const struct tree_attr *attr)
{
	struct touched *touched;
	int rc;

	if (node->remembered) { /* it lives on in who has it open only */
		if (!view_is_head(node->tree->view))
			return -EROFS;
		set_item(change, mask, attr, &node->remembered->item);
		return 0;
	}
	rc = change_touch(change, node, &touched);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	set_item(change, mask, attr, &touched->item);
	touched->put = true;
	return change_commit(change);
}

int tree_set_attr(struct tree_node *node, unsigned mask,
		  const struct tree_attr *attr, struct tree_attr *out_attr)
{
	struct tree *tree = node->tree;
	struct change change;
	int rc = 0;

	if ((mask & TREE_SET_RAW) && node->kind != S_IFREG >> MODE_KIND_SHIFT)
		return -EOPNOTSUPP;
	if (mask & TREE_SET_SIZE)
		rc = set_size(node, attr->size_bytes);
	if (rc < 0)
		return rc;
	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	if (mask)
		rc = set_locked(&change, node, mask, attr);
	if (rc == 0 && out_attr)
		rc = node_attr(node, out_attr);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	return rc;
}
