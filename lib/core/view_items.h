/*
 * What a view knows of inodes, names and xattrs, and how its head changes
 * them: for lib/tree. Keys and payloads are in item_format.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "batch_format.h"
#include "index.h"
#include "item_format.h"

struct base_file;
struct base_stat;
struct file;
struct store;
struct view;

/* A version that was found; of malloc. */
struct item_copy {
	struct item_version version;
	size_t payload_bytes;
	uint8_t *payload; /* behind it */
};

struct store *view_store(struct view *view);
bool view_is_head(const struct view *view);

/* The newest version that the view sees. -ENOENT: none, or it is absent.
 * -EUCLEAN: damaged. */
NODISCARD int view_item_get(struct view *view, const struct item_key *key,
			    struct item_copy **out_copy);
/* The inode as it is now: also what its data's writers changed. -ENOENT. */
NODISCARD int view_inode_get(struct view *view, uint64_t inode,
			     struct inode_item *out_item);
/*
 * Calls visit for every item of this inode and type that is not absent, in
 * order of names. A negative return ends and is returned.
 */
typedef int view_items_visit(void *context, const struct item_key *key,
			     const void *payload, size_t payload_bytes);
NODISCARD int view_items_scan(struct view *view, uint64_t inode,
			      enum item_type type, view_items_visit *visit,
			      void *context);
/* The same for the ORIGIN items of the 256 inodes from first on, which is a
 * multiple of that. */
NODISCARD int view_origins_scan(struct view *view, uint64_t first,
				view_items_visit *visit, void *context);

/*
 * One operation on the head: begin, look at inodes as they are, add what
 * changes, commit. All of it happens, or nothing. Between begin and commit or
 * abort the whole store waits: no I/O on base there.
 * begin: -EROFS: not a head, or the store is read-only; -ENOSPC.
 */
struct view_edit {
	struct view *view;
	struct batch batch;
	int error; /* the first; commit returns it */
};
/* Before it, and before any lock: waits while too much is unsaved. */
void view_edit_wait(struct view *view);
/* The same for one that needs room: waits also while what was removed gives
 * some. The commit tells if there is none. */
void view_edit_wait_for_room(struct view *view);
NODISCARD int view_edit_begin(struct view *view, struct view_edit *edit);
/* A number for a new inode. */
uint64_t view_edit_new_inode(struct view_edit *edit);
/* The present item of an inode that is in use; leaves it alone if it is not. */
void view_edit_refresh(struct view_edit *edit, uint64_t inode,
		       struct inode_item *item);
void view_edit_put_inode(struct view_edit *edit, uint64_t inode,
			 const struct inode_item *item);
/* payload_bytes 0: absent from now on. */
void view_edit_put(struct view_edit *edit, const struct item_key *key,
		   const void *payload, size_t payload_bytes);
NODISCARD int view_edit_commit(struct view_edit *edit);
void view_edit_abort(struct view_edit *edit);

/*
 * The data of an inode. unstored: what it is if it has no item yet (it can't
 * be written to then); base: of what no write has covered, or NULL; it is
 * closed with the file, or at once if the file is in use already.
 * -ENOENT: no item, and unstored is NULL.
 */
NODISCARD int view_file_get(struct view *view, uint64_t inode,
			    const struct inode_item *unstored,
			    struct base_file *base, struct file **out_file);
/* Base has another file in its place, and the store nothing of it: all who
 * have it open see that one. base: taken over if it had none. */
void view_file_renew(struct file *file, const struct base_stat *seen,
		     struct base_file *base);
void view_file_put(struct file *file);
