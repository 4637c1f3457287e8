/* History records, byte by byte. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hex.h"

#include "history_format.h"

enum { FIXED_BYTES = 80 };

static const struct history_record example = {
	.op = HISTORY_OP_ROLLBACK,
	.uid = 1000,
	.operation = 9,
	.undoes = 8,
	.time_ns = 0x0102030405060708,
	.branch = 1,
	.snapshot = 2,
	.line = 5,
	.from_line = 4,
	.from_gen = 3,
	.gen = 7,
	.kept_snapshot = 6,
	.state = 0,
	.size_bytes = 0,
	.name = "kept",
	.old_name = "s",
	.note = "why",
};

static const char *const example_hex =
	"0600 0400 0100 0300 "		       /* op, lengths of the strings */
	"e8030000 01000000 "		       /* uid, branch */
	"0900000000000000 0800000000000000 "   /* operation, undoes */
	"0807060504030201 "		       /* time */
	"02000000 05000000 04000000 03000000 " /* snapshot, line, from */
	"07000000 06000000 00000000 00000000 " /* gen, kept, state, - */
	"0000000000000000 "		       /* size */
	"6b657074 73 776879";		       /* strings */

static int decode(const uint8_t *payload, size_t payload_bytes,
		  struct history_record *out)
{
	uint8_t *copy = hex_exact_copy(payload, payload_bytes);
	const struct record record = { .type = RECORD_TYPE_HISTORY,
				       .payload = copy,
				       .payload_bytes = payload_bytes };
	int rc = history_record_decode(&record, out);

	free(copy);
	return rc;
}

static void assert_same(const struct history_record *a,
			const struct history_record *b)
{
	assert_int_equal(a->op, b->op);
	assert_int_equal(a->uid, b->uid);
	assert_true(a->operation == b->operation && a->undoes == b->undoes);
	assert_true(a->time_ns == b->time_ns);
	assert_int_equal(a->branch, b->branch);
	assert_int_equal(a->snapshot, b->snapshot);
	assert_int_equal(a->line, b->line);
	assert_int_equal(a->from_line, b->from_line);
	assert_int_equal(a->from_gen, b->from_gen);
	assert_int_equal(a->gen, b->gen);
	assert_int_equal(a->kept_snapshot, b->kept_snapshot);
	assert_int_equal(a->state, b->state);
	assert_true(a->size_bytes == b->size_bytes);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->old_name, b->old_name);
	assert_string_equal(a->note, b->note);
}

static void test_history_record_is_these_bytes(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct history_record out;
	size_t bytes = history_record_encode(&example, payload);

	(void)state;
	hex_assert(payload, bytes, example_hex);
	assert_int_equal(decode(payload, bytes, &out), 0);
	assert_same(&out, &example);
}

static void test_every_operation_has_its_number(void **state)
{
	static const enum history_op ops[] = {
		HISTORY_OP_SNAPSHOT,	    HISTORY_OP_SNAPSHOT_STATE,
		HISTORY_OP_SNAPSHOT_RENAME, HISTORY_OP_HOLD,
		HISTORY_OP_RELEASE,	    HISTORY_OP_ROLLBACK,
		HISTORY_OP_CLONE,	    HISTORY_OP_BRANCH_STATE,
		HISTORY_OP_BRANCH_RENAME,   HISTORY_OP_RESIZE,
		HISTORY_OP_LAYERS,
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct history_record in = example, out;
	size_t i, bytes;

	(void)state;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		in.op = ops[i];
		bytes = history_record_encode(&in, payload);
		assert_int_equal(payload[0], i + 1);
		assert_int_equal(decode(payload, bytes, &out), 0);
		assert_same(&out, &in);
	}
}

static void test_the_longest_strings_fit_and_come_back(void **state)
{
	static struct history_record in, out;
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t bytes;

	(void)state;
	in = example;
	memset(in.name, 'n', sizeof(in.name) - 1);
	memset(in.old_name, 'o', sizeof(in.old_name) - 1);
	memset(in.note, 'x', sizeof(in.note) - 1);
	bytes = history_record_encode(&in, payload);
	assert_int_equal(bytes, FIXED_BYTES + 255 + 255 + 1024);
	assert_int_equal(decode(payload, bytes, &out), 0);
	assert_same(&out, &in);
}

