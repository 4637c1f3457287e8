/*
 * Data of files in trees: read, write, sync, allocate and punch, copy, seek.
 *
 * Where the kernel does without OPEN (mounts that are read-only) a request
 * opens the file for itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data_range.h"
#include "mount_wire.h"
#include "stat_time.h"
#include "tree_virtual.h"

/* The answer has 32 bits. */
#define COPY_BYTES_MAX (UINT64_C(1) << 31)
#define DAY_NS (INT64_C(86400) * 1000000000)

/* A file between begin and end. */
struct use {
	struct mount *mount;
	struct front_node *node; /* with a reference if own is set */
	struct file *file;
	bool own;
};

/* -EIO: the handle is of a state that was left. */
static int begin(struct use *use, fuse_req_t req, fuse_ino_t id,
		 const struct fuse_file_info *fi)
{
	struct front_handle *handle = front_handle(fi);
	int rc;

	use->mount = front_mount(req);
	use->own = !handle;
	if (handle) {
		front_enter(use->mount);
		use->node = handle->node;
		use->file = handle->file;
		if (use->node->node)
			return 0;
		front_leave(use->mount);
		return -EIO;
	}
	rc = front_begin(use->mount, id, &use->node);
	if (rc < 0)
		return -EIO;
	rc = tree_file_open(use->node->node, false, &use->file);
	if (rc < 0)
		front_end(use->mount, use->node);
	return rc;
}

static void end(struct use *use)
{
	if (use->own) {
		tree_file_close(use->node->node);
		front_end(use->mount, use->node);
	} else {
		front_leave(use->mount);
	}
}

/* As relatime: once for each handle, if it is older than a change or a day. */
static void note_access(struct use *use, struct front_handle *handle)
{
	int64_t now_ns = stat_time_now_ns();
	struct tree_attr attr;

	if (!use->mount->options.keep_atime || !handle ||
	    handle->looked_at_atime || use->mount->options.read_only)
		return;
	handle->looked_at_atime = true;
	if (tree_get_attr(use->node->node, &attr) < 0 ||
	    (attr.atime_ns > attr.mtime_ns && attr.atime_ns > attr.ctime_ns &&
	     attr.atime_ns > now_ns - DAY_NS))
		return;
	attr.atime_ns = now_ns;
	/* In a snapshot it fails, as it should. */
	(void)!tree_set_attr(use->node->node, TREE_SET_ATIME | TREE_SET_CTIME,
			     &attr, NULL);
}

void front_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	AUTO_FREE char *data = malloc(size);
	size_t len_bytes = 0;
	struct use use;
	int rc;

	if (front_is_virtual(id)) {
		virtual_read(req, id, size, offset);
		return;
	}
	rc = data ? begin(&use, req, id, fi) : -ENOMEM;
	if (rc < 0) {
		fuse_reply_err(req, front_data_errno(rc));
		return;
	}
	rc = file_read(use.file, (uint64_t)offset, data, size, &len_bytes);
	if (rc == 0)
		note_access(&use, front_handle(fi));
	end(&use);
	if (rc < 0)
		fuse_reply_err(req, front_data_errno(rc));
	else
		fuse_reply_buf(req, data, len_bytes);
}

/* The kernel does not ask what became of the mode. To be told of attributes
 * only, which waits for nothing, is safe in a request's thread. */
static int kill_privileges(fuse_req_t req, struct use *use)
{
	struct tree_attr attr = { 0 };
	unsigned mask = front_kill_mode(req, use->node->node, &attr);
	int rc = 0;

	if (mask)
		rc = tree_set_attr(use->node->node, mask, &attr, NULL);
	if (mask && rc == 0)
		fuse_lowlevel_notify_inval_inode(use->mount->session,
						 use->node->id, -1, 0);
	return rc;
}

