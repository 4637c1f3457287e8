/*
 * Where directories are in a tree, by their numbers.
 *
 * A directory with an item tells its parent; its name is in the parent's
 * items, else the one that base gave it. One without an item has never been
 * moved in this view: it is where base has it, if it is there at all. Each
 * step is confirmed by a look-up of the name, from the root down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_diff_impl.h"

/* On the way up from a directory to one that is known. */
struct climb {
	struct {
		struct place *place;
		uint64_t parent;
	} * steps;
	size_t count, capacity;
};

int place_get(struct diff_side *side, uint64_t inode, struct place **out_place)
{
	struct place *place;

	HASH_FIND(hh, side->places, &inode, sizeof(inode), place);
	if (!place) {
		place = calloc(1, sizeof(*place));
		if (!place)
			return -ENOMEM;
		place->inode = inode;
		if (inode == ROOT_INODE) {
			place->state = PLACE_THERE;
			place->node = side->tree->root;
		}
		HASH_ADD(hh, side->places, inode, sizeof(place->inode), place);
		if (!place->hh.tbl) {
			free(place);
			return -ENOMEM;
		}
	}
	*out_place = place;
	return 0;
}

static int set_name(struct place *place, const char *name, size_t name_bytes)
{
	char *copy = strndup(name, name_bytes);

	if (!copy)
		return -ENOMEM;
	free(place->name);
	place->name = copy;
	return 0;
}

int place_found(struct diff_side *side, struct place *parent, const char *name,
		struct tree_node *node, struct place **out_place)
{
	int rc = place_get(side, node->inode, out_place);
	struct place *place = *out_place;

	if (rc < 0 || place->state == PLACE_THERE)
		return rc;
	rc = set_name(place, name, strlen(name));
	if (rc < 0)
		return rc;
	place->parent = parent;
	if (!place->node) /* it may have been looked for before */
		place->node = tree_node_get(node);
	place->state = PLACE_THERE;
	return 0;
}

void places_fini(struct diff_side *side)
{
	struct place *place, *next;

	HASH_ITER(hh, side->places, place, next)
	{
		HASH_DEL(side->places, place);
		if (place->node && place->node != side->tree->root)
			tree_node_put(place->node, 1);
		free(place->name);
		free(place);
	}
	free(side->moved.list);
	memset(&side->moved, 0, sizeof(side->moved));
}

char *place_path(const struct place *directory, const char *name)
{
	size_t len_bytes = strlen(name);
	const struct place *place;
	char *path, *at;

	for (place = directory; place->parent; place = place->parent)
		len_bytes += strlen(place->name) + 1;
	path = malloc(len_bytes + 1);
	if (!path)
		return NULL;
	at = path + len_bytes;
	*at = '\0';
	at -= strlen(name);
	memcpy(at, name, strlen(name));
	for (place = directory; place->parent; place = place->parent) {
		*--at = '/';
		at -= strlen(place->name);
		memcpy(at, place->name, strlen(place->name));
	}
	return path;
}

/* --- finding one --- */

/* The node, without asking whether it is there. -ENOENT: it can't be. */
static int open_node(struct diff_side *side, uint64_t inode,
		     struct tree_node **out_node)
{
	struct base_node *base = NULL;
	struct place *place;
	int rc = node_open(side->tree, inode, KIND_DIRECTORY, NULL, out_node);

	if (rc != -ESTALE)
		return rc;
	/* No origin was noted: it never moved, in any view. */
	HASH_FIND(hh, side->other->places, &inode, sizeof(inode), place);
	if (side->same_layers && place && place->node && place->node->base)
		base = base_node_get(place->node->base);
	return base ? node_open(side->tree, inode, KIND_DIRECTORY, base,
				out_node) :
		      -ENOENT;
}

struct wanted {
	struct place *place;
	bool found;
};

static int see_name(void *context, const struct item_key *key,
		    const void *payload, size_t payload_bytes)
{
	struct wanted *wanted = context;
	struct dirent_item dirent;
	int rc = dirent_item_decode(payload, payload_bytes, &dirent);

	if (rc < 0 || dirent.inode != wanted->place->inode)
		return rc;
	rc = set_name(wanted->place, key->name, key->name_bytes);
	wanted->found = rc == 0;
	return rc < 0 ? rc : -EEXIST; /* enough */
}

static int origin_of(struct tree *tree, uint64_t inode,
		     struct item_copy **out_copy, struct origin_item *origin)
{
	const struct item_key key = { .inode = inode,
				      .type = ITEM_TYPE_ORIGIN };
	int rc = view_item_get(tree->view, &key, out_copy);

	return rc < 0 ? rc :
			origin_item_decode((*out_copy)->payload,
					   (*out_copy)->payload_bytes, origin);
}

/* The name that base gave it. */
static int name_of_base(struct diff_side *side, struct place *place,
			uint64_t *out_parent)
{
	struct item_copy *copy = NULL;
	struct origin_item origin;
	int rc = origin_of(side->tree, place->inode, &copy, &origin);

	if (rc == 0) {
		*out_parent = origin.parent;
		rc = set_name(place, origin.name, origin.name_bytes);
	} else if (rc == -ENOENT && place->node->base) {
		const char *name = base_node_name(place->node->base);

		rc = node_parent(place->node, out_parent, NULL);
		if (rc == 0)
			rc = set_name(place, name, strlen(name));
	}
	free(copy);
	return rc;
}

