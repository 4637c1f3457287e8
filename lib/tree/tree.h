/*
 * The directory view of a head or snapshot: POSIX on items, over the merged
 * base. Knows nothing of FUSE.
 *
 * All calls may run in parallel from any thread. They return 0 or a negative
 * errno, the one that ext4 gives; -EROFS in a snapshot or a read-only store;
 * -ESTALE: base changed, or the node is gone. Who may do what is the
 * caller's business (the kernel's default_permissions); the caller is only
 * asked for what new objects get. Names are bytes, 1..255, without '/' and
 * NUL; "." and ".." are not looked up here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store.h"

struct view;
struct file;
struct tree;

/* An inode that somebody knows. Owned by its tree; each look-up or creation
 * that returns one adds a reference. */
struct tree_node;

/* Takes over the reference of the view, also when it fails. */
NODISCARD int tree_open(struct view *view, struct tree **out_tree,
			struct failure *failure);
/* For looking only; also beside another tree of the same head, of which it
 * may show what was a moment ago. */
NODISCARD int tree_open_reader(struct view *view, struct tree **out_tree,
			       struct failure *failure);
/* What this tree would show if nothing had ever been changed. */
NODISCARD int tree_open_base(struct tree *tree, struct tree **out_tree,
			     struct failure *failure);
/* Nodes that were not put are forgotten. */
void tree_close(struct tree *tree);
/* Forgets all that is in memory, before store_abandon: for tests. */
void tree_abandon(struct tree *tree);
struct view *tree_view(struct tree *tree);
/*
 * From now on files of base that were changed underneath are shown as they
 * are, if the store has nothing of them; of the others a ctime may differ,
 * alone. Else to open one gives -ESTALE from
 * the change on, until all trees of the store are closed: one that was opened
 * before, or only looked at, never shows a mixture of old and new.
 */
void tree_follow_base(struct tree *tree);
/* The root, without a reference of its own; lives as long as the tree. */
struct tree_node *tree_root(struct tree *tree);

struct tree_node *tree_node_get(struct tree_node *node);
/* Gives back count references. A node without names and references is
 * deleted with its data. */
void tree_node_put(struct tree_node *node, uint64_t count);
uint64_t tree_node_inode(const struct tree_node *node);
/* The node of an inode number that is known, or has items: for access by
 * handle. -ESTALE. */
NODISCARD int tree_node_find(struct tree *tree, uint64_t inode,
			     struct tree_node **out_node);

struct tree_attr {
	uint64_t inode;
	uint32_t mode; /* with the type */
	uint32_t nlink, uid, gid;
	uint64_t rdev;
	uint64_t size_bytes;
	uint64_t blocks; /* of 512 bytes: stored ones and base's */
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	bool raw; /* a file whose blocks are never compressed */
};

/* An xattr that a new object has from the beginning. */
struct tree_given {
	const char *name;
	const void *value;
	size_t value_bytes;
};

/* Who makes an object, and what goes with it. */
struct tree_caller {
	uid_t uid;
	gid_t gid;
	const struct tree_given *given;
	unsigned given_count;
};

NODISCARD int tree_get_attr(struct tree_node *node, struct tree_attr *out_attr);

enum tree_set {
	TREE_SET_MODE = 1,
	TREE_SET_UID = 2,
	TREE_SET_GID = 4,
	TREE_SET_SIZE = 8,
	TREE_SET_ATIME = 16,
	TREE_SET_MTIME = 32,
	TREE_SET_CTIME = 64, /* else it is now */
	TREE_SET_RAW = 128,  /* of a file; what is stored stays as it is */
};
/* What is in mask; times are given, "now" is the caller's. Changing owner or
 * size clears setuid and setgid bits as write(2) does only if the mask's mode
 * says so: the kernel asks for it. out_attr may be NULL. */
NODISCARD int tree_set_attr(struct tree_node *node, unsigned mask,
			    const struct tree_attr *attr,
			    struct tree_attr *out_attr);

