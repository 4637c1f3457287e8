/*
 * FUSE requests on an image mount: the image, and its snapshots below
 * .snapshots.
 *
 * Node ids: 1 the root, 2 .snapshots, 16 + id a snapshot, and for the image
 * IMAGE_NODE + epoch << 32. Every request is answered exactly once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "history.h"
#include "logging.h"
#include "mount_impl.h"

enum { SNAPDIR_NODE = 2, IMAGE_NODE = 3, SNAPSHOT_NODE = 16 };

#define SNAPDIR_NAME ".snapshots"
/* The daemon is the only writer and invalidates by itself. */
#define LONG_TIMEOUT_S 86400.0

struct handle {
	struct file *file;
	uint64_t number;
	bool writable;
	struct snapshot_node *node; /* NULL: the image */
};

struct directory {
	size_t used, count;
	char *entries; /* of fuse_add_direntry */
};

static struct mount *mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

fuse_ino_t image_node(const struct mount *mount)
{
	return IMAGE_NODE +
	       ((fuse_ino_t)atomic_load(&((struct mount *)mount)->image_epoch)
		<< 32);
}

static bool is_image(fuse_ino_t node)
{
	return (node & UINT32_MAX) == IMAGE_NODE;
}

/* What a caller may see of an error inside. */
static int reply_errno(int rc)
{
	return rc == -EUCLEAN || rc == -ESTALE ? EIO : -rc;
}

static void set_time(struct timespec *time, int64_t ns)
{
	time->tv_sec = ns / 1000000000;
	time->tv_nsec = ns % 1000000000;
	if (time->tv_nsec < 0) {
		time->tv_nsec += 1000000000;
		time->tv_sec--;
	}
}

static void fill_directory(const struct mount *mount, fuse_ino_t node,
			   struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = node;
	st->st_mode = S_IFDIR | (0755 & ~mount->options.umask);
	st->st_nlink = 2;
	st->st_uid = mount->options.override_uid ? mount->options.uid :
						   geteuid();
	st->st_gid = mount->options.override_gid ? mount->options.gid :
						   getegid();
}

static void fill_file(const struct mount *mount, fuse_ino_t node,
		      struct file *file, struct stat *st)
{
	bool image = is_image(node);
	struct file_info info;

	file_get_info(file, &info);
	memset(st, 0, sizeof(*st));
	st->st_ino = image ? IMAGE_NODE : node;
	st->st_mode = S_IFREG | (info.mode & ~mount->options.umask);
	if (!image || mount->snapshot_id)
		st->st_mode &= (mode_t)~0222;
	st->st_nlink = 1;
	st->st_uid = mount->options.override_uid ? mount->options.uid :
						   info.uid;
	st->st_gid = mount->options.override_gid ? mount->options.gid :
						   info.gid;
	st->st_size = (off_t)info.size_bytes;
	st->st_blksize = BLOCK_BYTES;
	st->st_blocks = (blkcnt_t)((info.size_bytes + 511) / 512);
	set_time(&st->st_mtim, info.mtime_ns);
	set_time(&st->st_ctim, info.ctime_ns);
	set_time(&st->st_atim, info.atime_ns);
}

static struct snapshot_node *find_node(struct mount *mount, uint32_t id)
	REQUIRES(mount->lock)
{
	struct snapshot_node *node;

	for (node = mount->nodes; node; node = node->next)
		if (node->id == id)
			return node;
	return NULL;
}

static void drop_node_if_unused(struct mount *mount, struct snapshot_node *node)
	REQUIRES(mount->lock)
{
	struct snapshot_node **link = &mount->nodes;

	if (node->lookups > 0 || node->opens > 0)
		return;
	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	view_put(node->view);
	free(node);
}

void image_forget_nodes(struct mount *mount)
{
	mutex_lock(&mount->lock);
	while (mount->nodes) {
		mount->nodes->lookups = 0;
		mount->nodes->opens = 0;
		drop_node_if_unused(mount, mount->nodes);
	}
	mutex_unlock(&mount->lock);
}

