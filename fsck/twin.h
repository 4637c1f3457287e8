/*
 * A second index, made of index.bak and the log after it: what index.db says
 * too, if nothing is damaged. Made when a row is first asked for.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "scope.h"
#include "window_format.h"

struct check;

/*
 * The version of a window that (line, gen) is, encoded for that key. 1: it is
 * in row, which holds WINDOW_ROW_BYTES_MAX; 0: nobody knows.
 */
NODISCARD int twin_window(struct check *check, const struct window_key *key,
			  uint8_t *row, size_t *out_bytes);
/* The same of an item: its value; value holds ITEM_VALUE_BYTES_MAX. */
NODISCARD int twin_item(struct check *check, const uint8_t *key,
			size_t key_bytes, uint32_t line, uint32_t gen,
			uint8_t *value, size_t *out_bytes);
void twin_close(struct check *check);
