/*
 * What history needs of the kernel's caches: flushed before a snapshot, and
 * forgotten when a head moves.
 *
 * A move keeps writers out from its begin to its end, so that nobody writes to
 * pages of the old state; what is open for reading, and mapped, shows the new
 * state after it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mount_impl.h"

void mounts_use(struct mounts *mounts)
{
	mutex_lock(&mounts->lock);
	mounts->users++;
	mutex_unlock(&mounts->lock);
}

void mounts_unuse(struct mounts *mounts)
{
	mutex_lock(&mounts->lock);
	mounts->users--;
	pthread_cond_broadcast(&mounts->changed);
	mutex_unlock(&mounts->lock);
}

void mounts_claim(struct mounts *mounts)
{
	mutex_lock(&mounts->lock);
	while (mounts->claimed)
		pthread_cond_wait(&mounts->changed, &mounts->lock.handle);
	mounts->claimed = true;
	mutex_unlock(&mounts->lock);
}

void mounts_unclaim(struct mounts *mounts)
{
	mutex_lock(&mounts->lock);
	mounts->claimed = false;
	pthread_cond_broadcast(&mounts->changed);
	mutex_unlock(&mounts->lock);
}

static struct mount **heads_locked(struct mounts *mounts, const char *branch,
				   size_t *out_count) REQUIRES(mounts->lock)
{
	struct mount **list = calloc(mounts->count + 1, sizeof(struct mount *));
	struct mount *mount;

	*out_count = 0;
	mounts->users++;
	for (mount = list ? mounts->first : NULL; mount; mount = mount->next)
		if (!mount->snapshot_id &&
		    (!branch || strcmp(mount->branch, branch) == 0))
			list[(*out_count)++] = mount;
	return list;
}

struct mount **mounts_heads(struct mounts *mounts, const char *branch,
			    size_t *out_count)
{
	struct mount **list;

	mutex_lock(&mounts->lock);
	list = heads_locked(mounts, branch, out_count);
	mutex_unlock(&mounts->lock);
	return list;
}

static int flush(struct mount **list, size_t count, struct failure *failure)
{
	size_t i;
	int rc = list ? 0 : -ENOMEM;

	for (i = 0; i < count && rc == 0; i++) {
		rc = list[i]->front->flush(list[i]);
		if (rc < 0)
			failure_errno(failure, rc, list[i]->mountpoint,
				      "can't write the kernel's dirty pages "
				      "back");
	}
	return rc;
}

int mounts_flush(struct mounts *mounts, const char *branch,
		 struct failure *failure)
{
	size_t count;
	AUTO_FREE struct mount **list = mounts_heads(mounts, branch, &count);
	int rc = flush(list, count, failure);

	mounts_unuse(mounts);
	return rc;
}

unsigned mounts_writers(struct mounts *mounts, const char *branch)
{
	size_t count, i;
	AUTO_FREE struct mount **list = mounts_heads(mounts, branch, &count);
	unsigned writers = 0;

	for (i = 0; i < count; i++)
		writers += mount_writers(list[i]);
	mounts_unuse(mounts);
	return writers;
}

static int refuse_writers(unsigned writers, const char *branch,
			  struct failure *failure)
{
	if (writers == 0)
		return 0;
	failure_set(failure, FAILURE_BUSY, branch,
		    "%u writer%s the mounted image open", writers,
		    writers == 1 ? " has" : "s have");
	return -EBUSY;
}

int mounts_check_move(struct mounts *mounts, const char *branch,
		      struct failure *failure)
{
	return refuse_writers(mounts_writers(mounts, branch), branch, failure);
}

/* close, umount and losetup -d return before the kernel tells us of it: who
 * has just gone away shall not be in the way of a rollback. */
static unsigned wait_for_releases(struct mount **list, size_t count)
{
	enum { WAIT_MS = 500, STEP_MS = 5 };
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	unsigned writers = 0, waited;
	size_t i;

	for (waited = 0; waited <= WAIT_MS; waited += STEP_MS) {
		for (i = 0, writers = 0; i < count; i++)
			writers += mount_writers(list[i]);
		if (writers == 0)
			break;
		nanosleep(&step, NULL);
	}
	return writers;
}

