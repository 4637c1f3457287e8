/* Names: looking them up, and making new ones. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "diverge_front.h"
#include "logging.h"

void diverge_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct diverge_request request;
	struct fuse_entry_param entry;
	int rc = diverge_begin(&request, req, parent, name, false);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	diverge_reply_entry(req, request.node, request.path, 0, NULL, &entry);
	diverge_end(&request);
}

static void forget(struct diverge *diverge, fuse_ino_t id, uint64_t count)
{
	struct diverge_node *node;

	if (id == FUSE_ROOT_ID || diverge_node_get(diverge, id, &node) < 0)
		return;
	diverge_node_put(diverge, node, count + 1);
}

void diverge_forget(fuse_req_t req, fuse_ino_t id, uint64_t count)
{
	forget(diverge_of(req), id, count);
	fuse_reply_none(req);
}

void diverge_forget_multi(fuse_req_t req, size_t count,
			  struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		forget(diverge_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* What is made. */
struct making {
	mode_t mode; /* with the type */
	dev_t device;
	const char *target; /* of a symlink */
	int flags;	    /* of a file that is opened, too */
	int fd;		    /* that, or -1 */
	unsigned layer;
};

static int make_object(int parent_fd, const char *name, struct making *making)
{
	int rc;

	if (S_ISLNK(making->mode))
		rc = symlinkat(making->target, parent_fd, name);
	else if (S_ISDIR(making->mode))
		rc = mkdirat(parent_fd, name, making->mode & 07777);
	else if (!S_ISREG(making->mode) || making->flags < 0)
		rc = mknodat(parent_fd, name, making->mode, making->device);
	else
		rc = making->fd = openat(parent_fd, name,
					 making->flags | O_CREAT | O_EXCL,
					 making->mode & 07777);
	return rc < 0 ? -errno : 0;
}

/* Group and setgid bit of the directory, as the mount shows it. */
static int stat_parent(struct diverge *diverge, const char *path,
		       struct stat *st)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	const char *slash = strrchr(path, '/');
	struct diverge_request parent = { .diverge = diverge,
					  .has_path = true };
	int rc;

	snprintf(parent.path, sizeof(parent.path), "%.*s",
		 slash ? (int)(slash - path) : 0, path);
	rc = diverge_find_node(&parent, &found);
	if (rc == 0)
		*st = found.st;
	if (rc == 0 && !slash)
		diverge_apply_root(diverge, st);
	return rc;
}

/* The daemon of root makes for others. A set-group-ID directory hands its
 * group down, and to directories the bit. */
static int give_owner(fuse_req_t req, int parent_fd, const char *name,
		      const char *path, const struct making *making)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	mode_t bits = making->mode & (S_ISUID | S_ISGID);
	struct stat parent, made;
	int rc;

	if (geteuid() != 0)
		return 0;
	rc = stat_parent(diverge_of(req), path, &parent);
	if (rc < 0)
		return rc;
	if (fchownat(parent_fd, name, context->uid,
		     parent.st_mode & S_ISGID ? parent.st_gid : context->gid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(making->mode) && (parent.st_mode & S_ISGID))
		bits |= S_ISGID;
	/* A change of the owner takes these away; mkdir does not give them. */
	if (S_ISLNK(making->mode) || !bits)
		return 0;
	if (fstatat(parent_fd, name, &made, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(parent_fd, name, (made.st_mode & 07777) | bits, 0) < 0)
		return -errno;
	return 0;
}

#define DEFAULT_LIST "system.posix_acl_default"

enum { LIST_BYTES_MAX = 65536 };

/* A default list of the directory takes the place of the umask. */
static mode_t mask_mode(fuse_req_t req, int parent_fd, mode_t mode)
{
	struct diverge_fd_path path = diverge_fd_path(parent_fd);

	if (S_ISLNK(mode) || getxattr(path.text, DEFAULT_LIST, NULL, 0) > 0)
		return mode;
	return mode & ~(fuse_req_ctx(req)->umask & 0777);
}

/* What is made gets the default list of the directory as the mount shows it:
 * that of another layer. */
static void hand_list_down(const struct diverge *diverge, const char *path,
			   unsigned layer, int parent_fd)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge_fd_path own = diverge_fd_path(parent_fd), shown;
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *list = malloc(LIST_BYTES_MAX);
	char parent[PATH_MAX];
	ssize_t bytes;

	if (!slash || !list)
		return;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if (diverge_find(diverge, parent, &found) < 0 || found.layer == layer)
		return;
	shown = diverge_fd_path(found.fd);
	bytes = getxattr(shown.text, DEFAULT_LIST, list, LIST_BYTES_MAX);
	if ((bytes < 0 ? removexattr(own.text, DEFAULT_LIST) :
			 setxattr(own.text, DEFAULT_LIST, list, (size_t)bytes,
				  0)) < 0 &&
	    errno != ENODATA)
		log_message(LOG_LEVEL_DEBUG, "%s: its default list stays: %s",
			    parent, strerror(errno));
}

