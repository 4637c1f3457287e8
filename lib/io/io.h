/* Whole reads and writes: part transfers and EINTR are dealt with here. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "scope.h"

/* Writes all of len_bytes or returns a negative errno. */
NODISCARD int io_write_all(int fd, const void *data, size_t len_bytes,
			   uint64_t offset_bytes);
/* Returns how many bytes were read, fewer only at the end of the file. */
NODISCARD ssize_t io_read_full(int fd, void *data, size_t len_bytes,
			       uint64_t offset_bytes);
/* Opens a regular file of our own: no symlink, one link (rule 12). */
NODISCARD int io_open_own(int dir_fd, const char *name, int flags);
NODISCARD int io_sync_data(int fd);
