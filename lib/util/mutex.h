/* A mutex that clang's -Wthread-safety can follow. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#if defined(__clang__)
#define THREAD_SAFETY(x) __attribute__((x))
#else
#define THREAD_SAFETY(x)
#endif
#define CAPABILITY(name) THREAD_SAFETY(capability(name))
#define GUARDED_BY(lock) THREAD_SAFETY(guarded_by(lock))
#define REQUIRES(...) THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define ASSERT_HELD(lock) THREAD_SAFETY(assert_capability(lock))
#define RELEASE(...) THREAD_SAFETY(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY THREAD_SAFETY(no_thread_safety_analysis)

struct CAPABILITY("mutex") mutex {
	pthread_mutex_t handle;
};

#define MUTEX_INIT                        \
	{                                 \
		PTHREAD_MUTEX_INITIALIZER \
	}

static inline void mutex_init(struct mutex *mutex)
{
	if (pthread_mutex_init(&mutex->handle, NULL) != 0)
		abort(); /* only for invalid arguments on Linux */
}

static inline void mutex_fini(struct mutex *mutex)
{
	pthread_mutex_destroy(&mutex->handle);
}

static inline void mutex_lock(struct mutex *mutex)
	ACQUIRE(mutex) NO_THREAD_SAFETY
{
	if (pthread_mutex_lock(&mutex->handle) != 0)
		abort();
}

static inline void mutex_unlock(struct mutex *mutex)
	RELEASE(mutex) NO_THREAD_SAFETY
{
	if (pthread_mutex_unlock(&mutex->handle) != 0)
		abort();
}

/*
 * For where the analysis can't see that two paths lead to one mutex, or that
 * a callback runs under its caller's lock. Checks that somebody holds it.
 */
static inline void mutex_assert_held(struct mutex *mutex)
	ASSERT_HELD(mutex) NO_THREAD_SAFETY
{
	assert(pthread_mutex_trylock(&mutex->handle) == EBUSY);
}
