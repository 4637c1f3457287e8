/*
 * The bytes of regular files of base.
 *
 * I1: opened for reading only (rule 1), and only after an O_PATH descriptor
 *     of the same object showed the regular file that was seen: opening a
 *     fifo or a device can do things.
 * I2: bytes are given out only if the file still looked the same after they
 *     were read; once it did not, none ever are.
 * I3: a descriptor that somebody uses is not closed; at most open_files_max
 *     are open, but for those in use at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "io.h"
#include "layers.h"
#include "layers_impl.h"
#include "logging.h"

/* What tells one state of a file from another. */
struct file_state {
	dev_t device;
	ino_t inode;
	uint64_t size_bytes;
	struct timespec mtime, ctime;
};

struct base_file {
	struct base_node *node; /* held */
	int changed;		/* atomic; I2 */

	/* Guarded by files_lock: */
	struct file_state state;
	int fd; /* -1: closed, and in no list */
	unsigned users;
	struct base_file *prev, *next; /* most recently used first */
};

static struct file_state state_of(const struct base_stat *seen)
{
	return (struct file_state){
		.device = seen->stat.st_dev,
		.inode = seen->stat.st_ino,
		/* Nothing of a file that is hidden by a mount. */
		.size_bytes = seen->mounted_over ? 0 :
						   (uint64_t)seen->stat.st_size,
		.mtime = seen->stat.st_mtim,
		.ctime = seen->stat.st_ctim,
	};
}

int base_file_open(struct base_node *node, const struct base_stat *seen,
		   struct base_file **out_file)
{
	struct base_file *file;

	if (node->kind != S_IFREG >> 12 || !S_ISREG(seen->stat.st_mode))
		return -EINVAL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->node = base_node_get(node);
	file->state = state_of(seen);
	file->fd = -1;
	*out_file = file;
	return 0;
}

static struct layers_shared *shared_of(const struct base_file *file)
{
	return file->node->layers->shared;
}

void base_file_close(struct base_file *file)
{
	struct layers_shared *shared;

	if (!file)
		return;
	shared = shared_of(file);
	mutex_lock(&shared->files_lock);
	assert(file->users == 0); /* I3 */
	if (file->fd >= 0) {
		DL_DELETE(shared->files, file);
		shared->file_count--;
	}
	mutex_unlock(&shared->files_lock);
	if (file->fd >= 0)
		close(file->fd);
	base_node_put(file->node);
	free(file);
}

