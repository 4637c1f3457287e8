/* Batches of items, byte by byte. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hex.h"

#include "batch_format.h"

/* "a" in directory 1 is the file 16; xattrs of inode 1 are gone. */
static const char *const batch_hex =
	"0a00 0000 09000000 0000000000000001 02 61 " /* lengths, key */
	"1000000000000000 08 "			     /* payload */
	"0f00 0000 00000000 0000000000000001 03 757365722e78";

static uint8_t memory[BATCH_BYTES_MAX + 1];

static struct batch new_batch(void)
{
	return (struct batch){ .bytes = memory,
			       .capacity_bytes = sizeof(memory),
			       .line = 3,
			       .gen = 4 };
}

static size_t make_key(uint8_t *key, uint64_t inode, enum item_type type,
		       const char *name)
{
	const struct item_key parts = { inode, type, name, strlen(name) };

	return item_key_encode(&parts, key);
}

static void append(struct batch *batch, enum item_type type, const char *name,
		   const void *payload, size_t payload_bytes)
{
	uint8_t key[ITEM_KEY_BYTES_MAX];

	assert_int_equal(batch_append(batch, key, make_key(key, 1, type, name),
				      payload, payload_bytes),
			 0);
}

static void test_a_batch_is_these_bytes(void **state)
{
	const struct dirent_item dirent = { 16, 8 };
	struct batch batch = new_batch();
	uint8_t payload[DIRENT_ITEM_BYTES];
	struct batch_entry entry;
	size_t offset = 0;

	(void)state;
	dirent_item_encode(&dirent, payload);
	append(&batch, ITEM_TYPE_DIRENT, "a", payload, sizeof(payload));
	append(&batch, ITEM_TYPE_XATTR, "user.x", NULL, 0);
	hex_assert(batch.bytes, batch.used_bytes, batch_hex);
	assert_int_equal(batch_next(&batch, &offset, &entry), 0);
	assert_true(entry.item.inode == 1);
	assert_int_equal(entry.item.type, ITEM_TYPE_DIRENT);
	assert_int_equal(entry.item.name_bytes, 1);
	assert_int_equal(entry.key_bytes, 10);
	assert_ptr_equal(entry.key, memory + 8);
	assert_int_equal(entry.payload_bytes, sizeof(payload));
	assert_memory_equal(entry.payload, payload, sizeof(payload));
	assert_int_equal(batch_next(&batch, &offset, &entry), 0);
	assert_int_equal(entry.item.type, ITEM_TYPE_XATTR);
	assert_int_equal(entry.payload_bytes, 0);
	assert_int_equal(batch_next(&batch, &offset, &entry), -ENOENT);
	assert_int_equal(offset, batch.used_bytes);
}

static void test_the_largest_xattr_fits_beside_others(void **state)
{
	static uint8_t value[ITEM_PAYLOAD_BYTES_MAX] = { XATTR_KIND_VALUE };
	uint8_t inode[INODE_ITEM_BYTES];
	struct batch batch = new_batch();
	char name[ITEM_NAME_BYTES_MAX + 1];
	struct batch_entry entry;
	size_t offset = 0;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	inode_item_encode(&(struct inode_item){ .mode = 0100644 }, inode);
	append(&batch, ITEM_TYPE_XATTR, name, value, sizeof(value));
	append(&batch, ITEM_TYPE_INODE, "", inode, sizeof(inode));
	assert_int_equal(batch_next(&batch, &offset, &entry), 0);
	assert_int_equal(entry.key_bytes, ITEM_KEY_BYTES_MAX);
	assert_int_equal(entry.payload_bytes, ITEM_PAYLOAD_BYTES_MAX);
	assert_int_equal(batch_next(&batch, &offset, &entry), 0);
	assert_int_equal(batch_next(&batch, &offset, &entry), -ENOENT);
}

