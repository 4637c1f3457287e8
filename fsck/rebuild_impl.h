/* The insides of rebuild*.c. */
#pragma once

#include "apply_impl.h"
#include "check.h"
#include "log_survey.h"
#include "state_format.h"
#include "stored.h"

enum { REBUILD_DUMPS = 8, REBUILD_DUMP_BYTES_MAX = 256 << 20 };

/* A dump of which pieces were found. */
struct rebuild_dump {
	uint64_t as_of_lsn, checksum;
	uint32_t dump_bytes, found_bytes;
	uint8_t *bytes;
};

struct rebuild_fold {
	uint32_t line, into, gen;
};

struct rebuild {
	struct check *check;
	struct stored *stored;
	struct log_survey survey;
	struct apply *apply; /* once the dump is in the index */
	struct rebuild_dump dumps[REBUILD_DUMPS];
	struct rebuild_dump *best; /* NULL: none is whole */
	uint64_t as_of_lsn;
	struct rebuild_fold *folds;
	size_t fold_count, fold_capacity;
	struct batch batch;
	uint64_t last_lsn_seen; /* of the visit */
	uint64_t base_bytes;	/* of an image */
	uint64_t dropped;	/* records of lines that are gone */
	uint64_t found;		/* inodes without a name */
	uint32_t next_snapshot; /* of the dump: it knows the older ones */
	struct slot slots[WINDOW_BLOCKS];
	uint8_t blob[WINDOW_ROW_BYTES_MAX];
};

/* rebuild_dump.c */
NODISCARD int rebuild_note_piece(struct rebuild *rebuild,
				 const struct record *record);
/* Rows of the best dump. */
NODISCARD int rebuild_load_dump(struct rebuild *rebuild);
void rebuild_free_dumps(struct rebuild *rebuild);

/* rebuild_patch.c: what records say of windows and inodes, into tables of
 * their own. */
NODISCARD int rebuild_patches_begin(struct rebuild *rebuild);
NODISCARD int rebuild_note_record(struct rebuild *rebuild,
				  const struct record *record);
/* The line that a record of (line, gen) is of now. false: it is gone. */
bool rebuild_line(const struct rebuild *rebuild, uint32_t *line, uint32_t gen);

/* rebuild_windows.c, rebuild_inodes.c: versions out of those tables. */
NODISCARD int rebuild_windows(struct rebuild *rebuild);
NODISCARD int rebuild_inodes(struct rebuild *rebuild);
NODISCARD int rebuild_lost_and_found(struct rebuild *rebuild);
