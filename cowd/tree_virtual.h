/*
 * The virtual directory of a mounted tree, .cowd: what there is to know of it
 * as files. Found by look-up, and in no listing of the root.
 *
 *   TOC.json   layers, branches, snapshots, sizes
 *   fd/N       what is open: who opened N opens it again
 *   ino/N      what has the inode number N: of a directory a symlink to it
 *   vol/DEV    links to the ino of each mounted volume, by its device number
 *   dev/NAME   links to the mounts of all stores
 *   snap/NAME  links to .snapshots/NAME
 *
 * Directories are numbers of virtual_place in a slot of their own. A file or
 * symlink is a node for each content that it had: what the kernel keeps of one
 * is never wrong, and a new content is a new node. What has a node in the tree
 * is that node.
 */
#pragma once

#include "tree_front.h"

enum virtual_place {
	VIRTUAL_ROOT = 3, /* as inode numbers: no tree has them */
	VIRTUAL_FD,
	VIRTUAL_INO,
	VIRTUAL_VOL,
	VIRTUAL_DEV,
	VIRTUAL_SNAP,
	VIRTUAL_PLACES_END,
	VIRTUAL_FIRST_NODE = 16,
};

/* Something in a virtual directory. */
struct virtual_entry {
	char *name;
	mode_t mode;
	char *text;		  /* content, or target; of malloc */
	enum virtual_place place; /* of a directory */
};

struct virtual_list {
	struct virtual_entry *entries;
	size_t count;
};

/* A file or symlink that the kernel knows. */
struct virtual_node {
	fuse_ino_t id;
	uint64_t lookups;
	mode_t mode;
	int64_t time_ns;
	char *key, *text; /* its name with its directory's number */
	UT_hash_handle hh;
};

/* tree_virtual_lists.c: what is in a place but ino, for who asks. Contents of
 * files are left out; only: just this name, with its content. */
NODISCARD int virtual_list(fuse_req_t req, enum virtual_place place,
			   const char *only, struct virtual_list *out_list);
void virtual_list_free(struct virtual_list *list);
/* The number that a name is; 0: it is none. */
uint64_t virtual_number(const char *name);

/* tree_virtual.c */
void virtual_close(struct front *front);
/* Has the name in the root become the virtual directory? The tree's own object
 * of that name wins. */
bool virtual_is_name(struct mount *mount, fuse_ino_t parent, const char *name);
void virtual_reply_root(fuse_req_t req);
void virtual_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void virtual_forget(struct mount *mount, fuse_ino_t id, uint64_t count);
void virtual_getattr(fuse_req_t req, fuse_ino_t id);
void virtual_readlink(fuse_req_t req, fuse_ino_t id);
void virtual_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void virtual_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset);
void virtual_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence);
