/*
 * The process that lays rules over the mount of a tree. It ends with its
 * mount, and takes the one below along.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "background.h"
#include "command.h"
#include "diverge_front.h"
#include "logging.h"
#include "mount_impl.h"
#include "mountinfo.h"
#include "rules_program.h"
#include "scratch.h"

struct rules_mount {
	const char *mountpoint, *rule_file, *options, *source, *store;
};

struct readiness {
	int fd;
	struct failure *failure;
	bool told;
};

static void ready(void *context)
{
	struct readiness *readiness = context;

	readiness->told = true;
	background_ready(readiness->fd, readiness->failure);
}

/* A relative path of a rule is below the directory of the rule file. */
static int load(const struct rules_mount *mount, struct rules **out_rules,
		struct failure *failure)
{
	AUTO_FREE char *directory = strdup(mount->rule_file);
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!slash)
		return failure_errno(failure, directory ? -EINVAL : -ENOMEM,
				     mount->rule_file, "can't use the rules");
	slash[slash == directory] = '\0';
	return rules_load(mount->rule_file, directory, out_rules, failure);
}

static int serve_mounted(const struct rules_mount *mount, struct rules *rules,
			 struct mount_options *options,
			 struct readiness *readiness)
{
	AUTO_FREE char *parent = NULL;
	char scratch[PATH_MAX] = "";
	int fd = -1, rc = 0;
	struct diverge_params params = {
		.mountpoint = mount->mountpoint,
		.rules = rules,
		.options = options,
	};

	if (diverge_has_scratch(rules)) {
		if (asprintf(&parent, "%s/scratch", mount->store) < 0)
			return failure_errno(readiness->failure, -ENOMEM, NULL,
					     "can't mount");
		rc = scratch_open(parent, scratch, &fd, readiness->failure);
		params.scratch = scratch;
	}
	if (rc == 0)
		rc = diverge_serve(&params, ready, readiness,
				   readiness->failure);
	if (fd >= 0)
		scratch_close(scratch, fd);
	return rc;
}

/* The mount below, unless somebody ended it before. */
static void end_below(const struct rules_mount *mount, dev_t device)
{
	if (mount_top_device(mount->mountpoint) != device)
		return;
	if (mount_end(mount->mountpoint, false) < 0 &&
	    mount_end(mount->mountpoint, true) < 0)
		log_message(LOG_LEVEL_ERROR, "%s: stays mounted, without rules",
			    mount->mountpoint);
}

/* While it is held no other mount gets the number of the one below; without
 * root it keeps that busy, which end_below copes with. */
static int pin(const char *mountpoint)
{
	int fd = open_tree(AT_FDCWD, mountpoint,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd < 0 ? open(mountpoint, O_PATH | O_CLOEXEC) : fd;
}

static int serve(const void *context, int ready_fd, struct failure *failure)
{
	const struct rules_mount *mount = context;
	struct readiness readiness = { .fd = ready_fd, .failure = failure };
	AUTO_CLOSE int pin_fd = pin(mount->mountpoint);
	dev_t device = mount_top_device(mount->mountpoint);
	struct mount_options options;
	struct rules *rules = NULL;
	/* What is in the store may become another state at any time, of which
	 * only the kernel's mount below is told. */
	int rc = diverge_options(&options, mount->options, mount->source, 0,
				 failure);

	if (rc == 0)
		rc = load(mount, &rules, failure);
	if (rc == 0)
		rc = serve_mounted(mount, rules, &options, &readiness);
	rules_free(rules);
	mount_options_fini(&options);
	if (readiness.told)
		end_below(mount, device);
	else
		background_ready(ready_fd, failure);
	return rc;
}

int rules_main(int argc, char **argv)
{
	struct rules_mount mount;
	struct background background = {
		.serve = serve,
		.context = &mount,
		.log_name = "daemon.log",
	};
	struct failure failure = { .code = FAILURE_NONE };

	if (argc != RULES_ARGUMENTS)
		return failure_exit_code(FAILURE_USAGE);
	mount = (struct rules_mount){ argv[1], argv[2], argv[3], argv[4],
				      argv[5] };
	background.log_directory = mount.store;
	if (background_run(&background, NULL, &failure) < 0 &&
	    failure.code == FAILURE_NONE)
		failure_errno(&failure, -EIO, "rules", "can't mount");
	(void)!write(RULES_READY_FD, &failure, sizeof(failure));
	return failure_exit_code(failure.code);
}
