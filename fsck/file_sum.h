/* Whole files: their checksums and copies. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "scope.h"

/* XXH3-64 of all bytes, and how many they are. */
NODISCARD int file_sum(int fd, uint64_t *out_bytes, uint64_t *out_sum);
/* Of some of them; -EIO: they are not there. */
NODISCARD int range_sum(int fd, uint64_t offset_bytes, uint64_t len_bytes,
			uint64_t *out_sum);
/* Makes a new file out of all that is in from_fd, durable; one of this name
 * goes. A failure leaves none. */
NODISCARD int file_copy(int from_fd, int folder_fd, const char *name,
			mode_t mode);
