/* cowd diff: extents of images, paths of trees. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "path_text.h"
#include "table.h"

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

/* --- images: extents --- */

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
		       json_flag_at(extent, "lost") ? "lost" :
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

/* --- trees: paths --- */

static const struct {
	const char *status;
	char letter;
} letters[] = {
	{ "added", 'A' },   { "modified", 'M' },     { "deleted", 'D' },
	{ "renamed", 'R' }, { "type_changed", 'T' },
};

static char letter_of(const json_t *change)
{
	const char *status = json_text_at(change, "status");
	size_t i;

	for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (strcmp(letters[i].status, status) == 0)
			return letters[i].letter;
	return '?';
}

static void print_paths(const json_t *change, const char *between)
{
	const char *from = json_text_at(change, "path_from");

	if (*from) {
		path_print(from, stdout);
		fputs(between, stdout);
	}
	path_print(json_text_at(change, "path"), stdout);
}

/* " (data, mode)", or how the size changed. */
static void print_change(struct cli *cli, const json_t *change)
{
	uint64_t from = json_number_at(change, "size_from_bytes");
	uint64_t to = json_number_at(change, "size_to_bytes");
	const json_t *changed = json_object_get(change, "changed"), *word;
	const char *before = "  (";
	char size[32];
	size_t i;

	if (from != to) {
		table_size(cli, from < to ? to - from : from - to, size,
			   sizeof(size));
		printf("  %c%s", from < to ? '+' : '-', size);
	}
	json_array_foreach(changed, i, word)
	{
		if (strcmp(json_string_value(word), "times") == 0 &&
		    json_array_size(changed) > 1)
			continue; /* goes without saying */
		printf("%s%s", before, json_string_value(word));
		before = ", ";
	}
	if (strcmp(before, ", ") == 0)
		putchar(')');
}

static void print_stat(const json_t *change)
{
	const json_t *from = json_object_get(change, "size_from_bytes");
	const json_t *to = json_object_get(change, "size_to_bytes");

	putchar(' ');
	print_paths(change, " => ");
	printf(" | ");
	if (json_is_integer(from) || json_is_integer(to))
		printf("%" PRIu64 " -> %" PRIu64 " bytes\n",
		       json_number_at(change, "size_from_bytes"),
		       json_number_at(change, "size_to_bytes"));
	else
		printf("%s\n", json_text_at(change, "status"));
}

static void print_changes(struct cli *cli, const json_t *changes)
{
	const json_t *change;
	size_t i;

	json_array_foreach(changes, i, change)
	{
		if (option_given(cli, OPTION_NAME_STATUS)) {
			printf("%c\t", letter_of(change));
			print_paths(change, "\t");
		} else if (option_given(cli, OPTION_STAT)) {
			print_stat(change);
			continue;
		} else {
			printf("%c  ", letter_of(change));
			print_paths(change, " -> ");
			print_change(cli, change);
		}
		putchar('\n');
	}
}

static void print_tree_summary(struct cli *cli, const json_t *sum)
{
	char stored[32];

	if (option_given(cli, OPTION_NAME_STATUS))
		return;
	table_size(cli, json_number_at(sum, "stored_bytes"), stored,
		   sizeof(stored));
	printf("%" PRIu64 " changed, %" PRIu64 " added, %" PRIu64
	       " deleted, %" PRIu64 " renamed; %s of blocks\n",
	       json_number_at(sum, "modified") +
		       json_number_at(sum, "type_changed"),
	       json_number_at(sum, "added"), json_number_at(sum, "deleted"),
	       json_number_at(sum, "renamed"), stored);
}

/* --- both --- */

static void print_page(struct cli *cli, const json_t *page, bool is_first)
{
	const json_t *changes = json_object_get(page, "changes");

	if (cli_is_json(cli) || option_given(cli, OPTION_QUIET))
		return;
	if (json_is_array(changes)) {
		print_changes(cli, changes);
	} else if (!option_given(cli, OPTION_STAT)) {
		if (is_first && !option_given(cli, OPTION_NO_HEADING))
			printf("%-12s  %8s  %s\n", "OFFSET", "LENGTH", "KIND");
		print_extents(cli, json_object_get(page, "extents"));
	}
}

/* Is it what the options ask for? */
static int check_page(struct cli *cli, const struct target *target,
		      const json_t *page)
{
	bool is_tree = json_is_array(json_object_get(page, "changes"));

	if (is_tree && option_given(cli, OPTION_BLOCKS))
		return failure_set(&cli->failure, FAILURE_USAGE, target->store,
				   "--blocks: its base is a directory: what "
				   "differs are paths");
	if (!is_tree && option_given(cli, OPTION_NAME_STATUS))
		return failure_set(&cli->failure, FAILURE_USAGE, target->store,
				   "--name-status: its base is an image: what "
				   "differs are blocks");
	return 0;
}

static void join_page(json_t *all, const json_t *page)
{
	static const char *const lists[] = { "extents", "changes" };
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (json_is_array(json_object_get(page, lists[i])))
			json_array_extend(json_object_get(all, lists[i]),
					  json_object_get(page, lists[i]));
}

/* Page after page; human output is printed as it comes. */
static int diff_pages(struct cli *cli, const struct target *target,
		      json_t *params, json_t **out_result)
{
	json_t *all = NULL, *sum = json_object(), *page, *next;
	int rc;

	do {
		rc = call_method(cli, target, "diff", json_copy(params), &page);
		if (rc < 0)
			break;
		rc = check_page(cli, target, page);
		if (rc < 0) {
			json_decref(page);
			break;
		}
		add_summary(sum, json_object_get(page, "summary"));
		print_page(cli, page, !all);
		if (cli_is_json(cli) && all)
			join_page(all, page);
		next = json_object_get(page, "next");
		json_object_set(params,
				json_is_string(next) ? "after" : "start", next);
		rc = json_is_null(next) ? 0 : 1;
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
	json_t *params = json_pack("{s:b, s:b, s:o}", "stat",
				   option_given(cli, OPTION_STAT), "times",
				   option_given(cli, OPTION_TIMES), "paths",
				   cli_take_paths(cli));
	json_t *result = NULL, *sum;
	struct target target;
	bool is_tree, differs;
	int rc = cli->argument_count > 2 ?
			 failure_set(&cli->failure, FAILURE_USAGE,
				     cli->arguments[2],
				     "too many arguments: paths go after --") :
			 diff_sides(cli, &target, params);

	if (rc == 0)
		rc = diff_pages(cli, &target, params, &result);
	json_decref(params);
	if (rc < 0)
		return rc;
	sum = json_object_get(result, "summary");
	is_tree = json_is_array(json_object_get(result, "changes"));
	differs = is_tree ?
			  json_array_size(json_object_get(result, "changes")) >
				  0 :
			  json_number_at(sum, "extents") > 0;
	if (!cli_print_json(cli, result) && !option_given(cli, OPTION_QUIET)) {
		if (is_tree)
			print_tree_summary(cli, sum);
		else
			print_summary(cli, sum);
	}
	if (option_given(cli, OPTION_EXIT_CODE) && differs)
		rc = failure_exit_code(FAILURE_FAILED);
	json_decref(result);
	return rc;
}
