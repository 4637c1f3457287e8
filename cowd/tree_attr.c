/*
 * Attributes: what stat, chmod, chown, utimes, truncate and df see of a tree.
 */
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "history.h"
#include "mount_wire.h"
#include "stat_time.h"
#include "tree_virtual.h"

uint64_t front_shown_inode(const struct front_slot *slot, uint64_t inode)
{
	/* Tools take two files of one device and number for one. */
	return inode ^ (uint64_t)slot->snapshot_id << FRONT_SLOT_SHIFT;
}

static void override(const struct mount *mount, struct stat *st)
{
	const struct mount_options *options = &mount->options;

	if (options->override_mode)
		st->st_mode = (st->st_mode & S_IFMT) | (0777 & ~options->umask);
	if (options->override_uid)
		st->st_uid = options->uid;
	if (options->override_gid)
		st->st_gid = options->gid;
}

void front_fill_stat(const struct mount *mount, const struct front_slot *slot,
		     const struct tree_attr *attr, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = front_shown_inode(slot, attr->inode);
	st->st_mode = attr->mode;
	st->st_nlink = attr->nlink;
	st->st_uid = attr->uid;
	st->st_gid = attr->gid;
	st->st_rdev = attr->rdev;
	st->st_size = (off_t)attr->size_bytes;
	st->st_blksize = BLOCK_BYTES;
	st->st_blocks = (blkcnt_t)attr->blocks;
	st->st_atim = stat_time(attr->atime_ns);
	st->st_mtim = stat_time(attr->mtime_ns);
	st->st_ctim = stat_time(attr->ctime_ns);
	override(mount, st);
}

/* Changes with the list of snapshots: by it the kernel knows that its copy of
 * the listing is old. */
static int64_t newest_operation_ns(const struct mount *mount)
{
	AUTO_FREE struct operation_info *list = NULL;
	size_t count = 0;

	if (history_operations(mount->store, 1, &list, &count) < 0 ||
	    count == 0)
		return 0;
	return list[0].time_ns;
}

void front_fill_snapdir(const struct mount *mount, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = FRONT_SNAPDIR;
	st->st_mode = S_IFDIR | 0555;
	st->st_nlink = 2;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_blksize = BLOCK_BYTES;
	st->st_mtim = stat_time(newest_operation_ns(mount));
	st->st_ctim = st->st_mtim;
	override(mount, st);
}

int front_changed(struct mount *mount, int rc, bool of_names)
{
	if (rc == 0 &&
	    (mount->options.sync || (of_names && mount->options.dirsync)))
		rc = store_sync(mount->store);
	return rc;
}

static void reply_attr(fuse_req_t req, const struct front_node *node,
		       const struct tree_attr *attr)
{
	const struct mount *mount = front_mount(req);
	struct stat st;

	front_fill_stat(mount, node->slot, attr, &st);
	wire_tell_birth(attr->btime_ns);
	fuse_reply_attr(req, &st, mount->options.attr_timeout_s);
}

static int stale(const struct fuse_file_info *fi)
{
	/* By name: the kernel looks the name up again. */
	return fi ? EIO : ESTALE;
}

void front_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	struct tree_attr attr;
	struct stat st;
	int rc;

	if (id == FRONT_SNAPDIR) {
		front_fill_snapdir(mount, &st);
		fuse_reply_attr(req, &st, 0);
		return;
	}
	if (front_is_virtual(id)) {
		virtual_getattr(req, id);
		return;
	}
	if (front_begin(mount, id, &node) < 0) {
		fuse_reply_err(req, stale(fi));
		return;
	}
	rc = tree_get_attr(node->node, &attr);
	if (rc < 0)
		fuse_reply_err(req, front_errno(rc));
	else
		reply_attr(req, node, &attr);
	front_end(mount, node);
}

/* What of the mask the tree is asked for. */
static unsigned translate(const struct stat *st, int to_set,
			  struct tree_attr *attr)
{
	static const struct {
		int asked;
		unsigned told;
	} bits[] = {
		{ FUSE_SET_ATTR_MODE, TREE_SET_MODE },
		{ FUSE_SET_ATTR_UID, TREE_SET_UID },
		{ FUSE_SET_ATTR_GID, TREE_SET_GID },
		{ FUSE_SET_ATTR_SIZE, TREE_SET_SIZE },
		{ FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW,
		  TREE_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW,
		  TREE_SET_MTIME },
		{ FUSE_SET_ATTR_CTIME, TREE_SET_CTIME },
	};
	unsigned mask = 0;
	size_t i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (to_set & bits[i].asked)
			mask |= bits[i].told;
	attr->mode = st->st_mode;
	attr->uid = st->st_uid;
	attr->gid = st->st_gid;
	attr->size_bytes = (uint64_t)st->st_size;
	/* "Now" comes with the time that the kernel gave the other ones. */
	attr->atime_ns = stat_time_ns(&st->st_atim);
	attr->mtime_ns = stat_time_ns(&st->st_mtim);
	attr->ctime_ns = stat_time_ns(&st->st_ctim);
	return mask;
}

