/*
 * The daemon: one per store, serves all its mounted branches. It goes to
 * the background only once the mount is live.
 */
#pragma once

#include <stdbool.h>

#include "failure.h"

struct daemon_params {
	const char *store_path;
	const char *base_path;	/* of a base that moved, or NULL */
	const char *branch;	/* NULL: the default one */
	const char *snapshot;	/* name, "latest", "~1"; NULL: the head */
	const char *mountpoint; /* absolute */
	const char *options;	/* the -o string, or NULL */
	bool foreground;
	bool is_volatile; /* the store is removed in the end */
};

/*
 * Foreground: returns when the last mount has gone or a signal came.
 * Background: returns 0 once the mount is live, *out_pid (may be NULL) is
 * the daemon's; or the daemon's own failure.
 */
NODISCARD int daemon_run(const struct daemon_params *params, int *out_pid,
			 struct failure *failure);
