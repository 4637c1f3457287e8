/* Whole paths in a tree, and what serves them. */
#include "tree_path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"

/* The next name of a path into name; 0: there is none. */
static int next_name(const char **path, char name[ITEM_NAME_BYTES_MAX + 1])
{
	size_t len_bytes;

	for (;;) {
		*path += strspn(*path, "/");
		len_bytes = strcspn(*path, "/");
		if (len_bytes == 0)
			return 0;
		if (len_bytes != 1 || **path != '.')
			break;
		*path += 1;
	}
	if (len_bytes > ITEM_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (len_bytes == 2 && strncmp(*path, "..", 2) == 0)
		return -EINVAL;
	memcpy(name, *path, len_bytes);
	name[len_bytes] = '\0';
	*path += len_bytes;
	return 1;
}

int tree_find_path(struct tree *tree, const char *path,
		   struct tree_node **out_node, struct tree_attr *out_attr)
{
	struct tree_node *node = tree_node_get(tree_root(tree)), *child;
	char name[ITEM_NAME_BYTES_MAX + 1];
	int rc = tree_get_attr(node, out_attr), more = 0;

	while (rc == 0 && (more = next_name(&path, name)) > 0) {
		rc = tree_lookup(node, name, &child, out_attr);
		if (rc < 0)
			break;
		tree_node_put(node, 1);
		node = child;
	}
	if (rc == 0)
		rc = more;
	if (rc < 0)
		tree_node_put(node, 1);
	else
		*out_node = node;
	return rc;
}

int tree_which(struct tree_node *node, struct tree_source *out_source)
{
	struct inode_item item;
	bool is_file = node->kind == S_IFREG >> MODE_KIND_SHIFT;
	int rc;

	pthread_rwlock_rdlock(&node->tree->names_lock);
	rc = node_load(node, &item);
	memset(out_source, 0, sizeof(*out_source));
	out_source->stored = atomic_load(&node->stored) == STORED_YES;
	out_source->stored_data = item.data_blocks > 0 || !node->base;
	if (rc == 0 && node->base) {
		out_source->layer = base_node_layer(node->base);
		base_node_path(node->base, out_source->layer_path,
			       sizeof(out_source->layer_path));
		out_source->layer_data = is_file && item.base_visible_bytes > 0;
	}
	pthread_rwlock_unlock(&node->tree->names_lock);
	return rc;
}

int tree_remove_all(struct tree_node *parent, const char *name, uint64_t *count)
{
	struct tree_listing *listing = NULL;
	struct tree_node *node;
	struct tree_attr attr;
	size_t i;
	int rc = tree_lookup(parent, name, &node, &attr);

	if (rc < 0)
		return rc;
	if (S_ISDIR(attr.mode)) {
		rc = tree_list(node, &listing);
		for (i = 0; rc == 0 && i < listing->count; i++)
			rc = tree_remove_all(node, listing->entries[i].name,
					     count);
		tree_listing_free(listing);
		if (rc == 0)
			rc = tree_rmdir(parent, name);
	} else {
		rc = tree_unlink(parent, name);
	}
	tree_node_put(node, 1);
	*count += rc == 0;
	return rc;
}
