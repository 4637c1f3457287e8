/* Snapshots and branches as JSON, and the lists they are told from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops_impl.h"
#include "store_layers.h"

static int compare_uniques(const void *a, const void *b)
{
	const struct space_unique *left = a, *right = b;

	if (left->is_branch != right->is_branch)
		return left->is_branch ? 1 : -1;
	return left->id < right->id ? -1 : left->id > right->id;
}

static int load_uniques(struct call *call, struct listing *listing)
{
	struct space_usage usage;
	int rc = space_usage(call->store, &usage, &listing->uniques,
			     &listing->unique_count, call->failure);

	if (rc == 0 && listing->uniques)
		qsort(listing->uniques, listing->unique_count,
		      sizeof(*listing->uniques), compare_uniques);
	return rc;
}

int listing_load(struct call *call, const char *branch, bool trash,
		 bool with_unique, struct listing *out_listing)
{
	struct listing *l = out_listing;
	int rc;

	rc = listing_load_around(call, trash, with_unique, l);
	if (rc < 0)
		return rc;
	rc = history_snapshots(call->store, branch, trash, &l->snapshots,
			       &l->snapshot_count, call->failure);
	if (rc < 0) {
		listing_free(l);
		return failure_errno(call->failure, rc, NULL, "can't list");
	}
	return 0;
}

int listing_load_around(struct call *call, bool trash, bool with_unique,
			struct listing *out_listing)
{
	struct listing *l = out_listing;
	int rc;

	memset(l, 0, sizeof(*l));
	l->is_tree = store_is_tree(call->store);
	rc = history_branches(call->store, trash, &l->branches,
			      &l->branch_count);
	if (rc == 0)
		rc = history_holds(call->store, 0, &l->holds, &l->hold_count);
	if (rc == 0 && with_unique)
		rc = load_uniques(call, l);
	if (rc < 0) {
		listing_free(l);
		return failure_errno(call->failure, rc, NULL, "can't list");
	}
	return 0;
}

void listing_free(struct listing *listing)
{
	free(listing->snapshots);
	free(listing->branches);
	free(listing->holds);
	free(listing->uniques);
	memset(listing, 0, sizeof(*listing));
}

json_t *unique_json(const struct listing *listing, bool is_branch, uint32_t id)
{
	struct space_unique key = { .is_branch = is_branch, .id = id };
	const struct space_unique *found;

	if (!listing->uniques)
		return json_null();
	found = bsearch(&key, listing->uniques, listing->unique_count,
			sizeof(key), compare_uniques);
	return json_size(found ? found->bytes : 0);
}

static json_t *holds_json(const struct listing *listing, uint32_t snapshot_id)
{
	json_t *holds = json_array();
	size_t i;

	for (i = 0; i < listing->hold_count; i++)
		if (listing->holds[i].snapshot_id == snapshot_id)
			json_array_append_new(holds,
					      json_text(listing->holds[i].tag));
	return holds;
}

static json_t *clones_json(const struct listing *listing, uint32_t snapshot_id)
{
	json_t *clones = json_array();
	size_t i;

	for (i = 0; i < listing->branch_count; i++)
		if (listing->branches[i].parent_snapshot_id == snapshot_id)
			json_array_append_new(
				clones, json_text(listing->branches[i].name));
	return clones;
}

static const char *state_name(enum snapshot_state state)
{
	switch (state) {
	case SNAPSHOT_STATE_LIVE:
		return "live";
	case SNAPSHOT_STATE_TRASH:
		return "trash";
	case SNAPSHOT_STATE_DELETING:
		return "deleting";
	}
	abort();
}

static const char *kind_name(enum snapshot_kind kind)
{
	switch (kind) {
	case SNAPSHOT_KIND_MANUAL:
		return "manual";
	case SNAPSHOT_KIND_AUTO:
		return "auto";
	case SNAPSHOT_KIND_ROLLBACK:
		return "rollback";
	}
	abort();
}

static json_t *image_size(const struct listing *listing, uint64_t size_bytes)
{
	return listing->is_tree ? json_null() : json_size(size_bytes);
}

json_t *snapshot_json(const struct listing *listing,
		      const struct snapshot_info *info)
{
	json_t *value;

	value = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			  "id", json_id(info->id), "name",
			  json_text(info->name), "branch",
			  json_text_or_null(info->branch), "parent",
			  json_text_or_null(info->parent), "created",
			  json_time(info->created_ns), "size_bytes",
			  image_size(listing, info->size_bytes), "refer_bytes",
			  json_size(info->refer_bytes), "unique_bytes",
			  unique_json(listing, false, info->id),
			  "written_bytes", json_size(info->written_bytes),
			  "holds", holds_json(listing, info->id));
	json_object_set_new(value, "clones", clones_json(listing, info->id));
	json_object_set_new(value, "tags", json_object());
	json_object_set_new(value, "note", json_text_or_null(info->note));
	json_object_set_new(value, "kind", json_string(kind_name(info->kind)));
	json_object_set_new(value, "state",
			    json_string(state_name(info->state)));
	json_object_set_new(value, "deleted", json_time(info->deleted_ns));
	return value;
}

/* "main@s1", "main" or "" as an object. */
static json_t *parent_json(const char *parent)
{
	const char *at = strchr(parent, '@');
	char branch[STORE_NAME_BYTES_MAX + 1];

	if (!*parent)
		return json_null();
	snprintf(branch, sizeof(branch), "%.*s",
		 at ? (int)(at - parent) : STORE_NAME_BYTES_MAX, parent);
	return json_pack("{s:o, s:o}", "branch", json_text_or_null(branch),
			 "snapshot", at ? json_text(at + 1) : json_null());
}

json_t *branch_json(const struct listing *listing,
		    const struct branch_info *info, const json_t *mounts)
{
	json_t *mountpoints = json_array(), *writer = json_null(), *value;
	const json_t *mount;
	size_t i;

	json_array_foreach(mounts, i, mount)
	{
		if (json_is_string(json_object_get(mount, "snapshot")) ||
		    strcmp(json_text_at(mount, "branch"), info->name) != 0)
			continue;
		json_array_append(mountpoints,
				  json_object_get(mount, "mountpoint"));
		if (json_is_null(writer) && !json_flag_at(mount, "read_only"))
			writer = json_pack("{s:i, s:s}", "pid", getpid(),
					   "comm", "cowd");
	}
	value = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o}", "id",
			  json_id(info->id), "name", json_text(info->name),
			  "size_bytes", image_size(listing, info->size_bytes),
			  "refer_bytes", json_size(info->refer_bytes),
			  "unique_bytes", unique_json(listing, true, info->id),
			  "snapshots", (int)info->snapshot_count, "parent",
			  parent_json(info->parent), "mountpoints", mountpoints,
			  "writer", writer);
	json_object_set_new(value, "created", json_time(info->created_ns));
	json_object_set_new(value, "deleted", json_time(info->deleted_ns));
	json_object_set_new(value, "written_bytes",
			    json_size(info->written_bytes));
	json_object_set_new(value, "changed", json_boolean(info->changed));
	return value;
}
