/*
 * Versions of inodes out of what changed them, in the same way as those of
 * windows; then what the index keeps of them besides: counts, sizes of
 * snapshots. Data of an inode that no record names gets one, below
 * lost+found.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rebuild_impl.h"
#include "window_scan.h"

struct inode_builder {
	struct rebuild *rebuild;
	uint64_t inode;
	uint32_t line, gen;
	bool there;
	struct inode_item item;
};

static int put_version(struct rebuild *rebuild, uint64_t inode, uint32_t line,
		       uint32_t gen, const struct inode_item *item)
{
	uint8_t key[ITEM_PREFIX_BYTES], payload[INODE_ITEM_BYTES];
	uint8_t value[ITEM_CHECKSUM_BYTES + INODE_ITEM_BYTES];
	const struct item_identity identity = { key, sizeof(key), line, gen };
	size_t bytes = item ? inode_item_encode(item, payload) : 0;

	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	return query_run(&rebuild->stored->queries,
			 "INSERT OR REPLACE INTO items(key, line, gen, value)"
			 " VALUES(?, ?, ?, ?)",
			 "biib", key, sizeof(key), (int64_t)line, (int64_t)gen,
			 value,
			 item_value_encode(rebuild->check->seed, &identity,
					   payload, bytes, value));
}

/* What (line, gen) sees. 1: *item; 0: nothing. */
static int find_version(struct rebuild *rebuild, uint64_t inode, uint32_t line,
			uint32_t gen, struct inode_item *item)
{
	uint8_t key[ITEM_PREFIX_BYTES];
	struct item_identity identity = { key, sizeof(key), line, gen };
	AUTO_FREE uint8_t *value = malloc(ITEM_VALUE_BYTES_MAX);
	size_t bytes = 0;
	int rc;

	if (!value)
		return -ENOMEM;
	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	rc = apply_row_of_item(rebuild->apply, &identity, value, &bytes);
	if (rc != 1 || item_value_absent(bytes))
		return rc < 0 ? rc : 0;
	return inode_item_decode(value + ITEM_CHECKSUM_BYTES,
				 bytes - ITEM_CHECKSUM_BYTES, item) == 0;
}

static void make_file(struct inode_item *item)
{
	memset(item, 0, sizeof(*item));
	item->mode = S_IFREG | 0600;
	item->nlink = 1;
}

static void change(struct inode_builder *builder, const struct record *record)
{
	struct inode_item *item = &builder->item;
	struct attributes_record attributes;
	struct resize_record resize;

	if (record->type == RECORD_TYPE_ITEMS) {
		builder->there = record->payload_bytes > 0 &&
				 inode_item_decode(record->payload,
						   record->payload_bytes,
						   item) == 0;
		return;
	}
	if (!builder->there)
		return; /* of one that is gone, or of which all names are */
	if (record->type == RECORD_TYPE_RESIZE &&
	    resize_record_decode(record, &resize) == 0) {
		item->size_bytes = resize.size_bytes;
		if (item->base_visible_bytes > resize.size_bytes)
			item->base_visible_bytes = resize.size_bytes;
	} else if (record->type == RECORD_TYPE_ATTRIBUTES &&
		   attributes_record_decode(record, &attributes) == 0) {
		item->mode = (item->mode & S_IFMT) | attributes.mode;
		item->uid = attributes.uid;
		item->gid = attributes.gid;
		item->atime_ns = attributes.atime_ns;
		item->mtime_ns = attributes.mtime_ns;
		item->ctime_ns = attributes.ctime_ns;
	}
}

