/*
 * Windows while records are applied: a bounded number of them, decoded, in
 * front of the rows.
 *
 * I1: of one window at most one line's view is dirty: before another line's
 *     is loaded, what there is of it is saved. So rows tell what that sees.
 * I2: a row without slots is there only if it hides one that has some.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply_impl.h"

void apply_slots_spread(const struct slot *slots, size_t count,
			struct slot *blocks)
{
	size_t i;
	unsigned n;

	memset(blocks, 0, WINDOW_BLOCKS * sizeof(*blocks));
	for (i = 0; i < count; i++)
		for (n = 0; n < slots[i].count; n++) {
			struct slot *block = &blocks[slots[i].first + n];

			*block = slots[i];
			block->first = (uint16_t)(slots[i].first + n);
			block->count = 1;
		}
}

size_t apply_slots_gather(const struct slot *blocks, struct slot *slots)
{
	size_t count = 0;
	unsigned i;

	for (i = 0; i < WINDOW_BLOCKS; i++) {
		struct slot *last = count ? &slots[count - 1] : NULL;

		if (blocks[i].kind == 0)
			continue;
		if (blocks[i].kind == SLOT_KIND_ZERO && last &&
		    last->kind == SLOT_KIND_ZERO &&
		    last->birth == blocks[i].birth &&
		    last->first + last->count == i)
			last->count++;
		else
			slots[count++] = blocks[i];
	}
	return count;
}

/*
 * The newest row of the window that the path sees: from the newest row of all
 * down to the next level that can have one, until they agree. 0: none. A row
 * with a line or generation that is no number of 32 bits would be met again and
 * again: it is none.
 */
static int find_row(struct apply *apply, const struct apply_level *path,
		    size_t count, struct window_key *key, size_t *out_bytes)
{
	uint32_t line = UINT32_MAX, gen = UINT32_MAX;
	const struct apply_level *level;
	sqlite3_stmt *row;
	int rc;

	for (;;) {
		rc = query_begin(
			apply->queries, &row,
			"SELECT line, gen, slots FROM windows"
			" WHERE inode = ? AND window = ?"
			" AND (line, gen) <= (?, ?)"
			" AND line >= 0 AND gen BETWEEN 0 AND "
			"4294967295 ORDER BY line DESC, gen DESC LIMIT 1",
			"iiii", (int64_t)key->inode, (int64_t)key->window,
			(int64_t)line, (int64_t)gen);
		if (rc <= 0)
			return rc;
		line = query_u32(row, 0);
		gen = query_u32(row, 1);
		level = apply_level_at(path, count, line);
		if (level && level->line == line && gen <= level->gen)
			break;
		query_end(row);
		if (!level)
			return 0;
		line = level->line;
		gen = level->gen;
	}
	key->line = line;
	key->gen = gen;
	*out_bytes = (size_t)sqlite3_column_bytes(row, 2);
	if (*out_bytes <= sizeof(apply->row))
		memcpy(apply->row, sqlite3_column_blob(row, 2), *out_bytes);
	query_end(row);
	return 1;
}

int apply_row_of_window(struct apply *apply, struct window_key *key,
			uint8_t *row, size_t *out_bytes)
{
	struct apply_level *path = NULL;
	size_t count = 0, capacity = 0;
	int rc = apply_path(apply, key->line, key->gen, &path, &count,
			    &capacity);

	if (rc == 0)
		rc = find_row(apply, path, count, key, out_bytes);
	else if (rc == 1)
		rc = 0;
	free(path);
	if (rc == 1 && *out_bytes > WINDOW_ROW_BYTES_MAX)
		rc = 0;
	if (rc == 1)
		memcpy(row, apply->row, *out_bytes);
	return rc;
}

static int hides(struct apply *apply, const struct window_key *key,
		 bool *out_hides)
{
	struct apply_level *path = NULL;
	struct window_key older = *key;
	size_t count = 0, capacity = 0, bytes = 0;
	int rc = apply_path(apply, key->line, key->gen - 1, &path, &count,
			    &capacity);

	if (rc == 0)
		rc = find_row(apply, path, count, &older, &bytes);
	else if (rc == 1)
		rc = 0;
	free(path);
	*out_hides = rc == 1 && bytes > WINDOW_HEADER_BYTES;
	return rc < 0 ? rc : 0;
}

