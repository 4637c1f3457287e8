/*
 * The life of a scrub. It is one thread, which is there while it runs; pausing
 * and the end of the store end the thread, and scrub.state tells the next one
 * where to go on.
 *
 *        start            pause (stop_scrub)
 *  any ---------> RUNNING ------------------> PAUSED
 *                 |  |  ^        resume         |
 *     work() ends |  |  +-----------------------+
 *      FINISHED <-+  +-> CANCELLED (scrub_cancel, also of a paused one)
 *      FAILED
 */
#include "scrub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "scrub_impl.h"

#define SECOND_NS INT64_C(1000000000)

enum {
	NICE = 10,
	MARK_SECONDS = 2,
	WAIT_MS = 100,
};

const char *scrub_kind_name(enum scrub_kind kind)
{
	switch (kind) {
	case SCRUB_KIND_DATA:
		return "data";
	case SCRUB_KIND_UNREADABLE:
		return "unreadable";
	case SCRUB_KIND_HEADER:
		return "header";
	case SCRUB_KIND_RECORDS:
		return "records";
	case SCRUB_KIND_ROW:
		return "row";
	case SCRUB_KIND_INDEX:
		return "index";
	}
	abort();
}

static void wait_until(struct scrub *scrub, int64_t at_ns) REQUIRES(scrub->lock)
{
	struct timespec at = { .tv_sec = at_ns / SECOND_NS,
			       .tv_nsec = at_ns % SECOND_NS };

	pthread_cond_timedwait(&scrub->changed, &scrub->lock.handle, &at);
}

void scrub_save_locked(struct scrub *scrub)
{
	struct store *store = scrub->store;
	int rc = scrub_state_save(store->directory_fd, &scrub->record);

	if (rc < 0)
		log_message(LOG_LEVEL_WARNING,
			    "%s: scrub.state can't be written: %s", store->path,
			    strerror(-rc));
	scrub->saved_ns = store_monotonic_ns();
}

bool scrub_stops(struct scrub *scrub)
{
	bool stop;

	mutex_lock(&scrub->lock);
	stop = scrub->stop;
	mutex_unlock(&scrub->lock);
	return stop;
}

int scrub_add(struct scrub *scrub, const struct scrub_finding *finding)
{
	int rc;

	mutex_lock(&scrub->lock);
	rc = scrub_record_add(&scrub->record, finding);
	mutex_unlock(&scrub->lock);
	log_message(LOG_LEVEL_ERROR,
		    "%s: scrub: damage (%s): segment %" PRIu32
		    ", block %" PRIu32 ", %s%s%s %s offset %" PRIu64,
		    scrub->store->path, scrub_kind_name(finding->kind),
		    finding->segment, finding->block, finding->branch,
		    finding->snapshot[0] ? "@" : "", finding->snapshot,
		    finding->path, finding->offset_bytes);
	return rc;
}

static void mark_speed(struct scrub *scrub, int64_t now_ns)
	REQUIRES(scrub->lock)
{
	if (now_ns - scrub->mark_ns[1] < MARK_SECONDS * SECOND_NS)
		return;
	scrub->mark_ns[0] = scrub->mark_ns[1];
	scrub->mark_bytes[0] = scrub->mark_bytes[1];
	scrub->mark_ns[1] = now_ns;
	scrub->mark_bytes[1] = scrub->read_bytes;
}

int scrub_tick(struct scrub *scrub, uint64_t read_bytes, uint64_t checked_bytes)
{
	int64_t now_ns = store_monotonic_ns();
	uint64_t rate;
	bool stop;

	mutex_lock(&scrub->lock);
	scrub->read_bytes += read_bytes;
	scrub->record.checked_bytes += checked_bytes;
	mark_speed(scrub, now_ns);
	rate = scrub->record.rate_bytes;
	if (rate) {
		/* What was not used is not saved up. */
		if (scrub->due_ns < now_ns)
			scrub->due_ns = now_ns;
		scrub->due_ns +=
			(int64_t)((double)read_bytes * 1e9 / (double)rate);
	}
	while (!scrub->stop && rate && store_monotonic_ns() < scrub->due_ns)
		wait_until(scrub, scrub->due_ns);
	stop = scrub->stop;
	mutex_unlock(&scrub->lock);
	return stop ? -EINTR : 0;
}

