/*
 * tree_posix DIR [CHECK]: see tree_posix.h. Prints what is wrong; 77 if it is
 * not root.
 */
#include "tree_posix.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MOST = 60, MOST_WRONG = 100 };

static const struct check *const tables[] = {
	posix_name_checks, posix_error_checks, posix_owner_checks,
	posix_time_checks, posix_lock_checks,  posix_data_checks,
	posix_map_checks,  posix_xattr_checks, posix_directory_checks,
	posix_open_checks, posix_race_checks,
};

static const char *check_name;
static int wrong;

void look(bool condition, const char *text, const char *file, int line)
{
	int error = errno;

	if (condition)
		return;
	wrong += wrong < MOST_WRONG;
	printf("%s: %s:%d: %s (%s)\n", check_name, strrchr(file, '/') + 1, line,
	       text, strerrorname_np(error));
	fflush(stdout);
}

void not_here(const char *why)
{
	printf("%s: not tried: %s\n", check_name, why);
	fflush(stdout);
}

static void must(bool done)
{
	if (!done)
		abort();
}

void act_as(uid_t uid, gid_t gid, gid_t more)
{
	act_as_root();
	must(!setgroups(more != 0, &more) && !setegid(gid) && !seteuid(uid));
}

void act_as_root(void)
{
	must(!seteuid(0) && !setegid(0) && !setgroups(0, NULL));
}

bool in_child(void (*run)(void))
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		wrong = 0;
		run();
		fflush(stdout);
		_exit(wrong != 0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int make(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t bytes = strlen(text);

	look(fd >= 0, path, __FILE__, __LINE__);
	look(write(fd, text, bytes) == (ssize_t)bytes, path, __FILE__,
	     __LINE__);
	look(!fchmod(fd, mode), path, __FILE__, __LINE__);
	return fd;
}

void touch(const char *path, mode_t mode)
{
	close(make(path, mode, ""));
}

bool holds(const char *path, const char *text)
{
	char data[4096] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, data, sizeof(data) - 1);

	if (fd >= 0)
		close(fd);
	return got == (ssize_t)strlen(text) && !strcmp(data, text);
}

struct stat at(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		memset(&st, 0, sizeof(st));
	return st;
}

mode_t mode_of(const char *path)
{
	return at(path).st_mode & 07777;
}

static char *buffer(void)
{
	static char buffers[4][8192];
	static unsigned next;

	return buffers[next++ % 4];
}

const char *name_of(size_t bytes)
{
	char *name = buffer();

	memset(name, 'n', bytes);
	name[bytes] = '\0';
	return name;
}

const char *path_of(size_t bytes, const char *end)
{
	char *path = buffer();
	size_t i;

	for (i = 0; i < bytes - strlen(end); i++)
		path[i] = i % 2 == 0 ? '.' : '/';
	if (i % 2 == 1)
		path[i - 1] = '/';
	memcpy(path + i, end, strlen(end) + 1);
	return path;
}

void tick(void)
{
	const struct timespec moment = { 0, 12 * 1000 * 1000 };

	nanosleep(&moment, NULL);
}

/* In a directory of its own, below. */
static void run_here(const struct check *check)
{
	alarm(SECONDS_MOST);
	umask(0);
	if (mkdir(check->name, 0755) || chdir(check->name)) {
		printf("%s: can't make its directory: %m\n", check->name);
		exit(2);
	}
	check->run();
	exit(wrong != 0);
}

static bool run(const struct check *check)
{
	int status = 1;
	pid_t pid;

	check_name = check->name;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_here(check);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFSIGNALED(status))
		printf("%s: signal %d\n", check->name, WTERMSIG(status));
	return status == 0;
}

int main(int argc, char **argv)
{
	const char *only = argc > 2 ? argv[2] : NULL;
	const struct check *check;
	size_t i;
	unsigned count = 0;
	unsigned bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || chdir(argv[1])) {
		fprintf(stderr, "tree_posix DIR [CHECK]\n");
		return 2;
	}
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 77;
	}
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (check = tables[i]; check->name; check++) {
			if (only && strcmp(only, check->name) != 0)
				continue;
			count++;
			bad += !run(check);
		}
	}
	printf("%u checks, %u wrong\n", count, bad);
	return bad ? 1 : 0;
}
