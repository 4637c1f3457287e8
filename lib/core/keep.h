/* Records of segments that go, said again: keep.c. */
#pragma once

#include "store_impl.h"

/*
 * Appends what the records of these segments say of blocks elsewhere, and of
 * zeros. *lsn grows to that of the last record, to be synced. -ENOSPC,
 * -ENOMEM: not all of it.
 */
NODISCARD int keep_records(struct store *store, const struct rowless *dead,
			   uint64_t *lsn) REQUIRES(store->maintenance_lock);
