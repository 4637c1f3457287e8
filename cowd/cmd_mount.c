/*
 * cowd mount.
 *
 * One daemon serves all mounts of a store: the first mount starts it, the
 * others are calls to it, and it ends with its last mount.
 */
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>

#include "command.h"
#include "control.h"
#include "daemon.h"
#include "human.h"
#include "json_out.h"
#include "mountinfo.h"
#include "volatile_store.h"

#define START_WAIT_NS INT64_C(5000000000)

static void nap(void)
{
	struct timespec time = { 0, 10000000 };

	nanosleep(&time, NULL);
}

static int ask_daemon(struct cli *cli, const struct daemon_params *params)
{
	json_t *result = NULL;
	int rc = daemon_call(
		cli, params->store_path, "mount",
		json_pack("{s:s?, s:s?, s:s, s:s?}", "branch", params->branch,
			  "snapshot", params->snapshot, "mountpoint",
			  params->mountpoint, "options", params->options),
		&result);

	if (rc == 0 && params->foreground) {
		failure_set(&cli->failure, FAILURE_BUSY, params->store_path,
			    "a daemon (pid %" PRIu64 ") has the store open "
			    "already and mounted it",
			    json_number_at(result, "pid"));
		failure_hint(&cli->failure,
			     "the foreground is for the first mount; this one "
			     "stays until: cowd umount %s",
			     params->mountpoint);
		rc = -EBUSY;
	}
	json_decref(result);
	return rc;
}

/* Through the daemon, or as it; another that comes or goes is waited for. */
int cli_mount(struct cli *cli, const struct daemon_params *params)
{
	int64_t deadline_ns = human_now_ns() + START_WAIT_NS;
	int rc;

	for (;;) {
		rc = ask_daemon(cli, params);
		if (rc != -ENOENT)
			return rc;
		rc = daemon_run(params, NULL, &cli->failure);
		if (rc >= 0 || cli->failure.code != FAILURE_BUSY ||
		    human_now_ns() > deadline_ns || cli_interrupted)
			return rc;
		memset(&cli->failure, 0, sizeof(cli->failure));
		nap();
	}
}

/* The daemon's entry of a mountpoint, or NULL. */
static json_t *mount_entry(const json_t *result, const char *mountpoint)
{
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(result, "mounts"), i,
			   mount) if (strcmp(json_text_at(mount, "mountpoint"),
					     mountpoint) == 0) return mount;
	return NULL;
}

static void say_warnings(const json_t *mount)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(json_object_get(mount, "warnings"), i, warning)
		fprintf(stderr, "cowd: warning: %s\n",
			json_string_value(warning));
}

/* What has been mounted, as the daemon tells it. */
static int say_mounted(struct cli *cli, const struct target *target,
		       const char *mountpoint)
{
	json_t *result = NULL, *status, *mount;
	const json_t *daemon;
	struct statvfs st;
	int rc = daemon_call(cli, target->store, "status", json_object(),
			     &status);

	if (rc < 0) /* unmounted again already */
		return rc == -ENOENT ? 0 : rc;
	daemon = json_object_get(status, "daemon");
	mount = mount_entry(status, mountpoint);
	say_warnings(mount);
	if (mount && statvfs(mountpoint, &st) == 0) /* -o remount */
		json_object_set_new(mount, "read_only",
				    json_boolean(st.f_flag & ST_RDONLY));
	result = json_pack("{s:s, s:O, s:O?, s:O?, s:b}", "schema",
			   "cowd/mount/1", "store",
			   json_object_get(status, "store"), "mount", mount,
			   "pid", json_object_get(daemon, "pid"), "dry_run",
			   false);
	if (!cli_print_json(cli, result) && mount) {
		cli_say(cli, "%s:%s%s%s mounted on %s (%s, pid %" PRIu64 ")\n",
			target->store, json_text_at(mount, "branch"),
			*json_text_at(mount, "snapshot") ? "@" : "",
			json_text_at(mount, "snapshot"), mountpoint,
			json_flag_at(mount, "read_only") ? "ro" : "rw",
			json_number_at(daemon, "pid"));
	}
	json_decref(result);
	json_decref(status);
	return 0;
}

