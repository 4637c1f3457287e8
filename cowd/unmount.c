/*
 * Ending a mount in the kernel, and who is in the way of that.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mount_impl.h"

extern char **environ;

void mount_name_users(const char *mountpoint, char *text, size_t text_bytes)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t used = 0;

	text[0] = '\0';
	while (proc && (entry = readdir(proc)) != NULL && used < 200) {
		char path[300], target[PATH_MAX], name[32] = "";
		struct dirent *link;
		bool found = false;
		DIR *links;
		ssize_t n;
		int fd;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd", entry->d_name);
		links = opendir(path);
		while (links && !found && (link = readdir(links)) != NULL) {
			n = readlinkat(dirfd(links), link->d_name, target,
				       sizeof(target) - 1);
			target[n > 0 ? n : 0] = '\0';
			found = n > 0 && mount_is_below(target, mountpoint);
		}
		if (links)
			closedir(links);
		snprintf(path, sizeof(path), "/proc/%s/cwd", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (!found && !(n > 0 && mount_is_below(target, mountpoint)))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);
		if (fd >= 0)
			close(fd);
		name[n > 0 ? strcspn(name, "\n") : 0] = '\0';
		used += (size_t)snprintf(text + used, text_bytes - used,
					 "%spid %.10s (%s)", used ? ", " : "",
					 entry->d_name, name);
	}
	if (proc)
		closedir(proc);
}

/* umount needs root; without it fusermount3 does it. */
int mount_end(const char *mountpoint, bool lazy)
{
	char *const arguments[] = { "fusermount3", lazy ? "-uz" : "-u", "--",
				    (char *)mountpoint, NULL };
	pid_t pid;
	int status;

	if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	if (posix_spawnp(&pid, "fusermount3", NULL, NULL, arguments, environ) !=
	    0)
		return -EPERM;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}
