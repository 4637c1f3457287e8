/* A set of names that only grows: which were seen in a listing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"

struct name_set {
	char *names; /* one behind the other, each with its NUL */
	size_t names_bytes, names_room;
	struct name_slot {
		uint32_t hash;
		uint32_t at; /* in names, plus 1; 0: free */
	} * slots;
	size_t slot_count, name_count; /* slot_count: 0 or a power of 2 */
};

/* An empty set is all zeros. */
void name_set_fini(struct name_set *set);
/* out_is_new: it was not in the set. -ENOMEM. */
NODISCARD int name_set_add(struct name_set *set, const char *name,
			   bool *out_is_new);
bool name_set_has(const struct name_set *set, const char *name);