/* Its parent and name, yet to be confirmed. -ENOENT. */
static int locate(struct diff_side *side, struct place *place,
		  uint64_t *out_parent)
{
	struct wanted wanted = { place, false };
	struct inode_item item;
	uint64_t parent;
	int rc = open_node(side, place->inode, &place->node);

	if (rc < 0)
		return rc;
	rc = view_inode_get(side->tree->view, place->inode, &item);
	if (rc == -ENOENT)
		return place->inode < INODE_NEW_END ?
			       -ENOENT :
			       name_of_base(side, place, out_parent);
	if (rc == 0 && (item.nlink == 0 || !S_ISDIR(item.mode)))
		rc = -ENOENT;
	if (rc < 0)
		return rc;
	*out_parent = item.parent;
	rc = view_items_scan(side->tree->view, item.parent, ITEM_TYPE_DIRENT,
			     see_name, &wanted);
	if (wanted.found || (rc < 0 && rc != -EEXIST))
		return wanted.found ? 0 : rc;
	rc = name_of_base(side, place, &parent);
	return rc == 0 && parent != item.parent ? -ENOENT : rc;
}

static int push(struct climb *climb, struct place *place)
{
	if (climb->count == climb->capacity) {
		size_t capacity = climb->capacity ? climb->capacity * 2 : 16;
		void *steps = reallocarray(climb->steps, capacity,
					   sizeof(*climb->steps));

		if (!steps)
			return -ENOMEM;
		climb->steps = steps;
		climb->capacity = capacity;
	}
	climb->steps[climb->count].place = place;
	climb->steps[climb->count++].parent = 0;
	place->state = PLACE_PENDING;
	return 0;
}

static int climb_up(struct diff_side *side, struct climb *climb,
		    struct place **place)
{
	int rc = 0;

	while (rc == 0 && (*place)->state == PLACE_UNKNOWN) {
		uint64_t *parent;

		rc = push(climb, *place);
		if (rc < 0)
			return rc;
		parent = &climb->steps[climb->count - 1].parent;
		rc = locate(side, *place, parent);
		if (rc == -ENOENT || rc == -ESTALE) {
			(*place)->state = PLACE_GONE;
			climb->count--;
			return 0;
		}
		if (rc == 0)
			rc = place_get(side, *parent, place);
	}
	return rc;
}

/* Does the directory show this name for it? */
static int confirm(struct place *parent, struct place *place)
{
	struct found_name found;
	int rc;

	place->state = PLACE_GONE;
	if (parent->state != PLACE_THERE)
		return 0;
	rc = find_name(parent->node, place->name, &found);
	if (rc == 0 && found.inode == place->inode) {
		place->parent = parent;
		place->state = PLACE_THERE;
	}
	found_fini(&found);
	return rc == -ENOENT || rc == -ESTALE ? 0 : rc;
}

int place_find(struct diff_side *side, uint64_t inode, struct place **out_place)
{
	struct climb climb = { 0 };
	struct place *place;
	int rc = place_get(side, inode, out_place);

	place = *out_place;
	if (rc == 0)
		rc = climb_up(side, &climb, &place);
	/* One that is pending is its own ancestor: damage. */
	while (rc == 0 && climb.count > 0) {
		struct place *below = climb.steps[--climb.count].place;

		rc = confirm(place, below);
		place = below;
	}
	free(climb.steps);
	return rc;
}

/* --- what is in them --- */

int place_list(struct place *directory, place_visit *visit, void *context)
{
	struct tree_listing *listing;
	size_t i;
	int rc = tree_list(directory->node, &listing);

	if (rc < 0)
		return rc;
	for (i = 0; i < listing->count && rc == 0; i++) {
		const struct tree_entry *entry = &listing->entries[i];

		rc = visit(context, directory, entry->name, entry->inode,
			   entry->kind);
	}
	tree_listing_free(listing);
	return rc;
}

int places_add(struct places *places, struct place *place)
{
	if (places->count == places->capacity) {
		size_t capacity = places->capacity ? places->capacity * 2 : 64;
		void *list = reallocarray(places->list, capacity,
					  sizeof(*places->list));

		if (!list)
			return -ENOMEM;
		places->list = list;
		places->capacity = capacity;
	}
	places->list[places->count++] = place;
	return 0;
}

struct walk {
	struct diff_side *side;
	struct places waiting;
	place_visit *visit;
	void *context;
};

static int walk_name(void *context, struct place *directory, const char *name,
		     uint64_t inode, uint32_t kind)
{
	struct walk *walk = context;
	struct diff_object object;
	struct place *place;
	int rc = walk->visit(walk->context, directory, name, inode, kind);

	if (rc != 0 || kind != KIND_DIRECTORY)
		return rc;
	rc = object_by_name(walk->side, directory, name, &object);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = place_found(walk->side, directory, name, object.node, &place);
	object_fini(&object);
	return rc < 0 ? rc : places_add(&walk->waiting, place);
}

int side_walk(struct diff_side *side, place_visit *visit, void *context)
{
	struct walk walk = { .side = side, .visit = visit, .context = context };
	struct place *root;
	int rc = place_get(side, ROOT_INODE, &root);

	if (rc == 0)
		rc = places_add(&walk.waiting, root);
	while (rc == 0 && walk.waiting.count > 0)
		rc = place_list(walk.waiting.list[--walk.waiting.count],
				walk_name, &walk);
	free(walk.waiting.list);
	return rc;
}
