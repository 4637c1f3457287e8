/* A hash table with open addressing, at most half full. */
#include "name_set.h"

#include <errno.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum { SLOTS_MIN = 256, ROOM_MIN = 4096 };

void name_set_fini(struct name_set *set)
{
	free(set->names);
	free(set->slots);
	memset(set, 0, sizeof(*set));
}

static uint32_t hash_of(const char *name, size_t name_bytes)
{
	return (uint32_t)XXH3_64bits(name, name_bytes);
}

/* Where the name is, or the free slot where it belongs. */
static struct name_slot *find(const struct name_set *set, const char *name,
			      uint32_t hash)
{
	size_t mask = set->slot_count - 1;
	size_t i = hash & mask;

	while (set->slots[i].at &&
	       (set->slots[i].hash != hash ||
		strcmp(set->names + set->slots[i].at - 1, name) != 0))
		i = (i + 1) & mask;
	return &set->slots[i];
}

static int grow_slots(struct name_set *set)
{
	size_t count = set->slot_count ? set->slot_count * 2 : SLOTS_MIN;
	struct name_slot *slots = calloc(count, sizeof(*slots));
	size_t i;

	if (!slots)
		return -ENOMEM;
	for (i = 0; i < set->slot_count; i++) {
		size_t to = set->slots[i].hash & (count - 1);

		if (!set->slots[i].at)
			continue;
		while (slots[to].at)
			to = (to + 1) & (count - 1);
		slots[to] = set->slots[i];
	}
	free(set->slots);
	set->slots = slots;
	set->slot_count = count;
	return 0;
}

static int grow_names(struct name_set *set, size_t need_bytes)
{
	size_t room = set->names_room ? set->names_room * 2 : ROOM_MIN;
	char *names;

	while (room < need_bytes)
		room *= 2;
	if (room >= UINT32_MAX)
		return -ENOMEM;
	names = realloc(set->names, room);
	if (!names)
		return -ENOMEM;
	set->names = names;
	set->names_room = room;
	return 0;
}

int name_set_add(struct name_set *set, const char *name, bool *out_is_new)
{
	size_t name_bytes = strlen(name);
	uint32_t hash = hash_of(name, name_bytes);
	size_t need_bytes = set->names_bytes + name_bytes + 1;
	struct name_slot *slot;
	int rc = 0;

	if (set->name_count * 2 >= set->slot_count)
		rc = grow_slots(set);
	if (rc == 0 && need_bytes > set->names_room)
		rc = grow_names(set, need_bytes);
	if (rc < 0)
		return rc;
	slot = find(set, name, hash);
	*out_is_new = !slot->at;
	if (slot->at)
		return 0;
	slot->hash = hash;
	slot->at = (uint32_t)set->names_bytes + 1;
	memcpy(set->names + set->names_bytes, name, name_bytes + 1);
	set->names_bytes = need_bytes;
	set->name_count++;
	return 0;
}

bool name_set_has(const struct name_set *set, const char *name)
{
	return set->slot_count > 0 &&
	       find(set, name, hash_of(name, strlen(name)))->at != 0;
}
