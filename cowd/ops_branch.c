/* Methods branch.*, clone and resize. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "ops_impl.h"

static json_t *mounts_now(struct call *call)
{
	return call->mounts ? mounts_list(call->mounts) : json_array();
}

static int branch_list(struct call *call)
{
	json_t *array = json_array(), *mounts;
	struct listing listing;
	size_t i;
	int rc = listing_load(call, NULL, false, call_flag(call, "unique"),
			      &listing);

	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	mounts = mounts_now(call);
	for (i = 0; i < listing.branch_count; i++)
		json_array_append_new(array, branch_json(&listing,
							 &listing.branches[i],
							 mounts));
	json_decref(mounts);
	listing_free(&listing);
	return call_put(call, "branches", array);
}

/* Adds {"branch": {...}} as it is now. */
static int put_branch(struct call *call, const char *name, bool with_unique)
{
	struct branch_info info;
	struct listing listing;
	json_t *mounts, *value;
	int rc = history_find_branch(call->store, name, &info, call->failure);

	if (rc == 0)
		rc = listing_load(call, NULL, false, with_unique, &listing);
	if (rc < 0)
		return rc;
	mounts = mounts_now(call);
	value = branch_json(&listing, &info, mounts);
	json_decref(mounts);
	listing_free(&listing);
	return call_put(call, "branch", value);
}

static int branch_show(struct call *call)
{
	return put_branch(call, call_text(call, "branch"), true);
}

static int branch_rename(struct call *call)
{
	const char *name = call_text(call, "name");
	struct branch_info info;
	int rc = call_branch(call, &info);

	if (rc == 0)
		rc = history_check_name(name, call->failure);
	if (rc == 0 && call->dry_run)
		rc = dry_branch_name(call, name);
	else if (rc == 0)
		rc = history_rename_branch(call->store, info.name, name,
					   &call->actor, call->failure);
	if (rc < 0)
		return rc;
	if (call->mounts && !call->dry_run)
		mounts_renamed(call->mounts, info.name, name);
	rc = call_put(call, "old_name", json_text(info.name));
	if (rc == 0)
		rc = call_put(call, "name", json_text(name));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int branch_delete(struct call *call)
{
	struct branch_info info;
	struct listing listing;
	json_t *unique;
	int rc = call_branch(call, &info);

	if (rc == 0) /* a walk through the index: only to be told in advance */
		rc = listing_load(call, NULL, false, call->dry_run, &listing);
	if (rc < 0)
		return rc;
	unique = unique_json(&listing, true, info.id);
	listing_free(&listing);
	rc = call_put(call, "unique_bytes", unique);
	if (rc == 0 && call->dry_run)
		rc = dry_branch_delete(call, &info);
	else if (rc == 0)
		rc = history_delete_branch(call->store, info.name,
					   call_flag(call, "now"), &call->actor,
					   call->failure);
	if (rc == 0)
		rc = call_put(call, "branch", json_text(info.name));
	if (rc == 0)
		rc = call_put(call, "now",
			      json_boolean(call_flag(call, "now")));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int clone(struct call *call)
{
	AUTO_FREE struct snapshot_info *snapshot = calloc(1, sizeof(*snapshot));
	const char *name = call_text(call, "name");
	struct branch_info branch, made;
	int rc = snapshot ? history_check_name(name, call->failure) : -ENOMEM;

	if (rc == 0 && call_text(call, "snapshot"))
		rc = call_snapshot(call, snapshot);
	else if (rc == 0)
		rc = call_branch(call, &branch);
	if (rc == 0 && !snapshot->id && !call->dry_run)
		rc = call_flush(call, branch.name);
	if (rc == 0 && call->dry_run)
		rc = dry_branch_name(call, name);
	else if (rc == 0)
		rc = history_clone(
			call->store,
			snapshot->id ? snapshot->branch : branch.name,
			snapshot->id, name, &call->actor, &made, call->failure);
	if (rc == 0) {
		rc = call_put(
			call, "from",
			json_pack("{s:o, s:o}", "branch",
				  json_text_or_null(snapshot->id ?
							    snapshot->branch :
							    branch.name),
				  "snapshot",
				  json_text_or_null(snapshot->name)));
	}
	if (rc == 0)
		rc = call_put_dry_run(call);
	if (rc < 0)
		return rc;
	return call->dry_run ?
		       call_put(call, "branch",
				json_pack("{s:o}", "name", json_text(name))) :
		       put_branch(call, name, false);
}

/* size_bytes, added to or taken from the present size by "relative". */
static int new_size(struct call *call, uint64_t old_bytes, uint64_t *out_bytes)
{
	const char *relative = call_text(call, "relative");
	int64_t number = call_number(call, "size_bytes", 0);
	uint64_t size_bytes = (uint64_t)number;

	if (relative && strcmp(relative, "+") != 0 &&
	    strcmp(relative, "-") != 0)
		return failure_set(call->failure, FAILURE_USAGE, relative,
				   "is neither '+' nor '-'");
	if (number < 0 ||
	    (relative && *relative == '-' && size_bytes >= old_bytes))
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "the new size would be less than one byte");
	if (relative)
		size_bytes = *relative == '+' ? old_bytes + size_bytes :
						old_bytes - size_bytes;
	if (size_bytes == 0 || size_bytes > FILE_SIZE_BYTES_MAX)
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "the size must be between 1 byte and 4E");
	*out_bytes = size_bytes;
	return 0;
}