/* The file behind a node; NULL: there is none. */
static struct file *node_file(struct mount *mount, fuse_ino_t node)
{
	struct snapshot_node *found;
	struct file *file = NULL;

	if (is_image(node))
		return view_image(mount->view);
	mutex_lock(&mount->lock);
	found = node >= SNAPSHOT_NODE ?
			find_node(mount, (uint32_t)(node - SNAPSHOT_NODE)) :
			NULL;
	if (found)
		file = view_image(found->view);
	mutex_unlock(&mount->lock);
	return file;
}

static void image_init(void *userdata, struct fuse_conn_info *connection)
{
	const struct mount *mount = userdata;

	connection->want &=
		~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
			    FUSE_CAP_SPLICE_MOVE);
	if (!mount->options.read_only)
		connection->want |= connection->capable &
				    FUSE_CAP_WRITEBACK_CACHE;
	connection->max_readahead = 1 << 20;
	connection->max_write = 1 << 20;
	connection->time_gran = 1;
}

static int snapshot_lookup(struct mount *mount, const char *name,
			   struct fuse_entry_param *entry)
{
	struct snapshot_node *node;
	struct snapshot_info info;
	struct view *view;
	int rc = history_find_snapshot(mount->store, mount->branch, name, &info,
				       NULL);

	if (rc < 0 || strcmp(info.name, name) != 0)
		return -ENOENT;
	mutex_lock(&mount->lock);
	node = find_node(mount, info.id);
	if (!node) {
		node = calloc(1, sizeof(*node));
		rc = node ? view_open_snapshot(mount->store, info.id, &view,
					       NULL) :
			    -ENOMEM;
		if (rc < 0) {
			free(node);
			mutex_unlock(&mount->lock);
			return rc;
		}
		node->id = info.id;
		node->view = view;
		node->next = mount->nodes;
		mount->nodes = node;
	}
	node->lookups++;
	mutex_unlock(&mount->lock);
	entry->ino = SNAPSHOT_NODE + (fuse_ino_t)info.id;
	fill_file(mount, entry->ino, view_image(node->view), &entry->attr);
	/* The name may be given to another snapshot, the content never
	 * changes. */
	entry->attr_timeout = LONG_TIMEOUT_S;
	entry->entry_timeout = 0;
	return 0;
}

static void image_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *mount = mount_of(req);
	struct fuse_entry_param entry = { 0 };
	int rc = -ENOENT;

	entry.attr_timeout = entry.entry_timeout = LONG_TIMEOUT_S;
	if (parent == SNAPDIR_NODE) {
		rc = snapshot_lookup(mount, name, &entry);
	} else if (parent == FUSE_ROOT_ID &&
		   strcmp(name, mount->options.name) == 0) {
		entry.ino = image_node(mount);
		fill_file(mount, entry.ino, view_image(mount->view),
			  &entry.attr);
		rc = 0;
	} else if (parent == FUSE_ROOT_ID && strcmp(name, SNAPDIR_NAME) == 0 &&
		   mount->options.snapdir != SNAPDIR_OFF) {
		entry.ino = SNAPDIR_NODE;
		fill_directory(mount, SNAPDIR_NODE, &entry.attr);
		rc = 0;
	}
	if (rc < 0)
		fuse_reply_err(req, reply_errno(rc));
	else
		fuse_reply_entry(req, &entry);
}

static void forget_one(struct mount *mount, fuse_ino_t node, uint64_t count)
{
	struct snapshot_node *found;

	if (node < SNAPSHOT_NODE || is_image(node))
		return;
	mutex_lock(&mount->lock);
	found = find_node(mount, (uint32_t)(node - SNAPSHOT_NODE));
	if (found) {
		found->lookups -= count < found->lookups ? count :
							   found->lookups;
		drop_node_if_unused(mount, found);
	}
	mutex_unlock(&mount->lock);
}

