/*
 * Who may mount where without root: fusermount3's rules, checked before it is
 * asked, as it tells the daemon's standard error only.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount_impl.h"

#define FUSE_CONF "/etc/fuse.conf"

static bool user_may_allow_others(void)
{
	FILE *file = fopen(FUSE_CONF, "re");
	char line[300], word[32], rest[2];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, " %31s %1s", word, rest) == 1 &&
			strcmp(word, "user_allow_other") == 0;
	if (file)
		fclose(file);
	return found;
}

static int check_place(const char *mountpoint, struct failure *failure)
{
	struct stat st;

	if (stat(mountpoint, &st) < 0)
		return failure_errno(failure, -errno, mountpoint,
				     "can't use the mountpoint");
	if ((st.st_mode & S_ISVTX) && st.st_uid != getuid()) {
		failure_set(failure, FAILURE_FAILED, mountpoint,
			    "the mountpoint is a directory with the sticky "
			    "bit that is not yours");
		failure_hint(failure, "make a directory of your own in it");
		return -EPERM;
	}
	if (access(mountpoint, W_OK) < 0) {
		failure_set(failure, FAILURE_FAILED, mountpoint,
			    "only root may mount on a directory that it can't "
			    "write to");
		failure_hint(failure, "choose a directory of your own");
		return -EACCES;
	}
	return 0;
}

static int check_device(struct failure *failure)
{
	if (access("/dev/fuse", R_OK | W_OK) == 0)
		return 0;
	failure_errno(failure, -errno, "/dev/fuse", "can't be opened");
	failure_hint(failure, "root can permit it to all: chmod 666 /dev/fuse");
	return -EACCES;
}

int mount_check_user(const struct mount *mount, struct failure *failure)
{
	const struct mount_options *options = &mount->options;
	int rc;

	if (geteuid() == 0)
		return 0;
	if ((options->allow_other || options->allow_root) &&
	    !user_may_allow_others()) {
		failure_set(failure, FAILURE_FAILED,
			    options->allow_other ? "allow_other" : "allow_root",
			    "only root may use this mount option");
		failure_hint(failure, "root can permit it to all by a line "
				      "'user_allow_other' in " FUSE_CONF);
		return -EPERM;
	}
	rc = check_place(mount->mountpoint, failure);
	return rc < 0 ? rc : check_device(failure);
}
