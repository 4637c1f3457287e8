/*
 * cowd-fsck --undo: puts back what a repair changed.
 *
 * I1: nothing is written before all of the undo file has been verified, and
 *     everything that it is about is as the repair left it, or as it was.
 *     So an undo that was cut short can be made again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "check.h"
#include "file_sum.h"
#include "identity.h"
#include "io.h"
#include "place.h"
#include "undo_format.h"

enum { PIECE_BYTES = 1 << 20 };

struct undo {
	struct check *check;
	int fd;
	uint64_t at_bytes; /* where the next entry begins */
	struct undo_header header;
	struct undo_entry entry;
	uint64_t data_bytes; /* where its bytes begin */
};

static int damaged(struct undo *undo)
{
	return check_failed(undo->check, -EUCLEAN, "the undo file is damaged");
}

/* Reads the entry at at_bytes, which moves behind it. */
static int next_entry(struct undo *undo)
{
	struct undo_entry *entry = &undo->entry;
	uint8_t bytes[UNDO_ENTRY_BYTES];

	if (io_read_full(undo->fd, bytes, sizeof(bytes), undo->at_bytes) !=
		    sizeof(bytes) ||
	    undo_entry_decode(bytes, entry) < 0)
		return damaged(undo);
	undo->at_bytes += sizeof(bytes);
	if (io_read_full(undo->fd, entry->name, entry->name_bytes,
			 undo->at_bytes) != (ssize_t)entry->name_bytes)
		return damaged(undo);
	entry->name[entry->name_bytes] = '\0';
	if (undo_name_verify(bytes, entry) < 0)
		return damaged(undo);
	undo->data_bytes = undo->at_bytes + entry->name_bytes;
	undo->at_bytes = undo->data_bytes + entry->old_bytes;
	return 0;
}

static int verify_data(struct undo *undo)
{
	const struct undo_entry *entry = &undo->entry;
	uint64_t sum;

	if (entry->old_bytes == 0)
		return 0;
	if (entry->kind == UNDO_KIND_LINK &&
	    entry->old_bytes >= UNDO_LINK_BYTES_MAX)
		return damaged(undo);
	if (range_sum(undo->fd, undo->data_bytes, entry->old_bytes, &sum) < 0 ||
	    sum != entry->old_sum)
		return damaged(undo);
	return 0;
}

static bool file_is(int fd, uint64_t bytes, uint64_t wanted)
{
	uint64_t found = 0, sum = 0;

	if (file_sum(fd, &found, &sum) < 0)
		return false;
	return found == bytes && (sum == wanted || bytes == 0);
}

static bool range_is(int fd, const struct undo_entry *entry, uint64_t bytes,
		     uint64_t wanted)
{
	uint64_t sum = 0;

	return range_sum(fd, entry->offset_bytes, bytes, &sum) == 0 &&
	       (sum == wanted || bytes == 0);
}

