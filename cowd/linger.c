/*
 * Waiting awake for what comes at once.
 *
 * Trust grows with each try that paid and falls with each that did not. Where
 * there is none left it is tried again after a pause, which doubles. Who was
 * held up while awake shares the processor: that ends trust, for long.
 */
#include "linger.h"

#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

enum {
	MOMENT_NS = 100000,
	HELD_UP_NS = 300000,
	TRUST_MAX = 8,
	PAUSE_MIN = 16,
	PAUSE_MAX = 4096,
};

void linger_init(struct linger *linger)
{
	cpu_set_t usable;

	*linger = (struct linger){ .trust = 0 };
	CPU_ZERO(&usable);
	linger->never = sched_getaffinity(0, sizeof(usable), &usable) == 0 &&
			CPU_COUNT(&usable) == 1;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What is there already did not have to be waited for: it tells nothing. */
enum outcome { OUTCOME_NOTHING, OUTCOME_PAID, OUTCOME_IN_VAIN };

static enum outcome wait_awake(int fd, bool *out_held_up)
{
	struct pollfd request = { .fd = fd, .events = POLLIN };
	int64_t begin_ns = now_ns(), last_ns = begin_ns, ns;

	*out_held_up = false;
	if (poll(&request, 1, 0) != 0)
		return OUTCOME_NOTHING;
	do {
		if (poll(&request, 1, 0) != 0)
			return OUTCOME_PAID;
		ns = now_ns();
		*out_held_up |= ns - last_ns > HELD_UP_NS;
		last_ns = ns;
	} while (ns - begin_ns < MOMENT_NS);
	return OUTCOME_IN_VAIN;
}

static void paid(struct linger *linger)
{
	linger->pause = PAUSE_MIN;
	if (linger->trust < TRUST_MAX)
		linger->trust++;
}

static void did_not_pay(struct linger *linger)
{
	if (linger->trust > 0)
		linger->trust--;
	else if (linger->pause == 0)
		linger->pause = PAUSE_MIN;
	else if (linger->pause < PAUSE_MAX)
		linger->pause *= 2;
}

void linger_wait(struct linger *linger, int fd)
{
	enum outcome outcome;
	bool held_up;

	if (linger->never)
		return;
	if (linger->trust == 0 && linger->left_out < linger->pause) {
		linger->left_out++;
		return;
	}
	linger->left_out = 0;
	outcome = wait_awake(fd, &held_up);
	if (outcome == OUTCOME_PAID)
		paid(linger);
	else if (outcome == OUTCOME_IN_VAIN)
		did_not_pay(linger);
	if (held_up) {
		linger->trust = 0;
		linger->pause = PAUSE_MAX;
	}
}
