/*
 * The command line as a table: every command with its options, from which
 * parsing, --help, completion and the check of the manual page are made.
 */
#pragma once

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "failure.h"
#include "options.h"
#include "target.h"

struct cli;

struct command {
	const char *name;		   /* "snapshot create" */
	const char *synopsis;		   /* its arguments, for people */
	const char *help;		   /* one line */
	unsigned least, most;		   /* positional arguments */
	const struct option_spec *options; /* its own; may be NULL */
	/* The exit code, or a negative errno with cli->failure filled. */
	int (*run)(struct cli *cli);
};

#define ANY_NUMBER 1000000u

enum { CLI_BASES_MAX = 64 };

/* One invocation: what was asked for, and why it failed. */
struct cli {
	const struct command *command;
	const char *group; /* whose help is asked for, instead of command */
	const char *values[OPTION_COUNT]; /* of options with an argument */
	unsigned counts[OPTION_COUNT];	  /* how often each was given */
	const char *bases[CLI_BASES_MAX]; /* of --base; more are only counted */
	const char *binds[CLI_BASES_MAX]; /* of --bind, the same */
	char **arguments;
	unsigned argument_count;
	unsigned behind_dashes; /* of these, the last ones */
	struct failure failure;
};

static inline bool option_given(const struct cli *cli, enum option_id id)
{
	return cli->counts[id] > 0;
}

static inline const char *option_value(const struct cli *cli, enum option_id id)
{
	return cli->values[id];
}

/* command.c */
const struct command *command_at(size_t index); /* NULL past the end */
/* The command that words[0..] names; *out_words is how many words it took.
 * NULL with a usage failure, which suggests the nearest name. */
const struct command *command_find(char **words, unsigned word_count,
				   unsigned *out_words,
				   struct failure *failure);
void command_help(const struct command *command, FILE *out);
void command_help_all(FILE *out);
/* "snapshot" or its alias: what its commands are called; else NULL. */
const char *command_group(const char *word);
void command_help_group(const char *group, FILE *out);
/* The same as JSON, of a command, a group or (NULL) of all. */
json_t *command_json(const char *name);
/* "COMMAND<tab>--long<tab>-s<tab>ARGUMENT" a line; for tests. */
void command_dump_options(FILE *out);

/*
 * cmd_call.c: calls a method of the store, in its daemon if one runs, else
 * by opening the store here. Takes the reference of params; NULL means that
 * a word in them isn't UTF-8. A failure is about target as it was typed.
 */
NODISCARD int call_method(struct cli *cli, const struct target *target,
			  const char *method, json_t *params,
			  json_t **out_result);
/* Set by SIGINT and SIGTERM: 0 or the signal's number. */
extern volatile sig_atomic_t cli_interrupted;
void cli_catch_signals(void);

/* Fills *target from argument number index, or from the default store when
 * there is none. */
NODISCARD int cli_target(struct cli *cli, unsigned index,
			 struct target *out_target);
/* Usage failures when a part is missing, or is one too many. */
NODISCARD int cli_need_snapshot(struct cli *cli, const struct target *target);
NODISCARD int cli_no_snapshot(struct cli *cli, const struct target *target);
NODISCARD int cli_only_store(struct cli *cli, const struct target *target);
/* Takes the arguments behind "--" out: as a list of paths (path_text.h), null
 * if there are none. NULL: no memory. */
