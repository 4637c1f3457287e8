/*
 * Insides of the FUSE front end of directory trees: states of trees by slot,
 * nodes by number, and the requests.
 *
 * A node id is slot << 48 | inode. Slot 0 is the head that was mounted; a
 * moved head and each snapshot below .snapshots take another one. The root is
 * 1 whatever the head's slot, and .snapshots is FRONT_SNAPDIR. What else is not
 * the tree's is in a slot of its own.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>
#include <utlist.h>

#include "mount_impl.h"
#include "tree.h"

enum {
	FRONT_SNAPDIR = 2, /* no tree has an inode of that number */
	FRONT_SLOT_SHIFT = 48,
	FRONT_SLOTS = (1 << 16) - 1,
	FRONT_VIRTUAL_SLOT = FRONT_SLOTS, /* of tree_virtual.h */
	FRONT_LISTINGS_MAX = 64,	  /* directories that are being read */
	FRONT_STRIPES = 32,
};

#define FRONT_INODE_MASK ((UINT64_C(1) << FRONT_SLOT_SHIFT) - 1)
#define FRONT_SNAPDIR_NAME ".snapshots"

/* One state of a tree. */
struct front_slot {
	uint16_t nr;
	uint64_t generation;  /* never the same for two slots of a number */
	uint32_t snapshot_id; /* 0: the head, or a head that was */
	uint64_t root_inode;  /* of a head: what is shown as the root */
	struct tree *tree;    /* NULL: revoked */
	uint64_t node_count;
	struct front_node *nodes;
	struct front_slot *next;
};

/* A listing that is being read; counted. */
struct front_listing {
	unsigned users;
	struct tree_listing *listing;
};

/* What the kernel knows, or has open. */
struct front_node {
	fuse_ino_t id;
	struct front_slot *slot;
	struct tree_node *node; /* with a reference; NULL: revoked */
	uint64_t lookups;
	unsigned users; /* requests that run */
	unsigned opens, writers;
	bool revealed; /* the kernel's times are those of what was removed */
	bool was_open; /* its stripe of front.opening */
	struct front_listing *listing; /* of a directory, or NULL */
	unsigned listed_at;	       /* in front.listed */
	bool half_read;		       /* nobody has come to the end ... */
	int64_t half_read_ns;	       /* ... of what it held then */
	UT_hash_handle hh;
	struct front_node *prev, *next; /* in slot->nodes */
};

/* Of a mount. All is guarded by mount->lock; a slot's tree also by the gate:
 * held shared it stays open. */
struct front {
	/* By inode: held while a file is opened, or gets another size by its
	 * name. */
	struct mutex opening[FRONT_STRIPES];
	struct front_slot *slots;
	struct front_slot *head;
	struct front_node *nodes; /* of all slots, by id */
	struct front_node *listed[FRONT_LISTINGS_MAX];
	unsigned next_listed;
	uint16_t next_slot;
	uint64_t next_generation;
	/* While the head is moved. */
	struct view *next_view;
	struct tree_listing *old_names;
	bool forgets_names;	      /* the kernel: all it knows, at once */
	struct front_handle *handles; /* that are open, newest first */
	uint64_t next_handle;
	struct virtual_node *virtual_nodes;
	uint64_t next_virtual;
	bool no_open; /* the kernel does without OPEN and RELEASE */
	bool no_opendir;
	bool kernel_times; /* it tells when files were written to */
};

struct front_handle {
	struct front_node *node; /* pinned by its opens */
	struct file *file;	 /* while node->node is there */
	bool writable, looked_at_atime;
	uint64_t nr; /* never the same for two */
	pid_t pid;   /* who opened it, and how */
	uid_t uid;
	int flags;
	struct front_handle *next, *previous;
};

