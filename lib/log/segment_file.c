/* Segment files: names, creation, a small cache of descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "log_impl.h"
#include "logging.h"

void log_segment_name(uint32_t segment, char name[16])
{
	snprintf(name, 16, "%08" PRIx32 ".seg", segment);
}

int log_segment_create(const struct log_params *params, uint32_t segment,
		       uint64_t first_lsn, const char **from)
{
	struct segment_header header = {
		.segment = segment,
		.seed = params->seed,
		.first_lsn = first_lsn,
	};
	uint8_t block[FORMAT_BLOCK_BYTES];
	AUTO_CLOSE int fd = -1;
	char name[16];
	int rc;

	log_segment_name(segment, name);
	memcpy(header.uuid, params->uuid, sizeof(header.uuid));
	segment_header_encode(&header, block);
	if (*from && io_rename(params->directory_fd, *from, name) < 0)
		*from = NULL;
	fd = io_open(params->directory_fd, name,
		     O_RDWR | O_CREAT | (*from ? 0 : O_TRUNC));
	if (fd < 0)
		return fd;
	rc = io_write_all(fd, block, sizeof(block), 0);
	if (rc < 0)
		(void)!io_unlink(params->directory_fd, name);
	return rc;
}

static int open_checked(struct log *log, uint32_t segment)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct segment_header header;
	AUTO_CLOSE int fd = -1;
	char name[16];
	ssize_t n;
	int rc;

	log_segment_name(segment, name);
	fd = io_open_own(log->params.directory_fd, name, O_RDWR);
	if (fd < 0)
		return take_fd(&fd);
	n = io_read_full(fd, block, sizeof(block), 0);
	if (n < 0)
		return (int)n;
	rc = segment_header_decode(block, (size_t)n, &header);
	if (rc < 0)
		return log_errno(rc, "segment %s: its header is wrong", name);
	if (header.segment != segment || header.seed != log->params.seed ||
	    memcmp(header.uuid, log->params.uuid, sizeof(header.uuid)) != 0)
		return log_errno(-EUCLEAN, "segment %s is of another store",
				 name); /* F-6 */
	return take_fd(&fd);
}

int log_fd_get(struct log *log, uint32_t segment, struct log_fd *out_fd)
{
	struct log_fd_slot *slot = &log->fds[segment % LOG_FD_SLOTS];
	int fd;

	mutex_lock(&log->fd_lock);
	if (slot->segment == segment) {
		slot->references++;
		*out_fd = (struct log_fd){ slot->fd, slot };
		mutex_unlock(&log->fd_lock);
		return 0;
	}
	fd = open_checked(log, segment);
	if (fd < 0) {
		mutex_unlock(&log->fd_lock);
		return fd;
	}
	if (slot->references > 0) {
		*out_fd = (struct log_fd){ fd, NULL };
	} else {
		if (slot->segment)
			close(slot->fd);
		*slot = (struct log_fd_slot){ segment, fd, 1 };
		*out_fd = (struct log_fd){ fd, slot };
	}
	mutex_unlock(&log->fd_lock);
	return 0;
}

void log_fd_put(struct log *log, struct log_fd fd)
{
	if (!fd.slot) {
		close(fd.fd);
		return;
	}
	mutex_lock(&log->fd_lock);
	fd.slot->references--;
	mutex_unlock(&log->fd_lock);
}

/* Best effort: a reader that holds it right now keeps it a little longer. */
void log_fd_forget(struct log *log, uint32_t segment)
{
	struct log_fd_slot *slot = &log->fds[segment % LOG_FD_SLOTS];

	mutex_lock(&log->fd_lock);
	if (slot->segment == segment && slot->references == 0) {
		close(slot->fd);
		*slot = (struct log_fd_slot){ 0, -1, 0 };
	}
	mutex_unlock(&log->fd_lock);
}

int log_read_blocks(struct log *log, struct location at, void *data,
		    uint32_t blocks)
{
	size_t len_bytes = (size_t)blocks * FORMAT_BLOCK_BYTES;
	struct log_fd fd;
	ssize_t n;
	int rc = log_fd_get(log, at.segment, &fd);

	if (rc < 0)
		return rc;
	n = io_read_full(fd.fd, data, len_bytes,
			 (uint64_t)at.block * FORMAT_BLOCK_BYTES);
	log_fd_put(log, fd);
	if (n < 0)
		return (int)n;
	memset((char *)data + n, 0, len_bytes - (size_t)n);
	return 0;
}

int log_write_blocks(struct log *log, struct location at, const void *data,
		     uint32_t blocks)
{
	struct log_fd fd;
	int rc = log_fd_get(log, at.segment, &fd);

	if (rc < 0)
		return rc;
	rc = io_write_all(fd.fd, data, (size_t)blocks * FORMAT_BLOCK_BYTES,
			  (uint64_t)at.block * FORMAT_BLOCK_BYTES);
	log_fd_put(log, fd);
	log_mark_unsynced(log, at.segment);
	return rc;
}

void log_advise(struct log *log, struct location at, uint32_t blocks)
{
	struct log_fd fd;

	if (log_fd_get(log, at.segment, &fd) < 0)
		return;
	(void)posix_fadvise(fd.fd, (off_t)at.block * FORMAT_BLOCK_BYTES,
			    (off_t)blocks * FORMAT_BLOCK_BYTES,
			    POSIX_FADV_WILLNEED);
	log_fd_put(log, fd);
}

int log_punch(struct log *log, struct location at, uint32_t blocks)
{
	struct log_fd fd;
	int rc = log_fd_get(log, at.segment, &fd);

	if (rc < 0)
		return rc;
	rc = io_punch(fd.fd, (uint64_t)at.block * FORMAT_BLOCK_BYTES,
		      (uint64_t)blocks * FORMAT_BLOCK_BYTES);
	log_fd_put(log, fd);
	return rc;
}

int log_remove_segment(struct log *log, uint32_t segment)
{
	char name[16];
	int rc;

	log_fd_forget(log, segment);
	log_segment_name(segment, name);
	rc = io_unlink(log->params.directory_fd, name);
	return rc == -ENOENT ? 0 : rc;
}
