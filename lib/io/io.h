/*
 * What a store does to its files: whole reads and writes, names, flushes.
 * Part transfers and EINTR are dealt with here. Each call passes the seam
 * (io_hook.h). 0 or a negative errno.
 */
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
NODISCARD int io_truncate(int fd, uint64_t len_bytes);
/* The length stays. */
NODISCARD int io_punch(int fd, uint64_t offset_bytes, uint64_t len_bytes);
/* Real blocks for the range, so that a write to it finds room; the length
 * stays. -ENOSPC, -EDQUOT; -EOPNOTSUPP: not on this file system. */
NODISCARD int io_allocate(int fd, uint64_t offset_bytes, uint64_t len_bytes);

/* Opens a file as it is: no symlink is followed; O_CREAT: for us alone. */
NODISCARD int io_open(int dir_fd, const char *name, int flags);
/* Opens a regular file of our own: no symlink, one link (rule 12). */
NODISCARD int io_open_own(int dir_fd, const char *name, int flags);
NODISCARD int io_make_directory(int dir_fd, const char *name);
NODISCARD int io_remove_directory(int dir_fd, const char *name);
NODISCARD int io_rename(int dir_fd, const char *name, const char *new_name);
NODISCARD int io_unlink(int dir_fd, const char *name);

NODISCARD int io_sync_data(int fd);
NODISCARD int io_sync(int fd);
NODISCARD int io_sync_directory(int dir_fd);
