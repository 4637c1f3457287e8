/* cowd snapshot ... */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "human.h"
#include "json_out.h"
#include "table.h"

static const struct column list_columns[] = {
	{ "NAME", "name", COLUMN_TEXT, true },
	{ "CREATED", "created", COLUMN_TIME, true },
	{ "REFER", "refer_bytes", COLUMN_SIZE, true },
	{ "UNIQUE", "unique_bytes", COLUMN_SIZE, true },
	{ "WRITTEN", "written_bytes", COLUMN_SIZE, true },
	{ "HOLDS", "holds", COLUMN_COUNT, true },
	{ "NOTE", "note", COLUMN_TEXT, true },
	{ "ID", "id", COLUMN_TEXT, false },
	{ "BRANCH", "branch", COLUMN_TEXT, false },
	{ "PARENT", "parent", COLUMN_TEXT, false },
	{ "SIZE", "size_bytes", COLUMN_SIZE, false },
	{ "CLONES", "clones", COLUMN_LIST, false },
	{ "KIND", "kind", COLUMN_TEXT, false },
	{ "STATE", "state", COLUMN_TEXT, false },
	{ "DELETED", "deleted", COLUMN_TIME, false },
	{ .name = NULL },
};

/* The same with BRANCH after NAME, for stores with several branches. */
static const struct column list_columns_branches[] = {
	{ "NAME", "name", COLUMN_TEXT, true },
	{ "BRANCH", "branch", COLUMN_TEXT, true },
	{ "CREATED", "created", COLUMN_TIME, true },
	{ "REFER", "refer_bytes", COLUMN_SIZE, true },
	{ "UNIQUE", "unique_bytes", COLUMN_SIZE, true },
	{ "WRITTEN", "written_bytes", COLUMN_SIZE, true },
	{ "HOLDS", "holds", COLUMN_COUNT, true },
	{ "NOTE", "note", COLUMN_TEXT, true },
	{ "ID", "id", COLUMN_TEXT, false },
	{ "PARENT", "parent", COLUMN_TEXT, false },
	{ "SIZE", "size_bytes", COLUMN_SIZE, false },
	{ "CLONES", "clones", COLUMN_LIST, false },
	{ "KIND", "kind", COLUMN_TEXT, false },
	{ "STATE", "state", COLUMN_TEXT, false },
	{ "DELETED", "deleted", COLUMN_TIME, false },
	{ .name = NULL },
};

/* With --trash. */
static const struct column list_columns_trash[] = {
	{ "NAME", "name", COLUMN_TEXT, true },
	{ "BRANCH", "branch", COLUMN_TEXT, true },
	{ "CREATED", "created", COLUMN_TIME, true },
	{ "REFER", "refer_bytes", COLUMN_SIZE, true },
	{ "UNIQUE", "unique_bytes", COLUMN_SIZE, true },
	{ "WRITTEN", "written_bytes", COLUMN_SIZE, true },
	{ "HOLDS", "holds", COLUMN_COUNT, true },
	{ "DELETED", "deleted", COLUMN_TIME, true },
	{ "NOTE", "note", COLUMN_TEXT, true },
	{ "ID", "id", COLUMN_TEXT, false },
	{ "PARENT", "parent", COLUMN_TEXT, false },
	{ "SIZE", "size_bytes", COLUMN_SIZE, false },
	{ "CLONES", "clones", COLUMN_LIST, false },
	{ "KIND", "kind", COLUMN_TEXT, false },
	{ "STATE", "state", COLUMN_TEXT, false },
	{ .name = NULL },
};

static const struct column hold_columns[] = {
	{ "TAG", "tag", COLUMN_TEXT, true },
	{ "SNAPSHOT", "snapshot", COLUMN_TEXT, true },
	{ "BRANCH", "branch", COLUMN_TEXT, true },
	{ "CREATED", "created", COLUMN_TIME, true },
	{ .name = NULL },
};

