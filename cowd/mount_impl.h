/* One mount: a FUSE session over a branch's head or a snapshot. */
#pragma once

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "file.h"
#include "linger.h"
#include "mount_options.h"
#include "mounts.h"
#include "mutex.h"

struct mounts {
	struct store *store;
	void (*idle)(void *context);
	void *context;
	struct mutex lock;
	pthread_cond_t changed;
	struct mount *first;
	unsigned count;
	unsigned users; /* calls that use a mount without the lock */
	bool claimed;	/* a mount is being added, or heads are moved */
};

/* A snapshot that the kernel knows, or that is open. */
struct snapshot_node {
	uint32_t id;
	uint64_t lookups;
	unsigned opens;
	struct stat attributes; /* what a snapshot is never changes */
	struct view *view;	/* NULL while nobody has it open: to know its
				 * name must not keep it from being purged */
	struct snapshot_node *next;
};

/* An open for writing, put off until a move of the head is over. */
struct waiting_open {
	fuse_req_t req;
	fuse_ino_t node; /* of a create: the directory */
	char *name;	 /* of a create, else NULL */
	mode_t mode;
	struct fuse_file_info info;
	struct waiting_open *next;
};

struct mount;
struct front;
struct read_turn;

/* What differs between what is shown: an image, or a directory tree. */
struct mount_front {
	const struct fuse_lowlevel_ops *requests;
	/* Before it is mounted; may be NULL. */
	int (*open)(struct mount *mount, struct failure *failure);
	/* Forgets what the kernel knows; nobody asks any more. */
	void (*close)(struct mount *mount);
	/* The kernel's dirty pages and times reach the store. */
	int (*flush)(struct mount *mount);
	/* Does a request that was put off. */
	void (*open_again)(const struct waiting_open *waiting);
	/* Around a move of the head; revoke: somebody has it open for writing.
	 * No request sees the time between. */
	void (*begin_move)(struct mount *mount, bool revoke);
	void (*end_move)(struct mount *mount);
	/* The head became larger, and writers go on. */
	void (*grown)(struct mount *mount);
};

struct mount {
	struct mounts *owner;
	struct store *store;
	char branch[STORE_NAME_BYTES_MAX + 1];
	char snapshot[STORE_NAME_BYTES_MAX + 1]; /* "" for a head */
	uint32_t snapshot_id;
	char mountpoint[4096];
	struct mount_options options;
	char *options_text; /* as given; "" */
	const struct mount_front *front;
	struct front *tree; /* of the front end of trees, else NULL */
	struct view *view;
	struct fuse_session *session;
	struct read_turn *turn; /* of the front end of trees, else NULL */
	struct linger linger;	/* of the thread whose turn it is */
	pthread_t thread;	/* that serves it */
	bool detached;		/* unmounted lazily; owner->lock */
	atomic_uint offered_caps, used_caps; /* FUSE_CAP_* */
	atomic_ulong device; /* st_dev of what is mounted, 0: not known yet */

	/* Requests on the image hold the gate shared, revoking it
	 * exclusively: the epoch is part of the image's node id, and a handle
	 * of an older one answers EIO. Written with lock held, too. */
	pthread_rwlock_t gate;
	uint32_t epoch;
	atomic_bool telling_size;   /* the kernel is told of one we have */
	atomic_bool dropping_pages; /* opens make the kernel forget them */

	struct mutex lock;
	struct snapshot_node *nodes;
	unsigned writers, readers; /* handles of this epoch on the image */
	bool moving;		   /* opens for writing wait */
	struct waiting_open *waiting;
	uint64_t size_before; /* of the image, before the move */
	struct mount *next;
};

/* mount_rules.c: -o rules=FILE. Can they be used? */
NODISCARD int mount_check_rules(const struct mount *mount,
				struct failure *failure);
/* Lays the front end of rules over the mount, in a process of its own; that
 * ends with its mount, and takes this one along. */
NODISCARD int mount_start_rules(const struct mount *mount,
				struct failure *failure);

extern const struct mount_front image_front, tree_front;

/* Without root, by the rules of fusermount3. */
NODISCARD int mount_check_user(const struct mount *mount,
			       struct failure *failure);

/* What every session asks the kernel for, as the options say. */
void mount_set_connection(const struct mount_options *options,
			  struct fuse_conn_info *connection);

/* A write that is to be on disk when it is answered. */
bool mount_write_is_sync(const struct mount *mount,
			 const struct fuse_file_info *fi);

/* Empty; to be built, started and freed. */
NODISCARD int mount_new(struct mounts *mounts, struct mount **out_mount);
/* Opens the view, reads the options and checks the place. */
NODISCARD int mount_build(struct mount *mount,
			  const struct mount_params *params,
			  struct failure *failure);
/* Mounts; nobody serves it yet. */
NODISCARD int mount_start(struct mount *mount, struct failure *failure);
void mount_free(struct mount *mount);
/* mount_binds.c: parts of it elsewhere, once it is live. All or none. */
NODISCARD int mount_binds_check(const struct mount_options *options,
				struct failure *failure);
NODISCARD int mount_bind(struct mount *mount, struct failure *failure);
/* The last one first; ends at the first that is busy. */
NODISCARD int mount_unbind(struct mount *mount, bool lazy,
			   struct failure *failure);
/* After a move: what they show was of the state before. */
void mount_bind_again(struct mount *mount);
/* Ends it in the kernel. umount needs root; without it fusermount3 does it. */
NODISCARD int mount_end(const char *mountpoint, bool lazy);
/* "pid 12 (bash), pid 13 (qemu)": who holds something below the path. */
void mount_name_users(const char *mountpoint, char *text, size_t text_bytes);

/* The heads of the branch (NULL: of all) in an array to be freed, or NULL. None
 * of them goes away until the caller ends the use, which is to be done in any
 * case. */
struct mount **mounts_heads(struct mounts *mounts, const char *branch,
			    size_t *out_count);
/* Keeps all mounts of the moment from going away. */
void mounts_use(struct mounts *mounts);
void mounts_unuse(struct mounts *mounts);
/* One at a time adds mounts or moves heads. */
void mounts_claim(struct mounts *mounts);
void mounts_unclaim(struct mounts *mounts);

/* mount_writers.c: handles of the head, and opens that are put off. */
unsigned mount_writers(struct mount *mount);
unsigned mount_readers(struct mount *mount);
/* Begins to put opens for writing off; returns the handles open for it. */
unsigned mount_hold_writers(struct mount *mount);
/* Puts one off; name: of a create, else NULL. */
NODISCARD int mount_put_off(struct mount *mount, fuse_req_t req,
			    fuse_ino_t node, const char *name, mode_t mode,
			    const struct fuse_file_info *info)
	REQUIRES(mount->lock);
/* Answers those that were put off. */
void mount_resume_writers(struct mount *mount);
/* The same with an error: the mount is gone. */
void mount_refuse_waiting(struct mount *mount);

/* mount_errand.c: what is to be done apart from the daemon's descriptors. */
struct errand {
	int (*run)(struct errand *errand);
	struct mount *mount;
	bool with_times;
	bool unreachable; /* the mount can't be reached by its path */
	int rc;
};
NODISCARD int errand_run(struct errand *errand);
/* The mountpoint, if its path leads to this mount: another may be mounted over
 * it, or it was unmounted lazily. A descriptor. */
NODISCARD int mount_open_root(struct mount *mount, int flags);
/* The branch's name now: it may be renamed while it is mounted. */
void mount_branch(struct mount *mount, char name[STORE_NAME_BYTES_MAX + 1]);
