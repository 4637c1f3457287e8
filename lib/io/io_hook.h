/*
 * The seam under everything that a store reads and writes: tests fail a call,
 * cut it short, or write down what was done. Production has no hook: one
 * branch for each call.
 *
 * ask is called before the call: 0 lets it happen; a negative errno is its
 * result instead; a read or write may be made shorter by a smaller len. tell
 * is called after it, with what it gave, and not if ask refused it. Set it
 * only while no other thread is at work on a store.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum io_op {
	IO_OP_OPEN, /* dir_fd, name, flags as open(2) has them */
	IO_OP_READ,
	IO_OP_WRITE,
	IO_OP_TRUNCATE, /* to len */
	IO_OP_PUNCH,
	IO_OP_ALLOCATE,	      /* the length stays */
	IO_OP_SYNC,	      /* of a file, the length included */
	IO_OP_SYNC_DIRECTORY, /* dir_fd, or the directory that name is in */
	IO_OP_MAKE_DIRECTORY,
	IO_OP_REMOVE_DIRECTORY,
	IO_OP_RENAME, /* in dir_fd, from name to new_name */
	IO_OP_UNLINK,
};

struct io_event {
	enum io_op op;
	int fd;	    /* of a file; -1: name tells which */
	int dir_fd; /* what name is relative to; AT_FDCWD: it is a path */
	const char *name, *new_name;
	int flags; /* of a sync: O_DSYNC, if only data */
	uint64_t offset, len;
	const void *data; /* of a write */
};

struct io_hook {
	int (*ask)(void *context, struct io_event *event);
	/* result: as the wrappers return it; of a read or write the bytes. */
	void (*tell)(void *context, const struct io_event *event,
		     int64_t result);
	void *context;
};

extern const struct io_hook *io_hook;

static inline int io_ask(struct io_event *event)
{
	const struct io_hook *hook = io_hook;

	if (__builtin_expect(hook == NULL, 1))
		return 0;
	return hook->ask(hook->context, event);
}

static inline void io_tell(const struct io_event *event, int64_t result)
{
	const struct io_hook *hook = io_hook;

	if (__builtin_expect(hook != NULL, 0))
		hook->tell(hook->context, event, result);
}