static int begin(struct mount **list, size_t count, const char *branch,
		 bool live, struct failure *failure)
{
	unsigned writers = 0;
	size_t i;
	int rc;

	for (i = 0; i < count; i++)
		writers += mount_hold_writers(list[i]);
	if (writers > 0 && !live)
		writers = wait_for_releases(list, count);
	rc = live ? 0 : refuse_writers(writers, branch, failure);
	if (rc < 0)
		return rc;
	/* What is dirty belongs to the state that is kept. */
	rc = flush(list, count, failure);
	for (i = 0; i < count && rc == 0; i++)
		list[i]->front->begin_move(list[i], writers > 0);
	return rc;
}

int mounts_begin_move(struct mounts *mounts, const char *branch, bool live,
		      struct failure *failure)
{
	AUTO_FREE struct mount **list = NULL;
	size_t count, i;
	int rc;

	mounts_claim(mounts);
	list = mounts_heads(mounts, branch, &count);
	rc = begin(list, count, branch, live, failure);
	if (rc < 0) {
		for (i = 0; i < count; i++)
			mount_resume_writers(list[i]);
		mounts_unclaim(mounts);
	}
	mounts_unuse(mounts);
	return rc;
}

void mounts_end_move(struct mounts *mounts, const char *branch)
{
	size_t count, i;
	AUTO_FREE struct mount **list = mounts_heads(mounts, branch, &count);

	for (i = 0; i < count; i++)
		list[i]->front->end_move(list[i]);
	for (i = 0; i < count; i++) {
		mount_resume_writers(list[i]);
		mount_bind_again(list[i]);
	}
	mounts_unuse(mounts);
	mounts_unclaim(mounts);
}

/* As heads_locked, of all mounts that are meant. */
static struct mount **find_meant(struct mounts *mounts, const char *target,
				 size_t *out_count)
{
	char resolved[4096];
	struct mount **list, *mount;

	if (!target || !realpath(target, resolved))
		resolved[0] = '\0';
	*out_count = 0;
	mutex_lock(&mounts->lock);
	mounts->users++;
	list = calloc(mounts->count + 1, sizeof(struct mount *));
	for (mount = list ? mounts->first : NULL; mount; mount = mount->next)
		if (!target || strcmp(mount->mountpoint, target) == 0 ||
		    strcmp(mount->mountpoint, resolved) == 0 ||
		    strcmp(mount->branch, target) == 0)
			list[(*out_count)++] = mount;
	mutex_unlock(&mounts->lock);
	return list;
}

static int revoke_handles(struct mount *mount, bool dry_run, json_t *done,
			  struct failure *failure)
{
	unsigned handles = mount_writers(mount) + mount_readers(mount);
	int rc = 0;

	if (!dry_run) {
		mount_hold_writers(mount);
		rc = flush(&mount, 1, failure);
		if (rc == 0) {
			mount->front->begin_move(mount, true);
			mount->front->end_move(mount);
		}
		mount_resume_writers(mount);
		mount_bind_again(mount);
	}
	if (rc == 0 &&
	    json_array_append_new(done, json_pack("{s:s, s:i}", "mountpoint",
						  mount->mountpoint, "handles",
						  (int)handles)) < 0)
		rc = failure_errno(failure, -ENOMEM, NULL, "can't answer");
	return rc;
}

int mounts_revoke(struct mounts *mounts, const char *target, bool dry_run,
		  json_t *done, struct failure *failure)
{
	AUTO_FREE struct mount **list = NULL;
	size_t count, i;
	int rc = 0;

	mounts_claim(mounts);
	list = find_meant(mounts, target, &count);
	if (count == 0)
		rc = failure_set(failure, FAILURE_NOT_FOUND, target,
				 "is not mounted");
	for (i = 0; i < count && rc == 0; i++)
		rc = revoke_handles(list[i], dry_run, done, failure);
	mounts_unuse(mounts);
	mounts_unclaim(mounts);
	return rc;
}

void mounts_grown(struct mounts *mounts, const char *branch)
{
	size_t count, i;
	AUTO_FREE struct mount **list = mounts_heads(mounts, branch, &count);

	for (i = 0; i < count; i++)
		list[i]->front->grown(list[i]);
	mounts_unuse(mounts);
}