static int save(struct apply *apply, struct apply_window *window)
{
	const struct window_key key = { window->inode, window->number,
					window->line, window->gen };
	struct slot slots[WINDOW_BLOCKS];
	size_t count, bytes;
	bool needed = true;
	int rc = 0;

	if (!window->dirty)
		return 0;
	window->dirty = false;
	count = apply_slots_gather(window->slots, slots);
	if (count == 0)
		rc = hides(apply, &key, &needed); /* I2 */
	if (rc < 0)
		return rc;
	if (!needed)
		return query_run(apply->queries,
				 "DELETE FROM windows WHERE inode = ? AND"
				 " window = ? AND line = ? AND gen = ?",
				 "iiii", (int64_t)key.inode,
				 (int64_t)key.window, (int64_t)key.line,
				 (int64_t)key.gen);
	bytes = window_encode(apply->seed, &key, slots, count, apply->row);
	return query_run(apply->queries,
			 "INSERT INTO windows(inode, window, line, gen, slots)"
			 " VALUES(?, ?, ?, ?, ?)"
			 " ON CONFLICT(inode, window, line, gen)"
			 " DO UPDATE SET slots = excluded.slots",
			 "iiiib", (int64_t)key.inode, (int64_t)key.window,
			 (int64_t)key.line, (int64_t)key.gen, apply->row,
			 bytes);
}

int apply_windows_flush(struct apply *apply, uint64_t inode, bool forget)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < APPLY_WINDOWS && rc == 0; i++) {
		struct apply_window *window = &apply->windows[i];

		if (!window->head_line || (inode && window->inode != inode))
			continue;
		rc = save(apply, window);
		if (forget)
			window->head_line = 0;
	}
	return rc;
}

/* The one of this line, or a free place for it; others are saved (I1). */
static int find_place(struct apply *apply, uint64_t inode, uint64_t number,
		      struct apply_window **out)
{
	struct apply_window *oldest = &apply->windows[0];
	size_t i;
	int rc = 0;

	for (i = 0; i < APPLY_WINDOWS; i++) {
		struct apply_window *window = &apply->windows[i];

		if (window->head_line == apply->target.line &&
		    window->inode == inode && window->number == number) {
			*out = window;
			return 0;
		}
		if (!window->head_line ||
		    (oldest->head_line && window->used_nr < oldest->used_nr))
			oldest = window;
	}
	for (i = 0; i < APPLY_WINDOWS && rc == 0; i++)
		if (apply->windows[i].head_line &&
		    apply->windows[i].inode == inode &&
		    apply->windows[i].number == number)
			rc = save(apply, &apply->windows[i]);
	if (rc == 0 && oldest->head_line)
		rc = save(apply, oldest);
	oldest->head_line = 0;
	*out = oldest;
	return rc;
}

static int load(struct apply *apply, uint64_t inode, uint64_t number,
		struct apply_window *window)
{
	struct window_key key = { inode, number, 0, 0 };
	struct slot slots[WINDOW_BLOCKS];
	size_t bytes = 0, count = 0;
	int rc = find_row(apply, apply->target.path, apply->target.path_count,
			  &key, &bytes);

	if (rc < 0)
		return rc;
	if (rc == 1 && window_decode(apply->seed, &key, apply->row, bytes,
				     slots, &count) < 0) {
		apply_trouble(apply, APPLY_TROUBLE_ROW, key.line, key.gen,
			      inode, number * WINDOW_BLOCKS);
		return 1;
	}
	window->inode = inode;
	window->number = number;
	window->line = key.line;
	window->gen = key.gen;
	window->dirty = false;
	apply_slots_spread(slots, count, window->slots);
	window->head_line = apply->target.line;
	return 0;
}

int apply_window_get(struct apply *apply, uint64_t inode, uint64_t number,
		     struct apply_window **out)
{
	int rc = find_place(apply, inode, number, out);

	if (rc == 0 && !(*out)->head_line)
		rc = load(apply, inode, number, *out);
	if (rc == 0)
		(*out)->used_nr = ++apply->used_nr;
	return rc;
}

int apply_window_own(struct apply *apply, struct apply_window *window)
{
	const struct apply_target *target = &apply->target;
	int rc = 0;

	if (window->line != target->line || window->gen <= target->last_point) {
		rc = save(apply, window); /* others see this version */
		window->line = target->line;
		window->gen = target->gen;
	}
	window->dirty = true;
	return rc;
}
