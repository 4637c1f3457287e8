/* Methods df, gc and compact. */
#include <errno.h>
#include <stdlib.h>

#include "ops_impl.h"

static int df(struct call *call)
{
	struct space_usage usage = { .total_bytes = 0 };
	int rc = space_usage(call->store, &usage, NULL, NULL, call->failure);
	const struct {
		const char *name;
		uint64_t bytes;
	} fields[] = {
		{ "branches_unique_bytes", usage.branches_unique_bytes },
		{ "snapshots_unique_bytes", usage.snapshots_unique_bytes },
		{ "shared_bytes", usage.shared_bytes },
		{ "trash_bytes", usage.trash_bytes },
		{ "metadata_bytes", usage.metadata_bytes },
		{ "dead_bytes", usage.dead_bytes },
		{ "total_bytes", usage.total_bytes },
		{ "available_bytes", usage.available_bytes },
	};
	size_t i;

	for (i = 0; rc == 0 && i < sizeof(fields) / sizeof(fields[0]); i++)
		rc = call_put(call, fields[i].name, json_size(fields[i].bytes));
	return rc;
}

static int gc(struct call *call)
{
	struct gc_result result = { .freed_bytes = 0 };
	int rc = space_gc(call->store, call_number(call, "older_than_ns", 0),
			  call->dry_run, &call->actor, call_progress,
			  call->context, &result, call->failure);

	if (rc == 0)
		rc = call_put(call, "snapshots_purged",
			      json_size(result.snapshots_purged));
	if (rc == 0)
		rc = call_put(call, "branches_purged",
			      json_size(result.branches_purged));
	if (rc == 0)
		rc = call_put(call, "freed_bytes",
			      json_size(result.freed_bytes));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int compact(struct call *call)
{
	struct compact_result result = { .segments = 0 };
	int64_t percent = call_number(call, "threshold_percent", 30);
	int rc;

	if (percent < 1 || percent > 100)
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "a threshold is between 1%% and 100%%");
	rc = space_compact(call->store, (unsigned)percent, call->dry_run,
			   call_progress, call->context, &result,
			   call->failure);
	if (rc == 0)
		rc = call_put(call, "segments", json_size(result.segments));
	if (rc == 0)
		rc = call_put(call, "moved_bytes",
			      json_size(result.moved_bytes));
	if (rc == 0)
		rc = call_put(call, "freed_bytes",
			      json_size(result.freed_bytes));
	if (rc == 0)
		rc = call_put(call, "saved_by_compression_bytes",
			      json_size(result.saved_by_compression_bytes));
	return rc < 0 ? rc : call_put_dry_run(call);
}

const struct method methods_space[] = {
	{ "df", "", df },
	{ "gc", "older_than_ns:i", gc },
	{ "compact", "threshold_percent:i", compact },
	{ .name = NULL },
};