/* F-21 */
static void test_a_record_cut_short_is_refused(void **state)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX] = { 0 };
	size_t i, bytes = hex_decode(example_hex, payload);
	struct history_record out;

	(void)state;
	for (i = 0; i < bytes; i++)
		assert_int_equal(decode(payload, i, &out), -EUCLEAN);
	for (; i < bytes + 8; i++) /* padding is passed over */
		assert_int_equal(decode(payload, i, &out), 0);
}

/* F-21 */
static void test_an_unknown_operation_is_refused(void **state)
{
	static const unsigned ops[] = { 0, HISTORY_OP_LAYERS + 1, 0xffff };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct history_record out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t bytes = hex_decode(example_hex, payload);

		hex_put(payload, 2, ops[i]);
		assert_int_equal(decode(payload, bytes, &out), -EUCLEAN);
	}
}

/* F-22 */
static void test_a_string_too_long_or_with_nul_is_refused(void **state)
{
	static const struct {
		unsigned offset, most;
	} lengths[] = { { 2, 255 }, { 4, 255 }, { 6, 1024 } };
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct history_record out;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		memset(payload, 'x', sizeof(payload));
		hex_decode(example_hex, payload);
		hex_put(payload + lengths[i].offset, 2, lengths[i].most);
		assert_int_equal(decode(payload, sizeof(payload), &out), 0);
		hex_put(payload + lengths[i].offset, 2, lengths[i].most + 1);
		assert_int_equal(decode(payload, sizeof(payload), &out),
				 -EUCLEAN);
	}
	for (i = FIXED_BYTES; i < FIXED_BYTES + 8; i++) {
		size_t bytes = hex_decode(example_hex, payload);

		payload[i] = 0;
		assert_int_equal(decode(payload, bytes, &out), -EUCLEAN);
	}
}

static int rc_of(const struct history_record *in)
{
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	struct history_record out;

	return decode(payload, history_record_encode(in, payload), &out);
}

/* F-24: lines grow away from their parents, so they make no cycle. */
static void test_a_line_older_than_its_parent_is_refused(void **state)
{
	static const struct {
		uint32_t line, from_line, gen, from_gen;
		int rc;
	} cases[] = {
		{ 2, 1, 2, 1, 0 },	  { UINT32_MAX, 1, UINT32_MAX, 1, 0 },
		{ 1, 0, 2, 1, -EUCLEAN }, { 1, 1, 2, 1, -EUCLEAN },
		{ 1, 2, 2, 1, -EUCLEAN }, { 2, 1, 1, 1, -EUCLEAN },
		{ 2, 1, 1, 2, -EUCLEAN }, { 0, 0, 2, 1, -EUCLEAN },
		{ 0, 1, 2, 1, -EUCLEAN },
	};
	struct history_record in = example;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		in.line = cases[i].line;
		in.from_line = cases[i].from_line;
		in.gen = cases[i].gen;
		in.from_gen = cases[i].from_gen;
		in.op = HISTORY_OP_ROLLBACK;
		assert_int_equal(rc_of(&in), cases[i].rc);
		in.op = HISTORY_OP_CLONE;
		assert_int_equal(rc_of(&in), cases[i].rc);
		in.op = HISTORY_OP_HOLD; /* has no lines */
		assert_int_equal(rc_of(&in), 0);
	}
}

/* F-24 */
static void test_an_unknown_state_or_size_is_refused(void **state)
{
	static const enum history_op ops[] = { HISTORY_OP_SNAPSHOT,
					       HISTORY_OP_SNAPSHOT_STATE,
					       HISTORY_OP_BRANCH_STATE };
	struct history_record in = example;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		in.op = ops[i];
		for (in.state = 0; in.state <= 2; in.state++)
			assert_int_equal(rc_of(&in), 0);
		assert_int_equal(rc_of(&in), -EUCLEAN);
		in.state = UINT32_MAX;
		assert_int_equal(rc_of(&in), -EUCLEAN);
	}
	in = example;
	in.op = HISTORY_OP_RESIZE;
	in.size_bytes = INT64_MAX;
	assert_int_equal(rc_of(&in), 0);
	in.size_bytes++;
	assert_int_equal(rc_of(&in), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history_record_is_these_bytes),
		cmocka_unit_test(test_every_operation_has_its_number),
		cmocka_unit_test(test_the_longest_strings_fit_and_come_back),
		cmocka_unit_test(test_a_record_cut_short_is_refused),
		cmocka_unit_test(test_an_unknown_operation_is_refused),
		cmocka_unit_test(test_a_string_too_long_or_with_nul_is_refused),
		cmocka_unit_test(test_a_line_older_than_its_parent_is_refused),
		cmocka_unit_test(test_an_unknown_state_or_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
