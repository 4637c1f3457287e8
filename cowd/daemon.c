/* Starting, running and ending the daemon of a store. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "background.h"
#include "control.h"
#include "harden.h"
#include "history.h"
#include "layer_source.h"
#include "logging.h"
#include "mounts.h"
#include "notify.h"
#include "policy.h"
#include "scrub.h"
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

	harden_daemon();
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
	int rc = store_open_with(params->store_path, params->base_path,
				 params->is_volatile ? &layer_source_passing :
						       &layer_source,
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
	scrub_continue(daemon->store);
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
		if (fds[1].revents)
			return;
		if (fds[0].revents) {
			(void)!read(daemon->idle_pipe[0], &ticks,
				    sizeof(ticks));
			if (control_stop_if_idle(daemon->control))
				return;
		}
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
	background_ready(ready_fd, failure);
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

static int serve_params(const void *context, int ready_fd,
			struct failure *failure)
{
	return serve(context, ready_fd, failure);
}

int daemon_run(const struct daemon_params *params, int *out_pid,
	       struct failure *failure)
{
	const struct background background = {
		.serve = serve_params,
		.context = params,
		.log_directory = params->store_path,
		.log_name = "daemon.log",
	};

	if (params->foreground)
		return serve(params, -1, failure);
	return background_run(&background, out_pid, failure);
}
