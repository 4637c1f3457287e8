/* Whole reads and writes over pread and pwrite. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int io_write_all(int fd, const void *data, size_t len_bytes,
		 uint64_t offset_bytes)
{
	const char *next = data;

	while (len_bytes > 0) {
		ssize_t n = pwrite(fd, next, len_bytes, (off_t)offset_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		next += n;
		len_bytes -= (size_t)n;
		offset_bytes += (uint64_t)n;
	}
	return 0;
}

ssize_t io_read_full(int fd, void *data, size_t len_bytes,
		     uint64_t offset_bytes)
{
	char *next = data;
	size_t done = 0;

	while (done < len_bytes) {
		ssize_t n = pread(fd, next + done, len_bytes - done,
				  (off_t)(offset_bytes + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int io_open_own(int dir_fd, const char *name, int flags)
{
	AUTO_CLOSE int fd = openat(dir_fd, name,
				   flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
				   0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return -EUCLEAN;
	return take_fd(&fd);
}

int io_sync_data(int fd)
{
	while (fdatasync(fd) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}
