/*
 * Handles: opening, creating, closing. While a head is moved nobody may have
 * it open for writing: such opens wait, without a thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "tree_virtual.h"

static bool is_writable(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC);
}

static void count(struct mount *mount, struct front_handle *handle, int change)
	REQUIRES(mount->lock)
{
	struct front_node *node = handle->node;

	node->opens += (unsigned)change;
	if (handle->writable)
		node->writers += (unsigned)change;
	if (node->slot != mount->tree->head || !node->node)
		return;
	if (handle->writable)
		mount->writers += (unsigned)change;
	else
		mount->readers += (unsigned)change;
}

/* Who has it open, and by which number it is known. */
static void enlist(fuse_req_t req, struct front_handle *handle, int flags)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	struct mount *mount = front_mount(req);
	struct front *front = mount->tree;

	handle->pid = context->pid;
	handle->uid = context->uid;
	handle->flags = flags;
	mutex_lock(&mount->lock);
	count(mount, handle, 1);
	handle->nr = ++front->next_handle;
	handle->next = front->handles;
	if (front->handles)
		front->handles->previous = handle;
	front->handles = handle;
	mutex_unlock(&mount->lock);
}

static void leave_list(struct front *front, struct front_handle *handle)
{
	if (handle->next)
		handle->next->previous = handle->previous;
	if (handle->previous)
		handle->previous->next = handle->next;
	else
		front->handles = handle->next;
}

struct front_handle *front_find_handle(struct mount *mount, uint64_t nr)
{
	struct front_handle *handle = mount->tree->handles;

	while (handle && handle->nr != nr)
		handle = handle->next;
	return handle;
}

static void close_handle(struct mount *mount, struct front_handle *handle)
{
	struct front_node *node = handle->node;
	bool unused;

	if (node->node)
		tree_file_close(node->node);
	mutex_lock(&mount->lock);
	count(mount, handle, -1);
	leave_list(mount->tree, handle);
	unused = front_detach(mount, node);
	mutex_unlock(&mount->lock);
	if (unused)
		front_destroy(mount, node);
	free(handle);
}

static int empty(fuse_req_t req, struct tree_node *node)
{
	struct tree_attr attr = { .size_bytes = 0 };
	unsigned mask = TREE_SET_SIZE; /* and times, with that */

	/* The kernel does not. */
	if (fuse_req_ctx(req)->uid != 0)
		mask |= front_kill_mode(req, node, &attr);
	return tree_set_attr(node, mask, &attr, NULL);
}

struct mutex *front_opening(struct mount *mount, const struct front_node *node)
{
	return &mount->tree->opening[node->id % FRONT_STRIPES];
}

static int open_locked(fuse_req_t req, struct front_node *node,
		       struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	struct front_handle *handle = calloc(1, sizeof(*handle));
	int rc = handle ? 0 : -ENOMEM;

	if (rc == 0) {
		handle->node = node;
		handle->writable = is_writable(fi);
		rc = tree_file_open(node->node, handle->writable,
				    &handle->file);
	}
	if (rc == 0 && (fi->flags & O_TRUNC)) {
		rc = front_changed(mount, empty(req, node->node), false);
		if (rc < 0)
			tree_file_close(node->node);
	}
	if (rc < 0) {
		free(handle);
		return rc;
	}
	enlist(req, handle, fi->flags);
	fi->fh = (uintptr_t)handle;
	fi->keep_cache = !mount->options.follow_base;
	fi->direct_io = mount->options.direct_io;
	return 0;
}

/* The node is pinned; fi->fh becomes the handle. */
static int open_node(fuse_req_t req, struct front_node *node,
		     struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	struct mutex *opening = front_opening(mount, node);
	int rc;

	mutex_lock(opening);
	rc = open_locked(req, node, fi);
	if (rc == 0 && !node->was_open && !is_writable(fi))
		front_send_small(mount, node, front_handle(fi)->file);
	if (rc == 0)
		node->was_open = true;
	mutex_unlock(opening);
	return rc;
}

