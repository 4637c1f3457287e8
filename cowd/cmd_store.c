/* cowd status, config ..., version, help. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "human.h"
#include "json_out.h"
#include "table.h"

/* Those that no branch sees are told by `layer list`. */
static void print_layers(const json_t *layers)
{
	const json_t *layer;
	size_t i, used = 0;

	json_array_foreach(layers, i, layer)
		used += json_number_at(layer, "branches") > 0;
	printf("      over %zu director%s\n", used, used == 1 ? "y" : "ies");
	json_array_foreach(layers, i, layer)
	{
		if (!json_number_at(layer, "branches"))
			continue;
		printf("  %-12s %s, %s%s%s\n", json_text_at(layer, "name"),
		       json_text_at(layer, "path"),
		       json_text_at(layer, "state"),
		       *json_text_at(layer, "reason") ? ": " : "",
		       json_text_at(layer, "reason"));
	}
}

static void print_base(const json_t *base)
{
	char ago[64];

	if (json_is_null(base)) {
		printf("      over zeros\n");
		return;
	}
	if (json_array_size(json_object_get(base, "layers"))) {
		print_layers(json_object_get(base, "layers"));
		return;
	}
	human_ago(json_time_at(base, "checked"), human_now_ns(), ago,
		  sizeof(ago));
	printf("      base %s %s%s (checked %s)\n", json_text_at(base, "path"),
	       json_flag_at(base, "changed") ? "CHANGED" : "unchanged",
	       json_flag_at(base, "being_written") ? ", being written to" : "",
	       ago);
}

static void print_status(struct cli *cli, const struct target *target,
			 const json_t *status)
{
	const char *health = json_text_at(status, "health");
	const json_t *branch, *mount;
	const json_t *daemon = json_object_get(status, "daemon");
	bool is_good = strcmp(health, "healthy") == 0;
	bool is_bad = strcmp(health, "damaged") == 0;
	char size[32], written[32], mounted[4096];
	const struct column mounts = { "", "mountpoints", COLUMN_LIST, true };
	size_t i;

	printf("%s  %s%s%s%s", target->store,
	       table_color(cli, is_good ? COLOR_GREEN :
				is_bad	? COLOR_RED :
					  COLOR_YELLOW),
	       health, table_color_end(cli),
	       json_flag_at(status, "read_only") ? " (read-only)" : "");
	print_base(json_object_get(status, "base"));
	json_array_foreach(json_object_get(status, "branches"), i, branch)
	{
		bool has_size =
			json_is_integer(json_object_get(branch, "size_bytes"));

		table_size(cli, json_number_at(branch, "size_bytes"), size,
			   sizeof(size));
		table_size(cli, json_number_at(branch, "written_bytes"),
			   written, sizeof(written));
		table_value(cli, &mounts, branch, mounted, sizeof(mounted));
		printf("  %-12s %s%s%s since its last snapshot, %s%s\n",
		       json_text_at(branch, "name"), has_size ? size : "",
		       has_size ? ", " : "", written,
		       *mounted == '-' ? "not mounted" : "mounted on ",
		       *mounted == '-' ? "" : mounted);
	}
	json_array_foreach(json_object_get(status, "mounts"), i, mount)
	{
		if (json_flag_at(mount, "detached"))
			printf("  %-12s %s%s%s, at no mountpoint\n", "in use",
			       json_text_at(mount, "branch"),
			       *json_text_at(mount, "snapshot") ? "@" : "",
			       json_text_at(mount, "snapshot"));
	}
	if (!json_is_null(daemon))
		printf("  %-12s pid %" PRIu64 "\n", "daemon",
		       json_number_at(daemon, "pid"));
	if (strcmp(json_text_at(json_object_get(status, "scrub"), "state"),
		   "none") != 0) {
		printf("  %-12s ", "scrub");
		scrub_print_line(cli, json_object_get(status, "scrub"));
	}
	if (json_number_at(status, "deleting_snapshots"))
		printf("  %-12s %" PRIu64 " snapshots\n", "deleting",
		       json_number_at(status, "deleting_snapshots"));
	if (*json_text_at(status, "reason"))
		printf("  %-12s %s\n", health, json_text_at(status, "reason"));
}

