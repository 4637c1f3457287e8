/* STATE and KEPT records: encoding and checking. */
#include "state_format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

struct disk_state {
	struct le64 as_of_lsn;
	struct le64 checksum;
	struct le32 dump_bytes;
	struct le32 offset;
	struct le32 piece_bytes;
	struct le32 reserved;
};

struct disk_kept {
	struct le64 lsn;
	struct le16 type;
	struct le16 reserved[3];
};

struct disk_entry_header {
	struct le16 kind;
	struct le16 reserved;
	struct le32 bytes; /* of what follows */
};

/* The members of an entry, in the order in which they are stored. */
enum field_type { FIELD_32, FIELD_64, FIELD_TEXT };

struct field {
	enum field_type type;
	size_t at;
	size_t most; /* text: bytes */
};

#define U32(member)                                               \
	{                                                         \
		FIELD_32, offsetof(struct state_entry, member), 0 \
	}
#define U64(member)                                               \
	{                                                         \
		FIELD_64, offsetof(struct state_entry, member), 0 \
	}
#define TEXT(member, most)                                              \
	{                                                               \
		FIELD_TEXT, offsetof(struct state_entry, member), most, \
	}

enum { FIELDS_MAX = 13, NAME_MAX_BYTES = 255 };

static const struct layout {
	unsigned count;
	struct field fields[FIELDS_MAX];
} layouts[] = {
	[STATE_KIND_COUNTERS] = { 6,
				  { U32(counters.next_line),
				    U32(counters.next_gen),
				    U32(counters.next_snapshot),
				    U32(counters.next_branch),
				    U64(counters.next_operation),
				    U64(counters.next_inode) } },
	[STATE_KIND_LINE] = { 4,
			      { U32(line.id), U32(line.parent),
				U32(line.fork_gen), U32(line.first_gen) } },
	[STATE_KIND_FOLD] = { 3,
			      { U32(fold.line), U32(fold.into),
				U32(fold.gen) } },
	[STATE_KIND_BRANCH] = { 12,
				{ U32(branch.id), U32(branch.line),
				  U32(branch.gen), U32(branch.state),
				  U32(branch.parent_snapshot),
				  U32(branch.parent_branch),
				  U32(branch.changed), U64(branch.created_ns),
				  U64(branch.deleted_ns),
				  U64(branch.refer_blocks),
				  U64(branch.written_blocks),
				  TEXT(branch.name, NAME_MAX_BYTES) } },
	[STATE_KIND_SNAPSHOT] = { 13,
				  { U32(snapshot.id), U32(snapshot.branch),
				    U32(snapshot.line), U32(snapshot.gen),
				    U32(snapshot.state), U32(snapshot.kind),
				    U64(snapshot.created_ns),
				    U64(snapshot.deleted_ns),
				    U64(snapshot.size_bytes),
				    U64(snapshot.refer_blocks),
				    U64(snapshot.written_blocks),
				    TEXT(snapshot.name, NAME_MAX_BYTES),
				    TEXT(snapshot.note, 1024) } },
	[STATE_KIND_HOLD] = { 3,
			      { U32(hold.snapshot), U64(hold.created_ns),
				TEXT(hold.tag, NAME_MAX_BYTES) } },
	[STATE_KIND_BASE] = { 11,
			      { U32(base.layer), U32(base.kind),
				U32(base.has_full_hash), U64(base.device),
				U64(base.inode), U64(base.size_bytes),
				U64(base.mtime_ns), U64(base.sample_hash),
				U64(base.full_hash),
				TEXT(base.name, NAME_MAX_BYTES),
				TEXT(base.path, 4095) } },
	[STATE_KIND_ITEM] = { 4,
			      { U32(item.line), U32(item.gen),
				TEXT(item.key, ITEM_KEY_BYTES_MAX),
				TEXT(item.payload, ITEM_PAYLOAD_BYTES_MAX) } },
};

uint64_t state_checksum(uint64_t seed, const uint8_t *dump, size_t dump_bytes)
{
	return XXH3_64bits_withSeed(dump, dump_bytes, seed);
}

size_t state_record_encode(const struct state_record *state, uint8_t *out)
{
	struct disk_state disk = {
		.as_of_lsn = le64_put(state->as_of_lsn),
		.checksum = le64_put(state->checksum),
		.dump_bytes = le32_put(state->dump_bytes),
		.offset = le32_put(state->offset),
		.piece_bytes = le32_put((uint32_t)state->piece_bytes),
	};

	memcpy(out, &disk, sizeof(disk));
	memcpy(out + sizeof(disk), state->piece, state->piece_bytes);
	return sizeof(disk) + state->piece_bytes;
}