static void test_an_entry_without_room_changes_nothing(void **state)
{
	static uint8_t value[ITEM_PAYLOAD_BYTES_MAX] = { XATTR_KIND_VALUE };
	struct batch batch = new_batch();
	uint8_t key[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = make_key(key, 1, ITEM_TYPE_XATTR, "user.x");
	size_t rest, used;

	(void)state;
	append(&batch, ITEM_TYPE_XATTR, "user.x", value, sizeof(value));
	used = batch.used_bytes;
	rest = BATCH_BYTES_MAX - used - batch_entry_bytes(key_bytes, 0);
	assert_true(rest < sizeof(value));
	assert_int_equal(batch_append(&batch, key, key_bytes, value, rest + 1),
			 -E2BIG);
	assert_int_equal(batch.used_bytes, used);
	batch.capacity_bytes = BATCH_BYTES_MAX - 1;
	assert_int_equal(batch_append(&batch, key, key_bytes, value, rest),
			 -E2BIG);
	batch.capacity_bytes = BATCH_BYTES_MAX;
	assert_int_equal(batch_append(&batch, key, key_bytes, value, rest), 0);
	assert_int_equal(batch.used_bytes, BATCH_BYTES_MAX);
	assert_int_equal(batch_append(&batch, key, key_bytes, NULL, 0), -E2BIG);
}

/* Cuts a batch of that many bytes, carries each piece through a record. */
static unsigned cut_and_join(size_t batch_bytes)
{
	static uint8_t joined_memory[BATCH_BYTES_MAX];
	struct batch batch = new_batch();
	struct batch joined = { .bytes = joined_memory,
				.capacity_bytes = sizeof(joined_memory) };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct record record = { .type = RECORD_TYPE_ITEMS,
				 .payload = payload };
	struct items_record piece;
	size_t i, offset = 0;
	unsigned count = 0;

	for (i = 0; i < batch_bytes; i++)
		memory[i] = (uint8_t)(i * 7 + i / 256);
	batch.used_bytes = batch_bytes;
	for (; batch_next_piece(&batch, &offset, &piece); count++) {
		record.payload_bytes = items_record_encode(&piece, payload);
		assert_in_range(record.payload_bytes, 17, sizeof(payload));
		assert_int_equal(items_record_decode(&record, &piece), 0);
		assert_int_equal(piece.continued, count != 0);
		assert_int_equal(piece.more, offset < batch_bytes);
		assert_int_equal(batch_add_piece(&joined, &piece), 0);
		assert_int_equal(joined.goes_on, piece.more);
	}
	assert_int_equal(joined.used_bytes, batch_bytes);
	assert_memory_equal(joined.bytes, batch.bytes, batch_bytes);
	assert_int_equal(joined.line, count ? 3 : 0);
	assert_int_equal(joined.gen, count ? 4 : 0);
	return count;
}

static void test_pieces_make_the_batch_again(void **state)
{
	(void)state;
	assert_int_equal(cut_and_join(0), 0);
	assert_int_equal(cut_and_join(1), 1);
	assert_int_equal(cut_and_join(RECORD_PIECE_BYTES_MAX), 1);
	assert_int_equal(cut_and_join(RECORD_PIECE_BYTES_MAX + 1), 2);
	assert_int_equal(cut_and_join(2 * RECORD_PIECE_BYTES_MAX), 2);
	assert_int_equal(cut_and_join(2 * RECORD_PIECE_BYTES_MAX + 1), 3);
	assert_int_equal(cut_and_join(BATCH_BYTES_MAX), 33);
}

static const struct items_record begins = {
	3, 4, true, false, (const uint8_t *)"ab", 2
};
static const struct items_record ends = {
	3, 4, false, true, (const uint8_t *)"cd", 2
};

static void test_a_new_batch_drops_an_unfinished_one(void **state)
{
	static const struct items_record other = {
		5, 6, false, false, (const uint8_t *)"xyz", 3
	};
	struct batch batch = new_batch();

	(void)state;
	assert_int_equal(batch_add_piece(&batch, &begins), 0);
	assert_true(batch.goes_on);
	assert_int_equal(batch_add_piece(&batch, &other), 0);
	assert_false(batch.goes_on);
	assert_int_equal(batch.used_bytes, 3);
	assert_memory_equal(batch.bytes, "xyz", 3);
	assert_int_equal(batch.line, 5);
	assert_int_equal(batch.gen, 6);
}

/* F-71 */
static void test_a_piece_that_continues_nothing_is_refused(void **state)
{
	struct items_record other_line = ends, other_gen = ends;
	struct batch batch = new_batch();

	(void)state;
	other_line.line++;
	other_gen.gen++;
	assert_int_equal(batch_add_piece(&batch, &ends), -EUCLEAN);
	assert_int_equal(batch_add_piece(&batch, &begins), 0);
	assert_int_equal(batch_add_piece(&batch, &other_line), -EUCLEAN);
	assert_int_equal(batch_add_piece(&batch, &other_gen), -EUCLEAN);
	assert_int_equal(batch_add_piece(&batch, &ends), 0);
	assert_false(batch.goes_on);
	assert_memory_equal(batch.bytes, "abcd", 4);
	assert_int_equal(batch_add_piece(&batch, &ends), -EUCLEAN);
	assert_int_equal(batch_add_piece(&batch, &begins), 0);
	batch_reset(&batch);
	assert_int_equal(batch_add_piece(&batch, &ends), -EUCLEAN);
}

/* F-71 */
static void test_a_batch_too_long_is_refused(void **state)
{
	static uint8_t bytes[RECORD_PIECE_BYTES_MAX];
	struct items_record piece = { 3, 4, true, false, bytes, sizeof(bytes) };
	struct batch batch = new_batch();

	(void)state;
	for (; batch.used_bytes + sizeof(bytes) <= BATCH_BYTES_MAX;
	     piece.continued = true)
		assert_int_equal(batch_add_piece(&batch, &piece), 0);
	piece.piece_bytes = BATCH_BYTES_MAX - batch.used_bytes + 1;
	assert_int_equal(batch_add_piece(&batch, &piece), -EUCLEAN);
	piece.piece_bytes--;
	assert_int_equal(batch_add_piece(&batch, &piece), 0);
	assert_int_equal(batch.used_bytes, BATCH_BYTES_MAX);
}

/* Walks to the end, or to what is wrong. */
static int walk(const uint8_t *bytes, size_t len_bytes)
{
	uint8_t *copy = hex_exact_copy(bytes, len_bytes);
	const struct batch batch = { .bytes = copy,
				     .capacity_bytes = len_bytes,
				     .used_bytes = len_bytes };
	struct batch_entry entry;
	size_t offset = 0;
	int rc;

	do
		rc = batch_next(&batch, &offset, &entry);
	while (rc == 0);
	free(copy);
	return rc;
}

/* F-70 */
static void test_a_batch_cut_within_an_entry_is_refused(void **state)
{
	uint8_t bytes[128];
	size_t i, len_bytes = hex_decode(batch_hex, bytes);

	(void)state;
	for (i = 0; i <= len_bytes; i++)
		assert_int_equal(walk(bytes, i),
				 i == 0 || i == 27 || i == len_bytes ?
					 -ENOENT :
					 -EUCLEAN);
}

/* F-70. Offsets: key bytes 0, payload bytes 4, key 8, payload 18. */
static void test_an_entry_that_is_no_item_is_refused(void **state)
{
	static const struct {
		unsigned offset, width;
		uint64_t value;
		int rc;
	} changes[] = {
		{ 0, 2, 0, -EUCLEAN },
		{ 0, 2, 8, -EUCLEAN },
		{ 0, 2, 0xffff, -EUCLEAN },
		{ 2, 2, 0xffff, -ENOENT }, /* reserved: passed over */
		{ 4, 4, 8, -EUCLEAN },
		{ 4, 4, UINT32_MAX, -EUCLEAN },
		{ 4, 4, UINT32_MAX - 9, -EUCLEAN },
		{ 8, 1, 1, -EUCLEAN },	  /* inode of 57 bits */
		{ 16, 1, 6, -EUCLEAN },	  /* unknown type */
		{ 16, 1, 1, -EUCLEAN },	  /* an inode with a name */
		{ 17, 1, '/', -EUCLEAN }, /* name */
		{ 18, 8, 0, -EUCLEAN },	  /* whiteout with a kind */
		{ 26, 1, 3, -EUCLEAN },	  /* unknown kind */
		{ 17, 1, 'b', -ENOENT },
	};
	size_t i, len_bytes;
	uint8_t bytes[128];

	(void)state;
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		len_bytes = hex_decode(batch_hex, bytes);
		hex_put(bytes + changes[i].offset, changes[i].width,
			changes[i].value);
		if (walk(bytes, len_bytes) != changes[i].rc)
			fail_msg("change %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_batch_is_these_bytes),
		cmocka_unit_test(test_the_largest_xattr_fits_beside_others),
		cmocka_unit_test(test_an_entry_without_room_changes_nothing),
		cmocka_unit_test(test_pieces_make_the_batch_again),
		cmocka_unit_test(test_a_new_batch_drops_an_unfinished_one),
		cmocka_unit_test(
			test_a_piece_that_continues_nothing_is_refused),
		cmocka_unit_test(test_a_batch_too_long_is_refused),
		cmocka_unit_test(test_a_batch_cut_within_an_entry_is_refused),
		cmocka_unit_test(test_an_entry_that_is_no_item_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