/* A mount of a dead daemon makes way; one that lives is not mounted over. */
static int check_mounted(struct cli *cli, const char *mountpoint)
{
	const char *options = option_value(cli, OPTION_MOUNT_OPTIONS);
	char source[PATH_MAX + 600];
	struct statvfs st; /* never from a cache, as stat() may be */
	int rc;

	/* With rules there are two, and a process that may be ending them. */
	while (mount_source(mountpoint, source, sizeof(source)) &&
	       statvfs(mountpoint, &st) < 0 && errno == ENOTCONN) {
		rc = umount_stale(cli, mountpoint);
		if (rc < 0 && mount_source(mountpoint, source, sizeof(source)))
			return rc;
		memset(&cli->failure, 0, sizeof(cli->failure));
	}
	if (!mount_source(mountpoint, source, sizeof(source)))
		return 0;
	if (options && strstr(options, "nonempty"))
		return 0;
	failure_set(&cli->failure, FAILURE_BUSY, mountpoint,
		    "%s is mounted here already", source);
	failure_hint(&cli->failure, "cowd umount %s", mountpoint);
	return -EBUSY;
}

/*
 * A place that systemd mounts on first use: to look into it, which tells
 * whether it is empty, would wait for the very mount that is being made.
 * O_PATH (without O_DIRECTORY) does not set it off.
 */
static bool is_automount(const char *mountpoint)
{
	AUTO_CLOSE int fd = open(mountpoint, O_PATH | O_CLOEXEC);
	struct statfs fs;

	return fd >= 0 && fstatfs(fd, &fs) == 0 &&
	       fs.f_type == AUTOFS_SUPER_MAGIC;
}

/* Not where the base is, but what is shown of it. */
static bool is_follow(const struct cli *cli)
{
	const char *base = option_value(cli, OPTION_BASE);

	return base && strcmp(base, "follow") == 0 &&
	       !option_given(cli, OPTION_VOLATILE);
}

/* The daemon is elsewhere: rules=FILE gets a whole path. Frees: the caller. */
static char *options_from_here(const char *options)
{
	AUTO_FREE char *copy = strdup(options ? options : "");
	char *next = copy, *one, *text = NULL;
	size_t text_bytes = 0;
	FILE *out = open_memstream(&text, &text_bytes);
	bool ok = copy && out;

	while (ok && (one = strsep(&next, ",")) != NULL) {
		AUTO_FREE char *path = NULL;

		if (strncmp(one, "rules=", 6) == 0 && one[6]) {
			path = cli_absolute(one + 6);
			ok = path != NULL;
		}
		fprintf(out, "%s%s%s", ftell(out) > 0 ? "," : "",
			path ? "rules=" : "", path ? path : one);
	}
	if (out && fclose(out) != 0)
		ok = false;
	if (ok)
		return text;
	free(text);
	return NULL;
}

/* SUB=DST with a DST that the daemon finds. */
static int add_bind(struct cli *cli, const char *text, FILE *out)
{
	const char *to = strchr(text, '=');
	AUTO_FREE char *absolute = to ? cli_absolute(to + 1) : NULL;

	if (!to || strchr(text, ','))
		return failure_set(&cli->failure, FAILURE_USAGE, text,
				   "--bind is SUB=DST, without commas");
	if (!absolute)
		return -ENOMEM;
	fprintf(out, ",bind=%.*s=%s", (int)(to - text), text, absolute);
	return 0;
}

/* Those of -o, and what is an option of its own here. */
static int all_options(struct cli *cli, const char *given,
		       const char *mountpoint, char **out_options)
{
	size_t size_bytes;
	FILE *out = open_memstream(out_options, &size_bytes);
	unsigned i;
	int rc = 0;

	if (!out)
		return -ENOMEM;
	fprintf(out, "%s%s%s", given,
		is_automount(mountpoint) ? ",nonempty" : "",
		option_given(cli, OPTION_DEBUG) ? ",debug" : "");
	if (is_follow(cli))
		fprintf(out, ",base=follow");
	if (option_given(cli, OPTION_UNION))
		fprintf(out, ",union=%s", option_value(cli, OPTION_UNION));
	for (i = 0;
	     i < cli->counts[OPTION_BIND] && i < CLI_BASES_MAX && rc == 0; i++)
		rc = add_bind(cli, cli->binds[i], out);
	return fclose(out) == 0 ? rc : -ENOMEM;
}

