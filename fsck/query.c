/* Statements on the working copy: prepared once, bound by a list of types. */
#include "query.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void queries_init(struct queries *queries, sqlite3 *db)
{
	memset(queries, 0, sizeof(*queries));
	queries->db = db;
}

void queries_fini(struct queries *queries)
{
	size_t i;

	for (i = 0; i < queries->count; i++)
		sqlite3_finalize(queries->prepared[i].statement);
	queries->count = 0;
}

static int errno_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

static int prepare(struct queries *queries, const char *text,
		   sqlite3_stmt **out)
{
	size_t i;
	int code;

	for (i = 0; i < queries->count; i++)
		if (queries->prepared[i].text == text) {
			*out = queries->prepared[i].statement;
			return 0;
		}
	if (queries->count == QUERIES_MAX)
		return -ENOMEM;
	code = sqlite3_prepare_v3(queries->db, text, -1,
				  SQLITE_PREPARE_PERSISTENT, out, NULL);
	if (code != SQLITE_OK)
		return errno_of(code);
	queries->prepared[queries->count].text = text;
	queries->prepared[queries->count++].statement = *out;
	return 0;
}

static int bind(sqlite3_stmt *statement, const char *types, va_list values)
{
	int i, code = SQLITE_OK;

	sqlite3_reset(statement);
	for (i = 1; *types && code == SQLITE_OK; types++, i++) {
		const void *bytes;
		size_t len;

		switch (*types) {
		case 'i':
			code = sqlite3_bind_int64(statement, i,
						  va_arg(values, int64_t));
			break;
		case 't':
			code = sqlite3_bind_text(statement, i,
						 va_arg(values, const char *),
						 -1, SQLITE_TRANSIENT);
			break;
		default:
			bytes = va_arg(values, const void *);
			len = va_arg(values, size_t);
			code = sqlite3_bind_blob64(statement, i,
						   bytes ? bytes : "", len,
						   SQLITE_TRANSIENT);
			break;
		}
	}
	return code == SQLITE_OK ? 0 : errno_of(code);
}

int query_next(sqlite3_stmt *row)
{
	int code = sqlite3_step(row);

	if (code == SQLITE_ROW)
		return 1;
	sqlite3_reset(row);
	return code == SQLITE_DONE ? 0 : errno_of(code);
}

void query_end(sqlite3_stmt *row)
{
	sqlite3_reset(row);
}

int query_begin(struct queries *queries, sqlite3_stmt **out_row,
		const char *text, const char *types, ...)
{
	va_list values;
	int rc = prepare(queries, text, out_row);

	if (rc < 0)
		return rc;
	va_start(values, types);
	rc = bind(*out_row, types, values);
	va_end(values);
	return rc < 0 ? rc : query_next(*out_row);
}

int query_run(struct queries *queries, const char *text, const char *types, ...)
{
	sqlite3_stmt *statement;
	va_list values;
	int rc = prepare(queries, text, &statement);

	if (rc < 0)
		return rc;
	va_start(values, types);
	rc = bind(statement, types, values);
	va_end(values);
	if (rc == 0)
		rc = query_next(statement);
	if (rc == 1)
		query_end(statement);
	return rc < 0 ? rc : 0;
}

uint32_t query_u32(sqlite3_stmt *row, int column)
{
	return (uint32_t)sqlite3_column_int64(row, column);
}
