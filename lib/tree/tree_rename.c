/*
 * Renaming: names change, inodes stay where they are. What base has below a
 * renamed directory is found through the inode, so this costs the same for
 * any directory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tree_impl.h"

/* One of the two names. */
struct place {
	struct tree_node *parent;
	const char *name;
	struct tree_node *node; /* NULL: nothing is there; a reference */
	struct touched *directory, *touched;
	bool hidden; /* base has the name */
};

static bool is_directory(const struct tree_node *node)
{
	return node->kind == S_IFDIR >> MODE_KIND_SHIFT;
}

static int find_place(struct place *place, bool must_be)
{
	struct found_name found;
	int rc = place->parent->remembered ?
			 -ENOENT :
			 find_name(place->parent, place->name, &found);

	if (rc == -ENOENT && !must_be && !place->parent->remembered)
		return 0;
	if (rc < 0)
		return rc;
	rc = node_open(place->parent->tree, found.inode, found.kind, found.base,
		       &place->node);
	return rc;
}

static int check_flags(const struct place *to, unsigned flags)
{
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & RENAME_EXCHANGE) &&
	    (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		return -EINVAL;
	if ((flags & RENAME_EXCHANGE) && !to->node)
		return -ENOENT;
	return (flags & RENAME_NOREPLACE) && to->node ? -EEXIST : 0;
}

/* May the one take the other's place? */
static int check_kinds(const struct place *from, const struct place *to,
		       unsigned flags)
{
	if ((flags & RENAME_EXCHANGE) || !to->node || to->node == from->node)
		return 0;
	if (is_directory(to->node) && !is_directory(from->node))
		return -EISDIR;
	if (!is_directory(to->node) && is_directory(from->node))
		return -ENOTDIR;
	return is_directory(to->node) ? node_check_empty(to->node) : 0;
}

/* A directory can't be moved into itself. The kernel sees to that for the
 * names that it knows; a rename by handle may not be among them. */
static int check_no_loop(const struct place *from, const struct place *to)
{
	uint64_t inode = to->parent->inode;
	struct tree *tree = from->parent->tree;
	struct base_node *base = NULL;
	unsigned depth = 0;
	int rc;

	if (!is_directory(from->node) || from->parent == to->parent)
		return 0;
	while (inode != ROOT_INODE) {
		struct tree_node *node;

		if (inode == from->node->inode || ++depth > DEPTH_MAX) {
			base_node_put(base);
			return depth > DEPTH_MAX ? -EUCLEAN : -EINVAL;
		}
		rc = node_open(tree, inode, S_IFDIR >> MODE_KIND_SHIFT, base,
			       &node);
		if (rc < 0)
			return rc;
		rc = node_parent(node, &inode, &base);
		tree_node_put(node, 1);
		if (rc < 0)
			return rc;
	}
	base_node_put(base);
	return 0;
}

static int touch(struct change *change, struct place *place)
{
	int rc = change_touch(change, place->parent, &place->directory);

	if (rc == 0 && place->node)
		rc = change_touch(change, place->node, &place->touched);
	if (rc == 0)
		rc = find_below(place->parent, place->name, place->node,
				&place->hidden);
	return rc;
}

/* The inode of one place gets the name of the other. */
static void move(struct change *change, struct place *from, struct place *to)
{
	struct touched *moved = from->touched;

	change_put_name(change, to->parent, to->name, from->node->inode,
			from->node->kind);
	moved->item.ctime_ns = change_time(change, &moved->item);
	moved->put = true;
	moved->item.parent = to->parent->inode;
	if (is_directory(from->node) && from->parent != to->parent) {
		change_count_directory(from->directory, -1);
		change_count_directory(to->directory, 1);
	}
}

static void leave_whiteout(struct change *change, const struct place *from,
			   const struct tree_caller *caller)
{
	struct inode_item item;
	uint64_t inode = view_edit_new_inode(&change->edit);

	new_item(change, &from->directory->item, S_IFCHR, caller, &item);
	item.rdev = makedev(0, 0);
	item.parent = from->parent->inode;
	change_put_new(change, inode, &item, caller);
	change_put_name(change, from->parent, from->name, inode,
			S_IFCHR >> MODE_KIND_SHIFT);
}

static int rename_found(struct change *change, struct place *from,
			struct place *to, unsigned flags,
			const struct tree_caller *caller)
{
	int rc = check_flags(to, flags);

	if (rc == 0)
		rc = check_no_loop(from, to);
	if (rc == 0 && (flags & RENAME_EXCHANGE))
		rc = check_no_loop(to, from);
	if (rc == 0)
		rc = check_kinds(from, to, flags);
	if (rc < 0 || from->node == to->node)
		return rc; /* two names of one inode: nothing happens */
	rc = touch(change, from);
	if (rc == 0)
		rc = touch(change, to);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	move(change, from, to);
	if (flags & RENAME_EXCHANGE)
		move(change, to, from);
	else if (flags & RENAME_WHITEOUT)
		leave_whiteout(change, from, caller);
	else
		change_drop_name(change, from->parent, from->name,
				 from->hidden);
	if (to->node && !(flags & RENAME_EXCHANGE)) {
		if (is_directory(to->node))
			change_count_directory(to->directory, -1);
		change_unlink(change, to->touched, true);
	}
	change_directory(change, from->directory);
	change_directory(change, to->directory);
	return change_commit(change);
}

static int rename_locked(struct change *change, struct place *from,
			 struct place *to, unsigned flags,
			 const struct tree_caller *caller)
{
	int rc = check_name(to->name);

	if (rc == 0)
		rc = find_place(from, true);
	if (rc == 0)
		rc = find_place(to, false);
	return rc < 0 ? rc : rename_found(change, from, to, flags, caller);
}

int tree_rename(struct tree_node *parent, const char *name,
		struct tree_node *new_parent, const char *new_name,
		unsigned flags, const struct tree_caller *caller)
{
	struct place from = { .parent = parent, .name = name };
	struct place to = { .parent = new_parent, .name = new_name };
	struct tree *tree = parent->tree;
	struct change change;
	int rc;

	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = rename_locked(&change, &from, &to, flags, caller);
	if (rc == 0 && to.node && to.node->remembered)
		node_forget_names(to.node);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	if (from.node)
		tree_node_put(from.node, 1);
	if (to.node)
		tree_node_put(to.node, 1);
	return rc;
}