static inline struct mount *front_mount(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct front_handle *front_handle(const struct fuse_file_info *fi)
{
	return fi ? (struct front_handle *)(uintptr_t)fi->fh : NULL;
}

/* Not of any tree: nothing of it can be changed. */
static inline bool front_is_virtual(fuse_ino_t id)
{
	return id >> FRONT_SLOT_SHIFT == FRONT_VIRTUAL_SLOT;
}

static inline bool front_is_fixed(fuse_ino_t id)
{
	return id == FRONT_SNAPDIR || front_is_virtual(id);
}

/* What a caller may see of an error inside. Not ENOTCONN, as of a mount that is
 * dead: who served a layer is. */
static inline int front_errno(int rc)
{
	return rc == -EUCLEAN || rc == -ENOTCONN || rc == -ECONNABORTED ? EIO :
									  -rc;
}

/* The same of a handle: ESTALE would make the kernel look a name up again. */
static inline int front_data_errno(int rc)
{
	return rc == -ESTALE ? EIO : front_errno(rc);
}

/* tree_xattr.c: leaves out names of xattrs that only root may see; the bytes
 * that are left. */
size_t front_filter_names(char *names, size_t bytes);
/* tree_slot.c */
NODISCARD int front_open(struct mount *mount, struct failure *failure);
void front_close(struct mount *mount);
/* What of the tree is shown as the root (subdir=), with a reference. */
NODISCARD int front_root(struct mount *mount, struct tree *tree,
			 struct tree_node **out_node);
/* A snapshot's, opened when it is not there; *out_root has a look-up more. */
NODISCARD int front_snapshot(struct mount *mount, uint32_t snapshot_id,
			     struct front_node **out_root);
/* What the kernel knows of the head is stale from now on; and the head as it
 * is now takes another slot, and the reference of view. With the gate held
 * exclusively. */
void front_revoke_head(struct mount *mount);
NODISCARD int front_renew_head(struct mount *mount, struct view *view);
/* The view of the mount, with a reference more. */
NODISCARD int front_open_view(struct mount *mount, struct view **out_view);
/* A node less; the last one of a state that is not the head ends it. */
void front_slot_put_node(struct mount *mount, struct front_slot *slot);

/*
 * tree_node.c: each request is between enter and leave, which hold the gate
 * shared, and pins what it works on. -ESTALE: nobody knows the id, or it is of
 * a state that was left.
 */
void front_enter(struct mount *mount);
void front_leave(struct mount *mount);
NODISCARD int front_pin(struct mount *mount, fuse_ino_t id,
			struct front_node **out_node);
void front_unpin(struct mount *mount, struct front_node *node);
/* enter and pin, or neither; and their opposite. */
NODISCARD int front_begin(struct mount *mount, fuse_ino_t id,
			  struct front_node **out_node);
void front_end(struct mount *mount, struct front_node *node);
/* The kernel will know it: takes over a reference of tree_node, counts a
 * look-up. */
NODISCARD int front_know(struct mount *mount, struct front_slot *slot,
			 struct tree_node *tree_node,
			 struct front_node **out_node);
void front_forget(struct mount *mount, fuse_ino_t id, uint64_t count);
/* Whoever takes the last use of a node away detaches it, and destroys it
 * without the lock: its slot's tree, too, if it is the last. */
bool front_detach(struct mount *mount, struct front_node *node)
	REQUIRES(mount->lock);
void front_destroy(struct mount *mount, struct front_node *node);
/* Is the name in the root not the tree's? */
bool front_is_snapdir(const struct mount *mount, fuse_ino_t parent,
		      const char *name);
/* The same, of .cowd, too. */
bool front_is_fixed_name(struct mount *mount, fuse_ino_t parent,
			 const char *name);
/* Fills in what the kernel is told; attr NULL: asked for. */
NODISCARD int front_fill_entry(struct mount *mount, struct front_node *node,
			       const struct tree_attr *attr,
			       struct fuse_entry_param *entry);
/* Answers with a node that a tree call returned with a reference, or rc. */
void front_reply_entry(fuse_req_t req, int rc, struct front_slot *slot,
		       struct tree_node *tree_node,
		       const struct tree_attr *attr);
void front_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void front_forget_one(fuse_req_t req, fuse_ino_t node, uint64_t count);
void front_forget_multi(fuse_req_t req, size_t count,
			struct fuse_forget_data *forgets);

/* tree_attr.c */
void front_fill_stat(const struct mount *mount, const struct front_slot *slot,
		     const struct tree_attr *attr, struct stat *st);
void front_fill_snapdir(const struct mount *mount, struct stat *st);
uint64_t front_shown_inode(const struct front_slot *slot, uint64_t inode);
/* After a change of names or attributes: on disk, if the options ask. */
NODISCARD int front_changed(struct mount *mount, int rc, bool of_names);
void front_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void front_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int to_set,
		   struct fuse_file_info *fi);
void front_statfs(fuse_req_t req, fuse_ino_t node);

/* tree_names.c */
void front_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, dev_t device);
void front_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode);
void front_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		   const char *name);
void front_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void front_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void front_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		  fuse_ino_t new_parent, const char *new_name, unsigned flags);
void front_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t new_parent,
		const char *new_name);
void front_readlink(fuse_req_t req, fuse_ino_t node);
/* Makes an object as the caller of the request, with its umask or the
 * directory's default ACL. name NULL: without one. */
NODISCARD int front_make(fuse_req_t req, struct front_node *parent,
			 const char *name, mode_t mode, dev_t device,
			 const char *target, struct tree_node **out_node,
			 struct tree_attr *out_attr);

