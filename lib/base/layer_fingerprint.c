/*
 * What tells one directory from another: its inode, and its time of birth or,
 * on a file system without, the device. An inode number is used again for
 * another directory, but not with the same time of birth; a device number
 * changes when the host starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "layers.h"
#include "layers_impl.h"

static int open_path(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* known: a store was made over it. */
static int explain(int rc, const char *path, bool known,
		   struct failure *failure)
{
	if (rc == -ENOENT) {
		failure_set(failure, FAILURE_FAILED, path,
			    "the layer does not exist");
		if (known)
			failure_hint(failure,
				     "bring it back; one that was moved is "
				     "given with --base");
	} else if (rc == -ENOTDIR && known) {
		failure_set(failure, FAILURE_BASE_CHANGED, path,
			    "the layer was a directory and is none now");
		failure_hint(failure, "put the original directory back");
		return -ESTALE;
	} else if (rc == -ENOTDIR) {
		failure_set(failure, FAILURE_FAILED, path,
			    "the layer is not a directory");
	} else if (rc == -ELOOP) {
		failure_set(failure, FAILURE_BASE_CHANGED, path,
			    "a symbolic link is in the recorded path of the "
			    "layer now");
		failure_hint(failure, "name the layer itself with --base");
		return -ESTALE;
	} else if (rc == -ENOSYS || rc == -EPERM) {
		failure_set(failure, FAILURE_UNSUPPORTED, path,
			    "the kernel, or a filter of the container, does "
			    "not have openat2, without which a directory "
			    "can't be read safely");
		failure_hint(failure, "Linux 5.6 has it");
	} else {
		failure_errno(failure, rc, path, "can't open the layer");
	}
	return rc;
}

int layer_open(const char *path, bool known, int *out_fd,
	       struct failure *failure)
{
	AUTO_CLOSE int fd = open_path(path);
	int readable;

	if (fd < 0)
		return explain(fd, path, known, failure);
	readable = base_open_listing(fd);
	if (readable < 0)
		return failure_errno(failure, readable, path,
				     "can't read the layer");
	close(readable);
	*out_fd = take_fd(&fd);
	return 0;
}

int layer_identify(int fd, struct base_fingerprint *out_fingerprint)
{
	struct base_fingerprint *f = out_fingerprint;
	struct statx stx;
	int64_t btime_ns;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		  &stx) < 0)
		return -errno;
	memset(f, 0, sizeof(*f));
	f->kind = BASE_KIND_DIRECTORY;
	f->device = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	f->inode = stx.stx_ino;
	btime_ns = base_time_ns(stx.stx_btime.tv_sec,
				(int64_t)stx.stx_btime.tv_nsec);
	if ((stx.stx_mask & STATX_BTIME) && btime_ns != 0)
		f->sample_hash = XXH3_64bits(&btime_ns, sizeof(btime_ns));
	return 0;
}

int layer_compare(const struct base_fingerprint *expected,
		  const struct base_fingerprint *found, struct failure *failure)
{
	bool knows_birth = expected->sample_hash && found->sample_hash;

	if (expected->kind == BASE_KIND_DIRECTORY &&
	    expected->inode == found->inode &&
	    (knows_birth ? expected->sample_hash == found->sample_hash :
			   expected->device == found->device))
		return 0;
	failure_set(failure, FAILURE_BASE_CHANGED, found->path,
		    "the layer is another directory than the store was "
		    "created over (inode %" PRIu64 " of device %u:%u, was "
		    "%" PRIu64 " of %u:%u)",
		    found->inode, major(found->device), minor(found->device),
		    expected->inode, major(expected->device),
		    minor(expected->device));
	failure_hint(failure, "put the original directory back (a copy of it "
			      "is another one; is its file system mounted?), "
			      "or make a new store over this one");
	return -ESTALE;
}

static int fingerprint(const char *path, bool known,
		       struct base_fingerprint *out_fingerprint,
		       struct failure *failure)
{
	AUTO_CLOSE int fd = -1;
	int rc = layer_open(path, known, &fd, failure);

	if (rc < 0)
		return rc;
	rc = layer_identify(fd, out_fingerprint);
	if (rc < 0)
		return failure_errno(failure, rc, path, "can't read the layer");
	snprintf(out_fingerprint->path, sizeof(out_fingerprint->path), "%s",
		 path);
	return 0;
}

static int resolve(const char *path, bool known,
		   struct base_fingerprint *out_fingerprint,
		   struct failure *failure)
{
	char resolved[PATH_MAX];

	if (!realpath(path, resolved))
		return explain(-errno, path, known, failure);
	return fingerprint(resolved, known, out_fingerprint, failure);
}

int layer_fingerprint_take(const char *path,
			   struct base_fingerprint *out_fingerprint,
			   struct failure *failure)
{
	return resolve(path, false, out_fingerprint, failure);
}

int layer_fingerprint_check(const struct base_fingerprint *expected,
			    const char *path, struct base_fingerprint *out_now,
			    struct failure *failure)
{
	AUTO_FREE struct base_fingerprint *now = calloc(1, sizeof(*now));
	int rc;

	if (!now)
		return failure_errno(failure, -ENOMEM, expected->path,
				     "can't open the layer");
	rc = path ? resolve(path, true, now, failure) :
		    fingerprint(expected->path, true, now, failure);
	if (rc == 0)
		rc = layer_compare(expected, now, failure);
	if (rc == 0 && out_now)
		*out_now = *now;
	return rc;
}
