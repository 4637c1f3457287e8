/*
 * Every state that a crash can leave: D15 of docs/reliability.md.
 *
 *   replay [--cuts N] [--lives N] [--seed N] [--part I/N] [--fsck] [NAME...]
 *
 * Records what a workload does to its directory. A kill leaves what was done
 * up to some call; power leaves what was flushed, and of the rest any part:
 * between two flushes, N random choices of what is kept, dropped and torn.
 * Each state that is new is opened and must show one of the states that the
 * workload went through: none older than what was synced, nothing by half. Of
 * one in so many (--lives) the next life is recorded, recovery included, and
 * crashes too. --fsck: the checker must find nothing, before and after.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logging.h"
#include "crash_state.h"

/* --- what a crash leaves --- */

static struct allowed allowed_at(const struct world *world, size_t at,
				 bool power, const char *how)
{
	struct allowed allowed = { 0, 0, at < world->created_at, how, at };
	size_t i;

	for (i = 0; i < world->state_count; i++) {
		const struct state *state = &world->states[i];
		size_t sure = power ? state->synced_at : state->done_at;

		if (sure <= at)
			allowed.first = i;
		if (state->visible_from < at || state->visible_from == 0)
			allowed.last = i;
	}
	if (allowed.last < allowed.first)
		allowed.last = allowed.first;
	return allowed;
}

enum keep_how {
	KEEP_NONE,
	KEEP_METADATA,
	KEEP_DATA,
	KEEP_SOME,
	KEEP_MOST,
	KEEP_FEW,
	KEEP_FILES, /* of each file and directory a beginning */
	KEEP_HOWS,
};

static const char *const keep_names[KEEP_HOWS] = {
	"power, nothing unsynced kept",
	"power, only names and lengths kept",
	"power, only data kept",
	"power, some kept",
	"power, most kept",
	"power, few kept",
	"power, a beginning of each file kept",
};

static bool is_kept(struct replay *replay, const struct disk_change *change,
		    enum keep_how how, uint64_t salt, size_t nr, size_t count)
{
	struct chance chance;

	switch (how) {
	case KEEP_NONE:
		return false;
	case KEEP_METADATA:
		return change->kind != DISK_CALL_WRITE;
	case KEEP_DATA:
		return change->kind == DISK_CALL_WRITE;
	case KEEP_SOME:
		return chance_below(&replay->chance, 2);
	case KEEP_MOST:
		return chance_below(&replay->chance, count + 1) > 1;
	case KEEP_FEW:
		return chance_below(&replay->chance, count + 1) < 2;
	case KEEP_FILES:
		chance_seed(&chance, salt + change->node * 2 +
					     (change->kind >= DISK_CALL_NAME));
		return nr <= chance_below(&chance, count + 1);
	case KEEP_HOWS:
		break;
	}
	return true;
}

/* A part of a write, by sectors. */
static void apply_torn(struct replay *replay, struct disk *disk,
		       const struct disk_change *change)
{
	uint64_t first = change->offset / DISK_SECTOR_BYTES;
	uint64_t last = (change->offset + change->len - 1) / DISK_SECTOR_BYTES;
	uint64_t at, begin, end;

	for (at = first; at <= last; at++) {
		if (chance_below(&replay->chance, 2))
			continue;
		begin = at * DISK_SECTOR_BYTES;
		end = begin + DISK_SECTOR_BYTES;
		begin = begin > change->offset ? begin - change->offset : 0;
		end = end - change->offset;
		if (end > change->len)
			end = change->len;
		disk_apply_part(disk, change, begin, end);
	}
}

static void cut_power(struct replay *replay, const struct disk *durable,
		      size_t at, enum keep_how how)
{
	const struct trace *trace = &replay->world->trace;
	struct allowed allowed =
		allowed_at(replay->world, at, true, keep_names[how]);
	struct disk *disk = disk_copy(durable);
	uint64_t salt = chance_below(&replay->chance, UINT64_MAX);
	size_t i, count = 0, nr = 0;

	for (i = 0; i < at; i++)
		count += trace->changes[i].durable_at >= at;
	for (i = 0; i < at; i++) {
		const struct disk_change *change = &trace->changes[i];

		if (change->durable_at < at)
			continue;
		nr++;
		if (!is_kept(replay, change, how, salt, nr, count)) {
			if (change->kind == DISK_CALL_WRITE &&
			    how != KEEP_NONE && how != KEEP_DATA &&
			    chance_below(&replay->chance, 2))
				disk_extend(disk, change);
		} else if (change->kind == DISK_CALL_WRITE &&
			   change->len > DISK_SECTOR_BYTES &&
			   how >= KEEP_SOME &&
			   chance_below(&replay->chance, 8) == 0) {
			apply_torn(replay, disk, change);
		} else {
			disk_apply(disk, change);
		}
	}
	check_state(replay, disk, &allowed);
	disk_free(disk);
}

static bool anything_unsynced(const struct trace *trace, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (trace->changes[i].durable_at >= at &&
		    trace->changes[i].kind < DISK_CALL_SYNC)
			return true;
	return false;
}

