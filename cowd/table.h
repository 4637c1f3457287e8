/* Tables of JSON objects: columns, sorting, and how values are shown. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "command.h"

enum column_type {
	COLUMN_TEXT,
	COLUMN_NUMBER,
	COLUMN_SIZE,   /* bytes */
	COLUMN_TIME,   /* RFC 3339 */
	COLUMN_COUNT,  /* of the elements of a list */
	COLUMN_LIST,   /* of texts, joined by commas */
	COLUMN_PARENT, /* {"branch":..., "snapshot":...} */
	COLUMN_WRITER, /* {"pid":..., "comm":...} */
};

struct column {
	const char *name; /* the heading; NULL ends a list */
	const char *key;
	enum column_type type;
	bool is_default; /* shown without -o */
};

/*
 * Prints rows (an array of objects) with the columns that -o chooses, as
 * -H, -b, --sort and --time say. Errors: usage, for unknown columns.
 */
NODISCARD int table_print(struct cli *cli, const struct column *columns,
			  const json_t *rows);
/* Whether the column would be shown: its values may cost much. */
bool table_wants(const struct cli *cli, const struct column *columns,
		 const char *name);
/* Rows have "children", which are drawn below them in the first column. */
NODISCARD int table_print_tree(struct cli *cli, const struct column *columns,
			       const json_t *root);

/* One value as a table shows it. */
void table_value(const struct cli *cli, const struct column *column,
		 const json_t *row, char *text, size_t text_bytes);
/* Sizes as -b asks for; times as --time does. */
void table_size(const struct cli *cli, uint64_t size_bytes, char *text,
		size_t text_bytes);

enum color { COLOR_RED, COLOR_GREEN, COLOR_YELLOW };

/* The escape sequences around text, or "" without colour. */
const char *table_color(const struct cli *cli, enum color color);
const char *table_color_end(const struct cli *cli);
/* Checks --time and --color. */
NODISCARD int table_check_options(struct cli *cli);
