/* Keys, values and payloads of items. */
#include "item_format.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "le.h"

enum {
	MODE_KIND_SHIFT = 12,
	MODE_PERMISSIONS = 07777,
	INODE_FLAGS_KNOWN = INODE_FLAG_OPAQUE | INODE_FLAG_XATTRS |
			    INODE_FLAG_MAPPED | INODE_FLAG_RAW,
	ITEM_BLOCK_BYTES = 4096,
};

struct disk_inode {
	struct le32 mode;
	struct le32 uid;
	struct le32 gid;
	struct le32 nlink;
	struct le64 size_bytes;
	struct le64 base_visible_bytes;
	struct le64 atime_ns;
	struct le64 mtime_ns;
	struct le64 ctime_ns;
	struct le64 btime_ns;
	struct le64 rdev;
	struct le64 data_blocks;
	struct le64 parent;
	struct le32 flags;
	struct le32 reserved;
};

struct disk_dirent {
	struct le64 inode;
	uint8_t kind;
};

struct disk_origin {
	struct le32 layer;
	struct le64 parent;
	struct le64 base_inode;
	struct le64 size_bytes;
	struct le64 mtime_ns;
	struct le64 ctime_ns;
	struct le32 kind;
};

_Static_assert(sizeof(struct disk_inode) == INODE_ITEM_BYTES, "packed");
_Static_assert(sizeof(struct disk_dirent) == DIRENT_ITEM_BYTES, "packed");
_Static_assert(sizeof(struct disk_origin) + ITEM_NAME_BYTES_MAX ==
		       ORIGIN_ITEM_BYTES_MAX,
	       "packed");

/* One of the seven types of files. */
static bool kind_valid(uint32_t kind)
{
	return kind == S_IFIFO >> MODE_KIND_SHIFT ||
	       kind == S_IFCHR >> MODE_KIND_SHIFT ||
	       kind == S_IFDIR >> MODE_KIND_SHIFT ||
	       kind == S_IFBLK >> MODE_KIND_SHIFT ||
	       kind == S_IFREG >> MODE_KIND_SHIFT ||
	       kind == S_IFLNK >> MODE_KIND_SHIFT ||
	       kind == S_IFSOCK >> MODE_KIND_SHIFT;
}

/* Can a directory have an entry of that name? */
static bool file_name_valid(const char *name, size_t name_bytes)
{
	if (name_bytes == 0 || name_bytes > ITEM_NAME_BYTES_MAX)
		return false;
	if (name[0] == '.' &&
	    (name_bytes == 1 || (name_bytes == 2 && name[1] == '.')))
		return false;
	return !memchr(name, '/', name_bytes) && !memchr(name, 0, name_bytes);
}

static bool key_valid(const struct item_key *key)
{
	switch (key->type) {
	case ITEM_TYPE_INODE:
	case ITEM_TYPE_ORIGIN:
	case ITEM_TYPE_TARGET:
		return key->inode != 0 && key->name_bytes == 0;
	case ITEM_TYPE_DIRENT:
		return key->inode != 0 &&
		       file_name_valid(key->name, key->name_bytes);
	case ITEM_TYPE_XATTR:
		return key->inode != 0 && key->name_bytes != 0 &&
		       !memchr(key->name, 0, key->name_bytes);
	case ITEM_TYPE_STACK:
		return key->inode == 0 && key->name_bytes == 0;
	case ITEM_TYPE_ORPHAN:
		return key->inode == 0 &&
		       key->name_bytes == ITEM_ORPHAN_NAME_BYTES;
	}
	return false;
}

void item_key_prefix(uint64_t inode, enum item_type type,
		     uint8_t out[ITEM_PREFIX_BYTES])
{
	int i;

	for (i = 0; i < 8; i++)
		out[i] = (uint8_t)(inode >> (8 * (7 - i)));
	out[i] = (uint8_t)type;
}

size_t item_key_encode(const struct item_key *key, uint8_t *out)
{
	assert(key->name_bytes <= ITEM_NAME_BYTES_MAX);
	item_key_prefix(key->inode, key->type, out);
	if (key->name_bytes)
		memcpy(out + ITEM_PREFIX_BYTES, key->name, key->name_bytes);
	return ITEM_PREFIX_BYTES + key->name_bytes;
}

