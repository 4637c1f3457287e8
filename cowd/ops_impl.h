/*
 * What the methods share: their parameters, checked against the method's
 * list before it runs, and the JSON of what they return.
 */
#pragma once

#include "history.h"
#include "json_out.h"
#include "mounts.h"
#include "ops.h"
#include "space.h"

struct call {
	struct ops_context *context;
	struct store *store;
	struct mounts *mounts; /* may be NULL */
	struct actor actor;
	json_t *params;
	json_t *result; /* holds "schema" and "store" already */
	struct failure *failure;
	bool dry_run;
};

/*
 * parameters: words NAME:TYPE; s text or null, S text, b flag, i number or
 * null, I number, a list of texts, l such a list or null. Every method takes
 * dry_run:b besides.
 */
struct method {
	const char *name;
	const char *parameters;
	int (*run)(struct call *call);
};

/* ops_<noun>.c: each ended by a name of NULL. */
extern const struct method methods_snapshot[], methods_branch[],
	methods_rollback[], methods_space[], methods_store[], methods_diff[],
	methods_export[], methods_tree[], methods_mount[], methods_layer[],
	methods_which[], methods_restore[], methods_commit[], methods_inode[],
	methods_unionfs[], methods_source[], methods_scrub[];

/* NULL when missing or null. */
const char *call_text(const struct call *call, const char *name);
bool call_flag(const struct call *call, const char *name);
/* fallback when missing or null. */
int64_t call_number(const struct call *call, const char *name,
		    int64_t fallback);
/* Adds to the result; takes value's reference. -ENOMEM when value is NULL. */
NODISCARD int call_put(struct call *call, const char *name, json_t *value);
/* space_progress over the caller's. */
int call_progress(void *context, uint64_t done, uint64_t total);

/* The branch named by the parameter "branch", or the default one. */
NODISCARD int call_branch(struct call *call, struct branch_info *out_branch);
/* The snapshot named by "branch" (may be null) and "snapshot". */
NODISCARD int call_snapshot(struct call *call, struct snapshot_info *out_info);
/* One by text; looks in the named branch first, then in all. */
NODISCARD int call_find_snapshot(struct call *call, const char *branch,
				 const char *text,
				 struct snapshot_info *out_info);

/* All that is listed often: snapshots, branches and holds of the store. */
struct listing {
	struct snapshot_info *snapshots;
	size_t snapshot_count;
	struct branch_info *branches;
	size_t branch_count;
	struct hold_info *holds;
	size_t hold_count;
	struct space_unique *uniques; /* NULL: not asked for; sorted */
	size_t unique_count;
	bool is_tree; /* no sizes */
};

/* with_unique: costs a walk of the index. */
NODISCARD int listing_load(struct call *call, const char *branch, bool trash,
			   bool with_unique, struct listing *out_listing);
/* Without the snapshots: what else is told of one that is known. */
NODISCARD int listing_load_around(struct call *call, bool trash,
				  bool with_unique,
				  struct listing *out_listing);
void listing_free(struct listing *listing);
/* null in JSON when the listing has none. */
json_t *unique_json(const struct listing *listing, bool is_branch, uint32_t id);
json_t *snapshot_json(const struct listing *listing,
		      const struct snapshot_info *info);
/* mounts: of mounts_list, or NULL. */
json_t *branch_json(const struct listing *listing,
		    const struct branch_info *info, const json_t *mounts);

/* ops_layer.c: the store's layers as the branch's head sees them. */
NODISCARD int layers_json(struct call *call, const char *branch,
			  json_t **out_array);
/* Refuses, as usage, what only an image has; hint: what to do instead. */
NODISCARD int call_need_image(struct call *call, const char *what,
			      const char *hint);

/* ops_scrub.c: state and counts, without the findings. */
json_t *scrub_json(struct store *store);

/* ops_dry.c: "dry_run" of the result; and whether it would be refused. */
NODISCARD int call_put_dry_run(struct call *call);
/* "op-N", or null for 0. */
json_t *operation_id_json(uint64_t id);
NODISCARD int dry_snapshot_name(struct call *call, const char *name);
NODISCARD int dry_branch_name(struct call *call, const char *name);
NODISCARD int dry_branch_delete(struct call *call,
				const struct branch_info *info);
NODISCARD int dry_hold(struct call *call, uint32_t snapshot_id, const char *tag,
		       bool hold);

/* The kernel's dirty pages first; nothing without a daemon. */
NODISCARD int call_flush(struct call *call, const char *branch);
/*
 * Before a branch's head moves: refuses (-EBUSY) while writers have it open,
 * unless live, which flushes and revokes them. After a success call_moved is
 * to be called, whatever happened in between.
 */
NODISCARD int call_before_move(struct call *call, const char *branch,
			       bool live);
void call_moved(struct call *call, const char *branch);

/* ops_tree_diff.c: fills in what method diff tells of directories; ids 0: base,
 * and the branch's head. */
NODISCARD int call_tree_diff(struct call *call, uint32_t from_id,
			     const char *branch, uint32_t to_id);

struct tree;
struct view;

/* ops_view.c: what "branch" and "snapshot" name, written back before it is
 * looked at. */
struct call_state {
	struct view *view;
	struct snapshot_info snapshot; /* id 0: it is a head ... */
	struct branch_info branch;     /* ... of this one */
};
/* The view with a reference. */
NODISCARD int call_open_state(struct call *call, struct call_state *out_state);
/* The same as a tree for looking, which has the view's reference. */
NODISCARD int call_open_tree(struct call *call, struct tree **out_tree);
/* "branch" and "snapshot" of the result. */
NODISCARD int call_put_state(struct call *call, const struct call_state *state);
/* One that was found already; id 0: the branch's head. */
NODISCARD int call_open_view(struct call *call, const char *branch,
			     uint32_t snapshot_id, struct view **out_view);
/* ops_export_tree.c: method export of a tree, whole. */
NODISCARD int call_export_tree(struct call *call);
