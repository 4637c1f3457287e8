/*
 * The state of the store in its log, for who has lost the index: lines,
 * branches, snapshots, counters and the like, as STATE records (format.md,
 * 4.10, 8.6).
 *
 * I1: the segments hold one whole dump, and all history that came after it.
 *     What must not be lost marks its segment (told); before such a segment
 *     is removed there is a newer dump, durable.
 *
 * I2: a record that names the line which another was folded into, for blocks
 *     of before, comes after a dump that knows of the fold: who has only an
 *     older one would take them for newer than what else the other wrote.
 *
 * The dump is what the index holds as of its LSN, so it is made of rows, and
 * nobody is held up but for the appending of each piece.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "fold_notes.h"
#include "state_format.h"

struct dump {
	uint8_t *bytes;
	size_t used_bytes, capacity_bytes;
};

static int add(struct dump *dump, const struct state_entry *entry)
{
	size_t bytes = state_entry_bytes(entry);

	if (bytes > STATE_DUMP_BYTES_MAX - dump->used_bytes)
		return -EFBIG;
	if (bytes > dump->capacity_bytes - dump->used_bytes) {
		size_t capacity = 2 * (dump->capacity_bytes + bytes) + 4096;
		void *grown = realloc(dump->bytes, capacity);

		if (!grown)
			return -ENOMEM;
		dump->bytes = grown;
		dump->capacity_bytes = capacity;
	}
	dump->used_bytes +=
		state_entry_encode(entry, dump->bytes + dump->used_bytes);
	return 0;
}

static struct state_text text(const char *string)
{
	return (struct state_text){ string, strlen(string) };
}

static int add_counters(struct store *store, struct dump *dump)
{
	struct state_entry entry = { .kind = STATE_KIND_COUNTERS };
	const char *const keys[] = { "next_line",      "next_gen",
				     "next_snapshot",  "next_branch",
				     "next_operation", "next_inode" };
	int64_t values[6] = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; i < 6 && rc == 0; i++)
		rc = index_meta_get(store->index, keys[i], &values[i]);
	if (rc < 0)
		return rc;
	entry.counters.next_line = (uint32_t)values[0];
	entry.counters.next_gen = (uint32_t)values[1];
	entry.counters.next_snapshot = (uint32_t)values[2];
	entry.counters.next_branch = (uint32_t)values[3];
	entry.counters.next_operation = (uint64_t)values[4];
	entry.counters.next_inode = (uint64_t)values[5];
	return add(dump, &entry);
}

static int add_line(void *context, const struct line_row *row)
{
	struct state_entry entry = {
		.kind = STATE_KIND_LINE,
		.line = { row->id, row->parent, row->fork_gen, row->first_gen },
	};

	return add(context, &entry);
}

static int add_folds(const struct store *store, struct dump *dump)
{
	struct state_entry entry = { .kind = STATE_KIND_FOLD };
	size_t i;
	int rc = 0;

	for (i = 0; i < store->fold_count && rc == 0; i++) {
		entry.fold.line = store->folds[i].line;
		entry.fold.into = store->folds[i].into;
		entry.fold.gen = store->folds[i].gen;
		rc = add(dump, &entry);
	}
	return rc;
}

static int add_branch(void *context, const struct branch_row *row)
{
	struct state_entry entry = {
		.kind = STATE_KIND_BRANCH,
		.branch = {
			.id = row->id,
			.line = row->line,
			.gen = row->gen,
			.state = row->state,
			.parent_snapshot = row->parent_snapshot,
			.parent_branch = row->parent_branch,
			.changed = row->changed,
			.created_ns = row->created_ns,
			.deleted_ns = row->deleted_ns,
			.refer_blocks = row->refer_blocks,
			.written_blocks = row->written_blocks,
			.name = text(row->name),
		},
	};

	return add(context, &entry);
}

static int add_snapshot(void *context, const struct snapshot_row *row)
{
	struct state_entry entry = {
		.kind = STATE_KIND_SNAPSHOT,
		.snapshot = {
			.id = row->id,
			.branch = row->branch,
			.line = row->line,
			.gen = row->gen,
			.state = row->state,
			.kind = row->kind,
			.created_ns = row->created_ns,
			.deleted_ns = row->deleted_ns,
			.size_bytes = row->size_bytes,
			.refer_blocks = row->refer_blocks,
			.written_blocks = row->written_blocks,
			.name = text(row->name),
			.note = text(row->note),
		},
	};

	return add(context, &entry);
}

static int add_hold(void *context, const struct hold_row *row)
{
	struct state_entry entry = {
		.kind = STATE_KIND_HOLD,
		.hold = { row->snapshot, row->created_ns, text(row->tag) },
	};

	return add(context, &entry);
}

static int add_base(void *context, const struct base_row *row)
{
	const struct base_fingerprint *base = &row->fingerprint;
	struct state_entry entry = {
		.kind = STATE_KIND_BASE,
		.base = {
			.layer = row->layer,
			.kind = base->kind,
			.has_full_hash = base->has_full_hash,
			.device = base->device,
			.inode = base->inode,
			.size_bytes = base->size_bytes,
			.mtime_ns = base->mtime_ns,
			.sample_hash = base->sample_hash,
			.full_hash = base->full_hash,
			.name = text(row->name),
			.path = text(base->path),
		},
	};

	return add(context, &entry);
}

/* Every version of one item. */
static int add_item(struct store *store, struct dump *dump,
		    const struct item_key *key)
{
	AUTO_FREE uint8_t *value = malloc(ITEM_VALUE_BYTES_MAX);
	struct item_version version = { 0, 0 };
	struct state_entry entry = { .kind = STATE_KIND_ITEM };
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	size_t value_bytes;
	int rc = value ? 0 : -ENOMEM;

	entry.item.key.bytes = (const char *)bytes;
	entry.item.key.len_bytes = item_key_encode(key, bytes);
	while (rc == 0 &&
	       (rc = index_item_version_after(
			store->index, bytes, entry.item.key.len_bytes, &version,
			&version, value, ITEM_VALUE_BYTES_MAX, &value_bytes)) ==
		       0) {
		entry.item.line = version.line;
		entry.item.gen = version.gen;
		entry.item.payload.bytes =
			(const char *)value + ITEM_CHECKSUM_BYTES;
		entry.item.payload.len_bytes =
			value_bytes - ITEM_CHECKSUM_BYTES;
		rc = add(dump, &entry);
	}
	return rc == -ENOENT ? 0 : rc;
}

