/*
 * The mounts that a daemon serves, and what history operations need of the
 * kernel's caches. All calls come from control threads, never from a FUSE
 * request, and never with a lock held that a request needs.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "store.h"

struct mounts;

struct mount_params {
	const char *branch;	/* NULL with a snapshot */
	uint32_t snapshot_id;	/* 0: the branch's head */
	const char *mountpoint; /* absolute */
	const char *options;	/* the -o string, may be NULL */
};

/* The path is the directory, or in it; both are absolute. */
bool mount_is_below(const char *path, const char *directory);

/* idle is called (from any thread) when the last mount has gone. */
NODISCARD int mounts_new(struct store *store, void (*idle)(void *context),
			 void *context, struct mounts **out_mounts);
unsigned mounts_count(struct mounts *mounts);
/* Calls idle again if nothing is mounted. */
void mounts_check_idle(struct mounts *mounts);
/* Unmounts all that is left and waits for its threads. */
void mounts_free(struct mounts *mounts);

NODISCARD int mounts_add(struct mounts *mounts,
			 const struct mount_params *params,
			 struct failure *failure);
/* target: a mountpoint, or a branch name (all its mounts). Busy mounts are
 * refused with who holds them open where that can be told, unless lazy. */
NODISCARD int mounts_remove(struct mounts *mounts, const char *target,
			    bool lazy, struct failure *failure);

/* The kernel's dirty pages of the branch's mounts reach the store. */
NODISCARD int mounts_flush(struct mounts *mounts, const char *branch,
			   struct failure *failure);
/* Handles that are open for writing on the branch's image. */
unsigned mounts_writers(struct mounts *mounts, const char *branch);
/*
 * Around anything that makes the branch's head another state (rollback, undo,
 * shrink): flushes what is dirty, and keeps writers out until the end, which is
 * to be called in any case after a success. Refused with -EBUSY while somebody
 * has the image open for writing; unless live: then every handle that is open
 * on it answers EIO for ever (close and fsync still succeed).
 */
NODISCARD int mounts_begin_move(struct mounts *mounts, const char *branch,
				bool live, struct failure *failure);
/* Would it be refused? */
NODISCARD int mounts_check_move(struct mounts *mounts, const char *branch,
				struct failure *failure);
/* Everybody sees the branch's state as it is now: what is open for reading and
 * mapped, too. */
void mounts_end_move(struct mounts *mounts, const char *branch);
/*
 * What is open on the mounts of target (a mountpoint or a branch; NULL: all)
 * answers with errors from now on; what was written before is in the store.
 * Appends {"mountpoint", "handles"} for each. dry_run: only that.
 */
NODISCARD int mounts_revoke(struct mounts *mounts, const char *target,
			    bool dry_run, json_t *done,
			    struct failure *failure);
/* Appends {"mountpoint", "branch", "number", "pid", "uid", "mode", "inode",
 * "snapshot_id", "revoked"} for each handle on the trees mounted at target (as
 * above), the oldest first. */
void mounts_handles(struct mounts *mounts, const char *target, json_t *list);
/* Appends {"name", "offered", "used", "why"} for each thing that the kernel
 * offers to the first mount of target (as above). -ENOENT: there is none. */
NODISCARD int mounts_caps(struct mounts *mounts, const char *target,
			  json_t *list);
/* The kernel learns that the image became larger; writers go on. */
void mounts_grown(struct mounts *mounts, const char *branch);
/* A renamed branch keeps its mounts. */
void mounts_renamed(struct mounts *mounts, const char *branch,
		    const char *new_name);

/* [{"branch":..., "snapshot":null, "mountpoint":..., "read_only":...,
 *   "writers":0, "readers":0}] */
json_t *mounts_list(struct mounts *mounts);
