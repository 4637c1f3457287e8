/*
 * Saving what a repair is about to change. The file is durable before
 * anything else is touched; it says how each thing is before and after, so
 * that it can be put back from any moment in between.
 */
#include "undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "check.h"
#include "file_sum.h"
#include "io.h"
#include "place.h"
#include "undo_format.h"

enum { COPY_BYTES = 1 << 20 };

static int write_bytes(struct check *check, const void *data, size_t len_bytes)
{
	if (fwrite(data, 1, len_bytes, check->options->undo_file) == len_bytes)
		return 0;
	return check_failed(check, -EIO, "the undo file can't be written");
}

static int write_entry(struct check *check, const struct undo_entry *entry)
{
	uint8_t bytes[UNDO_ENTRY_BYTES];
	int rc;

	check->undo_count++;
	undo_entry_encode(entry, bytes);
	rc = write_bytes(check, bytes, sizeof(bytes));
	return rc < 0 ? rc : write_bytes(check, entry->name, entry->name_bytes);
}

static int write_range(struct check *check, int fd, uint64_t offset_bytes,
		       uint64_t len_bytes)
{
	AUTO_FREE uint8_t *buffer = malloc(COPY_BYTES);
	uint64_t done = 0;
	int rc = buffer ? 0 : -ENOMEM;

	while (rc == 0 && done < len_bytes) {
		uint64_t left = len_bytes - done;
		size_t len = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
		ssize_t n = io_read_full(fd, buffer, len, offset_bytes + done);

		if (n != (ssize_t)len)
			return n < 0 ? (int)n : -EIO;
		rc = write_bytes(check, buffer, len);
		done += len;
	}
	return rc;
}

static struct undo_entry make(enum undo_kind kind, enum change_place place,
			      const char *name)
{
	struct undo_entry entry = { .kind = kind, .place = (uint8_t)place };

	snprintf(entry.name, sizeof(entry.name), "%s", name);
	entry.name_bytes = (uint32_t)strlen(entry.name);
	return entry;
}

/* What stands there and is no regular file. */
static int save_other(struct check *check, int folder, struct undo_entry *entry,
		      const struct stat *st)
{
	char text[UNDO_LINK_BYTES_MAX];
	ssize_t n;
	int rc;

	if (S_ISDIR(st->st_mode)) {
		entry->kind = UNDO_KIND_DIRECTORY;
		return write_entry(check, entry);
	}
	if (!S_ISLNK(st->st_mode)) /* a fifo or the like: nothing is in it */
		return 0;
	n = readlinkat(folder, entry->name, text, sizeof(text));
	if (n <= 0 || n == sizeof(text))
		return check_failed(check, -EIO, "%s", entry->name);
	entry->kind = UNDO_KIND_LINK;
	entry->old_bytes = (uint64_t)n;
	entry->old_sum = XXH3_64bits(text, (size_t)n);
	rc = write_entry(check, entry);
	return rc < 0 ? rc : write_bytes(check, text, (size_t)n);
}

