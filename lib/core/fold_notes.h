/* Which lines were folded into which: fold_notes.c. */
#pragma once

#include "state_format.h"
#include "store_impl.h"

/* The line was folded into its child now, which saw it up to gen. */
NODISCARD int fold_note_add(struct store *store, uint32_t line, uint32_t into,
			    uint32_t gen) REQUIRES(store->maintenance_lock);
/* Where a generation of a line is now. false: it was dropped in a fold. */
bool fold_note_find(const struct store *store, uint32_t *line, uint32_t gen)
	REQUIRES(store->maintenance_lock);
NODISCARD int fold_notes_load(struct store *store);
/* Forgets what no record names any more, and saves the rest if it changed. */
NODISCARD int fold_notes_save(struct store *store)
	REQUIRES(store->maintenance_lock);
