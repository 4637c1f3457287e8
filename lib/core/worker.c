/*
 * The store's background thread: checkpoints by time, memory and log size,
 * dropping of deleted history, idle compaction, a look at the base.
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "items.h"
#include "reserve.h"

enum {
	WORKER_TICK_MS = 200,
	RESERVE_CHECK_MS = 50,
	DISCARD_WAIT_NS = 1000000000,
	DISCARD_BYTES = 1 << 20,
	ROOM_ROUNDS_MAX = 16,
};

static uint64_t unsaved_bytes(struct store *store)
{
	uint64_t bytes;

	mutex_lock(&store->map_lock);
	bytes = store->dirty_bytes;
	mutex_unlock(&store->map_lock);
	return bytes + items_memory_bytes(store);
}

/* Who discards wants the space back, sooner than checkpoints need be. */
static bool discard_due(struct store *store, int64_t age_ns)
{
	return age_ns >= DISCARD_WAIT_NS &&
	       atomic_load(&store->discarded_bytes) >= DISCARD_BYTES &&
	       space_map_freed_blocks(&store->space) >=
		       DISCARD_BYTES / BLOCK_BYTES;
}

static bool checkpoint_due(struct store *store)
{
	uint64_t records = log_appended_lsn(store->log) - store->checkpoint_lsn;
	uint64_t stored = atomic_load(&store->count.stored_bytes) -
			  store->checkpoint_stored_bytes;
	int64_t age = store_monotonic_ns() - store->last_checkpoint_ns;

	if (records == 0 && space_map_freed_blocks(&store->space) == 0)
		return false;
	return stored + records * 64 >= store->live.checkpoint_log_bytes ||
	       unsaved_bytes(store) >= store->live.cache_bytes / 2 ||
	       (uint64_t)age >= store->live.checkpoint_every_ns ||
	       discard_due(store, age);
}

static void check_base(struct store *store)
{
	struct base_state state;
	bool was_changed;

	if (store->is_tree)
		layer_health_check(store);
	if (!store->base)
		return;
	base_check(store->base, &state);
	mutex_lock(&store->worker_lock);
	was_changed = store->base_state.changed;
	store->base_state = state;
	store->base_checked_ns = store_realtime_ns();
	mutex_unlock(&store->worker_lock);
	if (state.changed && !was_changed)
		log_message(LOG_LEVEL_ERROR,
			    "base %s changed underneath: %s; reads of it fail "
			    "from now on",
			    base_fingerprint(store->base)->path, state.reason);
}

/* Blocks that a sweep may give back, worth a look at all rows? */
static bool sweep_due(struct store *store)
{
	return space_map_kept_blocks(&store->space) >= SWEEP_BLOCKS;
}

static void one_round(struct store *store, bool kicked)
{
	bool more = false;

	mutex_lock(&store->maintenance_lock);
	if (kicked || checkpoint_due(store))
		(void)!checkpoint_run(store, false);
	if (reap_needed(store) && !atomic_load(&store->failed)) {
		if (reap_run(store, &more) < 0)
			more = false;
		if (more)
			worker_kick(store);
	} else if (kicked && atomic_load(&store->out_of_space) &&
		   sweep_due(store)) {
		(void)!sweep_run(store);
	} else if (!kicked && !atomic_load(&store->failed)) {
		(void)!compact_idle(store, &more);
	}
	mutex_unlock(&store->maintenance_lock);
}

/* For what is a matter of speed only. */
static bool has_room(const struct store *store, uint64_t len_bytes)
{
	struct statvfs vfs;

	return !atomic_load(&store->failed) &&
	       fstatvfs(store->directory_fd, &vfs) == 0 &&
	       (uint64_t)vfs.f_bavail * vfs.f_frsize >=
		       store->live.reserve_bytes + len_bytes;
}

static void round_done(struct store *store)
{
	mutex_lock(&store->worker_lock);
	store->worker_rounds++;
	pthread_cond_broadcast(&store->worker_done);
	mutex_unlock(&store->worker_lock);
}

