/* The payloads of items, byte by byte. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "hex.h"

#include "item_format.h"

static const struct inode_item inode_example = {
	.mode = S_IFDIR | 01755,
	.uid = 1000,
	.gid = 1001,
	.nlink = 3,
	.size_bytes = 0x1122,
	.base_visible_bytes = 0x1133,
	.atime_ns = 0x0102030405060708,
	.mtime_ns = -2,
	.ctime_ns = 3,
	.btime_ns = 4,
	.rdev = 0x801,
	.data_blocks = 5,
	.parent = 1,
	.flags = INODE_FLAG_OPAQUE | INODE_FLAG_XATTRS,
};
static const char *const inode_hex =
	"ed430000 e8030000 e9030000 03000000 " /* mode, uid, gid, nlink */
	"2211000000000000 3311000000000000 "   /* size, visible of base */
	"0807060504030201 feffffffffffffff "   /* atime, mtime */
	"0300000000000000 0400000000000000 "   /* ctime, btime */
	"0108000000000000 0500000000000000 "   /* rdev, data blocks */
	"0100000000000000 03000000 00000000";  /* parent, flags, reserved */

static const struct dirent_item dirent_example = { 0x020000000007, 8 };
static const char *const dirent_hex = "0700000000020000 08";

static const char *const xattr_hex = "01 68656c6c6f"; /* "hello" */

static const struct origin_item origin_example = {
	.layer = 2,
	.parent = 0x020000000009,
	.base_inode = 0x8000000000000007,
	.size_bytes = 0x1234,
	.mtime_ns = 5,
	.ctime_ns = -1,
	.kind = 8,
	.name = "file",
	.name_bytes = 4,
};
static const char *const origin_hex =
	"02000000 0900000000020000 0700000000000080 " /* layer, parent, inode */
	"3412000000000000 0500000000000000 "	      /* size, mtime */
	"ffffffffffffffff 08000000 66696c65";	      /* ctime, kind, name */

static const char *const stack_hex = "03000000 09000000 01000000 ff000000";

static int decode_payload(enum item_type type, const uint8_t *payload,
			  size_t payload_bytes)
{
	uint8_t *copy = hex_exact_copy(payload, payload_bytes);
	int rc = item_payload_verify(type, copy, payload_bytes);

	free(copy);
	return rc;
}

static void test_an_inode_is_these_bytes(void **state)
{
	uint8_t payload[INODE_ITEM_BYTES], again[INODE_ITEM_BYTES];
	struct inode_item out;
	size_t bytes = inode_item_encode(&inode_example, payload);

	(void)state;
	hex_assert(payload, bytes, inode_hex);
	assert_int_equal(inode_item_decode(payload, bytes, &out), 0);
	assert_int_equal(out.mode, inode_example.mode);
	assert_true(out.rdev == inode_example.rdev);
	assert_true(out.mtime_ns == -2);
	inode_item_encode(&out, again);
	assert_memory_equal(again, payload, sizeof(again));
}

static void test_a_name_is_these_bytes(void **state)
{
	static const struct dirent_item whiteout;
	uint8_t payload[DIRENT_ITEM_BYTES];
	struct dirent_item out;
	size_t bytes = dirent_item_encode(&dirent_example, payload);

	(void)state;
	hex_assert(payload, bytes, dirent_hex);
	assert_int_equal(dirent_item_decode(payload, bytes, &out), 0);
	assert_true(out.inode == dirent_example.inode);
	assert_int_equal(out.kind, 8);
	bytes = dirent_item_encode(&whiteout, payload);
	hex_assert(payload, bytes, "0000000000000000 00");
	assert_int_equal(dirent_item_decode(payload, bytes, &out), 0);
	assert_true(out.inode == 0 && out.kind == 0);
}