static int add_items(struct store *store, struct dump *dump)
{
	struct item_key key = { .type = ITEM_TYPE_STACK };
	int rc = add_item(store, dump, &key);

	key.type = ITEM_TYPE_INODE;
	for (key.inode = 1; key.inode < FIRST_NEW_INODE && rc == 0; key.inode++)
		rc = add_item(store, dump, &key);
	key = (struct item_key){ 1, ITEM_TYPE_DIRENT, "image", 5 };
	return rc < 0 || store->is_tree ? rc : add_item(store, dump, &key);
}

static int fill(struct store *store, struct dump *dump)
{
	int rc = add_counters(store, dump);

	if (rc == 0)
		rc = index_lines_load(store->index, add_line, dump);
	if (rc == 0)
		rc = add_folds(store, dump);
	if (rc == 0)
		rc = index_branches_load(store->index, add_branch, dump);
	if (rc == 0)
		rc = index_snapshots_load(store->index, add_snapshot, dump);
	if (rc == 0)
		rc = index_holds_load(store->index, add_hold, dump);
	if (rc == 0)
		rc = index_bases_load(store->index, add_base, dump);
	return rc < 0 ? rc : add_items(store, dump);
}

void dump_note_locked(struct store *store)
{
	struct log_position position;
	struct segment_space *segment;

	log_get_position(store->log, &position);
	mutex_lock(&store->space.lock);
	segment = space_map_segment(&store->space, position.segment);
	if (segment)
		segment->told = true;
	mutex_unlock(&store->space.lock);
}

/* Nobody has noted which segments hold such records. */
static void note_all(struct store *store)
{
	size_t i;

	mutex_lock(&store->space.lock);
	for (i = 0; i < store->space.count; i++)
		store->space.segments[i]->told = true;
	mutex_unlock(&store->space.lock);
}

/* What is up to this LSN stands in the dump. */
static void forget_older(struct store *store, uint64_t lsn)
{
	size_t i;

	mutex_lock(&store->space.lock);
	for (i = 0; i < store->space.count; i++) {
		struct segment_space *segment = store->space.segments[i];

		if (segment->sealed && segment->last_lsn <= lsn)
			segment->told = false;
	}
	mutex_unlock(&store->space.lock);
}

static int append(struct store *store, const struct dump *dump, uint64_t as_of,
		  uint64_t *lsn)
{
	struct state_record state = {
		.as_of_lsn = as_of,
		.checksum = state_checksum(store->seed, dump->bytes,
					   dump->used_bytes),
		.dump_bytes = (uint32_t)dump->used_bytes,
	};
	uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
	size_t rest;
	int rc = 0;

	while (rc == 0 && state.offset < state.dump_bytes) {
		rest = state.dump_bytes - state.offset;
		state.piece = dump->bytes + state.offset;
		state.piece_bytes = rest < STATE_PIECE_BYTES_MAX ?
					    rest :
					    STATE_PIECE_BYTES_MAX;
		mutex_lock(&store->order_lock);
		rc = store_logged(
			store,
			log_append(store->log, RECORD_TYPE_STATE, payload,
				   state_record_encode(&state, payload), lsn));
		if (rc == 0)
			dump_note_locked(store);
		mutex_unlock(&store->order_lock);
		state.offset += (uint32_t)state.piece_bytes;
	}
	return rc;
}

int dump_write(struct store *store)
{
	struct dump dump = { 0 };
	uint64_t as_of = store->checkpoint_lsn, lsn = 0;
	int rc = fill(store, &dump);

	if (rc == 0)
		rc = append(store, &dump, as_of, &lsn);
	free(dump.bytes);
	if (rc < 0)
		return rc;
	rc = log_sync(store->log, lsn);
	if (rc < 0)
		return store_fail(store, rc, "a flush failed");
	forget_older(store, as_of);
	store->folds_untold = false;
	return index_meta_put(store->index, "state_lsn", (int64_t)as_of);
}

/* No room for it is no reason not to go on: some of a rebuild is lost then. */
int dump_tell_folds(struct store *store)
{
	int rc = store->folds_untold ? dump_write(store) : 0;

	return rc == -ENOSPC || rc == -EDQUOT ? 0 : rc;
}

int dump_begin(struct store *store)
{
	int rc;

	note_all(store);
	if (store->dumped)
		return 0;
	mutex_lock(&store->maintenance_lock);
	rc = dump_write(store);
	mutex_unlock(&store->maintenance_lock);
	return rc == -ENOSPC || rc == -EDQUOT ? 0 : rc;
}
