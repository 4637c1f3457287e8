/* Tables on top of libsmartcols; -H prints plain text itself. */
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"
#include "json_out.h"

enum { COLUMNS_MAX = 32, VALUE_BYTES_MAX = 4096 };

struct selection {
	const struct column *columns[COLUMNS_MAX];
	size_t count;
};

static enum time_style time_style(const struct cli *cli)
{
	const char *text = option_value(cli, OPTION_TIME);

	if (text && strcmp(text, "iso") == 0)
		return TIME_STYLE_ISO;
	return text && strcmp(text, "unix") == 0 ? TIME_STYLE_UNIX :
						   TIME_STYLE_RELATIVE;
}

static int one_of(struct cli *cli, enum option_id id, const char *option,
		  const char *a, const char *b, const char *c)
{
	const char *text = option_value(cli, id);

	if (!text || strcmp(text, a) == 0 || strcmp(text, b) == 0 ||
	    strcmp(text, c) == 0)
		return 0;
	return failure_set(&cli->failure, FAILURE_USAGE, text,
			   "%s is one of %s, %s, %s", option, a, b, c);
}

int table_check_options(struct cli *cli)
{
	int rc = one_of(cli, OPTION_TIME, "--time", "relative", "iso", "unix");

	return rc < 0 ? rc :
			one_of(cli, OPTION_COLOR, "--color", "auto", "always",
			       "never");
}

