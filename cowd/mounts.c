/*
 * The mounts of a daemon: adding, removing, listing.
 * 
 * Each mount has a thread that serves its session until the kernel ends it;
 * that thread takes the mount out of the list. Nothing here holds the list's
 * lock while it waits for the kernel.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logging.h"
#include "mount_impl.h"

int mounts_new(struct store *store, void (*idle)(void *context), void *context,
	       struct mounts **out_mounts)
{
	struct mounts *mounts = calloc(1, sizeof(*mounts));

	if (!mounts)
		return -ENOMEM;
	mounts->store = store;
	mounts->idle = idle;
	mounts->context = context;
	mutex_init(&mounts->lock);
	pthread_cond_init(&mounts->changed, NULL);
	*out_mounts = mounts;
	return 0;
}

static void *serve(void *context)
{
	struct mount *mount = context;
	struct mounts *mounts = mount->owner;
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct mount **link;
	bool last;

	if (config) {
		fuse_loop_cfg_set_max_threads(config, 4);
		(void)fuse_session_loop_mt(mount->session, config);
		fuse_loop_cfg_destroy(config);
	} else {
		(void)fuse_session_loop(mount->session);
	}
	fuse_session_unmount(mount->session);
	mutex_lock(&mounts->lock);
	for (link = &mounts->first; *link != mount; link = &(*link)->next)
		;
	*link = mount->next;
	while (mounts->users > 0)
		pthread_cond_wait(&mounts->changed, &mounts->lock.handle);
	mutex_unlock(&mounts->lock);
	log_message(LOG_LEVEL_INFO, "%s: unmounted", mount->mountpoint);
	mount_free(mount);
	mutex_lock(&mounts->lock);
	last = --mounts->count == 0;
	pthread_cond_broadcast(&mounts->changed);
	if (last)
		mounts->idle(mounts->context);
	mutex_unlock(&mounts->lock);
	return NULL;
}

static int start_thread(struct mount *mount, struct failure *failure)
{
	struct mounts *mounts = mount->owner;
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	mutex_lock(&mounts->lock);
	mount->next = mounts->first;
	mounts->first = mount;
	mounts->count++;
	mutex_unlock(&mounts->lock);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = -pthread_create(&thread, &attributes, serve, mount);
	pthread_attr_destroy(&attributes);
	if (rc == 0)
		return 0;
	mutex_lock(&mounts->lock);
	mounts->first = mount->next;
	mounts->count--;
	mutex_unlock(&mounts->lock);
	fuse_session_unmount(mount->session);
	return failure_errno(failure, rc, mount->mountpoint,
			     "can't start a thread");
}

int mounts_add(struct mounts *mounts, const struct mount_params *params,
	       struct failure *failure)
{
	struct mount *mount = calloc(1, sizeof(*mount));
	struct stat st;
	int rc;

	if (!mount)
		return failure_errno(failure, -ENOMEM, params->mountpoint,
				     "can't mount");
	mount->owner = mounts;
	mount->store = mounts->store;
	mutex_init(&mount->lock);
	pthread_rwlock_init(&mount->gate, NULL);
	rc = mount_build(mount, params, failure);
	if (rc == 0)
		rc = start_thread(mount, failure);
	if (rc < 0) {
		mount_free(mount);
		return rc;
	}
	/* Answered by the thread: the mount is live when this returns. */
	if (stat(mount->mountpoint, &st) == 0)
		mount->device = st.st_dev;
	return 0;
}

static bool still_there(struct mounts *mounts, const char *mountpoint)
{
	const struct mount *mount;

	for (mount = mounts->first; mount; mount = mount->next)
		if (strcmp(mount->mountpoint, mountpoint) == 0)
			return true;
	return false;
}

/* The thread of the mount ends once the kernel let go. */
static void wait_until_gone(struct mounts *mounts, const char *mountpoint)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	mutex_lock(&mounts->lock);
	while (still_there(mounts, mountpoint) && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&mounts->changed,
					    &mounts->lock.handle, &until);
	mutex_unlock(&mounts->lock);
}

