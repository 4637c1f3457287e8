/*
 * To wait a moment for the next request awake. Whoever sleeps must be woken,
 * which on an idle processor of a virtual machine takes longer than most
 * requests do; whoever is awake on a processor that others want is in their
 * way, and later has to wait for them. So it is tried, and done for as long as
 * it pays.
 */
#pragma once

#include <stdbool.h>

struct linger {
	bool never;	   /* there is one processor */
	unsigned trust;	   /* how often it paid, of late */
	unsigned left_out; /* since it was tried last */
	unsigned pause;	   /* how often it is to be left out */
};

void linger_init(struct linger *linger);
/* Returns when fd has something to read, or sooner. One thread at a time. */
void linger_wait(struct linger *linger, int fd);
