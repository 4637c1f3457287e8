/*
 * Recovery: the log from the index's position on, applied as it was the
 * first time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"

struct replay {
	struct store *store;
	uint64_t changes;   /* records that are any */
	struct batch batch; /* of pieces, until the last comes */
	uint8_t data[CHUNK_BLOCKS_MAX * BLOCK_BYTES];
};

/* After a power cut a record may be there and its blocks not. */
static int verify_blocks(struct replay *replay,
			 const struct extent_record *extent, bool is_lz4)
{
	struct store *store = replay->store;
	uint32_t i, step = is_lz4 ? extent->stored_blocks : 1;

	for (i = 0; i < extent->stored_blocks; i += step) {
		struct location at = { extent->chunk.segment,
				       extent->chunk.block + i };
		int rc = log_read_blocks(store->log, at, replay->data, step);

		if (rc == -ENOENT)
			return -ENODATA;
		if (rc < 0)
			return rc;
		if (block_checksum(store->seed, replay->data,
				   (size_t)step * BLOCK_BYTES) !=
		    extent->sums[is_lz4 ? 0 : i])
			return -ENODATA;
	}
	return 0;
}

/* The head that wrote a record. Heads stay open while the log is replayed. */
static int head_of_line(struct store *store, uint32_t line, uint32_t gen,
			struct view **out_view) REQUIRES(store->order_lock)
{
	struct branch *branch = graph_branch_of_line(&store->graph, line);
	int rc;

	if (!branch || branch->row.gen != gen)
		return -EUCLEAN;
	rc = view_head_locked(store, branch, out_view);
	if (rc == 0)
		(*out_view)->references = 1;
	return rc;
}

static int file_of(struct store *store, uint32_t line, uint32_t gen,
		   uint64_t inode, struct file **out_file)
	REQUIRES(store->order_lock)
{
	struct view *view = NULL;
	int rc = head_of_line(store, line, gen, &view);

	if (rc < 0)
		return rc;
	mutex_assert_held(&view->store->order_lock);
	rc = file_get_locked(view, inode, out_file);
	return rc == -ENOENT ? -EUCLEAN : rc;
}

static int apply_extent(struct replay *replay, const struct record *record,
			bool durable) REQUIRES(replay->store->order_lock)
{
	bool is_lz4 = record->type == RECORD_TYPE_LZ4;
	struct extent_record extent;
	struct file *file = NULL;
	int rc = extent_record_decode(record, &extent);

	if (rc == 0 && !durable)
		rc = verify_blocks(replay, &extent, is_lz4);
	if (rc == 0)
		rc = file_of(replay->store, extent.line, extent.gen,
			     extent.inode, &file);
	if (rc != 0)
		return rc;
	mutex_assert_held(&file->view->store->order_lock);
	rc = file_apply_extent_locked(file, &extent, is_lz4);
	return rc < 0 ? rc : file_put_locked(file);
}

static int apply_share(struct store *store, const struct record *record)
	REQUIRES(store->order_lock)
{
	AUTO_FREE struct share_record *share = malloc(sizeof(*share));
	struct file *file = NULL;
	int rc = share ? share_record_decode(record, share) : -ENOMEM;

	if (rc == 0)
		rc = file_of(store, share->line, share->gen, share->inode,
			     &file);
	if (rc != 0)
		return rc;
	mutex_assert_held(&file->view->store->order_lock);
	rc = file_apply_share_locked(file, share);
	return rc < 0 ? rc : file_put_locked(file);
}

static int apply_zero(struct store *store, const struct record *record)
	REQUIRES(store->order_lock)
{
	struct zero_record zero;
	struct file *file = NULL;
	int rc = zero_record_decode(record, &zero);

	if (rc == 0)
		rc = file_of(store, zero.line, zero.gen, zero.inode, &file);
	if (rc != 0)
		return rc;
	mutex_assert_held(&file->view->store->order_lock);
	rc = file_apply_zero_locked(file, zero.first_block, zero.block_count);
	return rc < 0 ? rc : file_put_locked(file);
}

static int apply_resize(struct store *store, const struct record *record)
	REQUIRES(store->order_lock)
{
	struct resize_record resize;
	struct file *file = NULL;
	int rc = resize_record_decode(record, &resize);

	if (rc == 0)
		rc = file_of(store, resize.line, resize.gen, resize.inode,
			     &file);
	if (rc != 0)
		return rc;
	mutex_assert_held(&file->view->store->order_lock);
	rc = file_apply_resize_locked(file, resize.size_bytes);
	return rc < 0 ? rc : file_put_locked(file);
}

static int apply_attributes(struct store *store, const struct record *record)
	REQUIRES(store->order_lock)
{
	struct attributes_record attributes;
	struct file *file = NULL;
	int rc = attributes_record_decode(record, &attributes);

	if (rc == 0)
		rc = file_of(store, attributes.line, attributes.gen,
			     attributes.inode, &file);
	if (rc != 0)
		return rc;
	mutex_assert_held(&file->view->store->order_lock);
	file_apply_attributes_locked(file, &attributes);
	return file_put_locked(file);
}