/* -ENOENT, -ENOTDIR, -ENAMETOOLONG. */
NODISCARD int tree_lookup(struct tree_node *parent, const char *name,
			  struct tree_node **out_node,
			  struct tree_attr *out_attr);
/* For "..": of a directory. */
NODISCARD int tree_parent(struct tree_node *node, struct tree_node **out_node,
			  struct tree_attr *out_attr);

/* A new object of any type. mode has the type and the caller's umask
 * applied; a setgid parent hands down its group. target: of a symlink, else
 * NULL. -EEXIST, -ENOSPC, -EDQUOT, -ENAMETOOLONG. */
NODISCARD int tree_create(struct tree_node *parent, const char *name,
			  uint32_t mode, uint64_t rdev, const char *target,
			  const struct tree_caller *caller,
			  struct tree_node **out_node,
			  struct tree_attr *out_attr);
/* A file without a name, until it is linked (O_TMPFILE). */
NODISCARD int tree_create_unnamed(struct tree_node *parent, uint32_t mode,
				  const struct tree_caller *caller,
				  struct tree_node **out_node,
				  struct tree_attr *out_attr);
NODISCARD int tree_link(struct tree_node *node, struct tree_node *new_parent,
			const char *new_name, struct tree_attr *out_attr);
NODISCARD int tree_unlink(struct tree_node *parent, const char *name);
NODISCARD int tree_rmdir(struct tree_node *parent, const char *name);
/*
 * As unlink and rmdir, but what the store gave a name goes without a whiteout,
 * so that base's object of that name is seen again: if nothing of it was ever
 * changed, as an inode is never in two places. -EROFS: base gave the name.
 */
NODISCARD int tree_reveal(struct tree_node *parent, const char *name,
			  bool directory);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT (a 0:0 character
 * device of the caller is left behind). */
NODISCARD int tree_rename(struct tree_node *parent, const char *name,
			  struct tree_node *new_parent, const char *new_name,
			  unsigned flags, const struct tree_caller *caller);
/* Up to PATH_MAX bytes and a NUL. */
NODISCARD int tree_readlink(struct tree_node *node, char *target,
			    size_t target_bytes);

/*
 * The data of a regular file, for the calls of file.h, which leave its times
 * as they are: they are told by tree_set_attr. Counted: each open is
 * paired with a close. for_writing: -EROFS where that can't be. -ESTALE: the
 * file of base is not the one that was changed here.
 */
NODISCARD int tree_file_open(struct tree_node *node, bool for_writing,
			     struct file **out_file);
void tree_file_close(struct tree_node *node);

/* What a directory held at one moment, by rising cookies; a name keeps its
 * cookie, so that a reader can go on in a later listing. "." and ".." are not
 * in it. Cookies are > 2. */
struct tree_listing {
	size_t count;
	struct tree_entry {
		uint64_t cookie;
		uint64_t inode;
		uint32_t kind; /* S_IFMT >> 12 */
		const char *name;
	} * entries;
};
NODISCARD int tree_list(struct tree_node *node,
			struct tree_listing **out_listing);
void tree_listing_free(struct tree_listing *listing);
/* The first entry with a cookie above this one; count: none. */
size_t tree_listing_after(const struct tree_listing *listing, uint64_t cookie);

/* As getxattr(2): value_bytes 0 asks for the size. -ENODATA, -ERANGE. */
NODISCARD int tree_get_xattr(struct tree_node *node, const char *name,
			     void *value, size_t value_bytes,
			     size_t *out_bytes);
/* flags: XATTR_CREATE, XATTR_REPLACE. */
NODISCARD int tree_set_xattr(struct tree_node *node, const char *name,
			     const void *value, size_t value_bytes, int flags);
/* Names, each with its NUL. */
NODISCARD int tree_list_xattr(struct tree_node *node, char *names,
			      size_t names_bytes, size_t *out_bytes);
NODISCARD int tree_remove_xattr(struct tree_node *node, const char *name);

struct tree_statfs {
	uint64_t block_bytes, blocks, free_blocks, available_blocks;
	uint64_t files, free_files;
};
NODISCARD int tree_statfs(struct tree *tree, struct tree_statfs *out_statfs);
