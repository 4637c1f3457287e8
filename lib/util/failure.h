/*
 * Why a management operation failed, in the user's words: which object,
 * what is wrong, what to do next. The data path returns errno only.
 */
#pragma once

#include "scope.h"

/* Stable slugs and exit codes; docs/json.md and cowd(8) list them. */
enum failure_code {
	FAILURE_NONE,
	FAILURE_FAILED,
	FAILURE_USAGE,
	FAILURE_PARTIAL,
	FAILURE_NO_STORE,
	FAILURE_BUSY,
	FAILURE_NOT_FOUND,
	FAILURE_EXISTS,
	FAILURE_HELD,
	FAILURE_NO_SPACE,
	FAILURE_CORRUPT,
	FAILURE_BASE_CHANGED,
	FAILURE_UNSUPPORTED,
	FAILURE_INTERRUPTED,
};

struct failure {
	enum failure_code code;
	char object[512];
	char message[1024];
	char hint[1024];
};

/* "no_store", "busy", ...: never changes once published. */
const char *failure_slug(enum failure_code code);
/* The process exit code for it (0 for FAILURE_NONE). */
int failure_exit_code(enum failure_code code);
/* FAILURE_FAILED for a slug nobody knows. */
enum failure_code failure_from_slug(const char *slug);
/* The code that suits an errno that comes from a system call. */
enum failure_code failure_from_errno(int errno_value);

/*
 * Fills *failure (which may be NULL) and returns a negative errno that
 * suits the code, so that callers write `return failure_set(...)`.
 * object may be NULL. An earlier failure in *failure is kept: the first
 * one is the cause.
 */
int failure_set(struct failure *failure, enum failure_code code,
		const char *object, const char *format, ...) PRINTF_LIKE(4, 5);
/* As failure_set, with ": strerror" appended and the code chosen from it. */
int failure_errno(struct failure *failure, int rc, const char *object,
		  const char *format, ...) PRINTF_LIKE(4, 5);
/* Adds the next step. Has no effect when failure is NULL. */
void failure_hint(struct failure *failure, const char *format, ...)
	PRINTF_LIKE(2, 3);
