/*
 * What a negative errno means when it comes from cowd's own code:
 *   -EUCLEAN  bytes on disk are wrong (checksum, structure)
 *   -EIO      the device failed, or failed earlier (a flush is not retried)
 *   -ESTALE   the snapshot, branch or base is not what it was
 *   -EROFS    the view is a snapshot, or the store turned read-only
 *   -ENOSPC   the host file system is full, or the reserve would be touched
 *   -EBUSY    somebody else uses it
 */
#pragma once

#include <errno.h>