int cmd_status(struct cli *cli)
{
	struct target target;
	const char *health;
	json_t *status = NULL;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "status", json_object(),
				 &status);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, status) && !option_given(cli, OPTION_QUIET))
		print_status(cli, &target, status);
	health = json_text_at(status, "health");
	if (strcmp(health, "attention") == 0)
		rc = failure_exit_code(FAILURE_PARTIAL);
	else if (strcmp(health, "damaged") == 0)
		rc = failure_exit_code(FAILURE_CORRUPT);
	json_decref(status);
	return rc;
}

static const struct column setting_columns[] = {
	{ "KEY", "key", COLUMN_TEXT, true },
	{ "VALUE", "value", COLUMN_TEXT, true },
	{ "DEFAULT", "default", COLUMN_TEXT, true },
	{ "MEANING", "help", COLUMN_TEXT, true },
	{ .name = NULL },
};

int cmd_config_show(struct cli *cli)
{
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "config.show", json_object(),
				 &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		rc = table_print(cli, setting_columns,
				 json_object_get(result, "settings"));
	json_decref(result);
	return rc;
}

int cmd_config_get(struct cli *cli)
{
	unsigned last = cli->argument_count - 1;
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, last ? 0 : 1, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "config.get",
				 json_pack("{s:s}", "key",
					   cli->arguments[last]),
				 &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		printf("%s\n",
		       json_text_at(json_array_get(json_object_get(result,
								   "settings"),
						   0),
				    "value"));
	json_decref(result);
	return 0;
}

int cmd_config_set(struct cli *cli)
{
	/* KEY=VALUE first: the store is the default one. */
	unsigned first = strchr(cli->arguments[0], '=') ? 0 : 1, i;
	json_t *settings = json_array(), *result, *setting;
	struct target target;
	size_t nr;
	int rc = cli_target(cli, first ? 0 : cli->argument_count, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0 && first == cli->argument_count)
		rc = failure_set(&cli->failure, FAILURE_USAGE, NULL,
				 "no KEY=VALUE is given");
	for (i = first; i < cli->argument_count; i++)
		json_array_append_new(settings, json_text(cli->arguments[i]));
	if (rc == 0)
		rc = call_method(cli, &target, "config.set",
				 json_pack("{s:O}", "settings", settings),
				 &result);
	json_decref(settings);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result)) {
		json_array_foreach(json_object_get(result, "settings"), nr,
				   setting)
			cli_say(cli, "%s%s = %s\n",
				option_given(cli, OPTION_DRY_RUN) ?
					"would set " :
					"",
				json_text_at(setting, "key"),
				json_text_at(setting, "value"));
	}
	json_decref(result);
	return 0;
}

int cmd_version(struct cli *cli)
{
	json_t *version = json_pack("{s:s, s:s}", "schema", "cowd/version/1",
				    "version", COWD_VERSION);

	if (!cli_print_json(cli, version))
		printf("cowd %s\n", COWD_VERSION);
	json_decref(version);
	return 0;
}

int print_help(struct cli *cli, const struct command *command,
	       const char *group)
{
	json_t *json = command_json(command ? command->name : group);

	if (cli_print_json(cli, json))
		;
	else if (command)
		command_help(command, stdout);
	else if (group)
		command_help_group(group, stdout);
	else
		command_help_all(stdout);
	json_decref(json);
	return 0;
}

int cmd_help(struct cli *cli)
{
	const struct command *command;
	unsigned words;

	if (option_given(cli, OPTION_DUMP_OPTIONS)) {
		command_dump_options(stdout);
		return 0;
	}
	if (cli->argument_count < 2)
		cli->group = cli->argument_count ?
				     command_group(cli->arguments[0]) :
				     NULL;
	if (cli->argument_count == 0 || cli->group)
		return print_help(cli, NULL, cli->group);
	command = command_find(cli->arguments, cli->argument_count, &words,
			       &cli->failure);
	return command ? print_help(cli, command, NULL) : -EINVAL;
}
