/*
 * Between libfuse and /dev/fuse. Before 3.17 libfuse accepts the flags for
 * parallel look-ups and for HANDLE_KILLPRIV_V2, and never sends them; without
 * the latter each write asks for security.capability. It knows no TMPFILE,
 * which is told and answered as CREATE is; and it hides the flags that say
 * whose privileges are to go. For STATX see wire_statx.h.
 *
 * A request is answered by the thread that read it, or by none of these.
 *
 * One thread reads at a time, see read_turn.h. What moves much data, or waits
 * for the disk, is done beside the next requests.
 */
#include "mount_wire.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mount_impl.h"
#include "read_turn.h"
#include "wire_statx.h"

/* FUSE_TMPFILE, and others, are newer than some headers. */
enum { OPCODE_TMPFILE = 51, NOTIFY_INC_EPOCH = 8, MUCH_BYTES = 32 << 10 };

static _Thread_local bool kills;
/* Of an INIT that the thread has read and not answered, else 0. */
static _Thread_local uint64_t init_unique;
static _Thread_local uint32_t init_offered;
/* The same of a STATX, and what it is to be told. */
static _Thread_local uint64_t statx_unique;
static _Thread_local int64_t statx_birth_ns;

static void look_at_init(const struct fuse_in_header *header, const char *body,
			 size_t body_bytes)
{
	struct fuse_init_in init = { 0 };

	memcpy(&init, body,
	       body_bytes < sizeof(init) ? body_bytes : sizeof(init));
	init_unique = header->unique;
	init_offered = init.flags;
}

static bool asks_to_kill(uint32_t opcode, const char *body, size_t body_bytes)
{
	struct fuse_setattr_in attributes = { 0 };
	struct fuse_write_in write_in = { 0 };

	switch (opcode) {
	case FUSE_SETATTR:
		if (body_bytes >= sizeof(attributes))
			memcpy(&attributes, body, sizeof(attributes));
		return attributes.valid & FATTR_KILL_SUIDGID;
	case FUSE_WRITE:
		if (body_bytes >= sizeof(write_in))
			memcpy(&write_in, body, sizeof(write_in));
		return write_in.write_flags & FUSE_WRITE_KILL_SUIDGID;
	default:
		return false;
	}
}

static bool is_slow(uint32_t opcode, const char *body, size_t body_bytes)
{
	struct fuse_read_in read_in = { 0 };

	switch (opcode) {
	case FUSE_READ:
		if (body_bytes >= sizeof(read_in))
			memcpy(&read_in, body, sizeof(read_in));
		return read_in.size > MUCH_BYTES;
	case FUSE_WRITE:
		return body_bytes > MUCH_BYTES;
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
		return true;
	default:
		return false;
	}
}

static ssize_t read_in_turn(struct mount *mount, int fd, void *buffer,
			    size_t buffer_bytes)
{
	struct read_turn *turn = mount->turn;
	struct fuse_in_header header = { 0 };
	ssize_t n;
	int error;

	read_turn_take(turn);
	linger_wait(&mount->linger, fd);
	n = read(fd, buffer, buffer_bytes);
	error = errno;
	if (n >= (ssize_t)sizeof(header))
		memcpy(&header, buffer, sizeof(header));
	read_turn_leave(turn, is_slow(header.opcode,
				      (const char *)buffer + sizeof(header),
				      n < (ssize_t)sizeof(header) ?
					      0 :
					      (size_t)n - sizeof(header)));
	errno = error;
	return n;
}

static ssize_t wire_read(int fd, void *buffer, size_t buffer_bytes,
			 void *userdata)
{
	ssize_t n = read_in_turn(userdata, fd, buffer, buffer_bytes);
	struct fuse_in_header header;
	const char *body = (const char *)buffer + sizeof(header);
	size_t body_bytes;

	kills = false;
	init_unique = 0;
	statx_unique = 0;
	if (n < (ssize_t)sizeof(header))
		return n;
	memcpy(&header, buffer, sizeof(header));
	body_bytes = (size_t)n - sizeof(header);
	if (header.opcode == OPCODE_TMPFILE) {
		header.opcode = FUSE_CREATE;
		memcpy(buffer, &header, sizeof(header));
	} else if (header.opcode == WIRE_STATX_OPCODE) {
		statx_unique = header.unique;
		statx_birth_ns = 0;
		header.opcode = FUSE_GETATTR;
		memcpy(buffer, &header, sizeof(header));
	} else if (header.opcode == FUSE_INIT) {
		look_at_init(&header, body, body_bytes);
	} else {
		kills = asks_to_kill(header.opcode, body, body_bytes);
	}
	return n;
}

/* What we want of what the kernel offers joins what libfuse wants. */
static void want_more(struct iovec *init)
{
	const uint32_t wanted = FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2;
	struct fuse_init_out out = { 0 };
	size_t bytes = init->iov_len < sizeof(out) ? init->iov_len :
						     sizeof(out);

	memcpy(&out, init->iov_base, bytes);
	out.flags |= init_offered & wanted;
	memcpy(init->iov_base, &out, bytes);
}

static ssize_t answer_statx(int fd, struct fuse_out_header *header,
			    const struct iovec *getattr)
{
	struct fuse_attr_out told = { 0 };
	struct wire_statx_out out;
	struct iovec iov[2] = { { header, sizeof(*header) },
				{ &out, sizeof(out) } };

	memcpy(&told, getattr->iov_base,
	       getattr->iov_len < sizeof(told) ? getattr->iov_len :
						 sizeof(told));
	wire_statx_fill(&told, statx_birth_ns, &out);
	header->len = sizeof(*header) + sizeof(out);
	return writev(fd, iov, 2);
}

static ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fuse_out_header header;

	(void)userdata;
	if (init_unique && count > 1 && iov[0].iov_len >= sizeof(header)) {
		memcpy(&header, iov[0].iov_base, sizeof(header));
		if (header.unique == init_unique && header.error == 0)
			want_more(&iov[1]);
		init_unique = 0;
	}
	if (statx_unique && count > 1 && iov[0].iov_len == sizeof(header)) {
		memcpy(&header, iov[0].iov_base, sizeof(header));
		if (header.unique == statx_unique && header.error == 0)
			return answer_statx(fd, &header, &iov[1]);
	}
	return writev(fd, iov, count);
}

void wire_tell_birth(int64_t birth_ns)
{
	statx_birth_ns = birth_ns;
}

int wire_forget_names(struct mount *mount)
{
	const struct fuse_out_header header = {
		.len = sizeof(header),
		.error = NOTIFY_INC_EPOCH,
	};

	if (write(fuse_session_fd(mount->session), &header, sizeof(header)) < 0)
		return -errno;
	return 0;
}

bool wire_kills(void)
{
	return kills;
}

int wire_attach(struct mount *mount)
{
	static const struct fuse_custom_io io = {
		.writev = wire_writev,
		.read = wire_read,
	};

	int rc = read_turn_new(&mount->turn);

	linger_init(&mount->linger);
	if (rc < 0)
		return rc;
	rc = fuse_session_custom_io(mount->session, &io,
				    fuse_session_fd(mount->session));
	if (rc < 0) {
		read_turn_free(mount->turn);
		mount->turn = NULL;
	}
	return rc;
}