unsigned front_kill_mode(fuse_req_t req, struct tree_node *node,
			 struct tree_attr *attr)
{
	struct tree_attr now;

	if (tree_get_attr(node, &now) < 0 ||
	    !(now.mode & (S_ISUID | S_ISGID)) || S_ISDIR(now.mode))
		return 0;
	attr->mode = now.mode & 07777 & ~(mode_t)S_ISUID;
	if ((now.mode & S_IXGRP) || !front_keeps_setgid(req, now.gid))
		attr->mode &= ~(mode_t)S_ISGID;
	return TREE_SET_MODE;
}

void front_touch(struct mount *mount, struct front_node *node)
{
	struct tree_attr attr = { .mtime_ns = stat_time_now_ns() };

	if (!mount->tree->kernel_times)
		(void)!tree_set_attr(node->node, TREE_SET_MTIME, &attr, NULL);
}

/* A chown to nobody else, of which the kernel does not tell more: it moves
 * ctime, and takes setuid away, which only the owner may do. Of a file it may
 * also be a write, which anybody may do. */
static int chown_to_nobody(fuse_req_t req, struct front_node *node,
			   unsigned *mask, struct tree_attr *attr)
{
	uid_t uid = fuse_req_ctx(req)->uid;
	struct tree_attr now;
	int rc = tree_get_attr(node->node, &now);
	bool is_write;

	if (rc < 0)
		return rc;
	is_write = *mask == 0 && S_ISREG(now.mode);
	if (*mask == 0)
		attr->ctime_ns = stat_time_now_ns();
	*mask = TREE_SET_CTIME | front_kill_mode(req, node->node, attr);
	if (is_write || uid == 0 || uid == now.uid)
		return 0;
	return *mask & TREE_SET_MODE ? -EPERM : 0;
}

static int set_attr(fuse_req_t req, struct front_node *node,
		    const struct stat *st, int to_set,
		    struct tree_attr *out_attr)
{
	struct mount *mount = front_mount(req);
	struct tree_attr attr = { 0 };
	unsigned mask = translate(st, to_set, &attr);
	int rc;

	if (node->revealed &&
	    (mask & ~(unsigned)(TREE_SET_MTIME | TREE_SET_CTIME)) == 0)
		return tree_get_attr(node->node, out_attr);
	if (mask & TREE_SET_MODE)
		attr.mode &= 07777;
	if ((mask & ~(unsigned)TREE_SET_CTIME) == 0) {
		rc = chown_to_nobody(req, node, &mask, &attr);
		if (rc < 0)
			return rc;
	} else if (wire_kills() && !(mask & TREE_SET_MODE)) {
		mask |= front_kill_mode(req, node->node, &attr);
	}
	rc = tree_set_attr(node->node, mask, &attr, out_attr);
	if (rc == 0 && (to_set & FUSE_SET_ATTR_MODE))
		rc = front_acl_chmod(node->node, st->st_mode);
	return front_changed(mount, rc, false);
}

void front_setattr(fuse_req_t req, fuse_ino_t id, struct stat *st, int to_set,
		   struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	struct tree_attr attr;
	int rc;

	if (front_is_fixed(id) || mount->options.read_only) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (front_begin(mount, id, &node) < 0) {
		fuse_reply_err(req, stale(fi));
		return;
	}
	if (to_set & FUSE_SET_ATTR_SIZE) {
		/* Not while data of the size before are being sent. */
		struct mutex *opening = front_opening(mount, node);

		mutex_lock(opening);
		rc = set_attr(req, node, st, to_set, &attr);
		mutex_unlock(opening);
	} else {
		rc = set_attr(req, node, st, to_set, &attr);
	}
	if (rc < 0)
		fuse_reply_err(req, front_errno(rc));
	else
		reply_attr(req, node, &attr);
	front_end(mount, node);
}

static void fill_statvfs(const struct tree_statfs *told, struct statvfs *vfs)
{
	memset(vfs, 0, sizeof(*vfs));
	vfs->f_bsize = told->block_bytes;
	vfs->f_frsize = told->block_bytes;
	vfs->f_blocks = told->blocks;
	vfs->f_bfree = told->free_blocks;
	vfs->f_bavail = told->available_blocks;
	vfs->f_files = told->files;
	vfs->f_ffree = told->free_files;
	vfs->f_favail = told->free_files;
	vfs->f_namemax = 255;
}

void front_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct mount *mount = front_mount(req);
	struct tree_statfs told;
	struct statvfs vfs;
	int rc = -ESTALE;

	(void)id; /* all states share the store */
	front_enter(mount);
	if (mount->tree->head->tree)
		rc = tree_statfs(mount->tree->head->tree, &told);
	front_leave(mount);
	if (rc < 0) {
		fuse_reply_err(req, front_errno(rc));
	} else {
		fill_statvfs(&told, &vfs);
		fuse_reply_statfs(req, &vfs);
	}
}