/*
 * Calls run for every TARGET from argument number first on, and joins their
 * results: lists are chained, sums added, the rest is the last one's.
 */
static int each_target(struct cli *cli, unsigned first,
		       int (*run)(struct cli *cli, const struct target *target,
				  json_t **out_result),
		       json_t **out_result)
{
	unsigned i = first, end = cli->argument_count > first ?
					  cli->argument_count :
					  first + 1;
	json_t *all = NULL, *one = NULL;
	struct target target;
	int rc = 0;

	for (; rc == 0 && i < end; i++) {
		json_t *list;
		uint64_t sum;

		rc = cli_target(cli, i, &target);
		if (rc == 0)
			rc = run(cli, &target, &one);
		if (rc < 0)
			break;
		list = json_object_get(all, "snapshots");
		sum = json_number_at(all, "unique_bytes");
		if (list) {
			json_array_extend(list,
					  json_object_get(one, "snapshots"));
			json_object_set(one, "snapshots", list);
		}
		if (json_object_get(one, "unique_bytes"))
			json_object_set_new(
				one, "unique_bytes",
				json_size(sum +
					  json_number_at(one, "unique_bytes")));
		json_decref(all);
		all = one;
	}
	if (rc < 0)
		json_decref(all);
	else
		*out_result = all;
	return rc;
}

static void say_created(struct cli *cli, const struct target *target,
			const json_t *result)
{
	const json_t *made =
		json_array_get(json_object_get(result, "snapshots"), 0);
	const char *parent = json_text_at(made, "parent");
	bool is_dry = option_given(cli, OPTION_DRY_RUN);
	char size[32];

	table_size(cli, json_number_at(made, "written_bytes"), size,
		   sizeof(size));
	if (!*json_text_at(result, "name"))
		cli_say(cli, "%s:%s has not changed: no snapshot taken\n",
			target->store, json_text_at(result, "branch"));
	else if (is_dry)
		cli_say(cli, "would create %s:%s@%s\n", target->store,
			json_text_at(result, "branch"),
			json_text_at(result, "name"));
	else {
		cli_say(cli,
			"%s:%s@%s created (%s new since %s, %" PRIu64 " ms)\n",
			target->store, json_text_at(result, "branch"),
			json_text_at(result, "name"), size,
			*parent ? parent : "base",
			json_number_at(result, "duration_ms"));
	}
}

static int create_one(struct cli *cli, const struct target *target,
		      json_t **out_result)
{
	int rc = call_method(cli, target, "snapshot.create",
			     json_pack("{s:s?, s:s?, s:s?, s:s?, s:b}",
				       "branch", name_or_null(target->branch),
				       "name", name_or_null(target->snapshot),
				       "note", option_value(cli, OPTION_NOTE),
				       "hold", option_value(cli, OPTION_HOLD),
				       "if_changed",
				       option_given(cli, OPTION_IF_CHANGED)),
			     out_result);

	if (rc == 0 && !cli_is_json(cli))
		say_created(cli, target, *out_result);
	return rc;
}

int cmd_snapshot_create(struct cli *cli)
{
	json_t *result = NULL;
	int rc = each_target(cli, 0, create_one, &result);

	if (rc < 0)
		return rc;
	cli_print_json(cli, result);
	json_decref(result);
	return 0;
}

static bool has_branches(const json_t *snapshots)
{
	const char *first =
		json_text_at(json_array_get(snapshots, 0), "branch");
	const json_t *value;
	size_t i;

	json_array_foreach(snapshots, i,
			   value) if (strcmp(json_text_at(value, "branch"),
					     first) != 0) return true;
	return false;
}

static json_t *list_params(struct cli *cli, const struct target *target,
			   uint64_t older_ns)
{
	bool unique = table_wants(cli, list_columns, "UNIQUE");

	return json_pack("{s:s?, s:b, s:b, s:o}", "branch",
			 name_or_null(target->branch), "trash",
			 option_given(cli, OPTION_TRASH), "unique", unique,
			 "older_than_ns", json_size(older_ns));
}

