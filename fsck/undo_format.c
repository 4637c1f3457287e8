/* Encoding and decoding of undo files. Pure functions. */
#include "undo_format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "le.h"

#define UNDO_MAGIC UINT64_C(0x4f444e5544574f43) /* "COWDUNDO" */

struct disk_undo_header {
	struct le64 magic;
	struct le32 version;
	uint8_t reserved[4];
	uint8_t uuid[FORMAT_UUID_BYTES];
	struct le64 time_ns;
	struct le64 entry_count;
	uint8_t reserved_too[8];
	struct le64 checksum; /* of the 56 bytes before */
};

struct disk_undo_entry {
	uint8_t kind, place, existed, exists;
	struct le32 mode, new_mode, name_bytes;
	struct le64 offset_bytes, old_bytes, new_bytes, old_sum, new_sum;
	struct le64 checksum; /* of the 56 bytes before, then the name */
};

_Static_assert(sizeof(struct disk_undo_header) == UNDO_HEADER_BYTES, "64");
_Static_assert(sizeof(struct disk_undo_entry) == UNDO_ENTRY_BYTES, "64");

enum { SUMMED_BYTES = 56 };

void undo_header_encode(const struct undo_header *header,
			uint8_t out[UNDO_HEADER_BYTES])
{
	struct disk_undo_header disk = {
		.magic = le64_put(UNDO_MAGIC),
		.version = le32_put(UNDO_VERSION),
		.time_ns = le64_put((uint64_t)header->time_ns),
		.entry_count = le64_put(header->entry_count),
	};

	memcpy(disk.uuid, header->uuid, sizeof(disk.uuid));
	disk.checksum = le64_put(XXH3_64bits(&disk, SUMMED_BYTES));
	memcpy(out, &disk, sizeof(disk));
}

int undo_header_decode(const uint8_t in[UNDO_HEADER_BYTES],
		       struct undo_header *out_header)
{
	struct disk_undo_header disk;

	memcpy(&disk, in, sizeof(disk));
	if (le64_get(disk.magic) != UNDO_MAGIC ||
	    le64_get(disk.checksum) != XXH3_64bits(in, SUMMED_BYTES))
		return -EUCLEAN; /* F-80 */
	if (le32_get(disk.version) != UNDO_VERSION)
		return -EPROTONOSUPPORT;
	memcpy(out_header->uuid, disk.uuid, sizeof(disk.uuid));
	out_header->time_ns = (int64_t)le64_get(disk.time_ns);
	out_header->entry_count = le64_get(disk.entry_count);
	return 0;
}

static uint64_t entry_sum(const uint8_t in[UNDO_ENTRY_BYTES], const char *name,
			  size_t name_bytes)
{
	return XXH3_64bits_withSeed(name, name_bytes,
				    XXH3_64bits(in, SUMMED_BYTES));
}

void undo_entry_encode(const struct undo_entry *entry,
		       uint8_t out[UNDO_ENTRY_BYTES])
{
	struct disk_undo_entry disk = {
		.kind = (uint8_t)entry->kind,
		.place = entry->place,
		.existed = entry->existed,
		.exists = entry->exists,
		.mode = le32_put(entry->mode),
		.new_mode = le32_put(entry->new_mode),
		.name_bytes = le32_put(entry->name_bytes),
		.offset_bytes = le64_put(entry->offset_bytes),
		.old_bytes = le64_put(entry->old_bytes),
		.new_bytes = le64_put(entry->new_bytes),
		.old_sum = le64_put(entry->old_sum),
		.new_sum = le64_put(entry->new_sum),
	};

	memcpy(out, &disk, sizeof(disk));
	disk.checksum =
		le64_put(entry_sum(out, entry->name, entry->name_bytes));
	memcpy(out, &disk, sizeof(disk));
}

int undo_entry_decode(const uint8_t in[UNDO_ENTRY_BYTES],
		      struct undo_entry *out_entry)
{
	struct disk_undo_entry disk;

	memcpy(&disk, in, sizeof(disk));
	*out_entry = (struct undo_entry){
		.kind = disk.kind,
		.place = disk.place,
		.existed = disk.existed,
		.exists = disk.exists,
		.mode = le32_get(disk.mode),
		.new_mode = le32_get(disk.new_mode),
		.name_bytes = le32_get(disk.name_bytes),
		.offset_bytes = le64_get(disk.offset_bytes),
		.old_bytes = le64_get(disk.old_bytes),
		.new_bytes = le64_get(disk.new_bytes),
		.old_sum = le64_get(disk.old_sum),
		.new_sum = le64_get(disk.new_sum),
	};
	if (disk.kind < UNDO_KIND_FILE || disk.kind > UNDO_KIND_DIRECTORY ||
	    disk.place > 1 || disk.existed > 1 || disk.exists > 1 ||
	    out_entry->name_bytes == 0 || out_entry->name_bytes > NAME_MAX ||
	    out_entry->mode > 07777 || out_entry->new_mode > 07777 ||
	    out_entry->offset_bytes > INT64_MAX - SEGMENT_BYTES ||
	    out_entry->old_bytes > INT64_MAX / 2 ||
	    out_entry->new_bytes > INT64_MAX / 2)
		return -EUCLEAN; /* F-81 */
	return 0;
}

int undo_name_verify(const uint8_t in[UNDO_ENTRY_BYTES],
		     const struct undo_entry *entry)
{
	struct disk_undo_entry disk;
	const char *name = entry->name;

	memcpy(&disk, in, sizeof(disk));
	if (le64_get(disk.checksum) != entry_sum(in, name, entry->name_bytes) ||
	    strlen(name) != entry->name_bytes || strchr(name, '/') ||
	    strcmp(name, "..") == 0 ||
	    (strcmp(name, ".") == 0) != (entry->kind == UNDO_KIND_MODE))
		return -EUCLEAN; /* F-81 */
	return 0;
}
