/*
 * Batches of changes of items: in the log as ITEMS records, then in memory.
 *
 * I1: all of a batch is applied under one order_lock, and so stands on one
 *     side of every snapshot and checkpoint.
 * I2: a batch that could not be appended whole is not applied, and replay
 *     leaves out a beginning without an end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "items.h"

static int grow(struct batch *batch)
{
	size_t capacity = batch->capacity_bytes ? batch->capacity_bytes * 4 :
						  2048;
	uint8_t *bytes;

	if (batch->capacity_bytes == BATCH_BYTES_MAX)
		return -E2BIG;
	if (capacity > BATCH_BYTES_MAX)
		capacity = BATCH_BYTES_MAX;
	bytes = realloc(batch->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	batch->bytes = bytes;
	batch->capacity_bytes = capacity;
	return 0;
}

int item_edits_add(struct batch *edits, const uint8_t *key, size_t key_bytes,
		   const void *payload, size_t payload_bytes)
{
	int rc;

	while ((rc = batch_append(edits, key, key_bytes, payload,
				  payload_bytes)) == -E2BIG) {
		rc = grow(edits);
		if (rc < 0)
			return rc;
	}
	return rc;
}

void item_edits_fini(struct batch *edits)
{
	free(edits->bytes);
	memset(edits, 0, sizeof(*edits));
}

/* What the inode had in the store is given up with it. */
static int apply_absent_inode(struct view *view, uint64_t inode)
	REQUIRES(view->store->order_lock)
{
	struct file *file;
	int rc = file_get_locked(view, inode, &file);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	mutex_assert_held(&file->view->store->order_lock);
	rc = file_apply_delete_locked(file);
	if (rc == 0)
		rc = file_put_locked(file);
	return rc;
}

/* Somebody may have the inode open: what he sees is what is stored. */
static int apply_inode(struct view *view, uint64_t inode,
		       const uint8_t *payload, size_t payload_bytes)
	REQUIRES(view->store->order_lock)
{
	struct inode_item item;
	struct file *file;
	int rc;

	if (payload_bytes == 0)
		return apply_absent_inode(view, inode);
	rc = inode_item_decode(payload, payload_bytes, &item);
	HASH_FIND(hh, view->files, &inode, sizeof(inode), file);
	if (rc < 0 || !file)
		return rc;
	mutex_lock(&view->store->map_lock);
	file->item = item;
	file->version = (struct item_version){ view->line, view->gen };
	file->dirty = false;
	mutex_unlock(&view->store->map_lock);
	return 0;
}

/* New inodes have numbers that no other ever had. */
static void use_inode(struct store *store, uint64_t inode)
	REQUIRES(store->order_lock)
{
	if (inode < INODE_NEW_END && inode >= store->next_inode)
		store->next_inode = inode + 1;
}

static int apply_entry(struct view *view, const struct batch_entry *entry)
	REQUIRES(view->store->order_lock)
{
	struct item_version version = { view->line, view->gen };
	int rc = 0;

	if (entry->item.type == ITEM_TYPE_INODE)
		rc = apply_inode(view, entry->item.inode, entry->payload,
				 entry->payload_bytes);
	if (rc < 0)
		return rc;
	if (entry->item.type == ITEM_TYPE_ORIGIN)
		version = (struct item_version){ 0, 0 };
	else
		use_inode(view->store, entry->item.inode);
	return items_put_locked(view->store, entry->key, entry->key_bytes,
				version, entry->payload, entry->payload_bytes);
}

int items_apply_locked(struct view *view, const struct batch *edits)
{
	struct branch *branch = graph_branch(&view->store->graph, view->branch);
	struct batch_entry entry;
	size_t at = 0;
	int rc;

	while ((rc = batch_next(edits, &at, &entry)) == 0) {
		rc = apply_entry(view, &entry);
		if (rc < 0)
			break;
	}
	branch->row.changed = true;
	branch->dirty = true;
	return rc == -ENOENT ? 0 : rc;
}

/* Is it a user's write, which leaves the reserve alone: a new name or xattr,
 * and nothing that goes? What removes, renames or changes an inode may use it:
 * else nobody could make room. */
static bool needs_room(const struct batch *edits)
{
	struct batch_entry entry;
	struct dirent_item dirent;
	bool grows = false;
	size_t at = 0;

	while (batch_next(edits, &at, &entry) == 0) {
		if (entry.payload_bytes == 0)
			return false;
		if (entry.item.type == ITEM_TYPE_XATTR)
			grows = true;
		if (entry.item.type != ITEM_TYPE_DIRENT)
			continue;
		if (dirent_item_decode(entry.payload, entry.payload_bytes,
				       &dirent) < 0 ||
		    dirent.inode == 0) /* a whiteout */
			return false;
		grows = true;
	}
	return grows;
}

static int append_pieces(struct store *store, const struct batch *edits)
	REQUIRES(store->order_lock)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct items_record piece;
	uint64_t lsn;
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && batch_next_piece(edits, &at, &piece))
		rc = store_logged(
			store,
			log_append(store->log, RECORD_TYPE_ITEMS, payload,
				   items_record_encode(&piece, payload), &lsn));
	if (rc == 0 &&
	    edits->bytes[BATCH_ENTRY_HEADER_BYTES + ITEM_PREFIX_BYTES - 1] ==
		    ITEM_TYPE_STACK)
		dump_note_locked(store);
	return rc;
}

int items_commit_locked(struct view *view, struct batch *edits)
{
	struct store *store = view->store;
	uint64_t user_bytes = needs_room(edits) ? edits->used_bytes : 0;
	int rc = view->is_head ? store_check_writable(store, user_bytes) :
				 -EROFS;

	if (rc < 0 || edits->used_bytes == 0)
		return rc;
	edits->line = view->line;
	edits->gen = view->gen;
	rc = append_pieces(store, edits);
	if (rc < 0) /* I2 */
		return rc;
	rc = items_apply_locked(view, edits);
	if (rc < 0)
		return store_fail(store, rc, "can't apply a logged change");
	return 0;
}
