/*
 * Method export: a branch's or a snapshot's image as a plain sparse file.
 *
 * A file is written under a temporary name beside its place and renamed
 * when it is durable: a crash leaves no half of an image under its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base.h"
#include "file.h"
#include "ops_impl.h"
#include "store_layers.h"

enum { COPY_BYTES = 1 << 20 };

struct export
{
	struct call *call;
	const char *path;
	char temporary[4096 + 16]; /* "": written in place */
	int fd;
	bool is_device;
	struct file *file;
	uint64_t size_bytes, written_bytes;
	uint8_t *buffer;
};

static int fail(const struct export *export, int rc, const char *what)
{
	return failure_errno(export->call->failure, rc, export->path,
			     "can't %s", what);
}

/* Rule 1: whatever the user forces, base is never written to. */
static int check_not_base(const struct export *export, const struct stat *st)
{
	AUTO_FREE struct store_status *status = calloc(1, sizeof(*status));
	struct stat base;

	if (!status)
		return -ENOMEM;
	store_status(export->call->store, status);
	if (!status->base_path[0] || stat(status->base_path, &base) < 0)
		return 0;
	if ((base.st_dev == st->st_dev && base.st_ino == st->st_ino) ||
	    (S_ISBLK(base.st_mode) && S_ISBLK(st->st_mode) &&
	     base.st_rdev == st->st_rdev))
		return failure_set(export->call->failure, FAILURE_USAGE,
				   export->path,
				   "is the base of this store, which is never "
				   "written to");
	return 0;
}

static int open_device(struct export *export)
{
	struct failure *failure = export->call->failure;
	uint64_t device_bytes;

	if (!call_flag(export->call, "force")) {
		failure_set(failure, FAILURE_EXISTS, export->path,
			    "is a block device");
		failure_hint(failure, "use --force to overwrite all of it");
		return -EEXIST;
	}
	export->is_device = true;
	if (export->call->dry_run)
		return 0;
	export->fd = open(export->path, O_WRONLY | O_EXCL | O_CLOEXEC);
	if (export->fd < 0)
		return fail(export, -errno, "open the device");
	if (ioctl(export->fd, BLKGETSIZE64, &device_bytes) < 0)
		return fail(export, -errno, "ask for the device's size");
	if (device_bytes < export->size_bytes)
		return failure_set(failure, FAILURE_NO_SPACE, export->path,
				   "the device is smaller than the image");
	return 0;
}

static int open_temporary(struct export *export)
{
	mode_t mode = (mode_t)call_number(export->call, "mode", 0600) & 0777;
	int n = snprintf(export->temporary, sizeof(export->temporary),
			 "%s.XXXXXX", export->path);

	if (n < 0 || n >= (int)sizeof(export->temporary))
		return fail(export, -ENAMETOOLONG, "create it");
	export->fd = mkostemp(export->temporary, O_CLOEXEC);
	if (export->fd < 0) {
		int rc = -errno;

		export->temporary[0] = '\0';
		return fail(export, rc, "create it");
	}
	if (fchmod(export->fd, mode) < 0 ||
	    ftruncate(export->fd, (off_t) export->size_bytes) < 0)
		return fail(export, -errno, "create it");
	return 0;
}

static int open_target(struct export *export)
{
	struct failure *failure = export->call->failure;
	struct stat st;
	int rc;

	if (stat(export->path, &st) == 0) {
		rc = check_not_base(export, &st);
		if (rc < 0)
			return rc;
		if (S_ISBLK(st.st_mode))
			return open_device(export);
		if (!S_ISREG(st.st_mode))
			return failure_set(failure, FAILURE_FAILED,
					   export->path,
					   "is neither a file nor a block "
					   "device");
		if (!call_flag(export->call, "force")) {
			failure_set(failure, FAILURE_EXISTS, export->path,
				    "exists already");
			failure_hint(failure, "use --force to replace it");
			return -EEXIST;
		}
	} else if (errno != ENOENT) {
		return fail(export, -errno, "create it");
	}
	return export->call->dry_run ? 0 : open_temporary(export);
}

static bool is_zero(const uint8_t *data, size_t len_bytes)
{
	return data[0] == 0 && memcmp(data, data + 1, len_bytes - 1) == 0;
}

/* On a file, blocks of zeros stay holes. */
static int write_piece(struct export *export, uint64_t offset_bytes,
		       size_t len_bytes)
{
	size_t begin = 0, end;
	ssize_t n;

	for (; begin < len_bytes; begin = end) {
		bool zero;

		end = begin + BLOCK_BYTES < len_bytes ? begin + BLOCK_BYTES :
							len_bytes;
		if (!export->is_device &&
		    is_zero(export->buffer + begin, end - begin))
			continue;
		zero = false;
		while (end < len_bytes && !zero) {
			size_t step = len_bytes - end < BLOCK_BYTES ?
					      len_bytes - end :
					      BLOCK_BYTES;

			zero = !export->is_device &&
			       is_zero(export->buffer + end, step);
			end += zero ? 0 : step;
		}
		while (begin < end) {
			n = pwrite(export->fd, export->buffer + begin,
				   end - begin, (off_t)(offset_bytes + begin));
			if (n < 0 && errno != EINTR)
				return fail(export, -errno, "write it");
			begin += n > 0 ? (size_t)n : 0;
			export->written_bytes += n > 0 ? (uint64_t)n : 0;
		}
	}
	return 0;
}