int state_record_decode(const struct record *record,
			struct state_record *out_state)
{
	struct disk_state disk;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	*out_state = (struct state_record){
		.as_of_lsn = le64_get(disk.as_of_lsn),
		.checksum = le64_get(disk.checksum),
		.dump_bytes = le32_get(disk.dump_bytes),
		.offset = le32_get(disk.offset),
		.piece = record->payload + sizeof(disk),
		.piece_bytes = le32_get(disk.piece_bytes),
	};
	if (out_state->dump_bytes > STATE_DUMP_BYTES_MAX ||
	    out_state->piece_bytes == 0 ||
	    out_state->piece_bytes > STATE_PIECE_BYTES_MAX ||
	    out_state->piece_bytes > out_state->dump_bytes ||
	    out_state->offset > out_state->dump_bytes - out_state->piece_bytes)
		return -EUCLEAN; /* F-73 */
	if (out_state->piece_bytes > record->payload_bytes - sizeof(disk))
		return -EUCLEAN; /* F-16 */
	return 0;
}

static const void *member(const struct state_entry *entry,
			  const struct field *field)
{
	return (const uint8_t *)entry + field->at;
}

static size_t field_bytes(const struct state_entry *entry,
			  const struct field *field)
{
	const struct state_text *text = member(entry, field);

	return field->type == FIELD_32 ? sizeof(struct le32) :
	       field->type == FIELD_64 ? sizeof(struct le64) :
					 sizeof(struct le32) + text->len_bytes;
}

size_t state_entry_bytes(const struct state_entry *entry)
{
	const struct layout *layout = &layouts[entry->kind];
	size_t total = STATE_ENTRY_HEADER_BYTES;
	unsigned i;

	for (i = 0; i < layout->count; i++)
		total += field_bytes(entry, &layout->fields[i]);
	return total;
}

static uint8_t *put_field(const struct state_entry *entry,
			  const struct field *field, uint8_t *next)
{
	const void *from = member(entry, field);
	const struct state_text *text = from;
	struct le32 word;
	struct le64 wide;
	uint64_t value;

	if (field->type == FIELD_64) {
		memcpy(&value, from, sizeof(value));
		wide = le64_put(value);
		memcpy(next, &wide, sizeof(wide));
		return next + sizeof(wide);
	}
	word = le32_put(field->type == FIELD_32 ? *(const uint32_t *)from :
						  (uint32_t)text->len_bytes);
	memcpy(next, &word, sizeof(word));
	next += sizeof(word);
	if (field->type == FIELD_32 || text->len_bytes == 0)
		return next;
	memcpy(next, text->bytes, text->len_bytes);
	return next + text->len_bytes;
}

size_t state_entry_encode(const struct state_entry *entry, uint8_t *out)
{
	const struct layout *layout = &layouts[entry->kind];
	size_t total = state_entry_bytes(entry);
	struct disk_entry_header header = {
		.kind = le16_put((uint16_t)entry->kind),
		.bytes = le32_put((uint32_t)(total - sizeof(header))),
	};
	uint8_t *next = out + sizeof(header);
	unsigned i;

	memcpy(out, &header, sizeof(header));
	for (i = 0; i < layout->count; i++)
		next = put_field(entry, &layout->fields[i], next);
	return total;
}

/* Moves *next behind the field. */
static int get_field(struct state_entry *entry, const struct field *field,
		     const uint8_t **next, const uint8_t *end)
{
	void *to = (uint8_t *)entry + field->at;
	size_t rest = (size_t)(end - *next);
	struct le32 word;
	struct le64 wide;
	uint64_t value;

	if (rest < (field->type == FIELD_64 ? sizeof(wide) : sizeof(word)))
		return -EUCLEAN; /* F-74 */
	if (field->type == FIELD_64) {
		memcpy(&wide, *next, sizeof(wide));
		value = le64_get(wide);
		memcpy(to, &value, sizeof(value));
		*next += sizeof(wide);
		return 0;
	}
	memcpy(&word, *next, sizeof(word));
	*next += sizeof(word);
	rest -= sizeof(word);
	if (field->type == FIELD_32) {
		*(uint32_t *)to = le32_get(word);
		return 0;
	}
	if (le32_get(word) > field->most || le32_get(word) > rest)
		return -EUCLEAN; /* F-74 */
	*(struct state_text *)to =
		(struct state_text){ (const char *)*next, le32_get(word) };
	*next += le32_get(word);
	return 0;
}

static bool is_text(struct state_text text)
{
	return text.len_bytes == 0 || !memchr(text.bytes, 0, text.len_bytes);
}

