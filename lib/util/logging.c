/* Log lines: one write per line, so that threads don't mix. */
#include "logging.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum log_level current_level = LOG_LEVEL_NOTICE;
static int journal;

void log_set_level(enum log_level level)
{
	__atomic_store_n(&current_level, level, __ATOMIC_RELAXED);
}

void log_set_journal(int enabled)
{
	__atomic_store_n(&journal, enabled, __ATOMIC_RELAXED);
}

static void emit(enum log_level level, const char *suffix, const char *format,
		 va_list arguments)
{
	char line[2048];
	char text[1536];

	if (level > __atomic_load_n(&current_level, __ATOMIC_RELAXED))
		return;
	vsnprintf(text, sizeof(text), format, arguments);
	if (__atomic_load_n(&journal, __ATOMIC_RELAXED))
		snprintf(line, sizeof(line), "<%d>%s%s%s\n", (int)level, text,
			 suffix ? ": " : "", suffix ? suffix : "");
	else
		snprintf(line, sizeof(line), "cowd: %s%s%s\n", text,
			 suffix ? ": " : "", suffix ? suffix : "");
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return; /* there is nowhere left to say so */
}

void log_message(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	emit(level, NULL, format, arguments);
	va_end(arguments);
}

int log_errno(int rc, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	emit(LOG_LEVEL_ERROR, strerror(-rc), format, arguments);
	va_end(arguments);
	return rc;
}
