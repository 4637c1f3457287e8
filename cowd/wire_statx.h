/*
 * STATX, of which libfuse before 3.18 knows nothing: the kernel asks for the
 * time of birth by it. It is given to libfuse as GETATTR, whose request begins
 * alike, and the answer is made what the kernel waits for.
 */
#pragma once

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_STATX_OPCODE = 52 };

struct wire_statx_time {
	int64_t seconds;
	uint32_t nanoseconds;
	int32_t reserved;
};

/* As struct fuse_statx_out, which is newer than some headers. */
struct wire_statx_out {
	uint64_t valid_seconds;
	uint32_t valid_nanoseconds;
	uint32_t flags;
	uint64_t spare[2];
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare2;
	uint64_t inode;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct wire_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor;
	uint32_t dev_major, dev_minor;
	uint64_t spare3[14];
};

/* birth_ns 0: not known. */
void wire_statx_fill(const struct fuse_attr_out *told, int64_t birth_ns,
		     struct wire_statx_out *out);
