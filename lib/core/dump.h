/* Dumps of the store's state in its log: dump.c. */
#pragma once

#include "store_impl.h"

/* Writes one of what the index holds; durable. -ENOSPC, -ENOMEM: there is
 * none, and the one before counts. */
NODISCARD int dump_write(struct store *store) REQUIRES(store->maintenance_lock);
/* I2: before blocks are moved. */
NODISCARD int dump_tell_folds(struct store *store)
	REQUIRES(store->maintenance_lock);
/* The record that was appended last says what a later dump must hold. */
void dump_note_locked(struct store *store) REQUIRES(store->order_lock);
/* When a store is opened: from now on I1 holds. A full store is opened
 * without; whoever removes segments, or opens the store, tries again. */
NODISCARD int dump_begin(struct store *store);
