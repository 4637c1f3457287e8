/* Dumps: pieces put together, and the newest whole one made into rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rebuild_impl.h"

static bool same_dump(const struct rebuild_dump *dump,
		      const struct state_record *state)
{
	return dump->bytes && dump->as_of_lsn == state->as_of_lsn &&
	       dump->checksum == state->checksum &&
	       dump->dump_bytes == state->dump_bytes;
}

static void forget(struct rebuild_dump *dump)
{
	free(dump->bytes);
	memset(dump, 0, sizeof(*dump));
}

/* Its place, or that of the oldest one but the best. */
static struct rebuild_dump *place_for(struct rebuild *rebuild,
				      const struct state_record *state)
{
	struct rebuild_dump *oldest = NULL;
	size_t i;

	for (i = 0; i < REBUILD_DUMPS; i++) {
		struct rebuild_dump *dump = &rebuild->dumps[i];

		if (same_dump(dump, state))
			return dump;
		if (dump != rebuild->best &&
		    (!oldest || !dump->bytes ||
		     (oldest->bytes && dump->as_of_lsn < oldest->as_of_lsn)))
			oldest = dump;
	}
	forget(oldest);
	if (state->dump_bytes > REBUILD_DUMP_BYTES_MAX)
		return NULL;
	oldest->bytes = malloc(state->dump_bytes + 1U);
	oldest->as_of_lsn = state->as_of_lsn;
	oldest->checksum = state->checksum;
	oldest->dump_bytes = state->dump_bytes;
	return oldest->bytes ? oldest : NULL;
}

int rebuild_note_piece(struct rebuild *rebuild, const struct record *record)
{
	struct state_record state;
	struct rebuild_dump *dump;

	if (state_record_decode(record, &state) < 0)
		return 0;
	dump = place_for(rebuild, &state);
	if (!dump)
		return 0;
	memcpy(dump->bytes + state.offset, state.piece, state.piece_bytes);
	dump->found_bytes += (uint32_t)state.piece_bytes;
	if (dump->found_bytes < dump->dump_bytes ||
	    state_checksum(rebuild->check->seed, dump->bytes,
			   dump->dump_bytes) != dump->checksum)
		return 0;
	if (!rebuild->best || dump->as_of_lsn >= rebuild->best->as_of_lsn)
		rebuild->best = dump;
	return 0;
}

void rebuild_free_dumps(struct rebuild *rebuild)
{
	size_t i;

	for (i = 0; i < REBUILD_DUMPS; i++)
		forget(&rebuild->dumps[i]);
	rebuild->best = NULL;
}

struct text {
	char bytes[4096];
};

static const char *text(const struct state_text *from, struct text *to)
{
	size_t len = from->len_bytes < sizeof(to->bytes) ?
			     from->len_bytes :
			     sizeof(to->bytes) - 1;

	memcpy(to->bytes, from->bytes, len);
	to->bytes[len] = '\0';
	return to->bytes;
}

static int put_counters(struct queries *queries,
			const struct state_entry *entry)
{
	const struct {
		const char *key;
		int64_t value;
	} values[] = {
		{ "next_line", entry->counters.next_line },
		{ "next_gen", entry->counters.next_gen },
		{ "next_snapshot", entry->counters.next_snapshot },
		{ "next_branch", entry->counters.next_branch },
		{ "next_operation", (int64_t)entry->counters.next_operation },
		{ "next_inode", (int64_t)entry->counters.next_inode },
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(values) / sizeof(values[0]) && rc == 0; i++)
		rc = query_run(queries,
			       "INSERT OR REPLACE INTO meta(key, value)"
			       " VALUES(?, ?)",
			       "ti", values[i].key, values[i].value);
	return rc;
}

static int put_branch(struct queries *queries, const struct state_entry *entry)
{
	struct text name;

	return query_run(
		queries,
		"INSERT OR REPLACE INTO branches(id, name, line, gen,"
		" state, parent_snapshot, parent_branch, created_ns,"
		" deleted_ns, refer_blocks, written_blocks, changed)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"itiiiiiiiiii", (int64_t)entry->branch.id,
		text(&entry->branch.name, &name), (int64_t)entry->branch.line,
		(int64_t)entry->branch.gen, (int64_t)entry->branch.state,
		(int64_t)entry->branch.parent_snapshot,
		(int64_t)entry->branch.parent_branch, entry->branch.created_ns,
		entry->branch.deleted_ns, (int64_t)entry->branch.refer_blocks,
		(int64_t)entry->branch.written_blocks,
		(int64_t)entry->branch.changed);
}

static int put_snapshot(struct queries *queries,
			const struct state_entry *entry)
{
	struct text name, note;

	return query_run(
		queries,
		"INSERT OR REPLACE INTO snapshots(id, name, branch,"
		" line, gen, state, kind, created_ns, deleted_ns,"
		" size_bytes, refer_blocks, written_blocks, note)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"itiiiiiiiiiit", (int64_t)entry->snapshot.id,
		text(&entry->snapshot.name, &name),
		(int64_t)entry->snapshot.branch, (int64_t)entry->snapshot.line,
		(int64_t)entry->snapshot.gen, (int64_t)entry->snapshot.state,
		(int64_t)entry->snapshot.kind, entry->snapshot.created_ns,
		entry->snapshot.deleted_ns, (int64_t)entry->snapshot.size_bytes,
		(int64_t)entry->snapshot.refer_blocks,
		(int64_t)entry->snapshot.written_blocks,
		text(&entry->snapshot.note, &note));
}

