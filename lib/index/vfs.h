/* The way to SQLite's files, past the seam (lib/io/io_hook.h). */
#pragma once

#include <sqlite3.h>
#include <stdatomic.h>

#include "scope.h"

#define INDEX_VFS_NAME "cowd"

/* Makes the VFS known to SQLite, once; 0 or a negative errno. */
NODISCARD int index_vfs_register(void);

/*
 * The connection's WAL stays when it is closed, and when it is emptied it
 * keeps its blocks, up to *keep_bytes; 0: none, as SQLite does it. What finds
 * no room in it waits in memory. -ENOENT: there is no WAL yet.
 */
NODISCARD int index_vfs_hold(sqlite3 *connection,
			     const atomic_uint_fast64_t *keep_bytes);
/* After a commit: -ENOSPC: it is not on disk, but waits for room: the WAL must
 * not be moved into the database. */
NODISCARD int index_vfs_flush(sqlite3 *connection);
