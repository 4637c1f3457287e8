/*
 * A directory that is to become a layer of a store: its row, and whether it
 * may be one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"
#include "index.h"

/*
 * spec: as layer_spec_path tells (store.h). Fills all of the row but its id:
 * fingerprint and name. known[0..count) are the rows there are: the name is
 * none of theirs; *out_named: the spec gave it. Clear failures for what is no
 * directory, can't be read, lies in a store, or has a name that is taken or
 * none.
 */
NODISCARD int new_layer_take(const char *spec, const struct base_row *known,
			     size_t count, struct base_row *out_row,
			     bool *out_named, struct failure *failure);
/* Are both the same directory? Also if it is seen in two places. */
bool new_layer_same(const struct base_row *a, const struct base_row *b);
/*
 * The store in its own base would be in its own view. place: a directory that
 * exists, in which the store is or will be; store_path for the message.
 */
NODISCARD int new_layer_check_outside(const struct base_row *row,
				      const char *place, const char *store_path,
				      struct failure *failure);
/* Neither may a mount be in a layer, or be one. */
NODISCARD int new_layer_check_mountpoint(const struct base_row *row,
					 const char *mountpoint,
					 struct failure *failure);
/* Is path, an existing directory, a store, or inside one? Then the store's
 * path is in out_store (PATH_MAX). */
bool new_layer_in_store(const char *path, char *out_store);