static int mount_target(struct cli *cli, const struct target *target,
			const char *mountpoint)
{
	struct daemon_params params = {
		.store_path = target->store,
		.base_path = option_given(cli, OPTION_VOLATILE) ||
					     is_follow(cli) ?
				     NULL :
				     option_value(cli, OPTION_BASE),
		.branch = name_or_null(target->branch),
		.snapshot = name_or_null(target->snapshot),
		.mountpoint = mountpoint,
		.options = option_value(cli, OPTION_MOUNT_OPTIONS),
		.foreground = option_given(cli, OPTION_FOREGROUND) ||
			      option_given(cli, OPTION_DEBUG),
		.is_volatile = option_given(cli, OPTION_VOLATILE),
	};
	struct failure *failure = &cli->failure;
	AUTO_FREE char *options = NULL;
	AUTO_FREE char *given = options_from_here(params.options);
	int rc = given ? check_mounted(cli, mountpoint) : -ENOMEM;

	if (rc == 0)
		rc = all_options(cli, given, mountpoint, &options);
	params.options = options;
	if (rc == 0)
		rc = cli_mount(cli, &params);

	if (rc < 0 && (!failure->object[0] ||
		       strcmp(failure->object, target->branch) == 0 ||
		       strcmp(failure->object, target->snapshot) == 0))
		snprintf(failure->object, sizeof(failure->object), "%.500s",
			 target->text);
	if (rc < 0 || params.foreground)
		return rc;
	return say_mounted(cli, target, mountpoint);
}

/* Does what is to be mounted exist? The place is seen by mounting only. */
static int mount_dry(struct cli *cli, const struct target *target,
		     const char *mountpoint)
{
	bool is_snapshot = target->snapshot[0];
	json_t *found = NULL, *result;
	const json_t *what;
	int rc = call_method(cli, target,
			     is_snapshot ? "snapshot.show" : "branch.show",
			     is_snapshot ?
				     json_pack("{s:s?, s:s}", "branch",
					       name_or_null(target->branch),
					       "snapshot", target->snapshot) :
				     json_pack("{s:s?}", "branch",
					       name_or_null(target->branch)),
			     &found);

	if (rc < 0)
		return rc;
	what = json_object_get(found, is_snapshot ? "snapshot" : "branch");
	result = json_pack(
		"{s:s, s:O, s:{s:O, s:o, s:o, s:b}, s:n, s:b}", "schema",
		"cowd/mount/1", "store", json_object_get(found, "store"),
		"mount", "branch",
		json_object_get(what, is_snapshot ? "branch" : "name"),
		"snapshot",
		is_snapshot ? json_incref(json_object_get(what, "name")) :
			      json_null(),
		"mountpoint", json_text(mountpoint), "read_only", is_snapshot,
		"pid", "dry_run", true);
	if (!cli_print_json(cli, result))
		cli_say(cli, "would mount %s on %s\n", target->text,
			mountpoint);
	json_decref(result);
	json_decref(found);
	return 0;
}

/* Over a store in memory, which is made for it and goes with it. */
static int mount_volatile(struct cli *cli, const char *mountpoint)
{
	bool is_dry = option_given(cli, OPTION_DRY_RUN);
	struct target target = { .text = "" };
	int rc = 0;

	if (cli->argument_count > 1)
		rc = failure_set(&cli->failure, FAILURE_USAGE,
				 cli->arguments[0],
				 "--volatile makes its own store, over --base");
	if (rc == 0)
		rc = cli_create_volatile(cli, target.store,
					 sizeof(target.store));
	if (rc < 0)
		return rc;
	memcpy(target.text, target.store, sizeof(target.store));
	rc = is_dry ? mount_dry(cli, &target, mountpoint) :
		      mount_target(cli, &target, mountpoint);
	if (rc < 0 || is_dry)
		volatile_remove(target.store);
	return rc;
}

int cmd_mount(struct cli *cli)
{
	const char *options = option_value(cli, OPTION_MOUNT_OPTIONS);
	unsigned last = cli->argument_count - 1;
	char mountpoint[PATH_MAX];
	struct target target;
	int rc;

	if (option_given(cli, OPTION_VOLATILE)) {
		rc = find_mountpoint(cli, cli->arguments[last], mountpoint);
		return rc < 0 ? rc : mount_volatile(cli, mountpoint);
	}
	rc = cli_target(cli, last ? 0 : 1, &target);
	if (rc == 0)
		rc = find_mountpoint(cli, cli->arguments[last], mountpoint);
	if (rc == 0 && remount_wanted(options)) {
		rc = remount(cli, target.store, mountpoint, options);
		if (rc == 0 && !option_given(cli, OPTION_DRY_RUN))
			return say_mounted(cli, &target, mountpoint);
	}
	if (rc < 0)
		return rc;
	return option_given(cli, OPTION_DRY_RUN) ?
		       mount_dry(cli, &target, mountpoint) :
		       mount_target(cli, &target, mountpoint);
}
