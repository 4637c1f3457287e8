/*
 * The parent waits on a pipe for one struct failure; its code says whether the
 * child is live. One that dies without a word is a failure too.
 */
#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harden.h"

/* Where all may write, somebody may have put another file there. */
static int open_log(const struct background *background)
{
	AUTO_CLOSE int directory_fd = open(background->log_directory,
					   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int fd = openat(
		directory_fd, background->log_name,
		O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || st.st_nlink != 1)
		return -1;
	return take_fd(&fd);
}

static void detach_output(const struct background *background)
{
	int null_fd = open("/dev/null", O_RDWR);
	int log_fd = open_log(background);

	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
	}
	dup2(log_fd >= 0 ? log_fd : null_fd, STDERR_FILENO);
	if (log_fd > STDERR_FILENO)
		close(log_fd);
	if (null_fd > STDERR_FILENO)
		close(null_fd);
}

/* What the user's shell had open, a lock perhaps, is not the daemon's. */
static void close_all_but(int fd)
{
	if (fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0u, 0);
}

static void child(const struct background *background, int ready_fd)
{
	struct failure failure = { 0 };
	int rc;

	setsid();
	harden_daemon();
	detach_output(background);
	close_all_but(ready_fd);
	rc = background->serve(background->context, ready_fd, &failure);
	_exit(rc < 0 ? 1 : 0);
}

void background_ready(int ready_fd, const struct failure *failure)
{
	if (ready_fd < 0)
		return;
	/* Where the user was must not stay busy. */
	(void)!chdir("/");
	(void)!write(ready_fd, failure, sizeof(*failure));
	close(ready_fd);
}

static int wait_ready(const struct background *background, pid_t pid,
		      int ready_fd, struct failure *failure)
{
	struct failure said = { 0 };
	size_t used = 0;
	ssize_t n;
	int status;

	while (used < sizeof(said)) {
		n = read(ready_fd, (char *)&said + used, sizeof(said) - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (used == sizeof(said) && said.code == FAILURE_NONE)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (used == sizeof(said)) {
		*failure = said;
		return -EIO;
	}
	failure_set(failure, FAILURE_FAILED, NULL,
		    "the daemon died before the mount was live");
	failure_hint(failure, "see %s in %s", background->log_name,
		     background->log_directory);
	return -EIO;
}

int background_run(const struct background *background, int *out_pid,
		   struct failure *failure)
{
	int ready[2], rc;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return failure_errno(failure, -errno, NULL, "can't mount");
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		child(background, ready[1]);
	}
	close(ready[1]);
	if (pid < 0)
		rc = failure_errno(failure, -errno, NULL,
				   "can't start the daemon");
	else
		rc = wait_ready(background, pid, ready[0], failure);
	close(ready[0]);
	if (rc == 0 && out_pid)
		*out_pid = pid;
	return rc;
}
