/* The state of a store that a call names: a branch's head, or a snapshot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "ops_impl.h"
#include "store_layers.h"
#include "tree.h"

int call_open_view(struct call *call, const char *branch, uint32_t snapshot_id,
		   struct view **out_view)
{
	return snapshot_id ? view_open_snapshot(call->store, snapshot_id,
						out_view, call->failure) :
			     view_open_branch(call->store, branch, out_view,
					      call->failure);
}

int call_open_state(struct call *call, struct call_state *out_state)
{
	bool is_snapshot = call_text(call, "snapshot");
	int rc;

	memset(out_state, 0, sizeof(*out_state));
	if (is_snapshot)
		rc = call_snapshot(call, &out_state->snapshot);
	else
		rc = call_branch(call, &out_state->branch);
	if (rc == 0 && !is_snapshot)
		rc = call_flush(call, out_state->branch.name);
	if (rc < 0)
		return rc;
	return call_open_view(call, out_state->branch.name,
			      out_state->snapshot.id, &out_state->view);
}

int call_put_state(struct call *call, const struct call_state *state)
{
	const char *branch = state->snapshot.id ? state->snapshot.branch :
						  state->branch.name;
	int rc = call_put(call, "branch", json_text_or_null(branch));

	return rc < 0 ? rc :
			call_put(call, "snapshot",
				 json_text_or_null(state->snapshot.name));
}

int call_open_tree(struct call *call, struct tree **out_tree)
{
	AUTO_FREE struct call_state *state = malloc(sizeof(*state));
	int rc;

	if (!store_is_tree(call->store))
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "the store is over an image: it knows of no "
				   "paths");
	rc = state ? call_open_state(call, state) : -ENOMEM;
	return rc < 0 ? rc :
			tree_open_reader(state->view, out_tree, call->failure);
}
