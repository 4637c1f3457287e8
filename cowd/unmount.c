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

/* "" when it can't be read. */
static void read_line(const char *path, char *line, size_t line_bytes)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, line, line_bytes - 1);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static bool link_is_below(int dir_fd, const char *name, const char *mountpoint)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	return n > 0 && mount_is_below(target, mountpoint);
}

static bool process_uses(const char *pid, const char *mountpoint)
{
	char path[300];
	const struct dirent *link;
	bool found;
	DIR *links;

	snprintf(path, sizeof(path), "/proc/%s/cwd", pid);
	found = link_is_below(AT_FDCWD, path, mountpoint);
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	links = found ? NULL : opendir(path);
	while (links && !found && (link = readdir(links)) != NULL)
		found = link_is_below(dirfd(links), link->d_name, mountpoint);
	if (links)
		closedir(links);
	return found;
}

static size_t name_processes(const char *mountpoint, char *text,
			     size_t text_bytes)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[300], name[32];
	size_t used = 0;

	while (proc && (entry = readdir(proc)) != NULL && used < 200) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_uses(entry->d_name, mountpoint))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		read_line(path, name, sizeof(name));
		used += (size_t)snprintf(text + used, text_bytes - used,
					 "%spid %.10s (%s)", used ? ", " : "",
					 entry->d_name, name);
	}
	if (proc)
		closedir(proc);
	return used;
}

/* The kernel holds their files open: no process shows them. */
static void name_loops(const char *mountpoint, char *text, size_t text_bytes,
		       size_t used)
{
	DIR *blocks = opendir("/sys/block");
	const struct dirent *entry;
	char path[300], file[PATH_MAX];

	while (blocks && (entry = readdir(blocks)) != NULL && used < 200) {
		if (strncmp(entry->d_name, "loop", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file",
			 entry->d_name);
		read_line(path, file, sizeof(file));
		if (!mount_is_below(file, mountpoint))
			continue;
		used += (size_t)snprintf(text + used, text_bytes - used,
					 "%s/dev/%.20s", used ? ", " : "",
					 entry->d_name);
	}
	if (blocks)
		closedir(blocks);
}

void mount_name_users(const char *mountpoint, char *text, size_t text_bytes)
{
	size_t used;

	text[0] = '\0';
	used = name_processes(mountpoint, text, text_bytes);
	name_loops(mountpoint, text, text_bytes, used);
}

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
