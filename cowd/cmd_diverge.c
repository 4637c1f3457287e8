/*
 * cowd diverge: plain files over a directory, as divergefs did it.
 *
 * Rules are read and files that are missing made by the command, so that what
 * is wrong with them is told before anything is mounted; the holefile is
 * opened by the process that serves the mount, and keeps its lock.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "background.h"
#include "command.h"
#include "diverge.h"
#include "diverge_front.h"
#include "human.h"
#include "json_out.h"
#include "logging.h"
#include "mountinfo.h"
#include "scratch.h"

const struct option_spec cmd_diverge_options[] = {
	{ OPTION_RULES, 'f', "rules", "FILE",
	  "the rule file (default: PATH/rules, made if missing)" },
	{ OPTION_HOLES, 'h', "holes", "FILE",
	  "names that were removed (default: PATH/holes)" },
	{ OPTION_LEVEL, 'd', "level", "LEVEL",
	  "how much is told: 1 (errors) to 5; default 3" },
	{ OPTION_DEFAULT_PATH, 'p', "path", "PATH",
	  "where rules, holes and files are (default: /tmp)" },
	{ OPTION_STRICT_DIVERGE, 0, "strict-diverge", NULL,
	  "directories of the base can't be renamed" },
	{ OPTION_FOREGROUND, 0, "foreground", NULL,
	  "stay in the foreground until unmounted" },
	{ OPTION_MOUNT_OPTIONS, 'o', "options", "OPTIONS",
	  "mount options, separated by commas" },
	{ .name = NULL },
};

#define HOLES_WAIT_NS INT64_C(3000000000)

struct diverging {
	struct diverge_plan plan;
	char mountpoint[PATH_MAX];
	const char *options; /* the -o string, or NULL */
	struct rules *rules;
	bool strict;
};

static void nap(void)
{
	struct timespec time = { 0, 20000000 };

	nanosleep(&time, NULL);
}

/* The session before may be about to end: its mount has gone. */
static int open_holes(const struct diverging *diverging, struct holes **out,
		      struct failure *failure)
{
	int64_t deadline_ns = human_now_ns() + HOLES_WAIT_NS;
	char source[PATH_MAX + 600];
	int rc;

	for (;;) {
		rc = holes_open(diverging->plan.hole_file,
				diverging->mountpoint, out, failure);
		if (rc != -EBUSY || human_now_ns() > deadline_ns ||
		    mount_source(diverging->mountpoint, source, sizeof(source)))
			return rc;
		memset(failure, 0, sizeof(*failure));
		nap();
	}
}

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

static int serve_mounted(const struct diverging *diverging,
			 struct mount_options *options, struct holes *holes,
			 const char *scratch, struct readiness *readiness)
{
	const struct diverge_params params = {
		.mountpoint = diverging->mountpoint,
		.rules = diverging->rules,
		.holes = holes,
		.scratch = scratch,
		.strict = diverging->strict,
		.options = options,
	};

	return diverge_serve(&params, ready, readiness, readiness->failure);
}

static int serve_with_scratch(const struct diverging *diverging,
			      struct mount_options *options,
			      struct holes *holes, struct readiness *readiness)
{
	AUTO_FREE char *parent = NULL;
	char path[PATH_MAX];
	int fd = -1, rc;

	if (!diverge_has_scratch(diverging->rules))
		return serve_mounted(diverging, options, holes, NULL,
				     readiness);
	if (asprintf(&parent, "%s.scratch", diverging->plan.hole_file) < 0)
		return failure_errno(readiness->failure, -ENOMEM, NULL,
				     "can't mount");
	rc = scratch_open(parent, path, &fd, readiness->failure);
	if (rc == 0)
		rc = serve_mounted(diverging, options, holes, path, readiness);
	scratch_close(path, fd);
	return rc;
}

static int serve(const void *context, int ready_fd, struct failure *failure)
{
	const struct diverging *diverging = context;
	struct readiness readiness = { .fd = ready_fd, .failure = failure };
	struct mount_options options;
	struct holes *holes = NULL;
	int rc;

	log_set_level(diverge_log_level(diverging->plan.level));
	/* Others may change plain files meanwhile. */
	rc = diverge_options(&options, diverging->options, "diverge", 1,
			     failure);
	if (rc == 0)
		rc = open_holes(diverging, &holes, failure);
	if (rc == 0)
		rc = serve_with_scratch(diverging, &options, holes, &readiness);
	holes_close(holes);
	mount_options_fini(&options);
	if (!readiness.told)
		background_ready(ready_fd, failure);
	return rc;
}

/* Words that mean a store, where there is none. */
static int check_rules(const struct diverging *diverging,
		       struct failure *failure)
{
	const struct rule *rule;
	size_t i;

	for (i = 0; i < rules_count(diverging->rules); i++) {
		rule = rules_at(diverging->rules, i);
		if (rule->place != RULE_PLACE_STORE &&
		    rule->place != RULE_PLACE_NOCOMPRESS)
			continue;
		failure_set(failure, FAILURE_USAGE, diverging->plan.rule_file,
			    "line %u: there is no store here", rule->line);
		failure_hint(failure, "@store and @nocompress are for: cowd "
				      "mount -o rules=FILE");
		return -EINVAL;
	}
	return 0;
}

