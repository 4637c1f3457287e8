/*
 * The mounts of a daemon: adding, removing, listing.
 *
 * Each mount has a thread that serves its session until the kernel ends it;
 * that thread takes the mount out of the list. Nothing here holds the list's
 * lock while it waits for the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "logging.h"
#include "mount_impl.h"
#include "mountinfo.h"

/* For a mount that umount(8) ended to be gone. */
enum { LEAVE_WAIT_S = 10 };
enum { RULES_WAIT_S = 5 };

/* Only to end a wait: see mounts_free. */
static void on_wake_signal(int signal_nr)
{
	(void)signal_nr;
}

int mounts_new(struct store *store, void (*idle)(void *context), void *context,
	       struct mounts **out_mounts)
{
	struct sigaction wake = { .sa_handler = on_wake_signal };
	struct mounts *mounts = calloc(1, sizeof(*mounts));

	if (!mounts)
		return -ENOMEM;
	mounts->store = store;
	mounts->idle = idle;
	mounts->context = context;
	mutex_init(&mounts->lock);
	pthread_cond_init(&mounts->changed, NULL);
	sigaction(SIGUSR1, &wake, NULL);
	*out_mounts = mounts;
	return 0;
}

unsigned mounts_count(struct mounts *mounts)
{
	unsigned count;

	mutex_lock(&mounts->lock);
	count = mounts->count;
	mutex_unlock(&mounts->lock);
	return count;
}

void mounts_check_idle(struct mounts *mounts)
{
	if (mounts_count(mounts) == 0)
		mounts->idle(mounts->context);
}

/* Takes the mount out of the list, and waits for those who use it. */
static void leave_list(struct mounts *mounts, struct mount *mount)
{
	struct mount **link;

	mutex_lock(&mounts->lock);
	for (link = &mounts->first; *link != mount; link = &(*link)->next)
		;
	*link = mount->next;
	while (mounts->users > 0)
		pthread_cond_wait(&mounts->changed, &mounts->lock.handle);
	mutex_unlock(&mounts->lock);
}

/* The kernel let go of it: nothing comes any more. */
static bool is_unmounted(const struct mount *mount)
{
	struct pollfd session = { .fd = fuse_session_fd(mount->session) };

	return poll(&session, 1, 0) > 0 && (session.revents & POLLERR);
}

/*
 * Whoever waits for an answer gets an error now. A broken pipe takes the place
 * of /dev/fuse: were its number free, a notification that is just being sent
 * could go into a file of the store that gets the number. It also tells libfuse
 * that nothing is mounted any more.
 */
static void cut_off(struct mount *mount)
{
	struct mounts *mounts = mount->owner;
	bool mounted = !is_unmounted(mount);
	int ends[2];

	mutex_lock(&mounts->lock);
	mounted &= !mount->detached;
	mutex_unlock(&mounts->lock);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		fuse_session_unmount(mount->session);
		return;
	}
	close(ends[0]);
	(void)!dup3(ends[1], fuse_session_fd(mount->session), O_CLOEXEC);
	close(ends[1]);
	if (mounted)
		(void)!mount_end(mount->mountpoint, true);
}

static void *serve(void *context)
{
	struct mount *mount = context;
	struct mounts *mounts = mount->owner;
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (config) {
		fuse_loop_cfg_set_max_threads(
			config, mount->options.max_threads ?
					mount->options.max_threads :
					4);
		(void)fuse_session_loop_mt(mount->session, config);
		fuse_loop_cfg_destroy(config);
	} else {
		(void)fuse_session_loop(mount->session);
	}
	cut_off(mount);
	leave_list(mounts, mount);
	fuse_session_unmount(mount->session);
	log_message(LOG_LEVEL_INFO, "%s: unmounted", mount->mountpoint);
	mount_free(mount);
	mutex_lock(&mounts->lock);
	if (--mounts->count == 0)
		mounts->idle(mounts->context);
	pthread_cond_broadcast(&mounts->changed);
	mutex_unlock(&mounts->lock);
	return NULL;
}

/* Until mounts_unuse the mount stays, whatever its thread does. */
static int start_thread(struct mount *mount, struct failure *failure)
{
	struct mounts *mounts = mount->owner;
	pthread_attr_t attributes;
	int rc;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	mutex_lock(&mounts->lock);
	rc = -pthread_create(&mount->thread, &attributes, serve, mount);
	if (rc == 0) {
		mount->next = mounts->first;
		mounts->first = mount;
		mounts->count++;
		mounts->users++;
	}
	mutex_unlock(&mounts->lock);
	pthread_attr_destroy(&attributes);
	if (rc == 0)
		return 0;
	fuse_session_unmount(mount->session);
	return failure_errno(failure, rc, mount->mountpoint,
			     "can't start a thread");
}

