/*
 * What records mean: a second implementation, which applies them to the rows
 * of the working copy. lib/core has the first; they share format/ only.
 *
 * A record is applied by its line and generation. What the core refuses (a
 * line that is not there, a generation that is not the head's) is told, and
 * applied if it has a place.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "block_map.h"
#include "log_walk.h"
#include "query.h"
#include "scope.h"

struct apply;

/* Why a record could not be applied, or not as it says. */
enum apply_trouble {
	APPLY_TROUBLE_LINE,   /* its line is not there: left out */
	APPLY_TROUBLE_GEN,    /* no head has its generation: applied */
	APPLY_TROUBLE_INODE,  /* its inode is not there: left out */
	APPLY_TROUBLE_ROW,    /* a row that it changes is damaged: left out */
	APPLY_TROUBLE_RECORD, /* it contradicts itself or history: left out */
	APPLY_TROUBLE_BLOCKS, /* the blocks that it names are not what it
			       * says: left out */
};

struct apply_events {
	void *context;
	/* line, gen and inode are 0 where the record has none. false: end. */
	bool (*trouble)(void *context, enum apply_trouble trouble,
			const struct record *record, uint32_t line,
			uint32_t gen, uint64_t inode, uint64_t first_block);
};

/* queries, reader and map are borrowed until apply_free. map has the index's
 * segments. */
NODISCARD int apply_new(struct queries *queries, struct segment_reader *reader,
			struct block_map *map, struct apply **out_apply);
void apply_free(struct apply *apply);
void apply_set_events(struct apply *apply, const struct apply_events *events);

/*
 * One record. verify: its blocks are looked at; -ENODATA: they are not what
 * it says, nothing was applied. Trouble is told, and is no error, but
 * -ECANCELED if that is to be the end. -EUCLEAN: the database is damaged.
 */
NODISCARD int apply_record(struct apply *apply, const struct record *record,
			   bool verify);
/* Records are missing before the next one: a batch does not go on. */
void apply_gap(struct apply *apply);
/* Writes all that is still in memory but the position. */
NODISCARD int apply_flush(struct apply *apply);

struct apply_result {
	uint64_t records; /* that change anything */
	uint64_t troubles;
	struct log_position end; /* with the tail */
	enum log_end how;
	bool ended_by_trouble; /* before the record that has it */
};

/*
 * Applies the log from a position to its end, or up to the damage; then the
 * rows and the position are those of the end.
 */
NODISCARD int apply_log(struct apply *apply, const struct log_position *from,
			struct apply_result *out_result);

/* The position that the index has. -EUCLEAN: none. */
NODISCARD int apply_get_position(struct queries *queries,
				 struct log_position *out_position);
NODISCARD int apply_put_position(struct queries *queries,
				 const struct log_position *position);
