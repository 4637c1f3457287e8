/* Automatic snapshots, pruning them, and emptying the trash. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "mounts.h"

/* Everything that is due now. The daemon calls it every second, always from
 * the same thread. Failures are logged; the next call tries again. */
void policy_run(struct store *store, struct mounts *mounts);

/*
 * Which of a branch's snapshots (oldest first) the keep_* rules keep.
 * Hours, days, ISO weeks and months are those of UTC; the newest snapshot
 * of a period stands for it. Always kept: what isn't automatic, what has
 * holds or clones, what is from the future. All rules zero: all are kept.
 */
void policy_prune(const struct snapshot_info *list, size_t count,
		  const struct store_config *config, int64_t now_ns,
		  bool *keep_flags);

/* PREFIX2026-11-21T00-38-22 in UTC, with a number added if it is taken. */
NODISCARD int policy_unique_name(struct store *store, const char *prefix,
				 int64_t now_ns, char *name, size_t name_bytes);
