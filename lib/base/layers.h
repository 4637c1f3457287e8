/*
 * The merged base of a directory store: a stack of read-only directories
 * (layers), topmost first, as one namespace. A name is looked for from the
 * top; the first layer that has it decides. Directories of one name are
 * merged down to the first layer where it is something else.
 *
 * Nothing here is ever opened for writing, no symlink of base is followed and
 * nothing outside is reached: directories are opened with openat2 beneath
 * each layer (RESOLVE_BENEATH, NO_SYMLINKS, NO_MAGICLINKS, NO_XDEV), all else
 * by one name in such a directory, and only what was seen to be a regular
 * file is opened for reading (fifos, sockets and devices are looked at with
 * O_PATH only). What something is mounted on reads as empty: a directory
 * without entries, a file without bytes.
 *
 * All calls may run in parallel; no lock is held during I/O or a call of
 * base_visit. 0 or a negative errno; -ESTALE: base is not what it was when it
 * was first seen, which layers_changes() tells then, too; -EACCES: the daemon
 * may not read it; -EINVAL: "", ".", ".." or a '/' in a name; -ENAMETOOLONG:
 * one of more than 255 bytes.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base.h"
#include "failure.h"

enum {
	LAYER_ID_MAX = 255,
	LAYERS_MAX = 64,
	/* Never more than a quarter of RLIMIT_NOFILE, either. Above it each
	 * call that runs may have two more. */
	BASE_OPEN_FILES_MAX = 512,
	BASE_OPEN_DIRECTORIES_MAX = 256,
};

struct layers;	  /* a stack; counted */
struct base_node; /* an object of the merged base, by its place; counted */

/*
 * How a snapshot of another store becomes a directory, which is none of this
 * library's business. Whoever opens a store gives one; it is borrowed, and
 * lives longer than the store.
 */
struct snapshot_source {
	/* What text, "STORE[:BRANCH]@NAME", names. own_uuid: of the store that
	 * is to be above it, as in a fingerprint; NULL: a new one. Refuses what
	 * is no tree, and what is over own_uuid itself. */
	int (*find)(const char *text, const uint64_t own_uuid[2],
		    struct base_fingerprint *out_fingerprint,
		    struct failure *failure);
	/* Its root (O_PATH); it is there for as long as anything of it is open,
	 * unless its daemon dies: ENOTCONN or ECONNABORTED. Goes by UUID and
	 * id, whatever its name is now. */
	int (*open)(const struct base_fingerprint *expected, int *out_fd,
		    struct failure *failure);
	/* Keeps it from being deleted, or (on: false) no more. NULL: the store
	 * above passes. */
	int (*hold)(const struct base_fingerprint *snapshot, const char *tag,
		    bool on, struct failure *failure);
};

struct layer_spec {
	uint32_t id;	  /* 1..LAYER_ID_MAX, each once in a stack */
	const char *path; /* absolute, symlinks resolved; NULL: expected's */
	/* It must be this directory, as layer_fingerprint_check says, or this
	 * snapshot. NULL: any directory. */
	const struct base_fingerprint *expected;
	const struct snapshot_source *source; /* NULL: no snapshots */
};

static inline bool layer_is_snapshot(const struct base_fingerprint *fingerprint)
{
	return fingerprint->kind == BASE_KIND_SNAPSHOT;
}
/* Bytes of a snapshot's path that are the store's. */
size_t layer_store_bytes(const struct base_fingerprint *fingerprint);
/* The same snapshot? The name is of no meaning. -ESTALE, and the reason. */
NODISCARD int layer_snapshot_compare(const struct base_fingerprint *expected,
				     const struct base_fingerprint *found,
				     struct failure *failure);

/*
 * What tells one directory from another: kind, path, device, inode, and in
 * sample_hash its time of birth; what is in it is looked at file by file when
 * it is used. Resolves symlinks of path. Clear failures for: missing, not a
 * directory, not readable.
 */
NODISCARD int layer_fingerprint_take(const char *path,
				     struct base_fingerprint *out_fingerprint,
				     struct failure *failure);
