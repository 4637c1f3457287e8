/* What a step may lead to when a call or an allocation in it has failed. */
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

void sweep_note_step(struct world *world, const struct digest *now)
{
	struct sweep *sweep = world->sweep;
	struct ref_step *step;
	size_t i;

	sweep->steps = check_memory(realloc(
		sweep->steps, (sweep->step_count + 1) * sizeof(*sweep->steps)));
	step = &sweep->steps[sweep->step_count++];
	*step = (struct ref_step){ .name = world->step_name,
				   .in_parts = world->in_parts,
				   .is_open = now != NULL };
	if (now)
		digest_copy(&step->digest, now);
	step->between_count = world->between_count;
	step->between = check_memory(
		calloc(world->between_count + 1, sizeof(*step->between)));
	for (i = 0; i < world->between_count; i++)
		digest_copy(&step->between[i], &world->between[i]);
}

enum outcome { OUTCOME_DONE, OUTCOME_NOT_DONE, OUTCOME_PART, OUTCOME_WRONG };

static enum outcome outcome_of(const struct ref_step *before,
			       const struct ref_step *step,
			       const struct digest *now, bool read_only)
{
	size_t i;

	if (now->hash == step->digest.hash)
		return OUTCOME_DONE;
	if (before && now->hash == before->digest.hash)
		return OUTCOME_NOT_DONE;
	for (i = 0; i < step->between_count; i++)
		if (now->hash == step->between[i].hash)
			return OUTCOME_PART;
	/* A logged operation that found no memory to be applied in: all of it
	 * is there when the store is opened again. */
	if (before && (step->in_parts || read_only) &&
	    digest_is_between(now, &before->digest, &step->digest))
		return OUTCOME_PART;
	return OUTCOME_WRONG;
}

static bool is_ever(enum fault_kind kind)
{
	return kind == FAULT_EIO_EVER || kind == FAULT_ENOSPC_EVER ||
	       kind == FAULT_MEMORY_EVER || kind == FAULT_SQLITE_EVER;
}

/* Creation, opening or closing failed. */
static bool ends_failed(struct world *world, const struct ref_step *step)
{
	struct sweep *sweep = world->sweep;

	if (!step->is_open && world->created) { /* what was a close is one */
		sweep->tries = 0;
		world->over = is_ever(sweep->kind);
		return false;
	}
	if (!is_ever(sweep->kind) && sweep->tries < 2)
		return true;
	if (!is_ever(sweep->kind))
		world_wrong(world, "fails again, without a fault: %s %s",
			    world->failure.object, world->failure.message);
	world->over = true;
	return false;
}

static bool step_failed(struct world *world, int rc,
			const struct ref_step *step, const struct digest *now)
{
	struct sweep *sweep = world->sweep;
	const struct ref_step *before = world->step_nr > 1 ? step - 1 : NULL;
	enum outcome outcome;
	struct store_status *status = check_memory(calloc(1, sizeof(*status)));
	bool again = false;

	store_status(world->store, status);
	sweep->read_only = status->read_only;
	outcome = outcome_of(before, step, now, status->read_only);
	if (now->failed && status->read_only) {
		if (digest_agrees(now, &step->digest))
			outcome = OUTCOME_DONE;
		else if (before && digest_agrees(now, &before->digest))
			outcome = OUTCOME_NOT_DONE;
	} else if (now->failed) {
		world_wrong(world, "failed, and then something can't be read");
	}
	if (outcome == OUTCOME_WRONG) {
		world_wrong(world, "failed (%d), and leads to another state",
			    rc);
		if (before)
			digest_diff(now, &before->digest);
	}
	if (status->read_only && !status->reason[0])
		world_wrong(world, "is read-only and does not say why");
	world->over = status->read_only || outcome == OUTCOME_WRONG ||
		      is_ever(sweep->kind) ||
		      (outcome == OUTCOME_PART && step->in_parts);
	if (!world->over && outcome != OUTCOME_DONE) {
		again = sweep->tries < 2;
		if (!again)
			world_wrong(world,
				    "fails again, without a fault: %d "
				    "%s %s",
				    rc, world->failure.object,
				    world->failure.message);
		world->over = !again;
	}
	free(status);
	return again;
}

static bool is_read_only(struct world *world)
{
	struct store_status *status = check_memory(calloc(1, sizeof(*status)));
	bool result;

	store_status(world->store, status);
	result = status->read_only && status->reason[0];
	free(status);
	return result;
}

bool sweep_step_end(struct world *world, int rc, bool durable,
		    const struct digest *now)
{
	struct sweep *sweep = world->sweep;
	const struct ref_step *step = &sweep->steps[world->step_nr - 1];
	bool again = false;

	if (world->step_nr > sweep->step_count) {
		world_wrong(world, "a step that there was not");
		world->over = true;
		return false;
	}
	sweep->tries++;
	sweep->last_failed = rc < 0;
	if (rc < 0) {
		sweep->failed_steps++;
		if (!sweep->fired)
			world_wrong(world, "fails without a fault: %d %s %s",
				    rc, world->failure.object,
				    world->failure.message);
		again = world->store ? step_failed(world, rc, step, now) :
				       ends_failed(world, step);
	} else {
		if (now && now->failed && is_read_only(world) &&
		    digest_agrees(now, &step->digest)) {
			/* The index went, and was not needed for this. */
			sweep->read_only = world->over = true;
		} else if (now && now->hash != step->digest.hash) {
			world_wrong(world, "is acknowledged and leads to "
					   "another state");
			digest_diff(now, &step->digest);
			world->over = true;
		}
		if (sweep->fired && step->is_open && world->step_nr > 1 &&
		    !step[-1].is_open)
			sweep->reopened = true;
		if (durable)
			sweep->synced = world->step_nr;
	}
	if (again)
		world->step_nr--; /* step_begin counts it again */
	else
		sweep->tries = 0;
	return again;
}
