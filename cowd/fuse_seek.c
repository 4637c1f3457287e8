/*
 * SEEK_DATA and SEEK_HOLE, which the kernel asks for without telling what
 * it holds dirty; and how the kernel's dirty pages reach the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse_impl.h"

int image_write_back(struct mount *mount, bool with_times)
{
	char path[4096 + STORE_NAME_BYTES_MAX + 2];
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (mount->options.read_only || mount->snapshot_id)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", mount->mountpoint,
		 mount->options.name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (mount->device && st.st_dev != mount->device)
		return -ENOENT; /* something is mounted over it */
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

struct seek {
	fuse_req_t req;
	struct mount *mount;
	struct file *file;
	off_t offset;
	bool want_data;
};

static void *seek_after_write_back(void *context)
{
	struct seek *seek = context;
	uint64_t found;
	int rc;

	if (seek->mount)
		(void)!image_write_back(seek->mount, false);
	rc = file_seek(seek->file, (uint64_t)seek->offset, seek->want_data,
		       &found);
	if (rc < 0)
		fuse_reply_err(seek->req, image_errno(rc));
	else
		fuse_reply_lseek(seek->req, (off_t)found);
	free(seek);
	return NULL;
}

/*
 * The kernel asks without writing its dirty pages back first, and this
 * request's own thread must not wait for them: they come as requests.
 */
void image_lseek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence,
		 struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct handle *handle = image_handle(fi);
	struct seek *seek = calloc(1, sizeof(*seek));
	pthread_attr_t attributes;
	pthread_t thread;

	(void)node;
	if (!seek || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
		free(seek);
		fuse_reply_err(req, seek ? EINVAL : ENOMEM);
		return;
	}
	*seek = (struct seek){ req, mount, handle->file, offset,
			       whence == SEEK_DATA };
	if (handle->node || atomic_load(&mount->writers) == 0) {
		/* Mappings keep their handle open: nothing can be dirty. */
		seek->mount = NULL;
		seek_after_write_back(seek);
		return;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, seek_after_write_back, seek))
		seek_after_write_back(seek);
	pthread_attr_destroy(&attributes);
}