/*
 * Is it still the same directory, at the recorded path or (path not NULL)
 * where it was moved to? out_now (may be NULL): how it is found now. Fails
 * with FAILURE_BASE_CHANGED and -ESTALE when another one is there. A device
 * number alone may differ, as after a restart of the host, if the time of
 * birth is known and equal.
 */
NODISCARD int layer_fingerprint_check(const struct base_fingerprint *expected,
				      const char *path,
				      struct base_fingerprint *out_now,
				      struct failure *failure);

/* Opens the directories, topmost first. failure names the one that is
 * missing, is no directory, another one or can't be read. */
NODISCARD int layers_open(const struct layer_spec *specs, size_t count,
			  struct layers **out_layers, struct failure *failure);
/* Another stack in the same process, that shares the bounds on descriptors
 * and the report of changes with this one: all stacks of a store. */
NODISCARD int layers_open_beside(struct layers *other,
				 const struct layer_spec *specs, size_t count,
				 struct layers **out_layers,
				 struct failure *failure);
/* Of the layer with this id (0: of all): does who serves it live? Asks it.
 * -ENOENT: there is no such layer, -EIO: no. A directory is served by the
 * kernel. */
NODISCARD int layers_served(const struct layers *layers, uint32_t id);
struct layers *layers_get(struct layers *layers);
void layers_put(struct layers *layers);
size_t layers_count(const struct layers *layers);
/* Of the nr-th, 0 is the topmost. */
uint32_t layers_id(const struct layers *layers, size_t nr);
const char *layers_path(const struct layers *layers, size_t nr);

/* What was seen to be another than it was, since the stack was opened. */
struct layers_changes {
	uint64_t count;	     /* objects; one may be counted again later */
	uint32_t layer;	     /* of the last one */
	char path[PATH_MAX]; /* and its path from the layer's root */
};
void layers_changes(struct layers *layers, struct layers_changes *out_changes);

/* What is known of an object of base. */
struct base_stat {
	uint32_t layer; /* that decides */
	uint64_t inode; /* its number in cowd, see base_number */
	/* Of which object that is the number: of the layer that it is of. */
	uint64_t base_inode;
	struct stat stat;  /* as the layer has it; st_nlink of a directory in
			    * several: 1, nobody counts them */
	int64_t btime_ns;  /* 0: the file system does not know */
	bool mounted_over; /* it is hidden by a mount; reads as empty */
};

/*
 * The number in cowd of an object: layer << 40 | 40 bits, which are st_ino if
 * it is below 2^39, else a hash of it. What is on another device than its layer
 * (a btrfs with subvolumes) has a hash, too. Two objects can have one hash:
 * whether they are one is told by layer, st_dev and st_ino.
 *
 * A directory of several layers has the number that it has in the one with
 * the lowest id: ids only rise, and so another layer, above or below, leaves
 * all numbers as they are.
 */
uint64_t base_number(uint32_t layer, uint64_t st_ino);
/* It is a hash, and another object may have it, too. */
bool base_number_is_hash(uint64_t number);
/* The layer that a number is of. 0: it was made in the store. */
uint32_t base_number_layer(uint64_t number);

/* The root of the merge, with the attributes of the topmost layer; its number
 * is 1. It holds the stack. */
NODISCARD int base_root(struct layers *layers, struct base_node **out_node,
			struct base_stat *out_stat);
struct base_node *base_node_get(struct base_node *node);
void base_node_put(struct base_node *node);
const char *base_node_name(const struct base_node *node); /* root: "" */
/* Borrowed; NULL: node is the root. */
struct base_node *base_node_parent(struct base_node *node);
uint32_t base_node_layer(const struct base_node *node);
struct layers *base_node_layers(struct base_node *node); /* borrowed */
/* The number of a directory, as base_stat tells it. */
uint64_t base_node_number(const struct base_node *directory);
/* It is known by another number, since a stack before this one: base_stat
 * tells that one. Before others look at the node, or what is below it. */
