/* The keys and values of items, byte by byte; payloads: test_item_payload.c. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hex.h"

#include "item_format.h"

#define SEED UINT64_C(0x0123456789abcdef)

static int decode_key(const uint8_t *key, size_t key_bytes,
		      struct item_key *out)
{
	uint8_t *copy = hex_exact_copy(key, key_bytes);
	int rc = item_key_decode(copy, key_bytes, out);

	free(copy);
	return rc;
}

static void test_a_key_is_these_bytes(void **state)
{
	const struct item_key dirent = { 0x0102030405, ITEM_TYPE_DIRENT, "ab",
					 2 };
	const struct item_key inode = { 1, ITEM_TYPE_INODE, NULL, 0 };
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	struct item_key out;
	size_t key_bytes;

	(void)state;
	key_bytes = item_key_encode(&dirent, bytes);
	hex_assert(bytes, key_bytes, "0000000102030405 02 6162");
	assert_int_equal(item_key_decode(bytes, key_bytes, &out), 0);
	assert_true(out.inode == dirent.inode);
	assert_int_equal(out.type, ITEM_TYPE_DIRENT);
	assert_int_equal(out.name_bytes, 2);
	assert_ptr_equal(out.name, bytes + ITEM_PREFIX_BYTES);
	key_bytes = item_key_encode(&inode, bytes);
	hex_assert(bytes, key_bytes, "0000000000000001 01");
	item_key_prefix(2, ITEM_TYPE_XATTR, bytes);
	hex_assert(bytes, ITEM_PREFIX_BYTES, "0000000000000002 03");
}

static void test_keys_sort_by_inode_then_type_then_name(void **state)
{
	static const struct item_key sorted[] = {
		{ 0, ITEM_TYPE_STACK, "", 0 },
		{ 1, ITEM_TYPE_INODE, "", 0 },
		{ 1, ITEM_TYPE_DIRENT, "a", 1 },
		{ 1, ITEM_TYPE_DIRENT, "a\x01", 2 },
		{ 1, ITEM_TYPE_DIRENT, "aa", 2 },
		{ 1, ITEM_TYPE_DIRENT, "b", 1 },
		{ 1, ITEM_TYPE_DIRENT, "\xff", 1 },
		{ 1, ITEM_TYPE_XATTR, "a", 1 },
		{ 1, ITEM_TYPE_ORIGIN, "", 0 },
		{ 2, ITEM_TYPE_INODE, "", 0 },
		{ 255, ITEM_TYPE_INODE, "", 0 },
		{ 256, ITEM_TYPE_INODE, "", 0 },
		{ ITEM_INODE_MAX, ITEM_TYPE_INODE, "", 0 },
	};
	enum { COUNT = sizeof(sorted) / sizeof(sorted[0]) };
	uint8_t keys[COUNT][ITEM_KEY_BYTES_MAX];
	size_t bytes[COUNT], i, j;

	(void)state;
	for (i = 0; i < COUNT; i++)
		bytes[i] = item_key_encode(&sorted[i], keys[i]);
	for (i = 0; i < COUNT; i++) {
		for (j = 0; j < COUNT; j++) {
			int order = item_key_compare(keys[i], bytes[i], keys[j],
						     bytes[j]);

			assert_int_equal((order > 0) - (order < 0),
					 (i > j) - (i < j));
		}
	}
}

static int key_rc(uint64_t inode, unsigned type, const char *name,
		  size_t name_bytes)
{
	uint8_t key[ITEM_KEY_BYTES_MAX + 1];
	struct item_key out;

	item_key_prefix(inode, (enum item_type)type, key);
	memcpy(key + ITEM_PREFIX_BYTES, name, name_bytes);
	return decode_key(key, ITEM_PREFIX_BYTES + name_bytes, &out);
}

/* F-60 */
static void test_a_key_out_of_bounds_is_refused(void **state)
{
	char name[ITEM_NAME_BYTES_MAX + 1];
	uint8_t key[ITEM_PREFIX_BYTES];
	struct item_key out;
	size_t i;

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(key_rc(1, ITEM_TYPE_DIRENT, name, 255), 0);
	assert_int_equal(key_rc(1, ITEM_TYPE_DIRENT, name, 256), -EUCLEAN);
	item_key_prefix(1, ITEM_TYPE_INODE, key);
	for (i = 0; i < ITEM_PREFIX_BYTES; i++)
		assert_int_equal(decode_key(key, i, &out), -EUCLEAN);
	assert_int_equal(key_rc(1, 0, "", 0), -EUCLEAN);
	assert_int_equal(key_rc(1, ITEM_TYPE_LAST + 1, "", 0), -EUCLEAN);
	assert_int_equal(key_rc(1, ITEM_TYPE_TARGET, "", 0), 0);
	assert_int_equal(key_rc(0, ITEM_TYPE_TARGET, "", 0), -EUCLEAN);
	assert_int_equal(key_rc(0, ITEM_TYPE_ORPHAN, "12345678", 8), 0);
	assert_int_equal(key_rc(0, ITEM_TYPE_ORPHAN, "1234567", 7), -EUCLEAN);
	assert_int_equal(key_rc(1, ITEM_TYPE_ORPHAN, "12345678", 8), -EUCLEAN);
	assert_int_equal(key_rc(1, 255, "", 0), -EUCLEAN);
	assert_int_equal(key_rc(ITEM_INODE_MAX, ITEM_TYPE_INODE, "", 0), 0);
	assert_int_equal(key_rc(ITEM_INODE_MAX + 1, ITEM_TYPE_INODE, "", 0),
			 -EUCLEAN);
	assert_int_equal(key_rc(UINT64_MAX, ITEM_TYPE_INODE, "", 0), -EUCLEAN);
}

