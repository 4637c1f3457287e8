/* The readers that passes share. */
#include "stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"

int stored_begin(struct check *check)
{
	struct stored *stored = check->stored;
	int rc;

	if (stored)
		return 0;
	stored = calloc(1, sizeof(*stored));
	if (!stored)
		return check_failed(check, -ENOMEM, "the map of blocks");
	check->stored = stored;
	queries_init(&stored->queries, check->work);
	segment_reader_init(&stored->reader, check->segments_fd, check->uuid,
			    check->seed);
	rc = block_map_load(&stored->map, &stored->queries);
	if (rc == -EUCLEAN) {
		stored->bad_rows = true;
		rc = 0;
	}
	return rc < 0 ? stored_failed(check, rc) : 0;
}

void stored_end(struct check *check)
{
	struct stored *stored = check->stored;

	if (!stored)
		return;
	queries_fini(&stored->queries);
	segment_reader_fini(&stored->reader);
	block_map_fini(&stored->map);
	free(stored);
	check->stored = NULL;
}

bool stored_is_foreign(struct check *check, uint32_t segment)
{
	struct stat st;
	char name[16];

	log_segment_name(segment, name);
	return fstatat(check->segments_fd, name, &st, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
	       !S_ISREG(st.st_mode);
}

int stored_failed(struct check *check, int rc)
{
	if (rc == -EINTR)
		return rc;
	return check_failed(check, rc, "the copy of the index can't be used");
}
