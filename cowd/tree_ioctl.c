/*
 * Requests that are no calls of their own: the flags of chattr, of which there
 * is 'm', not to be compressed. The kernel asks for the older ones first, and
 * for them as a struct fsxattr.
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>

#include "tree_front.h"

static void reply_flags(fuse_req_t req, const struct tree_attr *attr)
{
	const uint32_t flags = attr->raw ? FS_NOCOMP_FL : 0;

	fuse_reply_ioctl(req, 0, &flags, sizeof(flags));
}

static void reply_fsxattr(fuse_req_t req)
{
	const struct fsxattr none = { 0 };

	fuse_reply_ioctl(req, 0, &none, sizeof(none));
}

static int set_flags(struct mount *mount, struct tree_node *node,
		     const void *in, size_t in_bytes)
{
	struct tree_attr attr = { 0 };
	uint32_t flags;

	if (mount->options.read_only)
		return -EROFS;
	if (in_bytes < sizeof(flags))
		return -EINVAL;
	memcpy(&flags, in, sizeof(flags));
	if (flags & ~(uint32_t)FS_NOCOMP_FL)
		return -EOPNOTSUPP;
	attr.raw = flags & FS_NOCOMP_FL;
	return front_changed(
		mount, tree_set_attr(node, TREE_SET_RAW, &attr, NULL), false);
}

void front_ioctl(fuse_req_t req, fuse_ino_t id, unsigned command,
		 void *argument, struct fuse_file_info *fi, unsigned flags,
		 const void *in, size_t in_bytes, size_t out_bytes)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	struct tree_attr attr;
	int rc = -ENOTTY;

	(void)argument, (void)fi, (void)flags, (void)out_bytes;
	if ((command != FS_IOC_GETFLAGS && command != FS_IOC_SETFLAGS &&
	     command != FS_IOC_FSGETXATTR) ||
	    front_is_virtual(id) || front_begin(mount, id, &node) < 0) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	rc = command == FS_IOC_SETFLAGS ?
		     set_flags(mount, node->node, in, in_bytes) :
		     tree_get_attr(node->node, &attr);
	if (rc < 0)
		fuse_reply_err(req, front_errno(rc));
	else if (command == FS_IOC_SETFLAGS)
		fuse_reply_ioctl(req, 0, NULL, 0);
	else if (command == FS_IOC_GETFLAGS)
		reply_flags(req, &attr);
	else
		reply_fsxattr(req);
	front_end(mount, node);
}