static int remove_one(struct mounts *mounts, const char *mountpoint, bool lazy,
		      struct failure *failure)
{
	char users[400];
	int rc = mount_end(mountpoint, lazy);

	if (rc == -EBUSY) {
		mount_name_users(mountpoint, users, sizeof(users));
		failure_set(failure, FAILURE_BUSY, mountpoint,
			    "can't unmount: in use%s%s", users[0] ? " by " : "",
			    users);
		failure_hint(failure, "end it there (a loop device: losetup "
				      "-d), or unmount lazily with -l");
		return rc;
	}
	if (rc < 0)
		return failure_errno(failure, rc, mountpoint, "can't unmount");
	if (!lazy)
		wait_until_gone(mounts, mountpoint);
	return 0;
}

/* Mountpoints that the target names: one, or all of a branch. NULL: all. */
static size_t find_targets(struct mounts *mounts, const char *target,
			   char (*list)[4096], size_t most)
{
	struct mount *mount;
	char resolved[PATH_MAX];
	size_t count = 0;

	if (!target || !realpath(target, resolved))
		snprintf(resolved, sizeof(resolved), "%s",
			 target ? target : "");
	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount && count < most; mount = mount->next)
		if (!target || strcmp(mount->mountpoint, resolved) == 0 ||
		    strcmp(mount->mountpoint, target) == 0 ||
		    strcmp(mount->branch, target) == 0)
			snprintf(list[count++], 4096, "%s", mount->mountpoint);
	mutex_unlock(&mounts->lock);
	return count;
}

int mounts_remove(struct mounts *mounts, const char *target, bool lazy,
		  struct failure *failure)
{
	char(*list)[4096] = calloc(256, sizeof(*list));
	size_t count, i;
	int rc = 0;

	if (!list)
		return failure_errno(failure, -ENOMEM, target, "can't unmount");
	count = find_targets(mounts, target, list, 256);
	if (count == 0 && target) {
		failure_set(failure, FAILURE_NOT_FOUND, target,
			    "is not mounted");
		rc = -ENOENT;
	}
	for (i = 0; i < count && rc == 0; i++)
		rc = remove_one(mounts, list[i], lazy, failure);
	free(list);
	return rc;
}

void mounts_free(struct mounts *mounts)
{
	char(*list)[4096] = calloc(256, sizeof(*list));
	size_t count, i;

	if (!mounts)
		return;
	count = list ? find_targets(mounts, NULL, list, 256) : 0;
	for (i = 0; i < count; i++)
		if (mount_end(list[i], false) < 0)
			(void)!mount_end(list[i], true);
	free(list);
	mutex_lock(&mounts->lock);
	/* Detached with handles open: end the sessions themselves. */
	for (struct mount *m = mounts->first; m; m = m->next)
		fuse_session_exit(m->session);
	while (mounts->count > 0) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 5;
		if (pthread_cond_timedwait(&mounts->changed,
					   &mounts->lock.handle,
					   &until) == ETIMEDOUT)
			for (struct mount *m = mounts->first; m; m = m->next)
				fuse_session_unmount(m->session);
	}
	mutex_unlock(&mounts->lock);
	mutex_fini(&mounts->lock);
	pthread_cond_destroy(&mounts->changed);
	free(mounts);
}

void mounts_renamed(struct mounts *mounts, const char *branch,
		    const char *new_name)
{
	struct mount *mount;

	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount; mount = mount->next)
		if (strcmp(mount->branch, branch) == 0)
			snprintf(mount->branch, sizeof(mount->branch), "%s",
				 new_name);
	mutex_unlock(&mounts->lock);
}

json_t *mounts_list(struct mounts *mounts)
{
	json_t *list = json_array();
	struct mount *mount;

	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount; mount = mount->next)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s?, s:s, s:s, s:b, s:i, s:i}",
				  "branch", mount->branch, "snapshot",
				  mount->snapshot_id ? mount->snapshot : NULL,
				  "mountpoint", mount->mountpoint, "file",
				  mount->options.name, "read_only",
				  mount->options.read_only, "writers",
				  (int)atomic_load(&mount->writers), "readers",
				  (int)atomic_load(&mount->readers)));
	mutex_unlock(&mounts->lock);
	return list;
}
