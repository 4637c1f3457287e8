/* Methods layer.*: the directories that a branch of a tree sees. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layer_source.h"
#include "ops_impl.h"
#include "store_layers.h"

static const char *state_name(enum layer_state state)
{
	switch (state) {
	case LAYER_STATE_OK:
		return "ok";
	case LAYER_STATE_MISSING:
		return "missing";
	case LAYER_STATE_CHANGED:
		return "changed";
	}
	abort();
}

json_t *layer_json(const struct layer_info *info)
{
	char uuid[LAYER_UUID_BYTES];

	layer_uuid_text(info->store_uuid, uuid);
	return json_pack(
		"{s:i, s:o, s:s, s:o, s:o, s:s?, s:o, s:s, s:o, s:o, "
		"s:i}",
		"id", (int)info->id, "name", json_text(info->name), "kind",
		info->snapshot ? "snapshot" : "directory", "path",
		json_text(info->path), "snapshot_id", json_id(info->snapshot),
		"store_uuid", info->snapshot ? uuid : NULL, "position",
		info->position ? json_integer(info->position) : json_null(),
		"state", state_name(info->state), "reason",
		json_text_or_null(info->reason), "changed_files",
		json_size(info->changed_files), "branches",
		(int)info->branches);
}

int call_need_image(struct call *call, const char *what, const char *hint)
{
	if (!store_is_tree(call->store))
		return 0;
	failure_set(call->failure, FAILURE_USAGE, NULL,
		    "the store is over directories: %s", what);
	failure_hint(call->failure, "%s", hint);
	return -EINVAL;
}

int layers_json(struct call *call, const char *branch, json_t **out_array)
{
	AUTO_FREE struct layer_info *list = NULL;
	size_t count, i;
	int rc = store_layers_list(call->store, branch, &list, &count,
				   call->failure);

	if (rc < 0)
		return rc;
	*out_array = json_array();
	for (i = 0; i < count; i++)
		json_array_append_new(*out_array, layer_json(&list[i]));
	return 0;
}

/* {"branch": its name, "layers": [...]} */
static int put_layers(struct call *call, const char *branch)
{
	json_t *array;
	int rc = layers_json(call, branch, &array);

	if (rc == 0)
		rc = call_put(call, "layers", array);
	return rc < 0 ? rc : call_put(call, "branch", json_text(branch));
}

static int layer_list(struct call *call)
{
	struct branch_info branch;
	int rc = call_branch(call, &branch);

	return rc < 0 ? rc : put_layers(call, branch.name);
}

static int put_change(struct call *call, const char *branch,
		      const struct layer_info *info)
{
	int rc = call_put(call, "layer", layer_json(info));

	if (rc == 0)
		rc = put_layers(call, branch);
	return rc < 0 ? rc : call_put_dry_run(call);
}

/* A mount of this daemon in its own base would wait for itself. */
static int check_not_mounted(struct call *call, const char *spec)
{
	AUTO_FREE char *path = realpath(layer_spec_path(spec), NULL);
	json_t *mounts = call->mounts && path ? mounts_list(call->mounts) :
						NULL;
	const json_t *mount;
	size_t i;
	int rc = 0;

	json_array_foreach(mounts, i, mount)
	{
		const char *at = json_text_at(mount, "mountpoint");

		if (mount_is_below(path, at))
			rc = failure_set(call->failure, FAILURE_USAGE, spec,
					 "is in a mount of this store");
		else if (mount_is_below(at, path))
			rc = failure_set(call->failure, FAILURE_USAGE, spec,
					 "contains a mount of this store, %s",
					 at);
	}
	json_decref(mounts);
	return rc;
}

static int layer_add(struct call *call)
{
	AUTO_FREE struct layer_info *info = calloc(1, sizeof(*info));
	const struct layer_place place = {
		.below = call_text(call, "below"),
		.bottom = call_flag(call, "bottom"),
	};
	const char *spec = call_text(call, "layer");
	struct branch_info branch;
	int rc = info ? call_branch(call, &branch) : -ENOMEM;

	if (rc == 0 && place.below && place.bottom)
		rc = failure_set(call->failure, FAILURE_USAGE, place.below,
				 "a layer is below one, or at the bottom");
	if (rc == 0 && *layer_spec_path(spec) && *layer_spec_path(spec) != '/')
		rc = failure_set(call->failure, FAILURE_USAGE, spec,
				 "the path must be absolute");
	if (rc == 0)
		rc = check_not_mounted(call, spec);
	if (rc == 0)
		rc = store_layer_add(call->store, branch.name, spec, &place,
				     call->dry_run, &call->actor, info,
				     call->failure);
	return rc < 0 ? rc : put_change(call, branch.name, info);
}

static int layer_remove(struct call *call)
{
	AUTO_FREE struct layer_info *info = calloc(1, sizeof(*info));
	struct branch_info branch;
	int rc = info ? call_branch(call, &branch) : -ENOMEM;

	if (rc == 0)
		rc = store_layer_remove(call->store, branch.name,
					call_text(call, "layer"), call->dry_run,
					&call->actor, info, call->failure);
	return rc < 0 ? rc : put_change(call, branch.name, info);
}

const struct method methods_layer[] = {
	{ "layer.list", "branch:s", layer_list },
	{ "layer.add", "branch:s layer:S below:s bottom:b", layer_add },
	{ "layer.remove", "branch:s layer:S", layer_remove },
	{ .name = NULL },
};
