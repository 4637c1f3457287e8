/* The way to SQLite's files, past the seam (lib/io/io_hook.h). */
#pragma once

#include "scope.h"

#define INDEX_VFS_NAME "cowd"

/* Makes the VFS known to SQLite, once; 0 or a negative errno. */
NODISCARD int index_vfs_register(void);
