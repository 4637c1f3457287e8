/* One mount: a FUSE session over a branch's head or a snapshot. */
#pragma once

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "file.h"
#include "mounts.h"
#include "mutex.h"

enum snapdir_mode { SNAPDIR_HIDDEN, SNAPDIR_VISIBLE, SNAPDIR_OFF };

struct mount_options {
	bool read_only, nonempty, allow_other, override_uid, override_gid;
	unsigned umask;
	uid_t uid;
	gid_t gid;
	enum snapdir_mode snapdir;
	char name[STORE_NAME_BYTES_MAX + 1]; /* of the image; "": by base */
	struct fuse_args arguments;	     /* for libfuse */
};

struct mounts {
	struct store *store;
	void (*idle)(void *context);
	void *context;
	struct mutex lock;
	pthread_cond_t changed;
	struct mount *first;
	unsigned count;
	unsigned users; /* calls that use a mount without the lock */
};

enum { MOUNTS_OF_BRANCH_MAX = 64 };

/* A snapshot that the kernel knows, or that is open. */
struct snapshot_node {
	uint32_t id;
	uint64_t lookups;
	unsigned opens;
	struct view *view;
	struct snapshot_node *next;
};

struct mount {
	struct mounts *owner;
	struct store *store;
	char branch[STORE_NAME_BYTES_MAX + 1];
	char snapshot[STORE_NAME_BYTES_MAX + 1]; /* "" for a head */
	uint32_t snapshot_id;
	char mountpoint[4096];
	struct mount_options options;
	struct view *view;
	struct fuse_session *session;
	dev_t device; /* st_dev of the mounted file system, 0: not known yet */

	/* Handles opened before this number are revoked. gate: requests hold
	 * it shared, revoking exclusively. */
	pthread_rwlock_t gate;
	uint64_t revoked_before;
	atomic_uint_fast64_t opened;
	atomic_uint writers, readers;
	/* Grows when the image got another size underneath: the kernel keeps
	 * the size of a node that it caches writes for. */
	atomic_uint image_epoch;
	uint64_t image_size;

	struct mutex lock;
	struct snapshot_node *nodes;
	struct mount *next;
};

NODISCARD int mount_options_parse(struct mount_options *options,
				  const char *text, bool force_read_only,
				  const char *source, struct failure *failure);
void mount_options_fini(struct mount_options *options);

extern const struct fuse_lowlevel_ops image_operations;
/* The kernel's name for the image now. */
fuse_ino_t image_node(const struct mount *mount);
void image_forget_nodes(struct mount *mount);
/* Writes the kernel's dirty pages of the mount back, through itself; and the
 * times of the image, which come after the pages. */
NODISCARD int image_write_back(struct mount *mount, bool with_times);

/* Opens the view, checks the place and mounts; not yet served. After a failure
 * the caller frees what there is. */
NODISCARD int mount_build(struct mount *mount,
			  const struct mount_params *params,
			  struct failure *failure);
void mount_free(struct mount *mount);
/* Ends it in the kernel. umount needs root; without it fusermount3 does it. */
NODISCARD int mount_end(const char *mountpoint, bool lazy);
/* "pid 12 (bash), pid 13 (qemu)": who holds something below the path. */
void mount_name_users(const char *mountpoint, char *text, size_t text_bytes);
/* The path is the directory, or in it. */
bool mount_is_below(const char *path, const char *directory);

/* Up to `most` heads of the branch (NULL: of all). None of them is freed until
 * the caller ends the use. */
size_t mounts_heads(struct mounts *mounts, const char *branch,
		    struct mount **list, size_t most);
void mounts_unuse(struct mounts *mounts);
