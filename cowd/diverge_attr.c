/* Attributes. A directory has those of the topmost layer that has it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "diverge_front.h"

static void override(const struct mount_options *options, struct stat *st)
{
	if (options->override_mode)
		st->st_mode = (st->st_mode & S_IFMT) | (0777 & ~options->umask);
	if (options->override_uid)
		st->st_uid = options->uid;
	if (options->override_gid)
		st->st_gid = options->gid;
}

void diverge_fill_stat(struct diverge *diverge, struct diverge_node *node,
		       const struct diverge_found *found, struct stat *st)
{
	*st = found->st;
	st->st_ino = diverge_shown_inode(diverge, node, found);
	if (S_ISDIR(st->st_mode))
		st->st_nlink = 1; /* nobody counts what is in it */
	if (node != diverge->root && !node->names &&
	    (S_ISDIR(st->st_mode) || diverge_is_fixed(diverge, found->layer)))
		st->st_nlink =
			0; /* what base has is not the mount's any more */
	if (node == diverge->root)
		diverge_apply_root(diverge, st);
	override(diverge->options, st);
}

/* What the root is, whatever is above it. */
static int find_root(const struct diverge *diverge, struct diverge_found *found)
{
	unsigned layer = diverge_base(diverge);
	int fd = diverge_layer_open(diverge, layer, "", O_PATH);
	int rc = 0;

	if (fd < 0)
		return fd;
	found->fd = fd;
	found->layer = layer;
	if (fstat(fd, &found->st) < 0)
		rc = -errno;
	return rc;
}

int diverge_find_node(const struct diverge_request *request,
		      struct diverge_found *found)
{
	struct diverge *diverge = request->diverge;
	struct diverge_handle *handle;
	int rc = -ESTALE;

	if (request->has_path)
		return *request->path ?
			       diverge_find(diverge, request->path, found) :
			       find_root(diverge, found);
	mutex_lock(&diverge->lock);
	handle = request->node->handles;
	if (handle) {
		found->fd = fcntl(handle->fd, F_DUPFD_CLOEXEC, 3);
		found->layer = handle->layer;
		rc = found->fd < 0 ? -errno : 0;
	}
	mutex_unlock(&diverge->lock);
	if (rc == 0 && fstat(found->fd, &found->st) < 0)
		rc = -errno;
	return rc;
}

int diverge_fill_entry(fuse_req_t req, struct diverge_node *parent,
		       const char *path, struct diverge_node **out_node,
		       struct fuse_entry_param *entry)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge *diverge = diverge_of(req);
	const char *slash = strrchr(path, '/');
	int rc = diverge_see(req, path, &found);

	if (rc == 0)
		rc = diverge_node_know(diverge, parent,
				       slash ? slash + 1 : path, &found,
				       out_node);
	if (rc < 0)
		return rc;
	entry->ino = (*out_node)->id;
	entry->entry_timeout = diverge->options->entry_timeout_s;
	diverge_fill_stat(diverge, *out_node, &found, &entry->attr);
	entry->attr_timeout = diverge->options->attr_timeout_s;
	return 0;
}

void diverge_reply_entry(fuse_req_t req, struct diverge_node *parent,
			 const char *path, int rc, fuse_ino_t *out_known,
			 struct fuse_entry_param *entry)
{
	struct diverge *diverge = diverge_of(req);
	struct diverge_node *node;

	memset(entry, 0, sizeof(*entry));
	if (rc == 0)
		rc = diverge_fill_entry(req, parent, path, &node, entry);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	if (out_known)
		*out_known = node->id;
	else if (fuse_reply_entry(req, entry) == -ENOENT)
		diverge_node_put(diverge, node, 1); /* interrupted */
}

void diverge_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge *diverge = diverge_of(req);
	struct diverge_request request;
	struct stat st;
	int rc = diverge_begin(&request, req, id, NULL, false);

	(void)fi;
	if (rc == 0) {
		rc = diverge_find_node(&request, &found);
		if (rc == 0)
			diverge_fill_stat(diverge, request.node, &found, &st);
		diverge_end(&request);
	}
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_attr(req, &st, diverge->options->attr_timeout_s);
}

