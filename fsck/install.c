/*
 * The only file of fsck/ that writes to a store.
 *
 * I1: a crash leaves the index of before, or the new one, whole: the copy
 *     becomes index.bak, the old WAL goes, and the rename puts the copy in
 *     its place.
 * I2: all names are names in the store's own directories; no link is
 *     followed.
 */
#include "install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "file_sum.h"
#include "io.h"
#include "place.h"
#include "segment_read.h"
#include "undo.h"

enum { COPY_BYTES = 1 << 20 };

static int sync_folder(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

/* A file that has other names gets its own bytes. */
static int separate(int folder, const char *name)
{
	AUTO_CLOSE int fd = place_open_file(folder, name, O_RDONLY);
	char copy[32] = "index.db.new"; /* known as a left-over */
	struct stat st;
	int rc;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	rc = file_copy(fd, folder, copy, st.st_mode & 0777);
	if (rc == 0 && renameat(folder, copy, folder, name) < 0)
		rc = -errno;
	return rc;
}

static int remove_name(int folder, const char *name)
{
	if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	return unlinkat(folder, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int write_range(struct check *check, const struct change *change)
{
	AUTO_FREE uint8_t *data = malloc(COPY_BYTES);
	bool new = change->kind == CHANGE_KIND_CREATE;
	int folder = place_folder(check, change->place);
	AUTO_CLOSE int fd = -1;
	uint64_t done = 0;
	int rc = data ? 0 : -ENOMEM;

	if (rc == 0 && new)
		rc = remove_name(folder, change->name);
	if (rc == 0) {
		fd = io_open_own(folder, change->name,
				 O_WRONLY | (new ? O_CREAT | O_EXCL : 0));
		rc = fd < 0 ? fd : 0;
	}

	while (rc == 0 && done < change->len_bytes) {
		uint64_t left = change->len_bytes - done;
		size_t len = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
		ssize_t n = io_read_full(check->changes.spool_fd, data, len,
					 change->spool_offset_bytes + done);

		if (n != (ssize_t)len)
			return n < 0 ? (int)n : -EIO;
		rc = io_write_all(fd, data, len, change->offset_bytes + done);
		done += len;
	}
	return rc == 0 && fdatasync(fd) < 0 ? -errno : rc;
}

static int make_change(struct check *check, const struct change *change)
{
	int folder = place_folder(check, change->place);

	switch (change->kind) {
	case CHANGE_KIND_WRITE:
	case CHANGE_KIND_CREATE:
		return write_range(check, change);
	case CHANGE_KIND_REMOVE:
		return remove_name(folder, change->name);
	case CHANGE_KIND_COPY:
		return separate(folder, change->name);
	case CHANGE_KIND_MODE:
		return fchmod(folder, change->mode) < 0 ? -errno : 0;
	}
	return -EINVAL;
}

static int make_changes(struct check *check)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < check->changes.count; i++) {
		const struct change *change = &check->changes.list[i];

		rc = make_change(check, change);
		if (rc < 0)
			check_failed(check, rc, "%s can't be repaired",
				     change->name);
	}
	if (rc == 0 && check->changes.count > 0) {
		rc = sync_folder(check->segments_fd);
		if (rc == 0)
			rc = sync_folder(check->dir_fd);
		if (rc < 0)
			check_failed(check, rc, "the store can't be flushed");
	}
	return rc;
}

static int put_index(struct check *check, int fd)
{
	static const char *const fresh = "index.db.new";
	int dir = check->dir_fd;
	int rc = file_copy(fd, dir, fresh, 0600);

	if (rc == 0 && renameat(dir, fresh, dir, "index.bak") < 0)
		rc = -errno;
	if (rc == 0)
		rc = sync_folder(dir);
	if (rc == 0)
		rc = file_copy(fd, dir, fresh, 0600);
	/* Without it the old index is that of an earlier commit, which the
	 * log leads on from; it must never stand beside the new one. */
	if (rc == 0)
		rc = remove_name(dir, "index.db-wal");
	if (rc == 0)
		rc = sync_folder(dir);
	if (rc == 0 && renameat(dir, fresh, dir, "index.db") < 0)
		rc = -errno;
	return rc == 0 ? sync_folder(dir) : rc; /* I1 */
}

/* The copy has what was in the log: that must be as durable as the copy says
 * it is. index.bak is the same copy. */
static int sync_log(struct check *check)
{
	AUTO_FREE uint32_t *ids = NULL;
	size_t count = 0, i;
	char name[16];
	int rc = segment_list(check->segments_fd, &ids, &count);

	for (i = 0; i < count && rc == 0; i++) {
		AUTO_CLOSE int fd = -1;

		if (ids[i] < check->sync_from_segment)
			continue;
		log_segment_name(ids[i], name);
		fd = io_open_own(check->segments_fd, name, O_RDONLY);
		if (fd >= 0 && fdatasync(fd) < 0)
			rc = -errno;
	}
	if (rc < 0)
		return check_failed(check, rc, "the log can't be flushed");
	return work_run(check,
			"UPDATE meta SET value = ? WHERE key = "
			"'backup_lsn'",
			"i", (int64_t)check->position.next_lsn - 1);
}

int install_run(struct check *check)
{
	AUTO_CLOSE int fd = -1;
	int rc = 0;

	if (check->install) {
		rc = check->position.next_lsn ? sync_log(check) : 0;
		if (rc == 0)
			rc = work_finish(check);
		if (rc < 0)
			return rc;
		fd = place_open_file(check->temporary_fd, "index.db", O_RDONLY);
		if (fd < 0)
			return check_failed(check, fd, "the copy of the index");
	}
	rc = undo_save(check, fd);
	if (rc == 0)
		rc = make_changes(check);
	if (rc < 0 || fd < 0)
		return rc;
	rc = put_index(check, fd);
	if (rc < 0)
		check_failed(check, rc, "the index can't be put in place");
	return rc;
}
