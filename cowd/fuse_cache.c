/*
 * What the kernel caches of an image, seen from the daemon: dirty pages are
 * called in, and the size is told, through the mount itself, as errands.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse_impl.h"

static int open_image(struct mount *mount, int flags)
{
	char path[sizeof(mount->mountpoint) + sizeof(mount->options.name) + 1];
	AUTO_CLOSE int fd = -1;
	struct stat st;

	/* The place first: to open what is there now could do anything. */
	fd = mount_open_root(mount, O_PATH);
	if (fd < 0)
		return fd;
	close(take_fd(&fd));
	snprintf(path, sizeof(path), "%s/%s", mount->mountpoint,
		 mount->options.name);
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != atomic_load(&mount->device))
		return -ENOENT;
	return take_fd(&fd);
}

static int write_pages(int fd)
{
	/* fsync would wait for the inode lock that lseek holds. */
	return sync_file_range(fd, 0, 0,
			       SYNC_FILE_RANGE_WAIT_BEFORE |
				       SYNC_FILE_RANGE_WRITE |
				       SYNC_FILE_RANGE_WAIT_AFTER) < 0 ?
		       -errno :
		       0;
}

static int write_back(struct errand *errand)
{
	AUTO_CLOSE int fd = open_image(errand->mount, O_RDONLY);
	int rc;

	errand->unreachable = fd < 0;
	if (fd < 0)
		return fd;
	rc = write_pages(fd);
	return rc == 0 && errand->with_times && fsync(fd) < 0 ? -errno : rc;
}

int image_write_back(struct mount *mount)
{
	struct errand errand = { .run = write_back, .mount = mount };

	return errand_run(&errand);
}

int image_flush_all(struct mount *mount)
{
	struct errand errand = {
		.run = write_back,
		.mount = mount,
		.with_times = true,
	};
	int rc;

	if (mount->options.read_only || mount->snapshot_id)
		return 0;
	rc = errand_run(&errand);
	if (errand.unreachable) /* drops the clean pages, too */
		return fuse_lowlevel_notify_inval_inode(
			mount->session, image_node(mount), 0, 0);
	return rc;
}

/* The dirty pages of the old node are tried, and fail: all but what is made
 * dirty meanwhile is gone before it comes to a notification, which waits for
 * them with /dev/fuse open. */
static int write_in_vain(struct errand *errand)
{
	AUTO_CLOSE int fd = open_image(errand->mount, O_RDONLY);

	image_raise_epoch(errand->mount);
	return fd < 0 ? fd : write_pages(fd);
}

void image_revoke(struct mount *mount)
{
	struct errand errand = { .run = write_in_vain, .mount = mount };
	fuse_ino_t node = image_node(mount);

	(void)!errand_run(&errand);
	if (image_node(mount) == node)
		image_raise_epoch(mount); /* there was no thread */
	fuse_lowlevel_notify_inval_inode(mount->session, node, 0, 0);
	fuse_lowlevel_notify_inval_entry(mount->session, FUSE_ROOT_ID,
					 mount->options.name,
					 strlen(mount->options.name));
}

static int drop_pages(struct errand *errand)
{
	struct mount *mount = errand->mount;
	AUTO_CLOSE int fd = -1;

	atomic_store(&mount->dropping_pages, true);
	fd = open_image(mount, O_RDONLY);
	atomic_store(&mount->dropping_pages, false);
	return fd < 0 ? fd : 0;
}

/*
 * By an open without FOPEN_KEEP_CACHE: it waits for pages that somebody reads,
 * as a notification does, but that needs /dev/fuse (I1).
 */
void image_drop_pages(struct mount *mount)
{
	struct errand errand = { .run = drop_pages, .mount = mount };
	bool dropped = errand_run(&errand) == 0;

	fuse_lowlevel_notify_inval_inode(mount->session, image_node(mount),
					 dropped ? -1 : 0, 0);
}

static int tell_size(struct errand *errand)
{
	struct mount *mount = errand->mount;
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
	/* Not /proc/self: those are the daemon's. */
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	atomic_store(&mount->telling_size, true);
	if (truncate(path, (off_t)info.size_bytes) < 0)
		rc = -errno;
	atomic_store(&mount->telling_size, false);
	return rc;
}

int image_tell_size(struct mount *mount)
{
	struct errand errand = { .run = tell_size, .mount = mount };

	return errand_run(&errand);
}

static int tell_growth(struct errand *errand)
{
	struct mount *mount = errand->mount;
	struct file_info info;
	AUTO_CLOSE int fd = -1;

	file_get_info(view_image(mount->view), &info);
	fd = open_image(mount, O_WRONLY);
	if (fd < 0)
		return fd;
	/* Unlike ftruncate it never cuts off what was just appended. */
	return fallocate(fd, 0, (off_t)info.size_bytes - 1, 1) < 0 ? -errno : 0;
}

int image_tell_growth(struct mount *mount)
{
	struct errand errand = { .run = tell_growth, .mount = mount };

	return mount->options.read_only ? 0 : errand_run(&errand);
}
