/*
 * Batches: the items that one operation changes, as the log holds them.
 * docs/format.md, section 4.7.
 *
 * A writer appends entries, then takes piece after piece for ITEMS records.
 * A reader adds the pieces of the records as they come; when the batch does
 * not go on, it takes entry after entry. A batch that is never finished, or
 * is followed by another record, does not count.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "item_format.h"
#include "record_format.h"
#include "scope.h"

enum {
	BATCH_BYTES_MAX = 128 * 1024,
	BATCH_ENTRY_HEADER_BYTES = 8,
};

/* The caller's, with the memory that bytes points to. */
struct batch {
	uint8_t *bytes;
	size_t capacity_bytes; /* reader: at least BATCH_BYTES_MAX */
	size_t used_bytes;
	uint32_t line, gen; /* of the head whose items it changes */
	bool goes_on;	    /* reader: pieces are missing */
};

/* Empties it, and forgets pieces that were waiting for others. */
void batch_reset(struct batch *batch);

/* --- writing --- */

/* The bytes that an entry takes. */
size_t batch_entry_bytes(size_t key_bytes, size_t payload_bytes);
/* Copies an entry to the end; payload_bytes 0: absent. key is as
 * item_key_encode() made it. -E2BIG, and nothing changed: it has no room in
 * the memory or in a batch. */
NODISCARD int batch_append(struct batch *batch, const void *key,
			   size_t key_bytes, const void *payload,
			   size_t payload_bytes);
/* The piece that begins at *offset_bytes, at first 0, which moves behind it.
 * false: there are no more. The piece points into the batch. */
bool batch_next_piece(const struct batch *batch, size_t *offset_bytes,
		      struct items_record *out_piece);

/* --- reading --- */

/* A piece that begins a batch drops what was there. -EUCLEAN: F-71. */
NODISCARD int batch_add_piece(struct batch *batch,
			      const struct items_record *piece);

/* Points into the batch. */
struct batch_entry {
	struct item_key item; /* what the key says */
	const uint8_t *key;
	size_t key_bytes;
	const uint8_t *payload;
	size_t payload_bytes; /* 0: absent */
};

/* The entry at *offset_bytes, at first 0, which moves behind it; key and
 * payload are checked. -ENOENT: the end. -EUCLEAN: F-60, F-61, F-63 to F-68,
 * F-70. */
NODISCARD int batch_next(const struct batch *batch, size_t *offset_bytes,
			 struct batch_entry *out_entry);
