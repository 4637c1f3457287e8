/*
 * What the programs of this folder put into the seam, and what they take
 * over from the system: the clock, chance, memory, the background thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "world.h"

static struct world *attached;
static int64_t clock_ns = INT64_C(1700000000000000000);
static struct chance random_bytes = { 12345 };

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

/* --- faults --- */

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

static int torn(struct world *world, struct io_event *event)
{
	if (world->torn_next) {
		world->torn_next = false;
		return -EIO;
	}
	if (event->op != IO_OP_WRITE || event->len < 2)
		return 0;
	event->len /= 2;
	world->torn_next = true;
	return 0;
}

static int fault(struct world *world, struct io_event *event)
{
	bool here;

	if (!world->active || world->fault == FAULT_NONE)
		return 0;
	world->calls++;
	here = world->calls == world->fault_at;
	if (world->torn_next && event->op == IO_OP_WRITE)
		return torn(world, event);
	if (world->calls < world->fault_at)
		return 0;
	world->fault_fired = true;
	switch (world->fault) {
	case FAULT_EIO:
		return here ? -EIO : 0;
	case FAULT_ENOSPC:
		return here && may_need_space(event, true) ? -ENOSPC : 0;
	case FAULT_TORN:
		return here ? torn(world, event) : 0;
	case FAULT_EINTR:
		return here ? -EINTR : 0;
	case FAULT_EIO_EVER:
		return -EIO;
	case FAULT_ENOSPC_EVER:
		return may_need_space(event, false) ? -ENOSPC : 0;
	case FAULT_MEMORY:
	case FAULT_MEMORY_EVER:
	case FAULT_SQLITE:
	case FAULT_NONE:
	case FAULT_KINDS:
		break;
	}
	return 0;
}

static int ask(void *context, struct io_event *event)
{
	struct world *world = context;
	int rc = fault(world, event);

	if (world->recorder && rc < 0)
		recorder_refused(world->recorder, event);
	else if (world->recorder)
		recorder_ask(world->recorder, event);
	return rc;
}

static void tell(void *context, const struct io_event *event, int64_t result)
{
	struct world *world = context;

	if (world->recorder)
		recorder_tell(world->recorder, event, result);
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