static int changed(struct base_file *file)
{
	if (!__atomic_exchange_n(&file->changed, 1, __ATOMIC_ACQ_REL))
		(void)base_node_changed(file->node, file->node->layer_nr);
	return -ESTALE;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_state(const struct file_state *a, const struct file_state *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size_bytes == b->size_bytes &&
	       same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

static struct file_state expected(struct base_file *file)
{
	struct layers_shared *shared = shared_of(file);
	struct file_state state;

	mutex_lock(&shared->files_lock);
	state = file->state;
	mutex_unlock(&shared->files_lock);
	return state;
}

/* Is this descriptor's object what was seen, and as it was? */
static int check(struct base_file *file, int fd)
{
	struct base_stat now = { .mounted_over = false };
	struct file_state was, is;

	if (fstat(fd, &now.stat) < 0)
		return -errno;
	was = expected(file);
	is = state_of(&now);
	return S_ISREG(now.stat.st_mode) && same_state(&was, &is) ?
		       0 :
		       changed(file);
}

/* Only the owner and root may ask for O_NOATIME. */
static int open_quietly(int dir_fd, const char *path, int flags)
{
	int fd = openat(dir_fd, path, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = openat(dir_fd, path, flags);
	return fd < 0 ? -errno : fd;
}

/* I1: what the O_PATH descriptor shows is what is opened. */
static int open_pinned(struct base_file *file, int dir_fd)
{
	AUTO_CLOSE int pin = open_beneath(dir_fd, file->node->name, O_PATH);
	char path[32];
	int fd, rc;

	if (pin < 0)
		return pin;
	rc = check(file, pin);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pin);
	fd = open_quietly(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd != -ENOENT)
		return fd;
	/* Without /proc by name: O_NONBLOCK, so that what took its place in
	 * this instant can't hang us. */
	fd = open_beneath(dir_fd, file->node->name,
			  O_RDONLY | O_NONBLOCK | O_NOCTTY);
	rc = fd < 0 ? fd : check(file, fd);
	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

static int open_again(struct base_file *file)
{
	struct base_dir dir;
	int fd = base_dir_get(file->node->parent, file->node->layer_nr, &dir);

	if (fd == 0) {
		fd = open_pinned(file, dir.fd);
		base_dir_put(file->node->parent, &dir);
	}
	/* A symlink, or a mount, that took its place or that of a parent. */
	if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR || fd == -EXDEV)
		return changed(file);
	return fd;
}

static void close_locked(struct layers_shared *shared, struct base_file *file,
			 int *out_unused_fd) REQUIRES(shared->files_lock)
{
	DL_DELETE(shared->files, file);
	shared->file_count--;
	*out_unused_fd = file->fd;
	file->fd = -1;
}

void base_file_renew(struct base_file *file, const struct base_stat *seen)
{
	const struct file_state state = state_of(seen);
	struct layers_shared *shared = shared_of(file);
	int unused = -1;

	mutex_lock(&shared->files_lock);
	if (!same_state(&file->state, &state) ||
	    __atomic_load_n(&file->changed, __ATOMIC_ACQUIRE)) {
		file->state = state;
		__atomic_store_n(&file->changed, 0, __ATOMIC_RELEASE);
		if (file->fd >= 0 && file->users == 0) /* I3 */
			close_locked(shared, file, &unused);
	}
	mutex_unlock(&shared->files_lock);
	if (unused >= 0)
		close(unused);
}

/* One that is over the bound, for the caller to close; -1: none. */
static void evict_locked(struct layers_shared *shared, int *out_unused_fd)
	REQUIRES(shared->files_lock)
{
	struct base_file *file;

	if (shared->file_count <= shared->open_files_max) /* I3 */
		return;
	for (file = shared->files->prev; file->users; file = file->prev)
		if (file == shared->files)
			return;
	close_locked(shared, file, out_unused_fd);
}

static int use_locked(struct layers_shared *shared, struct base_file *file)
	REQUIRES(shared->files_lock)
{
	if (file->fd < 0)
		return -1;
	file->users++;
	if (shared->files != file) {
		DL_DELETE(shared->files, file);
		DL_PREPEND(shared->files, file);
	}
	return file->fd;
}

/* Takes fresh over; another thread may have been faster. */
static int insert_locked(struct layers_shared *shared, struct base_file *file,
			 int fresh, int *out_unused_fd)
	REQUIRES(shared->files_lock)
{
	if (file->fd >= 0) {
		*out_unused_fd = fresh;
		return use_locked(shared, file);
	}
	file->fd = fresh;
	file->users++;
	DL_PREPEND(shared->files, file);
	shared->file_count++;
	evict_locked(shared, out_unused_fd);
	return fresh;
}

/* A descriptor that stays open until descriptor_put. */
static int descriptor_get(struct base_file *file)
{
	struct layers_shared *shared = shared_of(file);
	int unused = -1;
	int fd, fresh;

	if (__atomic_load_n(&file->changed, __ATOMIC_ACQUIRE))
		return -ESTALE; /* I2 */
	mutex_lock(&shared->files_lock);
	fd = use_locked(shared, file);
	mutex_unlock(&shared->files_lock);
	if (fd >= 0)
		return fd;
	fresh = open_again(file);
	if (fresh < 0)
		return fresh;
	mutex_lock(&shared->files_lock);
	fd = insert_locked(shared, file, fresh, &unused);
	mutex_unlock(&shared->files_lock);
	if (unused >= 0)
		close(unused);
	return fd;
}

static void descriptor_put(struct base_file *file)
{
	struct layers_shared *shared = shared_of(file);
	int unused = -1;

	mutex_lock(&shared->files_lock);
	if (--file->users == 0)
		evict_locked(shared, &unused);
	mutex_unlock(&shared->files_lock);
	if (unused >= 0)
		close(unused);
}

static int fail(struct base_file *file, int rc, uint64_t offset_bytes)
{
	char path[PATH_MAX];

	if (rc == -ESTALE)
		return rc; /* told by changed() */
	base_node_path(file->node, path, sizeof(path));
	return log_errno(rc, "base %s: %s: read at %" PRIu64,
			 file->node->layers->layer[file->node->layer_nr].path,
			 path, offset_bytes);
}

static int read_inside(struct base_file *file, uint64_t offset_bytes,
		       void *data, size_t len_bytes)
{
	int fd = descriptor_get(file);
	ssize_t n;
	int rc;

	if (fd < 0)
		return fail(file, fd, offset_bytes);
	n = io_read_full(fd, data, len_bytes, offset_bytes);
	rc = n < 0 ? (int)n : check(file, fd); /* I2 */
	if (rc == 0 && (size_t)n < len_bytes)
		rc = changed(file);
	descriptor_put(file);
	return rc < 0 ? fail(file, rc, offset_bytes) : 0;
}

int base_file_read(struct base_file *file, uint64_t offset_bytes, void *data,
		   size_t len_bytes)
{
	uint64_t size_bytes = expected(file).size_bytes;
	uint64_t left = offset_bytes < size_bytes ? size_bytes - offset_bytes :
						    0;
	size_t inside = left < len_bytes ? (size_t)left : len_bytes;
	int rc = 0;

	if (inside)
		rc = read_inside(file, offset_bytes, data, inside);
	else if (__atomic_load_n(&file->changed, __ATOMIC_ACQUIRE))
		rc = -ESTALE; /* I2 */
	if (rc == 0)
		memset((char *)data + inside, 0, len_bytes - inside);
	return rc;
}

/* A file system that can't tell has one extent of data. */
static int seek_in(uint64_t size_bytes, int fd, uint64_t offset_bytes,
		   bool want_data, uint64_t *out_offset_bytes)
{
	off_t found = lseek(fd, (off_t)offset_bytes,
			    want_data ? SEEK_DATA : SEEK_HOLE);

	if (found >= 0)
		*out_offset_bytes = (uint64_t)found < size_bytes ?
					    (uint64_t)found :
					    size_bytes;
	else if (errno == ENXIO)
		return -ENXIO;
	else
		*out_offset_bytes = want_data ? offset_bytes : size_bytes;
	return 0;
}

int base_file_seek(struct base_file *file, uint64_t offset_bytes,
		   bool want_data, uint64_t *out_offset_bytes)
{
	uint64_t size_bytes = expected(file).size_bytes, found;
	int fd, rc;

	if (offset_bytes >= size_bytes)
		return -ENXIO;
	fd = descriptor_get(file);
	if (fd < 0)
		return fail(file, fd, offset_bytes);
	rc = seek_in(size_bytes, fd, offset_bytes, want_data, &found);
	if (rc == 0 || rc == -ENXIO) {
		int now = check(file, fd); /* I2 */

		rc = now < 0 ? now : rc;
	}
	descriptor_put(file);
	if (rc == 0)
		*out_offset_bytes = found;
	return rc;
}

void base_file_will_read(struct base_file *file, uint64_t offset_bytes,
			 size_t len_bytes)
{
	int fd;

	if (offset_bytes >= expected(file).size_bytes)
		return;
	fd = descriptor_get(file);
	if (fd < 0)
		return; /* the read tells */
	(void)posix_fadvise(fd, (off_t)offset_bytes, (off_t)len_bytes,
			    POSIX_FADV_WILLNEED);
	descriptor_put(file);
}
