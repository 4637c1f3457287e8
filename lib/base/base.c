/*
 * Opening, reading and watching a base.
 *
 * I1: the descriptor is read-only for its whole life (rule 1).
 * I2: once a change was seen no byte of it is returned: never a mixture of
 *     old and new. While somebody may write (there is no lease) every read
 *     looks at size and time afterwards; a broken lease is given up only when
 *     reads know of it. What a block device holds can't be watched.
 * I3: a lease that somebody waits for is given up at the next check, so that
 *     watching never blocks the base's owner for long.
 */
#include "base.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base_impl.h"
#include "io.h"
#include "logging.h"

/*
 * A lease tells when somebody opens the file for writing, and can't be had
 * while somebody has. Its signal is one that is ignored by default:
 * base_check asks instead.
 */
static void watch_writers_locked(struct base *base) REQUIRES(base->lock)
{
	if (base->fingerprint.kind != BASE_KIND_FILE)
		return;
	if (!base->leased) {
		(void)fcntl(base->fd, F_SETSIG, SIGURG);
		base->leased = fcntl(base->fd, F_SETLEASE, F_RDLCK) == 0;
		base->state.being_written = !base->leased && errno == EAGAIN;
	} else if (fcntl(base->fd, F_GETLEASE) != F_RDLCK) {
		/* Before the writer gets in. */
		__atomic_store_n(&base->guarded, 0, __ATOMIC_RELEASE);
		base->leased = false;
		(void)fcntl(base->fd, F_SETLEASE, F_UNLCK); /* I3 */
		base->state.being_written = true;
	}
	__atomic_store_n(&base->guarded, base->leased, __ATOMIC_RELEASE);
}

static int missing(const char *path, struct failure *failure)
{
	failure_set(failure, FAILURE_FAILED, path, "the base does not exist");
	return -ENOENT;
}

static int check_type(const char *path, const struct stat *st,
		      struct failure *failure)
{
	if (S_ISDIR(st->st_mode)) {
		failure_set(failure, FAILURE_USAGE, path,
			    "is a directory, and an image is a regular file "
			    "or a block device");
		failure_hint(failure, "a store is over one image or over "
				      "directories, and stays so");
		return -EINVAL;
	}
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return failure_set(failure, FAILURE_USAGE, path,
				   "the base must be a regular file or a block "
				   "device");
	return 0;
}

/*
 * Opens a path without following a symlink in any part of it. O_NONBLOCK: a
 * fifo that took the file's place must not hang us.
 */
static int open_beneath_root(const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	/* A container's seccomp filter may not know the call. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open(path, (int)how.flags);
	return fd < 0 ? -errno : (int)fd;
}

static int open_resolved(const char *path, int *out_fd, struct failure *failure)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	int rc;

	/* Before it is opened: opening a device can do things. */
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? missing(path, failure) :
					 failure_errno(failure, -errno, path,
						       "can't open the base");
	if (!S_ISLNK(st.st_mode)) {
		rc = check_type(path, &st, failure);
		if (rc < 0)
			return rc;
	}
	fd = open_beneath_root(path);
	if (fd == -ELOOP) {
		failure_set(failure, FAILURE_BASE_CHANGED, path,
			    "a symbolic link is in the recorded path of the "
			    "base now");
		failure_hint(failure, "name the base itself with --base");
		return -ESTALE;
	}
	if (fd < 0)
		return failure_errno(failure, fd, path, "can't read the base");
	if (fstat(fd, &st) < 0)
		return failure_errno(failure, -errno, path,
				     "can't read the base");
	rc = check_type(path, &st, failure);
	if (rc == 0)
		*out_fd = take_fd(&fd);
	return rc;
}

/* resolved: an absolute path that realpath gave, now or at creation. */
static int open_new(const char *resolved, bool full_hash,
		    struct base **out_base, struct failure *failure)
{
	AUTO_CLOSE int fd = -1;
	struct base *base;
	int rc = open_resolved(resolved, &fd, failure);

	if (rc < 0)
		return rc;
	base = calloc(1, sizeof(*base));
	if (!base)
		return failure_errno(failure, -ENOMEM, resolved,
				     "can't open the base");
	base->fd = take_fd(&fd);
	mutex_init(&base->lock);
	rc = fingerprint_take(base->fd, full_hash, &base->fingerprint);
	if (rc < 0) {
		base_close(base);
		return failure_errno(failure, rc, resolved,
				     "can't read the base");
	}
	if (base->fingerprint.size_bytes == 0) {
		base_close(base);
		rc = failure_set(failure, FAILURE_USAGE, resolved,
				 "the base is empty");
		failure_hint(failure, "an image of zeros needs no base: "
				      "cowd create STORE --size SIZE");
		return rc;
	}
	snprintf(base->fingerprint.path, sizeof(base->fingerprint.path), "%s",
		 resolved);
	/* Advisory: only programs that ask for a lock see it. */
	(void)flock(base->fd, LOCK_SH | LOCK_NB);
	mutex_lock(&base->lock);
	watch_writers_locked(base);
	mutex_unlock(&base->lock);
	*out_base = base;
	return 0;
}

int base_open(const char *path, bool full_hash, struct base **out_base,
	      struct failure *failure)
{
	char resolved[PATH_MAX];

	if (!realpath(path, resolved))
		return errno == ENOENT ? missing(path, failure) :
					 failure_errno(failure, -errno, path,
						       "can't open the base");
	return open_new(resolved, full_hash, out_base, failure);
}

int base_reopen(const struct base_fingerprint *expected, const char *path,
		struct base **out_base, struct failure *failure)
{
	struct base *base = NULL;
	char difference[256];
	int rc = path ? base_open(path, false, &base, failure) :
			open_new(expected->path, false, &base, failure);