static int make_in(fuse_req_t req, const char *path, struct making *making)
{
	struct diverge *diverge = diverge_of(req);
	AUTO_CLOSE int parent_fd = -1;
	const char *name;
	int rc = diverge_make_parents(diverge, making->layer, path);

	if (rc < 0)
		return rc;
	parent_fd = diverge_layer_parent(diverge, making->layer, path, &name);
	if (parent_fd < 0)
		return parent_fd;
	hand_list_down(diverge, path, making->layer, parent_fd);
	making->mode = mask_mode(req, parent_fd, making->mode);
	rc = diverge_clear_masked(diverge, path);
	if (rc == 0)
		rc = make_object(parent_fd, name, making);
	if (rc < 0)
		return rc;
	rc = give_owner(req, parent_fd, name, path, making);
	if (rc == 0)
		rc = diverge_unmask(diverge, path, making->mode & S_IFMT);
	if (rc < 0)
		(void)unlinkat(parent_fd, name,
			       S_ISDIR(making->mode) ? AT_REMOVEDIR : 0);
	return rc;
}

/* With names held exclusively. */
static int make(fuse_req_t req, const char *path, struct making *making)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	const struct fuse_ctx *context = fuse_req_ctx(req);
	struct diverge *diverge = diverge_of(req);
	struct stat st = { .st_mode = making->mode & ~(context->umask & 0777),
			   .st_uid = context->uid,
			   .st_gid = context->gid };
	int rc = diverge_find(diverge, path, &found);

	if (rc == 0)
		return diverge_is_hidden(req, path, &found) ? -EROFS : -EEXIST;
	if (rc != -ENOENT)
		return rc;
	rc = diverge_place(req, path, &st, false, &making->layer);
	if (rc == 0)
		rc = make_in(req, path, making);
	if (rc == 0 && !strchr(path, '/'))
		diverge_touch_root(diverge);
	if (rc == 0 && diverge->keeps_raw &&
	    diverge_find(diverge, path, &found) == 0)
		diverge_keep_raw(req, path, &found);
	if (rc == 0)
		log_message(LOG_LEVEL_INFO, "%s: made in %s", path,
			    diverge->layers[making->layer].path);
	else if (rc == -EROFS)
		log_message(LOG_LEVEL_INFO, "%s: no rule lets it be made",
			    path);
	else
		log_message(LOG_LEVEL_WARNING, "%s: can't be made: %s", path,
			    strerror(-rc));
	return rc;
}

static void make_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			   struct making *making)
{
	struct diverge_request request;
	struct fuse_entry_param entry;
	int rc = diverge_begin(&request, req, parent, name, true);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = make(req, request.path, making);
	diverge_reply_entry(req, request.node, request.path, rc, NULL, &entry);
	diverge_end(&request);
}

void diverge_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode, dev_t device)
{
	struct making making = { .mode = mode & S_IFMT ? mode : mode | S_IFREG,
				 .device = device,
				 .flags = -1,
				 .fd = -1 };

	make_and_reply(req, parent, name, &making);
}

void diverge_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode)
{
	struct making making = { .mode = S_IFDIR | (mode & 07777), .fd = -1 };

	make_and_reply(req, parent, name, &making);
}

void diverge_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		     const char *name)
{
	struct making making = { .mode = S_IFLNK | 0777,
				 .target = target,
				 .fd = -1 };

	make_and_reply(req, parent, name, &making);
}

/* The name came to be since the kernel asked for it. */
static int open_existing(fuse_req_t req, const struct diverge_request *request,
			 struct making *making)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	int rc = diverge_see(req, request->path, &found);

	if (rc == 0)
		rc = diverge_make_own(req, NULL, request->path, INT64_MAX,
				      &found);
	if (rc == 0)
		rc = making->fd = diverge_layer_open(
			request->diverge, found.layer, request->path,
			making->flags | O_NONBLOCK);
	making->layer = found.layer;
	return rc < 0 ? rc : 0;
}

static void reply_create(fuse_req_t req, struct diverge_request *request,
			 struct making *making, int rc,
			 struct fuse_file_info *fi)
{
	struct diverge *diverge = request->diverge;
	struct fuse_entry_param entry;
	struct diverge_node *node;
	fuse_ino_t known = 0;

