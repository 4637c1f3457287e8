/*
 * Faults: which call or allocation fails, and what each step of a workload
 * leads to without one.
 */
#pragma once

#include "world.h"

enum fault_kind {
	FAULT_NONE,
	FAULT_EIO,
	FAULT_ENOSPC, /* of what may need space */
	FAULT_TORN,   /* a write does a part, then EIO */
	FAULT_SHORT,  /* a read or write does a part */
	FAULT_EINTR,
	FAULT_EIO_EVER,	   /* this call and all after it */
	FAULT_ENOSPC_EVER, /* of what may need space */
	FAULT_MEMORY,	   /* an allocation of ours */
	FAULT_MEMORY_EVER,
	FAULT_SQLITE, /* an allocation of SQLite's */
	FAULT_SQLITE_EVER,
	FAULT_KINDS,
};

/* A step of the run without faults. */
struct ref_step {
	const char *name;
	struct digest digest; /* after it */
	bool is_open;	      /* there is a store to be looked at */
	bool in_parts;
	struct digest *between;
	size_t between_count;
};

enum { CALLS_MAX = 1 << 16 };

struct sweep {
	enum fault_kind kind;
	uint64_t at; /* which call or allocation; from 1 on */
	uint64_t calls, memory, sqlite; /* so far */
	bool fired, torn_next;
	bool flush_failed;	/* of a segment */
	uint8_t ops[CALLS_MAX]; /* of the run without faults */

	struct ref_step *steps; /* by step_nr - 1 */
	size_t step_count;
	bool is_reference; /* this is the run without faults */

	unsigned tries;	  /* of the step that runs */
	unsigned synced;  /* the newest durable step */
	bool last_failed; /* the newest step */
	bool read_only;
	bool reopened; /* after the fault */
	uint64_t failed_steps;
};

/* What SQLite allocates is counted, and fails where it should. Once, before
 * SQLite is used. */
void sweep_take_sqlite(void);
/* The clock and chance begin anew. */
void world_reset_clock(void);
/* By step_end. now: NULL if it need not be looked at. True: try again. */
bool sweep_step_end(struct world *world, int rc, bool durable,
		    const struct digest *now);
void sweep_note_step(struct world *world, const struct digest *now);
