/*
 * What differs between two trees.
 *
 * 1. Candidates: names and inodes of the rows that one view sees and the
 *    other does not. A name that is not the same in both goes (from) or
 *    comes (to).
 * 2. A directory of which a name goes, and none comes, was removed: what was
 *    in it are candidates too. The other way round the same.
 * 3. An inode of which a name goes and one comes was renamed. Else what came
 *    where something went took its place. Else it was added or deleted.
 * 4. Inodes that differ are modified, at each name that did not change.
 */
#include "tree_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree_diff_impl.h"
#include "view_rows.h"

int differ_grow(void *list_, size_t count, size_t *capacity, size_t item_bytes)
{
	void **list = list_, *grown;
	size_t more = *capacity ? *capacity * 2 : 64;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*list, more, item_bytes);
	if (!grown)
		return -ENOMEM;
	*list = grown;
	*capacity = more;
	return 0;
}

/* --- 1: candidates --- */

static int add_candidate(struct differ *differ, uint64_t directory,
			 const char *name, size_t name_bytes)
{
	size_t key_bytes = offsetof(struct candidate, key.name) + name_bytes +
			   1 - offsetof(struct candidate, key);
	struct candidate *candidate =
				 calloc(1, offsetof(struct candidate, key) +
						   key_bytes),
			 *known;

	if (!candidate)
		return -ENOMEM;
	candidate->key.directory = directory;
	memcpy(candidate->key.name, name, name_bytes);
	HASH_FIND(hh, differ->by_name, &candidate->key, key_bytes, known);
	if (known) {
		free(candidate);
		return 0;
	}
	HASH_ADD(hh, differ->by_name, key, key_bytes, candidate);
	if (!candidate->hh.tbl) {
		free(candidate);
		return -ENOMEM;
	}
	*differ->waiting_end = candidate;
	differ->waiting_end = &candidate->next;
	return 0;
}

static int add_number(struct numbers *numbers, uint64_t inode, uint64_t window)
{
	const struct inode_window *last;
	int rc;

	if (numbers->count > 0) {
		last = &numbers->list[numbers->count - 1];
		if (last->inode == inode && last->window == window)
			return 0;
	}
	rc = differ_grow(&numbers->list, numbers->count, &numbers->capacity,
			 sizeof(*numbers->list));
	if (rc == 0)
		numbers->list[numbers->count++] =
			(struct inode_window){ inode, window };
	return rc;
}

static int see_item(void *context, const struct item_key *key)
{
	struct differ *differ = context;

	switch (key->type) {
	case ITEM_TYPE_DIRENT:
		return add_candidate(differ, key->inode, key->name,
				     key->name_bytes);
	case ITEM_TYPE_INODE:
	case ITEM_TYPE_XATTR:
		return add_number(&differ->inodes, key->inode, 0);
	case ITEM_TYPE_STACK: /* layers are compared */
	case ITEM_TYPE_ORIGIN:
	case ITEM_TYPE_TARGET: /* never changes */
	case ITEM_TYPE_ORPHAN:
		return 0;
	}
	return 0;
}

static int see_window(void *context, uint64_t inode, uint64_t window)
{
	struct differ *differ = context;
	int rc = add_number(&differ->windows, inode, window);

	return rc < 0 ? rc : add_number(&differ->inodes, inode, 0);
}

static int by_number(const void *a_, const void *b_)
{
	const struct inode_window *a = a_, *b = b_;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return (a->window > b->window) - (a->window < b->window);
}

static void settle_numbers(struct numbers *numbers)
{
	size_t i, kept = 0;

	if (numbers->count > 0)
		qsort(numbers->list, numbers->count, sizeof(*numbers->list),
		      by_number);
	for (i = 0; i < numbers->count; i++)
		if (kept == 0 ||
		    by_number(&numbers->list[kept - 1], &numbers->list[i]) != 0)
			numbers->list[kept++] = numbers->list[i];
	numbers->count = kept;
}

/* --- 2: names that go and come --- */

