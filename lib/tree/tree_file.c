/* The data of files, and the text of symlinks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layer_names.h"
#include "tree_impl.h"

static int64_t ns_of(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Base's file must be the one of which parts were changed. Who follows base
 * vouches for a mode or a link that changed: nobody can set a ctime back. */
static int check_origin(struct tree_node *node, const struct base_stat *seen)
{
	const struct item_key key = { .inode = node->inode,
				      .type = ITEM_TYPE_ORIGIN };
	const struct stat *st = &seen->stat;
	struct item_copy *copy = NULL;
	struct origin_item origin;
	int rc = view_item_get(node->tree->view, &key, &copy);

	if (rc == 0)
		rc = origin_item_decode(copy->payload, copy->payload_bytes,
					&origin);
	if (rc == 0 &&
	    (origin.base_inode != st->st_ino ||
	     origin.size_bytes != (uint64_t)st->st_size ||
	     origin.mtime_ns != ns_of(st->st_mtim) ||
	     (origin.ctime_ns != ns_of(st->st_ctim) && !node->tree->follow)))
		rc = base_stale(node->base);
	free(copy);
	return rc == -ENOENT ? 0 : rc;
}

/* The file of base, as seen, is what it was: when the store got something of
 * it, or when it was first looked at. */
static int check_seen(struct tree_node *node, const struct base_stat *seen)
{
	if (atomic_load(&node->stored) == STORED_YES)
		return check_origin(node, seen);
	return node->tree->follow ? 0 : base_seen(node->base, seen);
}

static int check_base(struct tree_node *node, struct base_stat *out_seen)
{
	int rc = base_stat(node->base, out_seen);

	return rc < 0 ? rc : check_seen(node, out_seen);
}

/* Base's part of the file, or NULL. */
static int open_base(struct tree_node *node, struct inode_item *out_item,
		     struct base_file **out_file)
{
	struct base_stat seen;
	int rc = node_load_seen(node, out_item, &seen);

	*out_file = NULL;
	if (rc < 0 || !node->base ||
	    (rc == 0 && out_item->base_visible_bytes == 0))
		return rc < 0 ? rc : 0;
	if (rc == 0)
		rc = base_stat(node->base, &seen);
	if (rc >= 0)
		rc = check_seen(node, &seen);
	return rc < 0 ? rc : base_file_open(node->base, &seen, out_file);
}

/* Its first item, before anything is written to it. */
static int store_locked(struct change *change, struct tree_node *node)
{
	struct touched *touched;
	struct base_stat seen;
	int rc = 0;

	if (atomic_load(&node->stored) == STORED_YES)
		return 0;
	if (node->base)
		rc = check_base(node, &seen);
	if (rc == 0)
		rc = change_touch(change, node, &touched);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	touched->put = true;
	return change_commit(change);
}

static int store_node(struct tree_node *node)
{
	struct tree *tree = node->tree;
	struct change change;
	int rc;

	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = store_locked(&change, node);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	return rc;
}

static struct file *opened(struct tree_node *node)
{
	struct file *file;

	mutex_lock(&node->tree->nodes_lock);
	file = node->file;
	if (file)
		node->open_count++;
	mutex_unlock(&node->tree->nodes_lock);
	return file;
}

static int open_first(struct tree_node *node, struct file **out_file)
{
	struct base_file *base;
	struct inode_item item;
	struct file *file;
	int rc = open_base(node, &item, &base);

	if (rc == 0)
		rc = view_file_get(node->tree->view, node->inode, &item, base,
				   &file);
	if (rc < 0)
		return rc;
	mutex_lock(&node->tree->nodes_lock);
	node->open_count++;
	*out_file = node->file;
	if (!node->file) {
		node->file = *out_file = file;
		file = NULL;
	}
	mutex_unlock(&node->tree->nodes_lock);
	if (file) /* somebody else was faster */
		view_file_put(file);
	return 0;
}

/* names_lock is held. */
static void close_locked(struct tree_node *node)
{
	struct file *file = NULL;

	mutex_lock(&node->tree->nodes_lock);
	if (--node->open_count == 0) {
		file = node->file;
		node->file = NULL;
	}
	mutex_unlock(&node->tree->nodes_lock);
	if (file)
		view_file_put(file);
}

/* Somebody has it open already. */
static int open_next(struct tree_node *node, struct file *file)
{
	struct base_file *base = NULL;
	struct base_stat seen;
	int rc;

	if (!node->base || atomic_load(&node->stored) == STORED_YES)
		return 0;
	rc = check_base(node, &seen);
	if (rc == 0 && node->tree->follow)
		rc = base_file_open(node->base, &seen, &base);
	if (rc == 0 && base)
		view_file_renew(file, &seen, base);
	return rc;
}

static int open_locked(struct tree_node *node, struct file **out_file)
{
	int rc;

	if (node->remembered)
		return -ESTALE;
	if (node->kind != S_IFREG >> MODE_KIND_SHIFT)
		return node->kind == S_IFDIR >> MODE_KIND_SHIFT ? -EISDIR :
								  -EINVAL;
	*out_file = opened(node);
	if (!*out_file)
		return open_first(node, out_file);
	rc = open_next(node, *out_file);
	if (rc < 0)
		close_locked(node);
	return rc;
}

int tree_file_open(struct tree_node *node, bool for_writing,
		   struct file **out_file)
{
	struct tree *tree = node->tree;
	int rc;

	if (for_writing && !view_is_head(tree->view))
		return -EROFS;
	pthread_rwlock_rdlock(&tree->names_lock);
	rc = open_locked(node, out_file);
	pthread_rwlock_unlock(&tree->names_lock);
	if (rc < 0 || !for_writing || atomic_load(&node->stored) == STORED_YES)
		return rc;
	rc = store_node(node);
	if (rc < 0)
		tree_file_close(node);
	return rc;
}

void tree_file_close(struct tree_node *node)
{
	struct tree *tree = node->tree;

	/* A change must not miss what was written between its look at the
	 * inode and its begin, which asks those only that are in use. */
	pthread_rwlock_rdlock(&tree->names_lock);
	close_locked(node);
	pthread_rwlock_unlock(&tree->names_lock);
}

static int copy_target(const char *from, char *target, size_t target_bytes)
{
	if (!from)
		return -ESTALE;
	if (strlen(from) >= target_bytes)
		return -ERANGE;
	memcpy(target, from, strlen(from) + 1);
	return 0;
}

static int read_target(struct tree_node *node, char *target,
		       size_t target_bytes)
{
	const struct item_key key = { .inode = node->inode,
				      .type = ITEM_TYPE_TARGET };
	struct item_copy *copy = NULL;
	int rc;

	if (node->kind != S_IFLNK >> MODE_KIND_SHIFT)
		return -EINVAL;
	if (node->base)
		return base_readlink(node->base, target, target_bytes);
	if (node->remembered)
		return copy_target(node->remembered->target, target,
				   target_bytes);
	rc = view_item_get(node->tree->view, &key, &copy);
	if (rc == 0 && copy->payload_bytes >= target_bytes)
		rc = -ERANGE;
	if (rc == 0) {
		memcpy(target, copy->payload, copy->payload_bytes);
		target[copy->payload_bytes] = '\0';
	}
	free(copy);
	return rc == -ENOENT ? -ESTALE : rc;
}

int tree_readlink(struct tree_node *node, char *target, size_t target_bytes)
{
	struct tree *tree = node->tree;
	int rc;

	pthread_rwlock_rdlock(&tree->names_lock);
	rc = read_target(node, target, target_bytes);
	pthread_rwlock_unlock(&tree->names_lock);
	return rc;
}
