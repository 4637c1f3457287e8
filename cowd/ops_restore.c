/*
 * Method restore: paths of a snapshot come back into a head.
 *
 * A mounted head is held still meanwhile, as for a rollback: what is open on
 * it knows another state. All paths come back beside the head, which then
 * moves there: so it is one operation, of which a crash leaves all or nothing,
 * and undo reverts it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "history.h"
#include "ops_impl.h"
#include "path_text.h"
#include "store_layers.h"
#include "tree_path.h"
#include "tree_restore.h"

struct restore {
	struct call *call;
	struct snapshot_info from;
	struct branch_info branch;
	char **paths;
	size_t path_count;
	struct tree_restored sum;
	struct work work;
	struct rollback_result result;
};

static int fail(struct restore *restore, int rc, const char *path)
{
	struct call *call = restore->call;
	json_t *text;

	if (rc != -ENOENT && rc != -ENOTDIR && rc != -EINVAL)
		return failure_errno(call->failure, rc, restore->branch.name,
				     "can't restore");
	text = path_json(path);
	failure_set(call->failure,
		    rc == -ENOENT ? FAILURE_NOT_FOUND : FAILURE_FAILED,
		    json_string_value(text),
		    rc == -ENOENT  ? "snapshot %s has no such path" :
		    rc == -ENOTDIR ? "something above it is no directory now; "
				     "in %s it is" :
				     "not a path of a tree; of %s neither",
		    restore->from.name);
	json_decref(text);
	return rc;
}

static int find_sides(struct restore *restore)
{
	struct call *call = restore->call;
	const char *to = call_text(call, "branch");
	int rc = call_find_snapshot(call, call_text(call, "from_branch"),
				    call_text(call, "snapshot"),
				    &restore->from);

	return rc < 0 ? rc :
			history_find_branch(call->store,
					    to ? to : restore->from.branch,
					    &restore->branch, call->failure);
}

static int read_paths(struct restore *restore)
{
	const json_t *list = json_object_get(restore->call->params, "paths");
	size_t i;

	if (json_array_size(list) == 0)
		return failure_set(restore->call->failure, FAILURE_USAGE, NULL,
				   "no path is named");
	restore->paths = calloc(json_array_size(list), sizeof(char *));
	for (i = 0; restore->paths && i < json_array_size(list); i++) {
		restore->paths[i] = path_of_json(
			json_string_value(json_array_get(list, i)));
		if (!restore->paths[i])
			return -ENOMEM;
		restore->path_count++;
	}
	return restore->paths ? 0 : -ENOMEM;
}

static int open_snapshot(struct restore *restore, struct tree **out_tree)
{
	struct call *call = restore->call;
	struct view *view;
	int rc = view_open_snapshot(call->store, restore->from.id, &view,
				    call->failure);

	return rc < 0 ? rc : tree_open_reader(view, out_tree, call->failure);
}

static int open_head(struct restore *restore, struct tree **out_tree)
{
	struct call *call = restore->call;
	struct view *view;
	int rc = view_open_branch(call->store, restore->work.branch, &view,
				  call->failure);

	return rc < 0 ? rc : tree_open(view, out_tree, call->failure);
}

static int restore_paths(struct restore *restore, struct tree *from,
			 struct tree *to)
{
	struct tree_restored one;
	size_t i;
	int rc = 0;

	for (i = 0; i < restore->path_count && rc == 0; i++) {
		rc = tree_restore(from, to, restore->paths[i], &one);
		restore->sum.created += one.created;
		restore->sum.changed += one.changed;
		restore->sum.removed += one.removed;
		restore->sum.written_bytes += one.written_bytes;
		if (rc < 0)
			return fail(restore, rc, restore->paths[i]);
	}
	return rc;
}

static int run_beside(struct restore *restore)
{
	struct tree *from, *to;
	int rc = open_snapshot(restore, &from);

	if (rc < 0)
		return rc;
	rc = open_head(restore, &to);
	if (rc == 0) {
		rc = restore_paths(restore, from, to);
		tree_close(to);
	}
	tree_close(from);
	return rc;
}

/* What the operation log says: the paths, as far as there is room. */
static void name_paths(const struct restore *restore, char *note,
		       size_t note_bytes)
{
	size_t used = 0, i;

	note[0] = '\0';
	for (i = 0; i < restore->path_count; i++) {
		size_t len_bytes = strlen(restore->paths[i]);

		if (used + len_bytes + 5 > note_bytes) {
			memcpy(note + used, " ...", 5);
			return;
		}
		if (i > 0)
			note[used++] = ' ';
		memcpy(note + used, restore->paths[i], len_bytes + 1);
		used += len_bytes;
	}
}

