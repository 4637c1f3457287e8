/* Keys of the model of items, and payloads made from numbers. */
#include "items_model.h"

#include <string.h>
#include <sys/stat.h>

#include "model.h"

struct key keys[KEYS], fact_keys[FACTS];
static uint8_t payload[ITEM_PAYLOAD_BYTES_MAX];

static void set_key(struct key *key, uint64_t inode, enum item_type type,
		    const char *name)
{
	key->item = (struct item_key){ .inode = inode,
				       .type = type,
				       .name = name,
				       .name_bytes = name ? strlen(name) : 0 };
	key->bytes_count = item_key_encode(&key->item, key->bytes);
}

void make_keys(void)
{
	static const char *const names[NAMES] = { "a", "a\001", "ab", "b" };
	size_t nr = 0, i, j;

	set_key(&keys[nr++], 0, ITEM_TYPE_STACK, NULL);
	for (i = 0; i < DIRECTORIES; i++) {
		for (j = 0; j < NAMES; j++)
			set_key(&keys[nr++], 20 + i, ITEM_TYPE_DIRENT,
				names[j]);
		for (j = 0; j < NAMES; j++)
			set_key(&keys[nr++], 20 + i, ITEM_TYPE_XATTR, names[j]);
	}
	for (i = 0; i < FACTS; i++)
		set_key(&fact_keys[i], (UINT64_C(1) << 40) + i,
			ITEM_TYPE_ORIGIN, NULL);
}

static size_t make_xattr(uint64_t value)
{
	static uint8_t bytes[40000];
	struct xattr_item xattr = {
		.kind = XATTR_KIND_VALUE,
		.value = bytes,
		/* Some take several records. */
		.value_bytes = value % 16 ? value % 200 : value % 30000,
	};
	size_t i;

	for (i = 0; i < xattr.value_bytes; i++)
		bytes[i] = (uint8_t)((value + i) * 0x9e3779b97f4a7c15 >> 56);
	return xattr_item_encode(&xattr, payload);
}

static size_t fill_payload(const struct key *key, uint64_t value)
{
	const struct dirent_item dirent = { 1 + value % 1000000,
					    S_IFREG >> 12 };
	const struct origin_item origin = { .layer = 1,
					    .parent = 1,
					    .base_inode = value,
					    .size_bytes = 7,
					    .kind = S_IFREG >> 12,
					    .name = "o",
					    .name_bytes = 1 };
	const struct stack_item stack = { 2, { 1, 2 + (value & 127) } };

	if (value == 0)
		return 0;
	switch (key->item.type) {
	case ITEM_TYPE_DIRENT:
		return dirent_item_encode(&dirent, payload);
	case ITEM_TYPE_XATTR:
		return make_xattr(value);
	case ITEM_TYPE_ORIGIN:
		return origin_item_encode(&origin, payload);
	case ITEM_TYPE_STACK:
		return stack_item_encode(&stack, payload);
	case ITEM_TYPE_INODE:
	case ITEM_TYPE_TARGET:
	case ITEM_TYPE_ORPHAN:
		break;
	}
	abort();
}

const uint8_t *make_payload(const struct key *key, uint64_t value,
			    size_t *out_bytes)
{
	*out_bytes = fill_payload(key, value);
	return payload;
}

void check_payload(const struct key *key, uint64_t value,
		   const struct item_copy *copy)
{
	size_t bytes;
	const uint8_t *expected = make_payload(key, value, &bytes);

	CHECK(copy->payload_bytes == bytes);
	CHECK(memcmp(copy->payload, expected, bytes) == 0);
}
