/*
 * cowd path, lsof and caps: what has a number, what is open on a mount, and
 * what the kernel offers to it.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "mountinfo.h"
#include "path_text.h"
#include "table.h"

/* The first argument: a mountpoint (path then is it), or a store. */
static int store_or_mount(struct cli *cli, struct target *target, char *path)
{
	const char *text = cli->argument_count ? cli->arguments[0] : "";
	char source[PATH_MAX + 600];
	bool is_mount = *text && find_mountpoint(cli, text, path) == 0 &&
			mount_source(path, source, sizeof(source));

	memset(&cli->failure, 0, sizeof(cli->failure));
	if (is_mount)
		return target_parse(source, NULL, target, &cli->failure);
	*path = '\0';
	return cli_target(cli, 0, target);
}

static void print_names(const json_t *result)
{
	const json_t *inode, *path;
	size_t i, j;

	json_array_foreach(json_object_get(result, "inodes"), i, inode)
	{
		json_array_foreach(json_object_get(inode, "paths"), j, path)
		{
			path_print(json_string_value(path), stdout);
			putchar('\n');
		}
	}
}

int cmd_path(struct cli *cli)
{
	struct target target;
	json_t *result, *inodes;
	char path[PATH_MAX];
	unsigned i;
	int rc = store_or_mount(cli, &target, path);

	if (rc < 0)
		return rc;
	inodes = json_array();
	for (i = 1; i < cli->argument_count; i++)
		json_array_append_new(inodes, json_text(cli->arguments[i]));
	rc = call_method(cli, &target, "path",
			 json_pack("{s:s?, s:s?, s:o}", "branch",
				   name_or_null(target.branch), "snapshot",
				   name_or_null(target.snapshot), "inodes",
				   inodes),
			 &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		print_names(result);
	json_decref(result);
	return 0;
}

static const struct column handle_columns[] = {
	{ "NUMBER", "number", COLUMN_NUMBER, true },
	{ "COMMAND", "command", COLUMN_TEXT, true },
	{ "PID", "pid", COLUMN_NUMBER, true },
	{ "UID", "uid", COLUMN_NUMBER, true },
	{ "MODE", "mode", COLUMN_TEXT, true },
	{ "INODE", "inode", COLUMN_NUMBER, false },
	{ "SNAPSHOT", "snapshot", COLUMN_TEXT, false },
	{ "MOUNTPOINT", "mountpoint", COLUMN_TEXT, false },
	{ "PATH", "path", COLUMN_TEXT, true },
	{ .name = NULL },
};

int cmd_lsof(struct cli *cli)
{
	struct target target;
	char path[PATH_MAX];
	json_t *result;
	int rc = store_or_mount(cli, &target, path);

	if (rc == 0 && !*path)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "lsof",
				 json_pack("{s:s?}", "target",
					   *path ? path :
						   name_or_null(target.branch)),
				 &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		rc = table_print(cli, handle_columns,
				 json_object_get(result, "handles"));
	json_decref(result);
	return rc;
}

static const struct column cap_columns[] = {
	{ "NAME", "name", COLUMN_TEXT, true },
	{ "OFFERED", "offered", COLUMN_TEXT, true },
	{ "USED", "used", COLUMN_TEXT, true },
	{ "WHY", "why", COLUMN_TEXT, true },
	{ .name = NULL },
};

/* Flags are words in a table. */
static void write_out(json_t *caps)
{
	static const char *const keys[] = { "offered", "used" };
	json_t *cap;
	size_t i, j;

	json_array_foreach(caps, i, cap)
	{
		for (j = 0; j < 2; j++)
			json_object_set_new(
				cap, keys[j],
				json_string(json_flag_at(cap, keys[j]) ? "yes" :
									 "no"));
	}
}

int cmd_caps(struct cli *cli)
{
	struct target target;
	char path[PATH_MAX];
	json_t *result, *caps;
	int rc = store_or_mount(cli, &target, path);

	if (rc == 0 && !*path)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "caps",
				 json_pack("{s:s?}", "target",
					   *path ? path :
						   name_or_null(target.branch)),
				 &result);
	if (rc < 0)
		return rc;
	caps = json_object_get(result, "caps");
	if (!cli_print_json(cli, result)) {
		write_out(caps);
		rc = table_print(cli, cap_columns, caps);
	}
	json_decref(result);
	return rc;
}