static int refuse_second(const struct mount *first, const char *mountpoint,
			 struct failure *failure)
{
	if (first->detached) {
		failure_set(failure, FAILURE_BUSY, first->branch,
			    "the branch was unmounted lazily from %s and is "
			    "still in use",
			    first->mountpoint);
		failure_hint(failure, "end what has the image open (a loop "
				      "device: losetup -d)");
		return -EBUSY;
	}
	failure_set(failure, FAILURE_BUSY, first->branch,
		    "the branch is mounted on %s already", first->mountpoint);
	failure_hint(failure,
		     "mount --bind %s %s shows it there, too; a snapshot or "
		     "a clone can be mounted besides",
		     first->mountpoint, mountpoint);
	return -EBUSY;
}

static const struct mount *find_rival(const struct mounts *mounts,
				      const struct mount *mount)
	REQUIRES(mounts->lock)
{
	const struct mount *other;

	for (other = mounts->first; other; other = other->next)
		if (!other->snapshot_id &&
		    strcmp(other->branch, mount->branch) == 0 &&
		    !(other->options.read_only && mount->options.read_only))
			break;
	return other;
}

/*
 * Two mounts of one head would have a cache of pages each, which nobody keeps
 * alike: only readers may share a head.
 */
static int check_alone(struct mounts *mounts, const struct mount *mount,
		       struct failure *failure)
{
	const struct mount *other;
	struct timespec until;
	int rc = 0, late = 0;

	if (mount->snapshot_id)
		return 0;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LEAVE_WAIT_S;
	mutex_lock(&mounts->lock);
	/* umount(8) may have ended it, and its thread not be there yet. */
	while ((other = find_rival(mounts, mount)) && is_unmounted(other) &&
	       !late)
		late = pthread_cond_timedwait(&mounts->changed,
					      &mounts->lock.handle, &until);
	if (other)
		rc = refuse_second(other, mount->mountpoint, failure);
	mutex_unlock(&mounts->lock);
	return rc;
}

static int add(struct mount *mount, const struct mount_params *params,
	       struct failure *failure)
{
	int rc = mount_build(mount, params, failure);

	if (rc == 0)
		rc = check_alone(mount->owner, mount, failure);
	if (rc == 0)
		rc = mount_start(mount, failure);
	return rc < 0 ? rc : start_thread(mount, failure);
}

static void log_warnings(const struct mount *mount)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(mount->options.warnings, i, warning)
		log_message(LOG_LEVEL_WARNING, "%s: %s", mount->mountpoint,
			    json_string_value(warning));
}

/* Without them it is not what was asked for. */
static int add_rules(const struct mount *mount, struct failure *failure)
{
	int rc = mount->options.rules[0] ? mount_start_rules(mount, failure) :
					   0;

	if (rc < 0 && mount_end(mount->mountpoint, false) < 0)
		log_message(LOG_LEVEL_ERROR, "%s: stays mounted",
			    mount->mountpoint);
	return rc;
}

int mounts_add(struct mounts *mounts, const struct mount_params *params,
	       struct failure *failure)
{
	struct mount *mount;
	struct stat st;
	int rc = mount_new(mounts, &mount);

	if (rc < 0)
		return failure_errno(failure, rc, params->mountpoint,
				     "can't mount");
	mounts_claim(mounts);
	rc = add(mount, params, failure);
	if (rc == 0)
		log_warnings(mount);
	if (rc < 0) {
		mount_free(mount);
	} else {
		/* Answered by the thread: it is live when this returns. */
		if (stat(mount->mountpoint, &st) == 0)
			atomic_store(&mount->device, st.st_dev);
		rc = mount_bind(mount, failure);
		if (rc < 0)
			(void)!mount_end(mount->mountpoint, true);
		else
			rc = add_rules(mount, failure);
		mounts_unuse(mounts);
	}
	mounts_unclaim(mounts);
	return rc;
}

static bool still_there(struct mounts *mounts, const char *mountpoint)
	REQUIRES(mounts->lock)
{
	const struct mount *mount;

	for (mount = mounts->first; mount; mount = mount->next)
		if (!mountpoint || strcmp(mount->mountpoint, mountpoint) == 0)
			return true;
	return false;
}

/* The thread of the mount (NULL: of all) ends once the kernel let go. */
static void wait_until_gone(struct mounts *mounts, const char *mountpoint,
			    unsigned seconds)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	mutex_lock(&mounts->lock);
	while (still_there(mounts, mountpoint) && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&mounts->changed,
					    &mounts->lock.handle, &until);
	mutex_unlock(&mounts->lock);
}

/* Of the mount that the front end of rules lies over; 0: of another kind. */
static dev_t device_below_rules(struct mounts *mounts, const char *mountpoint)
{
	struct mount *mount;
	dev_t device = 0;

	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount; mount = mount->next)
		if (strcmp(mount->mountpoint, mountpoint) == 0 &&
		    mount->options.rules[0] && !mount->detached)
			device = (dev_t)atomic_load(&mount->device);
	mutex_unlock(&mounts->lock);
	return device;
}

/* What lies over a mount goes first, and takes it along. */
static int end_mount(struct mounts *mounts, const char *mountpoint, bool lazy)
{
	dev_t device = device_below_rules(mounts, mountpoint);
	int rc = mount_end(mountpoint, lazy);

	if (rc < 0 || !device)
		return rc;
	if (!lazy)
		wait_until_gone(mounts, mountpoint, RULES_WAIT_S);
	/* It was killed, or is in use still. */
	return mount_top_device(mountpoint) == device ?
		       mount_end(mountpoint, lazy) :
		       0;
}

