/*
 * The root, which no rule places. It has base's attributes; where base can't
 * be changed, what is set of it is forgotten at the unmount.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "diverge_front.h"
#include "logging.h"

void diverge_apply_root(struct diverge *diverge, struct stat *st)
{
	unsigned mask;

	mutex_lock(&diverge->lock);
	mask = diverge->root_mask;
	if (mask & FUSE_SET_ATTR_MODE)
		st->st_mode = S_IFDIR | (diverge->root_set.st_mode & 07777);
	if (mask & FUSE_SET_ATTR_UID)
		st->st_uid = diverge->root_set.st_uid;
	if (mask & FUSE_SET_ATTR_GID)
		st->st_gid = diverge->root_set.st_gid;
	if (mask & FUSE_SET_ATTR_ATIME)
		st->st_atim = diverge->root_set.st_atim;
	if (mask & FUSE_SET_ATTR_MTIME)
		st->st_mtim = diverge->root_set.st_mtim;
	if (mask)
		st->st_ctim = diverge->root_set.st_ctim;
	mutex_unlock(&diverge->lock);
}

static struct timespec now_or(const struct timespec *time, bool is_now)
{
	struct timespec now = *time;

	if (is_now)
		clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

void diverge_set_root(struct diverge *diverge, const struct stat *st,
		      int to_set)
{
	struct stat *root = &diverge->root_set;

	mutex_lock(&diverge->lock);
	if (to_set & FUSE_SET_ATTR_MODE)
		root->st_mode = st->st_mode;
	if (to_set & FUSE_SET_ATTR_UID)
		root->st_uid = st->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		root->st_gid = st->st_gid;
	if (to_set & FUSE_SET_ATTR_ATIME)
		root->st_atim =
			now_or(&st->st_atim, to_set & FUSE_SET_ATTR_ATIME_NOW);
	if (to_set & FUSE_SET_ATTR_MTIME)
		root->st_mtim =
			now_or(&st->st_mtim, to_set & FUSE_SET_ATTR_MTIME_NOW);
	clock_gettime(CLOCK_REALTIME, &root->st_ctim);
	diverge->root_mask |= (unsigned)to_set;
	mutex_unlock(&diverge->lock);
}

void diverge_touch_root(struct diverge *diverge)
{
	const struct stat st = { .st_mtim = { 0 } };
	const struct timespec now[2] = { { .tv_nsec = UTIME_OMIT },
					 { .tv_nsec = UTIME_NOW } };
	unsigned base = diverge_base(diverge);

	if (diverge_is_fixed(diverge, base))
		diverge_set_root(diverge, &st,
				 FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW);
	else if (utimensat(diverge->layers[base].fd, "", now, AT_EMPTY_PATH) <
		 0)
		log_message(LOG_LEVEL_DEBUG, "the root's time stays: %s",
			    strerror(errno));
}
