/* The directories that a store was made over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "index.h"
#include "layers.h"
#include "store.h"

struct view;

/* Is it a store over directories (or an image)? Never changes. */
bool store_is_tree(const struct store *store);
/* All layers that the store knows, by id; borrowed. */
const struct base_row *store_layer_rows(const struct store *store,
					size_t *out_count);

/*
 * The layers that a view sees, topmost first. Views with the same stack share
 * one. failure: a layer is missing or another directory.
 */
NODISCARD int view_open_layers(struct view *view, struct layers **out_layers,
			       struct failure *failure);
