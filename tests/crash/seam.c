/*
 * What the programs of this folder put into the seam, and what they take
 * over from the system: the clock, chance, memory, the background thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sweep.h"

static struct world *attached;
#define CLOCK_BEGIN_NS INT64_C(1700000000000000000)
static int64_t clock_ns = CLOCK_BEGIN_NS;
static struct chance random_bytes = { 12345 };

void world_reset_clock(void)
{
	clock_ns = CLOCK_BEGIN_NS;
	random_bytes.state = 12345;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out_time)
{
	int64_t now = __atomic_add_fetch(&clock_ns, 1000, __ATOMIC_RELAXED);

	(void)clock;
	out_time->tv_sec = now / 1000000000;
	out_time->tv_nsec = now % 1000000000;
	return 0;
}

void world_advance_clock(int64_t seconds)
{
	__atomic_add_fetch(&clock_ns, seconds * 1000000000, __ATOMIC_RELAXED);
}

time_t __wrap_time(time_t *out_seconds);
time_t __wrap_time(time_t *out_seconds)
{
	time_t now = clock_ns / 1000000000;

	if (out_seconds)
		*out_seconds = now;
	return now;
}

ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags)
{
	uint8_t *bytes = data;

	(void)flags;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)chance_below(&random_bytes, 256);
	return (ssize_t)len;
}

/* Its rounds are steps of the workloads, so that each run is the same. */
void __wrap_worker_start(struct store *store);
void __wrap_worker_start(struct store *store)
{
	(void)store;
}

/* --- files --- */

static bool may_need_space(const struct io_event *event, bool once)
{
	switch (event->op) {
	case IO_OP_WRITE:
	case IO_OP_MAKE_DIRECTORY:
	case IO_OP_RENAME:
	case IO_OP_ALLOCATE:
		return true;
	case IO_OP_OPEN:
		return event->flags & O_CREAT;
	case IO_OP_SYNC:
	case IO_OP_PUNCH:
	case IO_OP_TRUNCATE:
		return once;
	case IO_OP_READ:
	case IO_OP_SYNC_DIRECTORY:
	case IO_OP_REMOVE_DIRECTORY:
	case IO_OP_UNLINK:
		break;
	}
	return false;
}

/* A part is done, then the next write fails. */
static int tear(struct sweep *sweep, struct io_event *event, bool fail)
{
	if (event->len < 2)
		return 0;
	event->len /= 2;
	sweep->torn_next = fail;
	return 0;
}

static int strike(struct sweep *sweep, struct io_event *event)
{
	bool here = sweep->calls == sweep->at;

	switch (sweep->kind) {
	case FAULT_EIO:
		return here ? -EIO : 0;
	case FAULT_ENOSPC:
		return here && may_need_space(event, true) ? -ENOSPC : 0;
	case FAULT_TORN:
		return here && event->op == IO_OP_WRITE ?
			       tear(sweep, event, true) :
			       0;
	case FAULT_SHORT:
		return here && (event->op == IO_OP_WRITE ||
				event->op == IO_OP_READ) ?
			       tear(sweep, event, false) :
			       0;
	case FAULT_EINTR:
		return here ? -EINTR : 0;
	case FAULT_EIO_EVER:
		return -EIO;
	case FAULT_ENOSPC_EVER:
		return may_need_space(event, false) ? -ENOSPC : 0;
	case FAULT_MEMORY:
	case FAULT_MEMORY_EVER:
	case FAULT_SQLITE:
	case FAULT_SQLITE_EVER:
	case FAULT_NONE:
	case FAULT_KINDS:
		break;
	}
	return 0;
}

