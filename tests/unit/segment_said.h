/*
 * What the segments alone say of a store's blocks, compared with its map: all
 * records are read with format/ alone, and every view's map is made of them
 * as docs/format.md, 8.6 has it.
 */
#pragma once

#include "fold_notes.h"
#include "segment_reader.h"
#include "store_impl.h"
#include "store_world.h"

/* Of the image; the tests' stay below. */
enum { FILE_BLOCKS = 3 * WINDOW_BLOCKS };

/* What a record says of one block of the image. */
struct said {
	uint32_t line, gen, block;
	uint64_t lsn;
	struct location at; /* segment 0: zeros */
	unsigned skip;
};

struct reading {
	struct store_world *world;
	struct said *list;
	size_t count, capacity;
	uint8_t *named; /* bits: segment * SEGMENT_BLOCKS + block */
	uint32_t segments;
	uint64_t elsewhere, here; /* records and their blocks */
	uint64_t kept;
};

static inline void name_blocks(struct reading *reading, uint32_t segment,
			       struct location at, unsigned blocks)
{
	size_t bit = (size_t)at.segment * SEGMENT_BLOCKS + at.block;

	assert_true(at.segment < reading->segments);
	for (; blocks > 0; blocks--, bit++)
		reading->named[bit / 8] |= (uint8_t)(1U << (bit % 8));
	if (at.segment == segment)
		reading->here++;
	else
		reading->elsewhere++;
}

static inline void say(struct reading *reading, const struct said *said)
{
	if (reading->count == reading->capacity) {
		reading->capacity = 2 * reading->capacity + 1024;
		reading->list = reallocarray(reading->list, reading->capacity,
					     sizeof(*reading->list));
		assert_non_null(reading->list);
	}
	reading->list[reading->count++] = *said;
}

static inline void read_extent(struct reading *reading, uint32_t segment,
			       const struct record *record)
{
	struct extent_record extent;
	unsigned i;

	assert_int_equal(extent_record_decode(record, &extent), 0);
	name_blocks(reading, segment, extent.chunk, extent.stored_blocks);
	for (i = 0; i < extent.block_count; i++) {
		bool raw = record->type == RECORD_TYPE_RAW;
		struct said said = { extent.line,
				     extent.gen,
				     (uint32_t)extent.first_block + i,
				     record->lsn,
				     { extent.chunk.segment,
				       extent.chunk.block + (raw ? i : 0) },
				     raw ? 0 : i };

		say(reading, &said);
	}
}

static inline void read_move(struct reading *reading, uint32_t segment,
			     const struct record *record)
{
	struct move_record move;
	unsigned i;

	assert_int_equal(move_record_decode(record, &move), 0);
	name_blocks(reading, segment, move.chunk, move.stored_blocks);
	for (i = 0; i < move.block_count; i++) {
		struct said said = { move.line,
				     move.birth,
				     (uint32_t)(move.window * WINDOW_BLOCKS) +
					     move.source[i].first,
				     record->lsn,
				     { move.chunk.segment,
				       move.chunk.block +
					       (move.is_lz4 ? 0 : i) },
				     move.is_lz4 ? i : 0 };

		say(reading, &said);
	}
}

static inline void read_share(struct reading *reading, uint32_t segment,
			      const struct record *record)
{
	static struct share_record share;
	size_t i;

	assert_int_equal(share_record_decode(record, &share), 0);
	for (i = 0; i < share.slot_count; i++) {
		const struct slot *slot = &share.slots[i];
		struct said said = { share.line,
				     share.gen,
				     (uint32_t)(share.window * WINDOW_BLOCKS) +
					     slot->first,
				     record->lsn,
				     { slot->segment, slot->block },
				     slot_skip(slot) };

		name_blocks(reading, segment, said.at,
			    slot_stored_blocks(slot));
		say(reading, &said);
	}
}

