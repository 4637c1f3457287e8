/*
 * Opens a store whose files were damaged, by accident or on purpose, and does
 * with it what can be done: A12, A13, A14, A15, A16, A17 of the abuse cases.
 *
 * By accident: what is shown is right, or an error. On purpose, with checksums
 * that are right: no crash, no hang, and memory is bounded. The first byte
 * chooses the store, the rest is a script (fuzz_store.h).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "space.h"
#include "tree.h"

#include "fuzz_assert.h"
#include "fuzz_known.h"
#include "fuzz_mutate.h"
#include "fuzz_store.h"

enum { NODES_MAX = 300, DEPTH_MAX = 24, READ_BYTES = 65536 };

static struct fuzz_store stores[2]; /* over an image; over a directory */
static struct known_views views[2];
static const struct actor actor = { .uid = 7 };

/* --- what nobody knows the right answers of --- */

static void use_file(struct file *file, bool is_head)
{
	static uint8_t data[READ_BYTES];
	struct file_info info;
	uint64_t at, found;
	size_t len_bytes;

	file_get_info(file, &info);
	for (at = 0; at < info.size_bytes && at < (4 << 20); at += READ_BYTES)
		(void)!file_read(file, at, data, sizeof(data), &len_bytes);
	if (info.size_bytes > READ_BYTES)
		(void)!file_read(file, info.size_bytes - READ_BYTES / 2, data,
				 sizeof(data), &len_bytes);
	(void)!file_seek(file, 0, true, &found);
	(void)!file_seek(file, 4096, false, &found);
	if (!is_head)
		return;
	(void)!file_write(file, 10000, "written", 7);
	(void)!file_write(file, 1 << 20, data, 3 * BLOCK_BYTES);
	(void)!file_zero(file, 20000, 20000);
}

static void use_names(struct tree_node *node)
{
	char names[512], value[256];
	size_t len_bytes, at;

	if (tree_list_xattr(node, names, sizeof(names), &len_bytes) < 0)
		return;
	for (at = 0; at < len_bytes; at += strlen(names + at) + 1)
		(void)!tree_get_xattr(node, names + at, value, sizeof(value),
				      &len_bytes);
}

static void use_node(struct tree_node *node, bool is_head, unsigned depth,
		     unsigned *left);

static void use_children(struct tree_node *node, bool is_head, unsigned depth,
			 unsigned *left)
{
	struct tree_listing *listing;
	struct tree_node *child;
	struct tree_attr attr;
	size_t i;

	if (tree_parent(node, &child, &attr) == 0)
		tree_node_put(child, 1);
	if (tree_list(node, &listing) < 0)
		return;
	for (i = 0; i<listing->count && * left> 0; i++) {
		if (tree_lookup(node, listing->entries[i].name, &child, &attr) <
		    0)
			continue;
		use_node(child, is_head, depth + 1, left);
		tree_node_put(child, 1);
		if (is_head && i % 2 == 0)
			(void)!(S_ISDIR(attr.mode) ?
					tree_rmdir(node,
						   listing->entries[i].name) :
					tree_unlink(node,
						    listing->entries[i].name));
	}
	tree_listing_free(listing);
}

static void use_node(struct tree_node *node, bool is_head, unsigned depth,
		     unsigned *left)
{
	static const struct tree_caller caller = { .uid = 1, .gid = 2 };
	struct tree_attr attr;
	struct tree_node *made;
	struct file *file;
	char target[4200];

	if (*left == 0 || depth > DEPTH_MAX || tree_get_attr(node, &attr) < 0)
		return;
	--*left;
	use_names(node);
	(void)!tree_readlink(node, target, sizeof(target));
	if (tree_file_open(node, is_head, &file) == 0) {
		use_file(file, is_head);
		tree_file_close(node);
	}
	if (is_head)
		(void)!tree_set_xattr(node, "user.new", "1", 1, 0);
	if (!S_ISDIR(attr.mode))
		return;
	if (is_head && tree_create(node, "made", S_IFREG | 0600, 0, NULL,
				   &caller, &made, &attr) == 0) {
		tree_node_put(made, 1);
		(void)!tree_rename(node, "made", node, "named", 0, &caller);
	}
	use_children(node, is_head, depth, left);
}

