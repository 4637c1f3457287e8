/* New names: of new inodes, and of ones that have others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"

/* May a name be made there? */
static int check_new_name(struct tree_node *parent, const char *name)
{
	struct found_name found;
	int rc;

	if (parent->remembered)
		return -ENOENT;
	rc = find_name(parent, name, &found);
	found_fini(&found);
	if (rc == -ENOENT)
		return check_name(name);
	return rc == 0 ? -EEXIST : rc;
}

void new_item(const struct change *change, const struct inode_item *directory,
	      uint32_t mode, const struct tree_caller *caller,
	      struct inode_item *item)
{
	*item = (struct inode_item){
		.mode = mode,
		.uid = caller->uid,
		.gid = caller->gid,
		.nlink = S_ISDIR(mode) ? 2 : 1,
		.atime_ns = change->now_ns,
		.mtime_ns = change->now_ns,
		.ctime_ns = change->now_ns,
		.btime_ns = change->now_ns,
		.flags = caller->given_count > 0 ? INODE_FLAG_XATTRS : 0,
	};
	if (directory->mode & S_ISGID) {
		item->gid = directory->gid;
		if (S_ISDIR(mode))
			item->mode |= S_ISGID;
	}
}

static void put_given(struct change *change, uint64_t inode,
		      const struct tree_given *given)
{
	const struct xattr_item xattr = { XATTR_KIND_VALUE, given->value,
					  given->value_bytes };
	const struct item_key key = {
		.inode = inode,
		.type = ITEM_TYPE_XATTR,
		.name = given->name,
		.name_bytes = strlen(given->name),
	};
	uint8_t *payload = malloc(1 + given->value_bytes);

	if (payload)
		view_edit_put(&change->edit, &key, payload,
			      xattr_item_encode(&xattr, payload));
	else
		change->edit.error = -ENOMEM;
	free(payload);
}

void change_put_new(struct change *change, uint64_t inode,
		    const struct inode_item *item,
		    const struct tree_caller *caller)
{
	unsigned i;

	view_edit_put_inode(&change->edit, inode, item);
	for (i = 0; i < caller->given_count; i++)
		put_given(change, inode, &caller->given[i]);
}

static void put_target(struct change *change, uint64_t inode,
		       const char *target)
{
	const struct item_key key = { .inode = inode,
				      .type = ITEM_TYPE_TARGET };

	view_edit_put(&change->edit, &key, target, strlen(target));
}

static int open_new(struct tree *tree, uint64_t inode,
		    const struct inode_item *item, bool is_orphan,
		    struct tree_node **out_node, struct tree_attr *out_attr)
{
	struct tree_node *node;
	int rc = node_open(tree, inode, item->mode >> MODE_KIND_SHIFT, NULL,
			   &node);

	if (rc < 0)
		return rc;
	atomic_store(&node->stored, STORED_YES);
	node->orphan = is_orphan;
	*out_node = node;
	return node_attr(node, out_attr);
}

static int create(struct change *change, struct tree_node *parent,
		  const char *name, uint32_t mode, uint64_t rdev,
		  const char *target, const struct tree_caller *caller,
		  struct tree_node **out_node, struct tree_attr *out_attr)
{
	struct touched *directory;
	struct inode_item item;
	uint64_t inode;
	int rc = check_new_name(parent, name);

	if (rc == 0)
		rc = change_touch(change, parent, &directory);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	new_item(change, &directory->item, mode, caller, &item);
	inode = view_edit_new_inode(&change->edit);
	item.rdev = rdev;
	item.parent = parent->inode;
	if (S_ISDIR(mode))
		change_count_directory(directory, 1);
	if (target) {
		item.size_bytes = strlen(target);
		put_target(change, inode, target);
	}
	change_put_new(change, inode, &item, caller);
	change_put_name(change, parent, name, inode, mode >> MODE_KIND_SHIFT);
	change_directory(change, directory);
	rc = change_commit(change);
	if (rc < 0)
		return rc;
	return open_new(change->tree, inode, &item, false, out_node, out_attr);
}

int tree_create(struct tree_node *parent, const char *name, uint32_t mode,
		uint64_t rdev, const char *target,
		const struct tree_caller *caller, struct tree_node **out_node,
		struct tree_attr *out_attr)
{
	struct tree *tree = parent->tree;
	struct change change;
	int rc;

	if (target && strlen(target) > ITEM_TARGET_BYTES_MAX)
		return -ENAMETOOLONG;
	if (target && !*target)
		return -ENOENT;
	view_edit_wait_for_room(tree->view);
	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = create(&change, parent, name, mode, rdev, target, caller, out_node,
		    out_attr);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	return rc;
}

static int create_unnamed(struct change *change, struct tree_node *parent,
			  uint32_t mode, const struct tree_caller *caller,
			  struct tree_node **out_node,
			  struct tree_attr *out_attr)
{
	struct touched *directory;
	struct inode_item item;
	uint64_t inode;
	int rc = parent->remembered ? -ENOENT : 0;

	if (rc == 0)
		rc = change_touch(change, parent, &directory);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	new_item(change, &directory->item, mode, caller, &item);
	inode = view_edit_new_inode(&change->edit);
	item.nlink = 0;
	change_put_new(change, inode, &item, caller);
	change_put_orphan(change, inode);
	rc = change_commit(change);
	if (rc < 0)
		return rc;
	return open_new(change->tree, inode, &item, true, out_node, out_attr);
}

int tree_create_unnamed(struct tree_node *parent, uint32_t mode,
			const struct tree_caller *caller,
			struct tree_node **out_node, struct tree_attr *out_attr)
{
	struct tree *tree = parent->tree;
	struct change change;
	int rc;

	view_edit_wait_for_room(tree->view);
	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = create_unnamed(&change, parent, mode, caller, out_node, out_attr);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	return rc;
}

static int add_link(struct change *change, struct tree_node *node,
		    struct tree_node *parent, const char *name,
		    struct tree_attr *out_attr)
{
	struct touched *touched, *directory;
	int rc = check_new_name(parent, name);

	if (rc == 0 && node->kind == S_IFDIR >> MODE_KIND_SHIFT)
		rc = -EPERM;
	if (rc == 0 && node->remembered)
		rc = -ENOENT;
	if (rc == 0)
		rc = change_touch(change, node, &touched);
	if (rc == 0)
		rc = change_touch(change, parent, &directory);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	if (touched->item.nlink++ == 0)
		touched->item.parent = parent->inode;
	touched->item.ctime_ns = change_time(change, &touched->item);
	touched->put = true;
	change_put_name(change, parent, name, node->inode, node->kind);
	change_directory(change, directory);
	rc = change_commit(change);
	return rc < 0 ? rc : node_attr(node, out_attr);
}

int tree_link(struct tree_node *node, struct tree_node *new_parent,
	      const char *new_name, struct tree_attr *out_attr)
{
	struct tree *tree = node->tree;
	struct change change;
	int rc;

	view_edit_wait_for_room(tree->view);
	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = add_link(&change, node, new_parent, new_name, out_attr);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	return rc;
}
