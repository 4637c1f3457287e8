/*
 * The front end of rules: plain files in directories that rules name, laid
 * over a directory, the base. docs/rules.md says what goes where.
 *
 * Names are found by their paths, each time anew, below a descriptor of each
 * layer and never out of it: nothing is remembered of what others may change
 * in these directories. What the kernel knows are nodes: a parent and a name.
 *
 * Lock order: diverge->names, diverge->lock, the holes' own.
 */
#pragma once

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>

#include "failure.h"
#include "holes.h"
#include "mount_options.h"
#include "mutex.h"
#include "rules.h"

/* Names that a copy has until it is whole; nobody sees them. */
#define DIVERGE_COPY_NAME ".cowd-copy."

struct diverge_params {
	const char *mountpoint; /* absolute; what is there is the base */
	struct rules *rules;
	struct holes *holes; /* NULL: the base may be changed */
	const char *scratch; /* a directory for @scratch, or NULL */
	bool strict;	     /* directories of the base keep their names */
	struct mount_options *options;
};

/* A directory, the topmost first and the base last. */
struct diverge_layer {
	char *path; /* for messages */
	int fd;	    /* O_PATH */
	dev_t device;
};

/* Open files and directories. */
struct diverge_handle {
	int fd;
	unsigned layer;
	struct diverge_node *node;
	struct diverge_handle *next; /* of the node */
};

/* Which file it is, as the file systems below count. */
struct diverge_object {
	dev_t device;
	ino_t inode;
};

struct diverge_node {
	fuse_ino_t id;		    /* never used again */
	struct diverge_name *names; /* NULL: the root, or nameless */
	mode_t kind;		    /* S_IFMT bits */
	ino_t shown_inode;	    /* 0: not told yet */
	ino_t base_inode;	    /* diverge_node.c */
	uint64_t references;	    /* look-ups, children, requests, handles */
	struct diverge_handle *handles;
	bool has_object;
	struct diverge_object object;
	UT_hash_handle by_id, by_object;
};

struct diverge {
	struct rules *rules;
	struct holes *holes;
	const struct mount_options *options;
	bool strict;
	bool hides, protects; /* a rule is @hide, @readonly */
	bool keeps_raw;	      /* or @nocompress */
	struct diverge_layer *layers;
	unsigned layer_count;	 /* with the base, which is the last */
	unsigned *layer_of_rule; /* for those with a place of their own */
	int scratch;		 /* its layer; -1: there is none */
	struct fuse_session *session;
	/* Shared to look, exclusive to change: names and where they are. */
	pthread_rwlock_t names;
	struct mutex lock;
	/* lock: */
	struct diverge_node *nodes, *objects;
	struct diverge_name *named;
	struct diverge_node *root;
	fuse_ino_t next_id;
	struct stat root_set; /* what was set of the root, which has no place */
	unsigned root_mask;
};

static inline struct diverge *diverge_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* diverge_session.c: mounts, serves until it is unmounted or a signal comes.
 * ready is called once it is mounted. */
/* Takes the -o string. timeout_s: how long the kernel may keep names and
 * attributes, unless the string says it. */
NODISCARD int diverge_options(struct mount_options *options, const char *text,
			      const char *source, double timeout_s,
			      struct failure *failure);
NODISCARD int diverge_serve(const struct diverge_params *params,
			    void (*ready)(void *context), void *context,
			    struct failure *failure);

/* diverge_layer.c */
bool diverge_has_scratch(const struct rules *rules);
NODISCARD int diverge_layers_open(struct diverge *diverge,
				  const struct diverge_params *params,
				  struct failure *failure);
void diverge_layers_close(struct diverge *diverge);
static inline unsigned diverge_base(const struct diverge *diverge)
{
	return diverge->layer_count - 1;
}
/* May nothing in it be changed? */
static inline bool diverge_is_fixed(const struct diverge *diverge,
				    unsigned layer)
{
	return diverge->holes && layer == diverge_base(diverge);
}
/* A descriptor of what the layer has at the mount's path: O_PATH, or as flags
 * say. No symlink is followed. */
