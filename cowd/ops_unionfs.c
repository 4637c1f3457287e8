/*
 * Method unionfs.import: what unionfs-fuse hid, by files .unionfs/PATH_HIDDEN~
 * in the branch that it wrote to, is removed here as well; and those files are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "ops_impl.h"
#include "tree_path.h"

#define FOLDER ".unionfs"
#define SUFFIX "_HIDDEN~"

struct import {
	struct tree *tree;
	uint64_t removed;
};

/* What has gone already need not be removed. */
static int hide(struct import *import, const char *directory, const char *name)
{
	AUTO_FREE char *hidden = strndup(name, strlen(name) - strlen(SUFFIX));
	struct tree_node *parent;
	struct tree_attr attr;
	int rc = hidden ? tree_find_path(import->tree, directory, &parent,
					 &attr) :
			  -ENOMEM;

	if (rc == 0) {
		rc = tree_remove_all(parent, hidden, &import->removed);
		tree_node_put(parent, 1);
	}
	return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
}

static bool is_whiteout(const char *name)
{
	size_t len_bytes = strlen(name), suffix_bytes = strlen(SUFFIX);

	return len_bytes > suffix_bytes &&
	       strcmp(name + len_bytes - suffix_bytes, SUFFIX) == 0;
}

/* directory: of the tree, as the folder mirrors it. */
static int import_folder(struct import *import, struct tree_node *folder,
			 const char *directory)
{
	struct tree_listing *listing = NULL;
	struct tree_node *below;
	struct tree_attr attr;
	size_t i;
	int rc = tree_list(folder, &listing);

	for (i = 0; rc == 0 && i < listing->count; i++) {
		const char *name = listing->entries[i].name;
		char *path = NULL;

		if (is_whiteout(name)) {
			rc = hide(import, directory, name);
			continue;
		}
		rc = tree_lookup(folder, name, &below, &attr);
		if (rc < 0)
			break;
		if (S_ISDIR(attr.mode)) {
			rc = asprintf(&path, "%s/%s", directory, name) < 0 ?
				     -ENOMEM :
				     import_folder(import, below, path);
			free(path);
		}
		tree_node_put(below, 1);
	}
	tree_listing_free(listing);
	return rc;
}

static int import_all(struct import *import)
{
	struct tree_node *root = tree_root(import->tree), *folder;
	struct tree_attr attr;
	uint64_t own = 0;
	int rc = tree_lookup(root, FOLDER, &folder, &attr);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (S_ISDIR(attr.mode))
		rc = import_folder(import, folder, "");
	tree_node_put(folder, 1);
	if (rc == 0 && S_ISDIR(attr.mode))
		rc = tree_remove_all(root, FOLDER, &own);
	return rc;
}

static int run_import(struct call *call, const char *branch,
		      struct import *import)
{
	struct view *view;
	int rc = view_open_branch(call->store, branch, &view, call->failure);

	if (rc == 0)
		rc = tree_open(view, &import->tree, call->failure);
	if (rc < 0)
		return rc;
	rc = import_all(import);
	tree_close(import->tree);
	if (rc == 0)
		rc = store_sync(call->store);
	return rc < 0 ? failure_errno(call->failure, rc, FOLDER,
				      "can't import it") :
			0;
}

static int unionfs_import(struct call *call)
{
	struct import import = { .removed = 0 };
	struct branch_info branch;
	int rc = call_branch(call, &branch);

	if (rc == 0)
		rc = call_before_move(call, branch.name, false);
	if (rc < 0)
		return rc;
	if (!call->dry_run)
		rc = run_import(call, branch.name, &import);
	call_moved(call, branch.name);
	if (rc == 0)
		rc = call_put(call, "removed", json_size(import.removed));
	return rc < 0 ? rc : call_put_dry_run(call);
}

const struct method methods_unionfs[] = {
	{ "unionfs.import", "branch:s", unionfs_import },
	{ .name = NULL },
};
