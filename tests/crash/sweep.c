/*
 * Every call fails, and every allocation: D16 of docs/reliability.md.
 *
 *   sweep [--stride N] [--seed N] [--part I/N] [--kind NAME] [NAME...]
 *
 * Runs each workload once and counts what it asks of the system; then again
 * for each of these calls, which fails once in several ways, or for ever from
 * there on. What fails leaves the store as before or as after; what is
 * acknowledged is there, now, when the store is opened again, and as far as
 * it was synced after a power cut; what failed once can be done again, unless
 * the store is read-only and says why. The checker is content, no descriptor
 * is left, nothing hangs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logging.h"
#include "look.h"
#include "sweep.h"

enum { HANG_SECONDS = 60 };

static const char *const kind_names[FAULT_KINDS] = {
	"none",	  "EIO",	 "ENOSPC",   "torn",
	"short",  "EINTR",	 "EIO-ever", "ENOSPC-ever",
	"memory", "memory-ever", "sqlite",   "sqlite-ever",
};

static struct sweep sweep;
static struct world world;
static uint64_t runs, fired_runs;

/* Where we are, for who dies. */
static char now_running[200];

static void died(int signal_nr)
{
	static const char text[] = "VIOLATION: died or hung: ";
	ssize_t n = write(2, text, sizeof(text) - 1);

	n += write(2, now_running, strlen(now_running));
	n += write(2, "\n", 1);
	(void)n;
	signal(signal_nr, SIG_DFL);
	raise(signal_nr == SIGALRM ? SIGABRT : signal_nr);
}

/* Somebody in the product has called exit. */
static void left(void)
{
	if (now_running[0])
		fprintf(stderr, "VIOLATION: exit: %s\n", now_running);
}

static unsigned count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	check(directory, "listing descriptors");
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void begin_run(const struct named_workload *named)
{
	world_reset(&world);
	world_reset_clock();
	world.name = named->name;
	world.sweep = &sweep;
	sweep.calls = sweep.memory = sweep.sqlite = 0;
	sweep.fired = sweep.torn_next = sweep.flush_failed = false;
	sweep.tries = sweep.synced = 0;
	sweep.last_failed = sweep.read_only = sweep.reopened = false;
}

/* --- after the fault --- */

static bool is_one_of(const struct digest *now, size_t first, size_t last)
{
	for (size_t i = first; i <= last && i < sweep.step_count; i++) {
		const struct ref_step *step = &sweep.steps[i];

		if (step->is_open && step->digest.hash == now->hash)
			return true;
		for (size_t j = 0; j < step->between_count; j++)
			if (step->between[j].hash == now->hash)
				return true;
		if (i > 0 && step->is_open && step->in_parts &&
		    digest_is_between(now, &step[-1].digest, &step->digest))
			return true;
	}
	return false;
}

/* The steps' numbers of what the store may be found in by who opens it: one
 * in which there was a store to look at. */
static size_t newest_open(size_t step)
{
	while (step > 0 && !sweep.steps[step].is_open)
		step--;
	return step;
}

static void check_none_left(void)
{
	struct stat st;

	if (sweep.kind != FAULT_EIO_EVER && stat(world.store_path, &st) == 0)
		world_wrong(&world, "creation failed and left something");
}

/* Opened again, with nothing to fear. live: what it showed at last. */
static void check_reopened(const struct digest *live, size_t first, size_t last,
			   const char *how)
{
	struct digest now;

	if (!look(&world, &now, false, 0)) {
		world_wrong(&world, "%s: can't be opened: %s: %s", how,
			    world.failure.object, world.failure.message);
		return;
	}
	if (!(live && now.hash == live->hash) &&
	    !is_one_of(&now, first, last)) {
		world_wrong(&world, "%s: not what it was", how);
		digest_diff(&now, live ? live : &sweep.steps[last].digest);
	}
	digest_free(&now);
	/* Without memory a block can't be noted as free. */
	judge(&world, sweep.kind >= FAULT_MEMORY, how, "after closing");
}