int cmd_snapshot_list(struct cli *cli)
{
	const char *older = option_value(cli, OPTION_OLDER_THAN);
	const json_t *snapshots;
	uint64_t older_ns = 0;
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (option_given(cli, OPTION_TREE))
		return cmd_tree(cli);
	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0 && older)
		rc = duration_parse(older, &older_ns, &cli->failure);
	if (rc == 0)
		rc = call_method(cli, &target, "snapshot.list",
				 list_params(cli, &target, older_ns), &result);
	if (rc < 0)
		return rc;
	snapshots = json_object_get(result, "snapshots");
	if (!cli_print_json(cli, result)) {
		rc = table_print(
			cli,
			option_given(cli, OPTION_TRASH) ? list_columns_trash :
			has_branches(snapshots) ? list_columns_branches :
						  list_columns,
			snapshots);
	}
	json_decref(result);
	return rc;
}

static void print_names(const char *title, const json_t *names)
{
	const json_t *name;
	size_t i;

	printf("%-12s", title);
	json_array_foreach(names, i, name)
		printf("%s%s", i ? ", " : "", json_string_value(name));
	printf("%s\n", json_array_size(names) ? "" : "-");
}

static void print_snapshot(struct cli *cli, const struct target *target,
			   const json_t *s)
{
	static const char *const keys[] = { "size_bytes", "refer_bytes",
					    "unique_bytes", "written_bytes" };
	int64_t created_ns = json_time_at(s, "created");
	uint64_t extents = json_number_at(s, "written_extents");
	char sizes[4][32], iso[64], ago[64];
	size_t i;

	for (i = 0; i < 4; i++)
		table_size(cli, json_number_at(s, keys[i]), sizes[i],
			   sizeof(sizes[i]));
	human_time(created_ns, 0, TIME_STYLE_ISO, iso, sizeof(iso));
	human_ago(created_ns, human_now_ns(), ago, sizeof(ago));
	printf("%-12s%s:%s@%s\n", "Snapshot:", target->store,
	       json_text_at(s, "branch"), json_text_at(s, "name"));
	printf("%-12s%s\n", "Id:", json_text_at(s, "id"));
	printf("%-12s%s (%s), %s\n", "Created:", iso, ago,
	       json_text_at(s, "kind"));
	printf("%-12s%s\n", "Parent:",
	       *json_text_at(s, "parent") ? json_text_at(s, "parent") : "base");
	print_names("Children:", json_object_get(s, "children"));
	print_names("Clones:", json_object_get(s, "clones"));
	if (json_is_null(json_object_get(s, "size_bytes"))) { /* a tree */
		printf("%-12srefers to %s, unique %s\n", "Size:", sizes[1],
		       sizes[2]);
		printf("%-12s%s since its parent\n", "Written:", sizes[3]);
	} else {
		printf("%-12s%s, refers to %s, unique %s\n", "Size:", sizes[0],
		       sizes[1], sizes[2]);
		printf("%-12s%s since its parent, in %" PRIu64 " extent%s\n",
		       "Written:", sizes[3], extents, extents == 1 ? "" : "s");
	}
	print_names("Holds:", json_object_get(s, "holds"));
	if (*json_text_at(s, "note"))
		printf("%-12s%s\n", "Note:", json_text_at(s, "note"));
	if (strcmp(json_text_at(s, "state"), "live") != 0)
		printf("%-12s%s\n", "State:", json_text_at(s, "state"));
}

