/*
 * One state that a crash left: what it may show, what it shows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsck.h"
#include "crash_state.h"

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

static void check_setting(struct world *world, struct store *store, size_t at)
{
	struct store_config config;
	size_t i, first = 0;

	if (!world->setting_count)
		return;
	store_get_config(store, &config);
	for (i = 0; i < world->setting_count; i++)
		if (world->settings[i].synced_at <= at)
			first = i + 1;
	if (!first)
		return;
	for (i = first - 1; i < world->setting_count; i++)
		if (world->settings[i].value == config.checkpoint_log_bytes &&
		    world->settings[i].visible_from <= at)
			return;
	world_wrong(world, "store.conf is not what was saved");
}

static int open_head(struct world *world, struct store *store)
{
	struct view *view;
	struct tree *tree;
	int rc;

	if (!world->is_tree)
		return 0;
	rc = view_open_branch(store, "main", &view, &world->failure);
	if (rc == 0)
		rc = tree_open(view, &tree, &world->failure);
	if (rc == 0)
		tree_close(tree);
	return rc;
}

/* Opens, looks, closes. */
static bool look(struct world *world, struct digest *out_digest, size_t at)
{
	struct store *store;
	int rc;

	world->failure = (struct failure){ 0 };
	rc = store_open(world->store_path, NULL, &store, &world->failure);
	if (rc < 0)
		return false;
	digest_take(store, true, out_digest);
	check_setting(world, store, at);
	rc = open_head(world, store);
	if (rc < 0)
		world_wrong(world, "the head can't be opened: %s",
			    world->failure.message);
	rc = store_close(store);
	if (rc < 0)
		world_wrong(world, "closing failed: %d", rc);
	return true;
}

/* The judge has nothing to say. */
static void judge(struct world *world, const struct allowed *allowed,
		  const char *when)
{
	struct fsck_options options = { .path = world->store_path,
					.temporary = world->directory };
	struct fsck_result result;
	char *report = NULL;
	size_t len = 0;
	int rc;

	options.out = open_memstream(&report, &len);
	check(options.out, "an allocation");
	rc = fsck_run(&options, &result);
	fclose(options.out);
	if (rc != 0 || result.exit_code != 0)
		world_wrong(world, "%s: fsck %s: %d, %d %s\n%s", allowed->how,
			    when, rc, result.exit_code, result.message, report);
	free(report);
}

static void keep_state(struct world *world)
{
	const char *keep = getenv("CRASH_KEEP");
	char command[400];

	if (!keep)
		return;
	snprintf(command, sizeof(command), "cp -a '%s' '%s/%u-%d'",
		 world->run_path, keep, world->violations, (int)getpid());
	if (system(command) != 0)
		fprintf(stderr, "can't keep the state\n");
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
		judge(world, allowed, "before opening");
	if (!look(world, first, allowed->at)) {
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
	if (!look(world, &second, allowed->at)) {
		world_wrong(world, "can't be opened again: %s",
			    world->failure.message);
	} else {
		if (second.hash != first->hash) {
			world_wrong(world, "another store when opened again");
			digest_diff(&second, first);
		}
		digest_free(&second);
		if (replay->judge)
			judge(world, allowed, "after closing");
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
