/* What tells one base from another, and how the difference is put. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "base_impl.h"

enum { SIZE = 1 << 20 };

static int file_with(size_t size_bytes, size_t at, char byte)
{
	FILE *file = tmpfile();
	int fd;

	assert_non_null(file);
	fd = dup(fileno(file));
	assert_int_equal(fclose(file), 0);
	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	return fd;
}

static struct base_fingerprint take(size_t size_bytes, size_t at, char byte,
				    bool full_hash)
{
	AUTO_CLOSE int fd = file_with(size_bytes, at, byte);
	struct base_fingerprint f;

	assert_int_equal(fingerprint_take(fd, full_hash, &f), 0);
	assert_int_equal(f.size_bytes, size_bytes);
	f.mtime_ns = 0; /* of equal age */
	return f;
}

static void assert_difference(const struct base_fingerprint *a,
			      const struct base_fingerprint *b,
			      const char *word)
{
	char text[256];

	fingerprint_difference(a, b, text, sizeof(text));
	if (word)
		assert_non_null(strstr(text, word));
	else
		assert_string_equal(text, "");
}

/* What an earlier state of this seed may leave where the next one lies. */
__attribute__((noinline)) static uint64_t soil_stack(uint64_t seed,
						     uint64_t dirt)
{
	_Alignas(64) volatile uint64_t stack[2048];
	size_t i, seed_at = offsetof(XXH3_state_t, seed) % 64 / 8;
	size_t secret_at = offsetof(XXH3_state_t, extSecret) % 64 / 8;

	for (i = 0; i < 2048; i++)
		stack[i] = i % 8 == seed_at   ? seed :
			   i % 8 == secret_at ? 0 :
						dirt;
	return stack[seed_at];
}

static void test_the_hash_does_not_depend_on_the_stack(void **state)
{
	AUTO_CLOSE int fd = file_with(SIZE, 5, 'x');
	struct base_fingerprint a, b;

	(void)state;
	assert_int_equal(soil_stack(SIZE, 1), SIZE);
	assert_int_equal(fingerprint_take(fd, true, &a), 0);
	assert_int_equal(soil_stack(SIZE, 2), SIZE);
	assert_int_equal(fingerprint_take(fd, true, &b), 0);
	assert_int_equal(a.sample_hash, b.sample_hash);
	assert_int_equal(a.full_hash, b.full_hash);
}

static void test_equal_content_is_equal_wherever_it_lies(void **state)
{
	struct base_fingerprint a = take(SIZE, 5, 'x', true);
	struct base_fingerprint b = take(SIZE, 5, 'x', true);

	(void)state;
	assert_int_equal(a.sample_hash, b.sample_hash);
	assert_int_equal(a.full_hash, b.full_hash);
	assert_difference(&a, &b, NULL);
}

static void test_first_and_last_byte_are_sampled(void **state)
{
	static const size_t sizes[] = { 1,    4095, 4096,    4097,
					8192, SIZE, SIZE + 1 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct base_fingerprint a = take(sizes[i], 0, 0, false);
		struct base_fingerprint b = take(sizes[i], 0, 'x', false);
		struct base_fingerprint c =
			take(sizes[i], sizes[i] - 1, 'y', false);

		assert_difference(&a, &b, "content");
		assert_difference(&a, &c, "content");
	}
}

static void test_full_hash_sees_every_byte(void **state)
{
	/* Between two samples. */
	struct base_fingerprint a = take(8 * SIZE, 0, 0, true);
	struct base_fingerprint b = take(8 * SIZE, 70000, 'x', true);

	(void)state;
	assert_true(a.has_full_hash && b.has_full_hash);
	assert_int_equal(a.sample_hash, b.sample_hash);
	assert_difference(&a, &b, "content");
}

static void test_kind_size_and_time_are_told_apart(void **state)
{
	struct base_fingerprint a = take(SIZE, 0, 'x', false);
	struct base_fingerprint b = take(SIZE + 1, 0, 'x', false);

	(void)state;
	assert_difference(&a, &b, "1048577");
	b = a;
	b.mtime_ns++;
	assert_difference(&a, &b, "modified");
	b.kind = BASE_KIND_DEVICE;
	assert_difference(&a, &b, "block device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_hash_does_not_depend_on_the_stack),
		cmocka_unit_test(test_equal_content_is_equal_wherever_it_lies),
		cmocka_unit_test(test_first_and_last_byte_are_sampled),
		cmocka_unit_test(test_full_hash_sees_every_byte),
		cmocka_unit_test(test_kind_size_and_time_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
