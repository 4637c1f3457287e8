/*
 * How a command reaches its store, and what commands share: targets,
 * questions, output.
 */
#include "command.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "control.h"
#include "human.h"
#include "json_out.h"
#include "layer_source.h"
#include "ops.h"
#include "path_text.h"
#include "progress.h"

/* How long to wait for another command that has the store open, or for a
 * daemon that comes or goes. */
#define BUSY_WAIT_NS INT64_C(3000000000)

volatile sig_atomic_t cli_interrupted;

static void on_signal(int number)
{
	cli_interrupted = number;
}

void cli_catch_signals(void)
{
	/* The second ^C ends the process: the store survives that too. */
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int call_here(struct cli *cli, const struct target *target,
		     const char *method, json_t *params,
		     struct progress *progress, json_t **out_result,
		     bool *out_opened)
{
	struct ops_context context = { .uid = getuid(),
				       .progress = progress_report,
				       .progress_context = progress };
	int rc = store_open_with(target->store, NULL, &layer_source,
				 &context.store, &cli->failure);
	int closed;

	*out_opened = rc == 0;
	if (rc < 0)
		return rc;
	rc = ops_call(&context, method, params, out_result, &cli->failure);
	closed = store_close(context.store);
	if (rc == 0 && closed < 0) {
		json_decref(*out_result);
		return failure_errno(&cli->failure, closed, target->store,
				     "the store was not closed cleanly");
	}
	return rc;
}

int cli_cant_reach(struct cli *cli, const char *store, int rc)
{
	struct failure *failure = &cli->failure;
	struct stat st;

	if (rc != -EACCES || stat(store, &st) < 0)
		return failure_errno(failure, rc, store,
				     "can't reach its daemon");
	if (st.st_uid != geteuid()) {
		failure_set(failure, FAILURE_FAILED, store,
			    "the store belongs to uid %u", (unsigned)st.st_uid);
		failure_hint(failure, "run cowd as its owner");
	} else {
		failure_set(failure, FAILURE_FAILED, store,
			    "its control socket belongs to somebody else");
		failure_hint(failure,
			     "if no daemon of the store runs: rm %s/cowd.sock",
			     store);
	}
	return rc;
}

int cli_not_in_store(struct cli *cli, const char *path)
{
	AUTO_FREE char *copy = strdup(path);
	AUTO_FREE char *above = copy ? realpath(dirname(copy), NULL) : NULL;
	char name[PATH_MAX + 16];
	char *slash;

	while (above && *above) {
		snprintf(name, sizeof(name), "%s/index.db", above);
		if (access(name, F_OK) == 0)
			return failure_set(&cli->failure, FAILURE_USAGE, path,
					   "lies inside the store %s", above);
		slash = strrchr(above, '/');
		*slash = '\0';
	}
	return 0;
}

char *cli_absolute(const char *path)
{
	char *here, *all = NULL;

	if (*path == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (here && asprintf(&all, "%s/%s", here, path) < 0)
		all = NULL;
	free(here);
	return all;
}

int daemon_call(struct cli *cli, const char *store, const char *method,
		json_t *params, json_t **out_result)
{
	int fd, rc = control_connect(store, &fd);

	if (rc == -ECONNREFUSED || rc == -ENOTDIR)
		rc = -ENOENT;
	if (rc == 0 && params) {
		rc = control_call(fd, method, params, NULL, NULL, out_result,
				  &cli->failure);
		close(fd);
		if (rc == -ENOENT && cli->failure.code != FAILURE_NONE)
			rc = -EIO; /* the daemon's answer, not its absence */
	} else if (rc == 0) {
		close(fd);
		rc = failure_set(&cli->failure, FAILURE_USAGE, NULL,
				 "a name or a text is no valid UTF-8");
	} else if (rc != -ENOENT) {
		cli_cant_reach(cli, store, rc);
	}
	json_decref(params);
	return rc;
}

static int call_once(struct cli *cli, const struct target *target,
		     const char *method, json_t *params, bool *out_opened,
		     json_t **out_result)
{
	struct progress progress = {
		.operation = method,
		.is_json = cli_is_json(cli),
		.is_quiet = option_given(cli, OPTION_QUIET),
		.interrupted = &cli_interrupted,
	};
	bool none;
	int fd, rc;

	*out_opened = true;
	progress_begin(&progress);
	rc = control_connect(target->store, &fd);
	none = rc == -ENOENT || rc == -ECONNREFUSED || rc == -ENOTDIR;
	if (rc == 0) {
		rc = control_call(fd, method, params, progress_report,
				  &progress, out_result, &cli->failure);
		none = rc == -ENOENT && cli->failure.code == FAILURE_NONE;
		close(fd);
	} else if (!none) {
		rc = cli_cant_reach(cli, target->store, rc);
	}
	if (none)
		rc = call_here(cli, target, method, params, &progress,
			       out_result, out_opened);
	progress_end(&progress);
	return rc;
}

/* A failure speaks of what the user typed. */
static void name_object(struct cli *cli, const struct target *target)
{
	struct failure *failure = &cli->failure;
	const char *object = failure->object;
	char *real = realpath(target->store, NULL);

	if (!*object || strcmp(object, target->snapshot) == 0 ||
	    strcmp(object, target->branch) == 0 ||
	    (!target->branch[0] && strcmp(object, "main") == 0))
		snprintf(failure->object, sizeof(failure->object), "%.500s",
			 target->text);
	else if (real && strcmp(object, real) == 0)
		snprintf(failure->object, sizeof(failure->object), "%.500s",
			 target->store);
	free(real);
}

int call_method(struct cli *cli, const struct target *target,
		const char *method, json_t *params, json_t **out_result)
{
	struct timespec nap = { 0, 20000000 };
	int64_t deadline_ns = human_now_ns() + BUSY_WAIT_NS;
	bool opened;
	int rc;

	if (!params) {
		failure_set(&cli->failure, FAILURE_USAGE, target->text,
			    "a name or a text is no valid UTF-8");
		return -EINVAL;
	}
	if (option_given(cli, OPTION_DRY_RUN))
		json_object_set_new(params, "dry_run", json_true());
	for (;;) {
		rc = call_once(cli, target, method, params, &opened,
			       out_result);
		if (rc >= 0 || opened || cli->failure.code != FAILURE_BUSY ||
		    human_now_ns() > deadline_ns || cli_interrupted)
			break;
		memset(&cli->failure, 0, sizeof(cli->failure));
		nanosleep(&nap, NULL);
	}
	json_decref(params);
	if (rc < 0)
		name_object(cli, target);
	return rc;
}

static const char *default_store(const struct cli *cli)
{
	const char *store = option_value(cli, OPTION_STORE);
	struct stat st;

	if (!store)
		store = getenv("COWD_STORE");
	if (store && *store)
		return store;
	return stat(".cowd", &st) == 0 && S_ISDIR(st.st_mode) ? "./.cowd" :
								NULL;
}

int cli_target(struct cli *cli, unsigned index, struct target *out_target)
{
	const char *text = index < cli->argument_count ? cli->arguments[index] :
							 "";
	int rc = target_parse(text, default_store(cli), out_target,
			      &cli->failure);

	if (rc < 0 && !*text) {
		memset(&cli->failure, 0, sizeof(cli->failure));
		failure_set(&cli->failure, FAILURE_USAGE, NULL,
			    cli->argument_count ? "no store is named, or an "
						  "argument is missing" :
						  "no store is named");
		failure_hint(&cli->failure,
			     "cowd %s %s; --store or COWD_STORE may name the "
			     "store",
			     cli->command->name, cli->command->synopsis);
	}
	return rc;
}

int cli_need_snapshot(struct cli *cli, const struct target *target)
{
	if (target->snapshot[0])
		return 0;
	failure_set(&cli->failure, FAILURE_USAGE, target->text,
		    "a snapshot is missing");
	failure_hint(&cli->failure,
		     "name one as %s@SNAPSHOT; cowd snapshot "
		     "list %s shows them",
		     target->text, target->store);
	return -EINVAL;
}

int cli_no_snapshot(struct cli *cli, const struct target *target)
{
	if (!target->snapshot[0])
		return 0;
	failure_set(&cli->failure, FAILURE_USAGE, target->text,
		    "this command takes no @SNAPSHOT");
	return -EINVAL;
}

int cli_only_store(struct cli *cli, const struct target *target)
{
	if (!target->snapshot[0] && !target->branch[0])
		return 0;
	failure_set(&cli->failure, FAILURE_USAGE, target->text,
		    "this command takes a store, without :BRANCH or "
		    "@SNAPSHOT");
	return -EINVAL;
}

bool cli_confirm(struct cli *cli, const char *format, ...)
{
	va_list arguments;
	char answer[16];

	if (option_given(cli, OPTION_YES) ||
	    option_given(cli, OPTION_DRY_RUN) || !isatty(STDIN_FILENO) ||
	    !isatty(STDERR_FILENO))
		return true;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(" [y/N] ", stderr);
	if (fgets(answer, sizeof(answer), stdin) &&
	    (answer[0] == 'y' || answer[0] == 'Y'))
		return true;
	failure_set(&cli->failure, FAILURE_FAILED, NULL, "nothing was changed");
	return false;
}

void cli_say(const struct cli *cli, const char *format, ...)
{
	va_list arguments;

	if (option_given(cli, OPTION_QUIET))
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}

bool cli_is_json(const struct cli *cli)
{
	return option_given(cli, OPTION_JSON) ||
	       option_given(cli, OPTION_JSON_LINES);
}

bool cli_print_json(const struct cli *cli, const json_t *result)
{
	if (!cli_is_json(cli))
		return false;
	/* main() sees a failed write when it closes stdout. */
	(void)json_print(result, option_given(cli, OPTION_JSON_LINES), stdout);
	return true;
}

json_t *cli_take_paths(struct cli *cli)
{
	json_t *paths = cli->behind_dashes ? json_array() : json_null();
	unsigned i;

	cli->argument_count -= cli->behind_dashes;
	for (i = 0; i < cli->behind_dashes; i++)
		json_array_append_new(
			paths,
			path_json(cli->arguments[cli->argument_count + i]));
	cli->behind_dashes = 0;
	return paths;
}
