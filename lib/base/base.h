/*
 * The read-only lower side of an image store: a regular file or a block
 * device. Opened O_RDONLY, never for writing (rule 1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

struct base;

enum base_kind {
	BASE_KIND_NONE,
	BASE_KIND_FILE,
	BASE_KIND_DEVICE,
	BASE_KIND_DIRECTORY, /* a layer: opened by layers.h */
	BASE_KIND_SNAPSHOT,  /* a layer, too: of another store */
};

/* What tells one base from another; kept in the index. Of a directory: path,
 * device, inode and, in sample_hash, XXH3-64 of its time of birth (0: not
 * known); the rest is 0. Of a snapshot: path is "STORE@NAME", as it was found,
 * device and sample_hash the first and last half of the store's UUID, most
 * significant byte first, and inode is the snapshot's id. */
struct base_fingerprint {
	enum base_kind kind;
	char path[4096]; /* absolute, symlinks resolved */
	uint64_t device; /* st_dev, or st_rdev of a block device */
	uint64_t inode;	 /* 0 for a block device */
	uint64_t size_bytes;
	int64_t mtime_ns;     /* 0 for a block device */
	uint64_t sample_hash; /* XXH3-64 over size and evenly spread blocks */
	bool has_full_hash;
	uint64_t full_hash; /* XXH3-64 of all bytes */
};

/*
 * Opens path and takes its fingerprint. Clear failures for: missing, not
 * readable, empty, a directory, any other type. full_hash reads all of it.
 */
NODISCARD int base_open(const char *path, bool full_hash,
			struct base **out_base, struct failure *failure);
/*
 * Opens what an existing store was made over and compares: base_changed says
 * what differs (size, time, content) and what to do. path NULL: the recorded
 * one. A base that moved or was restored (new inode, device or path) passes
 * when size, time and samples are equal.
 */
NODISCARD int base_reopen(const struct base_fingerprint *expected,
			  const char *path, struct base **out_base,
			  struct failure *failure);
void base_close(struct base *base);

const struct base_fingerprint *base_fingerprint(const struct base *base);

/* Fills all of len_bytes; zeros past the end of the base. -ESTALE once the
 * base was seen to have changed. */
NODISCARD int base_read(struct base *base, uint64_t offset_bytes, void *data,
			size_t len_bytes);
/* As lseek: where data, or a hole, next begins; the size when there is none.
 * A file system that can't tell has one extent of data. */
NODISCARD int base_seek(struct base *base, uint64_t offset_bytes,
			bool want_data, uint64_t *out_offset_bytes);
/* Read-ahead advice; never fails. */
void base_advise(struct base *base, uint64_t offset_bytes, uint64_t len_bytes);

/*
 * Looks again (fstat, and the path) and remembers the answer for base_read;
 * cheap enough for once a second. changed: bytes may differ from what the
 * store was made over. being_written: a lease tells that somebody has it
 * open for writing now.
 */
struct base_state {
	bool changed;
	bool being_written;
	char reason[256];
};
void base_check(struct base *base, struct base_state *out_state);
