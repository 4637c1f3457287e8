/* cowd tree, diff, export. */
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

/* The two sides of a diff as parameters; *target names the store. */
static int diff_sides(struct cli *cli, struct target *target, json_t *params)
{
	const char *a = cli->argument_count ? cli->arguments[0] : "";
	bool from_base = strcmp(a, "base") == 0;
	struct target from, to;
	int rc = 0;

	memset(&from, 0, sizeof(from));
	if (!from_base)
		rc = cli_target(cli, 0, &from);
	if (rc == 0 && cli->argument_count > 1 &&
	    strcmp(cli->arguments[1], "base") == 0) {
		failure_set(&cli->failure, FAILURE_USAGE, NULL,
			    "base can only be the first side");
		failure_hint(&cli->failure, "cowd diff base %s",
			     from_base ? "TARGET" : a);
		return -EINVAL;
	}
	if (rc == 0)
		rc = cli_target(
			cli, cli->argument_count > 1 || from_base ? 1 : 0, &to);
	if (rc < 0)
		return rc;
	if (cli->argument_count > 1 && !from_base && !from.snapshot[0]) {
		failure_set(&cli->failure, FAILURE_USAGE, from.text,
			    "the first side must be a snapshot or base");
		failure_hint(&cli->failure,
			     "swap the two, or name one as "
			     "%s@SNAPSHOT",
			     from.text);
		return -EINVAL;
	}
	if (!from_base && strcmp(from.store, to.store) != 0)
		return failure_set(&cli->failure, FAILURE_USAGE, to.text,
				   "is of another store");
	*target = to;
	json_object_set_new(params, "from_base", json_boolean(from_base));
	json_object_set_new(params, "from_branch",
			    json_text_or_null(from.branch));
	json_object_set_new(params, "from", json_text_or_null(from.snapshot));
	json_object_set_new(params, "to_branch", json_text_or_null(to.branch));
	if (cli->argument_count > 1 || from_base)
		json_object_set_new(params, "to",
				    json_text_or_null(to.snapshot));
	return 0;
}

static void print_extents(struct cli *cli, const json_t *extents)
{
	const json_t *extent;
	char length[32];
	size_t i;

	json_array_foreach(extents, i, extent)
	{
		table_size(cli, json_number_at(extent, "length"), length,
			   sizeof(length));
		printf("0x%010" PRIx64 "  %8s  %s\n",
		       json_number_at(extent, "start"), length,
		       json_flag_at(extent, "data") ? "data" :
		       json_flag_at(extent, "zero") ? "zero" :
						      "base");
	}
}

static void add_summary(json_t *sum, const json_t *summary)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)summary, key, value) json_object_set_new(
		sum, key,
		json_size(json_number_at(sum, key) +
			  (uint64_t)json_integer_value(value)));
}

static void print_summary(struct cli *cli, const json_t *sum)
{
	uint64_t count = json_number_at(sum, "extents");
	char data[32], zero[32], base[32];

	table_size(cli, json_number_at(sum, "data_bytes"), data, sizeof(data));
	table_size(cli, json_number_at(sum, "zero_bytes"), zero, sizeof(zero));
	table_size(cli, json_number_at(sum, "base_bytes"), base, sizeof(base));
	printf("%" PRIu64 " extent%s, %s data, %s zero, %s back to base\n",
	       count, count == 1 ? "" : "s", data, zero, base);
}

/* Page after page; human output is printed as it comes. */
static int diff_pages(struct cli *cli, const struct target *target,
		      json_t *params, json_t **out_result)
{
	json_t *all = NULL, *sum = json_object(), *page, *next;
	bool lists = !cli_is_json(cli) && !option_given(cli, OPTION_STAT) &&
		     !option_given(cli, OPTION_QUIET);
	int rc;

	do {
		rc = call_method(cli, target, "diff", json_copy(params), &page);
		if (rc < 0)
			break;
		add_summary(sum, json_object_get(page, "summary"));
		if (lists && !all && !option_given(cli, OPTION_NO_HEADING))
			printf("%-12s  %8s  %s\n", "OFFSET", "LENGTH", "KIND");
		if (lists)
			print_extents(cli, json_object_get(page, "extents"));
		if (cli_is_json(cli) && all)
			json_array_extend(json_object_get(all, "extents"),
					  json_object_get(page, "extents"));
		next = json_object_get(page, "next");
		json_object_set(params, "start", next);
		rc = json_is_integer(next) ? 1 : 0;
		if (all)
			json_decref(page);
		else
			all = page;
	} while (rc == 1);
	if (rc == 0) {
		json_object_set(all, "summary", sum);
		json_object_del(all, "next");
		*out_result = all;
	} else {
		json_decref(all);
	}
	json_decref(sum);
	return rc;
}

int cmd_diff(struct cli *cli)
{
	json_t *params =
		json_pack("{s:b}", "stat", option_given(cli, OPTION_STAT));
	json_t *result = NULL;
	struct target target;
	const json_t *sum;
	int rc = diff_sides(cli, &target, params);

	if (rc == 0)
		rc = diff_pages(cli, &target, params, &result);
	json_decref(params);
	if (rc < 0)
		return rc;
	sum = json_object_get(result, "summary");
	if (!cli_print_json(cli, result) && !option_given(cli, OPTION_QUIET))
		print_summary(cli, sum);
	if (option_given(cli, OPTION_EXIT_CODE) &&
	    json_number_at(sum, "extents"))
		rc = failure_exit_code(FAILURE_FAILED);
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
			json_pack("{s:s?, s:s?, s:s, s:s?, s:b, s:i}", "branch",
				  name_or_null(target.branch), "snapshot",
				  name_or_null(target.snapshot), "path", path,
				  "format", option_value(cli, OPTION_FORMAT),
				  "force", option_given(cli, OPTION_FORCE),
				  "mode", (int)(0666 & ~mask)),
			&result);
	}
	if (rc < 0)
		return rc;
	table_size(cli, json_number_at(result, "size_bytes"), size,
		   sizeof(size));
	table_size(cli, json_number_at(result, "written_bytes"), written,
		   sizeof(written));
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
