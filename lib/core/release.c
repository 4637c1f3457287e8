/*
 * After a checkpoint: what nothing refers to any more goes back to the file
 * system, dead blocks by holes, dead segments whole; and index.bak follows.
 *
 * I1: the index that no longer refers to it is committed (rule 4), and no
 *     row of a deleted snapshot waits for the reaper, which may refer to it.
 * I2: blocks are punched only if the log itself says that the records which
 *     name them were durable.
 * I3: a segment's file goes after its row, in the index and in index.bak.
 * I4: what its records said of the store as a whole (dump.c), and of blocks
 *     elsewhere (keep.c), was said again before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "dump.h"
#include "keep.h"
#include "reserve.h"

/* Dead as of P, so that no saved row refers to it (I1), and the log
 * behind P does not need its records, nor do records behind P name blocks of
 * it that came and went since (not dirty). */
static bool removable(struct store *store, const struct segment_space *segment)
{
	return segment->sealed && segment->was_dead && !segment->dirty &&
	       segment->live_blocks == segment->metadata_blocks &&
	       segment->last_lsn < store->checkpoint_lsn;
}

static size_t find_removable(struct store *store, struct rowless *out_found)
{
	struct space_map *map = &store->space;
	size_t i;

	out_found->count = 0;
	mutex_lock(&map->lock);
	for (i = 0; i < map->count && out_found->count < ROWLESS_MAX; i++)
		if (removable(store, map->segments[i]))
			out_found->ids[out_found->count++] =
				map->segments[i]->id;
	mutex_unlock(&map->lock);
	return out_found->count;
}

/* Who has blocks of a sealed segment, and no record of them yet, gets it. */
static void wait_for_writers(struct store *store)
{
	uint32_t last = 0;

	for (;;) {
		struct view *view, *head = NULL;

		mutex_lock(&store->order_lock);
		DL_FOREACH2(store->views, view, next)
		if (view->is_head && view->branch > last &&
		    (!head || view->branch < head->branch))
			head = view;
		if (head)
			head->references++;
		mutex_unlock(&store->order_lock);
		if (!head)
			return;
		last = head->branch;
		view_wait_for_writers(head);
		view_put(head);
	}
}

/* Is there a record in these segments that a dump must repeat? */
static bool any_told(struct store *store, const struct rowless *dead)
{
	const struct segment_space *segment;
	bool told = false;
	size_t i;

	mutex_lock(&store->space.lock);
	for (i = 0; i < dead->count && !told; i++) {
		segment = space_map_segment(&store->space, dead->ids[i]);
		told = segment && segment->told;
	}
	mutex_unlock(&store->space.lock);
	return told;
}

/* I4. Removing is what makes room: it goes on without. */
static int tell_again(struct store *store, const struct rowless *dead)
	REQUIRES(store->maintenance_lock)
{
	uint64_t lsn = 0;
	int rc = dump_tell_folds(store);

	if (rc == 0)
		rc = keep_records(store, dead, &lsn);
	if (lsn && log_sync(store->log, lsn) < 0)
		return -EIO;
	if (rc == 0 && any_told(store, dead))
		rc = dump_write(store);
	if (atomic_load(&store->failed))
		return -EROFS;
	if (rc < 0)
		log_message(LOG_LEVEL_NOTICE,
			    "%s: what removed segments said can't be said in "
			    "the log again: %s; the index has it",
			    store->path, strerror(-rc));
	return 0;
}

/*
 * I3: a row without its file is damage, in the index and in its backup. So
 * the rows of dead segments go first, durably, then a backup is made that
 * does not have them either, then the files go.
 */
static int drop_dead_rows(struct store *store) REQUIRES(store->maintenance_lock)
{
	struct rowless *dead = &store->rowless;
	size_t i;
	int rc = 0;

	if (dead->count > 0 || reap_needed(store) || /* I1 */
	    find_removable(store, dead) == 0)
		return 0;
	wait_for_writers(store);
	find_removable(store, dead);
	rc = tell_again(store, dead);
	for (i = 0; i < dead->count && rc == 0; i++) {
		rc = index_segment_delete(store->index, dead->ids[i]);
		if (rc == 0)
			space_map_remove(&store->space, dead->ids[i]);
	}
	return rc < 0 ? rc : index_commit(store->index);
}

static void remove_rowless(struct store *store)
{
	struct rowless *dead = &store->rowless;
	size_t i;

	for (i = 0; i < dead->count; i++)
		if (log_remove_segment(store->log, dead->ids[i]) == 0)
			atomic_fetch_add(&store->count.punched_bytes,
					 SEGMENT_BLOCKS);
	dead->count = 0;
}

