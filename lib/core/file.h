/*
 * Merged block view of one file: delta over base, at any offset and length.
 * An image store has one file, IMAGE_INODE.
 *
 * All calls may run in parallel from any thread. Errors: -EROFS (snapshot,
 * or the store turned read-only), -ENOSPC, -EFBIG, -EIO, -EUCLEAN (stored
 * bytes fail their checksum; callers pass it on as EIO), -ESTALE (base
 * changed, or the view was revoked).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

enum { ROOT_INODE = 1, IMAGE_INODE = 2, FIRST_NEW_INODE = 16 };

/* Numbers above are of objects of base: layer << 40 | 40 bits. */
#define INODE_NEW_END (UINT64_C(1) << 40)

/* The largest image: block numbers stay far below what an int64 offset
 * can name. */
#define FILE_SIZE_BYTES_MAX (INT64_C(1) << 62)

struct view; /* the head of a branch, or a snapshot */
struct file;

/*
 * The head of a branch. Every caller gets the same view of one branch,
 * with a reference. Errors: not_found.
 */
NODISCARD int view_open_branch(struct store *store, const char *branch,
			       struct view **out_view, struct failure *failure);
/* A snapshot, by name or id; read-only. Keeps it from being purged. */
NODISCARD int view_open_snapshot(struct store *store, uint32_t snapshot_id,
				 struct view **out_view,
				 struct failure *failure);
void view_put(struct view *view);

/* The file of an image store; lives as long as the view. */
struct file *view_image(struct view *view);

struct file_info {
	uint64_t size_bytes;
	uint64_t delta_bytes; /* mapped in the store, for st_blocks */
	int64_t mtime_ns, ctime_ns, atime_ns;
	uint32_t mode, uid, gid; /* permission bits only */
};

void file_get_info(struct file *file, struct file_info *out_info);
/* mode, uid, gid and times; size and delta are ignored. */
NODISCARD int file_set_info(struct file *file, const struct file_info *info);

/* Reads up to len_bytes; short only at the end of the file. */
NODISCARD int file_read(struct file *file, uint64_t offset_bytes, void *data,
			size_t len_bytes, size_t *out_len_bytes);
/* Writes all or fails; grows the file. In a tree its times stay: here and in
 * what follows. */
NODISCARD int file_write(struct file *file, uint64_t offset_bytes,
			 const void *data, size_t len_bytes);
/*
 * What `from` has in a range, also of another view of the store, `to` has as
 * well: blocks that are stored are not copied but shared, holes stay holes,
 * what is of base is copied. Ranges of one file must not overlap. Stops early
 * at the end of `from`, or when it has taken long: out_len_bytes, 0 at the end.
 */
NODISCARD int file_share(struct file *from, uint64_t from_bytes,
			 struct file *to, uint64_t to_bytes, uint64_t len_bytes,
			 uint64_t *out_len_bytes);
/* Zeros a range inside the file (punch hole, discard, zero range). */
NODISCARD int file_zero(struct file *file, uint64_t offset_bytes,
			uint64_t len_bytes);
/* Bytes beyond a smaller size are gone: growing again shows zeros. */
NODISCARD int file_resize(struct file *file, uint64_t size_bytes);
/* All acknowledged writes of the file survive a power cut on return. */
NODISCARD int file_sync(struct file *file);
/*
 * The first offset >= offset_bytes that holds data (want_data) or reads as
 * a hole. -ENXIO when there is none, as lseek says. Base holes count.
 */
NODISCARD int file_seek(struct file *file, uint64_t offset_bytes,
			bool want_data, uint64_t *out_offset_bytes);
