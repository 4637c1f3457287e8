/*
 * All that a user can see in a store, as text: branches, snapshots, holds,
 * operations, and of each head and snapshot every byte, name and attribute.
 * Two stores with one digest are the same to everybody.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct digest_part {
	char *key;  /* "history", "head main", "snapshot s1" */
	char *text; /* with a line "content SIZE HASH" of an image */
};

struct digest {
	struct digest_part *parts;
	size_t count;
	uint64_t hash;
	bool failed; /* something could not be read */
};

/* exact: also times and numbers, which depend on how often it was tried. */
void digest_take(struct store *store, bool exact, struct digest *out_digest);
void digest_copy(struct digest *to, const struct digest *from);
/* The same store, but that the image of a head holds this. */
void digest_put_content(struct digest *digest, const char *branch,
			const uint8_t *data, uint64_t size_bytes);
/* Each line of a part is as in one of them. */
bool digest_is_between(const struct digest *have, const struct digest *before,
		       const struct digest *after);
/* What could be read is as it should be: right, or an error. */
bool digest_agrees(const struct digest *have, const struct digest *want);
void digest_free(struct digest *digest);
/* Prints where they differ. */
void digest_diff(const struct digest *have, const struct digest *want);
