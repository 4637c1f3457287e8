/*
 * One state that a crash left: what it may show, what it shows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash_state.h"
#include "look.h"

struct seen {
	uint64_t disk;
	struct digest *digest; /* NULL: it can't be opened */
};

/* --- states that were met --- */

static struct seen *seen_slot(struct replay *replay, uint64_t disk)
{
	size_t i;

	for (i = disk % replay->seen_capacity; replay->seen[i].disk;
	     i = (i + 1) % replay->seen_capacity)
		if (replay->seen[i].disk == disk)
			break;
	return &replay->seen[i];
}

static struct seen *find_seen(struct replay *replay, uint64_t disk)
{
	struct seen *old = replay->seen;
	size_t count = replay->seen_capacity, i;

	if (replay->seen_count * 2 >= replay->seen_capacity) {
		replay->seen_capacity = count ? count * 2 : 4096;
		replay->seen = check_memory(
			calloc(replay->seen_capacity, sizeof(struct seen)));
		for (i = 0; i < count; i++)
			if (old[i].disk)
				*seen_slot(replay, old[i].disk) = old[i];
		free(old);
	}
	return seen_slot(replay, disk);
}

/* --- one state --- */

static bool is_allowed(const struct world *world, const struct allowed *allowed,
		       const struct digest *have)
{
	for (size_t i = allowed->first; i <= allowed->last; i++) {
		const struct state *state = &world->states[i];

		if (state->digest.hash == have->hash)
			return true;
		/* An operation of several parts, in the midst of it. */
		if (i > allowed->first && state->in_parts &&
		    digest_is_between(have, &state[-1].digest, &state->digest))
			return true;
	}
	return false;
}

static void tell_wrong(struct world *world, const struct allowed *allowed,
		       const struct digest *have)
{
	size_t i;

	world_wrong(world,
		    "%s: neither of the states after '%s' (%zu) to '%s' (%zu)",
		    allowed->how, world->states[allowed->first].step,
		    allowed->first, world->states[allowed->last].step,
		    allowed->last);
	for (i = 0; i < world->state_count; i++)
		if (world->states[i].digest.hash == have->hash)
			fprintf(stderr, "  it is state %zu, after '%s'\n", i,
				world->states[i].step);
	fprintf(stderr, " against the oldest that may be:\n");
	digest_diff(have, &world->states[allowed->first].digest);
	fprintf(stderr, " against the newest:\n");
	digest_diff(have, &world->states[allowed->last].digest);
}

void check_state(struct replay *replay, const struct disk *disk,
		 const struct allowed *allowed)
{
	struct world *world = replay->world;
	struct seen *seen = find_seen(replay, disk_hash(disk));
	struct digest *first = check_memory(calloc(1, sizeof(*first)));
	struct digest second;
	unsigned before = world->violations;

	replay->crashes++;
	if (seen->disk) {
		if (seen->digest ? !is_allowed(world, allowed, seen->digest) :
				   !allowed->may_be_none)
			world_wrong(world, "%s: an older state again",
				    allowed->how);
		free(first);
		return;
	}
	seen->disk = disk_hash(disk);
	replay->seen_count++;
	replay->states++;
	disk_put(disk, world->run_fd);
	if (replay->judge && !allowed->may_be_none)
		judge(world, false, allowed->how, "before opening");
	if (!look(world, first, true, allowed->at)) {
		free(first);
		if (!allowed->may_be_none) {
			world_wrong(world, "%s: can't be opened: %s: %s",
				    allowed->how, world->failure.object,
				    world->failure.message);
			disk_put(disk, world->run_fd);
			keep_state(world);
		}
		return;
	}
	seen->digest = first;
	if (!is_allowed(world, allowed, first))
		tell_wrong(world, allowed, first);
	if (!look(world, &second, true, allowed->at)) {
		world_wrong(world, "can't be opened again: %s",
			    world->failure.message);
	} else {
		if (second.hash != first->hash) {
			world_wrong(world, "another store when opened again");
			digest_diff(&second, first);
		}
		digest_free(&second);
		if (replay->judge)
			judge(world, false, allowed->how, "after closing");
	}
	if (world->violations != before) {
		disk_put(disk, world->run_fd);
		keep_state(world);
	} else if (replay->lives && replay->depth == 0 && world->created &&
		   allowed->at >= world->created_at &&
		   chance_below(&replay->chance, replay->lives) == 0) {
		second_life(replay, disk, allowed);
	}
}

void forget_seen(struct replay *replay)
{
	for (size_t i = 0; i < replay->seen_capacity; i++) {
		if (!replay->seen[i].digest)
			continue;
		digest_free(replay->seen[i].digest);
		free(replay->seen[i].digest);
	}
	free(replay->seen);
	replay->seen = NULL;
	replay->seen_capacity = replay->seen_count = 0;
}