static void cut_power(const struct digest *live, size_t first, size_t last)
{
	const struct trace *trace = &world.trace;
	struct disk *disk = disk_copy(trace->initial);
	size_t i;

	for (i = 0; i < trace->count; i++)
		if (trace->changes[i].durable_at != SIZE_MAX)
			disk_apply(disk, &trace->changes[i]);
	disk_put(disk, world.run_fd);
	disk_free(disk);
	check_reopened(live, first, last, "after a power cut");
}

static void check_closed(struct digest *live)
{
	int rc;

	digest_take(world.store, false, live);
	if (live->failed && !sweep.read_only)
		world_wrong(&world, "something can't be read at the end");
	if (sweep.flush_failed && !sweep.reopened &&
	    store_sync(world.store) == 0)
		world_wrong(&world, "a flush failed and the next says it "
				    "worked");
	if (sweep.at % 2) {
		do_abandon(&world);
		return;
	}
	rc = world_close(&world);
	if (rc < 0 && !sweep.read_only && !sweep.flush_failed &&
	    sweep.kind != FAULT_NONE && !sweep.fired)
		world_wrong(&world, "closing failed: %d", rc);
}

static void finish_run(void)
{
	size_t last = world.step_nr ? world.step_nr - 1 : 0;
	size_t first = sweep.synced ? sweep.synced - 1 : 0;
	struct digest live;
	bool was_open = world.store != NULL;

	world.active = false;
	if (was_open)
		check_closed(&live);
	world_detach(&world);
	recorder_end(world.recorder, &world.trace);
	world.recorder = NULL;
	if (!world.created) {
		check_none_left();
		return;
	}
	if (was_open && !sweep.last_failed && !live.failed)
		check_reopened(&live, SIZE_MAX, 0, "opened again");
	else
		check_reopened(was_open ? &live : NULL,
			       was_open && !live.failed ?
				       last :
				       newest_open(last ? last - 1 : 0),
			       last, "opened again");
	if (sweep.kind < FAULT_MEMORY && sweep.kind != FAULT_SHORT &&
	    sweep.kind != FAULT_EINTR)
		cut_power(was_open ? &live : NULL, newest_open(first), last);
	if (was_open)
		digest_free(&live);
}

static void run_with(const struct named_workload *named, enum fault_kind kind,
		     uint64_t at)
{
	unsigned fds = count_fds(), violations = world.violations;

	sweep.kind = kind;
	sweep.at = at;
	begin_run(named);
	snprintf(now_running, sizeof(now_running), "%s, %s at %" PRIu64,
		 named->name, kind_names[kind], at);
	alarm(HANG_SECONDS);
	world.recorder = recorder_begin(world.run_path);
	world_attach(&world);
	named->run(&world);
	finish_run();
	alarm(0);
	runs++;
	fired_runs += sweep.fired;
	if (count_fds() != fds)
		world_wrong(&world, "%u descriptors are left",
			    count_fds() - fds);
	if (world.violations != violations) {
		fprintf(stderr, "  that was %s\n", now_running);
		keep_state(&world);
	}
	now_running[0] = '\0';
}

/* --- the run without faults --- */

static void forget_steps(void)
{
	for (size_t i = 0; i < sweep.step_count; i++) {
		struct ref_step *step = &sweep.steps[i];

		digest_free(&step->digest);
		for (size_t j = 0; j < step->between_count; j++)
			digest_free(&step->between[j]);
		free(step->between);
	}
	free(sweep.steps);
	sweep.steps = NULL;
	sweep.step_count = 0;
}

static void run_reference(const struct named_workload *named)
{
	forget_steps();
	sweep.kind = FAULT_NONE;
	sweep.is_reference = true;
	begin_run(named);
	world_attach(&world);
	named->run(&world);
	world_detach(&world);
	do_abandon(&world);
	sweep.is_reference = false;
}

