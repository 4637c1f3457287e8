/*
 * From numbers to names: nothing in a store leads from an inode to the names
 * it has, so that a name costs one item. A directory is found by climbing; the
 * names of all else by looking at the whole tree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"
#include "tree_path.h"

/* A directory that is yet to be looked at. */
struct waiting {
	struct tree_node *node;
	char *path; /* "" for the root */
	struct waiting *next;
};

struct walk {
	struct waiting *waiting;
	tree_name_visit *visit;
	void *context;
};

/* Takes over the node, also when it fails. */
static int add(struct walk *walk, struct tree_node *node, const char *path)
{
	struct waiting *one = malloc(sizeof(*one));

	if (one)
		one->path = strdup(path);
	if (!one || !one->path) {
		free(one);
		tree_node_put(node, 1);
		return -ENOMEM;
	}
	one->node = node;
	one->next = walk->waiting;
	walk->waiting = one;
	return 0;
}

static struct waiting *take(struct walk *walk)
{
	struct waiting *first = walk->waiting;

	walk->waiting = first->next;
	return first;
}

static void drop(struct waiting *one)
{
	tree_node_put(one->node, 1);
	free(one->path);
	free(one);
}

static char *join(const char *directory, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s", directory, *directory ? "/" : "",
			name) < 0 ?
		       NULL :
		       path;
}

static int visit_entry(struct walk *walk, const struct waiting *directory,
		       const struct tree_entry *entry)
{
	char *path = join(directory->path, entry->name);
	struct tree_node *node;
	struct tree_attr attr;
	int rc = path ? walk->visit(walk->context, path, entry->inode,
				    entry->kind) :
			-ENOMEM;

	if (rc == 0 && entry->kind == S_IFDIR >> MODE_KIND_SHIFT) {
		rc = tree_lookup(directory->node, entry->name, &node, &attr);
		if (rc == 0)
			rc = add(walk, node, path);
		else if (rc == -ENOENT) /* gone meanwhile */
			rc = 0;
	}
	free(path);
	return rc;
}

static int visit_directory(struct walk *walk, const struct waiting *directory)
{
	struct tree_listing *listing = NULL;
	size_t i;
	int rc = tree_list(directory->node, &listing);

	for (i = 0; rc == 0 && i < listing->count; i++)
		rc = visit_entry(walk, directory, &listing->entries[i]);
	tree_listing_free(listing);
	return rc == -ENOTDIR ? 0 : rc; /* replaced meanwhile */
}

int tree_walk_names(struct tree *tree, tree_name_visit *visit, void *context)
{
	struct walk walk = { .visit = visit, .context = context };
	int rc = add(&walk, tree_node_get(tree_root(tree)), "");

	while (rc == 0 && walk.waiting) {
		struct waiting *directory = take(&walk);

		rc = visit_directory(&walk, directory);
		drop(directory);
	}
	while (walk.waiting)
		drop(take(&walk));
	return rc < 0 ? rc : 0;
}

/* The name that a directory has in its parent; of malloc. */
static int name_in(struct tree_node *parent, uint64_t inode, char **out_name)
{
	struct tree_listing *listing;
	size_t i;
	int rc = tree_list(parent, &listing);

	if (rc < 0)
		return rc;
	*out_name = NULL;
	for (i = 0; i < listing->count && !*out_name; i++)
		if (listing->entries[i].inode == inode)
			*out_name = strdup(listing->entries[i].name);
	tree_listing_free(listing);
	return *out_name ? 0 : -ENOENT;
}

/* A step up: *path becomes one from the parent. */
static int climb(struct tree_node **node, char **path)
{
	struct tree_node *parent;
	struct tree_attr attr;
	char *name = NULL, *longer = NULL;
	int rc = tree_parent(*node, &parent, &attr);

	if (rc < 0)
		return rc;
	rc = name_in(parent, (*node)->inode, &name);
	if (rc == 0) {
		longer = **path ? join(name, *path) : strdup(name);
		rc = longer ? 0 : -ENOMEM;
	}
	free(name);
	tree_node_put(*node, 1);
	*node = parent;
	if (rc == 0) {
		free(*path);
		*path = longer;
	}
	return rc;
}

int tree_directory_path(struct tree_node *directory, char **out_path)
{
	struct tree_node *node = tree_node_get(directory);
	char *path = strdup("");
	unsigned depth = 0;
	int rc = path ? 0 : -ENOMEM;

	while (rc == 0 && node->inode != ROOT_INODE)
		rc = ++depth > DEPTH_MAX ? -EUCLEAN : climb(&node, &path);
	tree_node_put(node, 1);
	if (rc < 0)
		free(path);
	else
		*out_path = path;
	return rc;
}