static int note_name(struct diff_side *side, struct change_names *names,
		     struct place *directory, struct candidate *candidate,
		     const struct diff_object *object)
{
	struct change_name *name;
	int rc = differ_grow(&names->list, names->count, &names->capacity,
			     sizeof(*names->list));

	if (rc < 0)
		return rc;
	name = &names->list[names->count];
	*name = (struct change_name){
		.path = place_path(directory, candidate->key.name),
		.directory = directory,
		.name = candidate->key.name,
		.inode = object->node->inode,
		.kind = object->node->kind,
		.size_bytes = S_ISREG(object->item.mode) ?
				      object->item.size_bytes :
				      0,
		.stored_bytes = object->item.data_blocks * BLOCK_BYTES,
	};
	if (!name->path)
		return -ENOMEM;
	names->count++;
	if (name->kind == KIND_DIRECTORY) {
		struct place *place;

		rc = place_get(side, name->inode, &place);
		if (rc == 0 && !place->moved) {
			place->moved = true;
			rc = places_add(&side->moved, place);
		}
	}
	return rc;
}

/* What the name names in this tree; node NULL: nothing. */
static int look(struct diff_side *side, const struct candidate *candidate,
		struct place **directory, struct diff_object *object)
{
	struct place *place;
	int rc = place_find(side, candidate->key.directory, directory);

	memset(object, 0, sizeof(*object));
	if (rc < 0 || (*directory)->state != PLACE_THERE)
		return rc;
	rc = object_by_name(side, *directory, candidate->key.name, object);
	if (rc == 0 && object->node->kind == KIND_DIRECTORY)
		rc = place_found(side, *directory, candidate->key.name,
				 object->node, &place);
	if (rc == -ENOENT || rc == -ESTALE || rc == -ENOTDIR)
		rc = 0;
	return rc;
}

static int settle_candidate(struct differ *differ, struct candidate *candidate)
{
	struct diff_object from = { 0 }, to = { 0 };
	struct place *a, *b;
	int rc = look(&differ->from, candidate, &a, &from);

	if (rc == 0)
		rc = look(&differ->to, candidate, &b, &to);
	if (rc == 0 &&
	    (!from.node || !to.node || from.node->inode != to.node->inode)) {
		if (from.node)
			rc = note_name(&differ->from, &differ->gone, a,
				       candidate, &from);
		if (rc == 0 && to.node)
			rc = note_name(&differ->to, &differ->come, b, candidate,
				       &to);
	}
	object_fini(&from);
	object_fini(&to);
	return rc;
}

static int see_name(void *context, struct place *directory, const char *name,
		    uint64_t inode, uint32_t kind)
{
	(void)inode;
	(void)kind;
	return add_candidate(context, directory->inode, name, strlen(name));
}

/* What is in directories that only one tree has. */
static int list_moved(struct differ *differ, struct diff_side *side)
{
	int rc = 0;

	while (rc == 0 && side->moved.next < side->moved.count) {
		struct place *place = side->moved.list[side->moved.next++];
		struct place *other;

		rc = place_get(side->other, place->inode, &other);
		if (rc == 0 && !other->moved && place->state == PLACE_THERE)
			rc = place_list(place, see_name, differ);
	}
	return rc;
}

static int settle_names(struct differ *differ)
{
	struct candidate *candidate;
	int rc = 0;

	while (rc == 0 && differ->waiting) {
		while (rc == 0 && (candidate = differ->waiting)) {
			differ->waiting = candidate->next;
			if (!differ->waiting)
				differ->waiting_end = &differ->waiting;
			rc = settle_candidate(differ, candidate);
		}
		if (rc == 0)
			rc = list_moved(differ, &differ->from);
		if (rc == 0)
			rc = list_moved(differ, &differ->to);
	}
	return rc;
}

/* --- entries --- */

int differ_add(struct differ *differ, const struct tree_diff_entry *entry)
{
	struct tree_diff_entry *copy;
	int rc = differ_grow(&differ->entries, differ->entry_count,
			     &differ->entry_capacity, sizeof(*differ->entries));

	if (rc < 0)
		return rc;
	copy = &differ->entries[differ->entry_count];
	*copy = *entry;
	copy->path = strdup(entry->path);
	copy->path_from = entry->path_from ? strdup(entry->path_from) : NULL;
	if (!copy->path || (entry->path_from && !copy->path_from)) {
		free((char *)(uintptr_t)copy->path);
		free((char *)(uintptr_t)copy->path_from);
		return -ENOMEM;
	}
	differ->entry_count++;
	return 0;
}

bool differ_tells(const struct differ *differ, unsigned changes)
{
	return (changes & ~(differ->with_times ? 0U : TREE_DIFF_TIMES)) != 0;
}