void front_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size,
		 off_t offset, struct fuse_file_info *fi)
{
	struct use use;
	int rc;

	rc = begin(&use, req, id, fi);
	if (rc < 0) {
		fuse_reply_err(req, front_data_errno(rc));
		return;
	}
	rc = use.own ? -EBADF :
		       file_write(use.file, (uint64_t)offset, data, size);
	if (rc == 0)
		front_touch(use.mount, use.node);
	if (rc == 0 && wire_kills())
		rc = kill_privileges(req, &use);
	if (rc == 0 && mount_write_is_sync(use.mount, fi))
		rc = file_sync(use.file);
	end(&use);
	if (rc < 0)
		fuse_reply_err(req, front_data_errno(rc));
	else
		fuse_reply_write(req, size);
}

void front_fsync(fuse_req_t req, fuse_ino_t id, int datasync,
		 struct fuse_file_info *fi)
{
	struct use use;
	int rc = 0;

	(void)datasync;
	if (begin(&use, req, id, fi) == 0) {
		rc = file_sync(use.file);
		end(&use);
	}
	fuse_reply_err(req, front_data_errno(rc));
}

void front_fsyncdir(fuse_req_t req, fuse_ino_t id, int datasync,
		    struct fuse_file_info *fi)
{
	(void)id, (void)datasync, (void)fi;
	fuse_reply_err(req,
		       front_data_errno(store_sync(front_mount(req)->store)));
}

/* Nothing is set aside, but what can't ever fit is refused as on ext4. */
static int check_room(const struct use *use, int mode, uint64_t end_bytes)
{
	struct tree_statfs told;
	struct file_info info;
	int rc;

	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return 0;
	file_get_info(use->file, &info);
	if (end_bytes <= info.size_bytes || !use->mount->tree->head->tree)
		return 0;
	rc = tree_statfs(use->mount->tree->head->tree, &told);
	if (rc < 0)
		return rc;
	return (end_bytes - info.size_bytes) / told.block_bytes >
			       told.available_blocks ?
		       -ENOSPC :
		       0;
}

void front_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset,
		     off_t length, struct fuse_file_info *fi)
{
	struct use use;
	int rc = begin(&use, req, id, fi);

	if (rc == 0) {
		rc = use.own ? -EBADF :
			       check_room(&use, mode,
					  (uint64_t)offset + (uint64_t)length);
		if (rc == 0)
			rc = data_change_range(use.file, mode, (uint64_t)offset,
					       (uint64_t)length);
		if (rc == 0)
			front_touch(use.mount, use.node);
		/* The request has no flag for it. */
		if (rc == 0 && fuse_req_ctx(req)->uid != 0)
			rc = kill_privileges(req, &use);
		end(&use);
	}
	fuse_reply_err(req, front_data_errno(rc));
}

/* Both of a state that is there? */
static int copy(const struct use *to, const struct front_handle *from,
		uint64_t from_offset, uint64_t to_offset, uint64_t len_bytes,
		uint64_t *out_bytes)
{
	if (!from->node->node || !to->node->node)
		return -EIO;
	return file_share(from->file, from_offset, to->file, to_offset,
			  len_bytes, out_bytes);
}

/* The kernel has written back what is dirty of both. What is not done here it
 * does itself, by reading and writing. */
void front_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset,
			   struct fuse_file_info *from_fi, fuse_ino_t to,
			   off_t to_offset, struct fuse_file_info *to_fi,
			   size_t length, int flags)
{
	struct front_handle *source = front_handle(from_fi);
	struct front_handle *target = front_handle(to_fi);
	struct use use = { .mount = front_mount(req) };
	uint64_t done = 0;
	int rc;

	(void)flags;
	if (front_is_virtual(from) || front_is_virtual(to) || !source ||
	    !target) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	use.node = target->node;
	use.file = target->file;
	front_enter(use.mount); /* once for both: it may be asked for */
	rc = copy(&use, source, (uint64_t)from_offset, (uint64_t)to_offset,
		  length < COPY_BYTES_MAX ? length : COPY_BYTES_MAX, &done);
	if (rc == 0 && done > 0) {
		front_touch(use.mount, use.node);
		if (fuse_req_ctx(req)->uid != 0) /* as fallocate */
			rc = kill_privileges(req, &use);
		if (rc == 0 && mount_write_is_sync(use.mount, to_fi))
			rc = file_sync(use.file);
	}
	front_leave(use.mount);
	if (rc < 0)
		fuse_reply_err(req, front_data_errno(rc));
	else
		fuse_reply_write(req, done);
}

