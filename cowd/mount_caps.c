/*
 * What the kernel offers of FUSE, and what of it a mount uses: each is used or
 * left on purpose. PARALLEL_DIROPS of a tree is asked for in mount_wire.c.
 */
#include <errno.h>
#include <string.h>

#include "mount_impl.h"

static const struct {
	unsigned bit;
	const char *name, *why;
} caps[] = {
	{ FUSE_CAP_ASYNC_READ, "async_read",
	  "a file is read in several places at once; not with sync_read" },
	{ FUSE_CAP_POSIX_LOCKS, "posix_locks", "locks are the kernel's own" },
	{ FUSE_CAP_FLOCK_LOCKS, "flock_locks", "locks are the kernel's own" },
	{ FUSE_CAP_ATOMIC_O_TRUNC, "atomic_o_trunc",
	  "opening empties a file in one request" },
	{ FUSE_CAP_EXPORT_SUPPORT, "export_support",
	  "handles outlive what the kernel remembers" },
	{ FUSE_CAP_DONT_MASK, "dont_mask",
	  "a default access list comes before the umask" },
	{ FUSE_CAP_SPLICE_READ, "splice_read", "all bytes are looked at" },
	{ FUSE_CAP_SPLICE_WRITE, "splice_write", "all bytes are looked at" },
	{ FUSE_CAP_SPLICE_MOVE, "splice_move", "all bytes are looked at" },
	{ FUSE_CAP_IOCTL_DIR, "ioctl_dir",
	  "there are none, and ENOTTY says so" },
	{ FUSE_CAP_AUTO_INVAL_DATA, "auto_inval_data",
	  "of listings; files change by the kernel only" },
	{ FUSE_CAP_EXPLICIT_INVAL_DATA, "explicit_inval_data",
	  "listings are dropped by their time" },
	{ FUSE_CAP_READDIRPLUS, "readdirplus", "of trees" },
	{ FUSE_CAP_READDIRPLUS_AUTO, "readdirplus_auto",
	  "the kernel decides when it pays" },
	{ FUSE_CAP_ASYNC_DIO, "async_dio", "the kernel decides" },
	{ FUSE_CAP_WRITEBACK_CACHE, "writeback_cache",
	  "not with direct_io, no_writeback_cache or ro" },
	{ FUSE_CAP_NO_OPEN_SUPPORT, "no_open_support",
	  "of trees that are read-only: else it must be known who writes" },
	{ FUSE_CAP_NO_OPENDIR_SUPPORT, "no_opendir_support",
	  "of trees: a listing belongs to the directory" },
	{ FUSE_CAP_PARALLEL_DIROPS, "parallel_dirops", "of trees" },
	{ FUSE_CAP_POSIX_ACL, "posix_acl", "of trees" },
	{ FUSE_CAP_HANDLE_KILLPRIV, "handle_killpriv",
	  "its second version is what trees use" },
	{ FUSE_CAP_CACHE_SYMLINKS, "cache_symlinks", "of trees" },
	{ FUSE_CAP_EXPIRE_ONLY, "expire_only",
	  "what is invalid is dropped at once" },
};

static bool is_found(const struct mount *mount, const char *target)
{
	return !target || strcmp(target, mount->mountpoint) == 0 ||
	       strcmp(target, mount->branch) == 0;
}

int mounts_caps(struct mounts *mounts, const char *target, json_t *list)
{
	unsigned offered = 0, used = 0;
	struct mount *mount;
	size_t i;

	mutex_lock(&mounts->lock);
	mount = mounts->first;
	while (mount && !is_found(mount, target))
		mount = mount->next;
	if (mount) {
		offered = atomic_load(&mount->offered_caps);
		used = atomic_load(&mount->used_caps);
	}
	mutex_unlock(&mounts->lock);
	if (!mount)
		return -ENOENT;
	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:b, s:s}", "name", caps[i].name,
				  "offered",
				  (int)((offered & caps[i].bit) != 0), "used",
				  (int)((used & caps[i].bit) != 0), "why",
				  caps[i].why));
	return 0;
}