static struct diff_windows windows_of(const struct differ *differ,
				      uint64_t inode, uint64_t *numbers)
{
	const struct numbers *all = &differ->windows;
	size_t low = 0, high = all->count, i;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (all->list[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	for (i = low; i < all->count && all->list[i].inode == inode; i++)
		numbers[i - low] = all->list[i].window;
	return (struct diff_windows){ numbers, i - low };
}

int differ_compare(struct differ *differ, const struct diff_object *from,
		   const struct diff_object *to, struct modified *out)
{
	/* No more than all. */
	AUTO_FREE uint64_t *numbers =
		calloc(differ->windows.count + 1, sizeof(*numbers));
	struct diff_windows windows;

	if (!numbers)
		return -ENOMEM;
	windows = windows_of(differ, to->node->inode, numbers);
	*out = (struct modified){
		.inode = to->node->inode,
		.kind = to->node->kind,
		.size_from = S_ISREG(from->item.mode) ? from->item.size_bytes :
							0,
		.size_to = S_ISREG(to->item.mode) ? to->item.size_bytes : 0,
		.parent = to->item.parent,
		.one_name = to->item.nlink == 1,
	};
	return objects_compare(from, to, &windows, &out->changes,
			       &out->stored_bytes);
}

/* --- all of it --- */

static bool same_layers(struct layers *a, struct layers *b)
{
	size_t i;

	if (layers_count(a) != layers_count(b))
		return false;
	for (i = 0; i < layers_count(a); i++)
		if (layers_id(a, i) != layers_id(b, i))
			return false;
	return true;
}

static int find_candidates(struct differ *differ)
{
	const struct view_rows_visitor visitor = { see_item, see_window };
	int rc = view_rows_between(differ->from.tree->view,
				   differ->to.tree->view, &visitor, differ);
	bool same =
		same_layers(differ->from.tree->layers, differ->to.tree->layers);

	differ->from.same_layers = differ->to.same_layers = same;
	if (rc == 0 && !same)
		rc = side_walk(&differ->from, see_name, differ);
	if (rc == 0 && !same)
		rc = side_walk(&differ->to, see_name, differ);
	settle_numbers(&differ->inodes);
	settle_numbers(&differ->windows);
	return rc;
}

static int find_entries(struct differ *differ)
{
	int rc = find_candidates(differ);

	if (rc == 0)
		rc = settle_names(differ);
	if (rc == 0)
		rc = differ_find_renamed(differ);
	if (rc == 0)
		rc = differ_compare_inodes(differ);
	if (rc == 0)
		rc = differ_find_replaced(differ);
	if (rc == 0)
		rc = differ_add_left(differ);
	return rc < 0 ? rc : differ_name_modified(differ);
}

/* What went at a path comes before what came there. */
static int by_entry(const void *a_, const void *b_)
{
	const struct tree_diff_entry *a = a_, *b = b_;
	int order = strcmp(a->path, b->path);

	return order ? order :
		       (b->kind == TREE_DIFF_DELETED) -
			       (a->kind == TREE_DIFF_DELETED);
}

static void differ_fini(struct differ *differ)
{
	struct candidate *candidate, *next_candidate;
	struct modified *modified, *next;
	size_t i;

	for (i = 0; i < differ->entry_count; i++) {
		free((char *)(uintptr_t)differ->entries[i].path);
		free((char *)(uintptr_t)differ->entries[i].path_from);
	}
	free(differ->entries);
	change_names_fini(&differ->gone);
	change_names_fini(&differ->come);
	HASH_ITER(hh, differ->modified, modified, next)
	{
		HASH_DEL(differ->modified, modified);
		free(modified);
	}
	HASH_ITER(hh, differ->by_name, candidate, next_candidate)
	{
		HASH_DEL(differ->by_name, candidate);
		free(candidate);
	}
	free(differ->inodes.list);
	free(differ->windows.list);
	places_fini(&differ->from);
	places_fini(&differ->to);
}

int tree_diff(struct tree *from, struct tree *to, bool with_times,
	      tree_diff_visit *visit, void *context)
{
	struct differ differ = { .with_times = with_times };
	size_t i;
	int rc;

	differ.from.tree = from;
	differ.from.other = &differ.to;
	differ.to.tree = to;
	differ.to.other = &differ.from;
	differ.waiting_end = &differ.waiting;
	rc = find_entries(&differ);
	if (rc == 0 && differ.entry_count > 0)
		qsort(differ.entries, differ.entry_count,
		      sizeof(*differ.entries), by_entry);
	for (i = 0; i < differ.entry_count && rc == 0; i++)
		rc = visit(context, &differ.entries[i]);
	differ_fini(&differ);
	return rc;
}
