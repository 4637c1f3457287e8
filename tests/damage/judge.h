/*
 * What a store shows, as a sorted list of facts: each branch and snapshot, each
 * name, each block. Learned when it is whole, compared when it was damaged:
 * each fact must be the same, or an error.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store.h"

struct fact {
	uint64_t key;	 /* what */
	uint64_t parent; /* what shows it; 0: nothing */
	uint64_t value;
	int error; /* negative errno: no value */
	char text[64];
};

struct facts {
	struct fact *list; /* by key */
	size_t count, capacity;
};

/* Opens the store, looks at everything, and leaves it as a kill would. The
 * result of opening; why it failed is in facts_failure. */
int facts_learn(const char *path, struct facts *out_facts);
extern struct failure facts_failure;
void facts_free(struct facts *facts);

struct verdict {
	size_t right, errors, missing;
	size_t wrong;	/* other values, or what there never was */
	char text[160]; /* the first that is wrong, else missing */
};

/* Missing is what nothing that can't be read explains. */
void facts_compare(const struct facts *truth, const struct facts *seen,
		   struct verdict *out_verdict);
/* How many are right in before, and not in after. */
size_t facts_lost(const struct facts *truth, const struct facts *before,
		  const struct facts *after, char text[160]);
