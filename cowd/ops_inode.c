/* Methods path and lsof: names of what is known by a number. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "ops_impl.h"
#include "path_text.h"
#include "tree_path.h"

/* --- path --- */

struct wanted {
	uint64_t inode;
	json_t *paths;
};

struct search {
	struct wanted *wanted;
	size_t count;
};

static int note_name(void *context, const char *path, uint64_t inode,
		     uint32_t kind)
{
	const struct search *search = context;
	size_t i;

	(void)kind;
	for (i = 0; i < search->count; i++)
		if (search->wanted[i].inode == inode)
			json_array_append_new(search->wanted[i].paths,
					      path_json(path));
	return 0;
}

static int take_inode(struct call *call, const char *text,
		      struct wanted *wanted)
{
	char *end;

	errno = 0;
	wanted->inode = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return failure_set(call->failure, FAILURE_USAGE, text,
				   "is no inode number");
	wanted->paths = json_array();
	if (wanted->inode == ROOT_INODE)
		json_array_append_new(wanted->paths, json_string(""));
	return 0;
}

static int find_names(struct call *call, const struct search *search)
{
	struct tree *tree;
	int rc = call_open_tree(call, &tree);

	if (rc < 0)
		return rc;
	rc = tree_walk_names(tree, note_name, (void *)(uintptr_t)search);
	tree_close(tree);
	return rc < 0 ? failure_errno(call->failure, rc, NULL,
				      "can't read the tree") :
			0;
}

static int put_names(struct call *call, const struct search *search)
{
	json_t *list = json_array();
	char number[24];
	size_t i;

	for (i = 0; i < search->count; i++) {
		const struct wanted *wanted = &search->wanted[i];

		if (json_array_size(wanted->paths) == 0) {
			json_decref(list);
			snprintf(number, sizeof(number), "%" PRIu64,
				 wanted->inode);
			return failure_set(call->failure, FAILURE_NOT_FOUND,
					   number, "no name leads to it");
		}
		json_array_append_new(list, json_pack("{s:I, s:O}", "inode",
						      (json_int_t)wanted->inode,
						      "paths", wanted->paths));
	}
	return call_put(call, "inodes", list);
}

static int path(struct call *call)
{
	const json_t *texts = json_object_get(call->params, "inodes");
	struct search search = { .count = json_array_size(texts) };
	size_t i;
	int rc = 0;

	search.wanted = calloc(search.count + 1, sizeof(*search.wanted));
	if (!search.wanted)
		return -ENOMEM;
	for (i = 0; i < search.count && rc == 0; i++)
		rc = take_inode(call,
				json_string_value(json_array_get(texts, i)),
				&search.wanted[i]);
	if (rc == 0)
		rc = find_names(call, &search);
	if (rc == 0)
		rc = put_names(call, &search);
	for (i = 0; i < search.count; i++)
		json_decref(search.wanted[i].paths);
	free(search.wanted);
	return rc;
}

/* --- lsof --- */

/* Handles on one state of the tree. */
struct state {
	json_t *handles;
	const char *branch;
	uint64_t snapshot_id;
};

static bool is_of(const struct state *state, const json_t *handle)
{
	return strcmp(json_text_at(handle, "branch"), state->branch) == 0 &&
	       json_number_at(handle, "snapshot_id") == state->snapshot_id;
}

static int note_handle(void *context, const char *path, uint64_t inode,
		       uint32_t kind)
{
	const struct state *state = context;
	json_t *handle;
	size_t i;

	(void)kind;
	json_array_foreach(state->handles, i, handle)
	{
		if (json_number_at(handle, "inode") == inode &&
		    is_of(state, handle) &&
		    json_is_null(json_object_get(handle, "path")))
			json_object_set_new(handle, "path", path_json(path));
	}
	return 0;
}

static int open_state(struct call *call, const struct state *state,
		      struct tree **out_tree)
{
	struct view *view;
	int rc = state->snapshot_id ?
			 view_open_snapshot(call->store,
					    (uint32_t)state->snapshot_id, &view,
					    call->failure) :
			 view_open_branch(call->store, state->branch, &view,
					  call->failure);

	return rc < 0 ? rc : tree_open_reader(view, out_tree, call->failure);
}

static int name_state(struct call *call, struct state *state)
{
	struct tree *tree;
	json_t *handle;
	size_t i;
	int rc = open_state(call, state, &tree);

	if (rc < 0)
		return rc;
	rc = tree_walk_names(tree, note_handle, state);
	tree_close(tree);
	json_array_foreach(state->handles, i, handle) if (is_of(state, handle))
		json_object_set_new(handle, "looked_at", json_true());
	return rc;
}

static json_t *command_of(uint64_t pid)
{
	char path[64], name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/comm", pid);
	file = fopen(path, "re");
	if (file && !fgets(name, sizeof(name), file))
		name[0] = '\0';
	if (file)
		fclose(file);
	name[strcspn(name, "\n")] = '\0';
	return json_text_or_null(name);
}

/* What only was needed on the way is taken out. */
static void finish(json_t *handles)
{
	json_t *handle;
	size_t i;

	json_array_foreach(handles, i, handle)
	{
		uint64_t id = json_number_at(handle, "snapshot_id");

		json_object_del(handle, "looked_at");
		json_object_del(handle, "snapshot_id");
		json_object_set_new(handle, "snapshot", json_id((uint32_t)id));
		json_object_set_new(handle, "command",
				    command_of(json_number_at(handle, "pid")));
	}
}

static int lsof(struct call *call)
{
	json_t *handles = json_array(), *handle;
	size_t i;
	int rc = 0;

	if (call->mounts)
		mounts_handles(call->mounts, call_text(call, "target"),
			       handles);
	json_array_foreach(handles, i, handle)
		json_object_set_new(handle, "path", json_null());
	json_array_foreach(handles, i, handle)
	{
		struct state state = { handles, json_text_at(handle, "branch"),
				       json_number_at(handle, "snapshot_id") };

		if (rc == 0 && !json_flag_at(handle, "looked_at") &&
		    !json_flag_at(handle, "revoked"))
			rc = name_state(call, &state);
	}
	if (rc < 0) {
		json_decref(handles);
		return rc;
	}
	finish(handles);
	return call_put(call, "handles", handles);
}

const struct method methods_inode[] = {
	{ "path", "branch:s snapshot:s inodes:a", path },
	{ "lsof", "target:s", lsof },
	{ .name = NULL },
};
