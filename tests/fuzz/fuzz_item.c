/*
 * Items: the first byte chooses a type's payload, a key, a value, or a batch;
 * the rest is what is decoded. What it decoded to must encode to the same.
 */
#include <string.h>

#include "batch_format.h"
#include "item_format.h"
#include "le.h"

#include "fuzz_assert.h"

#define SEED UINT64_C(0x0123456789abcdef)

enum { KEY = ITEM_TYPE_LAST + 1, VALUE, ENTRIES, PIECES };

enum { INPUT_BYTES_MAX = 16384 };
static uint8_t bytes[INPUT_BYTES_MAX + ITEM_CHECKSUM_BYTES];

static void same(const uint8_t *data, size_t len_bytes, size_t encoded_bytes)
{
	FUZZ_ASSERT(encoded_bytes == len_bytes);
	FUZZ_ASSERT(memcmp(bytes, data, len_bytes) == 0);
}

static void inode(const uint8_t *data, size_t len_bytes)
{
	struct inode_item item;

	if (inode_item_decode(data, len_bytes, &item) < 0)
		return;
	FUZZ_ASSERT(item.size_bytes <= INT64_MAX);
	FUZZ_ASSERT(item.base_visible_bytes <= INT64_MAX);
	FUZZ_ASSERT(inode_item_encode(&item, bytes) == len_bytes);
	FUZZ_ASSERT(memcmp(bytes, data, len_bytes - 4) == 0); /* reserved */
}

static void dirent(const uint8_t *data, size_t len_bytes)
{
	struct dirent_item item;

	if (dirent_item_decode(data, len_bytes, &item) < 0)
		return;
	FUZZ_ASSERT((item.inode == 0) == (item.kind == 0));
	same(data, len_bytes, dirent_item_encode(&item, bytes));
}

static void xattr(const uint8_t *data, size_t len_bytes)
{
	struct xattr_item item;

	if (xattr_item_decode(data, len_bytes, &item) < 0)
		return;
	FUZZ_ASSERT(item.value + item.value_bytes == data + len_bytes);
	same(data, len_bytes, xattr_item_encode(&item, bytes));
}

static void origin(const uint8_t *data, size_t len_bytes)
{
	struct origin_item item;

	if (origin_item_decode(data, len_bytes, &item) < 0)
		return;
	FUZZ_ASSERT(item.name_bytes - 1 < ITEM_NAME_BYTES_MAX);
	FUZZ_ASSERT(!memchr(item.name, '/', item.name_bytes));
	same(data, len_bytes, origin_item_encode(&item, bytes));
}

static void stack(const uint8_t *data, size_t len_bytes)
{
	struct stack_item item;

	if (stack_item_decode(data, len_bytes, &item) < 0)
		return;
	FUZZ_ASSERT(item.count <= ITEM_LAYER_MAX);
	same(data, len_bytes, stack_item_encode(&item, bytes));
}

static void key(const uint8_t *data, size_t len_bytes)
{
	struct item_key key;

	if (item_key_decode(data, len_bytes, &key) < 0)
		return;
	FUZZ_ASSERT(key.inode <= ITEM_INODE_MAX);
	FUZZ_ASSERT(key.name_bytes <= ITEM_NAME_BYTES_MAX);
	same(data, len_bytes, item_key_encode(&key, bytes));
	FUZZ_ASSERT(item_key_compare(bytes, len_bytes, data, len_bytes) == 0);
}

static void value(const uint8_t *data, size_t len_bytes)
{
	static const struct item_identity identity = { "keykeykey", 9, 1, 2 };

	(void)!item_value_verify(SEED, &identity, data, len_bytes);
	len_bytes = item_value_encode(SEED, &identity, data, len_bytes, bytes);
	FUZZ_ASSERT(item_value_verify(SEED, &identity, bytes, len_bytes) == 0);
}

