/*
 * Names: making, linking, removing and renaming what is in a directory.
 */
#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

#include "tree_virtual.h"

/* Names nobody may make or remove; 0: it is a name like others. */
static int refuse(struct mount *mount, fuse_ino_t parent, const char *name,
		  int if_snapdir)
{
	if (mount->options.read_only || front_is_fixed(parent))
		return EROFS;
	return front_is_fixed_name(mount, parent, name) ? if_snapdir : 0;
}

int front_make(fuse_req_t req, struct front_node *parent, const char *name,
	       mode_t mode, dev_t device, const char *target,
	       struct tree_node **out_node, struct tree_attr *out_attr)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	struct front_inherited inherited = { .mode = mode };
	struct tree_caller caller = { context->uid, context->gid,
				      inherited.given, 0 };
	struct mount *mount = front_mount(req);
	int rc = 0;

	if (!S_ISLNK(mode))
		rc = front_acl_inherit(parent->node, mode, context->umask,
				       &inherited);
	caller.given_count = inherited.given_count;
	if (rc == 0 && name)
		rc = tree_create(parent->node, name, inherited.mode, device,
				 target, &caller, out_node, out_attr);
	else if (rc == 0)
		rc = tree_create_unnamed(parent->node, inherited.mode, &caller,
					 out_node, out_attr);
	if (rc == 0) {
		rc = front_changed(mount, rc, true);
		if (rc < 0)
			tree_node_put(*out_node, 1);
	}
	front_inherited_fini(&inherited);
	return rc;
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, dev_t device, const char *target)
{
	struct mount *mount = front_mount(req);
	int refused = refuse(mount, parent, name, EEXIST), rc;
	struct tree_node *made = NULL;
	struct front_node *node;
	struct tree_attr attr;

	if (refused == 0 && front_begin(mount, parent, &node) < 0)
		refused = ESTALE;
	if (refused) {
		fuse_reply_err(req, refused);
		return;
	}
	rc = front_make(req, node, name, mode, device, target, &made, &attr);
	front_reply_entry(req, rc, node->slot, made, &attr);
	front_end(mount, node);
}

void front_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, dev_t device)
{
	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	make(req, parent, name, mode, device, NULL);
}

void front_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode)
{
	make(req, parent, name, S_IFDIR | (mode & 07777), 0, NULL);
}

void front_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		   const char *name)
{
	make(req, parent, name, S_IFLNK | 0777, 0, target);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name,
			bool is_directory)
{
	struct mount *mount = front_mount(req);
	int refused =
		refuse(mount, parent, name, is_directory ? EBUSY : EISDIR);
	struct front_node *node;
	int rc;

	if (refused == 0 && front_begin(mount, parent, &node) < 0)
		refused = ESTALE;
	if (refused) {
		fuse_reply_err(req, refused);
		return;
	}
	rc = mount->options.reveal ?
		     front_reveal(mount, node, name, is_directory) :
	     is_directory ? tree_rmdir(node->node, name) :
			    tree_unlink(node->node, name);
	rc = front_changed(mount, rc, true);
	fuse_reply_err(req, front_errno(rc));
	front_end(mount, node);
}

void front_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, false);
}

void front_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, true);
}

/* Pins both, or neither. */
static int begin_two(struct mount *mount, fuse_ino_t first, fuse_ino_t second,
		     struct front_node **out_first,
		     struct front_node **out_second)
{
	int rc = front_begin(mount, first, out_first);

	if (rc < 0)
		return rc;
	rc = front_pin(mount, second, out_second);
	if (rc == 0 && (*out_first)->slot != (*out_second)->slot) {
		front_unpin(mount, *out_second);
		rc = -EXDEV;
	}
	if (rc < 0)
		front_end(mount, *out_first);
	return rc;
}

/*
 * The kernel keeps the listing of a directory that was moved, in which ".." is
 * where it was. To drop pages of a directory waits for nothing that a request
 * does, so this thread may ask for it; and it is to be before the answer.
 */
static void forget_listing(struct mount *mount, struct front_node *parent,
			   const char *name)
{
	struct front_node *known;
	struct tree_node *node;
	struct tree_attr attr;

	if (tree_lookup(parent->node, name, &node, &attr) < 0)
		return;
	if (!S_ISDIR(attr.mode)) {
		tree_node_put(node, 1);
	} else if (front_know(mount, parent->slot, node, &known) == 0) {
		fuse_lowlevel_notify_inval_inode(mount->session, known->id, 0,
						 0);
		front_forget(mount, known->id, 1);
	}
}

static int rename_pinned(fuse_req_t req, struct front_node *from,
			 const char *name, struct front_node *to,
			 const char *new_name, unsigned flags)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	struct front_inherited inherited = { 0 };
	struct tree_caller caller = { context->uid, context->gid,
				      inherited.given, 0 };
	int rc = 0;

	/* The whiteout that it leaves is a new object like others. */
	if (flags & RENAME_WHITEOUT)
		rc = front_acl_inherit(from->node, S_IFCHR, 0, &inherited);
	caller.given_count = inherited.given_count;
	if (rc == 0)
		rc = tree_rename(from->node, name, to->node, new_name, flags,
				 &caller);
	front_inherited_fini(&inherited);
	return rc;
}

void front_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		  fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	const unsigned known = RENAME_NOREPLACE | RENAME_EXCHANGE |
			       RENAME_WHITEOUT;
	struct mount *mount = front_mount(req);
	struct front_node *from, *to;
	int rc = -refuse(mount, parent, name, EBUSY);

	if (rc == 0)
		rc = -refuse(mount, new_parent, new_name, EBUSY);
	if (rc == 0 && (flags & ~known))
		rc = -EINVAL;
	if (rc == 0)
		rc = begin_two(mount, parent, new_parent, &from, &to);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = rename_pinned(req, from, name, to, new_name, flags);
	if (rc == 0 && from != to) {
		forget_listing(mount, to, new_name);
		if (flags & RENAME_EXCHANGE)
			forget_listing(mount, from, name);
	}
	rc = front_changed(mount, rc, true);
	fuse_reply_err(req, front_errno(rc));
	front_unpin(mount, to);
	front_end(mount, from);
}

void front_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent,
		const char *new_name)
{
	struct mount *mount = front_mount(req);
	struct front_node *node, *to;
	struct tree_attr attr;
	int rc = -refuse(mount, new_parent, new_name, EEXIST);

	if (rc == 0 && front_is_fixed(id))
		rc = -EPERM;
	if (rc == 0)
		rc = begin_two(mount, id, new_parent, &node, &to);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = tree_link(node->node, to->node, new_name, &attr);
	rc = front_changed(mount, rc, true);
	front_reply_entry(req, rc, node->slot,
			  rc == 0 ? tree_node_get(node->node) : NULL, &attr);
	front_unpin(mount, to);
	front_end(mount, node);
}

void front_readlink(fuse_req_t req, fuse_ino_t id)
{
	struct mount *mount = front_mount(req);
	char target[PATH_MAX + 1];
	struct front_node *node;
	int rc;

	if (id == FRONT_SNAPDIR) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (front_is_virtual(id)) {
		virtual_readlink(req, id);
		return;
	}
	if (front_begin(mount, id, &node) < 0) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	rc = tree_readlink(node->node, target, sizeof(target));
	if (rc < 0)
		fuse_reply_err(req, front_errno(rc));
	else
		fuse_reply_readlink(req, target);
	front_end(mount, node);
}