json_t *cli_take_paths(struct cli *cli);
/* Asks on a terminal unless -y; false: the user said no (failure is set). */
bool cli_confirm(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* Prints with printf unless -q. */
void cli_say(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* --json or --json-lines. */
bool cli_is_json(const struct cli *cli);
/* With --json, prints the result and returns true. */
bool cli_print_json(const struct cli *cli, const json_t *result);

/* As seen from here, for a daemon that is elsewhere; the caller frees it.
 * NULL: no memory. */
char *cli_absolute(const char *path);
/* Sets the failure of a control_connect that returned rc; returns it. */
int cli_cant_reach(struct cli *cli, const char *store, int rc);
/* Usage failure when path, or what will be there, lies inside a store. */
NODISCARD int cli_not_in_store(struct cli *cli, const char *path);

/*
 * cmd_call.c: a call to the store's daemon; -ENOENT without a failure when
 * none runs. Takes the reference of params.
 */
NODISCARD int daemon_call(struct cli *cli, const char *store,
			  const char *method, json_t *params,
			  json_t **out_result);
struct daemon_params;

/* cmd_mount.c: through the store's daemon, or as it; says nothing. */
NODISCARD int cli_mount(struct cli *cli, const struct daemon_params *params);
/* mountpoint.c: as realpath (path: PATH_MAX), also for one whose daemon
 * died. */
NODISCARD int find_mountpoint(struct cli *cli, const char *text, char *path);
/* cmd_create.c: a store over --base, in memory; its path. */
NODISCARD int cli_create_volatile(struct cli *cli, char *path,
				  size_t path_bytes);
/* cmd_which.c: the mount that a path is in, and the path from its root. The
 * last name may be a symlink. false: it is in none. */
bool cli_path_in_mount(struct cli *cli, const char *text, struct target *target,
		       char out_path[PATH_MAX]);
/* remount.c: does -o ask for it; options is what -o had. Flags that are named
 * change, all else stays. */
bool remount_wanted(const char *options);
NODISCARD int remount(struct cli *cli, const char *store,
		      const char *mountpoint, const char *options);
/* mountpoint.c: ends a mount whose daemon is dead. */
NODISCARD int umount_stale(struct cli *cli, const char *mountpoint);
/* Reports the failure as the options ask; the exit code. */
int cli_report(const struct cli *cli);

/* A part of a target as a parameter: NULL when it isn't named. */
static inline const char *name_or_null(const char *name)
{
	return *name ? name : NULL;
}

/* The commands. */
int cmd_create(struct cli *cli);
int cmd_mount(struct cli *cli);
int cmd_diverge(struct cli *cli);
extern const struct option_spec cmd_diverge_options[];
int cmd_umount(struct cli *cli);
int cmd_revoke(struct cli *cli);
int cmd_snapshot_create(struct cli *cli);
int cmd_snapshot_list(struct cli *cli);
int cmd_snapshot_show(struct cli *cli);
int cmd_snapshot_rename(struct cli *cli);
int cmd_snapshot_delete(struct cli *cli);
int cmd_snapshot_hold(struct cli *cli);
int cmd_snapshot_release(struct cli *cli);
int cmd_snapshot_holds(struct cli *cli);
int cmd_snapshot_prune(struct cli *cli);
int cmd_rollback(struct cli *cli);
int cmd_undo(struct cli *cli);
int cmd_log(struct cli *cli);
int cmd_clone(struct cli *cli);
int cmd_branch_list(struct cli *cli);
int cmd_branch_show(struct cli *cli);
int cmd_branch_rename(struct cli *cli);
int cmd_branch_delete(struct cli *cli);
int cmd_resize(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_df(struct cli *cli);
int cmd_tree(struct cli *cli);
int cmd_diff(struct cli *cli);
int cmd_layer_list(struct cli *cli);
int cmd_layer_add(struct cli *cli);
int cmd_layer_remove(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_which(struct cli *cli);
int cmd_restore(struct cli *cli);
int cmd_commit(struct cli *cli);
int cmd_path(struct cli *cli);
int cmd_lsof(struct cli *cli);
int cmd_swap(struct cli *cli);
int cmd_caps(struct cli *cli);
int cmd_gc(struct cli *cli);
int cmd_compact(struct cli *cli);
int cmd_stats(struct cli *cli);
int cmd_scrub_start(struct cli *cli);
int cmd_scrub_status(struct cli *cli);
int cmd_scrub_pause(struct cli *cli);
int cmd_scrub_resume(struct cli *cli);
int cmd_scrub_cancel(struct cli *cli);
/* What it says of the scrub, in a line. */
void scrub_print_line(const struct cli *cli, const json_t *scrub);
int cmd_config_get(struct cli *cli);
int cmd_config_set(struct cli *cli);
int cmd_config_show(struct cli *cli);
int cmd_completion(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_help(struct cli *cli);
/* Of a command, else of a group, else of all, as the options ask. */
int print_help(struct cli *cli, const struct command *command,
	       const char *group);
/* `mount -t cowd DEVICE DIRECTORY -o OPTIONS`. */
int mount_helper_main(int argc, char **argv);
int umount_helper_main(int argc, char **argv);
/* rules_main.c: the process that the daemon starts for -o rules=. */
int rules_main(int argc, char **argv);
