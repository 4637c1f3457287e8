/*
 * Items: the metadata of trees as versioned keys and values. docs/format.md,
 * section 10, is normative.
 *
 * The bytes of a key sort with memcmp by (inode, type, name). A value is a
 * checksum, which covers the key and the version as well, and a payload; a
 * value without payload says that there is none of this key (from here on):
 * it is absent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"

enum item_type {
	ITEM_TYPE_INODE = 1,
	ITEM_TYPE_DIRENT, /* a name in the directory `inode` */
	ITEM_TYPE_XATTR,
	ITEM_TYPE_ORIGIN, /* where base has it; line 0, gen 0 */
	ITEM_TYPE_STACK,  /* the layers of base; inode 0 */
	ITEM_TYPE_TARGET, /* of a symlink */
	ITEM_TYPE_ORPHAN, /* inode without a name but in use; inode 0, the
			   * name is its number, 8 bytes big-endian */
	ITEM_TYPE_LAST = ITEM_TYPE_ORPHAN,
};

enum {
	ITEM_NAME_BYTES_MAX = 255,
	ITEM_PREFIX_BYTES = 9, /* inode and type */
	ITEM_KEY_BYTES_MAX = ITEM_PREFIX_BYTES + ITEM_NAME_BYTES_MAX,
	ITEM_CHECKSUM_BYTES = 8, /* in front of the payload */
	ITEM_XATTR_BYTES_MAX = 65536,
	ITEM_TARGET_BYTES_MAX = 4095,
	ITEM_ORPHAN_NAME_BYTES = 8,
	ITEM_PAYLOAD_BYTES_MAX = 1 + ITEM_XATTR_BYTES_MAX,
	ITEM_VALUE_BYTES_MAX = ITEM_CHECKSUM_BYTES + ITEM_PAYLOAD_BYTES_MAX,
	ITEM_LAYER_MAX = 255, /* ids of layers: 1..255 */
};

#define ITEM_INODE_MAX ((UINT64_C(1) << 48) - 1)

struct item_key {
	uint64_t inode;
	enum item_type type;
	const char *name; /* without NUL; NULL or passed over if name_bytes 0 */
	size_t name_bytes;
};

/* Returns the key's length; out holds ITEM_KEY_BYTES_MAX. */
size_t item_key_encode(const struct item_key *key, uint8_t *out);
/* name points into bytes. -EUCLEAN. */
NODISCARD int item_key_decode(const void *bytes, size_t key_bytes,
			      struct item_key *out_key);
/* What all keys of this inode and type begin with; for types without a name
 * it is the key. */
void item_key_prefix(uint64_t inode, enum item_type type,
		     uint8_t out[ITEM_PREFIX_BYTES]);
/* As memcmp; a key comes before those that it is the beginning of. It is the
 * order of SQLite's blobs too. */
int item_key_compare(const void *a, size_t a_bytes, const void *b,
		     size_t b_bytes);

/* Which value it is; part of its checksum, so that a swapped row is seen. */
struct item_identity {
	const void *key; /* as item_key_encode() made it */
	size_t key_bytes;
	uint32_t line;
	uint32_t gen;
};

static inline bool item_value_absent(size_t value_bytes)
{
	return value_bytes == ITEM_CHECKSUM_BYTES;
}

/* Returns the value's length; out holds ITEM_CHECKSUM_BYTES more than the
 * payload, which may be there already, at out + ITEM_CHECKSUM_BYTES. */
size_t item_value_encode(uint64_t seed, const struct item_identity *identity,
			 const void *payload, size_t payload_bytes,
			 uint8_t *out);
/* The payload is what follows the first ITEM_CHECKSUM_BYTES. -EUCLEAN. */
NODISCARD int item_value_verify(uint64_t seed,
				const struct item_identity *identity,
				const void *value, size_t value_bytes);

