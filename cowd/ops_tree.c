/*
 * Method tree: base, snapshots and branch heads, each below what it
 * continues from.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops_impl.h"
#include "store_layers.h"

struct tree {
	struct listing listing;
	json_t **nodes; /* of the snapshots, borrowed from the tree */
	json_t *root;
};

static json_t *node(const char *kind, const char *name)
{
	return json_pack("{s:s, s:o, s:[]}", "kind", kind, "name",
			 json_text(name), "children");
}

static json_t *snapshot_node(const struct tree *tree,
			     const struct snapshot_info *info)
{
	json_t *value = node("snapshot", info->name);

	json_object_set_new(value, "id", json_id(info->id));
	json_object_set_new(value, "branch", json_text_or_null(info->branch));
	json_object_set_new(value, "created", json_time(info->created_ns));
	json_object_set_new(value, "refer_bytes", json_size(info->refer_bytes));
	json_object_set_new(value, "unique_bytes",
			    unique_json(&tree->listing, false, info->id));
	json_object_set_new(value, "held", json_boolean(info->hold_count > 0));
	json_object_set_new(value, "note", json_text_or_null(info->note));
	return value;
}

static json_t *branch_node(const struct tree *tree,
			   const struct branch_info *info)
{
	json_t *value = node("branch", info->name);

	json_object_set_new(value, "id", json_id(info->id));
	json_object_set_new(value, "branch", json_text(info->name));
	json_object_set_new(value, "created", json_null());
	json_object_set_new(value, "refer_bytes", json_size(info->refer_bytes));
	json_object_set_new(value, "unique_bytes",
			    unique_json(&tree->listing, true, info->id));
	json_object_set_new(value, "held", json_false());
	json_object_set_new(value, "note", json_null());
	return value;
}

static json_t *children_of(const struct tree *tree, uint32_t snapshot_id)
{
	size_t i;

	for (i = 0; snapshot_id && i < tree->listing.snapshot_count; i++)
		if (tree->listing.snapshots[i].id == snapshot_id)
			return json_object_get(tree->nodes[i], "children");
	return json_object_get(tree->root, "children");
}

static uint32_t id_of_name(const struct tree *tree, const char *name)
{
	size_t i;

	for (i = 0; i < tree->listing.snapshot_count; i++)
		if (strcmp(tree->listing.snapshots[i].name, name) == 0)
			return tree->listing.snapshots[i].id;
	return 0;
}

/* "rollback BRANCH to @NAME, kept @..." of this branch: NAME. */
static bool rolled_back_to(const struct operation_info *operation,
			   const char *branch, char *name, size_t name_bytes)
{
	char prefix[STORE_NAME_BYTES_MAX + 32];
	size_t len_bytes = (size_t)snprintf(prefix, sizeof(prefix),
					    "rollback %s to @", branch);

	if (operation->kind != OPERATION_ROLLBACK ||
	    strncmp(operation->text, prefix, len_bytes) != 0)
		return false;
	snprintf(name, name_bytes, "%.*s",
		 (int)strcspn(operation->text + len_bytes, ", "),
		 operation->text + len_bytes);
	return true;
}

/*
 * What a head continues from: its newest snapshot, the one of a later
 * rollback, or where the branch began.
 */
static uint32_t head_parent(const struct tree *tree,
			    const struct branch_info *branch,
			    const struct operation_info *operations,
			    size_t operation_count)
{
	uint32_t parent = branch->parent_snapshot_id;
	int64_t newest_ns = INT64_MIN;
	char name[STORE_NAME_BYTES_MAX + 1];
	size_t i;

	for (i = 0; i < tree->listing.snapshot_count; i++) {
		const struct snapshot_info *info = &tree->listing.snapshots[i];

		if (info->branch_id != branch->id ||
		    info->kind == SNAPSHOT_KIND_ROLLBACK)
			continue;
		parent = info->id;
		newest_ns = info->created_ns;
	}
	for (i = 0; i < operation_count; i++) {
		if (operations[i].time_ns < newest_ns)
			break;
		if (!rolled_back_to(&operations[i], branch->name, name,
				    sizeof(name)))
			continue;
		return id_of_name(tree, name) ? id_of_name(tree, name) : parent;
	}
	return parent;
}

static int build(struct call *call, struct tree *tree)
{
	AUTO_FREE struct operation_info *operations = NULL;
	struct listing *l = &tree->listing;
	size_t operation_count, i;
	int rc = history_operations(call->store, 1000, &operations,
				    &operation_count);

	if (rc < 0)
		return failure_errno(call->failure, rc, NULL,
				     "can't read the log");
	/* Parents first need all nodes; each is given away to its parent. */
	for (i = 0; i < l->snapshot_count; i++)
		tree->nodes[i] = snapshot_node(tree, &l->snapshots[i]);
	for (i = 0; i < l->snapshot_count; i++)
		json_array_append_new(children_of(tree,
						  l->snapshots[i].parent_id),
				      tree->nodes[i]);
	for (i = 0; i < l->branch_count; i++)
		json_array_append_new(
			children_of(tree,
				    head_parent(tree, &l->branches[i],
						operations, operation_count)),
			branch_node(tree, &l->branches[i]));
	return 0;
}

/* "site + debian" of a tree, else the image's name. */
static void base_name(struct call *call, const struct store_status *status,
		      char *name, size_t name_bytes)
{
	const char *slash = strrchr(status->base_path, '/');
	size_t count = 0, used = 0, i;
	const struct base_row *rows = store_layer_rows(call->store, &count);

	for (i = 0; i < count && used < name_bytes; i++)
		used += (size_t)snprintf(name + used, name_bytes - used, "%s%s",
					 i ? " + " : "", rows[i].name);
	if (count == 0)
		snprintf(name, name_bytes, "%.255s",
			 !status->base_path[0] ? "zeros" :
			 slash		       ? slash + 1 :
						 status->base_path);
}

static json_t *root_node(struct call *call)
{
	AUTO_FREE struct store_status *status = calloc(1, sizeof(*status));
	char name[STORE_NAME_BYTES_MAX + 1];
	json_t *root;

	if (!status)
		return NULL;
	store_status(call->store, status);
	base_name(call, status, name, sizeof(name));
	root = node("base", name);
	json_object_set_new(root, "id", json_null());
	json_object_set_new(root, "branch", json_null());
	json_object_set_new(root, "created", json_null());
	json_object_set_new(root, "refer_bytes",
			    store_is_tree(call->store) ?
				    json_null() :
				    json_size(status->base_size_bytes));
	json_object_set_new(root, "unique_bytes", json_null());
	json_object_set_new(root, "held", json_false());
	json_object_set_new(root, "note", json_null());
	return root;
}

static int tree_of_store(struct call *call)
{
	struct tree tree = { .root = NULL };
	int rc = listing_load(call, NULL, false, true, &tree.listing);

	if (rc < 0)
		return rc;
	tree.root = root_node(call);
	tree.nodes = calloc(tree.listing.snapshot_count + 1, sizeof(json_t *));
	rc = tree.root && tree.nodes ? build(call, &tree) : -ENOMEM;
	if (rc == 0)
		rc = call_put(call, "tree", json_incref(tree.root));
	json_decref(tree.root);
	free(tree.nodes);
	listing_free(&tree.listing);
	return rc;
}

const struct method methods_tree[] = {
	{ "tree", "", tree_of_store },
	{ .name = NULL },
};
