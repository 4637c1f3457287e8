/*
 * Errands: what the daemon does through its own mount.
 *
 * Never by a thread that serves requests: all this waits for requests.
 *
 * I1: a thread that may wait in the daemon's own mount has no /dev/fuse.
 *
 * Such a call can't be interrupted, by kill -9 neither, while somebody else
 * has the image's inode lock and waits for an answer of the daemon. Killed
 * then, the daemon's other threads are gone and that one is not. Did it have
 * /dev/fuse open, the connection would stay, and both would wait for ever.
 * So the calls are made by a thread with a table of descriptors of its own:
 * with the others goes /dev/fuse, and all who wait are told so.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount_impl.h"

int mount_open_root(struct mount *mount, int flags)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	/* What lies over it may be waiting for the very request that this is
	 * done for. */
	if (mount->options.rules[0])
		return -ENOENT;
	fd = open(mount->mountpoint, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != atomic_load(&mount->device))
		return -ENOENT;
	if (flags & O_PATH)
		return take_fd(&fd);
	close(take_fd(&fd));
	fd = open(mount->mountpoint, flags | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != atomic_load(&mount->device))
		return -ENOENT;
	return take_fd(&fd);
}

static void *run_apart(void *context)
{
	struct errand *errand = context;

	/* I1; a kernel that can't do that goes without. */
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0 &&
	    errno != ENOSYS && errno != EPERM)
		errand->rc = -errno;
	else
		errand->rc = errand->run(errand);
	return NULL;
}

int errand_run(struct errand *errand)
{
	pthread_t thread;
	int rc = -pthread_create(&thread, NULL, run_apart, errand);

	if (rc < 0)
		return rc;
	pthread_join(thread, NULL);
	return errand->rc;
}