/*
 * Payloads. Each encoder returns the length; out holds as much as is said.
 * Each decoder: -EUCLEAN, also for an absent value's empty payload: ask
 * item_value_absent() first. Names and values point into the payload.
 */

enum {
	INODE_ITEM_BYTES = 96,
	DIRENT_ITEM_BYTES = 9,
	ORIGIN_ITEM_BYTES_MAX = 48 + ITEM_NAME_BYTES_MAX,
	STACK_ITEM_BYTES_MAX = 4 + 4 * ITEM_LAYER_MAX,
};

enum inode_flags {
	INODE_FLAG_OPAQUE = 1, /* directory: base's entries are not seen */
	INODE_FLAG_XATTRS = 2, /* it has xattr items */
	INODE_FLAG_MAPPED = 4, /* it has, or had, windows */
	INODE_FLAG_RAW = 8,    /* file: its blocks are never compressed */
};

struct inode_item {
	uint32_t mode; /* with the type */
	uint32_t uid, gid;
	uint32_t nlink;
	uint64_t size_bytes;
	uint64_t base_visible_bytes;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	uint64_t rdev;	      /* dev_t of Linux */
	uint64_t data_blocks; /* that the store holds for it */
	uint64_t parent; /* directory it is in; without being one: a hint */
	uint32_t flags;	 /* enum inode_flags */
};

/* out: INODE_ITEM_BYTES */
size_t inode_item_encode(const struct inode_item *item, uint8_t *out);
NODISCARD int inode_item_decode(const void *payload, size_t payload_bytes,
				struct inode_item *out_item);

struct dirent_item {
	uint64_t inode; /* 0: whiteout */
	uint8_t kind;	/* S_IFMT >> 12; whiteout: 0 */
};

/* out: DIRENT_ITEM_BYTES */
size_t dirent_item_encode(const struct dirent_item *item, uint8_t *out);
NODISCARD int dirent_item_decode(const void *payload, size_t payload_bytes,
				 struct dirent_item *out_item);

enum xattr_kind {
	XATTR_KIND_VALUE = 1,
	XATTR_KIND_HIDDEN, /* base's xattr of that name is gone */
};

struct xattr_item {
	enum xattr_kind kind;
	const uint8_t *value; /* HIDDEN: passed over */
	size_t value_bytes;
};

/* out: 1 + value_bytes */
size_t xattr_item_encode(const struct xattr_item *item, uint8_t *out);
NODISCARD int xattr_item_decode(const void *payload, size_t payload_bytes,
				struct xattr_item *out_item);

/* What base had under that number when it was first needed. */
struct origin_item {
	uint32_t layer;
	uint64_t parent;     /* number of base's directory */
	uint64_t base_inode; /* st_ino */
	uint64_t size_bytes;
	int64_t mtime_ns, ctime_ns;
	uint32_t kind;	  /* S_IFMT >> 12 */
	const char *name; /* without NUL */
	size_t name_bytes;
};

/* out: ORIGIN_ITEM_BYTES_MAX */
size_t origin_item_encode(const struct origin_item *item, uint8_t *out);
NODISCARD int origin_item_decode(const void *payload, size_t payload_bytes,
				 struct origin_item *out_item);

/* The layers of base, topmost first. None: nothing shows through. */
struct stack_item {
	uint32_t count;
	uint32_t layers[ITEM_LAYER_MAX];
};

/* out: STACK_ITEM_BYTES_MAX */
size_t stack_item_encode(const struct stack_item *item, uint8_t *out);
NODISCARD int stack_item_decode(const void *payload, size_t payload_bytes,
				struct stack_item *out_item);

/* The payload of a TARGET is the symlink's text, 1..4095 bytes without NUL;
 * that of an ORPHAN one byte, 1. */

/* Is it a payload that a key of this type may have? Absent ones are. For
 * those who pass values on without looking into them. -EUCLEAN. */
NODISCARD int item_payload_verify(enum item_type type, const void *payload,
				  size_t payload_bytes);