void base_node_set_number(struct base_node *directory, uint64_t number);
/* Is the layer one of those that are merged in this directory? */
bool base_node_has_layer(const struct base_node *directory, uint32_t layer);
/* From the layer's root, "/" for that, for messages: what does not fit is
 * replaced by "..." in front. */
void base_node_path(struct base_node *node, char *path, size_t path_bytes);

/*
 * The object that is called name in a directory of the merged base. The node
 * holds its parent. A second look-up makes a second node: callers keep those
 * they use by number. -ENOENT, -ENOTDIR.
 */
NODISCARD int base_lookup(struct base_node *parent, const char *name,
			  struct base_node **out_node,
			  struct base_stat *out_stat);
/*
 * The object of this name in one layer, or, if it is a directory, merged with
 * what is below that layer: for what was found there in an older stack.
 * -ENOENT also if the layer is not in the stack, or the parent was not merged
 * with its directory there.
 */
NODISCARD int base_lookup_in(struct base_node *parent, const char *name,
			     uint32_t layer, struct base_node **out_node,
			     struct base_stat *out_stat);
/* How it is now. -ESTALE: gone, or of another kind. */
NODISCARD int base_stat(struct base_node *node, struct base_stat *out_stat);

/*
 * Is a file as it was when it was first looked at here, in any stack that
 * shares with this one? stat: of base_lookup or base_stat. Inode, size, mtime,
 * ctime and kind of what is in this place are compared; nothing else than
 * regular files. -ESTALE: no, and layers_changes tells it.
 */
NODISCARD int base_seen(struct base_node *node, const struct base_stat *stat);

/* Notes for layers_changes that it is not what it was when the caller saw it
 * before; returns -ESTALE. */
int base_stale(struct base_node *node);

/*
 * Every name once; order is of no meaning. kind is S_IFMT >> 12, filled even
 * if the host's d_type is not; inode is the number that a look-up gives. A
 * negative return ends the listing and is returned.
 */
typedef int base_visit(void *context, const char *name, uint64_t inode,
		       uint32_t kind);
NODISCARD int base_list(struct base_node *directory, base_visit *visit,
			void *context);

/* As readlink(2), with a NUL. -ERANGE: it does not fit. */
NODISCARD int base_readlink(struct base_node *node, char *target,
			    size_t target_bytes);
/* As lgetxattr and llistxattr of the layer that decides; value_bytes 0 asks
 * for the size. -ENODATA, -ERANGE, -ENOTSUP (also without /proc). */
NODISCARD int base_get_xattr(struct base_node *node, const char *name,
			     void *value, size_t value_bytes,
			     size_t *out_bytes);
NODISCARD int base_list_xattr(struct base_node *node, char *names,
			      size_t names_bytes, size_t *out_bytes);

/*
 * A regular file's bytes. Opened when first read, closed when many others
 * are read; whenever it is opened, and after each read, it must be the inode
 * that seen tells (of a look-up or base_stat) with the same size, mtime and
 * ctime, else -ESTALE from then on.
 */
struct base_file;
/* No system call. Holds the node. -EINVAL: not a regular file. */
NODISCARD int base_file_open(struct base_node *node,
			     const struct base_stat *seen,
			     struct base_file **out_file);
void base_file_close(struct base_file *file);
/* It is another one now, of the same name: reads from here on give that one's
 * bytes. One that runs may fail. */
void base_file_renew(struct base_file *file, const struct base_stat *seen);
/* Reads past the end give zeros. */
NODISCARD int base_file_read(struct base_file *file, uint64_t offset_bytes,
			     void *data, size_t len_bytes);
/* As lseek's SEEK_DATA and SEEK_HOLE. -ENXIO. */
NODISCARD int base_file_seek(struct base_file *file, uint64_t offset_bytes,
			     bool want_data, uint64_t *out_offset_bytes);
/* Announces a read to the host; never fails. */
void base_file_will_read(struct base_file *file, uint64_t offset_bytes,
			 size_t len_bytes);
