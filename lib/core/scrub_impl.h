/* The insides of a scrub: its state, and what it reads at a time. */
#pragma once

#include <pthread.h>

#include "index_quick.h"
#include "scrub.h"
#include "store_impl.h"

/* What is known of the scrub, as scrub.state has it. */
struct scrub_record {
	enum scrub_state state;
	int64_t started_ns, ended_ns;
	uint64_t checked_bytes, total_bytes, rate_bytes;
	bool index_done;
	uint32_t segment;		   /* all up to it were looked at ... */
	uint32_t end_segment;		   /* ... of all up to this */
	uint64_t finding_count, old_count; /* of this one; of the one before */
	struct scrub_finding *findings;
	size_t count, capacity; /* that are kept */
	char reason[256];
};

struct scrub {
	struct store *store;
	struct mutex lock; /* a leaf but for index_quick's */
	pthread_cond_t changed;
	struct scrub_record record;
	pthread_t thread;
	bool active;   /* the thread is at it */
	bool joinable; /* it was begun and not joined */
	bool stop;     /* as soon as possible ... */
	bool forget;   /* ... and without saving that */
	enum scrub_state stop_as;
	struct index_quick *quick; /* while the index is checked */
	/* The thread's own. */
	int64_t saved_ns;
	int64_t due_ns; /* when the rate lets it read again */
	/* For the speed: what was read at which time. */
	int64_t mark_ns[2];
	uint64_t mark_bytes[2], read_bytes;
};

/* scrub_state.c. A file that can't be understood is as none. */
NODISCARD int scrub_state_load(int directory_fd, struct scrub_record *record);
NODISCARD int scrub_state_save(int directory_fd,
			       const struct scrub_record *record);
void scrub_record_fini(struct scrub_record *record);
/* Adds one, in the order of places; an older one like it goes. */
NODISCARD int scrub_record_add(struct scrub_record *record,
			       const struct scrub_finding *finding);
/* Everything up to that segment was looked at again: drops what is old. */
void scrub_record_seen(struct scrub_record *record, uint32_t segment);

/* --- a batch: as many segments as memory is given for, one after another */

enum {
	SCRUB_BATCH_SEGMENTS_MAX = 256,
	SCRUB_BATCH_SEGMENTS_MIN = 16,
	SCRUB_PIECE_BLOCKS = 1024,
	SCRUB_HITS_MAX = 65536,
	SCRUB_BAD_ROWS_MAX = 1024,
	SCRUB_CONFLICT = 255, /* rows say different things of a block */
};

/* Something that is not what it should be. */
struct scrub_hit {
	struct location at;
	uint32_t blocks;
	enum scrub_kind kind;
};

struct scrub_segment {
	uint32_t id;
	bool is_old; /* no record comes any more */
	/* For each block: how many the chunk has that begins there, 0: none
	 * does, or SCRUB_CONFLICT; and its sum. */
	uint8_t *chunk_blocks;
	uint64_t *sums;
};

struct scrub_batch {
	struct scrub *scrub;
	struct scrub_segment segments[SCRUB_BATCH_SEGMENTS_MAX];
	size_t count;
	uint64_t *sums;
	uint8_t *chunk_blocks;
	struct scrub_hit *hits;
	size_t hit_count, hit_capacity;
	uint64_t hits_lost; /* more than SCRUB_HITS_MAX */
	struct window_key *bad_rows;
	size_t bad_row_count;
	uint8_t *buffer;   /* SCRUB_PIECE_BLOCKS, aligned */
	uint8_t *resident; /* for each block: in the page cache */
};

/* scrub_batch.c. begin: the next segments behind `after`, up to the last that
 * is asked for; none: count 0. What must be in them, as all rows have it. */
NODISCARD int scrub_batch_begin(struct scrub *scrub, uint32_t after,
				struct scrub_batch **out_batch);
void scrub_batch_free(struct scrub_batch *batch);
/* Unless nobody needs it any more. */
NODISCARD int scrub_batch_hit(struct scrub_batch *batch, struct location at,
			      uint32_t blocks, enum scrub_kind kind);
/* scrub_read.c: reads a segment and adds hits. -EINTR: it is to stop. */
NODISCARD int scrub_read_segment(struct scrub_batch *batch,
				 const struct scrub_segment *segment);
/* scrub_records.c: the next record block of the segment behind this one, 0:
 * there is none, or it is another's. -EUCLEAN: it is damaged. */
NODISCARD int scrub_check_records(uint64_t seed,
				  const struct scrub_segment *segment,
				  uint32_t block, const uint8_t *data,
				  uint32_t *out_next);

/* scrub_name.c: makes findings of the hits and forgets them. */
NODISCARD int scrub_name_hits(struct scrub_batch *batch);

/* scrub_run.c: all that is left to be looked at. -EINTR: it was to stop. */
NODISCARD int scrub_run(struct scrub *scrub);

/* scrub.c, for these. tick: so many bytes were read; waits as the rate asks.
 * -EINTR: it is to stop. */
NODISCARD int scrub_tick(struct scrub *scrub, uint64_t read_bytes,
			 uint64_t checked_bytes);
void scrub_save_locked(struct scrub *scrub) REQUIRES(scrub->lock);
bool scrub_stops(struct scrub *scrub);
NODISCARD int scrub_add(struct scrub *scrub,
			const struct scrub_finding *finding);
