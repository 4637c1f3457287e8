/* What views show: files by the hashes of their blocks, trees by names. */
#include "fuzz_known.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "fuzz_assert.h"

static size_t block_count(uint64_t size_bytes)
{
	return (size_t)((size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);
}

/* Below 0: an error. */
static int hash_block(struct file *file, uint64_t nr, uint64_t *out_sum)
{
	uint8_t block[BLOCK_BYTES];
	size_t len_bytes;
	int rc = file_read(file, nr * BLOCK_BYTES, block, sizeof(block),
			   &len_bytes);

	if (rc == 0)
		*out_sum = XXH3_64bits(block, len_bytes) + len_bytes;
	return rc;
}

void known_image_learn(struct known_image *known, struct file *file)
{
	struct file_info info;
	size_t i;

	file_get_info(file, &info);
	known->size_bytes = info.size_bytes;
	known->sums =
		calloc(block_count(info.size_bytes) + 1, sizeof(*known->sums));
	FUZZ_ASSERT(known->sums);
	for (i = 0; i < block_count(info.size_bytes); i++)
		FUZZ_ASSERT(hash_block(file, i, &known->sums[i]) == 0);
}

void known_image_compare(const struct known_image *known, struct file *file)
{
	struct file_info info;
	uint64_t sum;
	size_t i;

	file_get_info(file, &info);
	FUZZ_ASSERT(info.size_bytes == known->size_bytes);
	for (i = 0; i < block_count(known->size_bytes); i++)
		FUZZ_ASSERT(hash_block(file, i, &sum) < 0 ||
			    sum == known->sums[i]);
}

static void learn_children(struct known_node *known, struct tree_node *node)
{
	struct tree_listing *listing;
	struct tree_node *child;
	struct tree_attr attr;
	size_t i;

	FUZZ_ASSERT(tree_list(node, &listing) == 0);
	known->child_count = listing->count;
	known->children = calloc(listing->count + 1, sizeof(*known));
	FUZZ_ASSERT(known->children);
	for (i = 0; i < listing->count; i++) {
		FUZZ_ASSERT(tree_lookup(node, listing->entries[i].name, &child,
					&attr) == 0);
		known_node_learn(&known->children[i], child,
				 listing->entries[i].name);
		tree_node_put(child, 1);
	}
	tree_listing_free(listing);
}

void known_node_learn(struct known_node *known, struct tree_node *node,
		      const char *name)
{
	struct file *file;
	size_t len_bytes;

	snprintf(known->name, sizeof(known->name), "%s", name);
	FUZZ_ASSERT(tree_get_attr(node, &known->attr) == 0);
	if (tree_get_xattr(node, "user.key", known->value,
			   sizeof(known->value) - 1, &len_bytes) < 0)
		known->value[0] = '\0';
	if (S_ISLNK(known->attr.mode))
		FUZZ_ASSERT(tree_readlink(node, known->target,
					  sizeof(known->target)) == 0);
	if (S_ISDIR(known->attr.mode))
		learn_children(known, node);
	if (S_ISREG(known->attr.mode)) {
		FUZZ_ASSERT(tree_file_open(node, false, &file) == 0);
		known_image_learn(&known->data, file);
		tree_file_close(node);
	}
}

static const struct known_node *find(const struct known_node *known,
				     const char *name)
{
	size_t i;

	for (i = 0; i < known->child_count; i++)
		if (strcmp(known->children[i].name, name) == 0)
			return &known->children[i];
	return NULL;
}

static void compare_children(const struct known_node *known,
			     struct tree_node *node)
{
	struct tree_listing *listing;
	struct tree_node *child;
	struct tree_attr attr;
	size_t i;
	int rc;

	if (tree_list(node, &listing) < 0)
		return;
	FUZZ_ASSERT(listing->count == known->child_count);
	for (i = 0; i < listing->count; i++) {
		const char *name = listing->entries[i].name;

		FUZZ_ASSERT(find(known, name));
		rc = tree_lookup(node, name, &child, &attr);
		FUZZ_ASSERT(rc != -ENOENT);
		if (rc < 0)
			continue;
		known_node_compare(find(known, name), child);
		tree_node_put(child, 1);
	}
	tree_listing_free(listing);
}

static void compare_attr(const struct tree_attr *known,
			 const struct tree_attr *attr)
{
	FUZZ_ASSERT(attr->mode == known->mode && attr->uid == known->uid &&
		    attr->gid == known->gid && attr->nlink == known->nlink &&
		    attr->size_bytes == known->size_bytes &&
		    attr->inode == known->inode &&
		    attr->mtime_ns == known->mtime_ns);
}

void known_node_compare(const struct known_node *known, struct tree_node *node)
{
	struct tree_attr attr;
	struct file *file;
	char text[64] = "";
	size_t len_bytes;
	int rc = tree_get_attr(node, &attr);

	if (rc < 0)
		return;
	compare_attr(&known->attr, &attr);
	rc = tree_get_xattr(node, "user.key", text, sizeof(text) - 1,
			    &len_bytes);
	FUZZ_ASSERT(rc != -ENODATA || !known->value[0]);
	FUZZ_ASSERT(rc < 0 || strcmp(text, known->value) == 0);
	if (S_ISLNK(attr.mode))
		FUZZ_ASSERT(tree_readlink(node, text, sizeof(text)) < 0 ||
			    strcmp(text, known->target) == 0);
	if (S_ISDIR(attr.mode))
		compare_children(known, node);
	if (S_ISREG(attr.mode) && tree_file_open(node, false, &file) == 0) {
		known_image_compare(&known->data, file);
		tree_file_close(node);
	}
}

static void learn_view(struct store *store, bool is_tree,
		       struct known_view *known)
{
	struct view *view;
	struct tree *tree;

	FUZZ_ASSERT((known->snapshot_id ?
			     view_open_snapshot(store, known->snapshot_id,
						&view, NULL) :
			     view_open_branch(store, known->branch, &view,
					      NULL)) == 0);
	if (!is_tree) {
		known_image_learn(&known->image, view_image(view));
		view_put(view);
		return;
	}
	FUZZ_ASSERT(tree_open(view, &tree, NULL) == 0);
	known_node_learn(&known->root, tree_root(tree), "");
	tree_close(tree);
}

void known_views_learn(struct known_views *known, struct fuzz_store *made,
		       bool is_tree)
{
	struct snapshot_info *snapshots;
	struct branch_info *branches;
	struct store *store;
	size_t count, i;

	fuzz_store_new(made, is_tree);
	fuzz_store_put_back(made);
	known->is_tree = is_tree;
	FUZZ_ASSERT(store_open(made->path, NULL, &store, NULL) == 0);
	FUZZ_ASSERT(history_branches(store, true, &branches, &count) == 0);
	for (i = 0; i < count && known->count < KNOWN_VIEWS_MAX; i++)
		snprintf(known->view[known->count++].branch, 32, "%.31s",
			 branches[i].name);
	free(branches);
	FUZZ_ASSERT(history_snapshots(store, NULL, true, &snapshots, &count,
				      NULL) == 0);
	for (i = 0; i < count && known->count < KNOWN_VIEWS_MAX; i++)
		known->view[known->count++].snapshot_id = snapshots[i].id;
	free(snapshots);
	FUZZ_ASSERT(known->count > 2);
	for (i = 0; i < known->count; i++)
		learn_view(store, is_tree, &known->view[i]);
	store_abandon(store);
}

void known_views_compare(const struct known_views *known, struct store *store)
{
	size_t i;

	for (i = 0; i < known->count; i++) {
		const struct known_view *view_known = &known->view[i];
		uint32_t id = view_known->snapshot_id;
		struct failure failure = { 0 };
		struct view *view;
		struct tree *tree;
		int rc = id ? view_open_snapshot(store, id, &view, &failure) :
			      view_open_branch(store, view_known->branch, &view,
					       &failure);

		FUZZ_ASSERT(failure.code != FAILURE_NOT_FOUND);
		if (rc < 0)
			continue;
		if (!known->is_tree) {
			known_image_compare(&view_known->image,
					    view_image(view));
			view_put(view);
		} else if (tree_open(view, &tree, NULL) == 0) {
			known_node_compare(&view_known->root, tree_root(tree));
			tree_close(tree);
		}
	}
}
