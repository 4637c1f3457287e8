/* Facts about what a store shows, and what became of them. */
#include "judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "file.h"
#include "history.h"
#include "store_layers.h"
#include "tree.h"

#include "fuzz_assert.h"

enum { BLOCKS_MAX = 4096, DEPTH_MAX = 32, NODES_MAX = 2000 };

static uint64_t hash(uint64_t seed, const char *kind, const char *name)
{
	seed = XXH3_64bits_withSeed(kind, strlen(kind), seed);
	return XXH3_64bits_withSeed(name, strlen(name), seed);
}

static uint64_t add(struct facts *facts, uint64_t parent, const char *kind,
		    const char *name, int error, uint64_t value)
{
	struct fact *fact;

	if (facts->count == facts->capacity) {
		facts->capacity = facts->capacity ? facts->capacity * 2 : 1024;
		facts->list =
			realloc(facts->list, facts->capacity * sizeof(*fact));
		FUZZ_ASSERT(facts->list);
	}
	fact = &facts->list[facts->count++];
	*fact = (struct fact){ .key = hash(parent, kind, name),
			       .parent = parent,
			       .error = error < 0 ? error : 0,
			       .value = error < 0 ? 0 : value };
	snprintf(fact->text, sizeof(fact->text), "%s %s", kind, name);
	return fact->key;
}

static void learn_data(struct facts *facts, uint64_t parent, struct file *file)
{
	uint8_t block[BLOCK_BYTES];
	struct file_info info;
	size_t len_bytes = 0;
	uint64_t nr;
	char name[32];
	int rc;

	file_get_info(file, &info);
	add(facts, parent, "size", "", 0, info.size_bytes);
	for (nr = 0; nr < BLOCKS_MAX && nr * BLOCK_BYTES < info.size_bytes;
	     nr++) {
		rc = file_read(file, nr * BLOCK_BYTES, block, sizeof(block),
			       &len_bytes);
		snprintf(name, sizeof(name), "%llu", (unsigned long long)nr);
		add(facts, parent, "block", name, rc,
		    rc < 0 ? 0 : XXH3_64bits(block, len_bytes));
	}
}

static void learn_node(struct facts *facts, uint64_t key,
		       struct tree_node *node, unsigned depth);

static void learn_children(struct facts *facts, uint64_t parent,
			   struct tree_node *node, unsigned depth)
{
	struct tree_listing *listing;
	struct tree_node *child;
	struct tree_attr attr;
	uint64_t key;
	size_t i;
	int rc = tree_list(node, &listing);

	parent = add(facts, parent, "list", "", rc, 1);
	if (rc < 0)
		return;
	for (i = 0; i < listing->count && facts->count < 100000; i++) {
		rc = tree_lookup(node, listing->entries[i].name, &child, &attr);
		key = add(facts, parent, "name", listing->entries[i].name, rc,
			  1);
		if (rc < 0)
			continue;
		learn_node(facts, key, child, depth + 1);
		tree_node_put(child, 1);
	}
	tree_listing_free(listing);
}

static void learn_node(struct facts *facts, uint64_t key,
		       struct tree_node *node, unsigned depth)
{
	struct tree_attr attr;
	struct file *file;
	char target[256] = "", value[64] = "", sum[160];
	size_t len_bytes = 0;
	int rc = tree_get_attr(node, &attr);

	if (rc == 0)
		snprintf(sum, sizeof(sum), "%o %u %u %llu %llu %lld", attr.mode,
			 attr.uid, attr.gid,
			 (unsigned long long)attr.size_bytes,
			 (unsigned long long)attr.inode,
			 (long long)attr.mtime_ns);
	key = add(facts, key, "node", "", rc,
		  rc < 0 ? 0 : XXH3_64bits(sum, strlen(sum)));
	if (rc < 0 || depth > DEPTH_MAX)
		return;
	rc = tree_get_xattr(node, "user.key", value, sizeof(value) - 1,
			    &len_bytes);
	if (rc == -ENODATA)
		rc = 0;
	add(facts, key, "xattr", "", rc, XXH3_64bits(value, strlen(value)));
	if (S_ISLNK(attr.mode)) {
		rc = tree_readlink(node, target, sizeof(target));
		add(facts, key, "target", "", rc,
		    XXH3_64bits(target, strlen(target)));
	} else if (S_ISDIR(attr.mode)) {
		learn_children(facts, key, node, depth);
	} else if (S_ISREG(attr.mode)) {
		rc = tree_file_open(node, false, &file);
		key = add(facts, key, "open", "", rc, 1);
		if (rc < 0)
			return;
		learn_data(facts, key, file);
		tree_file_close(node);
	}
}

