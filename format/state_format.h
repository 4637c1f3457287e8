/*
 * What the segments say of the store as a whole, for who has no index:
 * docs/format.md, sections 4.10, 4.11 and 8.6.
 *
 * A dump is entries one behind the other, cut into the pieces of STATE
 * records. All pieces with the same identity (state_record) are one dump; it
 * is whole if they fill it and its checksum holds. KEPT records are records
 * of segments that were removed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "item_format.h"
#include "record_format.h"
#include "scope.h"

enum {
	STATE_HEADER_BYTES = 32,
	STATE_PIECE_BYTES_MAX = RECORD_PAYLOAD_BYTES_MAX - STATE_HEADER_BYTES,
	STATE_DUMP_BYTES_MAX = 1 << 30,
	STATE_ENTRY_HEADER_BYTES = 8,
	STATE_ENTRY_BYTES_MAX = STATE_ENTRY_HEADER_BYTES + 16 +
				ITEM_KEY_BYTES_MAX + ITEM_PAYLOAD_BYTES_MAX,
	KEPT_HEADER_BYTES = 16,
};

struct state_record {
	uint64_t as_of_lsn; /* the state after this record */
	uint64_t checksum;  /* of the dump, by state_checksum() */
	uint32_t dump_bytes;
	uint32_t offset; /* of the piece in the dump */
	const uint8_t *piece;
	size_t piece_bytes;
};

/* Returns the payload's length; out holds RECORD_PAYLOAD_BYTES_MAX. */
size_t state_record_encode(const struct state_record *state, uint8_t *out);
/* piece points into the payload. -EUCLEAN: F-16, F-73. */
NODISCARD int state_record_decode(const struct record *record,
				  struct state_record *out_state);
uint64_t state_checksum(uint64_t seed, const uint8_t *dump, size_t dump_bytes);

enum state_kind {
	STATE_KIND_COUNTERS = 1, /* the first, and only there */
	STATE_KIND_LINE,
	STATE_KIND_FOLD, /* a line that is another's now */
	STATE_KIND_BRANCH,
	STATE_KIND_SNAPSHOT,
	STATE_KIND_HOLD,
	STATE_KIND_BASE,
	STATE_KIND_ITEM,
	STATE_KIND_LAST = STATE_KIND_ITEM,
};

/* Without NUL; borrowed: decoded, it points into the dump. */
struct state_text {
	const char *bytes;
	size_t len_bytes;
};

/* As the rows of the index: format.md, section 8. Numbers that are 32 bits
 * or a flag there are uint32_t here. */
struct state_entry {
	enum state_kind kind;
	union {
		struct {
			uint32_t next_line, next_gen;
			uint32_t next_snapshot, next_branch;
			uint64_t next_operation, next_inode;
		} counters;
		struct {
			uint32_t id, parent, fork_gen, first_gen;
		} line;
		/* What it was up to this generation is of `into` now, the
		 * rest is gone. */
		struct {
			uint32_t line, into, gen;
		} fold;
		struct {
			uint32_t id, line, gen, state;
			uint32_t parent_snapshot, parent_branch, changed;
			int64_t created_ns, deleted_ns;
			uint64_t refer_blocks, written_blocks;
			struct state_text name;
		} branch;
		struct {
			uint32_t id, branch, line, gen, state, kind;
			int64_t created_ns, deleted_ns;
			uint64_t size_bytes, refer_blocks, written_blocks;
			struct state_text name, note;
		} snapshot;
		struct {
			uint32_t snapshot;
			int64_t created_ns;
			struct state_text tag;
		} hold;
		struct {
			uint32_t layer, kind, has_full_hash;
			uint64_t device, inode, size_bytes;
			int64_t mtime_ns;
			uint64_t sample_hash, full_hash;
			struct state_text name, path;
		} base;
		struct { /* as an entry of a batch */
			uint32_t line, gen;
			struct state_text key, payload;
		} item;
	};
};

size_t state_entry_bytes(const struct state_entry *entry);
/* Returns state_entry_bytes(), which out holds. */
size_t state_entry_encode(const struct state_entry *entry, uint8_t *out);
/* The entry at *offset, at first 0, which moves behind it. -ENOENT: the end.
 * -EUCLEAN: F-74. */
NODISCARD int state_next(const uint8_t *dump, size_t dump_bytes, size_t *offset,
			 struct state_entry *out_entry);

/* A RAW, LZ4, ZERO, MOVE or SHARE record that a removed segment had. */
struct kept_record {
	struct record record; /* with its own LSN; unsynced is 0 */
};

/* record->payload_bytes + KEPT_HEADER_BYTES is at most
 * RECORD_PAYLOAD_BYTES_MAX, which out holds. Returns the payload's length. */
size_t kept_record_encode(const struct kept_record *kept, uint8_t *out);
/* The payload within is checked by the decoder of its type. -EUCLEAN: F-16,
 * F-75. */
NODISCARD int kept_record_decode(const struct record *record,
				 struct kept_record *out_kept);