static int copy_range(struct export *export, uint64_t begin, uint64_t end)
{
	size_t got_bytes;
	int rc = 0;

	while (rc == 0 && begin < end) {
		size_t len_bytes = end - begin < COPY_BYTES ?
					   (size_t)(end - begin) :
					   COPY_BYTES;

		rc = file_read(export->file, begin, export->buffer, len_bytes,
			       &got_bytes);
		if (rc < 0)
			return failure_errno(export->call->failure, rc, NULL,
					     "can't read the image at %llu",
					     (unsigned long long)begin);
		if (got_bytes == 0)
			break;
		rc = write_piece(export, begin, got_bytes);
		begin += got_bytes;
		if (rc == 0 && call_progress(export->call->context, begin,
					     export->size_bytes))
			rc = failure_set(export->call->failure,
					 FAILURE_INTERRUPTED, export->path,
					 "interrupted; nothing is left of it");
	}
	return rc;
}

/* A device keeps old bytes where the image has none. */
static int clear_range(struct export *export, uint64_t begin, uint64_t end)
{
	uint64_t range[2] = { begin, end - begin };

	if (!export->is_device || begin == end)
		return 0;
	if (range[0] % BLOCK_BYTES == 0 && range[1] % BLOCK_BYTES == 0 &&
	    ioctl(export->fd, BLKZEROOUT, range) == 0)
		return 0;
	return copy_range(export, begin, end);
}

static int copy(struct export *export)
{
	uint64_t at = 0, begin, end;
	int rc;

	while (at < export->size_bytes) {
		rc = file_seek(export->file, at, true, &begin);
		if (rc == -ENXIO)
			begin = export->size_bytes;
		else if (rc < 0)
			return failure_errno(export->call->failure, rc, NULL,
					     "can't read the image");
		if (begin > export->size_bytes)
			begin = export->size_bytes;
		rc = clear_range(export, at, begin);
		if (rc < 0 || begin == export->size_bytes)
			return rc;
		if (file_seek(export->file, begin, false, &end) < 0 ||
		    end > export->size_bytes)
			end = export->size_bytes;
		rc = copy_range(export, begin, end);
		if (rc < 0)
			return rc;
		at = end;
	}
	return 0;
}

static int sync_directory(const char *path)
{
	AUTO_FREE char *copy_of_path = strdup(path);
	AUTO_CLOSE int fd = -1;

	if (!copy_of_path)
		return -ENOMEM;
	fd = open(dirname(copy_of_path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int publish(struct export *export)
{
	bool force = call_flag(export->call, "force");

	if (fsync(export->fd) < 0)
		return fail(export, -errno, "write it");
	if (!export->temporary[0])
		return 0;
	if (renameat2(AT_FDCWD, export->temporary, AT_FDCWD, export->path,
		      force ? 0 : RENAME_NOREPLACE) < 0 &&
	    (errno != EINVAL || force ||
	     link(export->temporary, export->path) < 0 ||
	     unlink(export->temporary) < 0))
		return fail(export, -errno, "put it in its place");
	export->temporary[0] = '\0';
	return sync_directory(export->path);
}

static int export_view(struct call *call, struct view *view)
{
	struct export export = { .call = call,
				 .path = call_text(call, "path"),
				 .fd = -1,
				 .file = view_image(view) };
	struct file_info info;
	int rc;

	file_get_info(export.file, &info);
	export.size_bytes = info.size_bytes;
	rc = open_target(&export);
	if (rc == 0 && !call->dry_run) {
		export.buffer = malloc(COPY_BYTES);
		rc = export.buffer ? copy(&export) : -ENOMEM;
		if (rc == 0)
			rc = publish(&export);
	}
	if (export.fd >= 0)
		close(export.fd);
	if (export.temporary[0])
		unlink(export.temporary);
	free(export.buffer);
	if (rc == 0)
		rc = call_put(call, "path", json_text(export.path));
	if (rc == 0)
		rc = call_put(call, "size_bytes", json_size(export.size_bytes));
	return rc < 0 ? rc :
			call_put(call, "written_bytes",
				 json_size(export.written_bytes));
}

static int export_image(struct call *call)
{
	AUTO_FREE struct call_state *state = malloc(sizeof(*state));
	const char *path = call_text(call, "path");
	const char *format = call_text(call, "format");
	int rc;

	if (store_is_tree(call->store))
		return call_export_tree(call);
	if (format && strcmp(format, "raw") != 0) {
		rc = failure_set(call->failure, FAILURE_UNSUPPORTED, format,
				 "images are exported as raw only");
		failure_hint(call->failure, "then: qemu-img convert -f raw -O "
					    "qcow2 FILE OUT.qcow2");
		return rc;
	}
	if (call_text(call, "since"))
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "--since is for trees");
	if (*path != '/')
		return failure_set(call->failure, FAILURE_USAGE, path,
				   "the path must be absolute");
	rc = state ? call_open_state(call, state) : -ENOMEM;
	if (rc < 0)
		return rc;
	rc = export_view(call, state->view);
	view_put(state->view);
	if (rc == 0)
		rc = call_put_state(call, state);
	return rc < 0 ? rc : call_put_dry_run(call);
}

const struct method methods_export[] = {
	{ "export",
	  "branch:s snapshot:s path:S format:s force:b mode:i "
	  "since:s whiteouts:s",
	  export_image },
	{ .name = NULL },
};