static int set_size(fuse_req_t req, const struct diverge_request *request,
		    const struct diverge_found *found,
		    const struct diverge_handle *handle, off_t size_bytes)
{
	AUTO_CLOSE int fd = -1;

	if (handle && !diverge_is_fixed(request->diverge, handle->layer)) {
		diverge_kill_mode(req, handle->fd);
		return ftruncate(handle->fd, size_bytes) < 0 ? -errno : 0;
	}
	if (!request->has_path)
		return -EROFS;
	fd = diverge_layer_open(request->diverge, found->layer, request->path,
				O_WRONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	diverge_kill_mode(req, fd);
	return ftruncate(fd, size_bytes) < 0 ? -errno : 0;
}

static struct timespec time_to_set(const struct timespec *time, int to_set,
				   int bit, int now_bit)
{
	struct timespec omit = { .tv_nsec = UTIME_OMIT };
	struct timespec now = { .tv_nsec = UTIME_NOW };

	return to_set & now_bit ? now : to_set & bit ? *time : omit;
}

/* The owner before the mode, which a change of the owner may cut down. */
static int set_rest(const struct diverge_found *found, const struct stat *st,
		    int to_set)
{
	struct diverge_fd_path path = diverge_fd_path(found->fd);
	const struct timespec times[2] = {
		time_to_set(&st->st_atim, to_set, FUSE_SET_ATTR_ATIME,
			    FUSE_SET_ATTR_ATIME_NOW),
		time_to_set(&st->st_mtim, to_set, FUSE_SET_ATTR_MTIME,
			    FUSE_SET_ATTR_MTIME_NOW),
	};
	const int of_time = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW |
			    FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW;

	/* chown(-1, -1), too, is a change: of the time. */
	if ((!to_set || (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))) &&
	    fchownat(found->fd, "",
		     to_set & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1,
		     to_set & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1,
		     AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((to_set & FUSE_SET_ATTR_MODE) &&
	    chmod(path.text, st->st_mode & 07777) < 0)
		return -errno;
	if ((to_set & of_time) &&
	    utimensat(found->fd, "", times,
		      AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int set_attr(fuse_req_t req, const struct diverge_request *request,
		    const struct stat *st, int to_set,
		    const struct diverge_handle *handle,
		    struct diverge_found *found)
{
	struct diverge *diverge = request->diverge;
	off_t data_bytes = to_set & FUSE_SET_ATTR_SIZE ? st->st_size :
							 INT64_MAX;
	int rc = diverge_find_node(request, found);

	if (rc < 0)
		return rc;
	if (request->node == diverge->root &&
	    diverge_is_fixed(diverge, found->layer)) {
		diverge_set_root(diverge, st, to_set);
		return 0;
	}
	if (request->has_path)
		rc = diverge_make_own(req, request->node, request->path,
				      data_bytes, found);
	else if (diverge_is_fixed(diverge, found->layer))
		rc = -EROFS;
	if (rc == 0 && (to_set & FUSE_SET_ATTR_SIZE))
		rc = set_size(req, request, found, handle, st->st_size);
	if (rc == 0)
		rc = set_rest(found, st, to_set);
	if (rc == 0 && fstat(found->fd, &found->st) < 0)
		rc = -errno;
	return rc;
}

void diverge_setattr(fuse_req_t req, fuse_ino_t id, struct stat *st, int to_set,
		     struct fuse_file_info *fi)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge *diverge = diverge_of(req);
	struct diverge_request request;
	struct stat now;
	int rc = diverge_begin(&request, req, id, NULL, true);

	if (rc == 0) {
		rc = set_attr(req, &request, st, to_set, diverge_handle(fi),
			      &found);
		if (rc == 0)
			diverge_fill_stat(diverge, request.node, &found, &now);
		diverge_end(&request);
	}
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_attr(req, &now, diverge->options->attr_timeout_s);
}

void diverge_statfs(fuse_req_t req, fuse_ino_t id)
{
	const struct diverge *diverge = diverge_of(req);
	struct statvfs vfs;

	(void)id;
	/* Where the next file is likely to go: the first rule's, or the
	 * store. */
	if (fstatvfs(diverge->layers[diverge->holes ? 0 : diverge_base(diverge)]
			     .fd,
		     &vfs) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &vfs);
}
