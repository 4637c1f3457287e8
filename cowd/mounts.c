/*
 * The mounts of a daemon: adding, removing, and what history needs of the
 * kernel's caches.
 *
 * Each mount has a thread that serves its session until the kernel ends it;
 * that thread takes the mount out of the list. Nothing here holds the
 * list's lock while it waits for the kernel.
 */
#include "mounts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history.h"
#include "logging.h"
#include "mount_impl.h"

extern char **environ;

struct mounts {
	struct store *store;
	void (*idle)(void *context);
	void *context;
	struct mutex lock;
	pthread_cond_t changed;
	struct mount *first;
	unsigned count;
	unsigned users; /* calls that use a mount without the lock */
};

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

static void mount_free(struct mount *mount)
{
	if (!mount)
		return;
	if (mount->session)
		fuse_session_destroy(mount->session);
	image_forget_nodes(mount);
	if (mount->view)
		view_put(mount->view);
	mount_options_fini(&mount->options);
	pthread_rwlock_destroy(&mount->gate);
	mutex_fini(&mount->lock);
	free(mount);
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

static void use_mounts(struct mounts *mounts) REQUIRES(mounts->lock)
{
	mounts->users++;
}

static void unuse_mounts(struct mounts *mounts)
{
	mutex_lock(&mounts->lock);
	mounts->users--;
	pthread_cond_broadcast(&mounts->changed);
	mutex_unlock(&mounts->lock);
}

/* Up to `most` heads of the branch (NULL: of all); the caller ends the use. */
static size_t heads_of(struct mounts *mounts, const char *branch,
		       struct mount **list, size_t most)
{
	struct mount *mount;
	size_t count = 0;

	mutex_lock(&mounts->lock);
	use_mounts(mounts);
	for (mount = mounts->first; mount && count < most; mount = mount->next)
		if (!mount->snapshot_id &&
		    (!branch || strcmp(mount->branch, branch) == 0))
			list[count++] = mount;
	mutex_unlock(&mounts->lock);
	return count;
}

enum { MOUNTS_OF_BRANCH_MAX = 64 };

static int check_empty(const char *path, struct failure *failure)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!directory)
		return failure_errno(failure, -errno, path,
				     "can't read the mountpoint");
	while (empty && (entry = readdir(directory)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0;
	closedir(directory);
	if (empty)
		return 0;
	failure_set(failure, FAILURE_BUSY, path, "the mountpoint is not empty");
	failure_hint(failure, "choose an empty directory, or mount over it "
			      "with -o nonempty");
	return -EBUSY;
}

static bool is_below(const char *path, const char *directory)
{
	size_t len_bytes = strlen(directory);

	return strncmp(path, directory, len_bytes) == 0 &&
	       (path[len_bytes] == '/' || path[len_bytes] == '\0');
}

static int check_mountpoint(struct mount *mount, const char *path,
			    const char *store_path, struct failure *failure)
{
	struct stat st;

	if (!realpath(path, mount->mountpoint)) {
		int rc = -errno;

		if (rc != -ENOENT)
			return failure_errno(failure, rc, path,
					     "can't use the mountpoint");
		failure_set(failure, FAILURE_FAILED, path,
			    "the mountpoint does not exist");
		failure_hint(failure, "mkdir %s", path);
		return rc;
	}
	if (stat(mount->mountpoint, &st) < 0)
		return failure_errno(failure, -errno, path,
				     "can't use the mountpoint");
	if (!S_ISDIR(st.st_mode)) {
		failure_set(failure, FAILURE_USAGE, path,
			    "the mountpoint is not a directory");
		failure_hint(failure, "the image appears as a file inside the "
				      "mountpoint");
		return -ENOTDIR;
	}
	if (is_below(mount->mountpoint, store_path)) {
		failure_set(failure, FAILURE_USAGE, path,
			    "the mountpoint is inside the store");
		failure_hint(failure, "choose a directory outside of %s",
			     store_path);
		return -EINVAL;
	}
	if (mount->options.nonempty)
		return 0;
	return check_empty(mount->mountpoint, failure);
}

static void default_name(struct mount *mount, const struct store_status *status)
{
	const char *slash = strrchr(status->base_path, '/');

	if (mount->options.name[0])
		return;
	if (slash && slash[1])
		snprintf(mount->options.name, sizeof(mount->options.name),
			 "%.255s", slash + 1);
	else
		snprintf(mount->options.name, sizeof(mount->options.name),
			 "%.250s.img", mount->branch);
}

static int open_view(struct mount *mount, const struct mount_params *params,
		     struct failure *failure)
{
	struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc;

	if (!params->snapshot_id) {
		snprintf(mount->branch, sizeof(mount->branch), "%s",
			 params->branch);
		return view_open_branch(mount->store, params->branch,
					&mount->view, failure);
	}
	rc = history_snapshots(mount->store, NULL, false, &list, &count,
			       failure);
	for (i = 0; i < count; i++) {
		if (list[i].id != params->snapshot_id)
			continue;
		snprintf(mount->branch, sizeof(mount->branch), "%s",
			 list[i].branch);
		snprintf(mount->snapshot, sizeof(mount->snapshot), "%s",
			 list[i].name);
	}
	free(list);
	if (rc < 0)
		return rc;
	mount->snapshot_id = params->snapshot_id;
	return view_open_snapshot(mount->store, params->snapshot_id,
				  &mount->view, failure);
}

static int start_session(struct mount *mount, struct failure *failure)
{
	struct file_info info;

	mount->session = fuse_session_new(&mount->options.arguments,
					  &image_operations,
					  sizeof(image_operations), mount);
	if (!mount->session)
		return failure_set(failure, FAILURE_FAILED, mount->mountpoint,
				   "libfuse refused the mount options");
	if (fuse_session_mount(mount->session, mount->mountpoint) != 0) {
		failure_set(failure, FAILURE_FAILED, mount->mountpoint,
			    "the kernel refused the mount");
		failure_hint(failure, "is /dev/fuse there, and (without root) "
				      "fusermount3 installed and the "
				      "mountpoint yours?");
		return -EINVAL;
	}
	file_get_info(view_image(mount->view), &info);
	mount->image_size = info.size_bytes;
	return 0;
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

static int build(struct mount *mount, const struct mount_params *params,
		 struct failure *failure)
{
	struct store_status status;
	char source[4800];
	int rc = open_view(mount, params, failure);

	if (rc < 0)
		return rc;
	store_status(mount->store, &status);
	snprintf(source, sizeof(source), "%s:%s%s%s", status.path,
		 mount->branch, mount->snapshot_id ? "@" : "", mount->snapshot);
	rc = mount_options_parse(&mount->options, params->options,
				 params->snapshot_id != 0, source, failure);
	if (rc < 0)
		return rc;
	default_name(mount, &status);
	rc = check_mountpoint(mount, params->mountpoint, status.path, failure);
	return rc < 0 ? rc : start_session(mount, failure);
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
	rc = build(mount, params, failure);
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

/* "pid 12 (bash), pid 13 (qemu)": who holds something below the path. */
static void name_users(const char *mountpoint, char *text, size_t text_bytes)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t used = 0;

	text[0] = '\0';
	while (proc && (entry = readdir(proc)) != NULL && used < 200) {
		char path[300], target[PATH_MAX], name[32] = "";
		struct dirent *link;
		bool found = false;
		DIR *links;
		ssize_t n;
		int fd;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd", entry->d_name);
		links = opendir(path);
		while (links && !found && (link = readdir(links)) != NULL) {
			n = readlinkat(dirfd(links), link->d_name, target,
				       sizeof(target) - 1);
			target[n > 0 ? n : 0] = '\0';
			found = n > 0 && is_below(target, mountpoint);
		}
		if (links)
			closedir(links);
		snprintf(path, sizeof(path), "/proc/%s/cwd", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (!found && !(n > 0 && is_below(target, mountpoint)))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);
		if (fd >= 0)
			close(fd);
		name[n > 0 ? strcspn(name, "\n") : 0] = '\0';
		used += (size_t)snprintf(text + used, text_bytes - used,
					 "%spid %.10s (%s)", used ? ", " : "",
					 entry->d_name, name);
	}
	if (proc)
		closedir(proc);
}

/* umount needs root; without it fusermount3 does it. */
static int kernel_unmount(const char *mountpoint, bool lazy)
{
	char *const arguments[] = { "fusermount3", lazy ? "-uz" : "-u", "--",
				    (char *)mountpoint, NULL };
	pid_t pid;
	int status;

	if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	if (posix_spawnp(&pid, "fusermount3", NULL, NULL, arguments, environ) !=
	    0)
		return -EPERM;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
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
	int rc = kernel_unmount(mountpoint, lazy);

	if (rc == -EBUSY) {
		name_users(mountpoint, users, sizeof(users));
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
		if (kernel_unmount(list[i], false) < 0)
			(void)kernel_unmount(list[i], true);
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

int mounts_flush(struct mounts *mounts, const char *branch,
		 struct failure *failure)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = heads_of(mounts, branch, list, MOUNTS_OF_BRANCH_MAX), i;
	int rc = 0;

	for (i = 0; i < count && rc == 0; i++) {
		rc = image_write_back(list[i], true);
		if (rc < 0)
			failure_errno(failure, rc, list[i]->mountpoint,
				      "can't write the kernel's dirty pages "
				      "back");
	}
	unuse_mounts(mounts);
	return rc;
}

unsigned mounts_writers(struct mounts *mounts, const char *branch)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = heads_of(mounts, branch, list, MOUNTS_OF_BRANCH_MAX), i;
	unsigned writers = 0;

	for (i = 0; i < count; i++)
		writers += atomic_load(&list[i]->writers);
	unuse_mounts(mounts);
	return writers;
}

void mounts_revoke(struct mounts *mounts, const char *branch)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = heads_of(mounts, branch, list, MOUNTS_OF_BRANCH_MAX), i;

	for (i = 0; i < count; i++) {
		pthread_rwlock_wrlock(&list[i]->gate);
		list[i]->revoked_before = atomic_load(&list[i]->opened);
		pthread_rwlock_unlock(&list[i]->gate);
	}
	unuse_mounts(mounts);
}

void mounts_invalidate(struct mounts *mounts, const char *branch)
{
	struct mount *list[MOUNTS_OF_BRANCH_MAX];
	size_t count = heads_of(mounts, branch, list, MOUNTS_OF_BRANCH_MAX), i;

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
	unuse_mounts(mounts);
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