/* F-61 */
static void test_a_key_that_its_type_has_not_is_refused(void **state)
{
	static const struct {
		uint64_t inode;
		unsigned type;
		const char *name;
		size_t name_bytes;
		int rc;
	} keys[] = {
		{ 1, ITEM_TYPE_INODE, "", 0, 0 },
		{ 0, ITEM_TYPE_INODE, "", 0, -EUCLEAN },
		{ 1, ITEM_TYPE_INODE, "a", 1, -EUCLEAN },
		{ 1, ITEM_TYPE_ORIGIN, "", 0, 0 },
		{ 0, ITEM_TYPE_ORIGIN, "", 0, -EUCLEAN },
		{ 1, ITEM_TYPE_ORIGIN, "a", 1, -EUCLEAN },
		{ 0, ITEM_TYPE_STACK, "", 0, 0 },
		{ 1, ITEM_TYPE_STACK, "", 0, -EUCLEAN },
		{ 0, ITEM_TYPE_STACK, "a", 1, -EUCLEAN },
		{ 0, ITEM_TYPE_DIRENT, "a", 1, -EUCLEAN },
		{ 1, ITEM_TYPE_DIRENT, "", 0, -EUCLEAN },
		{ 1, ITEM_TYPE_DIRENT, ".", 1, -EUCLEAN },
		{ 1, ITEM_TYPE_DIRENT, "..", 2, -EUCLEAN },
		{ 1, ITEM_TYPE_DIRENT, "...", 3, 0 },
		{ 1, ITEM_TYPE_DIRENT, ".a", 2, 0 },
		{ 1, ITEM_TYPE_DIRENT, "a/b", 3, -EUCLEAN },
		{ 1, ITEM_TYPE_DIRENT, "a\0b", 3, -EUCLEAN },
		{ 1, ITEM_TYPE_DIRENT, "\xff\x80\n", 3, 0 },
		{ 0, ITEM_TYPE_XATTR, "user.a", 6, -EUCLEAN },
		{ 1, ITEM_TYPE_XATTR, "", 0, -EUCLEAN },
		{ 1, ITEM_TYPE_XATTR, "user.a/b", 8, 0 },
		{ 1, ITEM_TYPE_XATTR, "user.\0", 6, -EUCLEAN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (key_rc(keys[i].inode, keys[i].type, keys[i].name,
			   keys[i].name_bytes) != keys[i].rc)
			fail_msg("key %zu", i);
}

static void test_a_value_is_these_bytes(void **state)
{
	uint8_t key[ITEM_KEY_BYTES_MAX], value[ITEM_CHECKSUM_BYTES + 9];
	const struct item_key parts = { 1, ITEM_TYPE_DIRENT, "ab", 2 };
	const struct item_identity identity = { key,
						item_key_encode(&parts, key), 4,
						5 };
	const struct dirent_item dirent = { 0x020000000007, 8 };
	size_t value_bytes, payload_bytes;

	(void)state;
	payload_bytes =
		dirent_item_encode(&dirent, value + ITEM_CHECKSUM_BYTES);
	value_bytes = item_value_encode(SEED, &identity,
					value + ITEM_CHECKSUM_BYTES,
					payload_bytes, value);
	hex_assert(
		value, value_bytes,
		"1de547314a08bdc4 0700000000020000 08"); /* checksum, payload */
	assert_false(item_value_absent(value_bytes));
	assert_int_equal(item_value_verify(SEED, &identity, value, value_bytes),
			 0);
	value_bytes = item_value_encode(SEED, &identity, NULL, 0, value);
	hex_assert(value, value_bytes, "90160b3988246c84");
	assert_true(item_value_absent(value_bytes));
	assert_int_equal(item_value_verify(SEED, &identity, value, value_bytes),
			 0);
}

static void test_a_value_of_any_length_is_encoded(void **state)
{
	static uint8_t payload[ITEM_PAYLOAD_BYTES_MAX];
	static uint8_t value[ITEM_VALUE_BYTES_MAX];
	const struct item_identity identity = { "keykeykey", 9, 1, 2 };
	size_t value_bytes;

	(void)state;
	memset(payload, 0xa5, sizeof(payload));
	value_bytes = item_value_encode(SEED, &identity, payload,
					sizeof(payload), value);
	assert_int_equal(value_bytes, sizeof(value));
	assert_memory_equal(value + ITEM_CHECKSUM_BYTES, payload,
			    sizeof(payload));
	assert_int_equal(item_value_verify(SEED, &identity, value, value_bytes),
			 0);
}

/* F-62 */
static void test_a_value_of_another_row_is_refused(void **state)
{
	const struct item_identity mine = { "keykeykey1", 10, 4, 5 };
	const struct item_identity others[] = {
		{ "keykeykey2", 10, 4, 5 },
		{ "keykeykey", 9, 4, 5 },
		{ "keykeykey1", 10, 5, 4 },
		{ "keykeykey1", 10, 4, 6 },
	};
	uint8_t value[ITEM_CHECKSUM_BYTES + 5];
	size_t i, value_bytes;

	(void)state;
	value_bytes = item_value_encode(SEED, &mine, "hello", 5, value);
	assert_int_equal(item_value_verify(SEED, &mine, value, value_bytes), 0);
	assert_int_equal(item_value_verify(SEED + 1, &mine, value, value_bytes),
			 -EUCLEAN);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(item_value_verify(SEED, &others[i], value,
						   value_bytes),
				 -EUCLEAN);
	for (i = 0; i < value_bytes; i++)
		assert_int_equal(item_value_verify(SEED, &mine, value, i),
				 -EUCLEAN);
	for (i = 0; i < value_bytes * 8; i++) {
		value[i / 8] ^= (uint8_t)(1U << (i % 8));
		assert_int_equal(item_value_verify(SEED, &mine, value,
						   value_bytes),
				 -EUCLEAN);
		value[i / 8] ^= (uint8_t)(1U << (i % 8));
	}
}

/* F-62 */
static void test_a_value_too_long_is_refused(void **state)
{
	static uint8_t payload[ITEM_PAYLOAD_BYTES_MAX + 1];
	static uint8_t value[ITEM_VALUE_BYTES_MAX + 1];
	const struct item_identity identity = { "keykeykey", 9, 1, 2 };

	(void)state;
	assert_int_equal(
		item_value_verify(SEED, &identity, value,
				  item_value_encode(SEED, &identity, payload,
						    sizeof(payload), value)),
		-EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_is_these_bytes),
		cmocka_unit_test(test_keys_sort_by_inode_then_type_then_name),
		cmocka_unit_test(test_a_key_out_of_bounds_is_refused),
		cmocka_unit_test(test_a_key_that_its_type_has_not_is_refused),
		cmocka_unit_test(test_a_value_is_these_bytes),
		cmocka_unit_test(test_a_value_of_any_length_is_encoded),
		cmocka_unit_test(test_a_value_of_another_row_is_refused),
		cmocka_unit_test(test_a_value_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