static int show_one(struct cli *cli, const struct target *target,
		    json_t **out_result)
{
	int rc = cli_need_snapshot(cli, target);

	if (rc == 0)
		rc = call_method(cli, target, "snapshot.show",
				 json_pack("{s:s?, s:s}", "branch",
					   name_or_null(target->branch),
					   "snapshot", target->snapshot),
				 out_result);
	if (rc == 0 && !cli_is_json(cli))
		print_snapshot(cli, target,
			       json_object_get(*out_result, "snapshot"));
	else if (rc == 0) /* each_target chains lists */
		json_object_set_new(
			*out_result, "snapshots",
			json_pack("[O]",
				  json_object_get(*out_result, "snapshot")));
	return rc;
}

int cmd_snapshot_show(struct cli *cli)
{
	json_t *result = NULL;
	int rc = each_target(cli, 0, show_one, &result);

	if (rc < 0)
		return rc;
	/* One by one as "snapshot", several as "snapshots". */
	json_object_del(result,
			cli->argument_count > 1 ? "snapshot" : "snapshots");
	cli_print_json(cli, result);
	json_decref(result);
	return 0;
}

int cmd_snapshot_rename(struct cli *cli)
{
	unsigned last = cli->argument_count - 1;
	struct target target;
	json_t *result = NULL;
	int rc;

	if (cli->argument_count < 2)
		return failure_set(&cli->failure, FAILURE_USAGE, NULL,
				   "two arguments are needed: %s",
				   cli->command->synopsis);
	rc = cli_target(cli, 0, &target);
	if (rc == 0)
		rc = cli_need_snapshot(cli, &target);
	if (rc == 0) {
		rc = call_method(cli, &target, "snapshot.rename",
				 json_pack("{s:s?, s:s, s:s}", "branch",
					   name_or_null(target.branch),
					   "snapshot", target.snapshot, "name",
					   cli->arguments[last]),
				 &result);
	}
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result)) {
		cli_say(cli, "%s@%s %s %s\n", target.store,
			json_text_at(result, "old_name"),
			option_given(cli, OPTION_DRY_RUN) ?
				"would be renamed to" :
				"is now called",
			json_text_at(result, "name"));
	}
	json_decref(result);
	return 0;
}

/* A list of names and ranges as an array. */
static json_t *split(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t len_bytes = strcspn(text, ",");

		if (len_bytes)
			json_array_append_new(list,
					      json_stringn(text, len_bytes));
		text += len_bytes + (text[len_bytes] == ',');
	}
	return list;
}

static void say_deleted(struct cli *cli, const struct target *target,
			const json_t *result)
{
	const json_t *list = json_object_get(result, "snapshots"), *value;
	bool is_dry = option_given(cli, OPTION_DRY_RUN);
	bool now = json_flag_at(result, "now");
	size_t count = json_array_size(list), i;
	char size[32];

	table_size(cli, json_number_at(result, "unique_bytes"), size,
		   sizeof(size));
	cli_say(cli, "%s %zu snapshot%s%s", is_dry ? "would delete" : "deleted",
		count, count == 1 ? "" : "s", count ? ":" : "");
	json_array_foreach(list, i, value) cli_say(cli, "%s %s", i ? "," : "",
						   json_text_at(value, "name"));
	cli_say(cli, "\n");
	if (count == 0)
		return;
	if (is_dry)
		cli_say(cli, "%s %s\n", size,
			now ? "at least would be free" :
			      "would be in the trash");
	else if (now)
		cli_say(cli, "their space is given back in the background\n");
	else
		cli_say(cli, "in the trash; undo with: cowd undo %s\n",
			target->store);
}

static int delete_one(struct cli *cli, const struct target *target,
		      json_t **out_result)
{
	int rc = cli_need_snapshot(cli, target);

	if (rc < 0)
		return rc;
	if (option_given(cli, OPTION_NOW) &&
	    !cli_confirm(cli, "Delete %s for good?", target->text))
		return -ECANCELED;
	rc = call_method(cli, target, "snapshot.delete",
			 json_pack("{s:s?, s:o, s:b}", "branch",
				   name_or_null(target->branch), "snapshots",
				   split(target->snapshot), "now",
				   option_given(cli, OPTION_NOW)),
			 out_result);
	if (rc == 0 && !cli_is_json(cli))
		say_deleted(cli, target, *out_result);
	return rc;
}

