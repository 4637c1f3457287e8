/* Operations on history, done to the store and to the model. */
#include <string.h>

#include "model.h"

static uint64_t names;

static int new_snapshot_slot(void)
{
	int nr;

	for (nr = 0; nr < SNAPSHOTS_MAX; nr++)
		if (!snapshots[nr].live && !snapshots[nr].trash)
			return nr;
	return -1;
}

static uint64_t newest_operation(void)
{
	struct operation_info *list;
	size_t count;
	uint64_t id;

	CHECK(history_operations(store, 1, &list, &count) == 0);
	CHECK(count == 1);
	id = list[0].id;
	free(list);
	return id;
}

void do_snapshot(int branch)
{
	int nr = new_snapshot_slot();
	struct snapshot_info info;

	if (nr < 0)
		return;
	snprintf(snapshots[nr].name, sizeof(snapshots[nr].name), "s%" PRIu64,
		 ++names);
	CHECK(history_snapshot(store, branches[branch].name, snapshots[nr].name,
			       "note", SNAPSHOT_KIND_MANUAL, &actor, &info,
			       &failure) == 0);
	snapshots[nr].live = true;
	snapshots[nr].id = info.id;
	snapshots[nr].branch = branch;
	copy_image(&snapshots[nr].image, &branches[branch].image);
}

static void adopt_kept(const struct rollback_result *result, int branch)
{
	int nr = new_snapshot_slot();

	if (!result->kept)
		return;
	if (nr < 0) {
		CHECK(history_delete_snapshot(store, result->kept_as.id, true,
					      &actor, &failure) == 0);
		return;
	}
	snapshots[nr].live = true;
	snapshots[nr].id = result->kept_as.id;
	snapshots[nr].branch = branch;
	snprintf(snapshots[nr].name, sizeof(snapshots[nr].name), "%s",
		 result->kept_as.name);
	copy_image(&snapshots[nr].image, &branches[branch].image);
}

void do_rollback(int branch)
{
	int nr = pick_snapshot();
	struct view *view = below(2) ? open_branch(branch) : NULL;
	struct rollback_result result;

	if (nr >= 0) {
		CHECK(history_rollback(store, branches[branch].name,
				       snapshots[nr].id, NULL, &actor, &result,
				       &failure) == 0);
		adopt_kept(&result, branch);
		copy_image(&branches[branch].image, &snapshots[nr].image);
	}
	if (view) {
		compare_some(view, &branches[branch].image);
		view_put(view);
	}
}

void do_undo_rollback(int branch)
{
	int nr = pick_snapshot();
	struct rollback_result result;
	struct undo_result undo;
	struct image before = { 0 };

	if (nr < 0)
		return;
	copy_image(&before, &branches[branch].image);
	CHECK(history_rollback(store, branches[branch].name, snapshots[nr].id,
			       NULL, &actor, &result, &failure) == 0);
	if (result.kept) {
		CHECK(history_undo(store, result.operation_id, false, &actor,
				   &undo, &failure) == 0);
		adopt_kept(&result, branch);
	} else {
		copy_image(&branches[branch].image, &snapshots[nr].image);
	}
	free(before.data);
}

void do_clone(int from)
{
	int nr, snapshot = below(2) ? pick_snapshot() : -1;

	for (nr = 0; nr < BRANCHES_MAX && branches[nr].live; nr++)
		;
	if (nr == BRANCHES_MAX)
		return;
	snprintf(branches[nr].name, sizeof(branches[nr].name), "b%" PRIu64,
		 ++names);
	CHECK(history_clone(store, branches[from].name,
			    snapshot < 0 ? 0 : snapshots[snapshot].id,
			    branches[nr].name, &actor, NULL, &failure) == 0);
	branches[nr].live = true;
	copy_image(&branches[nr].image, snapshot < 0 ?
						&branches[from].image :
						&snapshots[snapshot].image);
}

void do_delete_snapshot(void)
{
	int nr = pick_snapshot();
	bool now = below(2);

	if (nr < 0)
		return;
	CHECK(history_delete_snapshot(store, snapshots[nr].id, now, &actor,
				      &failure) == 0);
	snapshots[nr].live = false;
	snapshots[nr].trash = !now;
	snapshots[nr].operation = now ? 0 : newest_operation();
}

/* What was deleted comes back as it was. */
void do_undelete_snapshot(void)
{
	struct undo_result undo;
	int nr;

	for (nr = 0; nr < SNAPSHOTS_MAX; nr++)
		if (snapshots[nr].trash && below(2))
			break;
	if (nr == SNAPSHOTS_MAX)
		return;
	CHECK(history_undo(store, snapshots[nr].operation, false, &actor, &undo,
			   &failure) == 0);
	snapshots[nr].live = true;
	snapshots[nr].trash = false;
}

void do_delete_branch(void)
{
	int nr = pick_branch(), i, live = 0;

	for (i = 0; i < BRANCHES_MAX; i++)
		live += branches[i].live;
	if (live < 2)
		return;
	for (i = 0; i < SNAPSHOTS_MAX; i++)
		if ((snapshots[i].live || snapshots[i].trash) &&
		    snapshots[i].branch == nr)
			return;
	if (history_delete_branch(store, branches[nr].name, true, &actor,
				  &failure) == 0)
		branches[nr].live = false;
	memset(&failure, 0, sizeof(failure));
}

/* Every block that is in use has a user, and the other way round. */
static void check_space(void)
{
	struct space_usage usage;
	uint64_t used;

	CHECK(space_usage(store, &usage, NULL, NULL, &failure) == 0);
	used = usage.branches_unique_bytes + usage.snapshots_unique_bytes +
	       usage.shared_bytes + usage.trash_bytes;
	if (usage.total_bytes - usage.dead_bytes - usage.metadata_bytes == used)
		return;
	fprintf(stderr,
		"model: %" PRIu64 " bytes used, %" PRIu64 " live (branches "
		"%" PRIu64 " snapshots %" PRIu64 " shared %" PRIu64
		" trash %" PRIu64 ")\n",
		used,
		usage.total_bytes - usage.dead_bytes - usage.metadata_bytes,
		usage.branches_unique_bytes, usage.snapshots_unique_bytes,
		usage.shared_bytes, usage.trash_bytes);
	abort();
}

void do_gc(int64_t min_age_ns)
{
	struct gc_result gc;
	int nr;

	CHECK(space_gc(store, min_age_ns, false, &actor, NULL, NULL, &gc,
		       &failure) == 0);
	for (nr = 0; nr < SNAPSHOTS_MAX && min_age_ns == 0; nr++)
		snapshots[nr].trash = false;
	check_space();
}

/* Whatever has happened: in the end the head alone uses space. */
void keep_one_branch(void)
{
	struct space_usage usage;
	int nr, kept = pick_branch();

	for (nr = 0; nr < SNAPSHOTS_MAX; nr++) {
		if (!snapshots[nr].live)
			continue;
		CHECK(history_delete_snapshot(store, snapshots[nr].id, true,
					      &actor, &failure) == 0);
		snapshots[nr].live = false;
	}
	for (nr = 0; nr < BRANCHES_MAX; nr++) {
		if (!branches[nr].live || nr == kept)
			continue;
		CHECK(history_delete_branch(store, branches[nr].name, false,
					    &actor, &failure) == 0);
		branches[nr].live = false;
	}
	do_gc(0);
	check_everything();
	CHECK(space_usage(store, &usage, NULL, NULL, &failure) == 0);
	CHECK(usage.snapshots_unique_bytes == 0);
	CHECK(usage.shared_bytes == 0 || model_shares);
	CHECK(usage.trash_bytes == 0);
}