static bool item_valid(const struct state_entry *entry)
{
	struct item_key key;

	return item_key_decode(entry->item.key.bytes, entry->item.key.len_bytes,
			       &key) == 0 &&
	       item_payload_verify(key.type, entry->item.payload.bytes,
				   entry->item.payload.len_bytes) == 0;
}

static bool entry_valid(const struct state_entry *entry)
{
	switch (entry->kind) {
	case STATE_KIND_COUNTERS:
		return true;
	case STATE_KIND_LINE:
		return entry->line.id != 0 &&
		       entry->line.parent < entry->line.id;
	case STATE_KIND_FOLD:
		return entry->fold.line != 0 &&
		       entry->fold.line < entry->fold.into;
	case STATE_KIND_BRANCH:
		return entry->branch.id != 0 && entry->branch.state <= 2 &&
		       entry->branch.changed <= 1 &&
		       is_text(entry->branch.name);
	case STATE_KIND_SNAPSHOT:
		return entry->snapshot.id != 0 && entry->snapshot.state <= 2 &&
		       entry->snapshot.kind <= 2 &&
		       entry->snapshot.size_bytes <= INT64_MAX &&
		       is_text(entry->snapshot.name) &&
		       is_text(entry->snapshot.note);
	case STATE_KIND_HOLD:
		return entry->hold.snapshot != 0 && is_text(entry->hold.tag);
	case STATE_KIND_BASE:
		return entry->base.layer <= ITEM_LAYER_MAX &&
		       entry->base.kind >= 1 && entry->base.kind <= 3 &&
		       entry->base.has_full_hash <= 1 &&
		       entry->base.size_bytes <= INT64_MAX &&
		       is_text(entry->base.name) && is_text(entry->base.path);
	case STATE_KIND_ITEM:
		return item_valid(entry);
	}
	return false;
}

int state_next(const uint8_t *dump, size_t dump_bytes, size_t *offset,
	       struct state_entry *out_entry)
{
	const uint8_t *next = dump + *offset, *end;
	size_t rest = dump_bytes - *offset;
	struct state_entry entry = { 0 };
	struct disk_entry_header header;
	const struct layout *layout;
	unsigned i;
	int rc = 0;

	if (rest == 0)
		return -ENOENT;
	if (rest < sizeof(header))
		return -EUCLEAN; /* F-74 */
	memcpy(&header, next, sizeof(header));
	if (le32_get(header.bytes) > rest - sizeof(header) ||
	    le16_get(header.kind) < STATE_KIND_COUNTERS ||
	    le16_get(header.kind) > STATE_KIND_LAST)
		return -EUCLEAN; /* F-74 */
	entry.kind = (enum state_kind)le16_get(header.kind);
	if ((entry.kind == STATE_KIND_COUNTERS) != (*offset == 0))
		return -EUCLEAN; /* F-74 */
	next += sizeof(header);
	end = next + le32_get(header.bytes);
	layout = &layouts[entry.kind];
	for (i = 0; i < layout->count && rc == 0; i++)
		rc = get_field(&entry, &layout->fields[i], &next, end);
	if (rc < 0 || next != end || !entry_valid(&entry))
		return -EUCLEAN; /* F-74 */
	*offset = (size_t)(end - dump);
	*out_entry = entry;
	return 0;
}

size_t kept_record_encode(const struct kept_record *kept, uint8_t *out)
{
	struct disk_kept disk = {
		.lsn = le64_put(kept->record.lsn),
		.type = le16_put((uint16_t)kept->record.type),
	};

	memcpy(out, &disk, sizeof(disk));
	memcpy(out + sizeof(disk), kept->record.payload,
	       kept->record.payload_bytes);
	return sizeof(disk) + kept->record.payload_bytes;
}

static bool is_kept_type(enum record_type type)
{
	return type == RECORD_TYPE_RAW || type == RECORD_TYPE_LZ4 ||
	       type == RECORD_TYPE_ZERO || type == RECORD_TYPE_MOVE ||
	       type == RECORD_TYPE_SHARE;
}

int kept_record_decode(const struct record *record,
		       struct kept_record *out_kept)
{
	struct disk_kept disk;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-16 */
	memcpy(&disk, record->payload, sizeof(disk));
	*out_kept =
		(struct kept_record){ .record = {
					      .lsn = le64_get(disk.lsn),
					      .type = (enum record_type)
						      le16_get(disk.type),
					      .payload = record->payload +
							 sizeof(disk),
					      .payload_bytes =
						      record->payload_bytes -
						      sizeof(disk),
				      } };
	if (!is_kept_type(out_kept->record.type))
		return -EUCLEAN;				  /* F-75 */
	return out_kept->record.lsn < record->lsn ? 0 : -EUCLEAN; /* F-75 */
}
