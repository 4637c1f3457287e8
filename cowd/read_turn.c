/*
 * Whose turn it is to read.
 *
 *     nobody's --take--> reading --leave--> away --take--> reading
 *        ^                                   |
 *        +---- leave(slow)     watch: the watcher reads from now on
 *
 * One of those who wait watches: it looks every TICK_NS, and when the reader
 * is away with the same request at two looks, the turn is its own. Where
 * nothing is read for long it sleeps, and is woken by the next request. The
 * others just wait.
 *
 * I1: whatever a request waits for, the next one is read after two ticks if a
 *     thread is left.
 */
#include "read_turn.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "mutex.h"

enum {
	TICK_NS = 1000000,
	IDLE_TICKS = 50, /* until the watcher sleeps */
};

struct read_turn {
	struct mutex lock;
	const void *reader; /* whose turn it is; NULL: nobody's */
	bool away;	    /* it works on what it has read */
	uint64_t read_count;
	bool watched, watcher_sleeps;
	unsigned idle_ticks; /* of the watcher */
	pthread_cond_t watcher_wanted, watcher_gone;
};

/* Its address tells threads apart. */
static _Thread_local char self;

int read_turn_new(struct read_turn **out_turn)
{
	struct read_turn *turn = calloc(1, sizeof(*turn));
	pthread_condattr_t monotonic;

	if (!turn)
		return -ENOMEM;
	mutex_init(&turn->lock);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&turn->watcher_wanted, &monotonic);
	pthread_cond_init(&turn->watcher_gone, NULL);
	pthread_condattr_destroy(&monotonic);
	*out_turn = turn;
	return 0;
}

void read_turn_free(struct read_turn *turn)
{
	if (!turn)
		return;
	pthread_cond_destroy(&turn->watcher_wanted);
	pthread_cond_destroy(&turn->watcher_gone);
	mutex_fini(&turn->lock);
	free(turn);
}

static bool is_ours(const struct read_turn *turn)
{
	return !turn->reader || turn->reader == &self;
}

/* A tick; sooner if the turn was given up. */
static void tick(struct read_turn *turn) REQUIRES(turn->lock)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	(void)pthread_cond_timedwait(&turn->watcher_wanted, &turn->lock.handle,
				     &until);
}

static void sleep_until_read(struct read_turn *turn) REQUIRES(turn->lock)
{
	turn->watcher_sleeps = true;
	pthread_cond_wait(&turn->watcher_wanted, &turn->lock.handle);
	turn->watcher_sleeps = false;
}

static void end_watch(struct read_turn *turn) REQUIRES(turn->lock)
{
	turn->watched = turn->watcher_sleeps = false;
	pthread_cond_signal(&turn->watcher_gone);
}

/* libfuse cancels who waits when a session ends. */
static void cancel_watch(void *context) NO_THREAD_SAFETY
{
	struct read_turn *turn = context;

	end_watch(turn);
	mutex_unlock(&turn->lock);
}

static void cancel_wait(void *context) NO_THREAD_SAFETY
{
	struct read_turn *turn = context;

	mutex_unlock(&turn->lock);
}

/* Has the reader been away with one request since the look before? */
static bool look(struct read_turn *turn) REQUIRES(turn->lock)
{
	uint64_t seen = turn->read_count;

	if (turn->idle_ticks < IDLE_TICKS)
		tick(turn);
	else
		sleep_until_read(turn);
	if (turn->read_count != seen)
		turn->idle_ticks = 0;
	else if (turn->away)
		return true;
	else
		turn->idle_ticks++;
	return false;
}

static void watch(struct read_turn *turn) REQUIRES(turn->lock)
{
	turn->watched = true;
	turn->idle_ticks = 0;
	pthread_cleanup_push(cancel_watch, turn);
	while (!is_ours(turn))
		if (look(turn))
			turn->reader = NULL; /* I1 */
	pthread_cleanup_pop(0);
	end_watch(turn);
}

static void wait_for_watcher(struct read_turn *turn) REQUIRES(turn->lock)
{
	pthread_cleanup_push(cancel_wait, turn);
	pthread_cond_wait(&turn->watcher_gone, &turn->lock.handle);
	pthread_cleanup_pop(0);
}

void read_turn_take(struct read_turn *turn)
{
	mutex_lock(&turn->lock);
	while (!is_ours(turn))
		if (turn->watched)
			wait_for_watcher(turn);
		else
			watch(turn);
	turn->reader = &self;
	turn->away = false;
	mutex_unlock(&turn->lock);
}

void read_turn_leave(struct read_turn *turn, bool slow)
{
	mutex_lock(&turn->lock);
	turn->away = true;
	turn->read_count++;
	if (slow)
		turn->reader = NULL;
	if (slow || turn->watcher_sleeps)
		pthread_cond_signal(&turn->watcher_wanted);
	mutex_unlock(&turn->lock);
}