int cmd_snapshot_delete(struct cli *cli)
{
	json_t *result = NULL;
	int rc = each_target(cli, 0, delete_one, &result);

	if (rc < 0)
		return rc;
	cli_print_json(cli, result);
	json_decref(result);
	return 0;
}

static int change_hold(struct cli *cli, const struct target *target,
		       const char *method, const char *done,
		       json_t **out_result)
{
	const char *tag = cli->arguments[0];
	int rc = cli_need_snapshot(cli, target);

	if (rc == 0) {
		rc = call_method(cli, target, method,
				 json_pack("{s:s?, s:o, s:s}", "branch",
					   name_or_null(target->branch),
					   "snapshots", split(target->snapshot),
					   "tag", tag),
				 out_result);
	}
	if (rc == 0 && !cli_is_json(cli))
		cli_say(cli, "%s: %s%s '%s'\n", target->text,
			option_given(cli, OPTION_DRY_RUN) ? "would be " : "",
			done, tag);
	return rc;
}

static int hold_one(struct cli *cli, const struct target *target,
		    json_t **out_result)
{
	return change_hold(cli, target, "snapshot.hold", "held by", out_result);
}

static int release_one(struct cli *cli, const struct target *target,
		       json_t **out_result)
{
	return change_hold(cli, target, "snapshot.release", "released from",
			   out_result);
}

int cmd_snapshot_hold(struct cli *cli)
{
	json_t *result = NULL;
	int rc = each_target(cli, 1, hold_one, &result);

	if (rc < 0)
		return rc;
	cli_print_json(cli, result);
	json_decref(result);
	return 0;
}

int cmd_snapshot_release(struct cli *cli)
{
	json_t *result = NULL;
	int rc = each_target(cli, 1, release_one, &result);

	if (rc < 0)
		return rc;
	cli_print_json(cli, result);
	json_decref(result);
	return 0;
}

int cmd_snapshot_holds(struct cli *cli)
{
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0) {
		rc = call_method(cli, &target, "snapshot.holds",
				 json_pack("{s:s?, s:s?}", "branch",
					   name_or_null(target.branch),
					   "snapshot",
					   name_or_null(target.snapshot)),
				 &result);
	}
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		rc = table_print(cli, hold_columns,
				 json_object_get(result, "holds"));
	json_decref(result);
	return rc;
}

static int keep_params(struct cli *cli, json_t *params)
{
	static const struct {
		enum option_id id;
		const char *name;
	} rules[] = {
		{ OPTION_KEEP_LAST, "keep_last" },
		{ OPTION_KEEP_HOURLY, "keep_hourly" },
		{ OPTION_KEEP_DAILY, "keep_daily" },
		{ OPTION_KEEP_WEEKLY, "keep_weekly" },
		{ OPTION_KEEP_MONTHLY, "keep_monthly" },
	};
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const char *text = option_value(cli, rules[i].id);

		if (!text)
			continue;
		if (!*text || strlen(text) > 9 ||
		    strspn(text, "0123456789") != strlen(text))
			return failure_set(&cli->failure, FAILURE_USAGE, text,
					   "is no number");
		json_object_set_new(params, rules[i].name,
				    json_integer(strtol(text, NULL, 10)));
	}
	return 0;
}

int cmd_snapshot_prune(struct cli *cli)
{
	struct target target;
	json_t *result = NULL, *params;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc < 0)
		return rc;
	params = json_pack("{s:s?, s:b}", "branch", name_or_null(target.branch),
			   "all", option_given(cli, OPTION_ALL));
	rc = params ? keep_params(cli, params) : 0;
	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	rc = call_method(cli, &target, "snapshot.prune", params, &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		say_deleted(cli, &target, result);
	json_decref(result);
	return 0;
}