static bool has_color(const struct cli *cli)
{
	const char *when = option_value(cli, OPTION_COLOR);
	const char *forbidden = getenv("NO_COLOR");

	if (when && strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return !(forbidden && *forbidden) && isatty(STDOUT_FILENO);
}

const char *table_color(const struct cli *cli, enum color color)
{
	static const char *const codes[] = {
		[COLOR_RED] = "\033[31m",
		[COLOR_GREEN] = "\033[32m",
		[COLOR_YELLOW] = "\033[33m",
	};

	return has_color(cli) ? codes[color] : "";
}

const char *table_color_end(const struct cli *cli)
{
	return has_color(cli) ? "\033[0m" : "";
}

void table_size(const struct cli *cli, uint64_t size_bytes, char *text,
		size_t text_bytes)
{
	if (option_given(cli, OPTION_BYTES))
		snprintf(text, text_bytes, "%" PRIu64, size_bytes);
	else
		human_size(size_bytes, text, text_bytes);
}

static void list_text(const json_t *list, char *text, size_t text_bytes)
{
	const json_t *value;
	size_t used = 0, i;

	text[0] = '\0';
	json_array_foreach(list, i, value)
	{
		if (used >= text_bytes)
			return;
		used += (size_t)snprintf(text + used, text_bytes - used, "%s%s",
					 i ? "," : "",
					 json_string_value(value));
	}
}

void table_value(const struct cli *cli, const struct column *column,
		 const json_t *row, char *text, size_t text_bytes)
{
	const json_t *value = json_object_get(row, column->key);
	const json_t *snapshot = json_object_get(value, "snapshot");

	if (!value || json_is_null(value)) {
		snprintf(text, text_bytes, "%s",
			 column->type == COLUMN_TEXT ? "" : "-");
		return;
	}
	switch (column->type) {
	case COLUMN_TEXT:
		snprintf(text, text_bytes, "%s",
			 json_is_boolean(value) ?
				 (json_is_true(value) ? "yes" : "no") :
				 json_string_value(value));
		return;
	case COLUMN_NUMBER:
		snprintf(text, text_bytes, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		return;
	case COLUMN_SIZE:
		table_size(cli, json_number_at(row, column->key), text,
			   text_bytes);
		return;
	case COLUMN_TIME:
		human_time(json_time_at(row, column->key), human_now_ns(),
			   time_style(cli), text, text_bytes);
		return;
	case COLUMN_COUNT:
		snprintf(text, text_bytes, "%zu", json_array_size(value));
		return;
	case COLUMN_LIST:
		list_text(value, text, text_bytes);
		if (!*text)
			snprintf(text, text_bytes, "-");
		return;
	case COLUMN_PARENT:
		snprintf(text, text_bytes, "%s%s%s",
			 json_text_at(value, "branch"),
			 json_is_string(snapshot) ? "@" : "",
			 json_text_at(value, "snapshot"));
		return;
	case COLUMN_WRITER:
		snprintf(text, text_bytes, "pid %" PRIu64 " %s",
			 json_number_at(value, "pid"),
			 json_text_at(value, "comm"));
		return;
	}
	abort();
}

static bool is_named(const struct column *column, const char *name,
		     size_t len_bytes)
{
	return strlen(column->name) == len_bytes &&
	       strncasecmp(column->name, name, len_bytes) == 0;
}

static const struct column *find(const struct column *columns, const char *name,
				 size_t len_bytes)
{
	for (; columns->name; columns++)
		if (is_named(columns, name, len_bytes))
			return columns;
	return NULL;
}

static int unknown_column(struct cli *cli, const struct column *columns,
			  const char *name, size_t len_bytes)
{
	char known[512] = "";
	size_t used = 0;

	for (; columns->name && used < sizeof(known); columns++)
		used += (size_t)snprintf(known + used, sizeof(known) - used,
					 "%s%s", used ? ", " : "",
					 columns->name);
	failure_set(&cli->failure, FAILURE_USAGE, NULL,
		    "there is no column '%.*s'", (int)len_bytes, name);
	failure_hint(&cli->failure, "columns are %s", known);
	return -EINVAL;
}

static int choose(struct cli *cli, const struct column *columns,
		  struct selection *selection)
{
	const char *list = option_value(cli, OPTION_OUTPUT);
	const struct column *column;
	size_t len_bytes;

	selection->count = 0;
	if (!list || *list == '+')
		for (column = columns; column->name; column++)
			if (column->is_default)
				selection->columns[selection->count++] = column;
	for (; list && *list; list += len_bytes + (list[len_bytes] == ',')) {
		list += *list == '+';
		len_bytes = strcspn(list, ",");
		column = find(columns, list, len_bytes);
		if (!column || selection->count == COLUMNS_MAX)
			return unknown_column(cli, columns, list, len_bytes);
		selection->columns[selection->count++] = column;
	}
	return 0;
}

bool table_wants(const struct cli *cli, const struct column *columns,
		 const char *name)
{
	const char *list = option_value(cli, OPTION_OUTPUT);
	const char *sort = option_value(cli, OPTION_SORT);
	const struct column *column = find(columns, name, strlen(name));

	if (cli_is_json(cli) || (sort && strcasestr(sort, name)) ||
	    (list && strcasestr(list, name)))
		return true;
	return (!list || *list == '+') && column && column->is_default;
}

static const struct column *sort_column; /* of the qsort that runs now */

static int compare(const void *a, const void *b)
{
	const json_t *left = *(const json_t *const *)a;
	const json_t *right = *(const json_t *const *)b;
	const json_t *left_value = json_object_get(left, sort_column->key);
	uint64_t x, y;

	if (json_is_array(left_value)) {
		x = json_array_size(left_value);
		y = json_array_size(json_object_get(right, sort_column->key));
		return x < y ? -1 : x > y;
	}
	if (json_is_string(left_value)) /* RFC 3339 sorts as text too */
		return strcmp(json_string_value(left_value),
			      json_text_at(right, sort_column->key));
	x = json_number_at(left, sort_column->key);
	y = json_number_at(right, sort_column->key);
	return x < y ? -1 : x > y;
}

/* A new array in the order that --sort asks for. */
static int sorted(struct cli *cli, const struct column *columns,
		  const json_t *rows, json_t **out_rows)
{
	const char *sort = option_value(cli, OPTION_SORT);
	size_t count = json_array_size(rows), i;
	bool descends = sort && *sort == '-';
	AUTO_FREE json_t **order = calloc(count + 1, sizeof(*order));

	if (!order)
		return failure_errno(&cli->failure, -ENOMEM, NULL,
				     "can't sort");
	for (i = 0; i < count; i++)
		order[i] = json_array_get(rows, i);
	if (sort) {
		sort += descends;
		sort_column = find(columns, sort, strlen(sort));
		if (!sort_column)
			return unknown_column(cli, columns, sort, strlen(sort));
		qsort(order, count, sizeof(*order), compare);
	}
	*out_rows = json_array();
	for (i = 0; i < count; i++)
		json_array_append(*out_rows,
				  order[descends ? count - 1 - i : i]);
	return 0;
}

static void print_plain(const struct cli *cli,
			const struct selection *selection, const json_t *rows)
{
	char text[VALUE_BYTES_MAX];
	const json_t *row, *children;
	size_t i, j;

	json_array_foreach(rows, i, row)
	{
		for (j = 0; j < selection->count; j++) {
			table_value(cli, selection->columns[j], row, text,
				    sizeof(text));
			printf("%s%s", j ? "\t" : "", text);
		}
		putchar('\n');
		children = json_object_get(row, "children");
		if (json_is_array(children))
			print_plain(cli, selection, children);
	}
}

static bool is_right(const struct column *column)
{
	return column->type == COLUMN_SIZE || column->type == COLUMN_NUMBER ||
	       column->type == COLUMN_COUNT;
}

static struct libscols_table *new_table(const struct cli *cli,
					const struct selection *selection,
					bool is_tree)
{
	struct libscols_table *table = scols_new_table();
	size_t i;

	if (!table)
		return NULL;
	for (i = 0; i < selection->count; i++) {
		const struct column *column = selection->columns[i];
		int flags = is_right(column) ? SCOLS_FL_RIGHT : 0;

		if (is_tree && i == 0)
			flags = SCOLS_FL_TREE;
		scols_table_new_column(table, column->name, 0, flags);
	}
	if (option_given(cli, OPTION_ASCII))
		scols_table_enable_ascii(table, 1);
	/* Never cut a value to the width of a terminal. */
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	return table;
}

static int add_rows(const struct cli *cli, struct libscols_table *table,
		    const struct selection *selection, const json_t *rows,
		    struct libscols_line *parent)
{
	char text[VALUE_BYTES_MAX];
	const json_t *row, *children;
	size_t i, j;
	int rc = 0;

	json_array_foreach(rows, i, row)
	{
		struct libscols_line *line =
			scols_table_new_line(table, parent);

		if (!line)
			return -ENOMEM;
		for (j = 0; j < selection->count && rc == 0; j++) {
			table_value(cli, selection->columns[j], row, text,
				    sizeof(text));
			rc = scols_line_set_data(line, j, text);
		}
		children = json_object_get(row, "children");
		if (rc == 0 && json_is_array(children))
			rc = add_rows(cli, table, selection, children, line);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int print(struct cli *cli, const struct column *columns,
		 const json_t *rows, bool is_tree)
{
	struct selection selection;
	struct libscols_table *table;
	int rc = choose(cli, columns, &selection);

	if (rc < 0)
		return rc;
	if (option_given(cli, OPTION_NO_HEADING)) {
		print_plain(cli, &selection, rows);
		return 0;
	}
	table = new_table(cli, &selection, is_tree);
	rc = table ? add_rows(cli, table, &selection, rows, NULL) : -ENOMEM;
	if (rc == 0)
		rc = scols_print_table(table);
	scols_unref_table(table);
	return rc < 0 ? failure_errno(&cli->failure, rc, NULL,
				      "can't print the table") :
			0;
}

int table_print(struct cli *cli, const struct column *columns,
		const json_t *rows)
{
	json_t *in_order = NULL;
	int rc = sorted(cli, columns, rows, &in_order);

	if (rc < 0)
		return rc;
	rc = print(cli, columns, in_order, false);
	json_decref(in_order);
	return rc;
}

int table_print_tree(struct cli *cli, const struct column *columns,
		     const json_t *root)
{
	json_t *rows = json_pack("[O]", root);
	int rc = print(cli, columns, rows, true);

	json_decref(rows);
	return rc;
}
