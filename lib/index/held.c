/* Bytes that wait for room. No locks of its own. */
#include "held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_BYTES = 1 << 16 };

void held_fini(struct held *held)
{
	free(held->bytes);
	*held = (struct held){ 0 };
}

bool held_has(const struct held *held, uint64_t offset)
{
	return held->len_bytes > 0 && offset >= held->begin;
}

static int grow(struct held *held, size_t len_bytes)
{
	size_t capacity = held->capacity_bytes ? held->capacity_bytes :
						 LEAST_BYTES;
	void *grown;

	while (capacity < len_bytes)
		capacity *= 2;
	if (capacity == held->capacity_bytes)
		return 0;
	grown = realloc(held->bytes, capacity);
	if (!grown)
		return -ENOSPC;
	held->bytes = grown;
	held->capacity_bytes = capacity;
	return 0;
}

int held_put(struct held *held, uint64_t offset, const void *data,
	     size_t len_bytes)
{
	size_t at;
	int rc;

	if (held->len_bytes == 0)
		held->begin = offset;
	if (offset < held->begin || offset > held->begin + held->len_bytes)
		return -ENOSPC;
	at = (size_t)(offset - held->begin);
	rc = grow(held, at + len_bytes);
	if (rc < 0)
		return rc;
	memcpy(held->bytes + at, data, len_bytes);
	if (at + len_bytes > held->len_bytes)
		held->len_bytes = at + len_bytes;
	return 0;
}

size_t held_get(const struct held *held, uint64_t offset, void *data,
		size_t len_bytes)
{
	size_t at = (size_t)(offset - held->begin);

	if (at >= held->len_bytes)
		return 0;
	if (len_bytes > held->len_bytes - at)
		len_bytes = held->len_bytes - at;
	memcpy(data, held->bytes + at, len_bytes);
	return len_bytes;
}

void held_drop(struct held *held, size_t len_bytes)
{
	held->begin += len_bytes;
	held->len_bytes -= len_bytes;
	if (held->len_bytes == 0)
		held_fini(held);
	else
		memmove(held->bytes, held->bytes + len_bytes, held->len_bytes);
}