NODISCARD int diverge_layer_open(const struct diverge *diverge, unsigned layer,
				 const char *path, int flags);
/* Of the directory that it is in; *out_name points into path. */
NODISCARD int diverge_layer_parent(const struct diverge *diverge,
				   unsigned layer, const char *path,
				   const char **out_name);
/* "/proc/self/fd/7", for calls that take no O_PATH descriptor. */
struct diverge_fd_path {
	char text[32];
};
struct diverge_fd_path diverge_fd_path(int fd);
/* PARENT/NAME, PATH_MAX bytes. -ENAMETOOLONG. */
NODISCARD int diverge_join(const char *parent, const char *name, char *path);

/* diverge_place.c: what there is, and where things go */
struct diverge_found {
	int fd; /* O_PATH; -1: none */
	unsigned layer;
	struct stat st;
};
#define DIVERGE_FOUND_NONE     \
	(struct diverge_found) \
	{                      \
		.fd = -1       \
	}
void diverge_found_close(struct diverge_found *found);
#define AUTO_FOUND __attribute__((cleanup(diverge_found_close)))
/* The topmost that is not masked. -ENOENT. */
NODISCARD int diverge_find(const struct diverge *diverge, const char *path,
			   struct diverge_found *found);
/* As req's process sees it: hidden ones are -ENOENT. */
NODISCARD int diverge_see(fuse_req_t req, const char *path,
			  struct diverge_found *found);
/* The next one below found that is a directory, too, and shows in it.
 * -ENOENT. */
NODISCARD int diverge_find_next(const struct diverge *diverge, const char *path,
				unsigned above, struct diverge_found *found);
/* Would the base show a name there, if no hole said otherwise? S_IFMT bits or
 * 0. */
NODISCARD int diverge_base_has(const struct diverge *diverge, const char *path,
			       mode_t *out_kind);
/* The layer for something new (exists: or for a copy, or another name of
 * something) with these attributes. -EROFS. */
NODISCARD int diverge_place(fuse_req_t req, const char *path,
			    const struct stat *st, bool exists,
			    unsigned *out_layer);
/* -EROFS: a rule says that what is there can't be changed. */
NODISCARD int diverge_check_change(fuse_req_t req, const char *path,
				   const struct diverge_found *found);
/* What is the store's is never compressed from now on, if a rule says so. */
void diverge_keep_raw(fuse_req_t req, const char *path,
		      const struct diverge_found *found);
bool diverge_is_hidden(fuse_req_t req, const char *path,
		       const struct diverge_found *found);

/* diverge_copy.c: all with names held exclusively */
/* The directories that path is in, as the mount shows them. */
NODISCARD int diverge_make_parents(struct diverge *diverge, unsigned layer,
				   const char *path);
/* What was found, in another layer at to, which replaces what is no directory
 * there; at most so much of its data. */
NODISCARD int diverge_copy(struct diverge *diverge,
			   const struct diverge_found *found, unsigned layer,
			   const char *to, off_t data_bytes);
/* An empty directory with the attributes of what was found, whose parent is
 * there; or the one that is there. */
NODISCARD int diverge_copy_directory(struct diverge *diverge,
				     const struct diverge_found *found,
				     unsigned layer, const char *to);
/* Who reads base's file goes on with the copy. */
void diverge_switch_handles(struct diverge *diverge, struct diverge_node *node,
			    unsigned layer, const char *path);
/* A name was removed there that base has: the directory's times, where a rule
 * is for it. */
void diverge_touch_parent(fuse_req_t req, const char *path);
/* Makes sure that what is there may be changed in place: copies it if it is
 * base's, and lets the node's handles read the copy. */
NODISCARD int diverge_make_own(fuse_req_t req, struct diverge_node *node,
			       const char *path, off_t data_bytes,
			       struct diverge_found *found);

/* diverge_node.c */
NODISCARD int diverge_nodes_init(struct diverge *diverge);
void diverge_nodes_fini(struct diverge *diverge);
/* With a reference. -ESTALE. */
NODISCARD int diverge_node_get(struct diverge *diverge, fuse_ino_t id,
			       struct diverge_node **out_node);
