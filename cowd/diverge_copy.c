/*
 * Copies: what is changed for the first time moves from base into the layer
 * that a rule gives it, and the directories that it is in are made there.
 *
 * I1: a name leads to a whole copy, which is on disk, or to what was there
 *     before: a copy is made under a name that nobody sees, then renamed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "diverge_front.h"
#include "logging.h"

enum { COPY_BYTES = 1 << 20, XATTR_BYTES = 65536 };

static int copy_by_hand(int from_fd, int to_fd, off_t at, off_t end)
{
	AUTO_FREE char *buffer = malloc(COPY_BYTES);

	if (!buffer)
		return -ENOMEM;
	while (at < end) {
		size_t most = end - at < COPY_BYTES ? (size_t)(end - at) :
						      COPY_BYTES;
		ssize_t n = pread(from_fd, buffer, most, at);
		ssize_t done = n > 0 ? pwrite(to_fd, buffer, (size_t)n, at) : n;

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return 0; /* it became shorter */
		at += done;
	}
	return 0;
}

static int copy_range(int from_fd, int to_fd, off_t at, off_t end)
{
	while (at < end) {
		off_t from = at, to = at;
		ssize_t n = copy_file_range(from_fd, &from, to_fd, &to,
					    (size_t)(end - at), 0);

		if (n <= 0)
			return copy_by_hand(from_fd, to_fd, at, end);
		at += n;
	}
	return 0;
}

