/*
 * Who has the head open, and opens for writing that wait while it is moved.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mount_impl.h"

unsigned mount_writers(struct mount *mount)
{
	unsigned writers;

	mutex_lock(&mount->lock);
	writers = mount->writers;
	mutex_unlock(&mount->lock);
	return writers;
}

unsigned mount_readers(struct mount *mount)
{
	unsigned readers;

	mutex_lock(&mount->lock);
	readers = mount->readers;
	mutex_unlock(&mount->lock);
	return readers;
}

unsigned mount_hold_writers(struct mount *mount)
{
	unsigned writers;

	mutex_lock(&mount->lock);
	mount->moving = true;
	writers = mount->writers;
	mutex_unlock(&mount->lock);
	return writers;
}

static void free_waiting(struct waiting_open *waiting)
{
	if (waiting)
		free(waiting->name);
	free(waiting);
}

int mount_put_off(struct mount *mount, fuse_req_t req, fuse_ino_t node,
		  const char *name, mode_t mode,
		  const struct fuse_file_info *info)
{
	struct waiting_open *waiting = calloc(1, sizeof(*waiting));
	char *copy = name ? strdup(name) : NULL;

	if (!waiting || (name && !copy)) {
		free(copy);
		free(waiting);
		return -ENOMEM;
	}
	*waiting = (struct waiting_open){ req,	node,  copy,
					  mode, *info, mount->waiting };
	mount->waiting = waiting;
	return 0;
}

static struct waiting_open *end_hold(struct mount *mount)
{
	struct waiting_open *waiting;

	mutex_lock(&mount->lock);
	mount->moving = false;
	waiting = mount->waiting;
	mount->waiting = NULL;
	mutex_unlock(&mount->lock);
	return waiting;
}

void mount_resume_writers(struct mount *mount)
{
	struct waiting_open *waiting = end_hold(mount), *next;

	for (; waiting; waiting = next) {
		next = waiting->next;
		mount->front->open_again(waiting);
		free_waiting(waiting);
	}
}

void mount_refuse_waiting(struct mount *mount)
{
	struct waiting_open *waiting = end_hold(mount), *next;

	for (; waiting; waiting = next) {
		next = waiting->next;
		fuse_reply_err(waiting->req, EIO);
		free_waiting(waiting);
	}
}