static void learn_view(struct facts *facts, struct store *store,
		       const char *kind, const char *name, uint32_t snapshot_id)
{
	struct view *view;
	struct tree *tree;
	uint64_t key;
	int rc = snapshot_id ?
			 view_open_snapshot(store, snapshot_id, &view, NULL) :
			 view_open_branch(store, name, &view, NULL);

	key = add(facts, 0, kind, name, rc, 1);
	if (rc < 0)
		return;
	if (!store_is_tree(store)) {
		learn_data(facts, key, view_image(view));
		view_put(view);
		return;
	}
	rc = tree_open(view, &tree, NULL);
	key = add(facts, key, "tree", "", rc, 1);
	if (rc < 0)
		return;
	learn_node(facts, key, tree_root(tree), 0);
	tree_close(tree);
}

static int by_key(const void *a, const void *b)
{
	const struct fact *left = a, *right = b;

	return left->key < right->key ? -1 : left->key > right->key;
}

static void learn(struct facts *facts, struct store *store)
{
	struct snapshot_info *snapshots;
	struct branch_info *branches;
	size_t count, i;

	if (history_branches(store, false, &branches, &count) == 0) {
		for (i = 0; i < count; i++)
			learn_view(facts, store, "branch", branches[i].name, 0);
		free(branches);
	}
	if (history_snapshots(store, NULL, false, &snapshots, &count, NULL) ==
	    0) {
		for (i = 0; i < count; i++)
			learn_view(facts, store, "snapshot", snapshots[i].name,
				   snapshots[i].id);
		free(snapshots);
	}
}

struct failure facts_failure;

int facts_learn(const char *path, struct facts *out_facts)
{
	struct store *store;
	int rc;

	memset(out_facts, 0, sizeof(*out_facts));
	memset(&facts_failure, 0, sizeof(facts_failure));
	rc = store_open(path, NULL, &store, &facts_failure);
	if (rc < 0)
		return rc;
	learn(out_facts, store);
	store_abandon(store);
	qsort(out_facts->list, out_facts->count, sizeof(out_facts->list[0]),
	      by_key);
	return 0;
}

void facts_free(struct facts *facts)
{
	free(facts->list);
	*facts = (struct facts){ .list = NULL };
}

static const struct fact *find(const struct facts *facts, uint64_t key)
{
	const struct fact wanted = { .key = key };

	return facts->count ? bsearch(&wanted, facts->list, facts->count,
				      sizeof(wanted), by_key) :
			      NULL;
}

/* Something above it can't be read, or is missing and told already. */
static bool is_explained(const struct facts *seen, const struct fact *fact)
{
	const struct fact *parent;

	if (!fact->parent)
		return false;
	parent = find(seen, fact->parent);
	return !parent || parent->error < 0;
}

static void tell(struct verdict *verdict, const char *what,
		 const struct fact *fact)
{
	snprintf(verdict->text, sizeof(verdict->text), "%s: %s", what,
		 fact->text);
}

void facts_compare(const struct facts *truth, const struct facts *seen,
		   struct verdict *out_verdict)
{
	struct verdict *v = out_verdict;
	const struct fact *other;
	size_t i;

	memset(v, 0, sizeof(*v));
	for (i = 0; i < truth->count; i++) {
		other = find(seen, truth->list[i].key);
		if (other && other->error == 0 &&
		    other->value == truth->list[i].value) {
			v->right++;
		} else if (other && other->error == 0) {
			if (!v->wrong++)
				tell(v, "wrong", &truth->list[i]);
		} else if (other || is_explained(seen, &truth->list[i])) {
			v->errors++;
		} else {
			if (!v->missing++ && !v->wrong)
				tell(v, "missing", &truth->list[i]);
		}
	}
	for (i = 0; i < seen->count; i++)
		if (!find(truth, seen->list[i].key) &&
		    (!seen->list[i].parent ||
		     find(truth, seen->list[i].parent)) &&
		    !v->wrong++)
			tell(v, "never was", &seen->list[i]);
}

static bool is_right(const struct facts *facts, const struct fact *truth)
{
	const struct fact *fact = find(facts, truth->key);

	return fact && fact->error == 0 && fact->value == truth->value;
}

size_t facts_lost(const struct facts *truth, const struct facts *before,
		  const struct facts *after, char text[160])
{
	size_t i, lost = 0;

	for (i = 0; i < truth->count; i++)
		if (is_right(before, &truth->list[i]) &&
		    !is_right(after, &truth->list[i]) && !lost++)
			snprintf(text, 160, "lost: %s", truth->list[i].text);
	return lost;
}
