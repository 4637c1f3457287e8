/*
 * Branches, snapshots, rollback, undo, clone, delete, diff. Everything here
 * is a metadata operation: one record and one flush, durable on return.
 *
 * A caller with a mounted branch makes the kernel write its dirty pages
 * first; the core knows nothing of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

/* Who did it, for the operation log. */
struct actor {
	uint32_t uid;
};

enum snapshot_state {
	SNAPSHOT_STATE_LIVE,
	SNAPSHOT_STATE_TRASH,	 /* deleted; undo brings it back until gc */
	SNAPSHOT_STATE_DELETING, /* rows are being dropped */
};

enum snapshot_kind {
	SNAPSHOT_KIND_MANUAL,
	SNAPSHOT_KIND_AUTO,	/* by policy; pruned by it */
	SNAPSHOT_KIND_ROLLBACK, /* the head that a rollback left */
};

struct snapshot_info {
	uint32_t id;
	char name[STORE_NAME_BYTES_MAX + 1];
	uint32_t branch_id;
	char branch[STORE_NAME_BYTES_MAX + 1];
	uint32_t parent_id; /* 0: none */
	char parent[STORE_NAME_BYTES_MAX + 1];
	enum snapshot_state state;
	enum snapshot_kind kind;
	int64_t created_ns;
	int64_t deleted_ns; /* 0: not in the trash */
	uint64_t size_bytes;
	uint64_t refer_bytes;	/* store bytes that it reaches */
	uint64_t written_bytes; /* stored since its parent */
	char note[STORE_NOTE_BYTES_MAX + 1];
	uint32_t hold_count;
	uint32_t clone_count; /* lines that start here */
};

struct branch_info {
	uint32_t id;
	char name[STORE_NAME_BYTES_MAX + 1];
	uint32_t parent_snapshot_id; /* 0: none, or an unnamed point */
	char parent[2 * STORE_NAME_BYTES_MAX + 2]; /* "main@s1", "main", "" */
	int64_t created_ns;
	int64_t deleted_ns; /* 0: live; else it is in the trash */
	uint64_t size_bytes;
	uint64_t refer_bytes;
	uint64_t written_bytes; /* since the last snapshot */
	bool changed;		/* anything since the last snapshot */
	uint32_t snapshot_count;
};

struct hold_info {
	uint32_t snapshot_id;
	char tag[STORE_NAME_BYTES_MAX + 1];
	int64_t created_ns;
};

enum operation_kind {
	OPERATION_SNAPSHOT_CREATE = 1,
	OPERATION_SNAPSHOT_DELETE,
	OPERATION_SNAPSHOT_RESTORE, /* out of the trash */
	OPERATION_SNAPSHOT_RENAME,
	OPERATION_HOLD,
	OPERATION_RELEASE,
	OPERATION_ROLLBACK,
	OPERATION_CLONE,
	OPERATION_BRANCH_DELETE,
	OPERATION_BRANCH_RESTORE,
	OPERATION_BRANCH_RENAME,
	OPERATION_RESIZE,
	OPERATION_PURGE, /* trash emptied; can't be undone */
	OPERATION_RESTORE,
	OPERATION_LAYER_ADD,
	OPERATION_LAYER_REMOVE,
};

struct operation_info {
	uint64_t id; /* printed as op-N */
	enum operation_kind kind;
	int64_t time_ns;
	uint32_t uid;
	uint64_t undoes; /* id of the operation that this one reverted, or 0 */
	bool undone;	 /* a later one reverted it */
	char text[2048]; /* "rollback main to @s1, kept @rollback-..." */
};

/* Lists: *out_list is an array that the caller frees; oldest first.
 * include_trash adds what was deleted and not purged. */
NODISCARD int history_snapshots(struct store *store, const char *branch,
				bool include_trash,
				struct snapshot_info **out_list,
				size_t *out_count, struct failure *failure);
NODISCARD int history_branches(struct store *store, bool include_trash,
			       struct branch_info **out_list,
			       size_t *out_count);
NODISCARD int history_holds(struct store *store, uint32_t snapshot_id,
			    struct hold_info **out_list, size_t *out_count);
/* The newest `most` operations, newest first. */
NODISCARD int history_operations(struct store *store, size_t most,
				 struct operation_info **out_list,
				 size_t *out_count);

/*
 * One snapshot by what a user typed: a name, "latest", "~2" (the second
 * newest), or a unique prefix of at least 4 digits of its hexadecimal id.
 * branch NULL: any branch, the name must be unambiguous (names are unique
 * in a store). Errors: not_found.
 */
NODISCARD int history_find_snapshot(struct store *store, const char *branch,
				    const char *text,
				    struct snapshot_info *out_info,
				    struct failure *failure);
/* branch NULL: the default branch. */
NODISCARD int history_find_branch(struct store *store, const char *branch,
				  struct branch_info *out_info,
				  struct failure *failure);

