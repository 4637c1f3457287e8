/*
 * The insides of a stack of layers.
 *
 * Lock order: dirs_lock, files_lock, changes_lock and seen_lock are leaves.
 * None is taken under another, and no system call is made under one.
 */
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>

#include "layers.h"
#include "mutex.h"

/* A directory of one layer that is open (O_PATH). All but fd and node is
 * guarded by dirs_lock. */
struct dir_slot {
	struct base_node *node; /* not held: it takes its slots along */
	struct dir_slot *next_of_node;
	struct dir_slot *prev, *next; /* most recently used first */
	int fd;
	unsigned users;
	unsigned layer_nr;
};

/* What stacks of one store have in common; counted. */
struct layers_shared {
	unsigned refs; /* atomic */
	unsigned open_directories_max, open_files_max;

	struct mutex dirs_lock; /* guards what follows */
	struct dir_slot *dirs;
	unsigned dir_count;

	struct mutex files_lock; /* guards what follows */
	struct base_file *files;
	unsigned file_count;

	struct mutex changes_lock; /* guards what follows */
	struct layers_changes changes;

	struct mutex seen_lock; /* guards what follows */
	struct seen_slot *seen; /* base_seen.c */
	size_t seen_slots, seen_count;
};

struct layer {
	uint32_t id;
	int fd;	  /* O_PATH, as long as the stack lives */
	int sync; /* AT_STATX_* */
	dev_t device;
	bool is_snapshot;
	char *path;
};

struct layers {
	unsigned refs; /* atomic */
	struct layers_shared *shared;
	size_t count;
	struct layer layer[];
};

struct base_node {
	struct layers *layers;	  /* held by the root */
	struct base_node *parent; /* held; NULL: the root */
	unsigned refs;		  /* atomic */
	uint8_t layer_nr;	  /* that decides */
	uint8_t kind;		  /* S_IFMT >> 12 */
	uint8_t mounted_over;
	char name[];
};

/* What a node has in front of it if it is a directory. */
struct base_directory {
	uint64_t merged;	/* a bit for each layer_nr; a constant */
	uint64_t number;	/* in cowd; atomic */
	uint64_t base_inode;	/* st_ino in the layer that it is of */
	struct dir_slot *slots; /* guarded by dirs_lock */
	struct base_node node;
};

static inline struct base_directory *directory_of(struct base_node *node)
{
	return (struct base_directory *)(void *)((char *)node -
						 offsetof(struct base_directory,
							  node));
}

static inline const struct base_directory *const_directory_of(
	const struct base_node *node)
{
	return (const struct base_directory
			*)(const void *)((const char *)node -
					 offsetof(struct base_directory, node));
}

static inline bool node_is_directory(const struct base_node *node)
{
	return node->kind == S_IFDIR >> 12;
}

/* openat2 that follows nothing and leaves neither dir_fd nor its mount. */
NODISCARD int open_beneath(int dir_fd, const char *path, int flags);
/* Opens a directory that has no symlink in its whole path. known: a store was
 * made over it, for messages. */
NODISCARD int layer_open(const char *path, bool known, int *out_fd,
			 struct failure *failure);
/* What a fingerprint tells, without the path. */
NODISCARD int layer_identify(int fd, struct base_fingerprint *out_fingerprint);
/* layer_snapshot.c: fills fd; beside: a stack that may have it, or NULL. */
NODISCARD int layer_snapshot_open(const struct layer_spec *spec,
				  const struct layers *beside,
				  struct layer *layer, struct failure *failure);
/* 0, or -ESTALE and the reason. */
NODISCARD int layer_compare(const struct base_fingerprint *expected,
			    const struct base_fingerprint *found,
			    struct failure *failure);

/* Notes that the object is not what it was in that layer; -ESTALE. */
int base_node_changed(struct base_node *node, unsigned layer_nr);

/* An open directory of one layer, O_PATH, that is not closed before put. */
struct base_dir {
	int fd;
	struct dir_slot *slot; /* NULL: a layer's root */
};
/* -EXDEV: something is mounted there or on the way: it reads as empty. */
NODISCARD int base_dir_get(struct base_node *directory, unsigned layer_nr,
			   struct base_dir *out_dir);
void base_dir_put(struct base_node *directory, struct base_dir *dir);
/* Before the node is freed. */
void base_dir_forget(struct base_node *directory);

/* How statx asks in a layer: not a server, if the layer is on no server: what
 * is mounted in it may be one that does not answer, or ourselves. */
int base_sync_flag(int fd);
/* st_ino, or for one of another device than the layer's (a subvolume) what
 * base_number makes a hash of. */
static inline uint64_t base_inode_of(const struct layer *layer, dev_t device,
				     uint64_t st_ino)
{
	return device == layer->device ? st_ino : st_ino | UINT64_C(1) << 63;
}

/* A name in an open directory of that layer, or with "" the directory. */
NODISCARD int base_look(const struct layer *layer, int dir_fd, const char *name,
			struct base_stat *out_stat);
int64_t base_time_ns(int64_t seconds, int64_t nanoseconds);
/* Opens the "." of an O_PATH descriptor to list it. */
NODISCARD int base_open_listing(int dir_fd);