static void image_forget(fuse_req_t req, fuse_ino_t node, uint64_t count)
{
	forget_one(mount_of(req), node, count);
	fuse_reply_none(req);
}

static void image_forget_multi(fuse_req_t req, size_t count,
			       struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		forget_one(mount_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void reply_attributes(fuse_req_t req, fuse_ino_t node)
{
	struct mount *mount = mount_of(req);
	struct file *file;
	struct stat st;

	if (node == FUSE_ROOT_ID || node == SNAPDIR_NODE) {
		fill_directory(mount, node, &st);
		fuse_reply_attr(req, &st, LONG_TIMEOUT_S);
		return;
	}
	file = node_file(mount, node);
	if (!file) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	fill_file(mount, node, file, &st);
	fuse_reply_attr(req, &st, LONG_TIMEOUT_S);
}

static void image_getattr(fuse_req_t req, fuse_ino_t node,
			  struct fuse_file_info *fi)
{
	(void)fi;
	reply_attributes(req, node);
}

/* Requests on the image hold the gate, so that revoking waits for them.
 * False: the handle was revoked. */
static bool enter(struct mount *mount, const struct handle *handle)
{
	pthread_rwlock_rdlock(&mount->gate);
	if (!handle || handle->node || handle->number >= mount->revoked_before)
		return true;
	pthread_rwlock_unlock(&mount->gate);
	return false;
}

static void leave(struct mount *mount)
{
	pthread_rwlock_unlock(&mount->gate);
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}

static int64_t time_ns(const struct timespec *time)
{
	return time->tv_sec * INT64_C(1000000000) + time->tv_nsec;
}

static int set_attributes(struct file *file, const struct stat *st, int to_set)
{
	const int others = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
			   FUSE_SET_ATTR_GID | FUSE_SET_ATTR_ATIME |
			   FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			   FUSE_SET_ATTR_MTIME_NOW;
	struct file_info info;
	struct timespec now;
	int rc = 0;

	if (to_set & FUSE_SET_ATTR_SIZE)
		rc = file_resize(file, (uint64_t)st->st_size);
	if (rc < 0 || !(to_set & others))
		return rc;
	file_get_info(file, &info);
	clock_gettime(CLOCK_REALTIME, &now);
	if (to_set & FUSE_SET_ATTR_MODE)
		info.mode = st->st_mode & 07777;
	if (to_set & FUSE_SET_ATTR_UID)
		info.uid = st->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		info.gid = st->st_gid;
	if (to_set & FUSE_SET_ATTR_ATIME)
		info.atime_ns = time_ns(&st->st_atim);
	if (to_set & FUSE_SET_ATTR_MTIME)
		info.mtime_ns = time_ns(&st->st_mtim);
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		info.atime_ns = time_ns(&now);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		info.mtime_ns = time_ns(&now);
	return file_set_info(file, &info);
}

static void image_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st,
			  int to_set, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	int rc;

	if (!is_image(node)) {
		fuse_reply_err(req, node < SNAPSHOT_NODE ? EPERM : EROFS);
		return;
	}
	if (mount->options.read_only) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (!enter(mount, handle_of(fi))) {
		fuse_reply_err(req, EIO);
		return;
	}
	rc = set_attributes(view_image(mount->view), st, to_set);
	leave(mount);
	if (rc < 0)
		fuse_reply_err(req, reply_errno(rc));
	else
		reply_attributes(req, node);
}

static void count_handle(struct mount *mount, const struct handle *handle,
			 int change)
{
	if (handle->node)
		return;
	if (handle->writable)
		atomic_fetch_add(&mount->writers, (unsigned)change);
	else
		atomic_fetch_add(&mount->readers, (unsigned)change);
}

static void image_open(fuse_req_t req, fuse_ino_t node,
		       struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	bool writable = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct handle *handle;

	if (writable && (!is_image(node) || mount->options.read_only)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	handle = calloc(1, sizeof(*handle));
	if (!handle) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	handle->writable = writable;
	handle->file = node_file(mount, node);
	if (!handle->file) {
		free(handle);
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (!is_image(node)) {
		mutex_lock(&mount->lock);
		handle->node =
			find_node(mount, (uint32_t)(node - SNAPSHOT_NODE));
		handle->node->opens++;
		mutex_unlock(&mount->lock);
	}
	pthread_rwlock_rdlock(&mount->gate);
	handle->number = atomic_fetch_add(&mount->opened, 1);
	count_handle(mount, handle, 1);
	pthread_rwlock_unlock(&mount->gate);
	fi->fh = (uintptr_t)handle;
	fi->keep_cache = 1;
	if (fuse_reply_open(req, fi) == -ENOENT) { /* interrupted */
		count_handle(mount, handle, -1);
		free(handle);
	}
}

static void image_release(fuse_req_t req, fuse_ino_t node,
			  struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct handle *handle = handle_of(fi);

	(void)node;
	count_handle(mount, handle, -1);
	if (handle->node) {
		mutex_lock(&mount->lock);
		handle->node->opens--;
		drop_node_if_unused(mount, handle->node);
		mutex_unlock(&mount->lock);
	}
	free(handle);
	fuse_reply_err(req, 0);
}

static void image_read(fuse_req_t req, fuse_ino_t node, size_t size,
		       off_t offset, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct handle *handle = handle_of(fi);
	AUTO_FREE char *data = malloc(size);
	size_t len_bytes = 0;
	int rc;

	(void)node;
	if (!data) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (!enter(mount, handle)) {
		fuse_reply_err(req, EIO);
		return;
	}
	rc = file_read(handle->file, (uint64_t)offset, data, size, &len_bytes);
	leave(mount);
	if (rc < 0)
		fuse_reply_err(req, reply_errno(rc));
	else
		fuse_reply_buf(req, data, len_bytes);
}

static void image_write(fuse_req_t req, fuse_ino_t node, const char *data,
			size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct handle *handle = handle_of(fi);
	int rc;

	(void)node;
	if (!enter(mount, handle)) {
		fuse_reply_err(req, EIO);
		return;
	}
	rc = file_write(handle->file, (uint64_t)offset, data, size);
	leave(mount);
	if (rc < 0)
		fuse_reply_err(req, reply_errno(rc));
	else
		fuse_reply_write(req, size);
}

static void image_flush(fuse_req_t req, fuse_ino_t node,
			struct fuse_file_info *fi)
{
	(void)node, (void)fi;
	fuse_reply_err(req, 0);
}

static void image_fsync(fuse_req_t req, fuse_ino_t node, int datasync,
			struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct handle *handle = handle_of(fi);
	int rc = 0;

	(void)node, (void)datasync;
	if (enter(mount, handle)) {
		rc = file_sync(handle->file);
		leave(mount);
	}
	fuse_reply_err(req, reply_errno(rc));
}

static void image_fsyncdir(fuse_req_t req, fuse_ino_t node, int datasync,
			   struct fuse_file_info *fi)
{
	(void)node, (void)datasync, (void)fi;
	fuse_reply_err(req, reply_errno(store_sync(mount_of(req)->store)));
}

static int change_range(struct file *file, int mode, uint64_t offset_bytes,
			uint64_t len_bytes)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
			  FALLOC_FL_ZERO_RANGE;
	struct file_info info;
	int rc = 0;

	if (mode & ~known)
		return -EOPNOTSUPP;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		rc = file_zero(file, offset_bytes, len_bytes);
	file_get_info(file, &info);
	if (rc == 0 && !(mode & FALLOC_FL_KEEP_SIZE) &&
	    offset_bytes + len_bytes > info.size_bytes)
		rc = file_resize(file, offset_bytes + len_bytes);
	return rc;
}

static void image_fallocate(fuse_req_t req, fuse_ino_t node, int mode,
			    off_t offset, off_t length,
			    struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct handle *handle = handle_of(fi);
	int rc;

	(void)node;
	if (!enter(mount, handle)) {
		fuse_reply_err(req, EIO);
		return;
	}
	rc = change_range(handle->file, mode, (uint64_t)offset,
			  (uint64_t)length);
	leave(mount);
	fuse_reply_err(req, reply_errno(rc));
}

int image_write_back(struct mount *mount, bool with_times)
{
	char path[4096 + STORE_NAME_BYTES_MAX + 2];
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (mount->options.read_only || mount->snapshot_id)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", mount->mountpoint,
		 mount->options.name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (mount->device && st.st_dev != mount->device)
		return -ENOENT; /* something is mounted over it */
	/* fsync would wait for the inode lock that lseek holds. */
	if (sync_file_range(fd, 0, 0,
			    SYNC_FILE_RANGE_WAIT_BEFORE |
				    SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER) < 0)
		return -errno;
	if (with_times && fsync(fd) < 0)
		return -errno;
	return 0;
}

struct seek {
	fuse_req_t req;
	struct mount *mount;
	struct file *file;
	off_t offset;
	bool want_data;
};

static void *seek_after_write_back(void *context)
{
	struct seek *seek = context;
	uint64_t found;
	int rc;

	if (seek->mount)
		(void)!image_write_back(seek->mount, false);
	rc = file_seek(seek->file, (uint64_t)seek->offset, seek->want_data,
		       &found);
	if (rc < 0)
		fuse_reply_err(seek->req, reply_errno(rc));
	else
		fuse_reply_lseek(seek->req, (off_t)found);
	free(seek);
	return NULL;
}

/*
 * The kernel asks without writing its dirty pages back first, and this
 * request's own thread must not wait for them: they come as requests.
 */
static void image_lseek(fuse_req_t req, fuse_ino_t node, off_t offset,
			int whence, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct handle *handle = handle_of(fi);
	struct seek *seek = calloc(1, sizeof(*seek));
	pthread_attr_t attributes;
	pthread_t thread;

	(void)node;
	if (!seek || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
		free(seek);
		fuse_reply_err(req, seek ? EINVAL : ENOMEM);
		return;
	}
	*seek = (struct seek){ req, mount, handle->file, offset,
			       whence == SEEK_DATA };
	if (handle->node || atomic_load(&mount->writers) == 0) {
		/* Mappings keep their handle open: nothing can be dirty. */
		seek->mount = NULL;
		seek_after_write_back(seek);
		return;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, seek_after_write_back, seek))
		seek_after_write_back(seek);
	pthread_attr_destroy(&attributes);
}

static void image_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct mount *mount = mount_of(req);
	struct store_status status;
	struct statvfs vfs;

	(void)node;
	store_status(mount->store, &status);
	if (statvfs(status.path, &vfs) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &vfs);
}

