/* The bytes of an undo file. docs/format.md, section 13, is normative. */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"
#include "segment_format.h"

enum {
	UNDO_VERSION = 1,
	UNDO_HEADER_BYTES = 64,
	UNDO_ENTRY_BYTES = 64,
	UNDO_LINK_BYTES_MAX = 4096,
};

enum undo_kind {
	UNDO_KIND_FILE = 1,  /* all of a regular file, or that there is none */
	UNDO_KIND_RANGE,     /* some bytes of one */
	UNDO_KIND_MODE,	     /* permission bits of a directory, name "." */
	UNDO_KIND_LINK,	     /* a symlink's text */
	UNDO_KIND_DIRECTORY, /* an empty one */
};

struct undo_header {
	uint8_t uuid[FORMAT_UUID_BYTES];
	int64_t time_ns;
	uint64_t entry_count;
};

struct undo_entry {
	enum undo_kind kind;
	uint8_t place; /* enum change_place */
	uint8_t existed, exists;
	uint32_t mode, new_mode;
	uint32_t name_bytes;
	uint64_t offset_bytes;
	uint64_t old_bytes, new_bytes;
	uint64_t old_sum, new_sum;
	char name[NAME_MAX + 1];
};

void undo_header_encode(const struct undo_header *header,
			uint8_t out[UNDO_HEADER_BYTES]);
/* -EUCLEAN: F-80; -EPROTONOSUPPORT: of a newer cowd. */
NODISCARD int undo_header_decode(const uint8_t in[UNDO_HEADER_BYTES],
				 struct undo_header *out_header);
/* The name, name_bytes of it, comes behind these bytes, and then the old
 * ones. */
void undo_entry_encode(const struct undo_entry *entry,
		       uint8_t out[UNDO_ENTRY_BYTES]);
/* -EUCLEAN: F-81, but for the name, which is read next. */
NODISCARD int undo_entry_decode(const uint8_t in[UNDO_ENTRY_BYTES],
				struct undo_entry *out_entry);
/* Is it the name of a file in a store? -EUCLEAN: F-81. */
NODISCARD int undo_name_verify(const uint8_t in[UNDO_ENTRY_BYTES],
			       const struct undo_entry *entry);
