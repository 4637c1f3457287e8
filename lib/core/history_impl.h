/* What the parts of history share; operations in the form that undo needs,
 * which names what they revert. */
#pragma once

#include "store_impl.h"

/* What every operation does after it was logged (rc 0) or was not: rule 5
 * for metadata. */
NODISCARD int history_finish(struct store *store, int rc, uint64_t lsn,
			     const char *object, const char *what,
			     struct failure *failure);
void history_begin_record(struct store *store, struct history_record *record,
			  enum history_op op, const struct actor *actor);
/* -ENOENT, explained, when there is none. */
NODISCARD int history_branch_locked(struct store *store, const char *name,
				    struct branch **out_branch,
				    struct failure *failure)
	REQUIRES(store->order_lock);
NODISCARD int history_live_locked(struct store *store, uint32_t id,
				  struct snapshot **out_snapshot,
				  struct failure *failure)
	REQUIRES(store->order_lock);

NODISCARD int history_get_snapshot(struct store *store, uint32_t id,
				   struct snapshot_info *out_info);
NODISCARD int history_set_snapshot_state(struct store *store, uint32_t id,
					 enum snapshot_state state,
					 uint64_t undoes,
					 const struct actor *actor,
					 struct failure *failure);
NODISCARD int history_set_branch_state(struct store *store, uint32_t id,
				       uint32_t state, uint64_t undoes,
				       const struct actor *actor,
				       struct failure *failure);
NODISCARD int history_rename_snapshot_undoing(struct store *store, uint32_t id,
					      const char *name, uint64_t undoes,
					      const struct actor *actor,
					      struct failure *failure);
NODISCARD int history_rename_branch_undoing(struct store *store, uint32_t id,
					    const char *new_name,
					    uint64_t undoes,
					    const struct actor *actor,
					    struct failure *failure);
NODISCARD int history_set_hold(struct store *store, uint32_t snapshot_id,
			       const char *tag, bool hold, uint64_t undoes,
			       const struct actor *actor,
			       struct failure *failure);
NODISCARD int history_rollback_undoing(struct store *store, const char *branch,
				       uint32_t snapshot_id, const char *note,
				       uint64_t undoes,
				       const struct actor *actor,
				       struct rollback_result *out_result,
				       struct failure *failure);
/* layer_change.c: takes a change of a stack back. */
NODISCARD int store_layers_undo(struct store *store, const char *branch,
				const struct history_record *record,
				uint64_t undoes, const struct actor *actor,
				struct failure *failure);
/* history_work.c: what a crash has left, when the store is opened. */
void history_drop_left_work(struct store *store);
static inline bool branch_is_work(const struct branch_row *row)
{
	return row->name[0] == '.';
}
/* PREFIX-20261121-003912, and -2, -3, ... for more of them in a second. */
void history_kept_name(const struct graph *graph, const char *prefix,
		       char *name, size_t name_bytes);
enum operation_kind history_operation_kind(const struct history_record *record);
void history_fill_operation(const struct graph *graph,
			    const struct operation *operation,
			    struct operation_info *info);
NODISCARD int history_resize_undoing(struct store *store, const char *branch,
				     uint64_t size_bytes, uint64_t undoes,
				     const struct actor *actor,
				     struct failure *failure);
