/* Methods mount, umount and mounts: only a daemon has them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ops_impl.h"

static int need_daemon(struct call *call)
{
	return call->mounts ? 0 :
			      failure_set(call->failure, FAILURE_NOT_FOUND,
					  NULL, "nothing is mounted");
}

static int do_mount(struct call *call)
{
	AUTO_FREE struct snapshot_info *snapshot = calloc(1, sizeof(*snapshot));
	struct mount_params params = {
		.mountpoint = call_text(call, "mountpoint"),
		.options = call_text(call, "options"),
	};
	struct branch_info branch;
	int rc = snapshot ? need_daemon(call) : -ENOMEM;

	if (rc == 0 && call_text(call, "snapshot"))
		rc = call_snapshot(call, snapshot);
	else if (rc == 0)
		rc = call_branch(call, &branch);
	if (rc < 0)
		return rc;
	params.snapshot_id = snapshot->id;
	params.branch = snapshot->id ? NULL : branch.name;
	if (!call->dry_run)
		rc = mounts_add(call->mounts, &params, call->failure);
	if (rc == 0)
		rc = call_put(call, "branch",
			      json_text_or_null(snapshot->id ?
							snapshot->branch :
							branch.name));
	if (rc == 0)
		rc = call_put(call, "snapshot",
			      json_text_or_null(snapshot->name));
	if (rc == 0)
		rc = call_put(call, "mountpoint", json_text(params.mountpoint));
	return rc < 0 ? rc : call_put(call, "pid", json_integer(getpid()));
}

static int do_umount(struct call *call)
{
	const char *target = call_text(call, "target");
	json_t *left;
	size_t count;
	int rc = need_daemon(call);

	if (rc == 0 && !call->dry_run)
		rc = mounts_remove(call->mounts, target,
				   call_flag(call, "lazy"), call->failure);
	if (rc < 0)
		return rc;
	left = mounts_list(call->mounts);
	count = json_array_size(left);
	json_decref(left);
	rc = call_put(call, "target", json_text(target));
	return rc < 0 ? rc : call_put(call, "mounts_left", json_size(count));
}

static int do_revoke(struct call *call)
{
	json_t *revoked = json_array();
	int rc = need_daemon(call);

	if (rc == 0)
		rc = mounts_revoke(call->mounts, call_text(call, "target"),
				   call->dry_run, revoked, call->failure);
	if (rc < 0) {
		json_decref(revoked);
		return rc;
	}
	rc = call_put(call, "mounts", revoked);
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int caps(struct call *call)
{
	json_t *list = json_array();
	int rc = need_daemon(call);

	if (rc == 0)
		rc = mounts_caps(call->mounts, call_text(call, "target"), list);
	if (rc == 0)
		return call_put(call, "caps", list);
	json_decref(list);
	return rc == -ENOENT ? failure_set(call->failure, FAILURE_NOT_FOUND,
					   call_text(call, "target"),
					   "is not mounted") :
			       rc;
}

static int mounts(struct call *call)
{
	return call_put(call, "mounts",
			call->mounts ? mounts_list(call->mounts) :
				       json_array());
}

const struct method methods_mount[] = {
	{ "mount", "branch:s snapshot:s mountpoint:S options:s", do_mount },
	{ "umount", "target:S lazy:b", do_umount },
	{ "revoke", "target:s", do_revoke },
	{ "caps", "target:s", caps },
	{ "mounts", "", mounts },
	{ .name = NULL },
};