void diverge_node_put(struct diverge *diverge, struct diverge_node *node,
		      uint64_t count);
/* PATH_MAX bytes. With names held. -ENOENT: it has no name any more; of a file
 * that is open, or has several, none that leads to it: others, or a rollback,
 * may have taken some away. */
NODISCARD int diverge_node_path(struct diverge *diverge,
				const struct diverge_node *node, char *path);
/* The node of a name, which the kernel will know: with a reference. */
NODISCARD int diverge_node_know(struct diverge *diverge,
				struct diverge_node *parent, const char *name,
				const struct diverge_found *found,
				struct diverge_node **out_node);
/* What it is was copied: it is that copy from now on. */
void diverge_node_note_copy(struct diverge *diverge, struct diverge_node *node,
			    const struct diverge_found *found);
void diverge_node_add_handle(struct diverge *diverge, struct diverge_node *node,
			     struct diverge_handle *handle);
void diverge_node_remove_handle(struct diverge *diverge,
				struct diverge_handle *handle);
/* With names held exclusively: the name is gone; it leads to another node. */
void diverge_node_drop_name(struct diverge *diverge,
			    struct diverge_node *parent, const char *name);
/* is_copy: the file that has the new name is another one. */
NODISCARD int diverge_node_rename(struct diverge *diverge,
				  struct diverge_node *parent, const char *name,
				  struct diverge_node *new_parent,
				  const char *new_name, bool is_copy);
void diverge_node_exchange(struct diverge *diverge, struct diverge_node *parent,
			   const char *name, struct diverge_node *other_parent,
			   const char *other_name);
/* Of the directory that it is in; 0: not told yet. */
ino_t diverge_parent_inode(struct diverge *diverge,
			   const struct diverge_node *node);
/* The inode number that is told of it. */
ino_t diverge_shown_inode(struct diverge *diverge, struct diverge_node *node,
			  const struct diverge_found *found);
/* That of a name; 0: nobody looked it up. */
ino_t diverge_known_inode(struct diverge *diverge,
			  const struct diverge_node *parent, const char *name);
ino_t diverge_inode(const struct diverge *diverge, unsigned layer, ino_t inode);

/* One request on a node. */
struct diverge_request {
	struct diverge *diverge;
	struct diverge_node *node;
	bool has_path;
	char path[PATH_MAX];
};
/* Takes names, shared or exclusively; with name: path is that of it in the
 * node. end gives it back, and is to be called if begin returned 0. */
NODISCARD int diverge_begin(struct diverge_request *request, fuse_req_t req,
			    fuse_ino_t id, const char *name, bool exclusive);
void diverge_end(struct diverge_request *request);

/* diverge_root.c: what was set of the root instead of what base says. */
void diverge_apply_root(struct diverge *diverge, struct stat *st);
/* Where base can't be changed. */
void diverge_set_root(struct diverge *diverge, const struct stat *st,
		      int to_set);
/* A name came to be in the root, or went. */
void diverge_touch_root(struct diverge *diverge);

/* diverge_attr.c */
void diverge_fill_stat(struct diverge *diverge, struct diverge_node *node,
		       const struct diverge_found *found, struct stat *st);
/* Of a node, by its path or by what has it open; the root is base's. */
NODISCARD int diverge_find_node(const struct diverge_request *request,
				struct diverge_found *found);
/* What the kernel is told of a name; the node with a reference. With names
 * held. */
NODISCARD int diverge_fill_entry(fuse_req_t req, struct diverge_node *parent,
				 const char *path,
				 struct diverge_node **out_node,
				 struct fuse_entry_param *entry);
/* Answers with what was found under a name, or rc. With names held. */
void diverge_reply_entry(fuse_req_t req, struct diverge_node *parent,
			 const char *path, int rc, fuse_ino_t *out_known,
			 struct fuse_entry_param *entry);
