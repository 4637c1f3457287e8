/*
 * tree_model: random operations on two directories at once, that under test
 * and a plain one; both must answer and look the same at any time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <linux/limits.h>

enum {
	HANDLE_COUNT = 12,
	XATTR_NAME_COUNT = 7,
	FILE_BYTES_MAX = 2 << 20,
	OTHER_USER = 12345, /* who some of the operations are done as */
};

/* What can be left out with --without. */
enum feature {
	FEATURE_NONE = 0,
	FEATURE_ACL = 1,
	FEATURE_DEVICES = 2,
	FEATURE_DIR_LINKS = 4, /* st_nlink of directories */
	FEATURE_EXCHANGE = 8,
	FEATURE_INODES = 16, /* st_ino stays the same */
	FEATURE_MTIME = 32,
	FEATURE_PUNCH = 64, /* holes and ranges of zeros */
	FEATURE_TMPFILE = 128,
	FEATURE_USERS = 256, /* operations as another user */
	FEATURE_WHITEOUT = 512,
	FEATURE_XATTR = 1024,
	FEATURE_CTIME = 2048,
	FEATURE_DOTS = 4096,	 /* the inode of ".." */
	FEATURE_ACCOUNTS = 8192, /* d_type, d_ino */
};

struct side {
	const char *root;
	int root_fd;
	int handle[HANDLE_COUNT]; /* -1: none */
	bool syncs;		  /* fsync is worth its time */
};

/* One operation; what the fields mean is its own business. */
struct op {
	char path[PATH_MAX], path2[PATH_MAX];
	char name[256]; /* of an xattr; a symlink's target is in path2 */
	uint64_t offset, bytes, offset2;
	uint64_t salt;
	unsigned flags;
	unsigned mode, uid, gid;
	unsigned umask;
	bool as_other; /* done as OTHER_USER */
	uint64_t device;
	struct timespec times[2];
	int slot;
};

/* What an operation answers: a number or a negative errno, and a checksum of
 * the data that it gave. */
struct answer {
	int64_t value;
	uint64_t sum;
};

struct world {
	struct side subject, reference;
	const char *state; /* directory for saved copies of reference */
	const char *hook;
	const char *start;
	unsigned without; /* enum feature */
	uint64_t seed, op_count, every;
	uint64_t random; /* state of the generator */
	uint64_t op_nr;
	uint64_t entry_count, entries_most;
	uint64_t slowest_ns; /* operation so far */
	uint64_t compare_count, hook_count;
	bool verbose;
};

/* tree_random.c: everything is drawn from the seed. */
uint64_t random_next(struct world *world);
uint64_t random_below(struct world *world, uint64_t limit);
bool random_chance(struct world *world, unsigned percent);
uint64_t mix(uint64_t value);
void fill(void *data, size_t bytes, uint64_t salt);
uint64_t sum_of(const void *data, size_t bytes, uint64_t seed);

/* tree_pick.c: paths relative to the root, chosen by what is in reference. */
enum pick {
	PICK_DIR = 1,
	PICK_FILE = 2,
	PICK_LINK = 4,
	PICK_SPECIAL = 8,
	PICK_ANY = 15,
};
/* Something of these kinds, if there is any nearby; else any name. */
void pick(struct world *world, unsigned kinds, char *path);
/* A name that need not exist. */
void pick_new(struct world *world, char *path);
/* The directory that a path is in; "." for one in the root. */
void parent_of(const char *path, char *parent);

/* An operation: choose() draws its arguments, run() does it on one side,
 * with the side's root as working directory. */
struct op_kind {
	const char *name;
	unsigned weight;
	unsigned needs; /* enum feature */
	enum size {
		SIZE_SAME,
		SIZE_GROWS,
		SIZE_SHRINKS
	} size; /* of the tree */
	void (*choose)(struct world *world, struct op *op);
	struct answer (*run)(struct side *side, const struct op *op);
};
extern const struct op_kind name_ops[], data_ops[], meta_ops[], handle_ops[];
struct answer answer_of(int64_t rc); /* -1: errno */

/* tree_compare.c */
/* The whole trees; says where they differ. */
bool compare_trees(struct world *world, const char *subject,
		   const char *reference, bool live);
/* One path, after an operation: as lstat sees it. touched_ns: what changed
 * since then changed on both; 0: don't look. */
bool compare_path(struct world *world, const char *path, int64_t touched_ns);
/* Forgets which inode of subject is which of reference. */
void compare_forget(void);
/* The inode numbers of all paths, for later. */
bool inodes_save(const char *root, const char *file);
bool inodes_compare(const char *root, const char *file);

/* tree_hook.c */
/* Runs the hook and does what it says. */
bool hook_run(struct world *world);
void handles_close(struct world *world);
/* cp -a of the content and the root's attributes; to must not exist. */
bool copy_tree(const char *from, const char *to);