static bool is_segment(const struct io_event *event)
{
	char link[40], path[300];
	ssize_t n;

	if (event->fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", event->fd);
	n = readlink(link, path, sizeof(path) - 1);
	return n > 4 && memcmp(path + n - 4, ".seg", 4) == 0;
}

static int fault(struct world *world, struct io_event *event)
{
	struct sweep *sweep = world->sweep;
	int rc;

	if (!sweep || !world->active)
		return 0;
	if (sweep->torn_next && event->op == IO_OP_WRITE) {
		sweep->torn_next = false;
		return -EIO;
	}
	sweep->calls++;
	if (sweep->is_reference && sweep->calls < CALLS_MAX)
		sweep->ops[sweep->calls] = (uint8_t)event->op;
	if (sweep->kind == FAULT_NONE || sweep->calls < sweep->at)
		return 0;
	rc = strike(sweep, event);
	if (sweep->calls == sweep->at || rc < 0)
		sweep->fired = true;
	if (rc < 0 && rc != -EINTR && event->op == IO_OP_SYNC &&
	    is_segment(event))
		sweep->flush_failed = true;
	return rc;
}

/* --- memory --- */

static bool hits(enum fault_kind once, enum fault_kind ever, uint64_t nr)
{
	struct sweep *sweep = attached->sweep;

	if (!(sweep->kind == once && nr == sweep->at) &&
	    !(sweep->kind == ever && nr >= sweep->at))
		return false;
	sweep->fired = true;
	errno = ENOMEM;
	return true;
}

/* Does this allocation fail? */
static bool memory_fails(void)
{
	return attached && attached->sweep && attached->active &&
	       hits(FAULT_MEMORY, FAULT_MEMORY_EVER, ++attached->sweep->memory);
}

#define WRAP(type, name, parameters, arguments)                         \
	type __real_##name parameters;                                  \
	type __wrap_##name parameters;                                  \
	type __wrap_##name parameters                                   \
	{                                                               \
		return memory_fails() ? NULL : __real_##name arguments; \
	}

WRAP(void *, malloc, (size_t bytes), (bytes))
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes))
WRAP(void *, realloc, (void *old, size_t bytes), (old, bytes))
WRAP(void *, reallocarray, (void *old, size_t count, size_t bytes),
     (old, count, bytes))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t bytes), (text, bytes))

static sqlite3_mem_methods sqlite_memory;

static bool sqlite_fails(void)
{
	return attached && attached->sweep && attached->active &&
	       hits(FAULT_SQLITE, FAULT_SQLITE_EVER, ++attached->sweep->sqlite);
}

static void *sqlite_malloc(int bytes)
{
	return sqlite_fails() ? NULL : sqlite_memory.xMalloc(bytes);
}

static void *sqlite_realloc(void *old, int bytes)
{
	return sqlite_fails() ? NULL : sqlite_memory.xRealloc(old, bytes);
}

void sweep_take_sqlite(void)
{
	sqlite3_mem_methods own;

	check(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) ==
		      SQLITE_OK,
	      "asking for SQLite's memory");
	own = sqlite_memory;
	own.xMalloc = sqlite_malloc;
	own.xRealloc = sqlite_realloc;
	check(sqlite3_config(SQLITE_CONFIG_MALLOC, &own) == SQLITE_OK,
	      "taking SQLite's memory");
}

/* --- the hook --- */

static int ask(void *context, struct io_event *event)
{
	struct world *world = context;
	bool active = world->active;
	int rc = fault(world, event);

	world->active = false; /* the recorder's memory is its own */
	if (world->recorder && rc < 0)
		recorder_refused(world->recorder, event);
	else if (world->recorder)
		recorder_ask(world->recorder, event);
	world->active = active;
	return rc;
}

static void tell(void *context, const struct io_event *event, int64_t result)
{
	struct world *world = context;
	bool active = world->active;

	world->active = false;
	if (world->recorder)
		recorder_tell(world->recorder, event, result);
	world->active = active;
}

static struct io_hook hook = { ask, tell, NULL };

void world_attach(struct world *world)
{
	attached = world;
	hook.context = world;
	io_hook = &hook;
}

void world_detach(struct world *world)
{
	(void)world;
	io_hook = NULL;
	attached = NULL;
}
