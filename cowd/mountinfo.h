/* The mounts that this process sees, and which of them are cowd's. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "failure.h"

struct mountinfo {
	bool is_cowd;
	bool is_whole; /* not a directory of it, bound elsewhere */
	dev_t device;
	char mountpoint[PATH_MAX];
	char source[PATH_MAX + 600];
};

/* In the order in which they were mounted. A return that is not 0 ends it; a
 * negative one is returned. */
typedef int mountinfo_visit(void *context, const struct mountinfo *info);
NODISCARD int mountinfo_each(mountinfo_visit *visit, void *context);
/* The source of the topmost cowd mount on path; false: none. */
bool mount_source(const char *path, char *source, size_t source_bytes);
/* Of that mount, without asking it; 0: none. */
dev_t mount_top_device(const char *path);
