/* cowd branch ..., clone, resize. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "table.h"

static const struct column branch_columns[] = {
	{ "NAME", "name", COLUMN_TEXT, true },
	{ "SIZE", "size_bytes", COLUMN_SIZE, true },
	{ "REFER", "refer_bytes", COLUMN_SIZE, true },
	{ "UNIQUE", "unique_bytes", COLUMN_SIZE, true },
	{ "SNAPSHOTS", "snapshots", COLUMN_NUMBER, true },
	{ "PARENT", "parent", COLUMN_PARENT, true },
	{ "MOUNTED", "mountpoints", COLUMN_LIST, true },
	{ "WRITER", "writer", COLUMN_WRITER, true },
	{ "ID", "id", COLUMN_TEXT, false },
	{ "CREATED", "created", COLUMN_TIME, false },
	{ "WRITTEN", "written_bytes", COLUMN_SIZE, false },
	{ "CHANGED", "changed", COLUMN_TEXT, false },
	{ .name = NULL },
};

int cmd_branch_list(struct cli *cli)
{
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0)
		rc = call_method(
			cli, &target, "branch.list",
			json_pack("{s:b}", "unique",
				  table_wants(cli, branch_columns, "UNIQUE")),
			&result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		rc = table_print(cli, branch_columns,
				 json_object_get(result, "branches"));
	json_decref(result);
	return rc;
}

static void print_branch(struct cli *cli, const struct target *target,
			 const json_t *branch)
{
	const struct column *column = branch_columns;
	char text[4096];

	printf("%-12s%s:%s\n", "Branch:", target->store,
	       json_text_at(branch, "name"));
	for (column++; column->name; column++) {
		table_value(cli, column, branch, text, sizeof(text));
		printf("%c", column->name[0]);
		for (const char *c = column->name + 1; *c; c++)
			printf("%c", *c | 0x20);
		printf(":%*s%s\n", 11 - (int)strlen(column->name), "", text);
	}
}

int cmd_branch_show(struct cli *cli)
{
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "branch.show",
				 json_pack("{s:s?}", "branch",
					   name_or_null(target.branch)),
				 &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		print_branch(cli, &target, json_object_get(result, "branch"));
	json_decref(result);
	return 0;
}

/* [TARGET] WORD: the word is the last one, a single argument is it alone. */
static int target_and_word(struct cli *cli, struct target *target,
			   const char **out_word)
{
	unsigned last = cli->argument_count - 1;

	*out_word = cli->arguments[last];
	return cli_target(cli, last ? 0 : cli->argument_count, target);
}

int cmd_branch_rename(struct cli *cli)
{
	struct target target;
	const char *name;
	json_t *result = NULL;
	int rc = target_and_word(cli, &target, &name);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "branch.rename",
				 json_pack("{s:s?, s:s}", "branch",
					   name_or_null(target.branch), "name",
					   name),
				 &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result)) {
		cli_say(cli, "%s:%s %s %s\n", target.store,
			json_text_at(result, "old_name"),
			option_given(cli, OPTION_DRY_RUN) ?
				"would be renamed to" :
				"is now called",
			name);
	}
	json_decref(result);
	return 0;
}

static int delete_one(struct cli *cli, unsigned index, json_t **out_result)
{
	bool now = option_given(cli, OPTION_NOW);
	struct target target;
	char size[32];
	int rc = cli_target(cli, index, &target);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc < 0)
		return rc;
	if (!target.branch[0])
		return failure_set(&cli->failure, FAILURE_USAGE, target.text,
				   "name the branch to delete: %s:BRANCH",
				   target.store);
	if (now && !cli_confirm(cli, "Delete %s for good?", target.text))
		return -ECANCELED;
	rc = call_method(cli, &target, "branch.delete",
			 json_pack("{s:s, s:b}", "branch", target.branch, "now",
				   now),
			 out_result);
	if (rc < 0 || cli_is_json(cli))
		return rc;
	table_size(cli, json_number_at(*out_result, "unique_bytes"), size,
		   sizeof(size));
	if (option_given(cli, OPTION_DRY_RUN))
		cli_say(cli, "would delete %s (%s of its own)\n", target.text,
			size);
	else if (now)
		cli_say(cli,
			"deleted %s; its space is given back in the "
			"background\n",
			target.text);
	else
		cli_say(cli,
			"deleted %s; it is in the trash, undo with: "
			"cowd undo %s\n",
			target.text, target.store);
	return 0;
}

int cmd_branch_delete(struct cli *cli)
{
	json_t *result = NULL, *deleted = json_array();
	unsigned i = 0;
	int rc = 0;

	do {
		json_decref(result);
		result = NULL;
		rc = delete_one(cli, i, &result);
		if (rc == 0)
			json_array_append(deleted,
					  json_object_get(result, "branch"));
	} while (rc == 0 && ++i < cli->argument_count);
	if (rc == 0) {
		json_object_set(result, "branches", deleted);
		cli_print_json(cli, result);
	}
	json_decref(result);
	json_decref(deleted);
	return rc;
}

int cmd_clone(struct cli *cli)
{
	struct target target;
	const char *name;
	const json_t *from;
	json_t *result = NULL;
	int rc = target_and_word(cli, &target, &name);

	if (rc == 0) {
		rc = call_method(
			cli, &target, "clone",
			json_pack("{s:s?, s:s?, s:s}", "branch",
				  name_or_null(target.branch), "snapshot",
				  name_or_null(target.snapshot), "name", name),
			&result);
	}
	if (rc < 0)
		return rc;
	from = json_object_get(result, "from");
	if (!cli_print_json(cli, result)) {
		cli_say(cli, "%s:%s %s at %s%s%s\n", target.store, name,
			option_given(cli, OPTION_DRY_RUN) ? "would begin" :
							    "begins",
			json_text_at(from, "branch"),
			*json_text_at(from, "snapshot") ? "@" : "",
			json_text_at(from, "snapshot"));
	}
	json_decref(result);
	return 0;
}

int cmd_resize(struct cli *cli)
{
	struct target target;
	uint64_t size_bytes;
	const char *word;
	char from[32], to[32], sign[2] = "";
	json_t *result = NULL;
	int rc = target_and_word(cli, &target, &word);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (*word == '+' || *word == '-')
		sign[0] = *word++;
	if (rc == 0)
		rc = size_parse(word, &size_bytes, &cli->failure);
	if (rc == 0 && size_bytes > INT64_MAX)
		rc = failure_set(&cli->failure, FAILURE_USAGE, word,
				 "this size is too large");
	if (rc == 0) {
		rc = call_method(cli, &target, "resize",
				 json_pack("{s:s?, s:o, s:s?, s:b}", "branch",
					   name_or_null(target.branch),
					   "size_bytes", json_size(size_bytes),
					   "relative", name_or_null(sign),
					   "shrink",
					   option_given(cli, OPTION_SHRINK)),
				 &result);
	}
	if (rc < 0)
		return rc;
	table_size(cli, json_number_at(result, "old_size_bytes"), from,
		   sizeof(from));
	table_size(cli, json_number_at(result, "size_bytes"), to, sizeof(to));
	if (!cli_print_json(cli, result))
		cli_say(cli, "%s:%s %s %s (was %s)\n", target.store,
			json_text_at(result, "branch"),
			option_given(cli, OPTION_DRY_RUN) ? "would have" :
							    "now has",
			to, from);
	json_decref(result);
	return 0;
}