static void mark_detached(struct mounts *mounts, const char *mountpoint)
{
	struct mount *mount;

	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount; mount = mount->next)
		if (strcmp(mount->mountpoint, mountpoint) == 0)
			mount->detached = true;
	mutex_unlock(&mounts->lock);
}

/* What is bound elsewhere is ended before. */
static int unbind(struct mounts *mounts, const char *mountpoint, bool lazy,
		  struct failure *failure)
{
	struct mount *mount;
	int rc = 0;

	mutex_lock(&mounts->lock);
	mounts->users++;
	mount = mounts->first;
	while (mount &&
	       (mount->detached || strcmp(mount->mountpoint, mountpoint) != 0))
		mount = mount->next;
	mutex_unlock(&mounts->lock);
	if (mount)
		rc = mount_unbind(mount, lazy, failure);
	mounts_unuse(mounts);
	return rc;
}

static int remove_one(struct mounts *mounts, const char *mountpoint, bool lazy,
		      struct failure *failure)
{
	char users[400];
	int rc = unbind(mounts, mountpoint, lazy, failure);

	if (rc < 0)
		return rc;
	rc = end_mount(mounts, mountpoint, lazy);
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
	if (lazy)
		mark_detached(mounts, mountpoint);
	else
		wait_until_gone(mounts, mountpoint, 30);
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
		if (!mount->detached &&
		    (!target || strcmp(mount->mountpoint, resolved) == 0 ||
		     strcmp(mount->mountpoint, target) == 0 ||
		     strcmp(mount->branch, target) == 0))
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

/* Detached with handles open: the sessions end themselves. A loop sleeps until
 * a signal, which may come just before it does. */
static void end_sessions(struct mounts *mounts)
{
	struct timespec until;
	struct mount *mount;

	mutex_lock(&mounts->lock);
	while (mounts->count > 0) {
		for (mount = mounts->first; mount; mount = mount->next) {
			fuse_session_exit(mount->session);
			pthread_kill(mount->thread, SIGUSR1);
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 50000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		(void)pthread_cond_timedwait(&mounts->changed,
					     &mounts->lock.handle, &until);
	}
	mutex_unlock(&mounts->lock);
}

void mounts_free(struct mounts *mounts)
{
	char(*list)[4096] = calloc(256, sizeof(*list));
	struct failure ignored = { .code = FAILURE_NONE };
	size_t count, i;

	if (!mounts)
		return;
	/* Whoever has it open still loses nothing that was written before. */
	if (mounts_flush(mounts, NULL, &ignored) < 0)
		log_message(LOG_LEVEL_ERROR, "%s: %s", ignored.object,
			    ignored.message);
	count = list ? find_targets(mounts, NULL, list, 256) : 0;
	for (i = 0; i < count; i++) {
		(void)!unbind(mounts, list[i], true, NULL);
		if (end_mount(mounts, list[i], false) < 0 &&
		    end_mount(mounts, list[i], true) == 0)
			mark_detached(mounts, list[i]);
	}
	free(list);
	wait_until_gone(mounts, NULL, 2);
	end_sessions(mounts);
	mutex_fini(&mounts->lock);
	pthread_cond_destroy(&mounts->changed);
	free(mounts);
}

void mount_branch(struct mount *mount, char name[STORE_NAME_BYTES_MAX + 1])
{
	mutex_lock(&mount->owner->lock);
	snprintf(name, STORE_NAME_BYTES_MAX + 1, "%s", mount->branch);
	mutex_unlock(&mount->owner->lock);
}

void mounts_renamed(struct mounts *mounts, const char *branch,
		    const char *new_name)
{
	struct mount *mount;

	mounts_claim(mounts); /* a move knows its mounts by the name */
	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount; mount = mount->next)
		if (strcmp(mount->branch, branch) == 0)
			snprintf(mount->branch, sizeof(mount->branch), "%s",
				 new_name);
	mutex_unlock(&mounts->lock);
	mounts_unclaim(mounts);
}

json_t *mounts_list(struct mounts *mounts)
{
	json_t *list = json_array();
	struct mount *mount;

	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount; mount = mount->next) {
		json_array_append_new(
			list,
			json_pack("{s:s, s:s?, s:s, s:s?, s:s?, s:b, s:b, s:i, "
				  "s:i, s:O}",
				  "branch", mount->branch, "snapshot",
				  mount->snapshot_id ? mount->snapshot : NULL,
				  "mountpoint", mount->mountpoint, "file",
				  mount->front == &image_front ?
					  mount->options.name :
					  NULL,
				  "rules",
				  mount->options.rules[0] ?
					  mount->options.rules :
					  NULL,
				  "read_only", mount->options.read_only,
				  "detached", mount->detached, "writers",
				  (int)mount_writers(mount), "readers",
				  (int)mount_readers(mount), "warnings",
				  mount->options.warnings));
	}
	mutex_unlock(&mounts->lock);
	return list;
}