int item_key_decode(const void *bytes, size_t key_bytes,
		    struct item_key *out_key)
{
	const uint8_t *next = bytes;
	struct item_key key = { 0 };
	int i;

	if (key_bytes < ITEM_PREFIX_BYTES || key_bytes > ITEM_KEY_BYTES_MAX)
		return -EUCLEAN; /* F-60 */
	for (i = 0; i < 8; i++)
		key.inode = key.inode << 8 | next[i];
	if (next[i] < ITEM_TYPE_INODE || next[i] > ITEM_TYPE_LAST ||
	    key.inode > ITEM_INODE_MAX)
		return -EUCLEAN; /* F-60 */
	key.type = (enum item_type)next[i];
	key.name = (const char *)bytes + ITEM_PREFIX_BYTES;
	key.name_bytes = key_bytes - ITEM_PREFIX_BYTES;
	if (!key_valid(&key))
		return -EUCLEAN; /* F-61 */
	*out_key = key;
	return 0;
}

int item_key_compare(const void *a, size_t a_bytes, const void *b,
		     size_t b_bytes)
{
	int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);

	return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static uint64_t value_checksum(uint64_t seed,
			       const struct item_identity *identity,
			       const void *payload, size_t payload_bytes)
{
	uint8_t bytes[ITEM_KEY_BYTES_MAX + 2 * sizeof(struct le32)];
	struct le32 numbers[2] = { le32_put(identity->line),
				   le32_put(identity->gen) };

	assert(identity->key_bytes <= ITEM_KEY_BYTES_MAX);
	memcpy(bytes, identity->key, identity->key_bytes);
	memcpy(bytes + identity->key_bytes, numbers, sizeof(numbers));
	return XXH3_64bits_withSeed(
		payload, payload_bytes,
		XXH3_64bits_withSeed(
			bytes, identity->key_bytes + sizeof(numbers), seed));
}

size_t item_value_encode(uint64_t seed, const struct item_identity *identity,
			 const void *payload, size_t payload_bytes,
			 uint8_t *out)
{
	uint8_t *at = out + ITEM_CHECKSUM_BYTES;
	struct le64 sum;

	if (payload_bytes)
		memmove(at, payload, payload_bytes);
	sum = le64_put(value_checksum(seed, identity, at, payload_bytes));
	memcpy(out, &sum, sizeof(sum));
	return ITEM_CHECKSUM_BYTES + payload_bytes;
}

int item_value_verify(uint64_t seed, const struct item_identity *identity,
		      const void *value, size_t value_bytes)
{
	struct le64 sum;

	if (value_bytes < ITEM_CHECKSUM_BYTES ||
	    value_bytes > ITEM_VALUE_BYTES_MAX)
		return -EUCLEAN; /* F-62 */
	memcpy(&sum, value, sizeof(sum));
	if (le64_get(sum) !=
	    value_checksum(seed, identity,
			   (const uint8_t *)value + ITEM_CHECKSUM_BYTES,
			   value_bytes - ITEM_CHECKSUM_BYTES))
		return -EUCLEAN; /* F-62 */
	return 0;
}

size_t inode_item_encode(const struct inode_item *item, uint8_t *out)
{
	struct disk_inode disk = {
		.mode = le32_put(item->mode),
		.uid = le32_put(item->uid),
		.gid = le32_put(item->gid),
		.nlink = le32_put(item->nlink),
		.size_bytes = le64_put(item->size_bytes),
		.base_visible_bytes = le64_put(item->base_visible_bytes),
		.atime_ns = le64_put((uint64_t)item->atime_ns),
		.mtime_ns = le64_put((uint64_t)item->mtime_ns),
		.ctime_ns = le64_put((uint64_t)item->ctime_ns),
		.btime_ns = le64_put((uint64_t)item->btime_ns),
		.rdev = le64_put(item->rdev),
		.data_blocks = le64_put(item->data_blocks),
		.parent = le64_put(item->parent),
		.flags = le32_put(item->flags),
	};

	memcpy(out, &disk, sizeof(disk));
	return sizeof(disk);
}

