/* Nanoseconds since 1970, as the store has times, and struct timespec. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline struct timespec stat_time(int64_t ns)
{
	struct timespec time = { .tv_sec = ns / 1000000000,
				 .tv_nsec = ns % 1000000000 };

	if (time.tv_nsec < 0) {
		time.tv_nsec += 1000000000;
		time.tv_sec--;
	}
	return time;
}

/* Of a year before 1678 or after 2261: the first, or last, that there is. */
static inline int64_t stat_time_ns(const struct timespec *time)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)time->tv_sec, INT64_C(1000000000),
				   &ns) ||
	    __builtin_add_overflow(ns, (int64_t)time->tv_nsec, &ns))
		return time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

/* By the clock that the kernel takes the times of FUSE from: by a finer one
 * what it tells of a file seems to be before what we tell. */
static inline int64_t stat_time_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return stat_time_ns(&now);
}
