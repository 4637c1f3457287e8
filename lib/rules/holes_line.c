/*
 * Lines of a holefile. A byte that could end a line, or that a terminal might
 * not show as it is, is escaped: control characters and all beyond ASCII,
 * which need not be UTF-8. Pure functions.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "holes_impl.h"

static const char owner_mark[] = "# cowd holes 1 ";

static size_t escape(const char *text, char *out)
{
	char *to = out;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n' || c == '\\') {
			*to++ = '\\';
			*to++ = c == '\n' ? 'n' : '\\';
		} else if (c < 0x20 || c >= 0x7f) {
			*to++ = '\\';
			*to++ = (char)('0' + (c >> 6));
			*to++ = (char)('0' + (c >> 3 & 7));
			*to++ = (char)('0' + (c & 7));
		} else {
			*to++ = (char)c;
		}
	}
	*to = '\0';
	return (size_t)(to - out);
}

/* The value of "nnn", three octal digits of a byte other than NUL; or -1. */
static int octal(const char *digits, const char *end)
{
	int value = 0, i;

	if (end - digits < 3 || digits[0] > '3')
		return -1;
	for (i = 0; i < 3; i++) {
		if (digits[i] < '0' || digits[i] > '7')
			return -1;
		value = value * 8 + digits[i] - '0';
	}
	return value ? value : -1;
}

static int unescape(const char *from, const char *end, char *to)
{
	int value;

	while (from < end) {
		/* A tab or a byte beyond ASCII may be there by hand. */
		if ((unsigned char)*from < 0x20 && *from != '\t')
			return -EINVAL;
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		from++;
		value = octal(from, end);
		if (value >= 0) {
			*to++ = (char)value;
			from += 3;
		} else if (from < end && (*from == 'n' || *from == '\\')) {
			*to++ = *from++ == 'n' ? '\n' : '\\';
		} else {
			return -EINVAL;
		}
	}
	*to = '\0';
	return 0;
}

bool hole_path_valid(const char *path)
{
	size_t part;

	do {
		part = strcspn(path, "/");
		if (part == 0 || (part == 1 && path[0] == '.') ||
		    (part == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += part;
	} while (*path++);
	return true;
}

size_t hole_line_encode(enum hole_line_kind kind, const char *text, char *line)
{
	char *to = line;

	if (kind == HOLE_LINE_OWNER)
		to = stpcpy(to, owner_mark);
	if (kind == HOLE_LINE_REMOVED)
		*to++ = '-';
	if (kind == HOLE_LINE_ADDED || kind == HOLE_LINE_REMOVED)
		*to++ = '/';
	to += escape(text, to);
	*to++ = '\n';
	*to = '\0';
	return (size_t)(to - line);
}

size_t hole_line_encode_origin(const char *path, const char *origin, char *line)
{
	char *to = line;

	to = stpcpy(to, "=/");
	to += escape(path, to);
	to = stpcpy(to, *origin ? "\t/" : "\t");
	to += escape(origin, to);
	*to++ = '\n';
	*to = '\0';
	return (size_t)(to - line);
}

/* "/new<tab>/old", or "/new<tab>". */
static int decode_origin(const char *line, const char *end, char *text)
{
	const char *tab = memchr(line, '\t', (size_t)(end - line));
	int rc = tab ? unescape(line + 1, tab, text) : -EINVAL;
	char *origin = text;

	if (rc == 0 && !hole_path_valid(text))
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	origin += strlen(text) + 1;
	tab++;
	if (tab == end) {
		*origin = '\0';
		return 0;
	}
	rc = *tab == '/' ? unescape(tab + 1, end, origin) : -EINVAL;
	return rc == 0 && !hole_path_valid(origin) ? -EINVAL : rc;
}

int hole_line_decode(const char *line, size_t len_bytes,
		     enum hole_line_kind *out_kind, char *text)
{
	const char *end = line + len_bytes;
	size_t mark_bytes = sizeof(owner_mark) - 1;
	int rc;

	if (len_bytes > mark_bytes &&
	    memcmp(line, owner_mark, mark_bytes) == 0) {
		*out_kind = HOLE_LINE_OWNER;
		return unescape(line + mark_bytes, end, text);
	}
	*out_kind = HOLE_LINE_EMPTY;
	if (len_bytes == 0 || line[0] == '#')
		return 0;
	if (len_bytes > 1 && memcmp(line, "=/", 2) == 0) {
		*out_kind = HOLE_LINE_ORIGIN;
		return decode_origin(line + 1, end, text);
	}
	*out_kind = HOLE_LINE_ADDED;
	if (len_bytes > 1 && memcmp(line, "-/", 2) == 0) {
		*out_kind = HOLE_LINE_REMOVED;
		line++;
	}
	line += *line == '/';
	rc = unescape(line, end, text);
	if (rc == 0 && !hole_path_valid(text))
		rc = -EINVAL;
	return rc;
}
