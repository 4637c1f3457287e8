/*
 * Objects of base that a tree still needs, in a layer that it does not see any
 * more: a file that was changed in part is read from its own layer whatever
 * the stack is. Such a layer is opened as a stack of its own, when it is
 * needed.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store_layers.h"
#include "tree_impl.h"

struct lone_layer {
	uint32_t id;
	struct base_node *root;
	struct lone_layer *next;
};

static struct base_node *find_root(struct tree *tree, uint32_t id)
	REQUIRES(tree->nodes_lock)
{
	struct lone_layer *lone = tree->lone_layers;

	while (lone && lone->id != id)
		lone = lone->next;
	return lone ? base_node_get(lone->root) : NULL;
}

/* Who comes second takes what the first has made. */
static int keep_root(struct tree *tree, uint32_t id, struct base_node **root)
{
	struct lone_layer *lone = malloc(sizeof(*lone));
	struct base_node *other;

	if (!lone)
		return -ENOMEM;
	mutex_lock(&tree->nodes_lock);
	other = find_root(tree, id);
	if (!other) {
		*lone = (struct lone_layer){ id, base_node_get(*root),
					     tree->lone_layers };
		tree->lone_layers = lone;
	}
	mutex_unlock(&tree->nodes_lock);
	if (other) {
		free(lone);
		base_node_put(*root);
		*root = other;
	}
	return 0;
}

/* -ESTALE: it is missing, or another directory. */
static int open_root(struct tree *tree, uint32_t id,
		     struct base_node **out_root)
{
	struct layers *layers;
	struct base_stat stat;
	int rc;

	mutex_lock(&tree->nodes_lock);
	*out_root = find_root(tree, id);
	mutex_unlock(&tree->nodes_lock);
	if (*out_root)
		return 0;
	if (store_open_layer(view_store(tree->view), id, tree->layers, &layers,
			     NULL) < 0)
		return -ESTALE;
	rc = base_root(layers, out_root, &stat);
	layers_put(layers);
	if (rc < 0)
		return rc;
	rc = keep_root(tree, id, out_root);
	if (rc < 0)
		base_node_put(*out_root);
	return rc;
}

/* What is where place is, below another root. */
static int same_place(struct base_node *place, struct base_node *root,
		      struct base_node **out_node)
{
	struct base_node *parent = base_node_parent(place), *above = NULL;
	struct base_stat stat;
	int rc;

	if (!parent) {
		*out_node = base_node_get(root);
		return 0;
	}
	rc = same_place(parent, root, &above);
	if (rc == 0)
		rc = base_lookup(above, base_node_name(place), out_node, &stat);
	if (rc == 0 && !S_ISDIR(stat.stat.st_mode)) {
		base_node_put(*out_node);
		rc = -ENOTDIR;
	}
	if (rc == 0)
		base_node_set_number(*out_node, base_node_number(place));
	base_node_put(above);
	return rc;
}

int lone_layer_find(struct tree *tree, struct base_node *place, uint32_t id,
		    struct base_node **out_node)
{
	struct base_node *root = NULL;
	int rc = open_root(tree, id, &root);

	if (rc == 0)
		rc = same_place(place, root, out_node);
	base_node_put(root);
	return rc;
}

void lone_layers_free(struct tree *tree)
{
	struct lone_layer *lone;

	while ((lone = tree->lone_layers)) {
		tree->lone_layers = lone->next;
		base_node_put(lone->root);
		free(lone);
	}
}
