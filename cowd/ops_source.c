/* Method snapshot.source: what who builds on a snapshot has to know. */
#include <errno.h>
#include <stdlib.h>

#include "layer_source.h"
#include "ops_impl.h"
#include "store_layers.h"

static int find_by_id(struct call *call, uint32_t id,
		      struct snapshot_info *out_info)
{
	AUTO_FREE struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc = history_snapshots(call->store, NULL, false, &list, &count,
				   call->failure);

	for (i = 0; i < count; i++) {
		if (list[i].id != id)
			continue;
		*out_info = list[i];
		return 0;
	}
	return rc < 0 ? rc :
			failure_set(call->failure, FAILURE_NOT_FOUND, NULL,
				    "there is no such snapshot");
}

/* Snapshots of other stores that this one is over. */
static json_t *over_json(struct call *call)
{
	json_t *array = json_array();
	size_t count = 0, i;
	const struct base_row *rows = store_layer_rows(call->store, &count);

	for (i = 0; i < count; i++) {
		const struct base_fingerprint *f = &rows[i].fingerprint;
		const uint64_t halves[2] = { f->device, f->sample_hash };
		char uuid[LAYER_UUID_BYTES];

		if (!layer_is_snapshot(f))
			continue;
		layer_uuid_text(halves, uuid);
		json_array_append_new(array, json_pack("{s:o, s:s}", "path",
						       json_text(f->path),
						       "uuid", uuid));
	}
	return array;
}

static int source(struct call *call)
{
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));
	uint32_t id = (uint32_t)call_number(call, "id", 0);
	int rc = info ? 0 : -ENOMEM;

	if (rc == 0 && id)
		rc = find_by_id(call, id, info);
	else if (rc == 0 && call_text(call, "snapshot"))
		rc = call_snapshot(call, info);
	if (rc == 0)
		rc = call_put(
			call, "snapshot",
			info->id ? json_pack("{s:o, s:o, s:o}", "id",
					     json_id(info->id), "name",
					     json_text(info->name), "branch",
					     json_text_or_null(info->branch)) :
				   json_null());
	if (rc == 0)
		rc = call_put(call, "tree",
			      json_boolean(store_is_tree(call->store)));
	return rc < 0 ? rc : call_put(call, "over", over_json(call));
}

const struct method methods_source[] = {
	{ "snapshot.source", "branch:s snapshot:s id:i", source },
	{ .name = NULL },
};
