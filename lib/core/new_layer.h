/*
 * A directory that is to become a layer of a store: its row, and whether it
 * may be one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"
#include "index.h"

struct snapshot_source;
struct store;

/*
 * What is at the path of spec (layer_spec_path in store.h): a directory, or a
 * snapshot that source (NULL: none) finds. store: whose layer it is to be;
 * NULL: of a new one. Clear failures for what is no directory, can't be read
 * or lies in a store.
 */
NODISCARD int new_layer_find(const struct store *store, const char *spec,
			     const struct snapshot_source *source,
			     struct base_fingerprint *out_fingerprint,
			     struct failure *failure);
/*
 * Fills the name in a row that has a
 * fingerprint. known[0..count) are the rows there are: the name is none of
 * theirs; *out_named: the spec gave it. Refuses a name that is taken or none.
 */
NODISCARD int new_layer_name(const char *spec, const struct base_row *known,
			     size_t count, struct base_row *row,
			     bool *out_named, struct failure *failure);
/*
 * Keeps the snapshot that a row is from being deleted, or (on: false) no more,
 * by a hold that tells the store over it: "layer-of-NAME-UUID8". Nothing for a
 * directory, or where the store passes.
 */
NODISCARD int new_layer_hold(const struct base_row *row,
			     const struct snapshot_source *source,
			     const char *store_path, const uint8_t *uuid,
			     bool on, struct failure *failure);

struct layer_info;

/* What a row tells. */
void new_layer_info(const struct base_row *row, struct layer_info *out_info);
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