static inline void read_zeros(struct reading *reading,
			      const struct record *record)
{
	struct resize_record resize;
	struct zero_record zero;
	uint64_t block, first, end;
	struct said said = { .lsn = record->lsn };

	if (record->type == RECORD_TYPE_ZERO) {
		assert_int_equal(zero_record_decode(record, &zero), 0);
		said.line = zero.line;
		said.gen = zero.gen;
		first = zero.first_block;
		end = first + zero.block_count;
	} else {
		assert_int_equal(resize_record_decode(record, &resize), 0);
		said.line = resize.line;
		said.gen = resize.gen;
		first = (resize.size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
		end = FILE_BLOCKS;
	}
	for (block = first; block < end && block < FILE_BLOCKS; block++) {
		said.block = (uint32_t)block;
		say(reading, &said);
	}
}

static inline void read_record(void *context, uint32_t segment,
			       const struct record *record)
{
	struct reading *reading = context;
	struct kept_record kept;

	switch ((int)record->type) {
	case RECORD_TYPE_RAW:
	case RECORD_TYPE_LZ4:
		read_extent(reading, segment, record);
		break;
	case RECORD_TYPE_MOVE:
		read_move(reading, segment, record);
		break;
	case RECORD_TYPE_SHARE:
		read_share(reading, segment, record);
		break;
	case RECORD_TYPE_ZERO:
	case RECORD_TYPE_RESIZE:
		read_zeros(reading, record);
		break;
	case RECORD_TYPE_KEPT:
		reading->kept++;
		assert_int_equal(kept_record_decode(record, &kept), 0);
		read_record(context, segment, &kept.record);
		break;
	default:
		break;
	}
}

static inline void assert_live_blocks_are_named(const struct reading *reading)
{
	struct space_map *map = &reading->world->store->space;
	struct location at;

	for (at.segment = 1; at.segment < reading->segments; at.segment++) {
		const struct segment_space *segment;
		unsigned live = 0, named = 0, metadata;

		mutex_lock(&map->lock);
		segment = space_map_segment(map, at.segment);
		metadata = segment ? segment->metadata_blocks : 0;
		mutex_unlock(&map->lock);
		if (!segment)
			continue;
		for (at.block = 0; at.block < SEGMENT_BLOCKS; at.block++) {
			size_t bit =
				(size_t)at.segment * SEGMENT_BLOCKS + at.block;

			if (!space_map_is_live(map, at))
				continue;
			live++;
			named += reading->named[bit / 8] >> (bit % 8) & 1;
		}
		assert_int_equal(live, named + metadata);
	}
}

/* Of two that a view may see, the one that counts. */
static inline bool newer(const struct said *a, const struct said *b)
{
	if (a->line != b->line)
		return a->line > b->line;
	if (a->gen != b->gen)
		return a->gen > b->gen;
	return a->lsn > b->lsn;
}

static inline void assert_view_is_said(const struct reading *reading,
				       const struct line_path *path,
				       struct view *view, const char *who)
{
	const struct said **best = calloc(FILE_BLOCKS, sizeof(*best));
	struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	struct space_map *map = &reading->world->store->space;
	uint64_t visible =
		(view_image(view)->item.base_visible_bytes + BLOCK_BYTES - 1) /
		BLOCK_BYTES;
	unsigned count, block = 0;
	size_t i;

	assert_true(best && slots);
	for (i = 0; i < reading->count; i++) {
		const struct said *said = &reading->list[i];
		const struct line_limit *level =
			line_path_find(path, said->line);

		if (level && said->gen <= level->gen &&
		    said->block < FILE_BLOCKS &&
		    (!best[said->block] || newer(said, best[said->block])))
			best[said->block] = said;
	}
	for (; block < FILE_BLOCKS; block++) {
		const struct said *said = best[block];
		struct slot_walk walk = { .slots = slots };
		bool zero;
		const struct slot *slot;

		if (block % WINDOW_BLOCKS == 0)
			assert_int_equal(file_map_window(view_image(view),
							 block / WINDOW_BLOCKS,
							 slots, &count),
					 0);
		walk.count = count;
		slot = slot_walk(&walk, block % WINDOW_BLOCKS);
		/* What is not in use was punched, or its checksum fails. */
		if (said && said->at.segment &&
		    !space_map_is_live(map, said->at))
			said = NULL;
		zero = said && said->at.segment == 0;
		if (!slot || slot->kind == SLOT_KIND_ZERO) {
			if (slot ? !zero : zero && block < visible)
				fail_msg("%s: block %u is %s", who, block,
					 slot ? "zeros" : "base's");
			if (said && said->at.segment)
				fail_msg("%s: block %u was zero, not at %u:%u "
					 "(line %u, gen %u, lsn %lu)",
					 who, block, said->at.segment,
					 said->at.block, said->line, said->gen,
					 (unsigned long)said->lsn);
			continue;
		}
		if (!said || said->at.segment != slot->segment ||
		    said->at.block != slot->block ||
		    said->skip != slot_skip(slot))
			fail_msg("%s: block %u is at %u:%u, not at %u:%u", who,
				 block, slot->segment, slot->block,
				 said ? said->at.segment : 0,
				 said ? said->at.block : 0);
	}
	free(best);
	free(slots);
}

static inline void assert_views_are_said(const struct reading *reading)
{
	struct store *store = reading->world->store;
	struct failure failure = { 0 };
	struct line_path *path;
	struct view *view;
	char who[64];
	size_t i;

	for (i = 0; i < store->graph.snapshot_count; i++) {
		const struct snapshot_row *row =
			&store->graph.snapshots[i]->row;

		if (row->state != SNAPSHOT_STATE_LIVE)
			continue;
		assert_int_equal(
			view_open_snapshot(store, row->id, &view, &failure), 0);
		path = graph_path(&store->graph, row->line, row->gen);
		snprintf(who, sizeof(who), "snapshot %u", row->id);
		assert_view_is_said(reading, path, view, who);
		line_path_put(path);
		view_put(view);
	}
	for (i = 0; i < store->graph.branch_count; i++) {
		const struct branch_row *row = &store->graph.branches[i]->row;

		if (row->state != BRANCH_STATE_LIVE)
			continue;
		assert_int_equal(
			view_open_branch(store, row->name, &view, &failure), 0);
		path = graph_path(&store->graph, row->line, row->gen);
		snprintf(who, sizeof(who), "branch %u", row->id);
		assert_view_is_said(reading, path, view, who);
		line_path_put(path);
		view_put(view);
	}
}

static inline struct reading read_and_check(struct store_world *world)
{
	struct reading reading = {
		.world = world,
		.segments = space_map_newest(&world->store->space) + 2,
	};
	size_t i, j = 0;

	reading.named =
		calloc((size_t)reading.segments * SEGMENT_BLOCKS / 8 + 1, 1);
	assert_non_null(reading.named);
	/* So that nothing is moved in between. */
	mutex_lock(&world->store->maintenance_lock);
	reader_walk_store(world->path, read_record, &reading);
	for (i = 0; i < reading.count; i++) {
		struct said said = reading.list[i];

		if (fold_note_find(world->store, &said.line, said.gen))
			reading.list[j++] = said;
	}
	reading.count = j;
	assert_live_blocks_are_named(&reading);
	assert_views_are_said(&reading);
	mutex_unlock(&world->store->maintenance_lock);
	free(reading.named);
	free(reading.list);
	return reading;
}
