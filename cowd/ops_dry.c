/*
 * Dry runs: a method that would be refused is refused here as well, in the
 * words of lib/core/history.c. Nothing is changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops_impl.h"

int call_put_dry_run(struct call *call)
{
	return call_put(call, "dry_run", json_boolean(call->dry_run));
}

int dry_snapshot_name(struct call *call, const char *name)
{
	struct failure ignored = { .code = FAILURE_NONE };
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));

	if (!info)
		return -ENOMEM;
	if (history_find_snapshot(call->store, NULL, name, info, &ignored) ==
		    0 &&
	    strcmp(info->name, name) == 0)
		return failure_set(call->failure, FAILURE_EXISTS, name,
				   "a snapshot of this name exists");
	return 0;
}

int dry_branch_name(struct call *call, const char *name)
{
	struct failure ignored = { .code = FAILURE_NONE };
	struct branch_info info;

	if (history_find_branch(call->store, name, &info, &ignored) == 0)
		return failure_set(call->failure, FAILURE_EXISTS, name,
				   "a branch of this name exists");
	return 0;
}

static bool is_mounted(struct call *call, const char *branch)
{
	json_t *mounts = call->mounts ? mounts_list(call->mounts) : NULL;
	const json_t *mount;
	bool found = false;
	size_t i;

	json_array_foreach(mounts, i, mount)
		found |= strcmp(json_text_at(mount, "branch"), branch) == 0 &&
			 !*json_text_at(mount, "snapshot");
	json_decref(mounts);
	return found;
}

int dry_branch_delete(struct call *call, const struct branch_info *info)
{
	struct failure *failure = call->failure;
	struct branch_info *list;
	size_t count;
	int rc = history_branches(call->store, false, &list, &count);

	if (rc < 0)
		return rc;
	free(list);
	if (count < 2)
		return failure_set(failure, FAILURE_BUSY, info->name,
				   "can't delete the last branch of a store");
	if (is_mounted(call, info->name))
		return failure_set(failure, FAILURE_BUSY, info->name,
				   "can't delete a branch that is mounted or "
				   "open");
	if (info->snapshot_count == 0)
		return 0;
	failure_set(failure, FAILURE_HELD, info->name,
		    "can't delete: it has snapshots");
	failure_hint(failure, "delete its snapshots first");
	return -EBUSY;
}

int dry_hold(struct call *call, uint32_t snapshot_id, const char *tag,
	     bool hold)
{
	struct hold_info *list;
	size_t count, i;
	bool exists = false;
	int rc = history_holds(call->store, snapshot_id, &list, &count);

	if (rc < 0)
		return rc;
	for (i = 0; i < count; i++)
		exists |= strcmp(list[i].tag, tag) == 0;
	free(list);
	if (hold && exists)
		return failure_set(call->failure, FAILURE_EXISTS, tag,
				   "the snapshot has this hold already");
	if (!hold && !exists)
		return failure_set(call->failure, FAILURE_NOT_FOUND, tag,
				   "the snapshot has no such hold");
	return 0;
}