static int shrink(struct call *call, const struct branch_info *info,
		  uint64_t size_bytes)
{
	int rc = call_before_move(call, info->name, false);

	if (rc < 0) {
		failure_hint(call->failure, "close or unmount it first");
		return rc;
	}
	if (!call->dry_run)
		rc = history_resize(call->store, info->name, size_bytes,
				    &call->actor, call->failure);
	call_moved(call, info->name);
	return rc;
}

/* Writers may go on; a loop device learns of it with losetup -c. */
static int grow(struct call *call, const struct branch_info *info,
		uint64_t size_bytes)
{
	int rc;

	if (call->dry_run)
		return 0;
	rc = call_flush(call, info->name);
	if (rc == 0 && size_bytes != info->size_bytes)
		rc = history_resize(call->store, info->name, size_bytes,
				    &call->actor, call->failure);
	if (rc == 0 && call->mounts)
		mounts_grown(call->mounts, info->name);
	return rc;
}

static int resize(struct call *call)
{
	struct branch_info info;
	uint64_t size_bytes = 0;
	int rc = call_branch(call, &info);

	if (rc == 0)
		rc = call_need_image(call, "it has no size",
				     "a tree grows as far as the file system "
				     "of the store");
	if (rc == 0)
		rc = new_size(call, info.size_bytes, &size_bytes);
	if (rc < 0)
		return rc;
	if (size_bytes < info.size_bytes && !call_flag(call, "shrink")) {
		failure_set(call->failure, FAILURE_USAGE, info.name,
			    "this cuts off %" PRIu64 " bytes",
			    info.size_bytes - size_bytes);
		failure_hint(call->failure, "use --shrink if that is meant");
		return -EINVAL;
	}
	rc = size_bytes < info.size_bytes ? shrink(call, &info, size_bytes) :
					    grow(call, &info, size_bytes);
	if (rc < 0)
		return rc;
	rc = call_put(call, "branch", json_text(info.name));
	if (rc == 0)
		rc = call_put(call, "old_size_bytes",
			      json_size(info.size_bytes));
	if (rc == 0)
		rc = call_put(call, "size_bytes", json_size(size_bytes));
	return rc < 0 ? rc : call_put_dry_run(call);
}

const struct method methods_branch[] = {
	{ "branch.list", "unique:b", branch_list },
	{ "branch.show", "branch:s", branch_show },
	{ "branch.rename", "branch:s name:S", branch_rename },
	{ "branch.delete", "branch:s now:b", branch_delete },
	{ "clone", "branch:s snapshot:s name:S", clone },
	{ "resize", "branch:s size_bytes:I relative:s shrink:b", resize },
	{ .name = NULL },
};