/* tree_reveal.c: removes a name of the delta; base's is seen again. */
NODISCARD int front_reveal(struct mount *mount, struct front_node *parent,
			   const char *name, bool is_directory);

/* tree_handle.c */
void front_open_file(fuse_req_t req, fuse_ino_t node,
		     struct fuse_file_info *fi);
void front_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		  mode_t mode, struct fuse_file_info *fi);
void front_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void front_open_again(const struct waiting_open *waiting);
/* NULL: there is none. */
struct front_handle *front_find_handle(struct mount *mount, uint64_t nr)
	REQUIRES(mount->lock);

/* The stripe of a node. */
struct mutex *front_opening(struct mount *mount, const struct front_node *node);

/* Without setuid and setgid, which changes of data and owner put an end to:
 * sets the mode, and returns what of attr is to be set. */
unsigned front_kill_mode(fuse_req_t req, struct tree_node *node,
			 struct tree_attr *attr);
/* After a change of data: its time, unless the kernel tells it. */
void front_touch(struct mount *mount, struct front_node *node);

/* tree_small.c: puts the data of a small file into the kernel's pages, before
 * the answer to its first open. Nobody else has it open, nor can open it. */
void front_send_small(struct mount *mount, struct front_node *node,
		      struct file *file);

/* tree_data.c */
void front_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		struct fuse_file_info *fi);
void front_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size,
		 off_t offset, struct fuse_file_info *fi);
void front_fsync(fuse_req_t req, fuse_ino_t node, int datasync,
		 struct fuse_file_info *fi);
void front_fsyncdir(fuse_req_t req, fuse_ino_t node, int datasync,
		    struct fuse_file_info *fi);
void front_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t offset,
		     off_t length, struct fuse_file_info *fi);
void front_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset,
			   struct fuse_file_info *from_fi, fuse_ino_t to,
			   off_t to_offset, struct fuse_file_info *to_fi,
			   size_t length, int flags);
void front_lseek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence,
		 struct fuse_file_info *fi);
void front_ioctl(fuse_req_t req, fuse_ino_t node, unsigned command,
		 void *argument, struct fuse_file_info *fi, unsigned flags,
		 const void *in, size_t in_bytes, size_t out_bytes);

/* tree_listing.c */
void front_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void front_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		   struct fuse_file_info *fi);
void front_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size,
		       off_t offset, struct fuse_file_info *fi);
void front_releasedir(fuse_req_t req, fuse_ino_t node,
		      struct fuse_file_info *fi);
/* The node's listing is no longer kept. */
struct front_listing *front_take_listing(struct mount *mount,
					 struct front_node *node)
	REQUIRES(mount->lock);
void front_listing_put(struct mount *mount, struct front_listing *listing);

/* tree_xattr.c */
void front_getxattr(fuse_req_t req, fuse_ino_t node, const char *name,
		    size_t size);
void front_setxattr(fuse_req_t req, fuse_ino_t node, const char *name,
		    const char *value, size_t size, int flags);
void front_listxattr(fuse_req_t req, fuse_ino_t node, size_t size);
void front_removexattr(fuse_req_t req, fuse_ino_t node, const char *name);

/* tree_acl.c: modes and access control lists are kept alike. */
#define FRONT_ACL_ACCESS "system.posix_acl_access"
#define FRONT_ACL_DEFAULT "system.posix_acl_default"
enum { FRONT_ACL_BYTES_MAX = 65536 };
/* What a new object in the directory gets of its default list: given is for
 * struct tree_caller. front_inherited_fini: also after a failure. */
struct front_inherited {
	mode_t mode;
	struct tree_given given[2];
	unsigned given_count;
	void *access, *for_children; /* what given refers to */
};
NODISCARD int front_acl_inherit(struct tree_node *parent, mode_t mode,
				mode_t umask_bits,
				struct front_inherited *out_inherited);
void front_inherited_fini(struct front_inherited *inherited);
/* The file's list follows a chmod. */
NODISCARD int front_acl_chmod(struct tree_node *node, mode_t mode);
/* Who is not in a group can't give its rights away. */
bool front_keeps_setgid(fuse_req_t req, gid_t gid);
/* Sets a list, and the mode that goes with it. */
NODISCARD int front_acl_set(fuse_req_t req, struct tree_node *node,
			    const char *name, const void *value,
			    size_t value_bytes, int flags);

/* tree_move.c: the trees' part of a mount_front */
int front_flush(struct mount *mount);
void front_begin_move(struct mount *mount, bool revoke);
void front_end_move(struct mount *mount);
/* Writes all dirty pages of the mount back. -errno: it can't be reached. */
NODISCARD int front_write_back(struct mount *mount);
