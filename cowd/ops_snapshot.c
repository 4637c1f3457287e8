/* Methods snapshot.*. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"
#include "ops_impl.h"
#include "policy.h"
#include "store_layers.h"

/* Adds {"snapshots": [...]} of the infos, freshly told. */
static int put_snapshots(struct call *call, const struct snapshot_info *infos,
			 size_t count, bool with_unique)
{
	json_t *array = json_array();
	struct listing listing = { 0 };
	size_t i;
	int rc = listing_load_around(call, true, with_unique, &listing);

	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	for (i = 0; i < count; i++)
		json_array_append_new(array,
				      snapshot_json(&listing, &infos[i]));
	listing_free(&listing);
	return call_put(call, "snapshots", array);
}

static int choose_name(struct call *call, char *name, size_t name_bytes)
{
	const char *text = call_text(call, "name");
	int rc;

	if (text) {
		rc = history_check_name(text, call->failure);
		if (rc == 0)
			snprintf(name, name_bytes, "%s", text);
		return rc;
	}
	rc = policy_unique_name(call->store, "", human_now_ns(), name,
				name_bytes);
	return rc < 0 ? failure_errno(call->failure, rc, NULL,
				      "can't choose a name") :
			0;
}

static int take(struct call *call, const struct branch_info *branch,
		const char *name)
{
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));
	const char *tag = call_text(call, "hold");
	int rc;

	if (!info)
		return -ENOMEM;
	rc = history_snapshot(call->store, branch->name, name,
			      call_text(call, "note"), SNAPSHOT_KIND_MANUAL,
			      &call->actor, info, call->failure);
	if (rc == 0 && tag)
		rc = history_hold(call->store, info->id, tag, &call->actor,
				  call->failure);
	return rc < 0 ? rc : put_snapshots(call, info, 1, false);
}

static int snapshot_create(struct call *call)
{
	int64_t started_ns = human_now_ns();
	char name[STORE_NAME_BYTES_MAX + 1];
	struct branch_info branch;
	const char *tag = call_text(call, "hold");
	bool wanted;
	int rc = call_branch(call, &branch);

	if (rc == 0)
		rc = choose_name(call, name, sizeof(name));
	if (rc == 0 && tag)
		rc = history_check_name(tag, call->failure);
	if (rc == 0 && !call->dry_run)
		rc = call_flush(call, branch.name);
	if (rc == 0) /* a flush may have changed it */
		rc = history_find_branch(call->store, branch.name, &branch,
					 call->failure);
	if (rc < 0)
		return rc;
	wanted = branch.changed || !call_flag(call, "if_changed");
	if (!wanted)
		rc = call_put(call, "snapshots", json_array());
	else if (call->dry_run)
		rc = dry_snapshot_name(call, name);
	else
		rc = take(call, &branch, name);
	if (rc == 0 && wanted && call->dry_run)
		rc = call_put(call, "snapshots", json_array());
	if (rc == 0)
		rc = call_put(call, "branch", json_text(branch.name));
	if (rc == 0)
		rc = call_put(call, "name",
			      wanted ? json_text(name) : json_null());
	if (rc == 0)
		rc = call_put(call, "created",
			      json_boolean(wanted && !call->dry_run));
	if (rc == 0)
		rc = call_put(
			call, "duration_ms",
			json_size((uint64_t)(human_now_ns() - started_ns) /
				  1000000));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int snapshot_list(struct call *call)
{
	int64_t older_ns = call_number(call, "older_than_ns", 0);
	json_t *array = json_array();
	struct listing listing = { 0 };
	int64_t now_ns = human_now_ns();
	size_t i;
	int rc = listing_load(call, call_text(call, "branch"),
			      call_flag(call, "trash"),
			      call_flag(call, "unique"), &listing);

	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	for (i = 0; i < listing.snapshot_count; i++) {
		const struct snapshot_info *info = &listing.snapshots[i];

		if (now_ns - info->created_ns < older_ns)
			continue;
		json_array_append_new(array, snapshot_json(&listing, info));
	}
	listing_free(&listing);
	return call_put(call, "snapshots", array);
}

static int count_extent(void *context, const struct diff_extent *extent)
{
	uint64_t *count = context;

	(void)extent;
	(*count)++;
	return 0;
}

static int snapshot_show(struct call *call)
{
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));
	json_t *children, *value;
	struct listing listing = { 0 };
	bool is_tree = store_is_tree(call->store);
	uint64_t extents = 0;
	size_t i;
	int rc = info ? call_snapshot(call, info) : -ENOMEM;

	if (rc == 0 && !is_tree)
		rc = history_diff(call->store, info->parent_id, NULL, info->id,
				  count_extent, &extents, call->failure);
	if (rc == 0)
		rc = listing_load(call, NULL, true, true, &listing);
	if (rc < 0)
		return rc;
	children = json_array();
	for (i = 0; i < listing.snapshot_count; i++)
		if (listing.snapshots[i].parent_id == info->id)
			json_array_append_new(
				children, json_text(listing.snapshots[i].name));
	value = snapshot_json(&listing, info);
	json_object_set_new(value, "children", children);
	json_object_set_new(value, "written_extents",
			    is_tree ? json_null() : json_size(extents));
	listing_free(&listing);
	return call_put(call, "snapshot", value);
}

