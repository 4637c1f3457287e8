/* Reading files from one end to the other, in pieces. */
#include "file_sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "io.h"

enum { PIECE_BYTES = 1 << 20 };

/* Up to most_bytes; fewer only at the end of the file. */
static int sum(int fd, uint64_t offset_bytes, uint64_t most_bytes,
	       uint64_t *out_bytes, uint64_t *out_sum)
{
	AUTO_FREE uint8_t *buffer = malloc(PIECE_BYTES);
	XXH3_state_t *state = XXH3_createState();
	uint64_t done = 0;
	int rc = buffer && state ? 0 : -ENOMEM;

	if (rc == 0)
		XXH3_64bits_reset(state);
	while (rc == 0 && done < most_bytes) {
		uint64_t left = most_bytes - done;
		size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		ssize_t n = io_read_full(fd, buffer, len, offset_bytes + done);

		if (n < 0)
			rc = (int)n;
		if (n <= 0)
			break;
		XXH3_64bits_update(state, buffer, (size_t)n);
		done += (uint64_t)n;
	}
	if (rc == 0) {
		*out_bytes = done;
		*out_sum = XXH3_64bits_digest(state);
	}
	XXH3_freeState(state);
	return rc;
}

int file_sum(int fd, uint64_t *out_bytes, uint64_t *out_sum)
{
	return sum(fd, 0, UINT64_MAX, out_bytes, out_sum);
}

int range_sum(int fd, uint64_t offset_bytes, uint64_t len_bytes,
	      uint64_t *out_sum)
{
	uint64_t done = 0;
	int rc = sum(fd, offset_bytes, len_bytes, &done, out_sum);

	return rc == 0 && done != len_bytes ? -EIO : rc;
}

int file_copy(int from_fd, int folder_fd, const char *name, mode_t mode)
{
	AUTO_FREE uint8_t *buffer = malloc(PIECE_BYTES);
	AUTO_CLOSE int out = -1;
	uint64_t offset_bytes = 0;
	ssize_t n;
	int rc = 0;

	if (!buffer)
		return -ENOMEM;
	if (unlinkat(folder_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	out = openat(folder_fd, name,
		     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     mode);
	if (out < 0)
		return -errno;
	while (rc == 0 && (n = io_read_full(from_fd, buffer, PIECE_BYTES,
					    offset_bytes)) != 0) {
		rc = n < 0 ? (int)n :
			     io_write_all(out, buffer, (size_t)n, offset_bytes);
		offset_bytes += n < 0 ? 0 : (uint64_t)n;
	}
	if (rc == 0 && fsync(out) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(folder_fd, name, 0);
	return rc;
}
