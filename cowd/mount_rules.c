/*
 * A mount with rules: the tree is mounted, and the front end of rules over it,
 * by a process of its own that sees the tree as any other does. What no rule
 * is for is then the tree's business, as without rules.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mount_impl.h"
#include "rules.h"
#include "rules_program.h"

extern char **environ;

int mount_check_rules(const struct mount *mount, struct failure *failure)
{
	struct rules *rules = NULL;
	int rc;

	if (!mount->options.rules[0])
		return 0;
	if (mount->front != &tree_front)
		return failure_set(failure, FAILURE_USAGE, "rules",
				   "this mount option is for directory trees");
	rc = rules_load(mount->options.rules, "/", &rules, failure);
	rules_free(rules);
	return rc;
}

/* Signals that the daemon reads from a descriptor are not blocked there. */
static int spawn(const struct mount *mount, int ready_fd, pid_t *out_pid)
{
	char source[3 * STORE_NAME_BYTES_MAX + PATH_MAX], store[PATH_MAX];
	struct store_status status;
	char *const arguments[RULES_ARGUMENTS + 1] = {
		(char *)RULES_PROGRAM,
		(char *)mount->mountpoint,
		(char *)mount->options.rules,
		mount->options_text,
		source,
		store,
	};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int rc;

	store_status(mount->store, &status);
	snprintf(store, sizeof(store), "%s", status.path);
	snprintf(source, sizeof(source), "%s:%s%s%s", status.path,
		 mount->branch, mount->snapshot_id ? "@" : "", mount->snapshot);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ready_fd, RULES_READY_FD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	rc = -posix_spawn(out_pid, "/proc/self/exe", &actions, &attributes,
			  arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* It goes to the background: what was started ends at once. */
static int wait_for(pid_t pid, int fd, struct failure *failure)
{
	struct failure said = { .code = FAILURE_NONE };
	size_t used = 0;
	ssize_t n = 1;
	int status;

	while (used < sizeof(said) && n != 0) {
		n = read(fd, (char *)&said + used, sizeof(said) - used);
		if (n < 0 && errno != EINTR)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (used == sizeof(said) && said.code == FAILURE_NONE)
		return 0;
	if (used == sizeof(said))
		*failure = said;
	else
		failure_set(failure, FAILURE_FAILED, "rules",
			    "the process that serves them died");
	return -EIO;
}

int mount_start_rules(const struct mount *mount, struct failure *failure)
{
	int ready[2], rc;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return failure_errno(failure, -errno, "rules", "can't mount");
	rc = spawn(mount, ready[1], &pid);
	close(ready[1]);
	if (rc < 0)
		failure_errno(failure, rc, "rules", "can't start a process");
	else
		rc = wait_for(pid, ready[0], failure);
	close(ready[0]);
	return rc;
}