	diverge_reply_entry(req, request->node, request->path, rc, &known,
			    &entry);
	if (!known) {
		if (making->fd >= 0)
			close(making->fd);
		return;
	}
	rc = diverge_node_get(diverge, known, &node);
	if (rc == 0) {
		rc = diverge_handle_new(diverge, node, making->fd,
					making->layer, fi);
		diverge_node_put(diverge, node, 1);
	}
	if (rc < 0) {
		forget(diverge, known, 1);
		fuse_reply_err(req, -rc);
	} else if (fuse_reply_create(req, &entry, fi) == -ENOENT) {
		diverge_handle_free(diverge, diverge_handle(fi));
		forget(diverge, known, 1);
	}
}

void diverge_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		    mode_t mode, struct fuse_file_info *fi)
{
	struct making making = { .mode = S_IFREG | (mode & 07777),
				 .flags = diverge_open_flags(fi->flags),
				 .fd = -1 };
	struct diverge_request request;
	int rc = diverge_begin(&request, req, parent, name, true);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = make(req, request.path, &making);
	if (rc == -EEXIST && !(fi->flags & O_EXCL))
		rc = open_existing(req, &request, &making);
	reply_create(req, &request, &making, rc, fi);
	diverge_end(&request);
}

/* Another name stays in the layer that has the file. */
static int link_found(struct diverge *diverge,
		      const struct diverge_found *found, const char *new_path)
{
	struct diverge_fd_path from = diverge_fd_path(found->fd);
	int rc = diverge_make_parents(diverge, found->layer, new_path);
	AUTO_CLOSE int to_fd = -1;
	const char *name;

	if (rc == 0)
		rc = diverge_clear_masked(diverge, new_path);
	if (rc < 0)
		return rc;
	to_fd = diverge_layer_parent(diverge, found->layer, new_path, &name);
	if (to_fd < 0)
		return to_fd;
	if (linkat(AT_FDCWD, from.text, to_fd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	rc = diverge_unmask(diverge, new_path, found->st.st_mode & S_IFMT);
	if (rc < 0)
		(void)unlinkat(to_fd, name, 0);
	else if (!strchr(new_path, '/'))
		diverge_touch_root(diverge);
	return rc;
}

/* file: it may have lost its name, and have another one still. */
static int link_file(fuse_req_t req, struct diverge_request *file,
		     const char *new_path)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	AUTO_FOUND struct diverge_found there = DIVERGE_FOUND_NONE;
	struct diverge *diverge = diverge_of(req);
	unsigned layer;
	int rc = diverge_find_node(file, &found);

	if (rc == 0 && diverge_find(diverge, new_path, &there) == 0)
		rc = -EEXIST;
	if (rc == 0)
		rc = diverge_place(req, new_path, &found.st, true, &layer);
	if (rc == 0 && file->has_path)
		rc = diverge_make_own(req, file->node, file->path, INT64_MAX,
				      &found);
	else if (rc == 0 && diverge_is_fixed(diverge, found.layer))
		rc = -EROFS;
	return rc < 0 ? rc : link_found(diverge, &found, new_path);
}

void diverge_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent,
		  const char *new_name)
{
	struct diverge *diverge = diverge_of(req);
	struct diverge_request request, file = { .diverge = diverge };
	struct fuse_entry_param entry;
	int rc = diverge_node_get(diverge, id, &file.node);

	if (rc == 0) {
		rc = diverge_begin(&request, req, new_parent, new_name, true);
		if (rc < 0)
			diverge_node_put(diverge, file.node, 1);
	}
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = diverge_node_path(diverge, file.node, file.path);
	file.has_path = rc == 0;
	if (rc == 0 || rc == -ENOENT)
		rc = link_file(req, &file, request.path);
	diverge_reply_entry(req, request.node, request.path, rc, NULL, &entry);
	diverge_end(&request);
	diverge_node_put(diverge, file.node, 1);
}

void diverge_readlink(fuse_req_t req, fuse_ino_t id)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge_request request;
	char target[PATH_MAX + 1];
	ssize_t n = 0;
	int rc = diverge_begin(&request, req, id, NULL, false);

	if (rc == 0) {
		rc = diverge_find_node(&request, &found);
		if (rc == 0)
			n = readlinkat(found.fd, "", target, PATH_MAX);
		if (n < 0)
			rc = -errno;
		diverge_end(&request);
	}
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	target[n] = '\0';
	fuse_reply_readlink(req, target);
}