/* Validates a name for a branch, snapshot or hold (usage failure). */
NODISCARD int history_check_name(const char *name, struct failure *failure);

NODISCARD int history_snapshot(struct store *store, const char *branch,
			       const char *name, const char *note,
			       enum snapshot_kind kind,
			       const struct actor *actor,
			       struct snapshot_info *out_info,
			       struct failure *failure);
/* To the trash; now: purged at once (can't be undone). Errors: held. */
NODISCARD int history_delete_snapshot(struct store *store, uint32_t id,
				      bool now, const struct actor *actor,
				      struct failure *failure);
NODISCARD int history_rename_snapshot(struct store *store, uint32_t id,
				      const char *name,
				      const struct actor *actor,
				      struct failure *failure);
NODISCARD int history_hold(struct store *store, uint32_t snapshot_id,
			   const char *tag, const struct actor *actor,
			   struct failure *failure);
NODISCARD int history_release(struct store *store, uint32_t snapshot_id,
			      const char *tag, const struct actor *actor,
			      struct failure *failure);

struct rollback_result {
	uint64_t operation_id;
	bool kept;		      /* the old head had changes */
	struct snapshot_info kept_as; /* valid if kept */
};

/*
 * The branch continues from the snapshot. Its view stays open and shows the
 * new state from the moment this returns.
 */
NODISCARD int history_rollback(struct store *store, const char *branch,
			       uint32_t snapshot_id, const char *note,
			       const struct actor *actor,
			       struct rollback_result *out_result,
			       struct failure *failure);

/*
 * Many changes at once: begin gives a branch of a passing name beside the
 * head of `branch`, to be opened, changed and closed; adopt makes it the
 * branch's state, in one operation ("restore from @FROM") that undo reverts;
 * drop gives it up. Whoever writes to the branch meanwhile is left behind.
 */
struct work {
	uint32_t id;
	char branch[32];
};
NODISCARD int history_begin_work(struct store *store, const char *branch,
				 const struct actor *actor,
				 struct work *out_work,
				 struct failure *failure);
/* from: the name of a snapshot. FAILURE_BUSY: the branch was rolled back. */
NODISCARD int history_adopt_work(struct store *store, const char *branch,
				 const struct work *work, const char *from,
				 const char *note, const struct actor *actor,
				 struct rollback_result *out_result,
				 struct failure *failure);
void history_drop_work(struct store *store, const struct work *work);

/* A new branch that starts at a snapshot (id) or, id 0, at the head of
 * `branch`. */
NODISCARD int history_clone(struct store *store, const char *branch,
			    uint32_t snapshot_id, const char *name,
			    const struct actor *actor,
			    struct branch_info *out_info,
			    struct failure *failure);
/* Its head goes to the trash; refused while a view of it is open, for the
 * last branch, and while it has live snapshots. */
NODISCARD int history_delete_branch(struct store *store, const char *name,
				    bool now, const struct actor *actor,
				    struct failure *failure);
NODISCARD int history_rename_branch(struct store *store, const char *name,
				    const char *new_name,
				    const struct actor *actor,
				    struct failure *failure);
/* Shrinking keeps the old head as a snapshot, so that undo can go back. */
NODISCARD int history_resize(struct store *store, const char *branch,
			     uint64_t size_bytes, const struct actor *actor,
			     struct failure *failure);

struct undo_result {
	uint64_t operation_id; /* the new operation */
	struct operation_info undone;
	char branch[STORE_NAME_BYTES_MAX + 1]; /* whose head moved, or "" */
};

/*
 * Reverts operation_id (0: the newest that was not undone) by a new
 * operation. dry_run only fills in what would be undone.
 */
NODISCARD int history_undo(struct store *store, uint64_t operation_id,
			   bool dry_run, const struct actor *actor,
			   struct undo_result *out_result,
			   struct failure *failure);

/* One run of blocks that differ between two views. */
enum extent_kind {
	EXTENT_KIND_BASE,
	EXTENT_KIND_DATA,
	EXTENT_KIND_ZERO,
	EXTENT_KIND_LOST, /* data that can't be read any more */
};

struct diff_extent {
	uint64_t start_bytes;
	uint64_t length_bytes;
	enum extent_kind kind; /* what `to` has there */
};

/*
 * Calls visit for every run that differs, in order; visit returns nonzero to
 * stop, and that value is returned. from_snapshot 0: the branch's base
 * (everything in the delta differs). to_snapshot 0: the head of to_branch.
 * Cost in proportion to what changed between them.
 */
typedef int diff_visit(void *context, const struct diff_extent *extent);
NODISCARD int history_diff(struct store *store, uint32_t from_snapshot_id,
			   const char *to_branch, uint32_t to_snapshot_id,
			   diff_visit *visit, void *context,
			   struct failure *failure);