/* Entries that are right, appended again, are the same bytes. */
static void walk(const struct batch *batch)
{
	static uint8_t again_bytes[BATCH_BYTES_MAX];
	struct batch again = { .bytes = again_bytes,
			       .capacity_bytes = sizeof(again_bytes) };
	size_t offset = 0, before = 0;
	struct batch_entry entry;

	while (batch_next(batch, &offset, &entry) == 0) {
		FUZZ_ASSERT(offset > before && offset <= batch->used_bytes);
		FUZZ_ASSERT(batch_append(&again, entry.key, entry.key_bytes,
					 entry.payload,
					 entry.payload_bytes) == 0);
		FUZZ_ASSERT(again.used_bytes == offset);
		FUZZ_ASSERT(memcmp(again.bytes + before + 4,
				   batch->bytes + before + 4,
				   offset - before - 4) == 0);
		before = offset;
	}
}

/* In memory without a byte to spare, so that ASan sees who reads behind it. */
static void entries(const uint8_t *data, size_t len_bytes)
{
	struct batch batch = { .bytes = malloc(len_bytes ? len_bytes : 1),
			       .capacity_bytes = len_bytes,
			       .used_bytes = len_bytes };

	FUZZ_ASSERT(batch.bytes);
	if (len_bytes)
		memcpy(batch.bytes, data, len_bytes);
	walk(&batch);
	free(batch.bytes);
}

/* Pieces one behind the other, each with flags and a length in front. */
static void pieces(const uint8_t *data, size_t len_bytes)
{
	static uint8_t joined_bytes[BATCH_BYTES_MAX];
	struct batch joined = { .bytes = joined_bytes,
				.capacity_bytes = sizeof(joined_bytes) };
	struct items_record piece;
	struct le16 length;

	while (len_bytes > 1 + sizeof(length)) {
		memcpy(&length, data + 1, sizeof(length));
		piece = (struct items_record){
			.more = data[0] & 1,
			.continued = data[0] & 2,
			.line = data[0] >> 7,
			.piece = data + 1 + sizeof(length),
			.piece_bytes = le16_get(length),
		};
		len_bytes -= 1 + sizeof(length);
		if (piece.piece_bytes > len_bytes)
			piece.piece_bytes = len_bytes;
		data = piece.piece + piece.piece_bytes;
		len_bytes -= piece.piece_bytes;
		if (batch_add_piece(&joined, &piece) < 0)
			batch_reset(&joined);
		else if (!joined.goes_on)
			walk(&joined);
		FUZZ_ASSERT(joined.used_bytes <= BATCH_BYTES_MAX);
	}
}

static void payload(enum item_type type, const uint8_t *data, size_t len_bytes)
{
	bool right = item_payload_verify(type, data, len_bytes) == 0;

	FUZZ_ASSERT(right || len_bytes != 0);
	switch (type) {
	case ITEM_TYPE_INODE:
		inode(data, len_bytes);
		break;
	case ITEM_TYPE_DIRENT:
		dirent(data, len_bytes);
		break;
	case ITEM_TYPE_XATTR:
		xattr(data, len_bytes);
		break;
	case ITEM_TYPE_ORIGIN:
		origin(data, len_bytes);
		break;
	case ITEM_TYPE_STACK:
		stack(data, len_bytes);
		break;
	case ITEM_TYPE_TARGET:
	case ITEM_TYPE_ORPHAN:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	unsigned choice;

	if (len_bytes == 0 || len_bytes > INPUT_BYTES_MAX)
		return 0;
	choice = data[0] % PIECES + 1;
	data++;
	len_bytes--;
	if (choice == KEY)
		key(data, len_bytes);
	else if (choice == VALUE)
		value(data, len_bytes);
	else if (choice == ENTRIES)
		entries(data, len_bytes);
	else if (choice == PIECES)
		pieces(data, len_bytes);
	else
		payload((enum item_type)choice, data, len_bytes);
	return 0;
}
