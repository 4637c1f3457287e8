/*
 * Contents. A handle is a descriptor of the plain file; all of its file
 * system's ways are those of the mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "diverge_front.h"
#include "tree_front.h"

int diverge_open_flags(int flags)
{
	/* Not O_DIRECT, which asks for aligned memory, nor O_NOATIME, for the
	 * owner; nor what only the kernel knows, as of execve. */
	return (flags & (O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC)) |
	       O_NOFOLLOW | O_CLOEXEC;
}

int diverge_handle_new(struct diverge *diverge, struct diverge_node *node,
		       int fd, unsigned layer, struct fuse_file_info *fi)
{
	struct diverge_handle *handle = calloc(1, sizeof(*handle));

	if (!handle) {
		close(fd);
		return -ENOMEM;
	}
	handle->fd = fd;
	handle->layer = layer;
	diverge_node_add_handle(diverge, node, handle);
	fi->fh = (uint64_t)(uintptr_t)handle;
	return 0;
}

void diverge_handle_free(struct diverge *diverge, struct diverge_handle *handle)
{
	diverge_node_remove_handle(diverge, handle);
	close(handle->fd);
	free(handle);
}

static int open_in(fuse_req_t req, struct diverge_request *request,
		   struct fuse_file_info *fi)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge *diverge = request->diverge;
	int flags = diverge_open_flags(fi->flags), fd, rc;
	off_t data_bytes = flags & O_TRUNC ? 0 : INT64_MAX;
	struct stat st;

	if (!request->has_path)
		return -ESTALE;
	rc = diverge_find(diverge, request->path, &found);
	if (rc == 0 && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)))
		rc = diverge_make_own(req, request->node, request->path,
				      data_bytes, &found);
	if (rc < 0)
		return rc;
	fd = diverge_layer_open(diverge, found.layer, request->path,
				flags | O_NONBLOCK);
	if (fd < 0)
		return fd;
	/* What is no file the kernel never asks us to open. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -ESTALE;
	}
	/* Who only reads has no errors to be told of. */
	fi->noflush = (flags & O_ACCMODE) == O_RDONLY;
	return diverge_handle_new(diverge, request->node, fd, found.layer, fi);
}

void diverge_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct diverge *diverge = diverge_of(req);
	bool changes = (fi->flags & O_ACCMODE) != O_RDONLY ||
		       (fi->flags & O_TRUNC);
	struct diverge_request request;
	int rc = diverge_begin(&request, req, id, NULL, changes);

	if (rc == 0) {
		rc = open_in(req, &request, fi);
		diverge_end(&request);
	}
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		diverge_handle_free(diverge, diverge_handle(fi));
}

void diverge_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	diverge_handle_free(diverge_of(req), diverge_handle(fi));
	fuse_reply_err(req, 0);
}

void diverge_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		  struct fuse_file_info *fi)
{
	struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(size);

	(void)id;
	buffer.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	buffer.buf[0].fd = diverge_handle(fi)->fd;
	buffer.buf[0].pos = offset;
	fuse_reply_data(req, &buffer, 0);
}

void diverge_kill_mode(fuse_req_t req, int fd)
{
	struct stat st;
	mode_t mode;

	if (geteuid() != 0 || fuse_req_ctx(req)->uid == 0 ||
	    fstat(fd, &st) < 0 || !(st.st_mode & (S_ISUID | S_ISGID)))
		return;
	mode = st.st_mode & 07777 & ~(mode_t)S_ISUID;
	if ((mode & S_IXGRP) || !front_keeps_setgid(req, st.st_gid))
		mode &= ~(mode_t)S_ISGID;
	(void)!fchmod(fd, mode);
}

void diverge_write_buf(fuse_req_t req, fuse_ino_t id, struct fuse_bufvec *from,
		       off_t offset, struct fuse_file_info *fi)
{
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(fuse_buf_size(from));
	ssize_t n;

	(void)id;
	to.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	to.buf[0].fd = diverge_handle(fi)->fd;
	to.buf[0].pos = offset;
	diverge_kill_mode(req, to.buf[0].fd);
	n = fuse_buf_copy(&to, from, 0);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

/* Errors that the file system tells when a descriptor is closed. */
void diverge_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	int fd = dup(diverge_handle(fi)->fd);

	(void)id;
	fuse_reply_err(req, fd < 0 || close(fd) < 0 ? errno : 0);
}

void diverge_fsync(fuse_req_t req, fuse_ino_t id, int datasync,
		   struct fuse_file_info *fi)
{
	int fd = diverge_handle(fi)->fd;

	(void)id;
	fuse_reply_err(req,
		       (datasync ? fdatasync(fd) : fsync(fd)) < 0 ? errno : 0);
}

void diverge_fsyncdir(fuse_req_t req, fuse_ino_t id, int datasync,
		      struct fuse_file_info *fi)
{
	struct diverge_request request;
	int rc = diverge_begin(&request, req, id, NULL, false);
	unsigned i;

	(void)datasync, (void)fi;
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	for (i = 0; i < request.diverge->layer_count && request.has_path; i++) {
		AUTO_CLOSE int fd = -1;

		if (diverge_is_fixed(request.diverge, i))
			continue;
		fd = diverge_layer_open(request.diverge, i, request.path,
					O_RDONLY | O_DIRECTORY);
		if (fd >= 0 && fsync(fd) < 0)
			rc = -errno;
	}
	if (rc == 0 && request.diverge->holes)
		rc = holes_sync(request.diverge->holes);
	diverge_end(&request);
	fuse_reply_err(req, -rc);
}

void diverge_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset,
		       off_t length, struct fuse_file_info *fi)
{
	(void)id;
	fuse_reply_err(req, fallocate(diverge_handle(fi)->fd, mode, offset,
				      length) < 0 ?
				    errno :
				    0);
}

void diverge_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence,
		   struct fuse_file_info *fi)
{
	off_t at = lseek(diverge_handle(fi)->fd, offset, whence);

	(void)id;
	if (at < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, at);
}

void diverge_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset,
			     struct fuse_file_info *from_fi, fuse_ino_t to,
			     off_t to_offset, struct fuse_file_info *to_fi,
			     size_t length, int flags)
{
	ssize_t n = copy_file_range(diverge_handle(from_fi)->fd, &from_offset,
				    diverge_handle(to_fi)->fd, &to_offset,
				    length, (unsigned)flags);

	(void)from, (void)to;
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}
