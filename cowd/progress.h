/*
 * Progress of long work, on stderr: a bar on a terminal, a line after
 * SIGUSR1, JSON lines for programs. Nothing for the first half second.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "scope.h"

struct progress {
	const char *operation; /* borrowed */
	bool is_json, is_quiet;
	const volatile sig_atomic_t *interrupted; /* set: give up */
	/* Its own. */
	int64_t started_ns, shown_ns;
	bool is_drawn;
};

/* The fields above are set. SIGUSR1 is handled until the end. */
void progress_begin(struct progress *progress);
/* context: the struct progress. -EINTR once *interrupted. */
NODISCARD int progress_report(void *context, uint64_t done, uint64_t total);
/* Wipes the bar. */
void progress_end(struct progress *progress);