/* One piece of a batch; all of it is applied with the last. */
static int apply_items(struct replay *replay, const struct record *record)
	REQUIRES(replay->store->order_lock)
{
	struct batch *batch = &replay->batch;
	struct items_record piece;
	struct view *view = NULL;
	int rc = items_record_decode(record, &piece);

	if (rc == 0)
		rc = batch_add_piece(batch, &piece);
	if (rc < 0 || batch->goes_on)
		return rc;
	rc = head_of_line(replay->store, batch->line, batch->gen, &view);
	if (rc < 0)
		return rc;
	mutex_assert_held(&view->store->order_lock);
	return items_apply_locked(view, batch);
}

static int apply_history(struct store *store, const struct record *record)
	REQUIRES(store->order_lock)
{
	AUTO_FREE struct history_record *history = malloc(sizeof(*history));
	int rc;

	if (!history)
		return -ENOMEM;
	rc = history_record_decode(record, history);
	return rc < 0 ? rc : history_apply_locked(store, history, record->lsn);
}

static int apply_move(struct replay *replay, const struct record *record,
		      bool durable) REQUIRES(replay->store->order_lock)
{
	struct extent_record chunk = { 0 };
	struct move_record move;
	int rc = move_record_decode(record, &move);

	if (rc < 0)
		return rc;
	chunk.chunk = move.chunk;
	chunk.stored_blocks = move.stored_blocks;
	memcpy(chunk.sums, move.sums, sizeof(move.sums));
	if (!durable) {
		rc = verify_blocks(replay, &chunk, move.is_lz4);
		if (rc < 0)
			return rc;
	}
	return move_apply_locked(replay->store, &move);
}

static int apply(void *context, const struct record *record, bool durable)
{
	struct replay *replay = context;
	struct store *store = replay->store;

	mutex_assert_held(&store->order_lock); /* by store_recover() */
	mutex_assert_held(&replay->store->order_lock);
	store->replayed_lsn = record->lsn;
	if (record->type == RECORD_TYPE_SYNCED ||
	    record->type == RECORD_TYPE_STATE ||
	    record->type == RECORD_TYPE_KEPT)
		return 0; /* the index has it */
	replay->changes++;
	if (record->type != RECORD_TYPE_ITEMS)
		batch_reset(&replay->batch); /* its end never came */
	switch (record->type) {
	case RECORD_TYPE_RAW:
	case RECORD_TYPE_LZ4:
		return apply_extent(replay, record, durable);
	case RECORD_TYPE_ZERO:
		return apply_zero(store, record);
	case RECORD_TYPE_RESIZE:
		return apply_resize(store, record);
	case RECORD_TYPE_ATTRIBUTES:
		return apply_attributes(store, record);
	case RECORD_TYPE_HISTORY:
		return apply_history(store, record);
	case RECORD_TYPE_MOVE:
		return apply_move(replay, record, durable);
	case RECORD_TYPE_ITEMS:
		return apply_items(replay, record);
	case RECORD_TYPE_SHARE:
		return apply_share(store, record);
	case RECORD_TYPE_JUMP:
	case RECORD_TYPE_SYNCED:
	case RECORD_TYPE_STATE:
	case RECORD_TYPE_KEPT:
		break;
	}
	return -EUCLEAN;
}

/* Heads that only the replay opened are closed again; their rows wait for
 * the checkpoint that follows. */
static int close_heads_locked(struct store *store) REQUIRES(store->order_lock)
{
	int rc = 0;

	while (store->views && rc == 0) {
		rc = view_keep_inodes_locked(store, store->views);
		if (rc == 0)
			view_free_locked(store, store->views);
	}
	return rc;
}

static int explain(struct store *store, int rc,
		   const struct log_replay_result *result,
		   struct failure *failure)
{
	char name[16];

	log_segment_name(result->bad.segment, name);
	if (rc != -EUCLEAN)
		return failure_errno(failure, rc, store->path,
				     "can't replay the log");
	failure_set(failure, FAILURE_CORRUPT, store->path,
		    "the log is damaged in segments/%s, block %u: records "
		    "that were durable are missing or wrong",
		    name, result->bad.block);
	failure_hint(failure, "restore the segment from a backup; nothing was "
			      "changed");
	return rc;
}

int store_recover(struct store *store, bool was_clean, struct failure *failure)
{
	AUTO_FREE struct replay *replay = calloc(1, sizeof(*replay));
	struct log_replay_result result = { 0 };
	int64_t begin = store_monotonic_ns();
	int rc;

	if (!replay)
		return failure_errno(failure, -ENOMEM, store->path,
				     "can't replay the log");
	replay->store = store;
	replay->batch.bytes = malloc(BATCH_BYTES_MAX);
	replay->batch.capacity_bytes = BATCH_BYTES_MAX;
	if (!replay->batch.bytes)
		return failure_errno(failure, -ENOMEM, store->path,
				     "can't replay the log");
	mutex_lock(&store->order_lock);
	rc = log_replay(store->log, apply, replay, &result);
	if (rc == 0)
		rc = close_heads_locked(store);
	mutex_unlock(&store->order_lock);
	free(replay->batch.bytes);
	if (rc < 0)
		return explain(store, rc, &result, failure);
	was_clean = was_clean && replay->changes == 0 && !result.cut;
	rc = log_start(store->log, was_clean);
	if (rc < 0)
		return failure_errno(failure, rc, store->path,
				     "can't begin a record block");
	store->recovered_records = replay->changes;
	store->recovery_ns = (uint64_t)(store_monotonic_ns() - begin);
	if (result.cut)
		log_message(LOG_LEVEL_NOTICE,
			    "%s: a torn end of the log was left out; nothing "
			    "in it was synced",
			    store->path);
	return 0;
}
