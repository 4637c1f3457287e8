/* History operations that undo needs in a form that names what it reverts. */
#pragma once

#include "store_impl.h"

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
NODISCARD int history_rename_branch_undoing(
	struct store *store, const char *name, const char *new_name,
	uint64_t undoes, const struct actor *actor, struct failure *failure);
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
enum operation_kind history_operation_kind(const struct history_record *record);
void history_fill_operation(const struct graph *graph,
			    const struct operation *operation,
			    struct operation_info *info);
NODISCARD int history_resize_undoing(struct store *store, const char *branch,
				     uint64_t size_bytes, uint64_t undoes,
				     const struct actor *actor,
				     struct failure *failure);