static void test_an_xattr_is_these_bytes(void **state)
{
	static const struct xattr_item value = { XATTR_KIND_VALUE,
						 (const uint8_t *)"hello", 5 };
	static const struct xattr_item empty = { XATTR_KIND_VALUE, NULL, 0 };
	static const struct xattr_item hidden = { XATTR_KIND_HIDDEN, NULL, 0 };
	struct xattr_item out;
	uint8_t payload[6];
	size_t bytes = xattr_item_encode(&value, payload);

	(void)state;
	hex_assert(payload, bytes, xattr_hex);
	assert_int_equal(xattr_item_decode(payload, bytes, &out), 0);
	assert_int_equal(out.kind, XATTR_KIND_VALUE);
	assert_int_equal(out.value_bytes, 5);
	assert_ptr_equal(out.value, payload + 1);
	bytes = xattr_item_encode(&empty, payload);
	hex_assert(payload, bytes, "01");
	assert_int_equal(xattr_item_decode(payload, bytes, &out), 0);
	assert_int_equal(out.value_bytes, 0);
	bytes = xattr_item_encode(&hidden, payload);
	hex_assert(payload, bytes, "02");
	assert_int_equal(xattr_item_decode(payload, bytes, &out), 0);
	assert_int_equal(out.kind, XATTR_KIND_HIDDEN);
}

static void test_an_origin_is_these_bytes(void **state)
{
	uint8_t payload[ORIGIN_ITEM_BYTES_MAX], again[ORIGIN_ITEM_BYTES_MAX];
	struct origin_item out;
	size_t bytes = origin_item_encode(&origin_example, payload);

	(void)state;
	hex_assert(payload, bytes, origin_hex);
	assert_int_equal(origin_item_decode(payload, bytes, &out), 0);
	assert_int_equal(out.layer, 2);
	assert_true(out.base_inode == origin_example.base_inode);
	assert_true(out.ctime_ns == -1);
	assert_int_equal(out.name_bytes, 4);
	assert_int_equal(origin_item_encode(&out, again), bytes);
	assert_memory_equal(again, payload, bytes);
}

