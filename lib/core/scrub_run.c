/*
 * A scrub's way through the store: the index, then batch after batch of
 * segments.
 *
 * I1: record.segment is one up to which all is named in the findings, or
 *     right.
 */
#include <errno.h>

#include "scrub_impl.h"

#define SECOND_NS INT64_C(1000000000)

enum {
	SAVE_SECONDS = 10,
	NAME_SECONDS = 30, /* what was hit may wait so long for its name */
};

static int check_index(struct scrub *scrub)
{
	struct scrub_finding finding = { .kind = SCRUB_KIND_INDEX };
	struct index_quick *quick;
	bool stop;
	int rc = index_quick_open(scrub->store->path, &quick);

	if (rc < 0)
		return rc;
	mutex_lock(&scrub->lock);
	scrub->quick = quick;
	stop = scrub->stop;
	mutex_unlock(&scrub->lock);
	rc = stop ? -EINTR :
		    index_quick_run(quick, scrub->store->index, finding.path,
				    sizeof(finding.path));
	if (rc == -EAGAIN) { /* let nothing come in between */
		mutex_lock(&scrub->store->maintenance_lock);
		rc = index_quick_run(quick, scrub->store->index, finding.path,
				     sizeof(finding.path));
		mutex_unlock(&scrub->store->maintenance_lock);
	}
	mutex_lock(&scrub->lock);
	scrub->quick = NULL;
	mutex_unlock(&scrub->lock);
	index_quick_close(quick);
	if (rc == -EUCLEAN)
		rc = scrub_add(scrub, &finding);
	if (rc < 0)
		return rc;
	mutex_lock(&scrub->lock);
	scrub->record.index_done = true;
	mutex_unlock(&scrub->lock);
	return 0;
}

/* All up to this segment was looked at. */
static void note_place(struct scrub *scrub, uint32_t segment)
{
	mutex_lock(&scrub->lock);
	scrub->record.segment = segment;
	scrub_record_seen(&scrub->record, segment);
	if (store_monotonic_ns() - scrub->saved_ns > SAVE_SECONDS * SECOND_NS)
		scrub_save_locked(scrub);
	mutex_unlock(&scrub->lock);
}

static bool has_hits(const struct scrub_batch *batch)
{
	return batch->hit_count || batch->bad_row_count;
}

static void note_lost(struct scrub_batch *batch)
{
	mutex_lock(&batch->scrub->lock);
	batch->scrub->record.finding_count += batch->hits_lost;
	mutex_unlock(&batch->scrub->lock);
	batch->hits_lost = 0;
}

static int read_batch(struct scrub_batch *batch, uint32_t *after)
{
	int64_t hit_ns = 0;
	size_t i;
	int rc = 0, named;

	for (i = 0; rc == 0 && i < batch->count; i++) {
		rc = scrub_read_segment(batch, &batch->segments[i]);
		if (has_hits(batch) && !hit_ns)
			hit_ns = store_monotonic_ns();
		if (rc == 0)
			*after = batch->segments[i].id;
		if (has_hits(batch) && (rc < 0 || i + 1 == batch->count ||
					store_monotonic_ns() - hit_ns >
						NAME_SECONDS * SECOND_NS)) {
			named = scrub_name_hits(batch);
			if (named < 0)
				return named;
			hit_ns = 0;
		}
		if (!has_hits(batch)) /* I1 */
			note_place(batch->scrub, *after);
	}
	note_lost(batch);
	return rc;
}

int scrub_run(struct scrub *scrub)
{
	struct store *store = scrub->store;
	struct scrub_batch *batch;
	uint32_t after = scrub->record.segment;
	bool more = true;
	int rc = 0;

	/* What was written until now is in rows then. */
	if (!atomic_load(&store->failed))
		rc = store_checkpoint(store);
	if (rc == 0 && !scrub->record.index_done)
		rc = check_index(scrub);
	while (rc == 0 && more) {
		rc = scrub_batch_begin(scrub, after, &batch);
		if (rc < 0)
			return rc;
		more = batch->count > 0;
		if (more)
			rc = read_batch(batch, &after);
		scrub_batch_free(batch);
	}
	return rc;
}