static int put_base(struct queries *queries, const struct state_entry *entry)
{
	struct text name, path;

	return query_run(
		queries,
		"INSERT OR REPLACE INTO base(layer, name, kind, path,"
		" device, inode, size_bytes, mtime_ns, sample_hash,"
		" has_full_hash, full_hash)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"ititiiiiiii", (int64_t)entry->base.layer,
		text(&entry->base.name, &name), (int64_t)entry->base.kind,
		text(&entry->base.path, &path), (int64_t)entry->base.device,
		(int64_t)entry->base.inode, (int64_t)entry->base.size_bytes,
		entry->base.mtime_ns, (int64_t)entry->base.sample_hash,
		(int64_t)entry->base.has_full_hash,
		(int64_t)entry->base.full_hash);
}

static int put_item(struct rebuild *rebuild, const struct state_entry *entry)
{
	const struct item_identity identity = {
		entry->item.key.bytes,
		entry->item.key.len_bytes,
		entry->item.line,
		entry->item.gen,
	};
	AUTO_FREE uint8_t *value = malloc(ITEM_VALUE_BYTES_MAX);

	if (!value)
		return -ENOMEM;
	return query_run(&rebuild->stored->queries,
			 "INSERT OR REPLACE INTO items(key, line, gen, value)"
			 " VALUES(?, ?, ?, ?)",
			 "biib", identity.key, identity.key_bytes,
			 (int64_t)identity.line, (int64_t)identity.gen, value,
			 item_value_encode(rebuild->check->seed, &identity,
					   entry->item.payload.bytes,
					   entry->item.payload.len_bytes,
					   value));
}

static int put_fold(struct rebuild *rebuild, const struct state_entry *entry)
{
	if (rebuild->fold_count == rebuild->fold_capacity) {
		size_t capacity = rebuild->fold_capacity ?
					  rebuild->fold_capacity * 2 :
					  64;
		void *grown = realloc(rebuild->folds,
				      capacity * sizeof(*rebuild->folds));

		if (!grown)
			return -ENOMEM;
		rebuild->folds = grown;
		rebuild->fold_capacity = capacity;
	}
	rebuild->folds[rebuild->fold_count++] = (struct rebuild_fold){
		entry->fold.line,
		entry->fold.into,
		entry->fold.gen,
	};
	return 0;
}

static int put_entry(struct rebuild *rebuild, const struct state_entry *entry)
{
	struct queries *queries = &rebuild->stored->queries;
	struct text tag;

	switch (entry->kind) {
	case STATE_KIND_COUNTERS:
		rebuild->next_snapshot = entry->counters.next_snapshot;
		return put_counters(queries, entry);
	case STATE_KIND_LINE:
		return query_run(queries,
				 "INSERT OR REPLACE INTO lines(id, parent,"
				 " fork_gen, first_gen) VALUES(?, ?, ?, ?)",
				 "iiii", (int64_t)entry->line.id,
				 (int64_t)entry->line.parent,
				 (int64_t)entry->line.fork_gen,
				 (int64_t)entry->line.first_gen);
	case STATE_KIND_FOLD:
		return put_fold(rebuild, entry);
	case STATE_KIND_BRANCH:
		return put_branch(queries, entry);
	case STATE_KIND_SNAPSHOT:
		return put_snapshot(queries, entry);
	case STATE_KIND_HOLD:
		return query_run(queries,
				 "INSERT OR REPLACE INTO holds(snapshot, tag,"
				 " created_ns) VALUES(?, ?, ?)",
				 "iti", (int64_t)entry->hold.snapshot,
				 text(&entry->hold.tag, &tag),
				 entry->hold.created_ns);
	case STATE_KIND_BASE:
		if (entry->base.layer == 0)
			rebuild->base_bytes = entry->base.size_bytes;
		return put_base(queries, entry);
	case STATE_KIND_ITEM:
		return put_item(rebuild, entry);
	}
	return 0;
}

/* They are a part of the index, too: records go on naming such lines. */
static int put_folds(struct rebuild *rebuild)
{
	AUTO_FREE uint8_t *blob = calloc(rebuild->fold_count + 1, 20);
	size_t i;

	if (!blob || rebuild->fold_count == 0)
		return blob ? 0 : -ENOMEM;
	for (i = 0; i < rebuild->fold_count; i++) {
		const struct le32 line = le32_put(rebuild->folds[i].line);
		const struct le32 into = le32_put(rebuild->folds[i].into);
		const struct le32 gen = le32_put(rebuild->folds[i].gen);
		const struct le64 lsn = le64_put(rebuild->survey.last_lsn);

		memcpy(blob + i * 20, &line, 4);
		memcpy(blob + i * 20 + 4, &into, 4);
		memcpy(blob + i * 20 + 8, &gen, 4);
		memcpy(blob + i * 20 + 12, &lsn, 8);
	}
	return query_run(&rebuild->stored->queries,
			 "INSERT OR REPLACE INTO meta(key, value)"
			 " VALUES('folds', ?)",
			 "b", blob, rebuild->fold_count * 20);
}

int rebuild_load_dump(struct rebuild *rebuild)
{
	const struct rebuild_dump *dump = rebuild->best;
	struct state_entry entry;
	size_t offset = 0;
	int rc;

	rebuild->as_of_lsn = dump->as_of_lsn;
	while ((rc = state_next(dump->bytes, dump->dump_bytes, &offset,
				&entry)) == 0) {
		rc = put_entry(rebuild, &entry);
		if (rc < 0)
			return rc;
	}
	return rc == -ENOENT ? put_folds(rebuild) : rc;
}
