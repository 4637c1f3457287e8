/*
 * The -o string of a mount: what cowd does itself, what the kernel and
 * libfuse are told, and what is accepted because others know it.
 */
#pragma once

#define FUSE_USE_VERSION 312

#include <fuse_opt.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "failure.h"
#include "store.h"

enum snapdir_mode { SNAPDIR_HIDDEN, SNAPDIR_VISIBLE, SNAPDIR_OFF };

enum { MOUNT_CODE_BYTES = 64, MOUNT_FSNAME_BYTES = 4400 };

struct mount_options {
	bool read_only, nonempty, allow_other, allow_root;
	bool override_uid, override_gid, override_mode;
	bool direct_io, sync_read, no_writeback, keep_atime;
	bool sync, dirsync; /* each change is durable when it returns */
	bool blkdev, rellinks, suid, dev;
	bool follow_base; /* show new versions of base's files */
	uid_t uid;
	gid_t gid;
	unsigned umask;
	/* How long the kernel may believe what it was told. */
	double entry_timeout_s, negative_timeout_s, attr_timeout_s;
	/* 0: as cowd thinks best */
	unsigned max_read, max_readahead, max_write, max_threads;
	unsigned max_background, congestion_threshold;
	enum snapdir_mode snapdir;
	bool reveal;			     /* no whiteouts where names go */
	char cowddir[NAME_MAX + 1];	     /* of trees; "": none */
	char name[STORE_NAME_BYTES_MAX + 1]; /* of the image; "": by base */
	char fsname[MOUNT_FSNAME_BYTES];     /* "": what is mounted */
	char subtype[MOUNT_CODE_BYTES];	     /* "": cowd */
	/* Of trees: what is shown of it, and in which characters. */
	char subdir[PATH_MAX];
	char rules[PATH_MAX]; /* a rule file; "": none */
	char from_code[MOUNT_CODE_BYTES], to_code[MOUNT_CODE_BYTES];
	json_t *binds;		    /* texts: SUB=DST or SUB=DST:ro */
	json_t *warnings;	    /* texts: what has no effect, and why */
	struct fuse_args arguments; /* for libfuse */
};

/* Fills all but arguments. To be ended by mount_options_fini in any case. */
NODISCARD int mount_options_parse(struct mount_options *options,
				  const char *text, struct failure *failure);
/* Of a time-out: as cowd thinks best. */
#define MOUNT_NOT_GIVEN_S (-1.0)
/* One more for libfuse. */
NODISCARD int mount_options_add(struct mount_options *options,
				const char *text);
/* Adds one line to the warnings. */
void mount_options_warn(struct mount_options *options, const char *name,
			const char *why);
/*
 * Checks what fits together, and makes the arguments. source: what is mounted,
 * as it shall be told where no fsname was given. check_permissions: the kernel
 * shall do it whoever can reach the mount.
 */
NODISCARD int mount_options_finish(struct mount_options *options,
				   const char *source, bool check_permissions,
				   struct failure *failure);
void mount_options_fini(struct mount_options *options);