static void use_view(struct view *view, bool is_tree, bool is_head)
{
	unsigned left = NODES_MAX;
	struct tree *tree;

	if (!is_tree) {
		use_file(view_image(view), is_head);
		view_put(view);
	} else if (tree_open(view, &tree, NULL) == 0) {
		use_node(tree_root(tree), is_head, 0, &left);
		tree_close(tree);
	}
}

static void use_views(struct store *store, bool is_tree)
{
	struct snapshot_info *snapshots = NULL;
	struct branch_info *branches = NULL;
	struct view *view;
	size_t count, i;

	if (history_snapshots(store, NULL, true, &snapshots, &count, NULL) == 0)
		for (i = 0; i < count; i++)
			if (view_open_snapshot(store, snapshots[i].id, &view,
					       NULL) == 0)
				use_view(view, is_tree, false);
	free(snapshots);
	if (history_branches(store, true, &branches, &count) == 0)
		for (i = 0; i < count; i++)
			if (view_open_branch(store, branches[i].name, &view,
					     NULL) == 0)
				use_view(view, is_tree, true);
	free(branches);
}

static void use_history(struct store *store)
{
	static struct snapshot_info info;
	static struct undo_result undone;
	static struct rollback_result back;
	struct operation_info *operations = NULL;
	size_t count;

	(void)!history_snapshot(store, "main", "newest", "",
				SNAPSHOT_KIND_MANUAL, &actor, &info, NULL);
	if (history_find_snapshot(store, "main", "a", &info, NULL) == 0) {
		(void)!history_rollback(store, "main", info.id, "", &actor,
					&back, NULL);
		(void)!history_delete_snapshot(store, info.id, true, &actor,
					       NULL);
	}
	if (history_operations(store, 100, &operations, &count) == 0 && count)
		(void)!history_undo(store, operations[count - 1].id, false,
				    &actor, &undone, NULL);
	free(operations);
}

static void use_space(struct store *store)
{
	static struct store_status status;
	struct space_unique *list = NULL;
	struct compact_result compact;
	struct space_usage usage;
	struct gc_result gc;
	size_t count;

	(void)!store_checkpoint(store);
	(void)!space_usage(store, &usage, &list, &count, NULL);
	free(list);
	(void)!space_gc(store, 0, false, &actor, NULL, NULL, &gc, NULL);
	(void)!space_compact(store, 50, false, NULL, NULL, &compact, NULL);
	store_status(store, &status);
}

static void use(bool is_tree)
{
	struct store *store;

	if (store_open(stores[is_tree].path, NULL, &store, NULL) < 0)
		return;
	use_views(store, is_tree);
	use_history(store);
	use_space(store);
	(void)!store_close(store);
	if (store_open(stores[is_tree].path, NULL, &store, NULL) == 0)
		store_abandon(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	bool is_tree = len_bytes > 0 && data[0] & 1, by_accident;
	struct store *store;

	if (!stores[is_tree].file_count)
		known_views_learn(&views[is_tree], &stores[is_tree], is_tree);
	if (len_bytes == 0)
		return 0;
	fuzz_store_put_back(&stores[is_tree]);
	by_accident =
		fuzz_store_damage(&stores[is_tree], data + 1, len_bytes - 1);
	if (by_accident &&
	    store_open(stores[is_tree].path, NULL, &store, NULL) == 0) {
		known_views_compare(&views[is_tree], store);
		store_abandon(store);
	}
	use(is_tree);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len_bytes,
			       size_t max_bytes, unsigned seed)
{
	return fuzz_store_mutate(data, len_bytes, max_bytes, seed);
}
