/* Keys of the model of items, and what they may hold. */
#pragma once

#include "items.h"

enum {
	DIRECTORIES = 3,
	NAMES = 4,
	FACTS = 3,
	/* of each directory: names, xattrs; and the stack */
	KEYS = DIRECTORIES * (2 * NAMES) + 1,
};

struct key {
	struct item_key item;
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	size_t bytes_count;
};

/* In their order; and those of origins. */
extern struct key keys[KEYS], fact_keys[FACTS];

void make_keys(void);
/* The payload that a value stands for; 0: absent. Valid until the next call.
 */
const uint8_t *make_payload(const struct key *key, uint64_t value,
			    size_t *out_bytes);
void check_payload(const struct key *key, uint64_t value,
		   const struct item_copy *copy);
