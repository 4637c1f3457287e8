/* cowd umount: by mountpoint, by branch, or all of a store. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#include "command.h"
#include "human.h"
#include "json_out.h"
#include "mountinfo.h"

#define CLOSE_WAIT_NS INT64_C(120000000000)
enum { EXIT_WAIT_MS = 3000 };

static void nap(void)
{
	struct timespec time = { 0, 10000000 };

	nanosleep(&time, NULL);
}

/* Until the daemon has gone whose number is in the lock file: to its end it
 * keeps daemon.log open, and so the file system busy. It does nothing any
 * more by then; should the number be somebody else's now, time is up soon. */
static void wait_gone(int lock_fd)
{
	char text[16] = "";
	AUTO_CLOSE int pid_fd = -1;
	struct pollfd poll_fd = { .events = POLLIN };
	long pid;

	if (pread(lock_fd, text, sizeof(text) - 1, 0) <= 0)
		return;
	pid = strtol(text, NULL, 10);
	pid_fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	poll_fd.fd = pid_fd;
	if (pid_fd >= 0)
		(void)!poll(&poll_fd, 1, EXIT_WAIT_MS);
}

/* Until the daemon that serves nothing any more has closed the store. */
static void wait_closed(const char *store)
{
	int64_t deadline_ns = human_now_ns() + CLOSE_WAIT_NS;
	char path[PATH_MAX + 8];
	AUTO_CLOSE int fd = -1;
	struct flock lock;

	snprintf(path, sizeof(path), "%s/lock", store);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	do {
		lock = (struct flock){ .l_type = F_WRLCK,
				       .l_whence = SEEK_SET };
		if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0)
			return;
		if (lock.l_type == F_UNLCK) {
			wait_gone(fd);
			return;
		}
		nap();
	} while (human_now_ns() < deadline_ns && !cli_interrupted);
}

/* Ends one mount; *out_left is how many the store still has. */
static int umount_one(struct cli *cli, const char *store,
		      const char *mountpoint, uint64_t *out_left)
{
	bool lazy = option_given(cli, OPTION_LAZY);
	json_t *result = NULL;
	int rc;

	*out_left = 1;
	rc = daemon_call(cli, store, "umount",
			 json_pack("{s:s, s:b, s:b}", "target", mountpoint,
				   "lazy", lazy, "dry_run",
				   option_given(cli, OPTION_DRY_RUN)),
			 &result);
	if (rc == -ENOENT) {
		*out_left = 0;
		return option_given(cli, OPTION_DRY_RUN) ?
			       0 :
			       umount_stale(cli, mountpoint);
	}
	if (rc < 0 && cli->failure.code == FAILURE_NOT_FOUND &&
	    !option_given(cli, OPTION_DRY_RUN)) {
		/* A part of a mount, bound here: the kernel's business. */
		memset(&cli->failure, 0, sizeof(cli->failure));
		return umount_stale(cli, mountpoint);
	}
	if (rc < 0)
		return rc;
	*out_left = json_number_at(result, "mounts_left");
	json_decref(result);
	return 0;
}

static bool is_wanted(const json_t *mount, const struct target *target)
{
	if (target->snapshot[0] &&
	    strcmp(json_text_at(mount, "snapshot"), target->snapshot) != 0)
		return false;
	return !target->branch[0] ||
	       strcmp(json_text_at(mount, "branch"), target->branch) == 0;
}

/* Ends the mounts of a store that fit the target; their paths are added to
 * done. */
static int umount_target(struct cli *cli, const struct target *target,
			 json_t *done, uint64_t *out_left)
{
	json_t *result = NULL;
	const json_t *mount;
	bool is_detached = false;
	size_t i;
	int rc = daemon_call(cli, target->store, "mounts", json_object(),
			     &result);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	json_array_foreach(rc < 0 ? NULL : json_object_get(result, "mounts"), i,
			   mount)
	{
		const char *path = json_text_at(mount, "mountpoint");

		if (!is_wanted(mount, target))
			continue;
		if (json_flag_at(mount, "detached")) {
			is_detached = true;
			continue;
		}
		rc = umount_one(cli, target->store, path, out_left);
		if (rc < 0)
			break;
		json_array_append_new(done, json_text(path));
	}
	if (rc != -ENOENT)
		json_decref(result);
	if (rc == 0 && json_array_size(done))
		return 0;
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (!is_detached)
		return failure_set(&cli->failure, FAILURE_FAILED, target->text,
				   "is not mounted");
	failure_set(&cli->failure, FAILURE_FAILED, target->text,
		    "is mounted nowhere, and in use: as a layer of another "
		    "store, or by who has something open after a lazy "
		    "unmount");
	failure_hint(&cli->failure,
		     "cowd snapshot holds %s names stores above "
		     "it",
		     target->store);
	return -EIO;
}

static int umount_by_path(struct cli *cli, const char *mountpoint,
			  const char *source, json_t *done,
			  struct target *target, uint64_t *out_left)
{
	int rc = target_parse(source, NULL, target, &cli->failure);
	char lock[PATH_MAX + 16];

	snprintf(lock, sizeof(lock), "%s/lock", rc == 0 ? target->store : "");
	if (rc < 0 || (access(lock, F_OK) != 0 && errno != EACCES)) {
		/* Mounted with a fsname: whose it is only the kernel knows. */
		memset(&cli->failure, 0, sizeof(cli->failure));
		rc = option_given(cli, OPTION_DRY_RUN) ?
			     0 :
			     umount_stale(cli, mountpoint);
	} else {
		rc = umount_one(cli, target->store, mountpoint, out_left);
	}
	if (rc == 0)
		json_array_append_new(done, json_text(mountpoint));
	return rc;
}

static int umount_any(struct cli *cli, struct target *target, json_t *done,
		      uint64_t *out_left)
{
	const char *text = cli->argument_count ? cli->arguments[0] : "";
	char path[PATH_MAX], source[PATH_MAX + 600];
	struct failure ignored = cli->failure;
	bool is_path = *text && find_mountpoint(cli, text, path) == 0;
	char store[PATH_MAX + 16];
	int rc;

	cli->failure = ignored;
	if (is_path && mount_source(path, source, sizeof(source)))
		return umount_by_path(cli, path, source, done, target,
				      out_left);
	rc = cli_target(cli, 0, target);
	if (rc < 0)
		return rc;
	snprintf(store, sizeof(store), "%s/index.db", target->store);
	if (is_path && access(store, F_OK) != 0 && errno != EACCES)
		return failure_set(&cli->failure, FAILURE_FAILED, text,
				   "is not mounted by cowd, and no store");
	return umount_target(cli, target, done, out_left);
}

int cmd_umount(struct cli *cli)
{
	bool is_dry = option_given(cli, OPTION_DRY_RUN);
	json_t *done = json_array(), *result;
	const json_t *path;
	struct target target;
	uint64_t left = 1;
	size_t i;
	int rc = umount_any(cli, &target, done, &left);

	if (rc < 0) {
		json_decref(done);
		return rc;
	}
	if (left == 0 && !is_dry && !option_given(cli, OPTION_LAZY))
		wait_closed(target.store);
	result = json_pack("{s:s, s:o, s:b}", "schema", "cowd/umount/1",
			   "mountpoints", done, "dry_run", is_dry);
	if (!cli_print_json(cli, result)) {
		json_array_foreach(done, i,
				   path) if (is_dry ||
					     option_given(cli, OPTION_VERBOSE))
			cli_say(cli, "%s %s\n",
				is_dry ? "would unmount" : "unmounted",
				json_string_value(path));
	}
	json_decref(result);
	return 0;
}
