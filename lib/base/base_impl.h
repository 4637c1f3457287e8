/* A base's insides. */
#pragma once

#include "base.h"
#include "mutex.h"

struct base {
	int fd;
	struct base_fingerprint fingerprint;
	/* Atomic, what base_read needs to know: changed, as in state; guarded
	 * by a lease, nobody can write to it. */
	int changed, guarded;

	struct mutex lock; /* guards what follows */
	struct base_state state;
	bool leased;
};

/* The fingerprint of an open descriptor; the path is left empty. */
NODISCARD int fingerprint_take(int fd, bool full_hash,
			       struct base_fingerprint *out_fingerprint);
/* What it would say of size and time now, without reading any content. */
NODISCARD int fingerprint_stat(int fd,
			       struct base_fingerprint *out_fingerprint);
/* Why two fingerprints are not of the same content: "" if they are. */
void fingerprint_difference(const struct base_fingerprint *expected,
			    const struct base_fingerprint *found, char *text,
			    size_t text_bytes);
