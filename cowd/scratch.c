/*
 * A scratch directory is locked while its session lives; what is not locked
 * belongs to nobody, and the next session removes it.
 */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "logging.h"

enum { OPEN_DIRECTORIES = 16 };

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path) < 0 ? -errno : 0;
}

static void remove_all(const char *path)
{
	int rc = nftw(path, remove_one, OPEN_DIRECTORIES,
		      FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (rc != 0)
		log_message(LOG_LEVEL_WARNING, "%s: can't be removed: %s", path,
			    strerror(rc < 0 ? -rc : errno));
}

static void remove_dead(const char *parent)
{
	DIR *directory = opendir(parent);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)) != NULL) {
		AUTO_FREE char *path = NULL;
		AUTO_CLOSE int fd = -1;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(directory), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    asprintf(&path, "%s/%s", parent, entry->d_name) >= 0)
			remove_all(path);
	}
	if (directory)
		closedir(directory);
}

int scratch_open(const char *parent, char *path, int *out_fd,
		 struct failure *failure)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (mkdir(parent, 0700) < 0 && errno != EEXIST)
		return failure_errno(failure, -errno, parent, "can't make it");
	/* In /tmp it may be somebody else's, or lead elsewhere. */
	if (lstat(parent, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid())
		return failure_set(failure, FAILURE_EXISTS, parent,
				   "is there, and no directory of yours");
	remove_dead(parent);
	if (snprintf(path, PATH_MAX, "%s/%d", parent, (int)getpid()) >=
	    PATH_MAX)
		return failure_errno(failure, -ENAMETOOLONG, parent,
				     "can't use it");
	if (mkdir(path, 0700) < 0)
		return failure_errno(failure, -errno, path, "can't make it");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return failure_errno(failure, -errno, path, "can't lock it");
	*out_fd = take_fd(&fd);
	return 0;
}

void scratch_close(const char *path, int fd)
{
	AUTO_FREE char *parent = strdup(path);

	if (fd < 0)
		return;
	remove_all(path);
	close(fd);
	if (parent) {
		*strrchr(parent, '/') = '\0';
		(void)rmdir(parent);
	}
}
