/*
 * What files of base were when they were first looked at: a table of hashes,
 * of the place and of the attributes that change with content. So a file that
 * was changed, or another one in its place, is told from what it was for as
 * long as a stack of the store is open, also by who has forgotten the node.
 *
 * I1: a place takes 16 bytes, and the table at most SLOTS_MAX of them: what is
 *     looked at when it is full is not remembered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "layers_impl.h"

enum { SLOTS_MIN = 1 << 10, SLOTS_MAX = 1 << 21 };

struct seen_slot {
	uint64_t place; /* 0: free */
	uint64_t state; /* its lowest bit: that it is another was told */
};

static uint64_t place_of(const struct base_node *node)
{
	const uint64_t words[] = {
		base_node_layer(node),
		node->parent ? base_node_number(node->parent) : 0,
	};
	uint64_t seed = XXH3_64bits(words, sizeof(words));
	uint64_t hash =
		XXH3_64bits_withSeed(node->name, strlen(node->name), seed);

	return hash ? hash : 1;
}

static uint64_t state_of(const struct stat *st)
{
	const int64_t words[] = {
		(int64_t)st->st_ino,
		(int64_t)st->st_size,
		st->st_mtim.tv_sec,
		st->st_mtim.tv_nsec,
		st->st_ctim.tv_sec,
		st->st_ctim.tv_nsec,
		(int64_t)(st->st_mode & S_IFMT),
	};

	return XXH3_64bits(words, sizeof(words)) & ~UINT64_C(1);
}

/* Its slot, or the free one where it goes. */
static struct seen_slot *find(struct seen_slot *slots, size_t count,
			      uint64_t place)
{
	size_t at = (size_t)place & (count - 1);

	while (slots[at].place && slots[at].place != place)
		at = (at + 1) & (count - 1);
	return &slots[at];
}

/* Room for one more. false: there is none (I1). */
static bool make_room(struct layers_shared *shared) REQUIRES(shared->seen_lock)
{
	size_t i,
		count = shared->seen_slots ? shared->seen_slots * 2 : SLOTS_MIN;
	struct seen_slot *slots;

	if (shared->seen_count < shared->seen_slots / 4 * 3)
		return true;
	if (count > SLOTS_MAX)
		return false;
	slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	for (i = 0; i < shared->seen_slots; i++)
		if (shared->seen[i].place)
			*find(slots, count, shared->seen[i].place) =
				shared->seen[i];
	free(shared->seen);
	shared->seen = slots;
	shared->seen_slots = count;
	return true;
}

/* 1: it differs, and nobody was told as yet. */
static int compare_locked(struct layers_shared *shared, uint64_t place,
			  uint64_t state) REQUIRES(shared->seen_lock)
{
	struct seen_slot *slot = NULL;
	bool told;

	if (shared->seen_slots)
		slot = find(shared->seen, shared->seen_slots, place);
	if (!slot || !slot->place) {
		if (!make_room(shared))
			return 0;
		slot = find(shared->seen, shared->seen_slots, place);
		*slot = (struct seen_slot){ place, state };
		shared->seen_count++;
		return 0;
	}
	if ((slot->state & ~UINT64_C(1)) == state)
		return 0;
	told = slot->state & 1;
	slot->state |= 1;
	return told ? -ESTALE : 1;
}

int base_seen(struct base_node *node, const struct base_stat *stat)
{
	struct layers_shared *shared = node->layers->shared;
	uint64_t place, state;
	int rc;

	if (!S_ISREG(stat->stat.st_mode))
		return 0;
	place = place_of(node);
	state = state_of(&stat->stat);
	mutex_lock(&shared->seen_lock);
	rc = compare_locked(shared, place, state);
	mutex_unlock(&shared->seen_lock);
	return rc > 0 ? base_stale(node) : rc;
}
