/* The entry: finds the command, takes its options, reports how it ended. */
#include <errno.h>
#include <libgen.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "harden.h"
#include "layer_source.h"
#include "logging.h"
#include "rules_program.h"
#include "table.h"

static int check_count(struct cli *cli)
{
	const struct command *command = cli->command;
	struct failure *failure = &cli->failure;

	if (cli->argument_count > command->most)
		failure_set(failure, FAILURE_USAGE,
			    cli->arguments[command->most],
			    "one argument too many");
	else if (cli->argument_count < command->least)
		failure_set(failure, FAILURE_USAGE, NULL,
			    "an argument is missing");
	else
		return 0;
	failure_hint(failure, "cowd %s %s", command->name, command->synopsis);
	return -EINVAL;
}

static void set_log_level(const struct cli *cli)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "notice", LOG_LEVEL_NOTICE },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};
	const char *text = getenv("COWD_LOG_LEVEL");
	size_t i;

	for (i = 0; text && i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, text) == 0)
			log_set_level(levels[i].level);
	if (option_given(cli, OPTION_QUIET))
		log_set_level(LOG_LEVEL_ERROR);
	if (cli->counts[OPTION_VERBOSE] == 1)
		log_set_level(LOG_LEVEL_INFO);
	else if (cli->counts[OPTION_VERBOSE] > 1)
		log_set_level(LOG_LEVEL_DEBUG);
}

static bool is_help(const char *word)
{
	return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

/* Words that are not parsed may still ask for JSON further on. */
static void look_for_json(struct cli *cli, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0 ||
		    strcmp(argv[i], "--json-lines") == 0)
			cli->counts[OPTION_JSON]++;
}

static int find_dashes(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

/* Global options may come before the command's words, all others after. */
static int take_words(struct cli *cli, int argc, char **argv)
{
	unsigned words = 0;
	int dashes, behind;
	int first, rc = options_parse(cli, NULL, argc, argv, false, &first);

	if (rc < 0)
		return rc;
	if (first == argc && (option_given(cli, OPTION_HELP) ||
			      option_given(cli, OPTION_VERSION)))
		return 0;
	if (argc - first > 1 && is_help(argv[first + 1]) &&
	    command_group(argv[first])) {
		cli->group = command_group(argv[first]);
		cli->counts[OPTION_HELP]++;
		look_for_json(cli, argc, argv);
		return 0;
	}
	cli->command = command_find(argv + first, (unsigned)(argc - first),
				    &words, &cli->failure);
	if (!cli->command)
		return -EINVAL;
	/* The last of the command's words stands for argv[0]. */
	argc -= first + (int)words - 1;
	argv += first + (int)words - 1;
	dashes = find_dashes(argc, argv);
	behind = argc - 1 - dashes;
	rc = options_parse(cli, cli->command->options, argc, argv, true,
			   &first);
	if (rc < 0)
		return rc;
	cli->arguments = argv + first;
	cli->argument_count = (unsigned)(argc - first);
	/* It may have been the argument of an option. */
	if (dashes < argc && strcmp(argv[first - 1], "--") == 0)
		cli->behind_dashes = (unsigned)behind;
	return table_check_options(cli);
}

static int run(struct cli *cli)
{
	int rc;

	if (option_given(cli, OPTION_VERSION))
		return cmd_version(cli);
	if (option_given(cli, OPTION_HELP))
		return print_help(cli, cli->command, cli->group);
	rc = check_count(cli);
	return rc < 0 ? rc : cli->command->run(cli);
}

/* A full disk behind stdout is a failure too. */
static int close_output(struct cli *cli, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE) /* the reader has seen enough */
		return code ? code : 128 + SIGPIPE;
	memset(&cli->failure, 0, sizeof(cli->failure));
	failure_errno(&cli->failure, errno ? -errno : -EIO, NULL,
		      "can't write to standard output");
	return cli_report(cli);
}

int main(int argc, char **argv)
{
	AUTO_FREE struct cli *cli = calloc(1, sizeof(*cli));
	int rc;

	setlocale(LC_CTYPE, "");
	if (!cli || argc < 1)
		return failure_exit_code(FAILURE_FAILED);
	harden_process();
	cli_catch_signals();
	if (strcmp(basename(argv[0]), "mount.cowd") == 0)
		return mount_helper_main(argc, argv);
	if (strcmp(basename(argv[0]), "umount.fuse.cowd") == 0)
		return umount_helper_main(argc, argv);
	if (strcmp(argv[0], RULES_PROGRAM) == 0)
		return rules_main(argc, argv);
	if (strcmp(argv[0], LAYER_PROGRAM) == 0)
		return layer_main(argc, argv);
	rc = take_words(cli, argc, argv);
	if (rc < 0) {
		look_for_json(cli, argc, argv);
	} else {
		set_log_level(cli);
		rc = run(cli);
	}
	if (rc < 0) {
		failure_errno(&cli->failure, rc, NULL, "failed");
		return close_output(cli, cli_report(cli));
	}
	return close_output(cli, rc);
}