static bool is_changed(const struct tree_restored *sum)
{
	return sum->created || sum->changed || sum->removed;
}

/* Between what is open on a mounted head and what will be. */
static int run_restore(struct restore *restore)
{
	struct call *call = restore->call;
	char note[STORE_NOTE_BYTES_MAX + 1];
	int rc = history_begin_work(call->store, restore->branch.name,
				    &call->actor, &restore->work,
				    call->failure);

	if (rc < 0)
		return rc;
	rc = run_beside(restore);
	name_paths(restore, note, sizeof(note));
	if (rc == 0 && is_changed(&restore->sum))
		rc = history_adopt_work(call->store, restore->branch.name,
					&restore->work, restore->from.name,
					note, &call->actor, &restore->result,
					call->failure);
	history_drop_work(call->store, &restore->work);
	return rc;
}

static int check_paths(struct restore *restore)
{
	struct tree_node *node;
	struct tree_attr attr;
	struct tree *from;
	size_t i;
	int rc = open_snapshot(restore, &from);

	if (rc < 0)
		return rc;
	for (i = 0; i < restore->path_count && rc == 0; i++) {
		rc = tree_find_path(from, restore->paths[i], &node, &attr);
		if (rc == 0)
			tree_node_put(node, 1);
		else
			rc = fail(restore, rc == -ENOTDIR ? -ENOENT : rc,
				  restore->paths[i]);
	}
	tree_close(from);
	return rc;
}

static int move_and_restore(struct restore *restore)
{
	struct call *call = restore->call;
	int rc = check_paths(restore);

	if (rc == 0)
		rc = call_before_move(call, restore->branch.name,
				      call_flag(call, "live"));
	if (rc == -EBUSY)
		failure_hint(call->failure,
			     "close it, or use --live: what is open then "
			     "answers with I/O errors; or copy from "
			     "MOUNTPOINT/.snapshots");
	if (rc < 0)
		return rc;
	if (!call->dry_run)
		rc = run_restore(restore);
	call_moved(call, restore->branch.name);
	return rc;
}

static int put_result(struct restore *restore)
{
	const struct tree_restored *sum = &restore->sum;
	struct call *call = restore->call;
	bool dry = call->dry_run;
	int rc = call_put(call, "branch", json_text(restore->branch.name));

	if (rc == 0)
		rc = call_put(call, "from", json_text(restore->from.name));
	if (rc == 0)
		rc = call_put(call, "created",
			      dry ? json_null() : json_size(sum->created));
	if (rc == 0)
		rc = call_put(call, "changed",
			      dry ? json_null() : json_size(sum->changed));
	if (rc == 0)
		rc = call_put(call, "removed",
			      dry ? json_null() : json_size(sum->removed));
	if (rc == 0)
		rc = call_put(call, "written_bytes",
			      dry ? json_null() :
				    json_size(sum->written_bytes));
	if (rc == 0)
		rc = call_put(call, "kept_as",
			      restore->result.kept ?
				      json_text(restore->result.kept_as.name) :
				      json_null());
	if (rc == 0)
		rc = call_put(call, "operation",
			      operation_id_json(restore->result.operation_id));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int restore_method(struct call *call)
{
	AUTO_FREE struct restore *restore = calloc(1, sizeof(*restore));
	size_t i;
	int rc = restore ? 0 : -ENOMEM;

	if (rc == 0 && !store_is_tree(call->store)) {
		failure_set(call->failure, FAILURE_USAGE, NULL,
			    "the store is over an image: it knows of no paths");
		failure_hint(call->failure, "cowd rollback, or copy from a "
					    "mount of the snapshot");
		return -EINVAL;
	}
	if (rc < 0)
		return rc;
	restore->call = call;
	rc = read_paths(restore);
	if (rc == 0)
		rc = find_sides(restore);
	if (rc == 0)
		rc = move_and_restore(restore);
	if (rc == 0)
		rc = put_result(restore);
	for (i = 0; i < restore->path_count; i++)
		free(restore->paths[i]);
	free(restore->paths);
	return rc;
}

const struct method methods_restore[] = {
	{ "restore", "from_branch:s snapshot:S branch:s paths:a live:b",
	  restore_method },
	{ .name = NULL },
};