static int snapshot_rename(struct call *call)
{
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));
	const char *name = call_text(call, "name");
	int rc = info ? call_snapshot(call, info) : -ENOMEM;

	if (rc == 0)
		rc = history_check_name(name, call->failure);
	if (rc == 0 && call->dry_run)
		rc = dry_snapshot_name(call, name);
	else if (rc == 0)
		rc = history_rename_snapshot(call->store, info->id, name,
					     &call->actor, call->failure);
	if (rc == 0)
		rc = call_put(call, "branch", json_text_or_null(info->branch));
	if (rc == 0)
		rc = call_put(call, "old_name", json_text(info->name));
	if (rc == 0)
		rc = call_put(call, "name", json_text(name));
	return rc < 0 ? rc : call_put_dry_run(call);
}

/* The snapshots that a list of names and FROM%TO ranges means. */
struct selection {
	struct snapshot_info *infos;
	size_t count, capacity;
};

static int select_one(struct selection *selection,
		      const struct snapshot_info *info)
{
	struct snapshot_info *infos = selection->infos;
	size_t i;

	for (i = 0; i < selection->count; i++)
		if (infos[i].id == info->id)
			return 0;
	if (selection->count == selection->capacity) {
		size_t capacity = selection->capacity * 2 + 8;

		infos = reallocarray(infos, capacity, sizeof(*infos));
		if (!infos)
			return -ENOMEM;
		selection->infos = infos;
		selection->capacity = capacity;
	}
	infos[selection->count++] = *info;
	return 0;
}

/* From `from` to `to`, both included, in the order they were taken. An empty
 * side reaches to the first or last one. */
static int select_range(struct call *call, const char *from, const char *to,
			struct selection *selection)
{
	AUTO_FREE struct snapshot_info *list = NULL, *ends = NULL;
	const char *branch = call_text(call, "branch");
	size_t count, i, first = 0, last;
	int rc;

	ends = calloc(2, sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	rc = *from ? call_find_snapshot(call, branch, from, &ends[0]) : 0;
	if (rc == 0 && *to)
		rc = call_find_snapshot(call, branch, to, &ends[1]);
	if (rc < 0)
		return rc;
	if (!branch && (*from || *to))
		branch = *from ? ends[0].branch : ends[1].branch;
	rc = history_snapshots(call->store, branch, false, &list, &count,
			       call->failure);
	if (rc < 0)
		return rc;
	last = count;
	for (i = 0; i < count; i++) {
		if (list[i].id == ends[0].id)
			first = i;
		if (list[i].id == ends[1].id)
			last = i + 1;
	}
	if (*from && *to &&
	    (first >= last || strcmp(ends[0].branch, ends[1].branch) != 0))
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "%s%%%s: the first must be the older one, "
				   "of the same branch",
				   from, to);
	for (i = first; rc == 0 && i < last; i++)
		rc = select_one(selection, &list[i]);
	return rc;
}

static int select_text(struct call *call, const char *text,
		       struct selection *selection)
{
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));
	AUTO_FREE char *copy = strdup(text);
	char *percent;
	int rc;

	if (!info || !copy)
		return -ENOMEM;
	percent = strchr(copy, '%');
	if (percent) {
		*percent = '\0';
		return select_range(call, copy, percent + 1, selection);
	}
	rc = call_find_snapshot(call, call_text(call, "branch"), copy, info);
	return rc < 0 ? rc : select_one(selection, info);
}

static int select_all(struct call *call, struct selection *selection)
{
	const json_t *texts = json_object_get(call->params, "snapshots");
	const json_t *text;
	size_t i;
	int rc = 0;

	json_array_foreach(texts, i, text) if (rc == 0)
		rc = select_text(call, json_string_value(text), selection);
	if (rc < 0) {
		free(selection->infos);
		selection->infos = NULL;
	}
	return rc;
}

