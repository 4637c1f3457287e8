/*
 * What the kernel caches of an image, seen from the daemon: dirty pages are
 * called in, and the size is told, through the mount itself.
 *
 * Never by a thread that serves requests: all this waits for requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse_impl.h"

/* The image by its path, if that leads to this mount: another may be mounted
 * over it, or it was unmounted lazily. */
static int open_image(struct mount *mount, int flags)
{
	char path[sizeof(mount->mountpoint) + sizeof(mount->options.name) + 1];
	AUTO_CLOSE int fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", mount->mountpoint,
		 mount->options.name);
	/* The place first: to open what is there now could do anything. */
	fd = open(mount->mountpoint, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != atomic_load(&mount->device))
		return -ENOENT;
	close(take_fd(&fd));
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != atomic_load(&mount->device))
		return -ENOENT;
	return take_fd(&fd);
}

int image_write_back(struct mount *mount, bool with_times)
{
	AUTO_CLOSE int fd = -1;

	if (mount->options.read_only || mount->snapshot_id)
		return 0;
	fd = open_image(mount, O_RDONLY);
	if (fd < 0) /* drops the clean pages, too */
		return fuse_lowlevel_notify_inval_inode(
			mount->session, image_node(mount), 0, 0);
	/* fsync would wait for the inode lock that lseek holds. */
	if (sync_file_range(fd, 0, 0,
			    SYNC_FILE_RANGE_WAIT_BEFORE |
				    SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER) < 0)
		return -errno;
	if (with_times && fsync(fd) < 0)
		return -errno;
	return 0;
}

int image_tell_size(struct mount *mount)
{
	struct file_info info;
	AUTO_CLOSE int fd = open_image(mount, O_PATH);
	char path[40];
	struct stat st;
	int rc = 0;

	file_get_info(view_image(mount->view), &info);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (mount->options.read_only || (uint64_t)st.st_size == info.size_bytes)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	atomic_store(&mount->telling_size, true);
	if (truncate(path, (off_t)info.size_bytes) < 0)
		rc = -errno;
	atomic_store(&mount->telling_size, false);
	return rc;
}

int image_tell_growth(struct mount *mount)
{
	struct file_info info;
	AUTO_CLOSE int fd = -1;

	if (mount->options.read_only)
		return 0;
	file_get_info(view_image(mount->view), &info);
	fd = open_image(mount, O_WRONLY);
	if (fd < 0)
		return fd;
	/* Unlike ftruncate it never cuts off what was just appended. */
	return fallocate(fd, 0, (off_t)info.size_bytes - 1, 1) < 0 ? -errno : 0;
}
