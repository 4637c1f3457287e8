/* cowd create, status, config ..., version, help. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "command.h"
#include "human.h"
#include "json_out.h"
#include "table.h"

static int create_params(struct cli *cli, const struct target *target,
			 struct store_create_params *params)
{
	const char *size = option_value(cli, OPTION_SIZE);
	const char *compress = option_value(cli, OPTION_COMPRESS);
	const char *base_id = option_value(cli, OPTION_BASE_ID);
	struct failure *failure = &cli->failure;
	int rc = 0;

	*params = (struct store_create_params){
		.path = target->store,
		.base_path = option_value(cli, OPTION_BASE),
		.branch = option_value(cli, OPTION_BRANCH),
		.full_hash = base_id && strcmp(base_id, "full") == 0,
	};
	if (!params->branch)
		params->branch = name_or_null(target->branch);
	config_defaults(&params->config);
	if (!params->base_path && !size) {
		failure_set(failure, FAILURE_USAGE, target->text,
			    "neither a base nor a size is given");
		failure_hint(failure, "cowd create STORE --base IMAGE, or "
				      "--size SIZE for an empty one");
		return -EINVAL;
	}
	if (params->base_path && !*params->base_path)
		return failure_set(failure, FAILURE_USAGE, "--base",
				   "the path is empty");
	if (option_value(cli, OPTION_BRANCH) && target->branch[0])
		return failure_set(failure, FAILURE_USAGE, target->text,
				   "names the branch, and so does --branch");
	if (base_id && !params->full_hash && strcmp(base_id, "quick") != 0)
		return failure_set(failure, FAILURE_USAGE, base_id,
				   "--base-id is quick or full");
	if (size)
		rc = size_parse(size, &params->size_bytes, failure);
	if (rc == 0 && size && params->size_bytes == 0)
		rc = failure_set(failure, FAILURE_USAGE, size,
				 "a size of 0 is no size");
	if (rc == 0 && compress)
		rc = config_set(&params->config, "compress", compress, failure);
	return rc;
}

static const char *const compress_modes[] = { "idle", "inline", "off" };

/* Takes the references of store and base; NULL base: JSON null. */
static json_t *create_json(const struct store_create_params *params,
			   json_t *store, json_t *base, const char *branch,
			   uint64_t size_bytes, bool is_dry)
{
	return json_pack("{s:s, s:o, s:o?, s:{s:s, s:o}, s:i, s:s, s:s, s:b}",
			 "schema", "cowd/create/1", "store", store, "base",
			 base, "branch", "name", branch, "size_bytes",
			 json_size(size_bytes), "block_bytes", BLOCK_BYTES,
			 "compress", compress_modes[params->config.compress],
			 "checksum", "xxh3", "dry_run", is_dry);
}

/* What can be known without making anything. */
static int create_dry(struct cli *cli, const struct store_create_params *params)
{
	uint64_t size_bytes = params->size_bytes;
	const struct base_fingerprint *print;
	json_t *base_json = NULL, *result;
	struct base *base;
	char size[32];
	int rc;

	if (access(params->path, F_OK) == 0)
		return failure_set(&cli->failure, FAILURE_EXISTS, params->path,
				   "exists already");
	if (params->base_path) {
		rc = base_open(params->base_path, false, &base, &cli->failure);
		if (rc < 0)
			return rc;
		print = base_fingerprint(base);
		if (!size_bytes)
			size_bytes = print->size_bytes;
		base_json = json_pack(
			"{s:o, s:s, s:o}", "path", json_text(print->path),
			"kind",
			print->kind == BASE_KIND_DEVICE ? "device" : "file",
			"size_bytes", json_size(print->size_bytes));
		base_close(base);
	}
	result = create_json(params,
			     json_pack("{s:o, s:n}", "path",
				       json_text(params->path), "uuid"),
			     base_json,
			     params->branch ? params->branch : "main",
			     size_bytes, true);
	if (cli_print_json(cli, result)) {
		json_decref(result);
		return 0;
	}
	json_decref(result);
	table_size(cli, size_bytes, size, sizeof(size));
	cli_say(cli, "would create store %s over %s, %s\n", params->path,
		params->base_path ? params->base_path : "zeros", size);
	return 0;
}

static json_t *created_json(const struct store_create_params *params,
			    const json_t *status)
{
	const json_t *branch =
		json_array_get(json_object_get(status, "branches"), 0);

	return create_json(params,
			   json_incref(json_object_get(status, "store")),
			   json_incref(json_object_get(status, "base")),
			   json_text_at(branch, "name"),
			   json_number_at(branch, "size_bytes"), false);
}

static void say_created(struct cli *cli, const struct target *target,
			const json_t *made)
{
	const json_t *base = json_object_get(made, "base");
	const json_t *branch = json_object_get(made, "branch");
	char size[32];

	table_size(cli, json_number_at(branch, "size_bytes"), size,
		   sizeof(size));
	cli_say(cli, "created store %s over %s (%s, %s, compress %s)\n",
		target->store,
		json_is_null(base) ? "zeros" : json_text_at(base, "path"),
		json_is_null(base) ? "no base" : json_text_at(base, "kind"),
		size, json_text_at(made, "compress"));
	cli_say(cli, "branch %s is ready:  cowd mount %s MOUNTPOINT\n",
		json_text_at(branch, "name"), target->store);
}

int cmd_create(struct cli *cli)
{
	struct store_create_params params;
	json_t *status = NULL, *made;
	struct target target;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0)
		rc = create_params(cli, &target, &params);
	if (rc == 0)
		rc = cli_not_in_store(cli, target.store);
	if (rc == 0 && params.base_path)
		rc = cli_not_in_store(cli, params.base_path);
	if (rc == 0 && option_given(cli, OPTION_DRY_RUN))
		return create_dry(cli, &params);
	if (rc == 0)
		rc = store_create(&params, &cli->failure);
	if (rc < 0 && !cli->failure.object[0])
		snprintf(cli->failure.object, sizeof(cli->failure.object),
			 "%.500s", target.text);
	if (rc == 0)
		rc = call_method(cli, &target, "status", json_object(),
				 &status);
	if (rc < 0)
		return rc;
	made = created_json(&params, status);
	json_decref(status);
	if (!cli_print_json(cli, made))
		say_created(cli, &target, made);
	json_decref(made);
	return 0;
}

static void print_base(const json_t *base)
{
	char ago[64];

	if (json_is_null(base)) {
		printf("      over zeros\n");
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
	const json_t *branch, *daemon = json_object_get(status, "daemon");
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
		table_size(cli, json_number_at(branch, "size_bytes"), size,
			   sizeof(size));
		table_size(cli, json_number_at(branch, "written_bytes"),
			   written, sizeof(written));
		table_value(cli, &mounts, branch, mounted, sizeof(mounted));
		printf("  %-12s %s, %s since its last snapshot, %s%s\n",
		       json_text_at(branch, "name"), size, written,
		       *mounted == '-' ? "not mounted" : "mounted on ",
		       *mounted == '-' ? "" : mounted);
	}
	if (!json_is_null(daemon))
		printf("  %-12s pid %" PRIu64 "\n", "daemon",
		       json_number_at(daemon, "pid"));
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