/* All of a file; what it becomes is in the entry already. */
static int save_whole(struct check *check, struct undo_entry *entry)
{
	int folder = place_folder(check, entry->place);
	AUTO_CLOSE int fd = -1;
	struct stat st;
	int rc;

	if (fstatat(folder, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return check_failed(check, -errno, "%s", entry->name);
		return write_entry(check, entry);
	}
	entry->existed = 1;
	entry->mode = st.st_mode & 07777;
	if (!S_ISREG(st.st_mode))
		return save_other(check, folder, entry, &st);
	fd = place_open_file(folder, entry->name, O_RDONLY);
	rc = fd < 0 ? fd : file_sum(fd, &entry->old_bytes, &entry->old_sum);
	if (rc < 0)
		return check_failed(check, rc, "%s", entry->name);
	rc = write_entry(check, entry);
	return rc < 0 ? rc : write_range(check, fd, 0, entry->old_bytes);
}

/* It becomes what is in new_fd, or goes (-1). */
static int save_file(struct check *check, enum change_place place,
		     const char *name, int new_fd)
{
	struct undo_entry entry = make(UNDO_KIND_FILE, place, name);
	int rc = 0;

	if (new_fd >= 0) {
		entry.exists = 1;
		entry.new_mode = 0600;
		rc = file_sum(new_fd, &entry.new_bytes, &entry.new_sum);
	}
	if (rc < 0)
		return check_failed(check, rc, "%s", name);
	return save_whole(check, &entry);
}

static int save_created(struct check *check, const struct change *change)
{
	struct undo_entry entry =
		make(UNDO_KIND_FILE, change->place, change->name);
	int rc;

	entry.exists = 1;
	entry.new_mode = 0600;
	entry.new_bytes = change->len_bytes;
	rc = range_sum(check->changes.spool_fd, change->spool_offset_bytes,
		       change->len_bytes, &entry.new_sum);
	if (rc < 0)
		return check_failed(check, rc, "%s", change->name);
	return save_whole(check, &entry);
}

static int save_range(struct check *check, const struct change *change)
{
	struct undo_entry entry =
		make(UNDO_KIND_RANGE, change->place, change->name);
	AUTO_CLOSE int fd = place_open_file(place_folder(check, change->place),
					    change->name, O_RDONLY);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return check_failed(check, fd < 0 ? fd : -errno, "%s",
				    change->name);
	entry.existed = entry.exists = 1;
	entry.offset_bytes = change->offset_bytes;
	entry.new_bytes = change->len_bytes;
	if (change->offset_bytes < (uint64_t)st.st_size)
		entry.old_bytes = (uint64_t)st.st_size - change->offset_bytes;
	if (entry.old_bytes > change->len_bytes)
		entry.old_bytes = change->len_bytes;
	rc = range_sum(fd, entry.offset_bytes, entry.old_bytes, &entry.old_sum);
	if (rc == 0)
		rc = range_sum(check->changes.spool_fd,
			       change->spool_offset_bytes, change->len_bytes,
			       &entry.new_sum);
	if (rc < 0)
		return check_failed(check, rc, "%s", change->name);
	rc = write_entry(check, &entry);
	return rc < 0 ? rc :
			write_range(check, fd, entry.offset_bytes,
				    entry.old_bytes);
}

static int save_mode(struct check *check, const struct change *change)
{
	struct undo_entry entry =
		make(UNDO_KIND_MODE, change->place, change->name);
	struct stat st;

	if (fstat(place_folder(check, change->place), &st) < 0)
		return check_failed(check, -errno, "%s", change->name);
	entry.existed = entry.exists = 1;
	entry.mode = st.st_mode & 07777;
	entry.new_mode = change->mode & 07777;
	return write_entry(check, &entry);
}

static int save_change(struct check *check, const struct change *change)
{
	switch (change->kind) {
	case CHANGE_KIND_WRITE:
		return save_range(check, change);
	case CHANGE_KIND_REMOVE:
		return save_file(check, change->place, change->name, -1);
	case CHANGE_KIND_MODE:
		return save_mode(check, change);
	case CHANGE_KIND_CREATE:
		return save_created(check, change);
	case CHANGE_KIND_COPY: /* its bytes stay */
		return 0;
	}
	return -EINVAL;
}

/* Are these the names that the new index takes? They are saved as such. */
static bool is_of_index(const struct change *change)
{
	return change->place == CHANGE_PLACE_STORE &&
	       (strcmp(change->name, "index.db") == 0 ||
		strcmp(change->name, "index.db-wal") == 0 ||
		strcmp(change->name, "index.bak") == 0);
}

static int save_all(struct check *check, int index_fd)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < check->changes.count; i++)
		if (index_fd < 0 || !is_of_index(&check->changes.list[i]))
			rc = save_change(check, &check->changes.list[i]);
	if (index_fd < 0)
		return rc;
	if (rc == 0)
		rc = save_file(check, CHANGE_PLACE_STORE, "index.bak",
			       index_fd);
	if (rc == 0)
		rc = save_file(check, CHANGE_PLACE_STORE, "index.db", index_fd);
	if (rc == 0)
		rc = save_file(check, CHANGE_PLACE_STORE, "index.db-wal", -1);
	return rc;
}

/* The header comes last: without it the file is none. */
static int finish(struct check *check)
{
	FILE *file = check->options->undo_file;
	struct undo_header header = { .entry_count = check->undo_count };
	uint8_t bytes[UNDO_HEADER_BYTES];
	struct timespec now;
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	header.time_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	memcpy(header.uuid, check->uuid, sizeof(header.uuid));
	undo_header_encode(&header, bytes);
	rc = fflush(file) != 0 || fsync(fileno(file)) < 0 ? -errno : 0;
	if (rc == 0)
		rc = io_write_all(fileno(file), bytes, sizeof(bytes), 0);
	if (rc == 0 && fsync(fileno(file)) < 0)
		rc = -errno;
	return rc < 0 ? check_failed(check, rc, "the undo file") : 0;
}

int undo_save(struct check *check, int index_fd)
{
	static const uint8_t none[UNDO_HEADER_BYTES];
	int rc;

	if (!check->options->undo_file)
		return 0;
	rc = write_bytes(check, none, sizeof(none));
	if (rc == 0)
		rc = save_all(check, index_fd);
	return rc == 0 ? finish(check) : rc;
}