static bool inode_valid(const struct inode_item *item)
{
	uint32_t kind = item->mode >> MODE_KIND_SHIFT;
	bool is_directory = kind == S_IFDIR >> MODE_KIND_SHIFT;
	bool is_file = kind == S_IFREG >> MODE_KIND_SHIFT;

	return kind_valid(kind) && item->size_bytes <= INT64_MAX &&
	       item->base_visible_bytes <= INT64_MAX &&
	       item->data_blocks <= INT64_MAX / ITEM_BLOCK_BYTES &&
	       item->parent <= ITEM_INODE_MAX &&
	       (item->flags & ~(uint32_t)INODE_FLAGS_KNOWN) == 0 &&
	       (is_directory || !(item->flags & INODE_FLAG_OPAQUE)) &&
	       (is_file || !(item->flags & INODE_FLAG_RAW));
}

int inode_item_decode(const void *payload, size_t payload_bytes,
		      struct inode_item *out_item)
{
	struct disk_inode disk;
	struct inode_item item;

	if (payload_bytes != sizeof(disk))
		return -EUCLEAN; /* F-63 */
	memcpy(&disk, payload, sizeof(disk));
	item = (struct inode_item){
		.mode = le32_get(disk.mode),
		.uid = le32_get(disk.uid),
		.gid = le32_get(disk.gid),
		.nlink = le32_get(disk.nlink),
		.size_bytes = le64_get(disk.size_bytes),
		.base_visible_bytes = le64_get(disk.base_visible_bytes),
		.atime_ns = (int64_t)le64_get(disk.atime_ns),
		.mtime_ns = (int64_t)le64_get(disk.mtime_ns),
		.ctime_ns = (int64_t)le64_get(disk.ctime_ns),
		.btime_ns = (int64_t)le64_get(disk.btime_ns),
		.rdev = le64_get(disk.rdev),
		.data_blocks = le64_get(disk.data_blocks),
		.parent = le64_get(disk.parent),
		.flags = le32_get(disk.flags),
	};
	if (!inode_valid(&item))
		return -EUCLEAN; /* F-64 */
	*out_item = item;
	return 0;
}

size_t dirent_item_encode(const struct dirent_item *item, uint8_t *out)
{
	struct disk_dirent disk = { le64_put(item->inode), item->kind };

	memcpy(out, &disk, sizeof(disk));
	return sizeof(disk);
}

int dirent_item_decode(const void *payload, size_t payload_bytes,
		       struct dirent_item *out_item)
{
	struct disk_dirent disk;
	uint64_t inode;

	if (payload_bytes != sizeof(disk))
		return -EUCLEAN; /* F-63 */
	memcpy(&disk, payload, sizeof(disk));
	inode = le64_get(disk.inode);
	if (inode > ITEM_INODE_MAX ||
	    (inode ? !kind_valid(disk.kind) : disk.kind != 0))
		return -EUCLEAN; /* F-65 */
	*out_item = (struct dirent_item){ inode, disk.kind };
	return 0;
}

size_t xattr_item_encode(const struct xattr_item *item, uint8_t *out)
{
	out[0] = (uint8_t)item->kind;
	if (item->kind == XATTR_KIND_HIDDEN || item->value_bytes == 0)
		return 1;
	memcpy(out + 1, item->value, item->value_bytes);
	return 1 + item->value_bytes;
}

int xattr_item_decode(const void *payload, size_t payload_bytes,
		      struct xattr_item *out_item)
{
	const uint8_t *bytes = payload;

	if (payload_bytes < 1 || payload_bytes > ITEM_PAYLOAD_BYTES_MAX)
		return -EUCLEAN; /* F-63 */
	if (bytes[0] != XATTR_KIND_VALUE &&
	    (bytes[0] != XATTR_KIND_HIDDEN || payload_bytes != 1))
		return -EUCLEAN; /* F-66 */
	*out_item = (struct xattr_item){
		.kind = (enum xattr_kind)bytes[0],
		.value = bytes + 1,
		.value_bytes = payload_bytes - 1,
	};
	return 0;
}

size_t origin_item_encode(const struct origin_item *item, uint8_t *out)
{
	struct disk_origin disk = {
		.layer = le32_put(item->layer),
		.parent = le64_put(item->parent),
		.base_inode = le64_put(item->base_inode),
		.size_bytes = le64_put(item->size_bytes),
		.mtime_ns = le64_put((uint64_t)item->mtime_ns),
		.ctime_ns = le64_put((uint64_t)item->ctime_ns),
		.kind = le32_put(item->kind),
	};

	memcpy(out, &disk, sizeof(disk));
	memcpy(out + sizeof(disk), item->name, item->name_bytes);
	return sizeof(disk) + item->name_bytes;
}

