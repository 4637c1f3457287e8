/*
 * What a directory holds: base's names, with what items say of them on top.
 *
 * Entries are in the order of a hash of their names, which is their cookie:
 * so a reader goes on in a later listing where it was in this one, whatever
 * was made or removed in between.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "tree_impl.h"

enum { FIRST_COOKIE = 3 };

struct entry {
	uint64_t cookie, inode;
	uint32_t kind;
	uint32_t rank; /* of two of one name the higher counts */
	char *name;
};

struct collector {
	struct entry *entries;
	size_t count, capacity;
	uint32_t rank;
};

static int add(struct collector *all, const char *name, size_t name_bytes,
	       uint64_t inode, uint32_t kind)
{
	struct entry *entry;

	if (all->count == all->capacity) {
		size_t capacity = all->capacity ? all->capacity * 2 : 64;
		struct entry *entries =
			reallocarray(all->entries, capacity, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		all->entries = entries;
		all->capacity = capacity;
	}
	entry = &all->entries[all->count];
	entry->name = strndup(name, name_bytes);
	if (!entry->name)
		return -ENOMEM;
	entry->cookie = XXH3_64bits(name, name_bytes) >> 1;
	if (entry->cookie < FIRST_COOKIE)
		entry->cookie = FIRST_COOKIE;
	entry->inode = inode;
	entry->kind = kind;
	entry->rank = all->rank;
	all->count++;
	return 0;
}

static int add_below(void *context, const char *name, uint64_t inode,
		     uint32_t kind)
{
	return add(context, name, strlen(name), inode, kind);
}

static int add_item(void *context, const struct item_key *key,
		    const void *payload, size_t payload_bytes)
{
	struct dirent_item dirent;
	int rc = dirent_item_decode(payload, payload_bytes, &dirent);

	return rc < 0 ? rc :
			add(context, key->name, key->name_bytes, dirent.inode,
			    dirent.kind);
}

static int compare(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;
	int order;

	if (a->cookie != b->cookie)
		return a->cookie < b->cookie ? -1 : 1;
	order = strcmp(a->name, b->name);
	return order ? order : (a->rank < b->rank) - (a->rank > b->rank);
}

/* Of each name the entry that counts, unless it is a whiteout; and each with
 * a cookie of its own. */
static void settle(struct collector *all)
{
	const char *last = NULL;
	size_t i, kept = 0;

	if (all->count > 0)
		qsort(all->entries, all->count, sizeof(*all->entries), compare);
	for (i = 0; i < all->count; i++) {
		struct entry *entry = &all->entries[i];

		if (last && strcmp(last, entry->name) == 0) {
			free(entry->name);
			continue;
		}
		last = entry->name;
		if (kept > 0 && entry->cookie <= all->entries[kept - 1].cookie)
			entry->cookie = all->entries[kept - 1].cookie + 1;
		/* Whiteouts stay until the end: last points to them. */
		all->entries[kept++] = *entry;
	}
	all->count = kept;
	for (i = 0, kept = 0; i < all->count; i++) {
		if (all->entries[i].inode != 0)
			all->entries[kept++] = all->entries[i];
		else
			free(all->entries[i].name);
	}
	all->count = kept;
}

static void collector_fini(struct collector *all)
{
	size_t i;

	for (i = 0; i < all->count; i++)
		free(all->entries[i].name);
	free(all->entries);
}

/* Those that others hash to as well are told as a look-up tells them. */
static int settle_numbers(struct tree_node *node, struct collector *all)
{
	size_t i;
	int rc = 0;

	if (!atomic_load(&node->tree->shares_numbers))
		return 0;
	for (i = 0; rc == 0 && i < all->count; i++) {
		struct entry *entry = &all->entries[i];
		struct base_node *base;
		struct base_stat stat;

		if (!base_number_is_hash(entry->inode))
			continue;
		rc = base_lookup(node->base, entry->name, &base, &stat);
		if (rc == 0) {
			rc = object_number(node->tree, base, &stat);
			entry->inode = stat.inode;
			base_node_put(base);
		}
		rc = rc == -ENOENT ? 0 : rc;
	}
	return rc;
}

/* names_lock is held. */
static int collect(struct tree_node *node, struct collector *all)
{
	struct inode_item item;
	int rc = 0;

	if (node->kind != S_IFDIR >> MODE_KIND_SHIFT)
		return -ENOTDIR;
	if (node->remembered)
		return 0;
	if (atomic_load(&node->stored) == STORED_UNKNOWN)
		rc = node_load(node, &item);
	if (rc == 0 && node->base)
		rc = base_list(node->base, add_below, all);
	if (rc == 0 && node->base)
		rc = settle_numbers(node, all);
	all->rank = 1;
	if (rc == 0 && atomic_load(&node->stored) != STORED_NO)
		rc = view_items_scan(node->tree->view, node->inode,
				     ITEM_TYPE_DIRENT, add_item, all);
	if (rc == 0)
		settle(all);
	return rc;
}

int node_check_empty(struct tree_node *node)
{
	struct collector all = { 0 };
	int rc = collect(node, &all);

	if (rc == 0 && all.count > 0)
		rc = -ENOTEMPTY;
	collector_fini(&all);
	return rc;
}

int tree_list(struct tree_node *node, struct tree_listing **out_listing)
{
	struct tree *tree = node->tree;
	struct collector all = { 0 };
	struct tree_listing *listing = calloc(1, sizeof(*listing));
	size_t i;
	int rc;

	if (!listing)
		return -ENOMEM;
	pthread_rwlock_rdlock(&tree->names_lock);
	rc = collect(node, &all);
	pthread_rwlock_unlock(&tree->names_lock);
	if (rc == 0)
		listing->entries =
			calloc(all.count + 1, sizeof(*listing->entries));
	if (rc == 0 && !listing->entries)
		rc = -ENOMEM;
	if (rc < 0) {
		collector_fini(&all);
		free(listing);
		return rc;
	}
	for (i = 0; i < all.count; i++)
		listing->entries[i] = (struct tree_entry){
			.cookie = all.entries[i].cookie,
			.inode = all.entries[i].inode,
			.kind = all.entries[i].kind,
			.name = all.entries[i].name,
		};
	listing->count = all.count;
	free(all.entries); /* the names are the listing's */
	*out_listing = listing;
	return 0;
}

void tree_listing_free(struct tree_listing *listing)
{
	size_t i;

	if (!listing)
		return;
	for (i = 0; i < listing->count; i++)
		free((char *)(uintptr_t)listing->entries[i].name);
	free(listing->entries);
	free(listing);
}

size_t tree_listing_after(const struct tree_listing *listing, uint64_t cookie)
{
	size_t low = 0, high = listing->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (listing->entries[middle].cookie <= cookie)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
