/*
 * A full disk, by the seam: a write finds room only in blocks that its file
 * has, and nobody gets new ones. For files without holes.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "io_hook.h"

struct full_disk {
	bool full;
	int error; /* 0: -ENOSPC */
	unsigned refused;
	struct io_hook hook;
};

static inline int full_disk_ask(void *context, struct io_event *event)
{
	struct full_disk *disk = context;
	struct stat st = { 0 };
	int rc = 0;

	if (!disk->full)
		return 0;
	if (event->op == IO_OP_ALLOCATE)
		rc = -1;
	if (event->op == IO_OP_WRITE) {
		if (event->fd >= 0 ? fstat(event->fd, &st) :
				     stat(event->name, &st))
			return 0;
		rc = event->offset + event->len > (uint64_t)st.st_blocks * 512 ?
			     -1 :
			     0;
	}
	if (rc == 0)
		return 0;
	disk->refused++;
	return disk->error ? disk->error : -ENOSPC;
}

static inline void full_disk_tell(void *context, const struct io_event *event,
				  int64_t result)
{
	(void)context;
	(void)event;
	(void)result;
}

static inline void full_disk_begin(struct full_disk *disk)
{
	disk->hook = (struct io_hook){ full_disk_ask, full_disk_tell, disk };
	disk->full = true;
	io_hook = &disk->hook;
}
