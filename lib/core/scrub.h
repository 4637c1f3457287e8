/*
 * Scrub: while the store is in use, a thread reads every stored block that is
 * needed, from the disk and not from memory, and compares it with its
 * checksum; headers, records and the index too. What it finds is kept in
 * STORE/scrub.state, as is how far it came: it goes on after a restart.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

enum scrub_state {
	SCRUB_STATE_NONE,    /* never done */
	SCRUB_STATE_RUNNING, /* or interrupted: is_active tells */
	SCRUB_STATE_PAUSED,  /* until resumed */
	SCRUB_STATE_CANCELLED,
	SCRUB_STATE_FINISHED,
	SCRUB_STATE_FAILED, /* could not go on: reason */
};

enum scrub_kind {
	SCRUB_KIND_DATA = 1,   /* a stored block is not what was written */
	SCRUB_KIND_UNREADABLE, /* the disk does not give it */
	SCRUB_KIND_HEADER,     /* of a segment */
	SCRUB_KIND_RECORDS,    /* the log, as far as the index has it */
	SCRUB_KIND_ROW,	       /* of the index: the map of 2 MiB of a file */
	SCRUB_KIND_INDEX,      /* a page of it, or its structure */
};

enum {
	SCRUB_FINDINGS_MAX = 1000, /* more are counted only */
	SCRUB_PATH_BYTES = 512,
};

struct scrub_finding {
	enum scrub_kind kind;
	uint32_t segment, block, blocks; /* segment 0: none */
	uint64_t inode;			 /* 0: it is no file's */
	uint64_t offset_bytes, len_bytes;
	char branch[STORE_NAME_BYTES_MAX + 1];	 /* who sees it ... */
	char snapshot[STORE_NAME_BYTES_MAX + 1]; /* "": the branch's head */
	uint32_t others; /* ... besides so many branches and snapshots */
	/* In a tree, from its root; "": unknown. Else what is wrong. */
	char path[SCRUB_PATH_BYTES];
	bool is_old; /* of the scrub before: this one was not there yet */
};

struct scrub_status {
	enum scrub_state state;
	bool is_active;		      /* something is at it, here and now */
	int64_t started_ns, ended_ns; /* realtime; 0: not yet */
	uint64_t checked_bytes, total_bytes;
	uint64_t rate_bytes;	/* a second at most; 0: no limit */
	uint64_t speed_bytes;	/* in the last seconds, while active */
	uint64_t finding_count; /* may be more than are kept */
	char reason[256];
};

/* From the beginning; -EBUSY if one is active. */
NODISCARD int scrub_start(struct store *store, uint64_t rate_bytes,
			  struct failure *failure);
/* Returns when nothing is read any more. Of one that is not running: usage. */
NODISCARD int scrub_pause(struct store *store, struct failure *failure);
/* rate_bytes UINT64_MAX: as it was. */
NODISCARD int scrub_resume(struct store *store, uint64_t rate_bytes,
			   struct failure *failure);
/* What it found until then stays known. */
NODISCARD int scrub_cancel(struct store *store, struct failure *failure);
/* Goes on with what an end of the process interrupted, if anything. */
void scrub_continue(struct store *store);
/* Until it is not active any more. Nonzero of progress (may be NULL) stops
 * the waiting only: -EINTR. */
typedef int scrub_progress(void *context, uint64_t done, uint64_t total);
NODISCARD int scrub_wait(struct store *store, scrub_progress *progress,
			 void *context);
void scrub_get_status(struct store *store, struct scrub_status *out_status);
/* In the order of places; the caller frees. */
NODISCARD int scrub_findings(struct store *store,
			     struct scrub_finding **out_findings,
			     size_t *out_count);
/* "data", "records", ... */
const char *scrub_kind_name(enum scrub_kind kind);
