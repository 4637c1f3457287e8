/*
 * One run of cowd-fsck: what its passes share.
 *
 * Nothing of the store is written before the end. The index is looked at, and
 * repaired, in a working copy (work.h); changes of other files are queued
 * (change.h). When all passes are through, install.h puts it all in place.
 */
#pragma once

#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "change.h"
#include "fsck.h"
#include "log.h"
#include "past.h"
#include "problem.h"
#include "report.h"
#include "scope.h"
#include "segment_format.h"
#include "work.h"

struct check {
	const struct fsck_options *options;
	struct fsck_result *result;
	struct report report;
	struct changes changes;

	char path[PATH_MAX]; /* of the store */
	int dir_fd, segments_fd, lock_fd;
	char temporary[PATH_MAX]; /* directory of the working copy */
	int temporary_fd;

	sqlite3 *backup; /* index.bak (backup.h) */
	int backup_fd;
	sqlite3 *work; /* NULL: there is no index */
	/* The working copy is to take the index's place. */
	bool install;
	/* The index on disk can't be used: the copy is made of index.bak, or
	 * anew. */
	bool replaced;
	/* Something is left that would make later passes take what is sound
	 * for damage: they are left out. */
	bool misled;
	uint64_t undo_count; /* entries in the undo file */

	/* Of meta, from pass 2 on. */
	uint8_t uuid[FORMAT_UUID_BYTES];
	uint64_t seed;
	struct log_position position;
	bool clean;

	struct past past;      /* from pass 3 on */
	struct stored *stored; /* by stored_begin() */
	struct twin *twin;     /* twin.h */
	/* Where the log stood before it was applied: what is installed says
	 * that all before the new position is durable. 0: nothing moved. */
	uint32_t sync_from_segment;
	uint32_t new_segment; /* is created when all is put in place; 0: none */
};

/* A pass returns 0, -EINTR when it was stopped, or another negative errno
 * when it can't go on: fsck gives up, and changes nothing. */
struct pass {
	unsigned number;
	const char *title;
	unsigned parts; /* it runs if one of these enum fsck_part is asked for;
			 * 0: always */
	bool quick;	/* it runs in a quick check, too */
	int (*run)(struct check *check);
};

/* In the order in which they run; ended by a title of NULL. */
extern const struct pass check_passes[];

/* Says why fsck gives up, and returns rc, as log_errno(). The first cause is
 * kept. */
int check_failed(struct check *check, int rc, const char *format, ...)
	PRINTF_LIKE(3, 4);
void check_hint(struct check *check, const char *format, ...) PRINTF_LIKE(2, 3);

/* To be called often: shows how far the pass is. -EINTR: end. */
NODISCARD int check_progress(struct check *check, uint64_t done,
			     uint64_t total);

int pass1_store(struct check *check);
int pass2_index(struct check *check);
int pass3_history(struct check *check);
int pass4_names(struct check *check);
int pass8_base(struct check *check);
int pass_log(struct check *check);
int pass5_windows(struct check *check);
int pass6_segments(struct check *check);
int pass7_space(struct check *check);