static int take(struct inode_builder *builder, sqlite3_stmt *row)
{
	uint32_t line = query_u32(row, 0), gen = query_u32(row, 1);
	const struct record record = {
		.type = (enum record_type)sqlite3_column_int(row, 2),
		.payload = sqlite3_column_blob(row, 3),
		.payload_bytes = (size_t)sqlite3_column_bytes(row, 3),
	};
	int rc;

	if (line != builder->line) {
		rc = find_version(builder->rebuild, builder->inode, line, gen,
				  &builder->item);
		if (rc < 0)
			return rc;
		builder->there = rc == 1;
	}
	builder->line = line;
	builder->gen = gen;
	change(builder, &record);
	if (!builder->there && record.type != RECORD_TYPE_ITEMS)
		return 0;
	return put_version(builder->rebuild, builder->inode, line, gen,
			   builder->there ? &builder->item : NULL);
}

static int build(struct inode_builder *builder)
{
	sqlite3_stmt *row;
	int rc = query_begin(&builder->rebuild->stored->queries, &row,
			     "SELECT line, gen, kind, payload FROM changes"
			     " WHERE inode = ? ORDER BY line, gen, lsn",
			     "i", (int64_t)builder->inode);

	builder->line = builder->gen = 0;
	while (rc == 1) {
		rc = take(builder, row);
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

/* Data blocks that a view sees of an inode. */
static int count_blocks(struct rebuild *rebuild, uint64_t inode, uint32_t line,
			uint32_t gen, uint64_t *out_blocks)
{
	sqlite3_stmt *row;
	int rc = query_begin(&rebuild->stored->queries, &row,
			     "SELECT DISTINCT window FROM windows"
			     " WHERE inode = ?",
			     "i", (int64_t)inode);

	*out_blocks = 0;
	while (rc == 1) {
		struct window_key key = {
			inode, (uint64_t)sqlite3_column_int64(row, 0), line, gen
		};
		size_t bytes, count, i;

		rc = apply_row_of_window(rebuild->apply, &key, rebuild->blob,
					 &bytes);
		if (rc == 1 &&
		    window_decode(rebuild->check->seed, &key, rebuild->blob,
				  bytes, rebuild->slots, &count) == 0)
			for (i = 0; i < count; i++)
				*out_blocks += rebuild->slots[i].kind !=
					       SLOT_KIND_ZERO;
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

/* The next inode that has windows. 0: none. */
static int next_mapped(struct rebuild *rebuild, uint64_t *inode)
{
	sqlite3_stmt *row;
	int rc = query_begin(&rebuild->stored->queries, &row,
			     "SELECT inode FROM windows WHERE inode > ?"
			     " ORDER BY inode LIMIT 1",
			     "i", (int64_t)*inode);

	if (rc == 1) {
		*inode = (uint64_t)sqlite3_column_int64(row, 0);
		query_end(row);
	}
	return rc;
}

enum { COUNTED_MAX = 1 << 20 };

/* How many windows an inode has. */
static int count_windows(struct rebuild *rebuild, uint64_t inode,
			 int64_t *out_count)
{
	sqlite3_stmt *row;
	int rc = query_begin(&rebuild->stored->queries, &row,
			     "SELECT count(DISTINCT window) FROM windows"
			     " WHERE inode = ?",
			     "i", (int64_t)inode);

	if (rc == 1) {
		*out_count = sqlite3_column_int64(row, 0);
		query_end(row);
	}
	return rc < 0 ? rc : 0;
}

/* A version of the inode for one of its windows: who writes changes both.
 * counted: of few enough, so that its blocks are counted. */
static int touch(struct rebuild *rebuild, uint64_t inode, uint32_t line,
		 uint32_t gen, bool counted)
{
	struct inode_item item;
	int rc = find_version(rebuild, inode, line, gen, &item);

	if (rc != 1)
		return rc;
	item.flags |= INODE_FLAG_MAPPED;
	rc = counted ? count_blocks(rebuild, inode, line, gen,
				    &item.data_blocks) :
		       0;
	return rc < 0 ? rc : put_version(rebuild, inode, line, gen, &item);
}

struct versions {
	struct apply_level *list;
	size_t count, capacity;
};

static int add_version(struct versions *versions, uint32_t line, uint32_t gen)
{
	if (versions->count == versions->capacity) {
		size_t capacity = versions->capacity ? versions->capacity * 2 :
						       64;
		void *grown = realloc(versions->list,
				      capacity * sizeof(*versions->list));

		if (!grown)
			return -ENOMEM;
		versions->list = grown;
		versions->capacity = capacity;
	}
	versions->list[versions->count++] = (struct apply_level){ line, gen };
	return 0;
}

/* Those of the inode that are there, and those of its windows, in order. */
static int list_versions(struct rebuild *rebuild, uint64_t inode,
			 struct versions *versions)
{
	uint8_t key[ITEM_PREFIX_BYTES];
	sqlite3_stmt *row;
	int rc;

	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	rc = query_begin(&rebuild->stored->queries, &row,
			 "SELECT line, gen FROM windows WHERE inode = ? UNION"
			 " SELECT line, gen FROM items WHERE key = ?"
			 " AND length(value) > 8 ORDER BY 1, 2",
			 "ib", (int64_t)inode, key, sizeof(key));
	while (rc == 1) {
		rc = add_version(versions, query_u32(row, 0),
				 query_u32(row, 1));
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

static int touch_all(struct rebuild *rebuild, uint64_t inode)
{
	struct versions versions = { 0 };
	int64_t windows = 0;
	size_t i;
	int rc = count_windows(rebuild, inode, &windows);

	if (rc == 0)
		rc = list_versions(rebuild, inode, &versions);
	for (i = 0; i < versions.count && rc == 0; i++)
		rc = touch(rebuild, inode, versions.list[i].line,
			   versions.list[i].gen,
			   (int64_t)i * windows < COUNTED_MAX);
	free(versions.list);
	return rc;
}

/* What a head has of an inode; its version is of the last change. */
static int count_head(struct rebuild *rebuild, uint64_t inode,
		      struct apply_branch *branch)
{
	uint8_t key[ITEM_PREFIX_BYTES];
	struct item_identity identity = { key, sizeof(key), branch->line,
					  UINT32_MAX };
	AUTO_FREE uint8_t *value = malloc(ITEM_VALUE_BYTES_MAX);
	struct inode_item item;
	uint64_t blocks;
	size_t bytes = 0;
	int rc;

	if (!value)
		return -ENOMEM;
	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	rc = apply_row_of_item(rebuild->apply, &identity, value, &bytes);
	if (rc != 1 || item_value_absent(bytes) ||
	    inode_item_decode(value + ITEM_CHECKSUM_BYTES,
			      bytes - ITEM_CHECKSUM_BYTES, &item) < 0)
		return rc < 0 ? rc : 0;
	rc = count_blocks(rebuild, inode, branch->line, UINT32_MAX, &blocks);
	if (rc < 0)
		return rc;
	branch->refer_blocks += (int64_t)blocks;
	branch->dirty = true;
	item.flags |= INODE_FLAG_MAPPED;
	item.data_blocks = blocks;
	return put_version(rebuild, inode, identity.line, identity.gen, &item);
}

static int count_heads(struct rebuild *rebuild)
{
	struct apply *apply = rebuild->apply;
	uint64_t inode = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < apply->branch_count; i++) {
		apply->branches[i].refer_blocks = 0;
		apply->branches[i].dirty = true;
	}
	while (rc == 0 && (rc = next_mapped(rebuild, &inode)) == 1) {
		rc = touch_all(rebuild, inode);
		for (i = 0; i < apply->branch_count && rc == 0; i++)
			rc = count_head(rebuild, inode, &apply->branches[i]);
	}
	return rc;
}

/* All data blocks that a snapshot sees; of very many windows rather too many
 * than too few, as a head that goes on from there counts down. */
static int count_snapshot(struct rebuild *rebuild,
			  const struct apply_snapshot *at, int64_t *work,
			  uint64_t *out_blocks)
{
	uint64_t inode = 0, blocks = 0;
	int64_t windows = 0;
	int rc;

	*out_blocks = 0;
	while ((rc = next_mapped(rebuild, &inode)) == 1) {
		struct inode_item item;

		rc = count_windows(rebuild, inode, &windows);
		if (rc == 0)
			rc = find_version(rebuild, inode, at->line, at->gen,
					  &item);
		if (rc < 0)
			return rc;
		*work += windows;
		if (rc == 0) /* it is not seen there */
			continue;
		if (*work > COUNTED_MAX)
			blocks = (uint64_t)windows * WINDOW_BLOCKS;
		else
			rc = count_blocks(rebuild, inode, at->line, at->gen,
					  &blocks);
		if (rc < 0)
			return rc;
		*out_blocks += blocks;
	}
	return rc;
}

/* Of those that were taken after the dump. */
static int size_snapshots(struct rebuild *rebuild)
{
	struct apply *apply = rebuild->apply;
	struct inode_item item = { 0 };
	uint64_t blocks;
	int64_t work = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < apply->snapshot_count && rc >= 0; i++) {
		const struct apply_snapshot *at = &apply->snapshots[i];

		if (at->id < rebuild->next_snapshot)
			continue;
		rc = count_snapshot(rebuild, at, &work, &blocks);
		if (rc == 0 && !apply->is_tree)
			rc = find_version(rebuild, 2, at->line, at->gen, &item);
		if (rc >= 0)
			rc = query_run(&rebuild->stored->queries,
				       "UPDATE snapshots SET size_bytes = ?,"
				       " refer_blocks = ? WHERE id = ?",
				       "iii", (int64_t)item.size_bytes,
				       (int64_t)blocks, (int64_t)at->id);
	}
	return rc < 0 ? rc : 0;
}

int rebuild_inodes(struct rebuild *rebuild)
{
	struct inode_builder builder = { .rebuild = rebuild };
	int64_t inode = -1;
	sqlite3_stmt *row;
	int rc;

	while ((rc = query_begin(&rebuild->stored->queries, &row,
				 "SELECT inode FROM changes WHERE inode > ?"
				 " ORDER BY inode LIMIT 1",
				 "i", inode)) == 1) {
		inode = sqlite3_column_int64(row, 0);
		query_end(row);
		builder.inode = (uint64_t)inode;
		rc = build(&builder);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		rc = rebuild_lost_and_found(rebuild);
	if (rc == 0)
		rc = count_heads(rebuild);
	return rc < 0 ? rc : size_snapshots(rebuild);
}

/* -- data without a name -- */

static int put_item(struct rebuild *rebuild, const struct item_key *key,
		    uint32_t line, uint32_t gen, const void *payload,
		    size_t payload_bytes)
{
	uint8_t bytes[ITEM_KEY_BYTES_MAX], value[256];
	const struct item_identity identity = { bytes,
						item_key_encode(key, bytes),
						line, gen };

	return query_run(&rebuild->stored->queries,
			 "INSERT OR REPLACE INTO items(key, line, gen, value)"
			 " VALUES(?, ?, ?, ?)",
			 "biib", bytes, identity.key_bytes, (int64_t)line,
			 (int64_t)gen, value,
			 item_value_encode(rebuild->check->seed, &identity,
					   payload, payload_bytes, value));
}

static int put_name(struct rebuild *rebuild, uint64_t directory,
		    const char *name, uint64_t inode, uint32_t mode,
		    const struct apply_line *line)
{
	const struct item_key key = {
		.inode = directory,
		.type = ITEM_TYPE_DIRENT,
		.name = name,
		.name_bytes = strlen(name),
	};
	const struct dirent_item dirent = { inode, (uint8_t)(mode >> 12) };
	uint8_t payload[DIRENT_ITEM_BYTES];

	return put_item(rebuild, &key, line->id, line->first_gen, payload,
			dirent_item_encode(&dirent, payload));
}

static int put_directory(struct rebuild *rebuild, uint64_t inode,
			 uint64_t parent, const struct apply_line *line)
{
	const struct inode_item item = {
		.mode = S_IFDIR | 0700,
		.nlink = 2,
		.parent = parent,
	};
	struct inode_item there;
	int rc =
		find_version(rebuild, inode, line->id, line->first_gen, &there);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	return put_version(rebuild, inode, line->id, line->first_gen, &item);
}

/* How far its data reaches, in whatever version. */
static int reach(struct rebuild *rebuild, uint64_t inode, uint64_t *out_bytes)
{
	sqlite3_stmt *row;
	int rc = query_begin(&rebuild->stored->queries, &row,
			     "SELECT window, line, gen, slots FROM windows"
			     " WHERE inode = ? ORDER BY window DESC",
			     "i", (int64_t)inode);

	*out_bytes = 0;
	while (rc == 1) {
		const struct window_key key = {
			inode, (uint64_t)sqlite3_column_int64(row, 0),
			query_u32(row, 1), query_u32(row, 2)
		};
		size_t count = 0;

		if (window_decode(rebuild->check->seed, &key,
				  sqlite3_column_blob(row, 3),
				  (size_t)sqlite3_column_bytes(row, 3),
				  rebuild->slots, &count) == 0 &&
		    count > 0) {
			uint64_t end = key.window * WINDOW_BLOCKS +
				       rebuild->slots[count - 1].first +
				       rebuild->slots[count - 1].count;

			if (end * FORMAT_BLOCK_BYTES > *out_bytes)
				*out_bytes = end * FORMAT_BLOCK_BYTES;
		}
		rc = query_next(row);
	}
	return rc;
}

static int put_found(struct rebuild *rebuild, uint64_t inode,
		     uint64_t directory)
{
	struct apply *apply = rebuild->apply;
	struct inode_item item;
	char name[32];
	size_t i;
	int rc;

	make_file(&item);
	item.parent = directory;
	snprintf(name, sizeof(name), "#%llu", (unsigned long long)inode);
	rc = reach(rebuild, inode, &item.size_bytes);
	for (i = 0; i < apply->line_count && rc == 0; i++) {
		const struct apply_line *line = &apply->lines[i];

		if (line->parent)
			continue;
		rc = put_directory(rebuild, 1, 1, line);
		if (rc == 0)
			rc = put_directory(rebuild, directory, 1, line);
		if (rc == 0)
			rc = put_name(rebuild, 1, "lost+found", directory,
				      S_IFDIR, line);
		if (rc == 0)
			rc = put_name(rebuild, directory, name, inode,
				      item.mode, line);
		if (rc == 0)
			rc = put_version(rebuild, inode, line->id,
					 line->first_gen, &item);
	}
	return rc;
}

int rebuild_lost_and_found(struct rebuild *rebuild)
{
	struct apply *apply = rebuild->apply;
	uint64_t inode = 0, directory = 0;
	uint8_t key[ITEM_PREFIX_BYTES];
	sqlite3_stmt *row;
	int rc;

	while ((rc = next_mapped(rebuild, &inode)) == 1) {
		item_key_prefix(inode, ITEM_TYPE_INODE, key);
		rc = query_begin(&rebuild->stored->queries, &row,
				 "SELECT 1 FROM items WHERE key = ?"
				 " AND length(value) > 8 LIMIT 1",
				 "b", key, sizeof(key));
		if (rc == 1)
			query_end(row);
		if (rc < 0)
			return rc;
		if (rc == 1)
			continue;
		if (!directory) {
			directory = (uint64_t)apply->next_inode++;
			apply->meta_dirty = true;
		}
		rc = put_found(rebuild, inode, directory);
		if (rc < 0)
			return rc;
		rebuild->found++;
	}
	return rc;
}
