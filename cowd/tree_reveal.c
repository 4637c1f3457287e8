/*
 * Removing names as the union mounts of BSD did (union=reveal): what the delta
 * has goes, and what base has is seen again. Nothing of base can be removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tree_front.h"
#include "tree_path.h"
#include "tree_restore.h"

/* The kernel keeps what it knows of an inode that is open or has other names,
 * its size above all. */
static struct front_node *known(struct mount *mount,
				const struct front_node *parent, uint64_t inode)
	REQUIRES(mount->lock)
{
	fuse_ino_t id = (fuse_ino_t)parent->slot->nr << FRONT_SLOT_SHIFT |
			inode;
	struct front_node *node;

	HASH_FIND(hh, mount->tree->nodes, &id, sizeof(id), node);
	return node;
}

static bool is_used(struct mount *mount, const struct front_node *parent,
		    const struct tree_attr *attr)
{
	const struct front_node *node;
	bool is_open;

	mutex_lock(&mount->lock);
	node = known(mount, parent, attr->inode);
	is_open = node && node->opens > 0;
	mutex_unlock(&mount->lock);
	return is_open || attr->nlink > 1;
}

static bool looks_alike(const struct tree_attr *a, const struct tree_attr *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->size_bytes == b->size_bytes && a->mtime_ns == b->mtime_ns;
}

/* -EROFS: it is as base has it. */
static int restore_from(struct tree *base, struct tree *head, const char *path,
			const struct tree_attr *attr)
{
	struct tree_restored counts = { 0 };
	struct tree_node *node;
	struct tree_attr before;
	int rc = tree_find_path(base, path, &node, &before);

	if (rc < 0)
		return rc;
	tree_node_put(node, 1);
	rc = tree_restore(base, head, path, &counts);
	if (rc == 0 && counts.written_bytes == 0 && looks_alike(attr, &before))
		rc = -EROFS;
	return rc;
}

static int restore(struct front_node *parent, const char *name,
		   const struct tree_attr *attr)
{
	struct tree *base, *head = parent->slot->tree;
	char *directory, *path = NULL;
	int rc = tree_directory_path(parent->node, &directory);

	if (rc < 0)
		return rc;
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		path = NULL;
	free(directory);
	rc = path ? tree_open_base(head, &base, NULL) : -ENOMEM;
	if (rc == 0) {
		rc = restore_from(base, head, path, attr);
		tree_close(base);
	}
	free(path);
	return rc;
}

/* The kernel tells the times that it has once more before it forgets it. */
static void note_revealed(struct mount *mount, const struct front_node *parent,
			  uint64_t inode)
{
	struct front_node *node;

	mutex_lock(&mount->lock);
	node = known(mount, parent, inode);
	if (node)
		node->revealed = true;
	mutex_unlock(&mount->lock);
}

/* A file of base that was changed: what was changed is what is removed. */
static int forget_changes(struct mount *mount, struct front_node *parent,
			  const char *name)
{
	AUTO_FREE struct tree_source *source = malloc(sizeof(*source));
	struct tree_node *node;
	struct tree_attr attr;
	int rc = source ? tree_lookup(parent->node, name, &node, &attr) :
			  -ENOMEM;

	if (rc < 0)
		return rc;
	rc = tree_which(node, source);
	tree_node_put(node, 1);
	if (rc < 0)
		return rc;
	if (!S_ISREG(attr.mode) || !source->stored)
		return -EROFS;
	if (is_used(mount, parent, &attr))
		return -EBUSY;
	rc = restore(parent, name, &attr);
	if (rc == 0)
		note_revealed(mount, parent, attr.inode);
	return rc == -ENOENT ? -EROFS : rc; /* its directory was moved */
}

int front_reveal(struct mount *mount, struct front_node *parent,
		 const char *name, bool is_directory)
{
	int rc = tree_reveal(parent->node, name, is_directory);

	return rc == -EROFS && !is_directory ?
		       forget_changes(mount, parent, name) :
		       rc;
}
