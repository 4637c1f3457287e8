/*
 * SEEK_DATA and SEEK_HOLE, which the kernel asks for without telling what it
 * holds dirty.
 *
 * The request's own thread must not wait for dirty pages to be written back:
 * they come as requests. A thread of its own does.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuse_impl.h"

struct seek {
	fuse_req_t req;
	struct mount *mount;
	struct handle *handle;
	fuse_ino_t node;
	off_t offset;
	bool want_data;
};

/* What is dirty is not known: all is data. */
static int seek_blindly(const struct seek *seek, uint64_t *out_found)
{
	struct file_info info;

	file_get_info(seek->handle->file, &info);
	if ((uint64_t)seek->offset >= info.size_bytes)
		return -ENXIO;
	*out_found = seek->want_data ? (uint64_t)seek->offset : info.size_bytes;
	return 0;
}

static void answer(struct seek *seek, bool blindly)
{
	uint64_t found;
	int rc = -EIO;

	if (image_enter(seek->mount, seek->handle, seek->node)) {
		rc = blindly ? seek_blindly(seek, &found) :
			       file_seek(seek->handle->file,
					 (uint64_t)seek->offset,
					 seek->want_data, &found);
		image_leave(seek->mount);
	}
	if (rc < 0)
		fuse_reply_err(seek->req, image_errno(rc));
	else
		fuse_reply_lseek(seek->req, (off_t)found);
	free(seek);
}

/* The mount stays until mounts_unuse. */
static void *answer_after_write_back(void *context)
{
	struct seek *seek = context;
	struct mounts *mounts = seek->mount->owner;

	answer(seek, image_write_back(seek->mount) < 0);
	mounts_unuse(mounts);
	return NULL;
}

static int start_thread(struct seek *seek)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	mounts_use(seek->mount->owner);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = -pthread_create(&thread, &attributes, answer_after_write_back,
			     seek);
	pthread_attr_destroy(&attributes);
	if (rc < 0)
		mounts_unuse(seek->mount->owner);
	return rc;
}

void image_lseek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence,
		 struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct handle *handle = image_handle(fi);
	struct seek *seek;

	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	seek = malloc(sizeof(*seek));
	if (!seek) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*seek = (struct seek){ req,  mount,  handle,
			       node, offset, whence == SEEK_DATA };
	/* Mappings keep their handle open: without writers all is clean. */
	if (handle->node || mount_writers(mount) == 0)
		answer(seek, false);
	else if (start_thread(seek) < 0)
		answer(seek, true);
}
