/*
 * What happens between the operations of tree_model: a command from outside
 * changes subject as a whole, and says what that means for reference.
 *
 *   HOOK plan NR   prints what has to be done before: "save NAME" (a line
 *                  of its own), "close" (all that is open in subject), "sync"
 *                  (write everything back)
 *   HOOK act NR    does it, and prints in order:
 *                  "save NAME"          keep a copy of reference
 *                  "restore NAME"       put that copy in its place
 *                  "compare NAME PATH"  the tree at PATH is that copy
 *                  "drop NAME"          forget the copy
 *                  "say TEXT"           for the log
 *
 * A snapshot is a save, a rollback a restore, and a remount or kill -9 prints
 * nothing: reference stays.
 */
#include "tree_model.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAYS_MOST = 8192 };

static bool run(const char *const *arguments)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execvp(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool copy_tree(const char *from, const char *to)
{
	const char *const copy[] = { "cp", "-aT", "--", from, to, NULL };

	return run(copy);
}

static bool remove_all(const char *path)
{
	const char *const remove[] = { "rm", "-rf", "--", path, NULL };

	return run(remove);
}

void handles_close(struct world *world)
{
	int i;

	for (i = 0; i < HANDLE_COUNT; i++) {
		if (world->subject.handle[i] >= 0)
			close(world->subject.handle[i]);
		if (world->reference.handle[i] >= 0)
			close(world->reference.handle[i]);
		world->subject.handle[i] = -1;
		world->reference.handle[i] = -1;
	}
}

static bool root_open(struct side *side)
{
	side->root_fd = open(side->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (side->root_fd < 0)
		printf("%s: can't be opened: %m\n", side->root);
	return side->root_fd >= 0;
}

/* What the hook printed; false: it failed. */
static bool ask(const struct world *world, const char *verb, char *says)
{
	char command[PATH_MAX];
	FILE *pipe;
	size_t bytes;
	int rc;

	snprintf(command, sizeof(command), "%s %s %" PRIu64, world->hook, verb,
		 world->hook_count);
	pipe = popen(command, "re");
	if (!pipe)
		return false;
	bytes = fread(says, 1, SAYS_MOST - 1, pipe);
	says[bytes] = '\0';
	rc = pclose(pipe);
	if (rc)
		printf("the hook failed: %s: status %d\n", command, rc);
	return rc == 0;
}

static bool save(struct world *world, const char *copy, const char *inodes)
{
	return remove_all(copy) && copy_tree(world->reference.root, copy) &&
	       ((world->without & FEATURE_INODES) ||
		inodes_save(world->subject.root, inodes));
}

static bool restore(struct world *world, const char *copy, const char *inodes)
{
	handles_close(world);
	close(world->reference.root_fd);
	compare_forget();
	return remove_all(world->reference.root) &&
	       copy_tree(copy, world->reference.root) &&
	       root_open(&world->reference) &&
	       ((world->without & FEATURE_INODES) ||
		inodes_compare(world->subject.root, inodes));
}

static bool obey(struct world *world, const char *verb, const char *name,
		 const char *rest)
{
	char copy[PATH_MAX];
	char inodes[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s/%s", world->state, name);
	snprintf(inodes, sizeof(inodes), "%s/%s.inodes", world->state, name);
	if (world->verbose || !strcmp(verb, "say"))
		printf("hook %" PRIu64 ": %s %s %s\n", world->hook_count, verb,
		       name, rest);
	if (!strcmp(verb, "say"))
		return true;
	if (!strcmp(verb, "save"))
		return save(world, copy, inodes);
	if (!strcmp(verb, "restore"))
		return restore(world, copy, inodes);
	if (!strcmp(verb, "drop"))
		return remove_all(copy) && remove_all(inodes);
	if (!strcmp(verb, "compare"))
		return compare_trees(world, rest, copy, false) &&
		       ((world->without & FEATURE_INODES) ||
			inodes_compare(rest, inodes));
	printf("the hook says what nobody knows: %s\n", verb);
	return false;
}

/* VERB NAME REST, a line each. */
static bool obey_all(struct world *world, char *says)
{
	char *line;
	char *rest = says;

	while ((line = strsep(&rest, "\n"))) {
		char *verb = strsep(&line, " ");
		char *name = line ? strsep(&line, " ") : NULL;

		if (!*verb)
			continue;
		if (!obey(world, verb, name ? name : "", line ? line : "")) {
			printf("hook %" PRIu64 ": '%s %s' does not hold\n",
			       world->hook_count, verb, name ? name : "");
			return false;
		}
	}
	return true;
}

/* What is kept of subject as it is now: the act may change it. */
static bool save_before(struct world *world, const char *says)
{
	const char *save = strstr(says, "save ");
	char line[SAYS_MOST];

	if (!save)
		return true;
	snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(save, "\n"), save);
	return obey_all(world, line);
}

bool hook_run(struct world *world)
{
	char says[SAYS_MOST];

	world->hook_count++;
	if (!ask(world, "plan", says))
		return false;
	if (strstr(says, "sync") && syncfs(world->subject.root_fd)) {
		printf("syncfs: %m\n");
		return false;
	}
	if (!save_before(world, says) || chdir("/"))
		return false;
	if (strstr(says, "close")) {
		handles_close(world);
		close(world->subject.root_fd);
		world->subject.root_fd = -1;
	}
	if (!ask(world, "act", says))
		return false;
	if (world->subject.root_fd < 0 && !root_open(&world->subject))
		return false;
	return obey_all(world, says);
}