/* Names what stands in the way, before anything is deleted. */
static int check_not_held(struct call *call, const struct snapshot_info *info,
			  const struct listing *listing)
{
	const char *store =
		json_text_at(json_object_get(call->result, "store"), "path");
	char ago[64];
	size_t i;

	for (i = 0; i < listing->hold_count; i++) {
		const struct hold_info *hold = &listing->holds[i];

		if (hold->snapshot_id != info->id)
			continue;
		human_ago(hold->created_ns, human_now_ns(), ago, sizeof(ago));
		failure_set(call->failure, FAILURE_HELD, info->name,
			    "can't delete: held by '%s' since %s", hold->tag,
			    ago);
		failure_hint(call->failure, "cowd snapshot release %s %s@%s",
			     hold->tag, store, info->name);
		return -EBUSY;
	}
	return 0;
}

/* What each has alone is summed up for a dry run only: that takes a walk
 * through the index, and deleting takes none. */
static int delete_selected(struct call *call, struct selection *selection,
			   json_t **out_bytes)
{
	bool now = call_flag(call, "now");
	struct listing listing = { 0 };
	uint64_t bytes = 0;
	size_t i;
	int rc = listing_load(call, NULL, true, call->dry_run, &listing);

	for (i = 0; rc == 0 && i < selection->count; i++)
		rc = check_not_held(call, &selection->infos[i], &listing);
	if (rc < 0) {
		listing_free(&listing);
		return rc;
	}
	for (i = 0; call->dry_run && i < selection->count; i++) {
		json_t *own =
			unique_json(&listing, false, selection->infos[i].id);

		bytes += (uint64_t)json_integer_value(own);
		json_decref(own);
	}
	for (i = 0; rc == 0 && !call->dry_run && i < selection->count; i++)
		rc = history_delete_snapshot(call->store,
					     selection->infos[i].id, now,
					     &call->actor, call->failure);
	listing_free(&listing);
	if (rc == 0)
		*out_bytes = call->dry_run ? json_size(bytes) : json_null();
	return rc;
}

static int put_deleted(struct call *call, const struct selection *selection,
		       json_t *bytes)
{
	json_t *names = json_array();
	size_t i;
	int rc;

	for (i = 0; i < selection->count; i++) {
		json_array_append_new(
			names,
			json_pack(
				"{s:o, s:o, s:o}", "id",
				json_id(selection->infos[i].id), "name",
				json_text(selection->infos[i].name), "branch",
				json_text_or_null(selection->infos[i].branch)));
	}
	rc = call_put(call, "unique_bytes", bytes);
	if (rc == 0)
		rc = call_put(call, "snapshots", names);
	else
		json_decref(names);
	if (rc == 0)
		rc = call_put(call, "now",
			      json_boolean(call_flag(call, "now")));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int snapshot_delete(struct call *call)
{
	struct selection selection = { .infos = NULL };
	json_t *bytes;
	int rc = select_all(call, &selection);

	if (rc == 0)
		rc = delete_selected(call, &selection, &bytes);
	if (rc == 0)
		rc = put_deleted(call, &selection, bytes);
	free(selection.infos);
	return rc;
}

static int change_holds(struct call *call, bool hold)
{
	struct selection selection = { .infos = NULL };
	const char *tag = call_text(call, "tag");
	size_t i;
	int rc = history_check_name(tag, call->failure);

	if (rc == 0)
		rc = select_all(call, &selection);
	for (i = 0; rc == 0 && i < selection.count; i++) {
		rc = call->dry_run ?
			     dry_hold(call, selection.infos[i].id, tag, hold) :
		     hold ? history_hold(call->store, selection.infos[i].id,
					 tag, &call->actor, call->failure) :
			    history_release(call->store, selection.infos[i].id,
					    tag, &call->actor, call->failure);
	}
	if (rc == 0)
		rc = put_snapshots(call, selection.infos, selection.count,
				   false);
	if (rc == 0)
		rc = call_put(call, "tag", json_text(tag));
	free(selection.infos);
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int snapshot_hold(struct call *call)
{
	return change_holds(call, true);
}

static int snapshot_release(struct call *call)
{
	return change_holds(call, false);
}

static json_t *hold_json(const struct hold_info *hold,
			 const struct snapshot_info *snapshot)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "tag", json_text(hold->tag),
			 "snapshot", json_text(snapshot->name), "branch",
			 json_text_or_null(snapshot->branch), "created",
			 json_time(hold->created_ns));
}