/* Is it as the repair left it, or as it was before? */
static bool is_known(struct undo *undo)
{
	const struct undo_entry *e = &undo->entry;
	int folder = place_folder(undo->check, e->place);
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (e->kind == UNDO_KIND_MODE)
		return fstat(folder, &st) == 0 &&
		       ((st.st_mode & 07777) == e->new_mode ||
			(st.st_mode & 07777) == e->mode);
	if (fstatat(folder, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && (!e->exists || !e->existed);
	if (S_ISLNK(st.st_mode))
		return e->kind == UNDO_KIND_LINK;
	if (S_ISDIR(st.st_mode))
		return e->kind == UNDO_KIND_DIRECTORY;
	/* We have made that one ourselves. */
	if (!e->exists && e->place == CHANGE_PLACE_STORE &&
	    strcmp(e->name, "lock") == 0)
		return true;
	fd = place_open_file(folder, e->name, O_RDONLY);
	if (fd < 0)
		return false;
	if (e->kind == UNDO_KIND_RANGE)
		return range_is(fd, e, e->new_bytes, e->new_sum) ||
		       range_is(fd, e, e->old_bytes, e->old_sum);
	return (e->exists && file_is(fd, e->new_bytes, e->new_sum)) ||
	       (e->kind == UNDO_KIND_FILE && e->existed &&
		file_is(fd, e->old_bytes, e->old_sum));
}

/* Bytes of the undo file into another, from its beginning. */
static int copy_data(struct undo *undo, int to_fd, uint64_t offset_bytes)
{
	AUTO_FREE uint8_t *buffer = malloc(PIECE_BYTES);
	uint64_t done = 0;
	int rc = buffer ? 0 : -ENOMEM;

	while (rc == 0 && done < undo->entry.old_bytes) {
		uint64_t left = undo->entry.old_bytes - done;
		size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

		if (io_read_full(undo->fd, buffer, len,
				 undo->data_bytes + done) != (ssize_t)len)
			return -EIO;
		rc = io_write_all(to_fd, buffer, len, offset_bytes + done);
		done += len;
	}
	return rc == 0 && fsync(to_fd) < 0 ? -errno : rc;
}

static int put_file(struct undo *undo, int folder)
{
	static const char *const fresh = "index.db.new";
	const struct undo_entry *e = &undo->entry;
	AUTO_CLOSE int fd = -1;
	int rc;

	if (!e->existed)
		return unlinkat(folder, e->name, 0) < 0 && errno != ENOENT ?
			       -errno :
			       0;
	if (unlinkat(folder, fresh, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(folder, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, e->mode) < 0)
		return -errno;
	rc = copy_data(undo, fd, 0);
	if (rc == 0 && renameat(folder, fresh, folder, e->name) < 0)
		rc = -errno;
	return rc;
}

static int put_range(struct undo *undo, int folder)
{
	const struct undo_entry *e = &undo->entry;
	AUTO_CLOSE int fd = io_open_own(folder, e->name, O_WRONLY);
	int rc = fd < 0 ? fd : copy_data(undo, fd, e->offset_bytes);

	/* It ended there. */
	if (rc == 0 && e->old_bytes < e->new_bytes &&
	    ftruncate(fd, (off_t)(e->offset_bytes + e->old_bytes)) < 0)
		rc = -errno;
	return rc;
}

static int put_link(struct undo *undo, int folder)
{
	char text[UNDO_LINK_BYTES_MAX];
	size_t len = (size_t)undo->entry.old_bytes;

	if (io_read_full(undo->fd, text, len, undo->data_bytes) != (ssize_t)len)
		return -EIO;
	text[len] = '\0';
	if (unlinkat(folder, undo->entry.name, 0) < 0 && errno != ENOENT)
		return -errno;
	return symlinkat(text, folder, undo->entry.name) < 0 ? -errno : 0;
}

static int put_directory(int folder, const struct undo_entry *entry)
{
	if (unlinkat(folder, entry->name, 0) < 0 && errno != ENOENT &&
	    errno != EISDIR)
		return -errno;
	if (mkdirat(folder, entry->name, entry->mode) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static int put_back(struct undo *undo)
{
	const struct undo_entry *e = &undo->entry;
	int folder = place_folder(undo->check, e->place);

	switch (e->kind) {
	case UNDO_KIND_FILE:
		return put_file(undo, folder);
	case UNDO_KIND_RANGE:
		return put_range(undo, folder);
	case UNDO_KIND_MODE:
		return fchmod(folder, e->mode) < 0 ? -errno : 0;
	case UNDO_KIND_LINK:
		return put_link(undo, folder);
	case UNDO_KIND_DIRECTORY:
		return put_directory(folder, e);
	}
	return -EUCLEAN;
}

static int verify_entry(struct undo *undo)
{
	int rc = verify_data(undo);

	if (rc == 0 && !is_known(undo)) {
		rc = check_failed(undo->check, -EBUSY,
				  "%s was changed since the repair",
				  undo->entry.name);
		check_hint(undo->check, "nothing was changed; a store that was "
					"written to can't go back");
	}
	return rc;
}

static int put_entry(struct undo *undo)
{
	int rc = put_back(undo);

	if (rc < 0)
		return check_failed(undo->check, rc, "%s can't be put back",
				    undo->entry.name);
	report_say(undo->check, "%s%s: put back\n",
		   undo->entry.place ? "segments/" : "", undo->entry.name);
	undo->check->result->fixed_count++;
	return 0;
}

static int for_each(struct undo *undo, int (*visit)(struct undo *undo))
{
	uint64_t nr;
	int rc = 0;

	undo->at_bytes = UNDO_HEADER_BYTES;
	for (nr = 0; rc == 0 && nr < undo->header.entry_count; nr++) {
		rc = next_entry(undo);
		if (rc == 0)
			rc = visit(undo);
	}
	return rc;
}

static int read_header(struct undo *undo)
{
	uint8_t bytes[UNDO_HEADER_BYTES];
	int rc;

	if (io_read_full(undo->fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
		return damaged(undo);
	rc = undo_header_decode(bytes, &undo->header);
	if (rc == -EPROTONOSUPPORT)
		return check_failed(undo->check, rc,
				    "the undo file is of a newer cowd-fsck");
	if (rc < 0)
		return damaged(undo);
	if (!identity_fits(undo->check, undo->header.uuid))
		return check_failed(undo->check, -EBUSY,
				    "the undo file is of another store");
	return 0;
}

static int run(struct undo *undo)
{
	struct check *check = undo->check;
	int rc = place_open(check, check->options->path);

	if (rc == 0)
		rc = read_header(undo);
	if (rc == 0)
		rc = for_each(undo, verify_entry); /* I1 */
	if (rc == 0)
		rc = for_each(undo, put_entry);
	if (rc == 0 &&
	    (fsync(check->segments_fd) < 0 || fsync(check->dir_fd) < 0))
		rc = check_failed(check, -errno, "the store can't be flushed");
	return rc;
}

int fsck_undo(const struct fsck_options *options, FILE *undo_file,
	      struct fsck_result *result)
{
	struct check *check = calloc(1, sizeof(*check));
	struct undo undo = { .check = check, .fd = fileno(undo_file) };
	struct fsck_options writing = *options;
	int rc;

	memset(result, 0, sizeof(*result));
	result->exit_code = FSCK_EXIT_FAILED;
	if (!check)
		return result->exit_code;
	writing.mode = FSCK_MODE_YES;
	check->options = &writing;
	check->result = result;
	check->dir_fd = check->segments_fd = check->lock_fd = -1;
	rc = run(&undo);
	place_close(check);
	free(check);
	if (rc == 0)
		result->exit_code = 0;
	return result->exit_code;
}