static void test_a_stack_is_these_bytes(void **state)
{
	static struct stack_item in = { 3, { 9, 1, 255 } }, out;
	uint8_t payload[STACK_ITEM_BYTES_MAX];
	size_t bytes = stack_item_encode(&in, payload);
	uint32_t i;

	(void)state;
	hex_assert(payload, bytes, stack_hex);
	assert_int_equal(stack_item_decode(payload, bytes, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	in.count = ITEM_LAYER_MAX;
	for (i = 0; i < in.count; i++)
		in.layers[i] = ITEM_LAYER_MAX - i;
	bytes = stack_item_encode(&in, payload);
	assert_int_equal(bytes, sizeof(payload));
	assert_int_equal(stack_item_decode(payload, bytes, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	in.count = 0;
	bytes = stack_item_encode(&in, payload);
	assert_int_equal(stack_item_decode(payload, bytes, &out), 0);
	assert_int_equal(out.count, 0);
}

/* An absent value is one of any type; none of the decoders takes it. */
static void test_an_empty_payload_is_absent(void **state)
{
	static struct stack_item stack;
	struct origin_item origin;
	struct dirent_item dirent;
	struct inode_item inode;
	struct xattr_item xattr;
	unsigned type;

	(void)state;
	for (type = ITEM_TYPE_INODE; type <= ITEM_TYPE_LAST; type++)
		assert_int_equal(
			item_payload_verify((enum item_type)type, NULL, 0), 0);
	assert_int_equal(item_payload_verify(ITEM_TYPE_TARGET, "a", 1), 0);
	assert_int_equal(item_payload_verify(ITEM_TYPE_TARGET, "a", 2),
			 -EUCLEAN);
	assert_int_equal(item_payload_verify(ITEM_TYPE_ORPHAN, "\1", 1), 0);
	assert_int_equal(item_payload_verify(ITEM_TYPE_ORPHAN, "\2", 1),
			 -EUCLEAN);
	/* F-63 */
	assert_int_equal(inode_item_decode("", 0, &inode), -EUCLEAN);
	assert_int_equal(dirent_item_decode("", 0, &dirent), -EUCLEAN);
	assert_int_equal(xattr_item_decode("", 0, &xattr), -EUCLEAN);
	assert_int_equal(origin_item_decode("", 0, &origin), -EUCLEAN);
	assert_int_equal(stack_item_decode("", 0, &stack), -EUCLEAN);
}

/* F-63 */
static void test_a_payload_of_another_length_is_refused(void **state)
{
	static const struct {
		enum item_type type;
		const char *hex;
		size_t bytes_min, bytes_max;
	} payloads[] = {
		{ ITEM_TYPE_INODE, inode_hex, 96, 96 },
		{ ITEM_TYPE_DIRENT, dirent_hex, 9, 9 },
		{ ITEM_TYPE_XATTR, xattr_hex, 1, 65537 },
		{ ITEM_TYPE_ORIGIN, origin_hex, 49, 303 },
		{ ITEM_TYPE_STACK, stack_hex, 16, 16 },
	};
	static uint8_t payload[65600];
	size_t i, bytes;

	(void)state;
	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		memset(payload, 'x', sizeof(payload));
		hex_decode(payloads[i].hex, payload);
		for (bytes = 1; bytes < sizeof(payload);
		     bytes += bytes < 400 || bytes > 65500 ? 1 : 101)
			if ((decode_payload(payloads[i].type, payload, bytes) ==
			     0) != (bytes >= payloads[i].bytes_min &&
				    bytes <= payloads[i].bytes_max))
				fail_msg("type %zu, %zu bytes", i + 1, bytes);
	}
}

/* One field of a payload gets another value. */
struct change {
	unsigned offset, width;
	uint64_t value;
	int rc;
};

static void try_changes(enum item_type type, const char *hex,
			const struct change *changes, size_t count)
{
	uint8_t payload[256];
	size_t i, bytes;

	for (i = 0; i < count; i++) {
		bytes = hex_decode(hex, payload);
		hex_put(payload + changes[i].offset, changes[i].width,
			changes[i].value);
		if (decode_payload(type, payload, bytes) != changes[i].rc)
			fail_msg("type %d, change %zu", (int)type, i);
	}
}

#define TRY_CHANGES(type, hex, changes) \
	try_changes(type, hex, changes, sizeof(changes) / sizeof(changes[0]))

/* F-64. Offsets: mode 0, size 16, visible 24, blocks 72, parent 80,
 * flags 88. */
static void test_an_inode_out_of_bounds_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 0, 4, S_IFDIR, 0 },
		{ 0, 4, S_IFDIR | 07777, 0 },
		{ 0, 4, 0, -EUCLEAN },
		{ 0, 4, 0755, -EUCLEAN },
		{ 0, 4, 0030000, -EUCLEAN }, /* two bits, no type */
		{ 0, 4, S_IFMT, -EUCLEAN },
		{ 0, 4, 0x10000 | S_IFDIR, -EUCLEAN },
		{ 0, 4, 0x80000000 | S_IFDIR, -EUCLEAN },
		{ 0, 4, S_IFREG, -EUCLEAN }, /* it is opaque */
		{ 16, 8, INT64_MAX, 0 },
		{ 16, 8, (uint64_t)INT64_MAX + 1, -EUCLEAN },
		{ 24, 8, INT64_MAX, 0 },
		{ 24, 8, (uint64_t)INT64_MAX + 1, -EUCLEAN },
		{ 72, 8, (UINT64_C(1) << 51) - 1, 0 },
		{ 72, 8, UINT64_C(1) << 51, -EUCLEAN },
		{ 80, 8, ITEM_INODE_MAX, 0 },
		{ 80, 8, ITEM_INODE_MAX + 1, -EUCLEAN },
		{ 88, 4, 0, 0 },
		{ 88, 4, 8, -EUCLEAN }, /* raw, and a directory */
		{ 88, 4, 16, -EUCLEAN },
		{ 88, 4, 0x80000001, -EUCLEAN },
		{ 92, 4, 1, 0 }, /* reserved: passed over */
	};
	static const unsigned types[] = { S_IFIFO, S_IFCHR, S_IFDIR, S_IFBLK,
					  S_IFREG, S_IFLNK, S_IFSOCK };
	struct inode_item item = inode_example;
	uint8_t payload[INODE_ITEM_BYTES];
	size_t i;

	(void)state;
	TRY_CHANGES(ITEM_TYPE_INODE, inode_hex, changes);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		item.mode = types[i] | 0644;
		item.flags = INODE_FLAG_XATTRS;
		inode_item_encode(&item, payload);
		assert_int_equal(
			inode_item_decode(payload, sizeof(payload), &item), 0);
		item.flags = INODE_FLAG_RAW;
		inode_item_encode(&item, payload);
		assert_int_equal(inode_item_decode(payload, sizeof(payload),
						   &item),
				 types[i] == S_IFREG ? 0 : -EUCLEAN);
	}
}

