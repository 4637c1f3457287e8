/* The answer to STATX, from that to GETATTR. */
#include "wire_statx.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stat_time.h"

_Static_assert(sizeof(struct wire_statx_out) == 288, "as the kernel has it");

static struct wire_statx_time time_of(uint64_t seconds, uint32_t nanoseconds)
{
	return (struct wire_statx_time){ .seconds = (int64_t)seconds,
					 .nanoseconds = nanoseconds };
}

void wire_statx_fill(const struct fuse_attr_out *told, int64_t birth_ns,
		     struct wire_statx_out *out)
{
	const struct fuse_attr *attr = &told->attr;
	struct timespec birth = stat_time(birth_ns);

	*out = (struct wire_statx_out){
		.valid_seconds = told->attr_valid,
		.valid_nanoseconds = told->attr_valid_nsec,
		.mask = STATX_BASIC_STATS | (birth_ns ? STATX_BTIME : 0),
		.blksize = attr->blksize,
		.nlink = attr->nlink,
		.uid = attr->uid,
		.gid = attr->gid,
		.mode = (uint16_t)attr->mode,
		.inode = attr->ino,
		.size = attr->size,
		.blocks = attr->blocks,
		.atime = time_of(attr->atime, attr->atimensec),
		.btime = time_of((uint64_t)birth.tv_sec,
				 (uint32_t)birth.tv_nsec),
		.ctime = time_of(attr->ctime, attr->ctimensec),
		.mtime = time_of(attr->mtime, attr->mtimensec),
		/* As the kernel packs a device into 32 bits. */
		.rdev_major = (attr->rdev & 0xfff00) >> 8,
		.rdev_minor = (attr->rdev & 0xff) |
			      ((attr->rdev >> 12) & 0xfff00),
	};
}