static bool applies(enum fault_kind kind, uint64_t at)
{
	uint8_t op = sweep.ops[at < CALLS_MAX ? at : 0];

	switch (kind) {
	case FAULT_ENOSPC:
		return op != IO_OP_READ && op != IO_OP_UNLINK &&
		       op != IO_OP_SYNC_DIRECTORY;
	case FAULT_TORN:
		return op == IO_OP_WRITE;
	case FAULT_SHORT:
		return op == IO_OP_WRITE || op == IO_OP_READ;
	case FAULT_ENOSPC_EVER:
		return op == IO_OP_WRITE || op == IO_OP_OPEN;
	case FAULT_NONE:
	case FAULT_EIO:
	case FAULT_EINTR:
	case FAULT_EIO_EVER:
	case FAULT_MEMORY:
	case FAULT_MEMORY_EVER:
	case FAULT_SQLITE:
	case FAULT_SQLITE_EVER:
	case FAULT_KINDS:
		break;
	}
	return true;
}

struct choice {
	uint64_t stride, seed;
	unsigned part, parts;
	const char *kind;
};

static void sweep_workload(const struct named_workload *named,
			   const struct choice *choice)
{
	uint64_t counts[FAULT_KINDS], at, nr = 0, begun = runs;
	int kind;

	run_reference(named);
	for (kind = FAULT_EIO; kind < FAULT_KINDS; kind++)
		counts[kind] = kind < FAULT_MEMORY ? sweep.calls :
			       kind < FAULT_SQLITE ? sweep.memory :
						     sweep.sqlite;
	for (kind = FAULT_EIO; kind < FAULT_KINDS; kind++) {
		if (choice->kind && strcmp(choice->kind, kind_names[kind]) != 0)
			continue;
		for (at = 1; at <= counts[kind]; at++) {
			if (!applies((enum fault_kind)kind, at))
				continue;
			nr++;
			if ((nr + choice->seed) % choice->stride ||
			    nr / choice->stride % choice->parts != choice->part)
				continue;
			run_with(named, (enum fault_kind)kind, at);
		}
	}
	printf("%-10s %5" PRIu64 " calls, %6" PRIu64 " and %6" PRIu64
	       " allocations, %3zu steps: %6" PRIu64 " runs, %u violations\n",
	       named->name, counts[FAULT_EIO], counts[FAULT_MEMORY],
	       counts[FAULT_SQLITE], sweep.step_count, runs - begun,
	       world.violations);
	fflush(stdout);
}

static bool is_named(const char *name, int argc, char **argv)
{
	int i;

	for (i = optind; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return optind >= argc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stride", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "part", required_argument, NULL, 'p' },
		{ "kind", required_argument, NULL, 'k' },
		{ "one", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct choice choice = { .stride = 1, .parts = 1 };
	const struct named_workload *named;
	uint64_t one = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 't')
			choice.stride = strtoull(optarg, NULL, 10) ?: 1;
		else if (option == 's')
			choice.seed = strtoull(optarg, NULL, 10);
		else if (option == 'k')
			choice.kind = optarg;
		else if (option == 'o')
			one = strtoull(optarg, NULL, 10);
		else if (option != 'p' ||
			 sscanf(optarg, "%u/%u", &choice.part, &choice.parts) !=
				 2 ||
			 choice.parts == 0)
			return 2;
	}
	log_set_level((enum log_level)0); /* what it says is not looked at */
	sweep_take_sqlite();
	world_init(&world);
	signal(SIGALRM, died);
	signal(SIGSEGV, died);
	signal(SIGBUS, died);
	signal(SIGABRT, died);
	atexit(left);
	for (size_t i = 0; (named = workload_at(i)); i++) {
		if (!is_named(named->name, argc, argv))
			continue;
		if (!one) {
			sweep_workload(named, &choice);
			continue;
		}
		run_reference(named);
		for (int kind = FAULT_EIO; kind < FAULT_KINDS; kind++)
			if (choice.kind &&
			    strcmp(choice.kind, kind_names[kind]) == 0)
				run_with(named, (enum fault_kind)kind, one);
	}
	printf("%" PRIu64 " runs, the fault was met in %" PRIu64 ", %" PRIu64
	       " steps failed, %u violations\n",
	       runs, fired_runs, sweep.failed_steps, world.violations);
	forget_steps();
	world_fini(&world);
	return world.violations ? 1 : 0;
}
