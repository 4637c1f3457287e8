/* Slots of one window: search and replace. */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t window_bytes(const struct window *window)
{
	return sizeof(*window) + 48 +
	       window->slot_capacity * sizeof(struct slot);
}

static unsigned slot_end(const struct slot *slot)
{
	return (unsigned)slot->first + slot->count;
}

unsigned window_search(const struct window *window, unsigned block)
{
	unsigned low = 0, high = window->slot_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (slot_end(&window->slots[middle]) <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct slot *window_slot(const struct window *window, unsigned block)
{
	unsigned i = window_search(window, block);

	if (i < window->slot_count && window->slots[i].first <= block)
		return &window->slots[i];
	return NULL;
}

bool window_uses_chunk(const struct slot *slots, unsigned slot_count,
		       const struct slot *chunk)
{
	unsigned i;

	for (i = 0; i < slot_count; i++)
		if (slot_same_chunk(&slots[i], chunk))
			return true;
	return false;
}

static int make_room(struct window *window, unsigned slot_count)
{
	unsigned capacity = window->slot_capacity ? window->slot_capacity : 4;
	struct slot *slots;

	if (slot_count <= window->slot_capacity)
		return 0;
	while (capacity < slot_count)
		capacity += capacity / 2 + 1;
	if (capacity > WINDOW_BLOCKS)
		capacity = WINDOW_BLOCKS;
	slots = realloc(window->slots, capacity * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	window->slots = slots;
	window->slot_capacity = (uint16_t)capacity;
	return 0;
}

int window_replace(struct window *window, unsigned begin, unsigned end,
		   const struct slot *slots, unsigned slot_count,
		   window_dropped *dropped, void *context)
{
	unsigned low = window_search(window, begin), high = low, i;
	struct slot left = { 0 }, right = { 0 };
	unsigned keep_left = 0, keep_right = 0, total;

	while (high < window->slot_count && window->slots[high].first < end)
		high++;
	/* Only zero slots span more than one block: their ends may stay. */
	if (low < high && window->slots[low].first < begin) {
		left = window->slots[low];
		left.count = (uint16_t)(begin - left.first);
		keep_left = 1;
	}
	if (low < high && slot_end(&window->slots[high - 1]) > end) {
		right = window->slots[high - 1];
		right.count = (uint16_t)(slot_end(&right) - end);
		right.first = (uint16_t)end;
		keep_right = 1;
	}
	total = window->slot_count - (high - low) + keep_left + slot_count +
		keep_right;
	if (make_room(window, total) < 0)
		return -ENOMEM;
	if (dropped)
		for (i = low; i < high; i++)
			if (window->slots[i].kind != SLOT_KIND_ZERO)
				dropped(context, &window->slots[i]);
	if (window->slot_count > high)
		memmove(window->slots + low + keep_left + slot_count +
				keep_right,
			window->slots + high,
			(window->slot_count - high) * sizeof(*slots));
	if (keep_left)
		window->slots[low++] = left;
	if (slot_count)
		memcpy(window->slots + low, slots, slot_count * sizeof(*slots));
	if (keep_right)
		window->slots[low + slot_count] = right;
	window->slot_count = (uint16_t)total;
	return 0;
}

const struct slot *slot_walk(struct slot_walk *walk, unsigned block)
{
	const struct slot *slot;

	for (; walk->at < walk->count; walk->at++) {
		slot = &walk->slots[walk->at];
		if ((unsigned)slot->first + slot->count > block)
			return slot->first <= block ? slot : NULL;
	}
	return NULL;
}

bool slot_same_content(const struct slot *a, const struct slot *b)
{
	if (!a || !b)
		return a == b;
	if (!slot_has_place(a) || !slot_has_place(b))
		return a->kind == b->kind;
	return slot_same_chunk(a, b) && a->lz4 == b->lz4;
}
