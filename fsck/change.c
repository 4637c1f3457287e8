/*
 * The queue of changes. A pass may queue any number of them: their bytes
 * are in a file of the temporary directory, not in memory.
 */
#include "change.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "io.h"

void changes_init(struct changes *changes)
{
	memset(changes, 0, sizeof(*changes));
	changes->spool_fd = -1;
}

void changes_fini(struct changes *changes)
{
	free(changes->list);
	if (changes->spool_fd >= 0)
		close(changes->spool_fd);
	changes_init(changes);
}

static int add(struct check *check, const struct change *change)
{
	struct changes *changes = &check->changes;

	if (changes->count == changes->capacity) {
		size_t capacity = changes->capacity ? 2 * changes->capacity :
						      16;
		struct change *list =
			reallocarray(changes->list, capacity, sizeof(*list));

		if (!list)
			return check_failed(check, -ENOMEM, "changes");
		changes->list = list;
		changes->capacity = capacity;
	}
	changes->list[changes->count++] = *change;
	return 0;
}

static struct change make(enum change_kind kind, enum change_place place,
			  const char *name)
{
	struct change change = { .kind = kind, .place = place };

	snprintf(change.name, sizeof(change.name), "%s", name);
	return change;
}

static const char *folder(enum change_place place)
{
	return place == CHANGE_PLACE_SEGMENTS ? "segments/" : "";
}

static int spool(struct check *check, struct change *change, const void *data,
		 size_t len_bytes)
{
	struct changes *changes = &check->changes;
	int rc;

	if (changes->spool_fd < 0)
		changes->spool_fd =
			openat(check->temporary_fd, "changes",
			       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (changes->spool_fd < 0)
		return check_failed(check, -errno, "%s", check->temporary);
	change->len_bytes = len_bytes;
	change->spool_offset_bytes = changes->spool_bytes;
	rc = io_write_all(changes->spool_fd, data, len_bytes,
			  changes->spool_bytes);
	if (rc < 0)
		return check_failed(check, rc, "%s", check->temporary);
	changes->spool_bytes += len_bytes;
	return add(check, change);
}

int change_write(struct check *check, enum change_place place, const char *name,
		 uint64_t offset_bytes, const void *data, size_t len_bytes)
{
	struct change change = make(CHANGE_KIND_WRITE, place, name);

	change.offset_bytes = offset_bytes;
	report_change(check, "%s%s: write %zu bytes at %" PRIu64, folder(place),
		      name, len_bytes, offset_bytes);
	return spool(check, &change, data, len_bytes);
}

int change_create(struct check *check, enum change_place place,
		  const char *name, const void *data, size_t len_bytes)
{
	struct change change = make(CHANGE_KIND_CREATE, place, name);

	report_change(check, "%s%s: create with %zu bytes", folder(place), name,
		      len_bytes);
	return spool(check, &change, data, len_bytes);
}

int change_remove(struct check *check, enum change_place place,
		  const char *name)
{
	struct change change = make(CHANGE_KIND_REMOVE, place, name);

	report_change(check, "%s%s: remove", folder(place), name);
	return add(check, &change);
}

int change_copy(struct check *check, enum change_place place, const char *name)
{
	struct change change = make(CHANGE_KIND_COPY, place, name);

	report_change(check, "%s%s: replace it by a copy", folder(place), name);
	return add(check, &change);
}

int change_mode(struct check *check, enum change_place place, const char *name,
		mode_t mode)
{
	struct change change = make(CHANGE_KIND_MODE, place, name);

	change.mode = mode;
	report_change(check, "%s%s: mode %04o", folder(place), name,
		      (unsigned)mode);
	return add(check, &change);
}
