/* A mountpoint as commands name it, and one whose daemon died. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "command.h"

int find_mountpoint(struct cli *cli, const char *text, char *path)
{
	AUTO_FREE char *parent = strdup(text), *name = strdup(text);
	char above[PATH_MAX];
	int rc;

	if (realpath(text, path))
		return 0;
	rc = -errno;
	if (rc != -ENOTCONN || !parent || !name ||
	    !realpath(dirname(parent), above)) {
		failure_errno(&cli->failure, rc, text,
			      "can't use it as a mountpoint");
		if (rc == -ENOENT)
			failure_hint(&cli->failure, "mkdir -p %s", text);
		return rc;
	}
	if (snprintf(path, PATH_MAX, "%s/%s",
		     strcmp(above, "/") == 0 ? "" : above,
		     basename(name)) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Its daemon died: whatever has it open gets errors only. */
static bool is_dead(const char *mountpoint)
{
	struct statvfs st; /* never from a cache, as stat() may be */

	return statvfs(mountpoint, &st) < 0 && errno == ENOTCONN;
}

/* Only the kernel can end it. A dead one is in nobody's use. */
int umount_stale(struct cli *cli, const char *mountpoint)
{
	bool lazy = option_given(cli, OPTION_LAZY) || is_dead(mountpoint);
	int status = 0;
	pid_t pid;

	if (geteuid() == 0)
		return umount2(mountpoint, lazy ? MNT_DETACH : 0) == 0 ?
			       0 :
			       failure_errno(&cli->failure, -errno, mountpoint,
					     "can't unmount");
	pid = fork();
	if (pid == 0) {
		execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", "--",
		       mountpoint, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return failure_errno(&cli->failure, -errno, mountpoint,
				     "can't unmount");
	return status == 0 ? 0 :
			     failure_set(&cli->failure, FAILURE_FAILED,
					 mountpoint, "fusermount3 failed");
}