static int load_rules(struct cli *cli, struct diverging *diverging)
{
	const struct diverge_plan *plan = &diverging->plan;
	AUTO_FREE char *here = realpath(".", NULL);
	bool found = true;
	int rc;

	if (!option_given(cli, OPTION_DRY_RUN)) {
		rc = diverge_prepare(plan, &found, &cli->failure);
		if (rc < 0)
			return rc;
	} else if (plan->rules_text[0]) {
		found = access(plan->rule_file, F_OK) == 0;
	}
	if (!found)
		rc = rules_parse(plan->rules_text, strlen(plan->rules_text),
				 plan->rule_file, here ? here : "/",
				 &diverging->rules, &cli->failure);
	else
		rc = rules_load(plan->rule_file, here ? here : "/",
				&diverging->rules, &cli->failure);
	return rc < 0 ? rc : check_rules(diverging, &cli->failure);
}

static int find_place(struct cli *cli, struct diverging *diverging)
{
	char source[PATH_MAX + 600];
	struct stat st;
	int rc = find_mountpoint(cli, cli->arguments[0], diverging->mountpoint);

	if (rc < 0)
		return rc;
	if (stat(diverging->mountpoint, &st) < 0) {
		rc = errno == ENOTCONN ?
			     umount_stale(cli, diverging->mountpoint) :
			     -errno;
		if (rc == 0 && stat(diverging->mountpoint, &st) < 0)
			rc = -errno;
		if (rc < 0)
			return failure_errno(&cli->failure, rc,
					     diverging->mountpoint,
					     "can't use the mountpoint");
	}
	if (!S_ISDIR(st.st_mode))
		return failure_set(&cli->failure, FAILURE_USAGE,
				   cli->arguments[0],
				   "the mountpoint is not a directory");
	if (!mount_source(diverging->mountpoint, source, sizeof(source)) ||
	    strcmp(source, "diverge") != 0)
		return 0;
	failure_set(&cli->failure, FAILURE_BUSY, diverging->mountpoint,
		    "cowd diverge is mounted here already");
	failure_hint(&cli->failure, "cowd umount %s", diverging->mountpoint);
	return -EBUSY;
}

static void say(struct cli *cli, const struct diverging *diverging, int pid)
{
	bool is_dry = option_given(cli, OPTION_DRY_RUN);
	json_t *result = json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:b}", "schema", "cowd/diverge/1",
		"mountpoint", json_text(diverging->mountpoint), "rules",
		json_text(diverging->plan.rule_file), "holes",
		json_text(diverging->plan.hole_file), "pid",
		pid > 0 ? json_integer(pid) : json_null(), "dry_run", is_dry);

	if (!cli_print_json(cli, result))
		cli_say(cli, "%s%s laid over %s (holes in %s)\n",
			is_dry ? "would have " : "", diverging->plan.rule_file,
			diverging->mountpoint, diverging->plan.hole_file);
	json_decref(result);
}

/* A path that still leads there when the process has left this directory. */
static int make_absolute(char *path, struct failure *failure)
{
	AUTO_FREE char *absolute = cli_absolute(path);

	if (!absolute || strlen(absolute) >= PATH_MAX)
		return failure_errno(failure,
				     absolute ? -ENAMETOOLONG : -ENOMEM, path,
				     "can't use the path");
	memcpy(path, absolute, strlen(absolute) + 1);
	return 0;
}

static int run(struct cli *cli, const struct diverging *diverging)
{
	AUTO_FREE char *directory = strdup(diverging->plan.hole_file);
	AUTO_FREE char *log_name = NULL;
	struct background background = { .serve = serve, .context = diverging };
	int pid = 0, rc;

	if (option_given(cli, OPTION_FOREGROUND))
		return serve(diverging, -1, &cli->failure);
	if (!directory ||
	    asprintf(&log_name, "%s.log",
		     strrchr(diverging->plan.hole_file, '/') + 1) < 0)
		return -ENOMEM;
	*strrchr(directory, '/') = '\0';
	background.log_directory = *directory ? directory : "/";
	background.log_name = log_name;
	rc = background_run(&background, &pid, &cli->failure);
	if (rc == 0)
		say(cli, diverging, pid);
	return rc;
}

int cmd_diverge(struct cli *cli)
{
	AUTO_FREE struct diverging *diverging = calloc(1, sizeof(*diverging));
	const struct diverge_options options = {
		.default_path = option_value(cli, OPTION_DEFAULT_PATH),
		.rule_file = option_value(cli, OPTION_RULES),
		.hole_file = option_value(cli, OPTION_HOLES),
		.level = option_value(cli, OPTION_LEVEL),
	};
	int rc;

	if (!diverging)
		return -ENOMEM;
	diverging->options = option_value(cli, OPTION_MOUNT_OPTIONS);
	diverging->strict = option_given(cli, OPTION_STRICT_DIVERGE);
	rc = diverge_plan(&options, &diverging->plan, &cli->failure);
	if (rc == 0)
		rc = find_place(cli, diverging);
	if (rc == 0)
		rc = load_rules(cli, diverging);
	if (rc == 0)
		rc = make_absolute(diverging->plan.hole_file, &cli->failure);
	if (rc == 0 && option_given(cli, OPTION_DRY_RUN))
		say(cli, diverging, 0);
	else if (rc == 0)
		rc = run(cli, diverging);
	rules_free(diverging->rules);
	return rc;
}
