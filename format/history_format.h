/*
 * History records: one layout for every operation on branches and
 * snapshots; which fields an operation uses is in docs/format.md, section 7.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "record_format.h"

enum history_op {
	HISTORY_OP_SNAPSHOT = 1,
	HISTORY_OP_SNAPSHOT_STATE, /* live, trash, deleting */
	HISTORY_OP_SNAPSHOT_RENAME,
	HISTORY_OP_HOLD,
	HISTORY_OP_RELEASE,
	HISTORY_OP_ROLLBACK,
	HISTORY_OP_CLONE,
	HISTORY_OP_BRANCH_STATE,
	HISTORY_OP_BRANCH_RENAME,
	HISTORY_OP_RESIZE, /* only for the operation log */
	HISTORY_OP_LAYERS, /* only for it, too: the STACK item does it */
};

enum layers_state { LAYERS_STATE_ADDED, LAYERS_STATE_REMOVED };

enum { HISTORY_STRING_BYTES_MAX = 1024 };

struct history_record {
	enum history_op op;
	uint32_t uid;
	uint64_t operation; /* number in the operation log; 0: not in it */
	uint64_t undoes;
	int64_t time_ns;
	uint32_t branch;
	uint32_t snapshot;
	uint32_t line;	    /* ROLLBACK, CLONE: the new line */
	uint32_t from_line; /* where it starts */
	uint32_t from_gen;
	uint32_t gen;		/* the head's new generation */
	uint32_t kept_snapshot; /* ROLLBACK: 0 or the id that keeps the head */
	/* New state, kind of a new snapshot, or enum layers_state. */
	uint32_t state;
	uint64_t size_bytes; /* RESIZE */
	char name[256];
	char old_name[256];
	char note[HISTORY_STRING_BYTES_MAX + 1];
};

/* Returns the payload's length. */
size_t history_record_encode(const struct history_record *history,
			     uint8_t *out);
/* -EUCLEAN: F-21, F-22, F-24. */
NODISCARD int history_record_decode(const struct record *record,
				    struct history_record *out_history);
