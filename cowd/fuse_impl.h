/*
 * Insides of the FUSE front end: node numbers, handles, and the requests.
 *
 * Node ids: 1 the root, 2 .snapshots, 16 + id a snapshot, and for the image
 * IMAGE_NODE + epoch << 32.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "mount_impl.h"

enum { SNAPDIR_NODE = 2, IMAGE_NODE = 3, SNAPSHOT_NODE = 16 };

#define SNAPDIR_NAME ".snapshots"

struct handle {
	struct file *file;
	uint32_t epoch; /* of the mount when the image was opened */
	bool writable;
	struct snapshot_node *node; /* NULL: the image */
};

static inline struct mount *image_mount(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline bool node_is_image(fuse_ino_t node)
{
	return (node & UINT32_MAX) == IMAGE_NODE;
}

/* What a caller may see of an error inside. */
static inline int image_errno(int rc)
{
	return rc == -EUCLEAN || rc == -ESTALE ? EIO : -rc;
}

static inline struct handle *image_handle(const struct fuse_file_info *fi)
{
	return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}

void image_fill_directory(const struct mount *mount, fuse_ino_t node,
			  struct stat *st);
void image_fill_file(const struct mount *mount, fuse_ino_t node,
		     struct file *file, struct stat *st);

/* A snapshot that the kernel knows or has open, or NULL. */
struct snapshot_node *node_find(struct mount *mount, fuse_ino_t node)
	REQUIRES(mount->lock);
void node_drop_if_unused(struct mount *mount, struct snapshot_node *node)
	REQUIRES(mount->lock);
static inline uint32_t node_epoch(fuse_ino_t node)
{
	return (uint32_t)(node >> 32);
}

/* Requests on the image hold the gate, so that revoking waits for them.
 * False: the handle, or (without a handle) the node, is of an older epoch. */
bool image_enter(struct mount *mount, const struct handle *handle,
		 fuse_ino_t node);
void image_leave(struct mount *mount);
/* All handles and nodes of the image are old ones now. */
void image_raise_epoch(struct mount *mount);

/* The kernel's name for the image now. */
fuse_ino_t image_node(struct mount *mount);
void image_forget_nodes(struct mount *mount);
/* Writes the kernel's dirty pages of the image back, through the mount.
 * -ENOTCONN: it can't be reached by its path. */
NODISCARD int image_write_back(struct mount *mount);
/* Wherever the mount is, and the times of the image as well. */
NODISCARD int image_flush_all(struct mount *mount);
/* Every handle of the image answers EIO from now on, and no dirty page of
 * theirs is written any more. */
void image_revoke(struct mount *mount);
/* The kernel forgets the image's clean pages and its attributes. */
void image_drop_pages(struct mount *mount);
/* The kernel's size of the image becomes the store's, which is another by now.
 * -errno: the mount can't be reached by its path. */
NODISCARD int image_tell_size(struct mount *mount);
/* The same while writers are there, when it only grew. */
NODISCARD int image_tell_growth(struct mount *mount);

/* fuse_move.c: the image's part of a mount_front */
void image_begin_move(struct mount *mount, bool revoke);
void image_end_move(struct mount *mount);
void image_grown(struct mount *mount);

/* fuse_node.c */
void image_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void image_forget(fuse_req_t req, fuse_ino_t node, uint64_t count);
void image_forget_multi(fuse_req_t req, size_t count,
			struct fuse_forget_data *forgets);

/* fuse_attr.c */
void image_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void image_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int to_set,
		   struct fuse_file_info *fi);
void image_statfs(fuse_req_t req, fuse_ino_t node);

/* fuse_handle.c */
void image_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void image_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void image_open_again(const struct waiting_open *waiting);

/* fuse_data.c */
void image_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		struct fuse_file_info *fi);
void image_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size,
		 off_t offset, struct fuse_file_info *fi);
void image_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void image_fsync(fuse_req_t req, fuse_ino_t node, int datasync,
		 struct fuse_file_info *fi);
void image_fsyncdir(fuse_req_t req, fuse_ino_t node, int datasync,
		    struct fuse_file_info *fi);
void image_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t offset,
		     off_t length, struct fuse_file_info *fi);

/* fuse_seek.c */
void image_lseek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence,
		 struct fuse_file_info *fi);

/* fuse_listing.c */
void image_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void image_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		   struct fuse_file_info *fi);
void image_releasedir(fuse_req_t req, fuse_ino_t node,
		      struct fuse_file_info *fi);
