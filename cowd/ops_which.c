/* Method which: the layer or the store that serves a path of a tree. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops_impl.h"
#include "path_text.h"
#include "store_layers.h"
#include "tree_path.h"

static json_t *layer_of(struct call *call, uint32_t id)
{
	size_t count, i;
	const struct base_row *rows = store_layer_rows(call->store, &count);

	for (i = 0; i < count; i++)
		if (rows[i].layer == id)
			return json_pack("{s:i, s:o, s:o}", "id", (int)id,
					 "name", json_text(rows[i].name),
					 "path",
					 json_text(rows[i].fingerprint.path));
	return json_null();
}

static json_t *which_json(struct call *call, const char *path,
			  const struct tree_attr *attr,
			  const struct tree_source *source)
{
	const char *by =
		!source->layer	? "delta" :
		!source->stored ? "layer" :
		S_ISREG(attr->mode) && !source->layer_data &&
				(source->stored_data || attr->size_bytes == 0) ?
				  "delta" :
				  "both";

	return json_pack(
		"{s:o, s:s, s:o, s:o, s:I, s:o, s:b, s:b}", "path",
		path_json(path), "served_by", by, "layer",
		layer_of(call, source->layer), "layer_path",
		source->layer ? path_json(source->layer_path) : json_null(),
		"inode", (json_int_t)attr->inode, "size_bytes",
		S_ISREG(attr->mode) ? json_size(attr->size_bytes) : json_null(),
		"stored", source->stored, "stored_data",
		source->stored && source->stored_data);
}

static int which_path(struct call *call, struct tree *tree, const char *text,
		      json_t *list)
{
	AUTO_FREE struct tree_source *source = malloc(sizeof(*source));
	AUTO_FREE char *path = path_of_json(text);
	struct tree_node *node;
	struct tree_attr attr;
	int rc = source && path ? tree_find_path(tree, path, &node, &attr) :
				  -ENOMEM;

	if (rc == 0) {
		rc = tree_which(node, source);
		tree_node_put(node, 1);
	}
	if (rc == -ENOENT || rc == -ENOTDIR)
		return failure_set(call->failure, FAILURE_NOT_FOUND, text,
				   "there is no such path");
	if (rc < 0)
		return failure_errno(call->failure, rc, text, "can't look");
	return json_array_append_new(list, which_json(call, path, &attr,
						      source)) < 0 ?
		       -ENOMEM :
		       0;
}

static int which(struct call *call)
{
	const json_t *paths = json_object_get(call->params, "paths");
	json_t *list = json_array();
	struct tree *tree;
	size_t i;
	int rc = call_open_tree(call, &tree);

	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	for (i = 0; i < json_array_size(paths) && rc == 0; i++)
		rc = which_path(call, tree,
				json_string_value(json_array_get(paths, i)),
				list);
	tree_close(tree);
	if (rc == 0)
		return call_put(call, "paths", list);
	json_decref(list);
	return rc;
}

const struct method methods_which[] = {
	{ "which", "branch:s snapshot:s paths:a", which },
	{ .name = NULL },
};