static int add_entry(fuse_req_t req, struct directory *directory,
		     const char *name, fuse_ino_t node, mode_t mode)
{
	struct stat st = { .st_ino = node, .st_mode = mode };
	size_t bytes = fuse_add_direntry(req, NULL, 0, name, NULL, 0);
	char *grown = realloc(directory->entries, directory->used + bytes);

	if (!grown)
		return -ENOMEM;
	directory->entries = grown;
	fuse_add_direntry(req, grown + directory->used, bytes, name, &st,
			  (off_t)(directory->used + bytes));
	directory->used += bytes;
	return 0;
}

static int list_snapshots(fuse_req_t req, struct directory *directory)
{
	struct mount *mount = mount_of(req);
	struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc = history_snapshots(mount->store, mount->branch, false, &list,
				   &count, NULL);

	for (i = 0; i < count && rc == 0; i++)
		rc = add_entry(req, directory, list[i].name,
			       SNAPSHOT_NODE + (fuse_ino_t)list[i].id, S_IFREG);
	free(list);
	return rc;
}

/* The listing as of opendir: stable under change, seekable. */
static void image_opendir(fuse_req_t req, fuse_ino_t node,
			  struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct directory *directory = calloc(1, sizeof(*directory));
	int rc = directory ? 0 : -ENOMEM;

	if (node != FUSE_ROOT_ID && node != SNAPDIR_NODE)
		rc = -ENOTDIR;
	if (rc == 0)
		rc = add_entry(req, directory, ".", node, S_IFDIR);
	if (rc == 0)
		rc = add_entry(req, directory, "..", FUSE_ROOT_ID, S_IFDIR);
	if (rc == 0 && node == FUSE_ROOT_ID)
		rc = add_entry(req, directory, mount->options.name, IMAGE_NODE,
			       S_IFREG);
	if (rc == 0 && node == FUSE_ROOT_ID &&
	    mount->options.snapdir == SNAPDIR_VISIBLE)
		rc = add_entry(req, directory, SNAPDIR_NAME, SNAPDIR_NODE,
			       S_IFDIR);
	if (rc == 0 && node == SNAPDIR_NODE)
		rc = list_snapshots(req, directory);
	if (rc < 0) {
		if (directory)
			free(directory->entries);
		free(directory);
		fuse_reply_err(req, reply_errno(rc));
		return;
	}
	fi->fh = (uintptr_t)directory;
	fuse_reply_open(req, fi);
}

