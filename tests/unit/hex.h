/* Bytes as text, for tests that pin what is on disk. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Blanks are passed over. Returns how many bytes hex stands for. */
static inline size_t hex_decode(const char *hex, uint8_t *out)
{
	size_t len_bytes = 0;
	unsigned value;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		assert_int_equal(sscanf(hex, "%2x", &value), 1);
		out[len_bytes++] = (uint8_t)value;
		hex += 2;
	}
	return len_bytes;
}

/* Fails at the first byte that is not as in hex. */
static inline void hex_assert(const void *bytes, size_t len_bytes,
			      const char *hex)
{
	const uint8_t *is = bytes;
	uint8_t expected[8192];
	size_t i, expected_bytes = hex_decode(hex, expected);

	assert_int_equal(len_bytes, expected_bytes);
	for (i = 0; i < len_bytes; i++)
		if (is[i] != expected[i])
			fail_msg("byte %zu is %02x, not %02x", i, is[i],
				 expected[i]);
}

/* Puts a little-endian number of `width` bytes. */
static inline void hex_put(uint8_t *at, size_t width, uint64_t value)
{
	size_t i;

	for (i = 0; i < width; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

/* A copy without a byte to spare: sanitizers see who reads behind it. */
static inline uint8_t *hex_exact_copy(const uint8_t *bytes, size_t len_bytes)
{
	uint8_t *copy = malloc(len_bytes ? len_bytes : 1);

	assert_non_null(copy);
	if (len_bytes)
		memcpy(copy, bytes, len_bytes);
	return copy;
}