/* Does it wait? -errno: it failed. name: of a create. */
static int waits(fuse_req_t req, fuse_ino_t id, const char *name, mode_t mode,
		 const struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	int rc = 0;

	mutex_lock(&mount->lock);
	if (mount->moving) {
		rc = mount_put_off(mount, req, id, name, mode, fi);
		rc = rc < 0 ? rc : 1;
	}
	mutex_unlock(&mount->lock);
	return rc;
}

void front_open_file(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	int rc = 0;

	if (mount->tree->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	if (front_is_virtual(id)) {
		virtual_open(req, id, fi);
		return;
	}
	if (is_writable(fi))
		rc = mount->options.read_only ? -EROFS :
						waits(req, id, NULL, 0, fi);
	if (rc > 0)
		return;
	if (rc == 0)
		rc = front_begin(mount, id, &node);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = open_node(req, node, fi);
	if (rc < 0)
		fuse_reply_err(req, front_errno(rc));
	else if (fuse_reply_open(req, fi) == -ENOENT) /* interrupted */
		close_handle(mount, front_handle(fi));
	front_end(mount, node);
}

/* Without O_EXCL somebody else's file will do. A new one is empty: it keeps
 * setgid, which goes when a file is truncated. */
static int make_or_find(fuse_req_t req, struct front_node *parent,
			const char *name, mode_t mode,
			struct fuse_file_info *fi, struct tree_node **out_node,
			struct tree_attr *out_attr)
{
	int rc = front_make(req, parent, name, S_IFREG | (mode & 07777), 0,
			    NULL, out_node, out_attr);

	if (rc == 0)
		fi->flags &= ~O_TRUNC;
	if (rc == -EEXIST && name && !(fi->flags & O_EXCL))
		rc = tree_lookup(parent->node, name, out_node, out_attr);
	return rc;
}

/* Creates in a directory that is pinned, and answers. */
static void create_in(fuse_req_t req, struct front_node *parent,
		      const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	struct front_node *node = NULL;
	struct tree_node *made = NULL;
	struct fuse_entry_param entry;
	struct tree_attr attr;
	int rc = make_or_find(req, parent, name, mode, fi, &made, &attr);

	if (rc == 0)
		rc = front_know(mount, parent->slot, made, &node);
	if (rc == 0)
		rc = open_node(req, node, fi);
	if (rc == 0) {
		rc = front_fill_entry(mount, node,
				      fi->flags & O_TRUNC ? NULL : &attr,
				      &entry);
		if (rc < 0)
			close_handle(mount, front_handle(fi));
	}
	if (rc < 0) {
		if (node)
			front_forget(mount, node->id, 1);
		fuse_reply_err(req, front_errno(rc));
	} else if (fuse_reply_create(req, &entry, fi) == -ENOENT) {
		close_handle(mount, front_handle(fi)); /* interrupted */
		front_forget(mount, entry.ino, 1);
	}
}

static void create(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode, struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	int rc = 0;

	if (mount->options.read_only || front_is_fixed(parent))
		rc = -EROFS;
	else if (name && front_is_fixed_name(mount, parent, name))
		rc = -EISDIR;
	if (rc == 0)
		rc = waits(req, parent, name ? name : "/", mode, fi);
	if (rc > 0)
		return;
	if (rc == 0)
		rc = front_begin(mount, parent, &node);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	create_in(req, node, name, mode, fi);
	front_end(mount, node);
}

void front_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		  mode_t mode, struct fuse_file_info *fi)
{
	/* No name has a slash: so is O_TMPFILE told, see mount_wire.c. */
	create(req, parent, name[0] == '/' ? NULL : name, mode, fi);
}

void front_open_again(const struct waiting_open *waiting)
{
	struct fuse_file_info info = waiting->info;

	if (waiting->name)
		front_create(waiting->req, waiting->node, waiting->name,
			     waiting->mode, &info);
	else
		front_open_file(waiting->req, waiting->node, &info);
}

void front_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);

	(void)id;
	front_enter(mount);
	if (front_handle(fi))
		close_handle(mount, front_handle(fi));
	front_leave(mount);
	fuse_reply_err(req, 0);
}
