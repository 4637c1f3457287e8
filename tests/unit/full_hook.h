/*
 * A full disk, by the seam: a write finds room only in blocks that its file
 * has, and nobody gets new ones.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_hook.h"

struct full_disk {
	bool full;
	bool refuse_wal; /* whatever blocks it has */
	int error;	 /* 0: -ENOSPC */
	unsigned refused, punched;
	struct io_hook hook;
};

/* Written before, or set aside at the end of what has no holes. */
static inline bool full_disk_has(const struct io_event *event)
{
	off_t end = (off_t)(event->offset + event->len);
	int fd = event->fd >= 0 ? dup(event->fd) :
				  open(event->name, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };
	bool has;

	if (fd < 0)
		return true;
	has = fstat(fd, &st) == 0 &&
	      (end <= st.st_blocks * 512 ||
	       (end <= st.st_size &&
		lseek(fd, (off_t)event->offset, SEEK_HOLE) >= end));
	close(fd);
	return has;
}

static inline int full_disk_ask(void *context, struct io_event *event)
{
	struct full_disk *disk = context;
	int rc = 0;

	disk->punched += event->op == IO_OP_PUNCH;
	if (!disk->full)
		return 0;
	if (event->op == IO_OP_ALLOCATE)
		rc = -1;
	if (event->op == IO_OP_WRITE && disk->refuse_wal && event->name &&
	    strstr(event->name, "-wal"))
		rc = -1;
	if (event->op == IO_OP_WRITE && rc == 0 && !full_disk_has(event))
		rc = -1;
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