/* F-65. Offsets: inode 0, kind 8. */
static void test_a_name_out_of_bounds_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 0, 8, ITEM_INODE_MAX, 0 },
		{ 0, 8, ITEM_INODE_MAX + 1, -EUCLEAN },
		{ 0, 8, 0, -EUCLEAN }, /* a whiteout of a kind */
		{ 8, 1, 0, -EUCLEAN },
		{ 8, 1, 1, 0 },
		{ 8, 1, 3, -EUCLEAN },
		{ 8, 1, 12, 0 },
		{ 8, 1, 14, -EUCLEAN },
		{ 8, 1, 15, -EUCLEAN },
		{ 8, 1, 0x18, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(ITEM_TYPE_DIRENT, dirent_hex, changes);
}

/* F-66 */
static void test_an_xattr_of_no_kind_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 0, 1, 0, -EUCLEAN },
		{ 0, 1, 2, -EUCLEAN }, /* hidden, and a value */
		{ 0, 1, 3, -EUCLEAN },
		{ 0, 1, 255, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(ITEM_TYPE_XATTR, xattr_hex, changes);
}

/* F-67. Offsets: layer 0, parent 4, size 20, kind 44, name 48. */
static void test_an_origin_out_of_bounds_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 0, 4, 0, -EUCLEAN },
		{ 0, 4, 255, 0 },
		{ 0, 4, 256, -EUCLEAN },
		{ 4, 8, 0, -EUCLEAN },
		{ 4, 8, ITEM_INODE_MAX, 0 },
		{ 4, 8, ITEM_INODE_MAX + 1, -EUCLEAN },
		{ 20, 8, INT64_MAX, 0 },
		{ 20, 8, (uint64_t)INT64_MAX + 1, -EUCLEAN },
		{ 44, 4, 0, -EUCLEAN },
		{ 44, 4, 4, 0 },
		{ 44, 4, 5, -EUCLEAN },
		{ 44, 4, 0x10008, -EUCLEAN },
		{ 48, 1, '/', -EUCLEAN },
		{ 49, 1, 0, -EUCLEAN },
	};

	(void)state;
	TRY_CHANGES(ITEM_TYPE_ORIGIN, origin_hex, changes);
}

/* F-68. Offsets: count 0, layers 4, 8, 12. */
static void test_a_stack_out_of_bounds_is_refused(void **state)
{
	static const struct change changes[] = {
		{ 0, 4, UINT32_MAX, -EUCLEAN },
		{ 0, 4, 256, -EUCLEAN },
		{ 4, 4, 0, -EUCLEAN },
		{ 4, 4, 256, -EUCLEAN },
		{ 4, 4, 2, 0 },
		{ 8, 4, 9, -EUCLEAN },
		{ 12, 4, 1, -EUCLEAN },
		{ 12, 4, 254, 0 },
	};

	(void)state;
	TRY_CHANGES(ITEM_TYPE_STACK, stack_hex, changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_inode_is_these_bytes),
		cmocka_unit_test(test_a_name_is_these_bytes),
		cmocka_unit_test(test_an_xattr_is_these_bytes),
		cmocka_unit_test(test_an_origin_is_these_bytes),
		cmocka_unit_test(test_a_stack_is_these_bytes),
		cmocka_unit_test(test_an_empty_payload_is_absent),
		cmocka_unit_test(test_a_payload_of_another_length_is_refused),
		cmocka_unit_test(test_an_inode_out_of_bounds_is_refused),
		cmocka_unit_test(test_a_name_out_of_bounds_is_refused),
		cmocka_unit_test(test_an_xattr_of_no_kind_is_refused),
		cmocka_unit_test(test_an_origin_out_of_bounds_is_refused),
		cmocka_unit_test(test_a_stack_out_of_bounds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
