/*
 * A store in memory is one on a tmpfs, which its daemon removes in the end. If
 * that is killed it stays there until the machine starts anew.
 */
#include "volatile_store.h"

#include <errno.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "logging.h"

enum { DIRECTORIES_MOST = 8 };

static int is_memory(const char *directory)
{
	struct statfs fs;

	return statfs(directory, &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
	       access(directory, W_OK) == 0;
}

int volatile_path(char *path, size_t path_bytes, struct failure *failure)
{
	/* The first may be as large as half of the memory, most often. */
	const char *const places[] = { "/dev/shm", getenv("XDG_RUNTIME_DIR"),
				       "/run", "/tmp" };
	uint64_t number;
	size_t i;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return failure_errno(failure, -errno, NULL, "no random number");
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!places[i] || !is_memory(places[i]))
			continue;
		snprintf(path, path_bytes, "%s/volatile-%016llx.cowd",
			 places[i], (unsigned long long)number);
		return 0;
	}
	failure_set(failure, FAILURE_FAILED, "/dev/shm",
		    "no file system in memory is there to write to");
	failure_hint(failure, "mount -t tmpfs tmpfs /dev/shm");
	return -ENODEV;
}

static int remove_one(const char *path, const struct stat *st, int kind,
		      struct FTW *position)
{
	(void)st, (void)kind, (void)position;
	return remove(path);
}

void volatile_remove(const char *path)
{
	if (nftw(path, remove_one, DIRECTORIES_MOST, FTW_DEPTH | FTW_PHYS) !=
		    0 &&
	    errno != ENOENT)
		log_message(LOG_LEVEL_WARNING, "%s: can't be removed", path);
}
