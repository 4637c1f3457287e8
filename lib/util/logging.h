/* The daemon's and the tools' log: stderr, or syslog levels for journald. */
#pragma once

#include "scope.h"

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Messages above the level are dropped. Default: LOG_LEVEL_NOTICE. */
void log_set_level(enum log_level level);
/* Prefix "<3>" and so on, as systemd reads it from a service's stderr. */
void log_set_journal(int enabled);

void log_message(enum log_level level, const char *format, ...)
	PRINTF_LIKE(2, 3);
/* Logs "text: strerror(-rc)" as an error and returns rc. */
int log_errno(int rc, const char *format, ...) PRINTF_LIKE(2, 3);
