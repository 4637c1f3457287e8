/*
 * What history needs of the kernel's caches: written back, revoked, forgotten.
 */
#include <string.h>

#include "mount_impl.h"

static void use(struct mounts *mounts) REQUIRES(mounts->lock)
{
	mounts->users++;
}

void mounts_unuse(struct mounts *mounts)
{
	mutex_lock(&mounts->lock);
	mounts->users--;
	pthread_cond_broadcast(&mounts->changed);
	mutex_unlock(&mounts->lock);
}

size_t mounts_heads(struct mounts *mounts, const char *branch,
		    struct mount **list, size_t most)
{
	struct mount *mount;
	size_t count = 0;

	mutex_lock(&mounts->lock);
	use(mounts);
	for (mount = mounts->first; mount && count < most; mount = mount->next)
		if (!mount->snapshot_id &&
		    (!branch || strcmp(mount->branch, branch) == 0))
			list[count++] = mount;
	mutex_unlock(&mounts->lock);
	return count;
}

int mounts_flush(struct mounts *mounts, const char *branch,
		 struct failure *failure)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = mounts_heads(mounts, branch, list, MOUNTS_OF_BRANCH_MAX),
	       i;
	int rc = 0;

	for (i = 0; i < count && rc == 0; i++) {
		rc = image_write_back(list[i], true);
		if (rc < 0)
			failure_errno(failure, rc, list[i]->mountpoint,
				      "can't write the kernel's dirty pages "
				      "back");
	}
	mounts_unuse(mounts);
	return rc;
}

unsigned mounts_writers(struct mounts *mounts, const char *branch)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = mounts_heads(mounts, branch, list, MOUNTS_OF_BRANCH_MAX),
	       i;
	unsigned writers = 0;

	for (i = 0; i < count; i++)
		writers += atomic_load(&list[i]->writers);
	mounts_unuse(mounts);
	return writers;
}

void mounts_revoke(struct mounts *mounts, const char *branch)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = mounts_heads(mounts, branch, list, MOUNTS_OF_BRANCH_MAX),
	       i;

	for (i = 0; i < count; i++) {
		pthread_rwlock_wrlock(&list[i]->gate);
		list[i]->revoked_before = atomic_load(&list[i]->opened);
		pthread_rwlock_unlock(&list[i]->gate);
	}
	mounts_unuse(mounts);
}

void mounts_invalidate(struct mounts *mounts, const char *branch)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = mounts_heads(mounts, branch, list, MOUNTS_OF_BRANCH_MAX),
	       i;

	for (i = 0; i < count; i++) {
		struct mount *mount = list[i];
		fuse_ino_t node = image_node(mount);
		struct file_info info;

		file_get_info(view_image(mount->view), &info);
		if (info.size_bytes != mount->image_size ||
		    !mount->options.read_only) {
			mount->image_size = info.size_bytes;
			atomic_fetch_add(&mount->image_epoch, 1);
		}
		fuse_lowlevel_notify_inval_inode(mount->session, node, 0, 0);
		fuse_lowlevel_notify_inval_entry(mount->session, FUSE_ROOT_ID,
						 mount->options.name,
						 strlen(mount->options.name));
	}
	mounts_unuse(mounts);
}
