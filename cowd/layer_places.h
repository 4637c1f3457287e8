/*
 * The paths that differ between two states of a tree, as who makes one of the
 * other wants them: what must go, what must be there, and all names of a file
 * that has several.
 */
#pragma once

#include <stdbool.h>
#include <uthash.h>

#include "tree.h"

struct place {
	char *path; /* from the root; "." is it */
	bool gone;  /* what was there, or is in the way */
	bool there; /* in the newer state */
	bool whole; /* with all that is below */
	bool data;  /* not only its attributes are others */
	bool done;
	UT_hash_handle hh;
};

/* Looks at everything that must be there. */
typedef int place_check(void *context, const char *path,
			const struct tree_attr *attr);

struct layer_places {
	struct tree *from, *to;
	bool expand; /* what is below a whole directory is a place, too, and
		      * so is every directory above a place */
	place_check *check;
	void *context;
	struct place *list; /* sorted by path */
	struct place_links *links;
};

/* Fills in the list; the rest is the caller's. */
NODISCARD int layer_places_find(struct layer_places *places);
void layer_places_fini(struct layer_places *places);
/* One by its path, new if need be. NULL: no memory. */
struct place *layer_places_get(struct layer_places *places, const char *path);
