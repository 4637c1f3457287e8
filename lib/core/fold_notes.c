/*
 * Records name the line that wrote them for ever, and folding makes lines
 * another's: so it is noted, for who has to read the records without the
 * index (format.md, 8.1 `folds`, 8.6).
 *
 * I1: a note stays as long as there may be a record of the line: all are older
 *     than the fold, and a segment has no record that is older than itself.
 */
#include "fold_notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct disk_note {
	struct le32 line, into, gen;
	struct le64 lsn;
};

_Static_assert(sizeof(struct disk_note) == 20, "packed");

enum { PRUNE_NOTES = 16 };

int fold_note_add(struct store *store, uint32_t line, uint32_t into,
		  uint32_t gen)
{
	void *grown = reallocarray(store->folds, store->fold_count + 1,
				   sizeof(*store->folds));

	if (!grown)
		return -ENOMEM;
	store->folds = grown;
	store->folds[store->fold_count++] =
		(struct fold_note){ line, into, gen,
				    log_appended_lsn(store->log) };
	store->folds_changed = store->folds_untold = true;
	return 0;
}

static const struct fold_note *note_of(const struct store *store, uint32_t line)
{
	size_t i;

	for (i = 0; i < store->fold_count; i++)
		if (store->folds[i].line == line)
			return &store->folds[i];
	return NULL;
}

bool fold_note_find(const struct store *store, uint32_t *line, uint32_t gen)
{
	const struct fold_note *note;

	/* Ends: a line is folded into one with a greater id. */
	while ((note = note_of(store, *line))) {
		if (gen > note->gen)
			return false;
		*line = note->into;
	}
	return true;
}

/* The first LSN that the segments may still have. */
static uint64_t oldest_lsn(struct store *store)
{
	AUTO_FREE uint8_t *block = malloc(BLOCK_BYTES);
	struct location at = { 0, 0 };
	struct segment_header header;

	mutex_lock(&store->space.lock);
	if (store->space.count)
		at.segment = store->space.segments[0]->id;
	mutex_unlock(&store->space.lock);
	if (!block || at.segment == 0 ||
	    log_read_blocks(store->log, at, block, 1) < 0 ||
	    segment_header_decode(block, BLOCK_BYTES, &header) < 0)
		return 0;
	return header.first_lsn;
}

/* I1; and what was folded into a line that is gone is gone. */
static void prune(struct store *store)
{
	uint64_t oldest = oldest_lsn(store);
	size_t i = store->fold_count, kept = 0;

	while (i-- > 0) {
		const struct fold_note *note = &store->folds[i];
		uint32_t into = note->into;

		mutex_lock(&store->order_lock);
		if (note->lsn < oldest ||
		    (!graph_line(&store->graph, into) && !note_of(store, into)))
			store->folds[i].line = 0;
		mutex_unlock(&store->order_lock);
	}
	for (i = 0; i < store->fold_count; i++)
		if (store->folds[i].line)
			store->folds[kept++] = store->folds[i];
	store->fold_count = kept;
}

int fold_notes_save(struct store *store)
{
	AUTO_FREE struct disk_note *disk = NULL;
	size_t i;
	int rc;

	if (!store->folds_changed)
		return 0;
	if (store->fold_count >= PRUNE_NOTES)
		prune(store);
	disk = calloc(store->fold_count + 1, sizeof(*disk));
	if (!disk)
		return -ENOMEM;
	for (i = 0; i < store->fold_count; i++)
		disk[i] = (struct disk_note){
			le32_put(store->folds[i].line),
			le32_put(store->folds[i].into),
			le32_put(store->folds[i].gen),
			le64_put(store->folds[i].lsn),
		};
	rc = index_meta_put_blob(store->index, "folds", disk,
				 store->fold_count * sizeof(*disk));
	store->folds_changed = rc < 0;
	return rc;
}

int fold_notes_load(struct store *store)
{
	AUTO_FREE void *blob = NULL;
	const struct disk_note *disk;
	size_t bytes = 0, i;
	int rc = index_meta_get_blob_any(store->index, "folds", &blob, &bytes);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (bytes % sizeof(*disk) != 0)
		return -EUCLEAN; /* F-76 */
	disk = blob;
	store->folds = calloc(bytes / sizeof(*disk) + 1, sizeof(*store->folds));
	if (!store->folds)
		return -ENOMEM;
	store->fold_count = bytes / sizeof(*disk);
	store->folds_untold = store->fold_count > 0;
	for (i = 0; i < store->fold_count; i++) {
		store->folds[i] = (struct fold_note){
			le32_get(disk[i].line),
			le32_get(disk[i].into),
			le32_get(disk[i].gen),
			le64_get(disk[i].lsn),
		};
		if (store->folds[i].line == 0 ||
		    store->folds[i].into <= store->folds[i].line)
			return -EUCLEAN; /* F-76 */
	}
	return 0;
}