static int snapshot_holds(struct call *call)
{
	AUTO_FREE struct snapshot_info *info = calloc(1, sizeof(*info));
	json_t *array = json_array();
	struct listing l = { 0 };
	size_t i, j;
	int rc = info ? 0 : -ENOMEM;

	if (rc == 0 && call_text(call, "snapshot"))
		rc = call_snapshot(call, info);
	if (rc == 0)
		rc = listing_load(call, call_text(call, "branch"), false, false,
				  &l);
	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	for (i = 0; i < l.snapshot_count; i++) {
		for (j = 0; j < l.hold_count; j++)
			if (l.holds[j].snapshot_id == l.snapshots[i].id &&
			    (!info->id || info->id == l.snapshots[i].id))
				json_array_append_new(
					array, hold_json(&l.holds[j],
							 &l.snapshots[i]));
	}
	listing_free(&l);
	return call_put(call, "holds", array);
}

static int keep_rules(struct call *call, struct store_config *config)
{
	static const char *const names[] = { "keep_last", "keep_hourly",
					     "keep_daily", "keep_weekly",
					     "keep_monthly" };
	uint32_t *rules[] = { &config->keep_last, &config->keep_hourly,
			      &config->keep_daily, &config->keep_weekly,
			      &config->keep_monthly };
	bool is_given = false;
	size_t i;

	store_get_config(call->store, config);
	for (i = 0; i < 5; i++)
		is_given |= call_number(call, names[i], -1) >= 0;
	for (i = 0; is_given && i < 5; i++) {
		int64_t number = call_number(call, names[i], 0);

		if (number < 0 || number > UINT32_MAX)
			return failure_set(call->failure, FAILURE_USAGE,
					   names[i], "is out of range");
		*rules[i] = (uint32_t)number;
	}
	for (i = 0; i < 5; i++)
		if (*rules[i])
			return 0;
	failure_set(call->failure, FAILURE_USAGE, NULL,
		    "no rule says what to keep");
	failure_hint(call->failure, "use --keep-last N and the like, or set "
				    "keep.last in the store");
	return -EINVAL;
}

static int prune_branch(struct call *call, const char *branch,
			const struct store_config *config,
			struct selection *selection)
{
	AUTO_FREE struct snapshot_info *list = NULL;
	AUTO_FREE bool *keep = NULL;
	size_t count, i;
	int rc = history_snapshots(call->store, branch, false, &list, &count,
				   call->failure);

	if (rc < 0)
		return rc;
	keep = calloc(count + 1, sizeof(*keep));
	if (!keep)
		return -ENOMEM;
	for (i = 0; call_flag(call, "all") && i < count; i++)
		list[i].kind = SNAPSHOT_KIND_AUTO;
	policy_prune(list, count, config, human_now_ns(), keep);
	for (i = 0; rc == 0 && i < count; i++)
		if (!keep[i])
			rc = select_one(selection, &list[i]);
	return rc;
}

static int snapshot_prune(struct call *call)
{
	struct selection selection = { .infos = NULL };
	AUTO_FREE struct branch_info *branches = NULL;
	const char *only = call_text(call, "branch");
	struct store_config config;
	json_t *bytes;
	size_t count = 0, i;
	int rc = keep_rules(call, &config);

	if (rc == 0 && only)
		rc = prune_branch(call, only, &config, &selection);
	else if (rc == 0)
		rc = history_branches(call->store, false, &branches, &count);
	for (i = 0; rc == 0 && i < count; i++)
		rc = prune_branch(call, branches[i].name, &config, &selection);
	if (rc == 0)
		rc = delete_selected(call, &selection, &bytes);
	if (rc == 0)
		rc = put_deleted(call, &selection, bytes);
	free(selection.infos);
	return rc;
}

const struct method methods_snapshot[] = {
	{ "snapshot.create", "branch:s name:s note:s hold:s if_changed:b",
	  snapshot_create },
	{ "snapshot.list", "branch:s trash:b unique:b older_than_ns:i",
	  snapshot_list },
	{ "snapshot.show", "branch:s snapshot:S", snapshot_show },
	{ "snapshot.rename", "branch:s snapshot:S name:S", snapshot_rename },
	{ "snapshot.delete", "branch:s snapshots:a now:b", snapshot_delete },
	{ "snapshot.hold", "branch:s snapshots:a tag:S", snapshot_hold },
	{ "snapshot.release", "branch:s snapshots:a tag:S", snapshot_release },
	{ "snapshot.holds", "branch:s snapshot:s", snapshot_holds },
	{ "snapshot.prune",
	  "branch:s keep_last:i keep_hourly:i keep_daily:i keep_weekly:i "
	  "keep_monthly:i all:b",
	  snapshot_prune },
	{ .name = NULL },
};
