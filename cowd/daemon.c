/*
 * Starting, running and ending the daemon.
 *
 * The parent waits on a pipe for one struct failure; its code says whether
 * the mount is live. A child that dies without a word is a failure too.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "history.h"
#include "logging.h"
#include "mounts.h"
#include "notify.h"
#include "policy.h"
#include "volatile_store.h"

struct daemon {
	struct store *store;
	struct mounts *mounts;
	struct control *control;
	int idle_pipe[2];
};

static void on_idle(void *context)
{
	struct daemon *daemon = context;

	(void)!write(daemon->idle_pipe[1], "", 1);
}

static void set_limits(void)
{
	struct rlimit limit;

	prctl(PR_SET_DUMPABLE, 0); /* no core dumps of users' data */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max :
							  65536;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int first_mount(struct daemon *daemon,
		       const struct daemon_params *params,
		       struct failure *failure)
{
	struct mount_params mount = { .mountpoint = params->mountpoint,
				      .options = params->options };
	struct snapshot_info snapshot;
	struct branch_info branch;
	int rc;

	if (params->snapshot) {
		rc = history_find_snapshot(daemon->store, params->branch,
					   params->snapshot, &snapshot,
					   failure);
		mount.snapshot_id = rc < 0 ? 0 : snapshot.id;
	} else {
		rc = history_find_branch(daemon->store, params->branch, &branch,
					 failure);
		mount.branch = branch.name;
	}
	return rc < 0 ? rc : mounts_add(daemon->mounts, &mount, failure);
}

static int start(struct daemon *daemon, const struct daemon_params *params,
		 struct failure *failure)
{
	struct store_status status;
	int rc = store_open(params->store_path, params->base_path,
			    &daemon->store, failure);

	if (rc < 0)
		return rc;
	if (pipe2(daemon->idle_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return failure_errno(failure, -errno, NULL, "can't mount");
	rc = mounts_new(daemon->store, on_idle, daemon, &daemon->mounts);
	if (rc < 0)
		return failure_errno(failure, rc, NULL, "can't mount");
	rc = first_mount(daemon, params, failure);
	if (rc < 0)
		return rc;
	store_status(daemon->store, &status);
	return control_start(status.path, daemon->store, daemon->mounts,
			     &daemon->control, failure);
}

static int stop(struct daemon *daemon)
{
	int rc = 0;

	notify_systemd("STOPPING=1");
	control_stop(daemon->control);
	mounts_free(daemon->mounts);
	if (daemon->store)
		rc = store_close(daemon->store);
	if (daemon->idle_pipe[1] > 0) {
		close(daemon->idle_pipe[0]);
		close(daemon->idle_pipe[1]);
	}
	return rc;
}

static int timer_every_second(void)
{
	struct itimerspec every = { { 1, 0 }, { 1, 0 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0)
		timerfd_settime(fd, 0, &every, NULL);
	return fd;
}

/* Until the last mount has gone, or SIGTERM or SIGINT came. */
static void loop(struct daemon *daemon, int signal_fd)
{
	AUTO_CLOSE int timer_fd = timer_every_second();
	struct pollfd fds[3] = {
		{ .fd = daemon->idle_pipe[0], .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = timer_fd, .events = POLLIN },
	};
	uint64_t ticks;

	for (;;) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents || fds[1].revents)
			return;
		if (fds[2].revents && read(timer_fd, &ticks, sizeof(ticks)) > 0)
			policy_run(daemon->store, daemon->mounts);
	}
}

/* Signals are read from a descriptor; threads inherit the mask. */
static int block_signals(void)
{
	sigset_t mask;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(const struct daemon_params *params, int ready_fd,
		 struct failure *failure)
{
	struct daemon daemon = { .idle_pipe = { -1, -1 } };
	AUTO_CLOSE int signal_fd = block_signals();
	int rc, closed;

	set_limits();
	rc = start(&daemon, params, failure);
	if (ready_fd >= 0) {
		/* Where the user was must not stay busy. */
		(void)!chdir("/");
		(void)!write(ready_fd, failure, sizeof(*failure));
		close(ready_fd);
	}
	if (rc == 0) {
		notify_systemd("READY=1");
		loop(&daemon, signal_fd);
	}
	closed = stop(&daemon);
	if (params->is_volatile)
		volatile_remove(params->store_path);
	if (closed < 0 && rc == 0)
		rc = failure_errno(failure, closed, params->store_path,
				   "the store was not closed cleanly");
	return rc;
}

/* What the daemon has to say goes to STORE/daemon.log. */
static void detach_output(const char *store_path)
{
	AUTO_CLOSE int directory_fd =
		open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int null_fd = open("/dev/null", O_RDWR);
	int log_fd = openat(directory_fd, "daemon.log",
			    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);

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

static void child(const struct daemon_params *params, int ready_fd)
{
	struct failure failure = { 0 };
	int rc;

	setsid();
	detach_output(params->store_path);
	close_all_but(ready_fd);
	rc = serve(params, ready_fd, &failure);
	_exit(rc < 0 ? 1 : 0);
}

static int wait_ready(pid_t pid, int ready_fd, struct failure *failure)
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
	failure_hint(failure, "see daemon.log in the store");
	return -EIO;
}

int daemon_run(const struct daemon_params *params, int *out_pid,
	       struct failure *failure)
{
	int ready[2], rc;
	pid_t pid;

	if (params->foreground)
		return serve(params, -1, failure);
	if (pipe2(ready, O_CLOEXEC) < 0)
		return failure_errno(failure, -errno, NULL, "can't mount");
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		child(params, ready[1]);
	}
	close(ready[1]);
	if (pid < 0)
		rc = failure_errno(failure, -errno, NULL,
				   "can't start the daemon");
	else
		rc = wait_ready(pid, ready[0], failure);
	close(ready[0]);
	if (rc == 0 && out_pid)
		*out_pid = pid;
	return rc;
}