static void crash_at(struct replay *replay, const struct disk *full,
		     const struct disk *durable, size_t at)
{
	struct world *world = replay->world;
	const struct trace *trace = &world->trace;
	struct allowed allowed = allowed_at(world, at, false, "kill");
	unsigned i;

	snprintf(world->where, sizeof(world->where),
		 "%scall %zu of %zu, seed %" PRIu64,
		 replay->depth ? "second life, " : "", at, trace->count,
		 replay->seed);
	check_state(replay, full, &allowed);
	if (at < trace->count && trace->changes[at].kind == DISK_CALL_WRITE &&
	    trace->changes[at].len > 64) {
		struct disk *disk = disk_copy(full);

		allowed = allowed_at(world, at + 1, false,
				     "kill in the midst of a write");
		allowed.first = allowed_at(world, at, false, "").first;
		disk_apply_part(disk, &trace->changes[at], 0,
				1 + chance_below(&replay->chance,
						 trace->changes[at].len - 1));
		check_state(replay, disk, &allowed);
		disk_free(disk);
	}
	if (!anything_unsynced(trace, at))
		return;
	cut_power(replay, durable, at, KEEP_NONE);
	cut_power(replay, durable, at, KEEP_METADATA);
	cut_power(replay, durable, at, KEEP_DATA);
	for (i = 0; i < replay->cuts; i++)
		cut_power(replay, durable, at,
			  KEEP_SOME + chance_below(&replay->chance,
						   KEEP_HOWS - KEEP_SOME));
}

static void explore(struct replay *replay)
{
	const struct trace *trace = &replay->world->trace;
	struct disk *full = disk_copy(trace->initial);
	struct disk *durable = disk_copy(trace->initial);
	size_t at, i;

	for (at = 0; at <= trace->count; at++) {
		if (replay->depth || at % replay->parts == replay->part)
			crash_at(replay, full, durable, at);
		if (at == trace->count)
			break;
		disk_apply(full, &trace->changes[at]);
		for (i = 0; i < at; i++)
			if (trace->changes[i].durable_at == at)
				disk_apply(durable, &trace->changes[i]);
	}
	disk_free(full);
	disk_free(durable);
}

/* --- recording --- */

static void record(struct world *world, workload *run)
{
	world->recorder = recorder_begin(world->run_path);
	world_attach(world);
	run(world);
	world_detach(world);
	recorder_end(world->recorder, &world->trace);
	world->recorder = NULL;
	do_abandon(world);
}

/* Before the first step: what the crash may have left. */
static void inherit(struct world *life, const struct world *world,
		    const struct allowed *allowed)
{
	size_t i;

	life->states = check_memory(calloc(allowed->last - allowed->first + 1,
					   sizeof(*life->states)));
	for (i = allowed->first; i <= allowed->last; i++) {
		struct state *state = &life->states[life->state_count++];

		*state = (struct state){ .step = world->states[i].step,
					 .done_at = SIZE_MAX,
					 .synced_at = SIZE_MAX };
		digest_copy(&state->digest, &world->states[i].digest);
	}
}

void second_life(struct replay *replay, const struct disk *disk,
		 const struct allowed *allowed)
{
	struct world *world = replay->world;
	struct world life = *world;
	struct replay again = *replay;

	life.states = NULL;
	life.between = NULL;
	life.trace = (struct trace){ 0 };
	life.state_count = life.between_count = life.setting_count = 0;
	life.created_at = 0;
	life.violations = 0;
	life.over = life.expects = false;
	life.expected = check_memory(calloc(1, IMAGE_BYTES_MAX));
	inherit(&life, world, allowed);
	disk_put(disk, world->run_fd);
	record(&life, life.is_tree ? second_life_tree : second_life_image);
	again.world = &life;
	again.depth = 1;
	again.cuts = replay->cuts / 4 + 1;
	explore(&again);
	again.world = world;
	again.depth = 0;
	again.second_lives++;
	*replay = again;
	world->violations += life.violations;
	free(life.expected);
	life.expected = NULL;
	world_forget(&life);
}

static void run_one(struct replay *replay, const struct named_workload *named)
{
	struct world *world = replay->world;

	world_reset(world);
	world->name = named->name;
	record(world, named->run);
	explore(replay);
	printf("%-10s %4zu calls, %3zu states of the workload, %7" PRIu64
	       " crashes, %7" PRIu64 " distinct states, %" PRIu64
	       " second lives, %u violations\n",
	       named->name, world->trace.count, world->state_count,
	       replay->crashes, replay->states, replay->second_lives,
	       world->violations);
	fflush(stdout);
	forget_seen(replay);
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
		{ "cuts", required_argument, NULL, 'c' },
		{ "lives", required_argument, NULL, 'l' },
		{ "seed", required_argument, NULL, 's' },
		{ "part", required_argument, NULL, 'p' },
		{ "fsck", no_argument, NULL, 'f' },
		{ 0 },
	};
	struct world world;
	struct replay replay = { .world = &world, .cuts = 4, .parts = 1 };
	const struct named_workload *named;
	uint64_t states = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'c')
			replay.cuts = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'l')
			replay.lives = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'f')
			replay.judge = true;
		else if (option == 's')
			replay.seed = strtoull(optarg, NULL, 10);
		else if (option != 'p' ||
			 sscanf(optarg, "%u/%u", &replay.part, &replay.parts) !=
				 2 ||
			 replay.parts == 0)
			return 2;
	}
	log_set_level((enum log_level)0); /* what it says is not looked at */
	world_init(&world);
	chance_seed(&replay.chance, replay.seed);
	for (size_t i = 0; (named = workload_at(i)); i++) {
		if (!is_named(named->name, argc, argv))
			continue;
		replay.states = replay.crashes = replay.second_lives = 0;
		run_one(&replay, named);
		states += replay.states;
	}
	printf("%" PRIu64 " distinct states, %u violations\n", states,
	       world.violations);
	world_fini(&world);
	return world.violations ? 1 : 0;
}