/* Holes stay holes. */
static int copy_data(int from_fd, int to_fd, off_t bytes)
{
	off_t at = 0;
	int rc = 0;

	if (bytes == 0)
		return 0;
	if (ioctl(to_fd, FICLONE, from_fd) == 0)
		return ftruncate(to_fd, bytes) < 0 ? -errno : 0;
	while (rc == 0 && at < bytes) {
		off_t data = lseek(from_fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			data = at; /* it can't tell */
		hole = lseek(from_fd, data, SEEK_HOLE);
		if (hole < 0 || hole > bytes)
			hole = bytes;
		rc = copy_range(from_fd, to_fd, data, hole);
		at = hole;
	}
	return rc == 0 && ftruncate(to_fd, bytes) < 0 ? -errno : rc;
}

static int copy_xattr(const char *from, const char *to, const char *name,
		      void *value)
{
	ssize_t bytes = getxattr(from, name, value, XATTR_BYTES);

	if (bytes < 0)
		return errno == ENODATA ? 0 : -errno;
	if (setxattr(to, name, value, (size_t)bytes, 0) == 0)
		return 0;
	/* Labels of the system are the new file's own; the rest is data. */
	return errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
}

static int copy_xattrs(int from_fd, int to_fd)
{
	struct diverge_fd_path from = diverge_fd_path(from_fd);
	struct diverge_fd_path to = diverge_fd_path(to_fd);
	AUTO_FREE char *names = malloc(XATTR_BYTES);
	AUTO_FREE char *value = malloc(XATTR_BYTES);
	const char *name;
	ssize_t bytes;
	int rc = 0;

	if (!names || !value)
		return -ENOMEM;
	bytes = listxattr(from.text, names, XATTR_BYTES);
	if (bytes < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (name = names; rc == 0 && name < names + bytes;
	     name += strlen(name) + 1)
		rc = copy_xattr(from.text, to.text, name, value);
	return rc;
}

/* Owner, xattrs, mode, times. */
static int copy_attributes(const struct diverge_found *from, int to_fd)
{
	struct diverge_fd_path to = diverge_fd_path(to_fd);
	struct timespec times[2] = { from->st.st_atim, from->st.st_mtim };
	mode_t mode = from->st.st_mode & 07777;
	int rc = 0;

	if (fchownat(to_fd, "", from->st.st_uid, from->st.st_gid,
		     AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0) {
		if (geteuid() == 0)
			return -errno;
		mode &= (mode_t) ~(S_ISUID | S_ISGID); /* another's */
	}
	if (!S_ISLNK(from->st.st_mode)) {
		rc = copy_xattrs(from->fd, to_fd);
		if (rc == 0 && chmod(to.text, mode) < 0)
			rc = -errno;
	}
	if (rc == 0 && utimensat(to_fd, "", times,
				 AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		rc = -errno;
	return rc;
}

/* What a copy adds to a directory nobody did there. */
static void restore_times(int fd, const struct stat *before)
{
	const struct timespec times[2] = { before->st_atim, before->st_mtim };

	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
		log_message(LOG_LEVEL_DEBUG, "a directory's times changed: %s",
			    strerror(errno));
}

int diverge_copy_directory(struct diverge *diverge,
			   const struct diverge_found *found, unsigned layer,
			   const char *to)
{
	const char *name;
	AUTO_CLOSE int parent_fd =
		diverge_layer_parent(diverge, layer, to, &name);
	AUTO_CLOSE int fd = -1;
	struct stat before;
	int rc;

	if (parent_fd < 0)
		return parent_fd;
	if (!S_ISDIR(found->st.st_mode))
		return -ENOTDIR;
	if (fstat(parent_fd, &before) < 0)
		return -errno;
	if (mkdirat(parent_fd, name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	rc = fd < 0 ? -errno : copy_attributes(found, fd);
	if (rc < 0)
		(void)unlinkat(parent_fd, name, AT_REMOVEDIR);
	restore_times(parent_fd, &before);
	return rc;
}

/* The directory of path itself, whose parent is there. */
static int make_directory(struct diverge *diverge, unsigned layer,
			  const char *path)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	int rc = diverge_find(diverge, path, &found);

	return rc < 0 ? rc :
			diverge_copy_directory(diverge, &found, layer, path);
}

int diverge_make_parents(struct diverge *diverge, unsigned layer,
			 const char *path)
{
	const char *name, *slash = path;
	char prefix[PATH_MAX];
	int fd = diverge_layer_parent(diverge, layer, path, &name);
	int rc = 0;

	if (fd >= 0)
		close(fd);
	if (fd != -ENOENT)
		return fd < 0 ? fd : 0;
	while (rc == 0 && (slash = strchr(slash, '/')) != NULL) {
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash - path),
			 path);
		fd = diverge_layer_open(diverge, layer, prefix,
					O_PATH | O_DIRECTORY);
		if (fd >= 0)
			close(fd);
		else if (fd == -ENOENT)
			rc = make_directory(diverge, layer, prefix);
		else
			rc = fd;
		slash++;
	}
	return rc;
}

/* A file of that kind under a name that nobody sees. */
static int make_object(const struct diverge_found *found, int parent_fd,
		       const char *name, off_t data_bytes)
{
	AUTO_CLOSE int from_fd = -1, to_fd = -1;
	struct diverge_fd_path from = diverge_fd_path(found->fd);
	char target[PATH_MAX + 1];
	ssize_t n;
	int rc;

	if (S_ISLNK(found->st.st_mode)) {
		n = readlinkat(found->fd, "", target, PATH_MAX);
		if (n < 0)
			return -errno;
		target[n] = '\0';
		return symlinkat(target, parent_fd, name) < 0 ? -errno : 0;
	}
	if (!S_ISREG(found->st.st_mode))
		return mknodat(parent_fd, name, found->st.st_mode & ~07777u,
			       found->st.st_rdev) < 0 ?
			       -errno :
			       0;
	from_fd = open(from.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (from_fd < 0)
		return -errno;
	to_fd = openat(parent_fd, name,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (to_fd < 0)
		return -errno;
	if (data_bytes > found->st.st_size)
		data_bytes = found->st.st_size;
	rc = copy_data(from_fd, to_fd, data_bytes);
	return rc == 0 && data_bytes > 0 && fdatasync(to_fd) < 0 ? -errno : rc;
}

int diverge_copy(struct diverge *diverge, const struct diverge_found *found,
		 unsigned layer, const char *to, off_t data_bytes)
{
	static atomic_uint counter;
	int rc = diverge_make_parents(diverge, layer, to);
	AUTO_CLOSE int parent_fd = -1, fd = -1;
	struct stat before;
	const char *name;
	char copy[64];

	if (rc < 0)
		return rc;
	parent_fd = diverge_layer_parent(diverge, layer, to, &name);
	if (parent_fd < 0)
		return parent_fd;
	if (fstat(parent_fd, &before) < 0)
		return -errno;
	if (S_ISDIR(found->st.st_mode))
		return diverge_copy_directory(diverge, found, layer, to);
	snprintf(copy, sizeof(copy), DIVERGE_COPY_NAME "%d.%u", (int)getpid(),
		 atomic_fetch_add(&counter, 1));
	rc = make_object(found, parent_fd, copy, data_bytes);
	if (rc == 0) {
		fd = openat(parent_fd, copy, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		rc = fd < 0 ? -errno : copy_attributes(found, fd);
	}
	if (rc == 0 && renameat(parent_fd, copy, parent_fd, name) < 0) /* I1 */
		rc = -errno;
	if (rc < 0 && rc != -EEXIST)
		(void)unlinkat(parent_fd, copy, 0);
	restore_times(parent_fd, &before);
	if (rc == 0)
		log_message(LOG_LEVEL_INFO, "%s: copied to %s", to,
			    diverge->layers[layer].path);
	return rc;
}

void diverge_switch_handles(struct diverge *diverge, struct diverge_node *node,
			    unsigned layer, const char *path)
{
	struct diverge_handle *handle;

	mutex_lock(&diverge->lock);
	for (handle = node->handles; handle; handle = handle->next) {
		int fd;

		if (!diverge_is_fixed(diverge, handle->layer))
			continue;
		fd = diverge_layer_open(diverge, layer, path, O_RDONLY);
		/* The number stays, whoever reads from it now. */
		if (fd >= 0 && dup3(fd, handle->fd, O_CLOEXEC) >= 0)
			handle->layer = layer;
		if (fd >= 0)
			close(fd);
	}
	mutex_unlock(&diverge->lock);
}

int diverge_make_own(fuse_req_t req, struct diverge_node *node,
		     const char *path, off_t data_bytes,
		     struct diverge_found *found)
{
	struct diverge *diverge = diverge_of(req);
	unsigned layer;
	int rc = diverge_check_change(req, path, found);

	if (rc == 0)
		diverge_keep_raw(req, path, found);
	if (rc < 0 || !diverge_is_fixed(diverge, found->layer))
		return rc;
	if (!*path)
		return -EROFS;
	rc = diverge_place(req, path, &found->st, true, &layer);
	if (rc == 0)
		rc = diverge_copy(diverge, found, layer, path, data_bytes);
	if (rc < 0)
		return rc;
	diverge_found_close(found);
	rc = diverge_find(diverge, path, found);
	if (rc == 0 && node)
		diverge_node_note_copy(diverge, node, found);
	if (rc == 0 && node && S_ISREG(found->st.st_mode))
		diverge_switch_handles(diverge, node, found->layer, path);
	return rc;
}

void diverge_touch_parent(fuse_req_t req, const char *path)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	const struct timespec now[2] = { { .tv_nsec = UTIME_OMIT },
					 { .tv_nsec = UTIME_NOW } };
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	if (!slash) {
		diverge_touch_root(diverge_of(req));
		return;
	}
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if (diverge_find(diverge_of(req), parent, &found) == 0 &&
	    diverge_make_own(req, NULL, parent, 0, &found) == 0 &&
	    utimensat(found.fd, "", now, AT_EMPTY_PATH) < 0)
		log_message(LOG_LEVEL_DEBUG, "%s: its time stays: %s", parent,
			    strerror(errno));
}
