/*
 * Places: from what differs, by path (tree_diff).
 *
 * I1: a directory that took the place of something else is whole: nothing of
 *     what was there is to be seen in it.
 * I2: a file with several names is there with all of them, so that they are
 *     links of each other.
 */
#include "layer_places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "scope.h"
#include "tree_diff.h"
#include "tree_path.h"

/* A file of which all names are wanted. */
struct place_links {
	uint64_t inode;
	UT_hash_handle hh;
};

static struct place *find_place(struct layer_places *places, const char *path,
				size_t path_bytes)
{
	struct place *place;

	HASH_FIND(hh, places->list, path, path_bytes, place);
	return place;
}

struct place *layer_places_get(struct layer_places *places, const char *path)
{
	struct place *place = find_place(places, path, strlen(path));

	if (place)
		return place;
	place = calloc(1, sizeof(*place));
	if (place)
		place->path = strdup(path);
	if (!place || !place->path) {
		free(place);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, places->list, place->path, strlen(place->path),
			place);
	return place;
}

enum { GONE = 1, THERE = 2, WHOLE = 4, DATA = 8 };

static int note(struct layer_places *places, const char *path, unsigned what)
{
	struct place *place = layer_places_get(places, path);

	if (!place)
		return -ENOMEM;
	place->gone |= (what & GONE) != 0;
	place->there |= (what & THERE) != 0;
	place->whole |= (what & WHOLE) != 0;
	place->data |= (what & DATA) != 0;
	return 0;
}

static bool was_there(struct layer_places *places, const char *path)
{
	struct tree_node *node;
	struct tree_attr attr;

	if (tree_find_path(places->from, path, &node, &attr) < 0)
		return false;
	tree_node_put(node, 1);
	return true;
}

static int visit(void *context, const struct tree_diff_entry *entry)
{
	struct layer_places *places = context;
	int rc;

	switch (entry->kind) {
	case TREE_DIFF_ADDED:
		return note(places, entry->path, THERE | DATA);
	case TREE_DIFF_MODIFIED:
		return note(places, entry->path,
			    THERE | (entry->changes & TREE_DIFF_DATA ? DATA :
								       0));
	case TREE_DIFF_DELETED:
		return note(places, entry->path, GONE);
	case TREE_DIFF_RENAMED:
		rc = note(places, entry->path_from, GONE);
		return rc < 0 ? rc :
				note(places, entry->path,
				     THERE | WHOLE | DATA |
					     (was_there(places, entry->path) ?
						      GONE :
						      0));
	case TREE_DIFF_TYPE:
		return note(places, entry->path, GONE | THERE | WHOLE | DATA);
	}
	abort();
}

/* --- files with several names --- */

static int note_linked(struct layer_places *places,
		       const struct tree_attr *attr)
{
	struct place_links *links;

	if (S_ISDIR(attr->mode) || attr->nlink < 2)
		return 0;
	HASH_FIND(hh, places->links, &attr->inode, sizeof(attr->inode), links);
	if (links)
		return 0;
	links = calloc(1, sizeof(*links));
	if (!links)
		return -ENOMEM;
	links->inode = attr->inode;
	HASH_ADD(hh, places->links, inode, sizeof(links->inode), links);
	return 0;
}

/* Looks at all that will be written. */
static int prepare(struct layer_places *places, struct tree_node *node,
		   const struct tree_attr *attr, const char *path, bool whole)
{
	struct tree_listing *listing;
	size_t i;
	int rc = places->check ? places->check(places->context, path, attr) : 0;

	if (rc == 0)
		rc = note_linked(places, attr);
	if (rc < 0 || !S_ISDIR(attr->mode) || !whole)
		return rc;
	rc = tree_list(node, &listing);
	if (rc < 0)
		return rc;
	for (i = 0; i < listing->count && rc == 0; i++) {
		const char *name = listing->entries[i].name;
		AUTO_FREE char *below = NULL;
		struct tree_node *child;
		struct tree_attr seen;

		if (asprintf(&below, "%s/%s", path, name) < 0)
			rc = -ENOMEM;
		if (rc == 0)
			rc = tree_lookup(node, name, &child, &seen);
		if (rc < 0)
			break;
		if (places->expand)
			rc = note(places, below, THERE | DATA);
		if (rc == 0)
			rc = prepare(places, child, &seen, below, true);
		tree_node_put(child, 1);
	}
	tree_listing_free(listing);
	return rc;
}

static int visit_name(void *context, const char *path, uint64_t inode,
		      uint32_t kind)
{
	struct layer_places *places = context;
	struct place_links *links;

	(void)kind;
	HASH_FIND(hh, places->links, &inode, sizeof(inode), links);
	return links ? note(places, path, THERE | DATA) : 0;
}

/* I2 */
static int note_links(struct layer_places *places)
{
	struct place *place, *next;
	struct tree_node *node;
	struct tree_attr attr;
	int rc = 0;

	HASH_ITER(hh, places->list, place, next)
	{
		if (!place->there)
			continue;
		rc = tree_find_path(places->to, place->path, &node, &attr);
		if (rc < 0)
			return rc;
		rc = prepare(places, node, &attr, place->path,
			     place->whole || place->gone);
		tree_node_put(node, 1);
		if (rc < 0)
			return rc;
	}
	return places->links ? tree_walk_names(places->to, visit_name, places) :
			       0;
}

/* What changed in them changed their times. */
static int note_parents(struct layer_places *places)
{
	struct place *place, *next, *parent;

	HASH_ITER(hh, places->list, place, next)
	{
		char *slash = strrchr(place->path, '/');
		AUTO_FREE char *above =
			slash ? strndup(place->path,
					(size_t)(slash - place->path)) :
				strdup(".");

		parent = above ? layer_places_get(places, above) : NULL;
		if (!parent)
			return -ENOMEM;
		/* What is gone stays so; the others are known to be there. */
		if (!parent->gone)
			parent->there = true;
	}
	return 0;
}

static int by_path(const struct place *a, const struct place *b)
{
	return strcmp(a->path, b->path);
}

int layer_places_find(struct layer_places *places)
{
	int rc = tree_diff(places->from, places->to, true, visit, places);

	if (rc == 0)
		rc = note_links(places);
	if (rc == 0 && places->expand)
		rc = note_parents(places);
	HASH_SORT(places->list, by_path);
	return rc;
}

void layer_places_fini(struct layer_places *places)
{
	struct place *place, *next;
	struct place_links *links, *other;

	HASH_ITER(hh, places->list, place, next)
	{
		HASH_DEL(places->list, place);
		free(place->path);
		free(place);
	}
	HASH_ITER(hh, places->links, links, other)
	{
		HASH_DEL(places->links, links);
		free(links);
	}
}