	if (rc == -ENOENT)
		failure_hint(failure, "bring it back; one that was moved is "
				      "given with --base");
	if (rc < 0)
		return rc;
	assert(base);
	fingerprint_difference(expected, &base->fingerprint, difference,
			       sizeof(difference));
	if (difference[0]) {
		failure_set(failure, FAILURE_BASE_CHANGED,
			    base->fingerprint.path,
			    "the base is not what the store was created "
			    "over: %s",
			    difference);
		failure_hint(failure, "put the original back (same content "
				      "and time of modification), or make a "
				      "new store over the new base");
		base_close(base);
		return -ESTALE;
	}
	base->fingerprint.has_full_hash = expected->has_full_hash;
	base->fingerprint.full_hash = expected->full_hash;
	*out_base = base;
	return 0;
}

void base_close(struct base *base)
{
	if (!base)
		return;
	/* Closing gives the lock and the lease back. */
	close(base->fd);
	mutex_fini(&base->lock);
	free(base);
}

const struct base_fingerprint *base_fingerprint(const struct base *base)
{
	return &base->fingerprint;
}

/* What a stat tells of a change; "" for none. */
static const char *difference_now(const struct base *base)
{
	struct base_fingerprint now;

	if (fingerprint_stat(base->fd, &now) < 0)
		return "";
	if (now.size_bytes != base->fingerprint.size_bytes)
		return "its size changed";
	if (now.mtime_ns != base->fingerprint.mtime_ns)
		return "it was modified";
	return "";
}

static void mark_changed_locked(struct base *base, const char *reason)
	REQUIRES(base->lock)
{
	if (base->state.changed)
		return;
	base->state.changed = true;
	snprintf(base->state.reason, sizeof(base->state.reason), "%s", reason);
	__atomic_store_n(&base->changed, 1, __ATOMIC_RELEASE);
	log_message(LOG_LEVEL_ERROR, "base %s: %s", base->fingerprint.path,
		    reason);
}

static int changed(struct base *base, const char *reason)
{
	mutex_lock(&base->lock);
	mark_changed_locked(base, reason);
	mutex_unlock(&base->lock);
	return -ESTALE;
}

int base_read(struct base *base, uint64_t offset_bytes, void *data,
	      size_t len_bytes)
{
	uint64_t size_bytes = base->fingerprint.size_bytes;
	const char *reason;
	size_t inside = 0;
	ssize_t n;

	if (__atomic_load_n(&base->changed, __ATOMIC_ACQUIRE))
		return -ESTALE; /* I2 */
	if (offset_bytes < size_bytes)
		inside = size_bytes - offset_bytes < len_bytes ?
				 (size_t)(size_bytes - offset_bytes) :
				 len_bytes;
	n = inside ? io_read_full(base->fd, data, inside, offset_bytes) : 0;
	if (n < 0)
		return log_errno((int)n, "base %s: read at %" PRIu64,
				 base->fingerprint.path, offset_bytes);
	if ((size_t)n < inside)
		return changed(base, "it is shorter than it was"); /* I2 */
	/* While the lease is ours nobody has it open for writing. */
	if (!__atomic_load_n(&base->guarded, __ATOMIC_ACQUIRE)) {
		reason = difference_now(base);
		if (reason[0])
			return changed(base, reason); /* I2 */
	}
	memset((char *)data + inside, 0, len_bytes - inside);
	return 0;
}

int base_seek(struct base *base, uint64_t offset_bytes, bool want_data,
	      uint64_t *out_offset_bytes)
{
	uint64_t size_bytes = base->fingerprint.size_bytes;
	off_t found;

	if (offset_bytes >= size_bytes) {
		*out_offset_bytes = offset_bytes;
		return 0;
	}
	found = lseek(base->fd, (off_t)offset_bytes,
		      want_data ? SEEK_DATA : SEEK_HOLE);
	if (found >= 0)
		*out_offset_bytes = (uint64_t)found < size_bytes ?
					    (uint64_t)found :
					    size_bytes;
	else if (errno == ENXIO)
		*out_offset_bytes = size_bytes;
	else /* a file system that can't tell: all data */
		*out_offset_bytes = want_data ? offset_bytes : size_bytes;
	return 0;
}

void base_advise(struct base *base, uint64_t offset_bytes, uint64_t len_bytes)
{
	(void)posix_fadvise(base->fd, (off_t)offset_bytes, (off_t)len_bytes,
			    POSIX_FADV_WILLNEED);
}

/* A path that names nothing is no change: what is open is the original. */
static bool path_names_another(const struct base *base)
{
	const struct base_fingerprint *f = &base->fingerprint;
	struct stat st;

	return f->kind == BASE_KIND_FILE && lstat(f->path, &st) == 0 &&
	       (st.st_ino != f->inode || st.st_dev != f->device);
}

static void look_locked(struct base *base) REQUIRES(base->lock)
{
	const char *reason;

	watch_writers_locked(base);
	reason = difference_now(base);
	if (reason[0])
		mark_changed_locked(base, reason);
	else if (path_names_another(base))
		mark_changed_locked(base, "its path names another file now");
	else if (base->state.being_written)
		snprintf(base->state.reason, sizeof(base->state.reason),
			 "somebody has it open for writing");
	else
		base->state.reason[0] = '\0';
}

void base_check(struct base *base, struct base_state *out_state)
{
	mutex_lock(&base->lock);
	if (!base->state.changed)
		look_locked(base);
	*out_state = base->state;
	mutex_unlock(&base->lock);
}