void diverge_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void diverge_setattr(fuse_req_t req, fuse_ino_t id, struct stat *st, int to_set,
		     struct fuse_file_info *fi);
void diverge_statfs(fuse_req_t req, fuse_ino_t id);

/* diverge_names.c */
void diverge_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void diverge_forget(fuse_req_t req, fuse_ino_t id, uint64_t count);
void diverge_forget_multi(fuse_req_t req, size_t count,
			  struct fuse_forget_data *forgets);
void diverge_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode, dev_t device);
void diverge_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode);
void diverge_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		     const char *name);
void diverge_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		    mode_t mode, struct fuse_file_info *fi);
void diverge_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent,
		  const char *new_name);
void diverge_readlink(fuse_req_t req, fuse_ino_t id);

/* diverge_remove.c */
void diverge_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void diverge_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
/* Takes what is no directory, or an empty one, out of all layers that may be
 * changed, and masks what stays. With names held exclusively. */
NODISCARD int diverge_remove(fuse_req_t req, const char *path,
			     const struct diverge_found *found);
/* The same of what was renamed: all that is left. */
NODISCARD int diverge_remove_rest(struct diverge *diverge, const char *path,
				  mode_t kind);
/* What is masked there goes for good: something is to be made there. */
NODISCARD int diverge_clear_masked(struct diverge *diverge, const char *path);
/* It was made: it is not masked any more. */
NODISCARD int diverge_unmask(struct diverge *diverge, const char *path,
			     mode_t kind);

/* diverge_rename.c */
void diverge_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		    fuse_ino_t new_parent, const char *new_name,
		    unsigned flags);

/* diverge_data.c */
/* Takes over the descriptor, also when it fails. */
NODISCARD int diverge_handle_new(struct diverge *diverge,
				 struct diverge_node *node, int fd,
				 unsigned layer, struct fuse_file_info *fi);
void diverge_handle_free(struct diverge *diverge,
			 struct diverge_handle *handle);
static inline struct diverge_handle *diverge_handle(
	const struct fuse_file_info *fi)
{
	return fi ? (struct diverge_handle *)(uintptr_t)fi->fh : NULL;
}
/* Flags for opening the plain file. */
int diverge_open_flags(int flags);
void diverge_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void diverge_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void diverge_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		  struct fuse_file_info *fi);
/* Before a write: setuid and setgid go, if the writer is not root. The kernel
 * asks for it, but may know the file by another name only. */
void diverge_kill_mode(fuse_req_t req, int fd);
void diverge_write_buf(fuse_req_t req, fuse_ino_t id, struct fuse_bufvec *from,
		       off_t offset, struct fuse_file_info *fi);
void diverge_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void diverge_fsync(fuse_req_t req, fuse_ino_t id, int datasync,
		   struct fuse_file_info *fi);
void diverge_fsyncdir(fuse_req_t req, fuse_ino_t id, int datasync,
		      struct fuse_file_info *fi);
void diverge_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset,
		       off_t length, struct fuse_file_info *fi);
void diverge_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence,
		   struct fuse_file_info *fi);
void diverge_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset,
			     struct fuse_file_info *from_fi, fuse_ino_t to,
			     off_t to_offset, struct fuse_file_info *to_fi,
			     size_t length, int flags);

/* diverge_listing.c */
/* Is a directory empty, as the mount shows it? -ENOTEMPTY. */
NODISCARD int diverge_check_empty(struct diverge *diverge, const char *path);
void diverge_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void diverge_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		     struct fuse_file_info *fi);
/* The same with what a look-up of each name tells. */
void diverge_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size,
			 off_t offset, struct fuse_file_info *fi);
void diverge_releasedir(fuse_req_t req, fuse_ino_t id,
			struct fuse_file_info *fi);

/* diverge_xattr.c */
void diverge_getxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		      size_t size);
void diverge_setxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		      const char *value, size_t size, int flags);
void diverge_listxattr(fuse_req_t req, fuse_ino_t id, size_t size);
void diverge_removexattr(fuse_req_t req, fuse_ino_t id, const char *name);