static int checkpoint_between(struct store *store)
	REQUIRES(store->maintenance_lock)
{
	int rc = checkpoint_run(store, false);

	round_done(store);
	return rc;
}

int worker_breathe(struct store *store, uint32_t *rows)
{
	uint32_t most = *rows;
	int rc = 0;

	if (checkpoint_due(store)) {
		rc = checkpoint_between(store);
	} else if (reserve_rows(store, most) < most &&
		   atomic_load(&store->reaped_rows) > 0) {
		rc = checkpoint_between(store);
	}
	*rows = reserve_rows(store, most);
	if (*rows == 0)
		*rows = 1; /* what has no room waits */
	if (rc == 0)
		atomic_fetch_add(&store->reaped_rows, *rows);
	return rc;
}

static void *work(void *context)
{
	struct store *store = context;
	int64_t base_at = 0;

	for (;;) {
		struct timespec until;
		bool kicked, stop;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += WORKER_TICK_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		mutex_lock(&store->worker_lock);
		if (!store->worker_kick && !store->worker_stop)
			pthread_cond_timedwait(&store->worker_wake,
					       &store->worker_lock.handle,
					       &until);
		kicked = store->worker_kick;
		stop = store->worker_stop;
		store->worker_kick = false;
		mutex_unlock(&store->worker_lock);
		if (stop)
			return NULL;
		if (store_monotonic_ns() - base_at > 1000000000) {
			check_base(store);
			base_at = store_monotonic_ns();
		}
		one_round(store, kicked);
		reserve_keep(store);
		log_ahead(store->log, has_room(store, 4 * SEGMENT_BYTES));
		round_done(store);
	}
}

void worker_start(struct store *store)
{
	check_base(store);
	if (pthread_create(&store->worker, NULL, work, store) == 0)
		store->worker_runs = true;
	else
		log_message(LOG_LEVEL_WARNING,
			    "%s: no background thread; the log grows until "
			    "the store is closed",
			    store->path);
}

void worker_stop(struct store *store)
{
	if (!store->worker_runs)
		return;
	mutex_lock(&store->worker_lock);
	store->worker_stop = true;
	pthread_cond_broadcast(&store->worker_wake);
	mutex_unlock(&store->worker_lock);
	pthread_join(store->worker, NULL);
	store->worker_runs = false;
}

void worker_kick(struct store *store)
{
	mutex_lock(&store->worker_lock);
	store->worker_kick = true;
	pthread_cond_broadcast(&store->worker_wake);
	mutex_unlock(&store->worker_lock);
}

static void wait_for_round(struct store *store)
{
	uint64_t round;

	mutex_lock(&store->worker_lock);
	round = store->worker_rounds;
	while (store->worker_rounds == round && !atomic_load(&store->failed))
		pthread_cond_wait(&store->worker_done,
				  &store->worker_lock.handle);
	mutex_unlock(&store->worker_lock);
}

void worker_throttle(struct store *store)
{
	uint64_t bytes = unsaved_bytes(store);
	uint64_t most = store->live.cache_bytes;

	if (bytes < most / 2 || !store->worker_runs)
		return;
	worker_kick(store);
	if (bytes >= most / 4 * 3)
		wait_for_round(store);
}

int worker_wait_for_room(struct store *store, uint64_t user_bytes)
{
	int rc = store_check_writable(store, user_bytes), rounds;

	/* What frees room may go on; but it is to be saved bit by bit. */
	if (rc == 0 && user_bytes == 0 && store->worker_runs &&
	    store->live.reserve_bytes > 0 && !reserve_covers(store)) {
		worker_kick(store);
		wait_for_round(store);
	}

	for (rounds = 0; rc == -ENOSPC && rounds < ROOM_ROUNDS_MAX; rounds++) {
		/* A round that runs may be about to give room. */
		if (!store->worker_runs ||
		    (rounds > 0 && !reap_needed(store) && !sweep_due(store) &&
		     space_map_freed_blocks(&store->space) == 0))
			break;
		worker_kick(store);
		wait_for_round(store);
		rc = store_check_writable(store, user_bytes);
	}
	return rc;
}
