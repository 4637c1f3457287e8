/* A tree: opening and closing the directory view of a head or snapshot. */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store_layers.h"
#include "tree_impl.h"
#include "view_rows.h"

struct view *tree_view(struct tree *tree)
{
	return tree->view;
}

void tree_follow_base(struct tree *tree)
{
	tree->follow = true;
}

struct tree_node *tree_root(struct tree *tree)
{
	return tree->root;
}

static int open_root(struct tree *tree)
{
	struct base_node *base = NULL;
	struct base_stat stat;
	int rc = base_root(tree->layers, &base, &stat);

	return rc < 0 ? rc :
			node_open(tree, ROOT_INODE, S_IFDIR >> MODE_KIND_SHIFT,
				  base, &tree->root);
}

static void tree_free(struct tree *tree)
{
	if (tree->root)
		tree_node_put(tree->root, tree->root->references);
	lone_layers_free(tree);
	layers_put(tree->layers);
	pthread_rwlock_destroy(&tree->names_lock);
	mutex_fini(&tree->nodes_lock);
	view_put(tree->view);
	free(tree);
}

static void init_locks(struct tree *tree)
{
	pthread_rwlockattr_t attributes;

	pthread_rwlockattr_init(&attributes);
	/* Else who only looks could keep a change out for ever. */
	pthread_rwlockattr_setkind_np(
		&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&tree->names_lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	mutex_init(&tree->nodes_lock);
}

/* layers: NULL: those of the view, else taken over. */
static int open_tree(struct view *view, struct layers *layers, bool to_change,
		     struct tree **out_tree, struct failure *failure)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	int rc = 0;

	if (!tree) {
		layers_put(layers);
		view_put(view);
		return failure_errno(failure, -ENOMEM, NULL,
				     "can't open the tree");
	}
	tree->view = view;
	tree->layers = layers;
	init_locks(tree);
	if (!layers)
		rc = view_open_layers(view, &tree->layers, failure);
	if (rc == 0) {
		rc = open_root(tree);
		if (rc == 0 && to_change && view_is_head(view))
			rc = tree_delete_orphans(tree);
		if (rc == -EROFS || rc == -ENOSPC)
			rc = 0; /* another time */
		if (rc < 0)
			failure_errno(failure, rc, NULL,
				      "can't read the tree's root");
	}
	if (rc < 0) {
		tree_free(tree);
		return rc;
	}
	*out_tree = tree;
	return 0;
}

int tree_open(struct view *view, struct tree **out_tree,
	      struct failure *failure)
{
	return open_tree(view, NULL, true, out_tree, failure);
}

int tree_open_reader(struct view *view, struct tree **out_tree,
		     struct failure *failure)
{
	return open_tree(view, NULL, false, out_tree, failure);
}

int tree_open_base(struct tree *tree, struct tree **out_tree,
		   struct failure *failure)
{
	struct view *view;
	int rc = view_open_base(view_store(tree->view), &view, failure);

	return rc < 0 ? rc :
			open_tree(view, layers_get(tree->layers), false,
				  out_tree, failure);
}

void tree_close(struct tree *tree)
{
	struct tree_node *node, *next;

	/* The kernel does not always say that it has forgotten. */
	HASH_ITER(hh, tree->nodes, node, next)
	{
		if (node == tree->root)
			continue;
		while (node->open_count > 0)
			tree_file_close(node);
		tree_node_put(node, node->references);
	}
	tree_free(tree);
}

void tree_abandon(struct tree *tree)
{
	struct tree_node *node, *next;

	HASH_ITER(hh, tree->nodes, node, next)
	{
		HASH_DEL(tree->nodes, node);
		node_free(node);
	}
	layers_put(tree->layers);
	pthread_rwlock_destroy(&tree->names_lock);
	mutex_fini(&tree->nodes_lock);
	free(tree);
}

int tree_statfs(struct tree *tree, struct tree_statfs *out_statfs)
{
	/* No number of inodes is too many; tools want to see one. */
	const uint64_t files = UINT64_C(1) << 32;
	struct store_room room;
	int rc = store_room(view_store(tree->view), &room);

	if (rc < 0)
		return rc;
	*out_statfs = (struct tree_statfs){
		.block_bytes = BLOCK_BYTES,
		.blocks = room.total_bytes / BLOCK_BYTES,
		.free_blocks = room.free_bytes / BLOCK_BYTES,
		.available_blocks = room.free_bytes / BLOCK_BYTES,
		.files = files,
		.free_files = files,
	};
	return 0;
}