static bool origin_valid(const struct origin_item *item)
{
	return item->layer != 0 && item->layer <= ITEM_LAYER_MAX &&
	       item->parent != 0 && item->parent <= ITEM_INODE_MAX &&
	       item->size_bytes <= INT64_MAX && kind_valid(item->kind) &&
	       file_name_valid(item->name, item->name_bytes);
}

int origin_item_decode(const void *payload, size_t payload_bytes,
		       struct origin_item *out_item)
{
	struct disk_origin disk;
	struct origin_item item;

	if (payload_bytes <= sizeof(disk) ||
	    payload_bytes > ORIGIN_ITEM_BYTES_MAX)
		return -EUCLEAN; /* F-63 */
	memcpy(&disk, payload, sizeof(disk));
	item = (struct origin_item){
		.layer = le32_get(disk.layer),
		.parent = le64_get(disk.parent),
		.base_inode = le64_get(disk.base_inode),
		.size_bytes = le64_get(disk.size_bytes),
		.mtime_ns = (int64_t)le64_get(disk.mtime_ns),
		.ctime_ns = (int64_t)le64_get(disk.ctime_ns),
		.kind = le32_get(disk.kind),
		.name = (const char *)payload + sizeof(disk),
		.name_bytes = payload_bytes - sizeof(disk),
	};
	if (!origin_valid(&item))
		return -EUCLEAN; /* F-67 */
	*out_item = item;
	return 0;
}

size_t stack_item_encode(const struct stack_item *item, uint8_t *out)
{
	struct le32 word = le32_put(item->count);
	uint32_t i;

	memcpy(out, &word, sizeof(word));
	for (i = 0; i < item->count; i++) {
		word = le32_put(item->layers[i]);
		memcpy(out + (1 + i) * sizeof(word), &word, sizeof(word));
	}
	return (1 + item->count) * sizeof(word);
}

int stack_item_decode(const void *payload, size_t payload_bytes,
		      struct stack_item *out_item)
{
	bool seen[ITEM_LAYER_MAX + 1] = { false };
	const uint8_t *next = payload;
	uint32_t i, layer;
	struct le32 word;

	if (payload_bytes < sizeof(word))
		return -EUCLEAN; /* F-63 */
	memcpy(&word, next, sizeof(word));
	out_item->count = le32_get(word);
	if (out_item->count > ITEM_LAYER_MAX)
		return -EUCLEAN; /* F-68 */
	if (payload_bytes != (1 + out_item->count) * sizeof(word))
		return -EUCLEAN; /* F-63 */
	for (i = 0; i < out_item->count; i++) {
		next += sizeof(word);
		memcpy(&word, next, sizeof(word));
		layer = le32_get(word);
		if (layer == 0 || layer > ITEM_LAYER_MAX || seen[layer])
			return -EUCLEAN; /* F-68 */
		seen[layer] = true;
		out_item->layers[i] = layer;
	}
	return 0;
}

int item_payload_verify(enum item_type type, const void *payload,
			size_t payload_bytes)
{
	union {
		struct inode_item inode;
		struct dirent_item dirent;
		struct xattr_item xattr;
		struct origin_item origin;
		struct stack_item stack;
	} out;

	if (payload_bytes == 0)
		return 0;
	switch (type) {
	case ITEM_TYPE_INODE:
		return inode_item_decode(payload, payload_bytes, &out.inode);
	case ITEM_TYPE_DIRENT:
		return dirent_item_decode(payload, payload_bytes, &out.dirent);
	case ITEM_TYPE_XATTR:
		return xattr_item_decode(payload, payload_bytes, &out.xattr);
	case ITEM_TYPE_ORIGIN:
		return origin_item_decode(payload, payload_bytes, &out.origin);
	case ITEM_TYPE_STACK:
		return stack_item_decode(payload, payload_bytes, &out.stack);
	case ITEM_TYPE_TARGET:
		return payload_bytes <= ITEM_TARGET_BYTES_MAX &&
				       !memchr(payload, 0, payload_bytes) ?
			       0 :
			       -EUCLEAN; /* F-63 */
	case ITEM_TYPE_ORPHAN:
		return payload_bytes == 1 && *(const uint8_t *)payload == 1 ?
			       0 :
			       -EUCLEAN; /* F-63 */
	}
	return -EUCLEAN;
}
