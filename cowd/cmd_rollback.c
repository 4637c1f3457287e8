/* cowd rollback, undo, log. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "table.h"

static const struct column log_columns[] = {
	{ "OP", "id", COLUMN_TEXT, true },
	{ "WHEN", "time", COLUMN_TIME, true },
	{ "WHO", "user", COLUMN_TEXT, true },
	{ "WHAT", "text", COLUMN_TEXT, true },
	{ "KIND", "kind", COLUMN_TEXT, false },
	{ "UNDONE", "undone", COLUMN_TEXT, false },
	{ .name = NULL },
};

static void say_rollback(struct cli *cli, const struct target *target,
			 const json_t *result)
{
	const char *kept = json_text_at(result, "kept_as");
	const char *since = json_text_at(result, "since");
	char size[32];

	table_size(cli, json_number_at(result, "changed_bytes"), size,
		   sizeof(size));
	if (option_given(cli, OPTION_DRY_RUN)) {
		cli_say(cli, "%s:%s would go to %s (%s%s)\n", target->store,
			json_text_at(result, "branch"),
			json_text_at(result, "to"),
			json_flag_at(result, "changed") ?
				"its state would be kept, changed: " :
				"nothing changed since its last snapshot, ",
			size);
		return;
	}
	cli_say(cli, "%s:%s is now at %s", target->store,
		json_text_at(result, "branch"), json_text_at(result, "to"));
	if (*kept)
		cli_say(cli, " (was: %s of changes since %s, kept as @%s)",
			size, *since ? since : "base", kept);
	cli_say(cli,
		"\nundo with: cowd undo %s          %" PRIu64
		" ms, no data copied\n",
		target->store, json_number_at(result, "duration_ms"));
}

int cmd_rollback(struct cli *cli)
{
	struct target target;
	json_t *result = NULL;
	int rc;

	if (cli->argument_count == 0) {
		failure_set(&cli->failure, FAILURE_USAGE, NULL,
			    "an argument is missing");
		failure_hint(&cli->failure, "cowd rollback %s",
			     cli->command->synopsis);
		return -EINVAL;
	}
	rc = cli_target(cli, 0, &target);
	if (rc == 0)
		rc = cli_need_snapshot(cli, &target);
	if (rc == 0) {
		rc = call_method(cli, &target, "rollback",
				 json_pack("{s:s?, s:s, s:s?, s:b}", "branch",
					   name_or_null(target.branch),
					   "snapshot", target.snapshot, "note",
					   option_value(cli, OPTION_NOTE),
					   "live",
					   option_given(cli, OPTION_LIVE)),
				 &result);
	}
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		say_rollback(cli, &target, result);
	json_decref(result);
	return 0;
}

/* "op-41" or "41". */
static bool operation_number(const char *text, uint64_t *out_nr)
{
	char *end;

	text += strncmp(text, "op-", 3) == 0 ? 3 : 0;
	if (*text < '1' || *text > '9')
		return false;
	errno = 0;
	*out_nr = strtoull(text, &end, 10);
	return !*end && errno == 0 && *out_nr <= INT64_MAX;
}

int cmd_undo(struct cli *cli)
{
	const char *last = cli->argument_count ?
				   cli->arguments[cli->argument_count - 1] :
				   "";
	bool has_number, is_alone = cli->argument_count == 1;
	struct target target;
	uint64_t number = 0;
	json_t *result = NULL;
	int rc;

	/* A lone argument is an operation only if it looks like op-N. */
	has_number = operation_number(last, &number) &&
		     (!is_alone || strncmp(last, "op-", 3) == 0);
	if (cli->argument_count == 2 && !has_number)
		return failure_set(&cli->failure, FAILURE_USAGE, last,
				   "is no operation; 'cowd log' shows them as "
				   "op-N");
	rc = cli_target(cli, has_number && is_alone ? 1 : 0, &target);
	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0) {
		rc = call_method(
			cli, &target, "undo",
			json_pack("{s:o, s:b}", "operation",
				  has_number ? json_size(number) : json_null(),
				  "live", option_given(cli, OPTION_LIVE)),
			&result);
	}
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		cli_say(cli, "%s %s: %s\n",
			option_given(cli, OPTION_DRY_RUN) ? "would undo" :
							    "undone",
			json_text_at(result, "undone"),
			json_text_at(result, "text"));
	json_decref(result);
	return 0;
}

/* Each operation as a document of its own. */
static void print_lines(const json_t *operations)
{
	json_t *value;
	size_t i;

	json_array_foreach(operations, i, value)
	{
		json_t *line = json_pack("{s:s}", "schema", "cowd/operation/1");

		json_object_update(line, value);
		(void)json_print(line, true, stdout);
		json_decref(line);
	}
}

int cmd_log(struct cli *cli)
{
	const char *count = option_value(cli, OPTION_COUNT_LINES);
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (count && (!*count || strlen(count) > 9 ||
		      strspn(count, "0123456789") != strlen(count)))
		return failure_set(&cli->failure, FAILURE_USAGE, count,
				   "is no number");
	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0)
		rc = call_method(
			cli, &target, "log",
			json_pack("{s:i}", "count",
				  count ? (int)strtol(count, NULL, 10) : 20),
			&result);
	if (rc < 0)
		return rc;
	if (option_given(cli, OPTION_JSON_LINES)) {
		print_lines(json_object_get(result, "operations"));
	} else if (!cli_print_json(cli, result)) {
		rc = table_print(cli, log_columns,
				 json_object_get(result, "operations"));
	}
	json_decref(result);
	return rc;
}
