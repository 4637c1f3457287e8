/*
 * Space: what uses it, giving it back, compaction. Exact to the block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "store.h"

struct space_usage {
	uint64_t branches_unique_bytes;	 /* only one branch head reaches them */
	uint64_t snapshots_unique_bytes; /* only one snapshot reaches them */
	uint64_t shared_bytes;		 /* two or more reach them */
	uint64_t trash_bytes;		 /* only deleted ones reach them */
	uint64_t metadata_bytes;	 /* index, log records, headers */
	uint64_t dead_bytes;		 /* on disk, nobody needs them */
	uint64_t total_bytes;		 /* allocated on the host (st_blocks) */
	uint64_t available_bytes;	 /* on the host file system */
};

/* What deleting one branch or snapshot would free now. */
struct space_unique {
	bool is_branch;
	uint32_t id;
	uint64_t bytes;
};

/*
 * Walks the index: cost in proportion to the rows of the store. out_list
 * (may be NULL): one entry for each branch and snapshot, trash included;
 * the caller frees it.
 */
NODISCARD int space_usage(struct store *store, struct space_usage *out_usage,
			  struct space_unique **out_list, size_t *out_count,
			  struct failure *failure);

/* done of total, in units of the caller's choice; nonzero stops the work,
 * which then returns -EINTR with all that was done kept. */
typedef int space_progress(void *context, uint64_t done, uint64_t total);

struct gc_result {
	uint32_t snapshots_purged;
	uint32_t branches_purged;
	uint64_t freed_bytes; /* given back, or (dry_run) would be */
};

/*
 * Purges the trash that is older than min_age_ns, drops rows that nothing
 * sees, frees their blocks and punches them out. Waits until done.
 */
NODISCARD int space_gc(struct store *store, int64_t min_age_ns, bool dry_run,
		       const struct actor *actor, space_progress *progress,
		       void *context, struct gc_result *out_result,
		       struct failure *failure);

struct compact_result {
	uint32_t segments;    /* rewritten */
	uint64_t moved_bytes; /* live data appended again */
	uint64_t freed_bytes;
	uint64_t saved_by_compression_bytes;
};

/*
 * Rewrites sealed segments of which at least threshold_percent is dead (and,
 * unless compress=off, ones that compress well), then frees them.
 */
NODISCARD int space_compact(struct store *store, unsigned threshold_percent,
			    bool dry_run, space_progress *progress,
			    void *context, struct compact_result *out_result,
			    struct failure *failure);
