/* Failure codes, their slugs and exit codes, and how they are filled in. */
#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *slug;
	int exit_code;
	int rc;
} table[] = {
	[FAILURE_NONE] = { "ok", 0, 0 },
	[FAILURE_FAILED] = { "failed", 1, -EINVAL },
	[FAILURE_USAGE] = { "usage", 2, -EINVAL },
	[FAILURE_PARTIAL] = { "partial", 3, -EIO },
	[FAILURE_NO_STORE] = { "no_store", 10, -ENOENT },
	[FAILURE_BUSY] = { "busy", 11, -EBUSY },
	[FAILURE_NOT_FOUND] = { "not_found", 12, -ENOENT },
	[FAILURE_EXISTS] = { "exists", 13, -EEXIST },
	[FAILURE_HELD] = { "held", 14, -EBUSY },
	[FAILURE_NO_SPACE] = { "no_space", 15, -ENOSPC },
	[FAILURE_CORRUPT] = { "corrupt", 16, -EUCLEAN },
	[FAILURE_BASE_CHANGED] = { "base_changed", 17, -ESTALE },
	[FAILURE_UNSUPPORTED] = { "unsupported", 19, -EOPNOTSUPP },
	[FAILURE_INTERRUPTED] = { "interrupted", 130, -EINTR },
};

#define CODE_COUNT (sizeof(table) / sizeof(table[0]))

const char *failure_slug(enum failure_code code)
{
	return table[code].slug;
}

int failure_exit_code(enum failure_code code)
{
	return table[code].exit_code;
}

enum failure_code failure_from_slug(const char *slug)
{
	size_t code;

	for (code = 0; code < CODE_COUNT; code++)
		if (slug && strcmp(table[code].slug, slug) == 0)
			return (enum failure_code)code;
	return FAILURE_FAILED;
}

enum failure_code failure_from_errno(int errno_value)
{
	switch (errno_value) {
	case ENOSPC:
	case EDQUOT:
		return FAILURE_NO_SPACE;
	case EUCLEAN:
		return FAILURE_CORRUPT;
	case EBUSY:
		return FAILURE_BUSY;
	case EEXIST:
		return FAILURE_EXISTS;
	case EINTR:
		return FAILURE_INTERRUPTED;
	default:
		return FAILURE_FAILED;
	}
}

static void fill(struct failure *failure, enum failure_code code,
		 const char *object, const char *format, va_list arguments)
{
	failure->code = code;
	snprintf(failure->object, sizeof(failure->object), "%s",
		 object ? object : "");
	vsnprintf(failure->message, sizeof(failure->message), format,
		  arguments);
	failure->hint[0] = '\0';
}

int failure_set(struct failure *failure, enum failure_code code,
		const char *object, const char *format, ...)
{
	va_list arguments;

	if (failure && failure->code == FAILURE_NONE) {
		va_start(arguments, format);
		fill(failure, code, object, format, arguments);
		va_end(arguments);
	}
	return table[code].rc;
}

int failure_errno(struct failure *failure, int rc, const char *object,
		  const char *format, ...)
{
	va_list arguments;
	size_t used;

	if (failure && failure->code == FAILURE_NONE) {
		va_start(arguments, format);
		fill(failure, failure_from_errno(-rc), object, format,
		     arguments);
		va_end(arguments);
		used = strlen(failure->message);
		snprintf(failure->message + used,
			 sizeof(failure->message) - used, ": %s",
			 strerror(-rc));
	}
	return rc;
}

void failure_hint(struct failure *failure, const char *format, ...)
{
	va_list arguments;

	if (!failure || failure->hint[0])
		return;
	va_start(arguments, format);
	vsnprintf(failure->hint, sizeof(failure->hint), format, arguments);
	va_end(arguments);
}
