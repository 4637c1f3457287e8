/*
 * Opening a store's directory. The lock is the one that a daemon takes, so
 * that none begins while we look, and its file keeps its bytes.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "io.h"

int place_open_file(int dir_fd, const char *name, int flags)
{
	AUTO_CLOSE int fd = openat(dir_fd, name,
				   flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
				   0600);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP || errno == ENXIO || errno == EISDIR ?
			       -EUCLEAN :
			       -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -EUCLEAN;
}

int place_folder(const struct check *check, enum change_place place)
{
	return place == CHANGE_PLACE_SEGMENTS ? check->segments_fd :
						check->dir_fd;
}

uint32_t place_segment_of(const char *name)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t id = 0;
	int i;

	for (i = 0; i < 8; i++) {
		const char *digit = name[i] ? strchr(digits, name[i]) : NULL;

		if (!digit)
			return 0;
		id = id << 4 | (uint32_t)(digit - digits);
	}
	return strcmp(name + 8, ".seg") == 0 ? id : 0;
}

/* "pid 123 (cowd)" */
static void describe_holder(int lock_fd, char *text, size_t text_bytes)
{
	char pid[32] = "", path[64], name[64] = "", shown[128];
	AUTO_CLOSE int fd = -1;
	ssize_t n = io_read_full(lock_fd, pid, sizeof(pid) - 1, 0);

	snprintf(text, text_bytes, "another process");
	if (n <= 0)
		return;
	pid[strspn(pid, "0123456789")] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);
	name[n > 0 ? strcspn(name, "\n") : 0] = '\0';
	report_escape(name, SIZE_MAX, shown, sizeof(shown));
	if (pid[0])
		snprintf(text, text_bytes, "pid %s%s%s%s", pid,
			 shown[0] ? " (" : "", shown, shown[0] ? ")" : "");
}

static int take_lock(struct check *check)
{
	bool read_only = check->options->mode == FSCK_MODE_NO;
	struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK,
			      .l_whence = SEEK_SET };
	char holder[192];
	int rc;

	check->lock_fd = place_open_file(
		check->dir_fd, "lock", read_only ? O_RDONLY : O_RDWR | O_CREAT);
	/* Without a file nobody has it open; what is no file, pass 1 tells. */
	if (check->lock_fd == -EUCLEAN ||
	    (check->lock_fd == -ENOENT && read_only))
		return 0;
	if (check->lock_fd < 0)
		return check_failed(check, check->lock_fd,
				    "the lock file can't be opened");
	if (fcntl(check->lock_fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	rc = -errno;
	if (rc != -EAGAIN && rc != -EACCES)
		return check_failed(check, rc, "the store can't be locked");
	describe_holder(check->lock_fd, holder, sizeof(holder));
	check_failed(check, -EBUSY, "the store is in use by %s", holder);
	check_hint(check, "unmount it first: cowd umount %s", check->path);
	return -EBUSY;
}

static int check_owner(struct check *check)
{
	struct stat st;

	if (fstat(check->dir_fd, &st) < 0)
		return check_failed(check, -errno, "the store");
	if (st.st_uid == geteuid())
		return 0;
	check_failed(check, -EACCES, "the store belongs to uid %u",
		     (unsigned)st.st_uid);
	check_hint(check, "run cowd-fsck as its owner, or as root");
	return -EACCES;
}

int place_open(struct check *check, const char *path)
{
	AUTO_FREE char *resolved = realpath(path, NULL);
	int rc;

	snprintf(check->path, sizeof(check->path), "%s",
		 resolved ? resolved : path);
	check->dir_fd =
		resolved ? open(resolved, O_RDONLY | O_DIRECTORY | O_CLOEXEC) :
			   -1;
	if (check->dir_fd < 0)
		return check_failed(check, -errno, "can't be opened");
	check->segments_fd =
		openat(check->dir_fd, "segments",
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (check->segments_fd < 0 &&
	    (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
		check_failed(check, -ENOENT, "is not a cowd store");
		check_hint(check, "a store is a directory that 'cowd create' "
				  "made, with segments/ in it");
		return -ENOENT;
	}
	if (check->segments_fd < 0)
		return check_failed(check, -errno, "segments/");
	rc = check_owner(check);
	return rc < 0 ? rc : take_lock(check);
}

void place_close(struct check *check)
{
	int *fds[] = { &check->lock_fd, &check->segments_fd, &check->dir_fd };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