static bool bit(const uint8_t *bits, uint32_t nr)
{
	return bits[nr / 8] >> (nr % 8) & 1;
}

static int punch_segment(struct store *store, uint32_t id, const uint8_t *freed)
{
	uint32_t block = 1, begin;
	int rc = 0;

	while (block < SEGMENT_BLOCKS && rc == 0) {
		if (!bit(freed, block)) {
			block++;
			continue;
		}
		begin = block;
		while (block < SEGMENT_BLOCKS && bit(freed, block))
			block++;
		rc = log_punch(store->log, (struct location){ id, begin },
			       block - begin);
		if (rc == -ENOSPC && reserve_lend(store))
			rc = log_punch(store->log,
				       (struct location){ id, begin },
				       block - begin);
		atomic_fetch_add(&store->count.punched_bytes,
				 (uint64_t)(block - begin) * BLOCK_BYTES);
	}
	return rc;
}

/* The mark is cleared in memory; the next checkpoint saves that. */
static void punched(struct store *store, uint32_t id)
{
	struct segment_space *segment;

	mutex_lock(&store->space.lock);
	segment = space_map_segment(&store->space, id);
	if (segment && !segment->freed) {
		segment->punch = false;
		segment->dirty = true;
	}
	mutex_unlock(&store->space.lock);
}

void checkpoint_put_back(struct store *store, const struct space_save *save)
{
	size_t i, j;

	mutex_lock(&store->space.lock);
	for (i = 0; i < save->count; i++) {
		struct segment_space *segment =
			space_map_segment(&store->space, save->segments[i].id);

		if (!segment)
			continue;
		segment->dirty = true;
		if (!save->segments[i].freed)
			continue;
		if (!segment->freed)
			segment->freed = calloc(1, SEGMENT_BITMAP_BYTES);
		for (j = 0; segment->freed && j < SEGMENT_BITMAP_BYTES; j++)
			segment->freed[j] |= save->segments[i].freed[j];
	}
	mutex_unlock(&store->space.lock);
}

/*
 * I2: replay from the older index.bak meets records whose blocks are punched.
 * It must not take them for the torn end of the log, so the log itself says
 * first, durably, that they are not.
 */
static int tell_durable(struct store *store, const struct space_save *save)
{
	bool freed = false;
	uint64_t lsn = 0;
	size_t i;
	int rc;

	for (i = 0; i < save->count; i++)
		freed = freed || save->segments[i].freed;
	if (!freed || store->backup_lsn == store->checkpoint_lsn)
		return 0;
	mutex_lock(&store->order_lock);
	rc = store_logged(store, log_append(store->log, RECORD_TYPE_SYNCED, "",
					    0, &lsn));
	mutex_unlock(&store->order_lock);
	if (rc == 0)
		rc = log_sync(store->log, lsn);
	/* It alone is nothing to save. */
	if (rc == 0 && lsn == store->checkpoint_lsn + 1)
		store->checkpoint_lsn = lsn;
	return rc;
}

static void punch_freed(struct store *store, const struct space_save *save)
{
	size_t i;

	if (reap_needed(store) || /* I1 */
	    tell_durable(store, save) < 0) {
		checkpoint_put_back(store, save);
		return;
	}
	for (i = 0; i < save->count; i++) {
		const struct segment_space *segment = &save->segments[i];

		if (!segment->freed)
			continue;
		if (punch_segment(store, segment->id, segment->freed) == 0)
			punched(store, segment->id);
	}
}

static int backup(struct store *store)
{
	int rc = index_backup(store->index, store->path);

	/* First the copy: segments that the older one needs are kept by the
	 * older number. */
	if (rc == 0)
		rc = index_meta_put(store->index, "backup_lsn",
				    (int64_t)store->checkpoint_lsn);
	if (rc == 0)
		rc = index_commit(store->index);
	if (rc == 0)
		store->backup_lsn = store->checkpoint_lsn;
	return rc;
}

int checkpoint_release(struct store *store, const struct space_save *save,
		       bool force_backup)
{
	int rc = drop_dead_rows(store);

	if (rc == -ENOSPC && index_waits(store->index)) {
		checkpoint_put_back(store, save);
		return rc;
	}
	if (rc < 0)
		return store_fail(store, rc,
				  "can't drop the rows of dead segments");
	if (force_backup || store->rowless.count > 0)
		rc = backup(store);
	punch_freed(store, save);
	if (rc == 0)
		remove_rowless(store);
	/* Files of dead segments can wait for room: they are punched. */
	return rc == -ENOSPC && !force_backup ? 0 : rc;
}
