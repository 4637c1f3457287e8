/* The directories that a store was made over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"
#include "layers.h"
#include "store.h"

struct actor;
struct view;

/* Is it a store over directories (or an image)? Never changes. */
bool store_is_tree(const struct store *store);
/* All layers that the store knows, by id; borrowed, they stay. */
const struct base_row *store_layer_rows(const struct store *store,
					size_t *out_count);

/* The store's UUID, as in the fingerprint of a snapshot. */
void store_uuid_halves(const struct store *store, uint64_t out_uuid[2]);

/* A mountpoint, which exists, in a layer that the store knows is refused. */
NODISCARD int store_check_mountpoint(const struct store *store,
				     const char *mountpoint,
				     struct failure *failure);

/*
 * The layers that a view sees, topmost first. Views with the same stack share
 * one while they are open, and all report to the store what they see change.
 * failure: a layer is missing or another directory.
 */
NODISCARD int view_open_layers(struct view *view, struct layers **out_layers,
			       struct failure *failure);

/* One layer alone, whoever sees it; beside: a stack of the store. */
NODISCARD int store_open_layer(struct store *store, uint32_t id,
			       struct layers *beside,
			       struct layers **out_layers,
			       struct failure *failure);

enum layer_state {
	LAYER_STATE_OK,
	LAYER_STATE_MISSING, /* or can't be read */
	LAYER_STATE_CHANGED, /* another directory, or files in it changed */
};

enum { LAYER_REASON_BYTES = 512 };

struct layer_info {
	uint32_t id;
	char name[STORE_NAME_BYTES_MAX + 1];
	char path[PATH_MAX];
	uint32_t snapshot;	/* its id; 0: a directory */
	uint64_t store_uuid[2]; /* whose that is, as in a fingerprint */
	enum layer_state state;
	char reason[LAYER_REASON_BYTES]; /* "": it is ok */
	uint64_t changed_files;		 /* seen since the store was opened */
	unsigned position; /* 1: topmost; 0: the branch does not see it */
	unsigned branches; /* whose head sees it */
};

/* The layers that store_create would make: layer_count of them; checked as
 * there, and nothing is made. *out_list is freed by the caller. */
NODISCARD int store_create_layers(const struct store_create_params *params,
				  struct layer_info **out_list,
				  struct failure *failure);

/*
 * All layers as a branch's head sees them: its own, topmost first, then those
 * that it does not see. *out_list is freed by the caller.
 */
NODISCARD int store_layers_list(struct store *store, const char *branch,
				struct layer_info **out_list, size_t *out_count,
				struct failure *failure);

/* Where a new layer goes: above, below another, or at the bottom. */
struct layer_place {
	const char *below; /* a layer's name; NULL: none is given */
	bool bottom;
};

/*
 * Changes which layers a branch's head sees; its snapshots keep seeing what
 * they saw. Refused while the branch is open. What the head itself has
 * changed, and files that it has changed in part, stay.
 *
 * actor: who does it, for the operation log; undo takes it back.
 * add: a directory, as for store_create. One that the store knows already is
 * that layer again; a new one gets an id that none ever had. *out_info: how it
 * is now, or would be.
 */
NODISCARD int store_layer_add(struct store *store, const char *branch,
			      const char *spec, const struct layer_place *place,
			      bool dry_run, const struct actor *actor,
			      struct layer_info *out_info,
			      struct failure *failure);
/* The store still knows the layer; a snapshot, or a file that was changed in
 * part, may need it. */
NODISCARD int store_layer_remove(struct store *store, const char *branch,
				 const char *name, bool dry_run,
				 const struct actor *actor,
				 struct layer_info *out_info,
				 struct failure *failure);