static void image_readdir(fuse_req_t req, fuse_ino_t node, size_t size,
			  off_t offset, struct fuse_file_info *fi)
{
	struct directory *directory = (struct directory *)(uintptr_t)fi->fh;
	size_t begin = (size_t)offset, end = begin;
	size_t entry_bytes;

	(void)node;
	/* Only whole entries fit. An entry's size is told by its name. */
	while (end < directory->used) {
		uint32_t name_bytes;

		memcpy(&name_bytes, directory->entries + end + 16, 4);
		entry_bytes = (24 + name_bytes + 7) & ~(size_t)7;
		if (end + entry_bytes - begin > size)
			break;
		end += entry_bytes;
	}
	fuse_reply_buf(req, directory->entries + begin, end - begin);
}

static void image_releasedir(fuse_req_t req, fuse_ino_t node,
			     struct fuse_file_info *fi)
{
	struct directory *directory = (struct directory *)(uintptr_t)fi->fh;

	(void)node;
	free(directory->entries);
	free(directory);
	fuse_reply_err(req, 0);
}

static void image_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			 mode_t mode, struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, mount_of(req)->options.read_only ? EROFS : EPERM);
}

static void image_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, dev_t device)
{
	(void)parent, (void)name, (void)mode, (void)device;
	fuse_reply_err(req, mount_of(req)->options.read_only ? EROFS : EPERM);
}

static void image_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	fuse_reply_err(req, mount_of(req)->options.read_only ? EROFS : EPERM);
}

static void image_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, mount_of(req)->options.read_only ? EROFS : EPERM);
}

const struct fuse_lowlevel_ops image_operations = {
	.init = image_init,
	.lookup = image_lookup,
	.forget = image_forget,
	.forget_multi = image_forget_multi,
	.getattr = image_getattr,
	.setattr = image_setattr,
	.open = image_open,
	.release = image_release,
	.read = image_read,
	.write = image_write,
	.flush = image_flush,
	.fsync = image_fsync,
	.fsyncdir = image_fsyncdir,
	.fallocate = image_fallocate,
	.lseek = image_lseek,
	.statfs = image_statfs,
	.opendir = image_opendir,
	.readdir = image_readdir,
	.releasedir = image_releasedir,
	.create = image_create,
	.mknod = image_mknod,
	.mkdir = image_mkdir,
	.unlink = image_unlink,
	.rmdir = image_unlink,
};
