/* cowd tree, export. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "json_out.h"
#include "table.h"

static const struct column tree_columns[] = {
	{ "NAME", "label", COLUMN_TEXT, true },
	{ "CREATED", "created", COLUMN_TIME, true },
	{ "REFER", "refer_bytes", COLUMN_SIZE, true },
	{ "UNIQUE", "unique_bytes", COLUMN_SIZE, true },
	{ "NOTE", "note", COLUMN_TEXT, true },
	{ "ID", "id", COLUMN_TEXT, false },
	{ "BRANCH", "branch", COLUMN_TEXT, false },
	{ .name = NULL },
};

/* What the tree shows as a name: the base, heads and holds are marked. */
static void add_labels(json_t *node)
{
	const char *kind = json_text_at(node, "kind");
	json_t *child;
	char label[600];
	size_t i;

	snprintf(label, sizeof(label), "%s%s%s", json_text_at(node, "name"),
		 strcmp(kind, "base") == 0   ? " (base)" :
		 strcmp(kind, "branch") == 0 ? " *" :
					       "",
		 json_flag_at(node, "held") ? " (held)" : "");
	json_object_set_new(node, "label", json_text(label));
	json_array_foreach(json_object_get(node, "children"), i, child)
		add_labels(child);
}

static void print_dot_name(const json_t *node)
{
	const char *c = json_text_at(node, "name");

	printf("\"%s:", json_text_at(node, "kind"));
	for (; *c; c++)
		printf("%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
	putchar('"');
}

static void print_dot(const json_t *node)
{
	const char *kind = json_text_at(node, "kind");
	const json_t *child;
	size_t i;

	printf("  ");
	print_dot_name(node);
	printf(" [label=\"");
	for (const char *c = json_text_at(node, "name"); *c; c++)
		printf("%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
	printf("\", shape=%s];\n", strcmp(kind, "branch") == 0 ? "ellipse" :
				   strcmp(kind, "base") == 0   ? "cylinder" :
								 "box");
	json_array_foreach(json_object_get(node, "children"), i, child)
	{
		printf("  ");
		print_dot_name(node);
		printf(" -> ");
		print_dot_name(child);
		printf(";\n");
		print_dot(child);
	}
}

int cmd_tree(struct cli *cli)
{
	struct target target;
	json_t *result = NULL, *root;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0 && cli_is_json(cli) && option_given(cli, OPTION_DOT))
		rc = failure_set(&cli->failure, FAILURE_USAGE, "--dot",
				 "--dot and --json exclude each other");
	if (rc == 0)
		rc = call_method(cli, &target, "tree", json_object(), &result);
	if (rc < 0)
		return rc;
	root = json_object_get(result, "tree");
	if (option_given(cli, OPTION_DOT)) {
		printf("digraph cowd {\n  rankdir=LR;\n");
		print_dot(root);
		printf("}\n");
	} else if (!cli_print_json(cli, result)) {
		add_labels(root);
		rc = table_print_tree(cli, tree_columns, root);
	}
	json_decref(result);
	return rc;
}

int cmd_export(struct cli *cli)
{
	unsigned last = cli->argument_count - 1;
	AUTO_FREE char *path = cli_absolute(cli->arguments[last]);
	char size[32], written[32];
	struct target target;
	mode_t mask = umask(0);
	json_t *result = NULL;
	int rc = cli_target(cli, last ? 0 : 1, &target);

	umask(mask);
	if (rc == 0 && !path)
		rc = failure_errno(&cli->failure, -ENOMEM, NULL,
				   "can't export");
	if (rc == 0)
		rc = cli_not_in_store(cli, path);
	if (rc == 0) {
		rc = call_method(
			cli, &target, "export",
			json_pack("{s:s?, s:s?, s:s, s:s?, s:b, s:i, s:s?, "
				  "s:s?}",
				  "branch", name_or_null(target.branch),
				  "snapshot", name_or_null(target.snapshot),
				  "path", path, "format",
				  option_value(cli, OPTION_FORMAT), "force",
				  option_given(cli, OPTION_FORCE), "mode",
				  (int)(0666 & ~mask), "since",
				  option_value(cli, OPTION_SINCE), "whiteouts",
				  option_value(cli, OPTION_WHITEOUTS)),
			&result);
	}
	if (rc < 0)
		return rc;
	table_size(cli, json_number_at(result, "size_bytes"), size,
		   sizeof(size));
	table_size(cli, json_number_at(result, "written_bytes"), written,
		   sizeof(written));
	if (json_is_null(json_object_get(result, "size_bytes")))
		snprintf(size, sizeof(size), "tree");
	if (!cli_print_json(cli, result)) {
		cli_say(cli, "%s %s to %s (%s%s%s)\n", target.text,
			option_given(cli, OPTION_DRY_RUN) ?
				"would be exported" :
				"exported",
			cli->arguments[last], size,
			option_given(cli, OPTION_DRY_RUN) ? "" : ", written: ",
			option_given(cli, OPTION_DRY_RUN) ? "" : written);
	}
	json_decref(result);
	return 0;
}