struct seek {
	fuse_req_t req;
	fuse_ino_t id;
	struct fuse_file_info info;
	off_t offset;
	bool want_data;
};

static void answer_seek(const struct seek *seek)
{
	uint64_t found = 0;
	struct use use;
	int rc = begin(&use, seek->req, seek->id, &seek->info);

	if (rc == 0) {
		rc = file_seek(use.file, (uint64_t)seek->offset,
			       seek->want_data, &found);
		end(&use);
	}
	if (rc < 0)
		fuse_reply_err(seek->req, front_data_errno(rc));
	else
		fuse_reply_lseek(seek->req, (off_t)found);
}

/* What is dirty is not known: all is data. */
static void answer_blindly(const struct seek *seek)
{
	struct tree_attr attr;
	struct use use;
	int rc = begin(&use, seek->req, seek->id, &seek->info);

	if (rc == 0) {
		rc = tree_get_attr(use.node->node, &attr);
		if (rc == 0 && (uint64_t)seek->offset >= attr.size_bytes)
			rc = -ENXIO;
		end(&use);
	}
	if (rc < 0)
		fuse_reply_err(seek->req, front_data_errno(rc));
	else
		fuse_reply_lseek(seek->req, seek->want_data ?
						    seek->offset :
						    (off_t)attr.size_bytes);
}

/* Below rules, or without root, the mount can't be reached: what is dropped is
 * written, too. */
static bool is_written_back(const struct seek *seek)
{
	struct mount *mount = front_mount(seek->req);

	return front_write_back(mount) == 0 ||
	       fuse_lowlevel_notify_inval_inode(mount->session, seek->id, 0,
						0) == 0;
}

/* The mount stays until mounts_unuse. */
static void *seek_after_write_back(void *context)
{
	AUTO_FREE struct seek *seek = context;
	struct mount *mount = front_mount(seek->req);
	struct mounts *mounts = mount->owner;

	if (!is_written_back(seek))
		answer_blindly(seek);
	else
		answer_seek(seek);
	mounts_unuse(mounts);
	return NULL;
}

/* The kernel asks without writing dirty pages back, which come as requests:
 * not for this thread to wait for. */
static int seek_apart(const struct seek *seek)
{
	struct mounts *mounts = front_mount(seek->req)->owner;
	struct seek *copy = malloc(sizeof(*copy));
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	if (!copy)
		return -ENOMEM;
	*copy = *seek;
	mounts_use(mounts);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = -pthread_create(&thread, &attributes, seek_after_write_back, copy);
	pthread_attr_destroy(&attributes);
	if (rc < 0) {
		mounts_unuse(mounts);
		free(copy);
	}
	return rc;
}

static bool is_being_written(struct mount *mount,
			     const struct fuse_file_info *fi)
{
	bool written = false;

	mutex_lock(&mount->lock);
	if (front_handle(fi))
		written = front_handle(fi)->node->writers > 0;
	mutex_unlock(&mount->lock);
	return written;
}

void front_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence,
		 struct fuse_file_info *fi)
{
	struct seek seek = { req, id, *fi, offset, whence == SEEK_DATA };

	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	/* Mappings keep their handle open: without writers all is clean. */
	if (front_is_virtual(id))
		virtual_lseek(req, id, offset, whence);
	else if (!is_being_written(front_mount(req), fi))
		answer_seek(&seek);
	else if (seek_apart(&seek) < 0)
		answer_blindly(&seek);
}