/* --- the thread */

static void finish_locked(struct scrub *scrub, int rc) REQUIRES(scrub->lock)
{
	struct scrub_record *record = &scrub->record;

	if (rc == -EINTR && scrub->stop) {
		record->state = scrub->stop_as;
	} else if (rc < 0) {
		record->state = SCRUB_STATE_FAILED;
		snprintf(record->reason, sizeof(record->reason), "%s",
			 strerror(-rc));
	} else {
		record->state = SCRUB_STATE_FINISHED;
		scrub_record_seen(record, UINT32_MAX);
	}
	if (record->state != SCRUB_STATE_RUNNING &&
	    record->state != SCRUB_STATE_PAUSED)
		record->ended_ns = store_realtime_ns();
	if (!scrub->forget)
		scrub_save_locked(scrub);
	scrub->active = false;
	scrub->stop = false;
	pthread_cond_broadcast(&scrub->changed);
}

static void *work(void *context)
{
	struct scrub *scrub = context;
	int rc;

	/* Whoever waits for an answer goes first. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	rc = scrub_run(scrub);
	if (rc < 0 && rc != -EINTR)
		(void)log_errno(rc, "%s: the scrub ends", scrub->store->path);
	mutex_lock(&scrub->lock);
	finish_locked(scrub, rc);
	mutex_unlock(&scrub->lock);
	return NULL;
}

/* --- its life */

static void join(struct scrub *scrub)
{
	bool joinable;

	mutex_lock(&scrub->lock);
	while (scrub->active)
		pthread_cond_wait(&scrub->changed, &scrub->lock.handle);
	joinable = scrub->joinable;
	scrub->joinable = false;
	mutex_unlock(&scrub->lock);
	if (joinable)
		pthread_join(scrub->thread, NULL);
}

/* Whoever began it before has ended, or is about to. */
static int begin_locked(struct scrub *scrub) REQUIRES(scrub->lock)
{
	int rc;

	if (scrub->joinable) {
		pthread_join(scrub->thread, NULL);
		scrub->joinable = false;
	}
	scrub->record.state = SCRUB_STATE_RUNNING;
	scrub->record.ended_ns = 0;
	scrub->stop = false;
	scrub->due_ns = scrub->saved_ns = 0;
	scrub->read_bytes = 0;
	scrub->mark_ns[0] = scrub->mark_ns[1] = store_monotonic_ns();
	scrub->mark_bytes[0] = scrub->mark_bytes[1] = 0;
	rc = pthread_create(&scrub->thread, NULL, work, scrub);
	if (rc != 0)
		return -rc;
	scrub->active = scrub->joinable = true;
	scrub_save_locked(scrub);
	return 0;
}

static void begin_record(struct scrub *scrub, uint64_t rate_bytes)
	REQUIRES(scrub->lock)
{
	struct scrub_record *record = &scrub->record;
	struct store *store = scrub->store;
	size_t i;

	record->started_ns = store_realtime_ns();
	record->checked_bytes = 0;
	record->total_bytes =
		space_map_live_blocks(&store->space) * BLOCK_BYTES;
	record->rate_bytes = rate_bytes;
	record->index_done = false;
	record->segment = 0;
	record->end_segment = space_map_newest(&store->space);
	record->finding_count = 0;
	record->old_count = record->count;
	record->reason[0] = '\0';
	for (i = 0; i < record->count; i++)
		record->findings[i].is_old = true;
}

static int is_active_failure(struct scrub *scrub, struct failure *failure)
{
	failure_set(failure, FAILURE_BUSY, scrub->store->path,
		    "a scrub is running");
	failure_hint(failure, "cowd scrub status shows how far it is");
	return -EBUSY;
}

int scrub_start(struct store *store, uint64_t rate_bytes,
		struct failure *failure)
{
	struct scrub *scrub = store->scrub;
	int rc;

	mutex_lock(&scrub->lock);
	if (scrub->active) {
		rc = -EBUSY;
	} else {
		begin_record(scrub, rate_bytes);
		rc = begin_locked(scrub);
	}
	mutex_unlock(&scrub->lock);
	if (rc == -EBUSY)
		return is_active_failure(scrub, failure);
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't start a scrub") :
			0;
}

static bool is_unfinished(const struct scrub *scrub)
{
	return scrub->record.state == SCRUB_STATE_RUNNING ||
	       scrub->record.state == SCRUB_STATE_PAUSED;
}

int scrub_resume(struct store *store, uint64_t rate_bytes,
		 struct failure *failure)
{
	struct scrub *scrub = store->scrub;
	int rc = 0;

	mutex_lock(&scrub->lock);
	if (scrub->active) {
		rc = -EBUSY;
	} else if (!is_unfinished(scrub)) {
		rc = -EINVAL;
	} else {
		if (rate_bytes != UINT64_MAX)
			scrub->record.rate_bytes = rate_bytes;
		rc = begin_locked(scrub);
	}
	mutex_unlock(&scrub->lock);
	if (rc == -EBUSY)
		return is_active_failure(scrub, failure);
	if (rc == -EINVAL) {
		failure_set(failure, FAILURE_FAILED, store->path,
			    "no scrub is paused or was interrupted");
		failure_hint(failure, "cowd scrub start begins one");
	}
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't resume the scrub") :
			0;
}

/* If it is active; RUNNING: it is to go on at the next opening. */
static void stop_scrub(struct scrub *scrub, enum scrub_state as)
{
	mutex_lock(&scrub->lock);
	if (scrub->active) {
		scrub->stop = true;
		scrub->stop_as = as;
		if (scrub->quick)
			index_quick_interrupt(scrub->quick);
		pthread_cond_broadcast(&scrub->changed);
	}
	while (scrub->active)
		pthread_cond_wait(&scrub->changed, &scrub->lock.handle);
	mutex_unlock(&scrub->lock);
}

/* One that ended by itself meanwhile has ended. */
static int end_scrub(struct store *store, enum scrub_state as, bool paused_too,
		     struct failure *failure)
{
	struct scrub *scrub = store->scrub;
	bool is_there;

	mutex_lock(&scrub->lock);
	is_there = scrub->record.state == SCRUB_STATE_RUNNING ||
		   (paused_too && scrub->record.state == SCRUB_STATE_PAUSED);
	mutex_unlock(&scrub->lock);
	if (!is_there)
		return failure_set(failure, FAILURE_FAILED, store->path,
				   "no scrub is running");
	stop_scrub(scrub, as);
	mutex_lock(&scrub->lock);
	if (!scrub->active && is_unfinished(scrub) &&
	    scrub->record.state != as) {
		scrub->record.state = as;
		if (as == SCRUB_STATE_CANCELLED)
			scrub->record.ended_ns = store_realtime_ns();
		scrub_save_locked(scrub);
	}
	mutex_unlock(&scrub->lock);
	return 0;
}

int scrub_pause(struct store *store, struct failure *failure)
{
	return end_scrub(store, SCRUB_STATE_PAUSED, false, failure);
}

int scrub_cancel(struct store *store, struct failure *failure)
{
	return end_scrub(store, SCRUB_STATE_CANCELLED, true, failure);
}

void scrub_continue(struct store *store)
{
	struct scrub *scrub = store->scrub;
	int rc = 0;

	mutex_lock(&scrub->lock);
	if (!scrub->active && scrub->record.state == SCRUB_STATE_RUNNING)
		rc = begin_locked(scrub);
	mutex_unlock(&scrub->lock);
	if (rc < 0)
		(void)log_errno(rc, "%s: the scrub can't go on", store->path);
}

int scrub_wait(struct store *store, scrub_progress *progress, void *context)
{
	struct scrub *scrub = store->scrub;
	uint64_t done, total;
	bool active;

	for (;;) {
		mutex_lock(&scrub->lock);
		if (scrub->active)
			wait_until(scrub, store_monotonic_ns() +
						  WAIT_MS * INT64_C(1000000));
		active = scrub->active;
		total = scrub->record.total_bytes;
		done = scrub->record.checked_bytes;
		mutex_unlock(&scrub->lock);
		if (!active)
			return 0;
		if (progress &&
		    progress(context, done < total ? done : total, total) != 0)
			return -EINTR;
	}
}

void scrub_get_status(struct store *store, struct scrub_status *out_status)
{
	struct scrub *scrub = store->scrub;
	const struct scrub_record *record = &scrub->record;
	int64_t ns;

	mutex_lock(&scrub->lock);
	*out_status = (struct scrub_status){
		.state = record->state,
		.is_active = scrub->active,
		.started_ns = record->started_ns,
		.ended_ns = record->ended_ns,
		.checked_bytes = record->checked_bytes,
		.total_bytes = record->total_bytes,
		.rate_bytes = record->rate_bytes,
		.finding_count = record->finding_count + record->old_count,
	};
	ns = store_monotonic_ns() - scrub->mark_ns[0];
	if (scrub->active && ns > 0)
		out_status->speed_bytes =
			(uint64_t)((double)(scrub->read_bytes -
					    scrub->mark_bytes[0]) *
				   1e9 / (double)ns);
	strcpy_bounded(out_status->reason, record->reason,
		       sizeof(out_status->reason));
	mutex_unlock(&scrub->lock);
}

int scrub_findings(struct store *store, struct scrub_finding **out_findings,
		   size_t *out_count)
{
	struct scrub *scrub = store->scrub;
	struct scrub_finding *copy;
	size_t count;

	mutex_lock(&scrub->lock);
	count = scrub->record.count;
	copy = calloc(count + 1, sizeof(*copy));
	if (copy && count)
		memcpy(copy, scrub->record.findings, count * sizeof(*copy));
	mutex_unlock(&scrub->lock);
	if (!copy)
		return -ENOMEM;
	*out_findings = copy;
	*out_count = count;
	return 0;
}

uint64_t scrub_damage(struct store *store)
{
	struct scrub *scrub = store->scrub;
	uint64_t count;

	mutex_lock(&scrub->lock);
	count = scrub->record.finding_count + scrub->record.old_count;
	mutex_unlock(&scrub->lock);
	return count;
}

int scrub_init(struct store *store)
{
	struct scrub *scrub = calloc(1, sizeof(*scrub));
	pthread_condattr_t attributes;
	int rc;

	if (!scrub)
		return -ENOMEM;
	rc = scrub_state_load(store->directory_fd, &scrub->record);
	if (rc < 0) {
		free(scrub);
		return rc;
	}
	scrub->store = store;
	mutex_init(&scrub->lock);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&scrub->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	store->scrub = scrub;
	return 0;
}

void scrub_fini(struct store *store, bool save)
{
	struct scrub *scrub = store->scrub;

	if (!scrub)
		return;
	mutex_lock(&scrub->lock);
	scrub->forget = !save;
	mutex_unlock(&scrub->lock);
	stop_scrub(scrub, SCRUB_STATE_RUNNING);
	join(scrub);
	pthread_cond_destroy(&scrub->changed);
	mutex_fini(&scrub->lock);
	scrub_record_fini(&scrub->record);
	free(scrub);
	store->scrub = NULL;
}
