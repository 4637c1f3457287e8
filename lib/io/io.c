/* Whole reads and writes over pread and pwrite, and the seam. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_hook.h"

const struct io_hook *io_hook;

/* One pwrite; as pwrite, but for the negative errno. */
static ssize_t write_some(int fd, const void *data, size_t len_bytes,
			  uint64_t offset_bytes)
{
	struct io_event event = {
		.op = IO_OP_WRITE,
		.fd = fd,
		.offset = offset_bytes,
		.len = len_bytes,
		.data = data,
	};
	ssize_t n = io_ask(&event);

	if (n < 0)
		return n;
	n = pwrite(fd, data, event.len, (off_t)offset_bytes);
	if (n < 0)
		n = -errno;
	io_tell(&event, n);
	return n;
}

int io_write_all(int fd, const void *data, size_t len_bytes,
		 uint64_t offset_bytes)
{
	const char *next = data;

	while (len_bytes > 0) {
		ssize_t n = write_some(fd, next, len_bytes, offset_bytes);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EIO;
		next += n;
		len_bytes -= (size_t)n;
		offset_bytes += (uint64_t)n;
	}
	return 0;
}

static ssize_t read_some(int fd, void *data, size_t len_bytes,
			 uint64_t offset_bytes)
{
	struct io_event event = {
		.op = IO_OP_READ,
		.fd = fd,
		.offset = offset_bytes,
		.len = len_bytes,
	};
	ssize_t n = io_ask(&event);

	if (n < 0)
		return n;
	n = pread(fd, data, event.len, (off_t)offset_bytes);
	if (n < 0)
		n = -errno;
	io_tell(&event, n);
	return n;
}

ssize_t io_read_full(int fd, void *data, size_t len_bytes,
		     uint64_t offset_bytes)
{
	char *next = data;
	size_t done = 0;

	while (done < len_bytes) {
		ssize_t n = read_some(fd, next + done, len_bytes - done,
				      offset_bytes + done);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* The calls that give 0 or an errno, again after a signal. */
static int call(const struct io_event *event)
{
	switch (event->op) {
	case IO_OP_TRUNCATE:
		return ftruncate(event->fd, (off_t)event->len);
	case IO_OP_PUNCH:
		return fallocate(event->fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 (off_t)event->offset, (off_t)event->len);
	case IO_OP_ALLOCATE:
		return fallocate(event->fd, FALLOC_FL_KEEP_SIZE,
				 (off_t)event->offset, (off_t)event->len);
	case IO_OP_SYNC:
		return event->flags & O_DSYNC ? fdatasync(event->fd) :
						fsync(event->fd);
	case IO_OP_SYNC_DIRECTORY:
		return fsync(event->dir_fd);
	case IO_OP_MAKE_DIRECTORY:
		return mkdirat(event->dir_fd, event->name, 0700);
	case IO_OP_REMOVE_DIRECTORY:
		return unlinkat(event->dir_fd, event->name, AT_REMOVEDIR);
	case IO_OP_RENAME:
		return renameat(event->dir_fd, event->name, event->dir_fd,
				event->new_name);
	case IO_OP_UNLINK:
		return unlinkat(event->dir_fd, event->name, 0);
	case IO_OP_OPEN:
	case IO_OP_READ:
	case IO_OP_WRITE:
		break;
	}
	errno = EINVAL;
	return -1;
}

static int run(struct io_event *event)
{
	int rc;

	do {
		rc = io_ask(event);
		if (rc == 0) {
			rc = call(event) < 0 ? -errno : 0;
			io_tell(event, rc);
		}
	} while (rc == -EINTR);
	return rc;
}

int io_truncate(int fd, uint64_t len_bytes)
{
	struct io_event event = { .op = IO_OP_TRUNCATE,
				  .fd = fd,
				  .len = len_bytes };

	return run(&event);
}

int io_punch(int fd, uint64_t offset_bytes, uint64_t len_bytes)
{
	struct io_event event = {
		.op = IO_OP_PUNCH,
		.fd = fd,
		.offset = offset_bytes,
		.len = len_bytes,
	};

	return run(&event);
}

int io_allocate(int fd, uint64_t offset_bytes, uint64_t len_bytes)
{
	struct io_event event = {
		.op = IO_OP_ALLOCATE,
		.fd = fd,
		.offset = offset_bytes,
		.len = len_bytes,
	};

	return run(&event);
}

int io_open(int dir_fd, const char *name, int flags)
{
	struct io_event event = {
		.op = IO_OP_OPEN,
		.fd = -1,
		.dir_fd = dir_fd,
		.name = name,
		.flags = flags,
	};
	int fd;

	do {
		fd = io_ask(&event);
		if (fd == 0) {
			fd = openat(dir_fd, name,
				    flags | O_NOFOLLOW | O_CLOEXEC, 0600);
			if (fd < 0)
				fd = -errno;
			io_tell(&event, fd);
		}
	} while (fd == -EINTR);
	return fd;
}

int io_open_own(int dir_fd, const char *name, int flags)
{
	AUTO_CLOSE int fd = io_open(dir_fd, name, flags | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return -EUCLEAN;
	return take_fd(&fd);
}

static int at_name(enum io_op op, int dir_fd, const char *name,
		   const char *new_name)
{
	struct io_event event = {
		.op = op,
		.fd = -1,
		.dir_fd = dir_fd,
		.name = name,
		.new_name = new_name,
	};

	return run(&event);
}

int io_make_directory(int dir_fd, const char *name)
{
	return at_name(IO_OP_MAKE_DIRECTORY, dir_fd, name, NULL);
}

int io_remove_directory(int dir_fd, const char *name)
{
	return at_name(IO_OP_REMOVE_DIRECTORY, dir_fd, name, NULL);
}

int io_rename(int dir_fd, const char *name, const char *new_name)
{
	return at_name(IO_OP_RENAME, dir_fd, name, new_name);
}

int io_unlink(int dir_fd, const char *name)
{
	return at_name(IO_OP_UNLINK, dir_fd, name, NULL);
}

int io_sync_data(int fd)
{
	struct io_event event = { .op = IO_OP_SYNC,
				  .fd = fd,
				  .flags = O_DSYNC };

	return run(&event);
}

int io_sync(int fd)
{
	struct io_event event = { .op = IO_OP_SYNC, .fd = fd };

	return run(&event);
}

int io_sync_directory(int dir_fd)
{
	struct io_event event = { .op = IO_OP_SYNC_DIRECTORY,
				  .fd = -1,
				  .dir_fd = dir_fd };

	return run(&event);
}
