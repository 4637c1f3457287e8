/*
 * Little-endian members of on-disk structures. They are structs, so that
 * arithmetic can't touch them, and byte arrays, so that nothing is padded.
 */
#pragma once

#include <stdint.h>

struct le16 {
	uint8_t byte[2];
};

struct le32 {
	uint8_t byte[4];
};

struct le64 {
	uint8_t byte[8];
};

static inline uint16_t le16_get(struct le16 value)
{
	return (uint16_t)(value.byte[0] | value.byte[1] << 8);
}

static inline struct le16 le16_put(uint16_t value)
{
	return (struct le16){ { (uint8_t)value, (uint8_t)(value >> 8) } };
}

static inline uint32_t le32_get(struct le32 value)
{
	return (uint32_t)value.byte[0] | (uint32_t)value.byte[1] << 8 |
	       (uint32_t)value.byte[2] << 16 | (uint32_t)value.byte[3] << 24;
}

static inline struct le32 le32_put(uint32_t value)
{
	return (struct le32){ { (uint8_t)value, (uint8_t)(value >> 8),
				(uint8_t)(value >> 16),
				(uint8_t)(value >> 24) } };
}

static inline uint64_t le64_get(struct le64 value)
{
	uint64_t result = 0;
	int i;

	for (i = 7; i >= 0; i--)
		result = result << 8 | value.byte[i];
	return result;
}

static inline struct le64 le64_put(uint64_t value)
{
	struct le64 result;
	int i;

	for (i = 0; i < 8; i++)
		result.byte[i] = (uint8_t)(value >> (8 * i));
	return result;
}
