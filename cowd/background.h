/* A process in the background that the command waits for until it is live. */
#pragma once

#include "failure.h"

struct background {
	/* Returns when the work is over, or couldn't begin; the child then ends
	 * with 0 or 1. To call background_ready once in any case. */
	int (*serve)(const void *context, int ready_fd,
		     struct failure *failure);
	const void *context;
	/* What it has to say goes to this file. */
	const char *log_directory, *log_name;
};

/* 0 once it is live, and *out_pid (may be NULL) is its own; or its failure. */
NODISCARD int background_run(const struct background *background, int *out_pid,
			     struct failure *failure);
/* In the child: it is live, or *failure tells why not. ready_fd -1: nobody
 * waits. */
void background_ready(int ready_fd, const struct failure *failure);
