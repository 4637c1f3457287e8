/*
 * Pass 4, first part: each item by itself. What is sound of names, inodes and
 * orphans goes into a temporary table as events of inodes: from which
 * generation of which line on there is a name more or fewer. For that, each
 * version of a name is compared with the one that was seen there before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup.h"
#include "check.h"
#include "item_row.h"
#include "pass4.h"

/* A version of the key at hand, as far as it matters to links. */
struct version {
	uint32_t place, line, gen;
	uint64_t target; /* DIRENT: inode, 0: none. ORPHAN: 1 or 0 */
	bool directory;
	/* INODE: */
	int64_t nlink;
	uint32_t mode;
	uint64_t parent;
};

struct item_scan {
	struct check *check;
	const struct viewers *viewers;
	sqlite3_stmt *insert;
	uint8_t key[ITEM_KEY_BYTES_MAX];
	size_t key_bytes;
	struct version *versions; /* of the key */
	size_t count, capacity;
	struct span {
		size_t first, end; /* of versions */
	} * stack;		   /* lines that the one at hand left */
	size_t stack_capacity;
};

static int add_event(struct item_scan *scan, uint64_t inode,
		     const struct version *at, enum link_kind kind,
		     int64_t value, int64_t extra, uint64_t other)
{
	int rc = work_again(scan->check, scan->insert, "iiiiiii",
			    (int64_t)inode, (int64_t)at->place,
			    (int64_t)at->gen, (int64_t)kind, value, extra,
			    (int64_t)other);

	return rc < 0 ? rc : work_step(scan->check, scan->insert);
}

/* From the version on there is one of these more, or fewer. */
static int add_change(struct item_scan *scan, const struct item_key *key,
		      const struct version *at, const struct version *other,
		      int value)
{
	uint64_t target = other->target;
	int rc;

	if (target == 0)
		return 0;
	if (key->type == ITEM_TYPE_ORPHAN) {
		uint64_t inode = 0;
		size_t i;

		for (i = 0; i < key->name_bytes; i++)
			inode = inode << 8 | (uint8_t)key->name[i];
		return add_event(scan, inode, at, LINK_KIND_ORPHAN, value, 0,
				 0);
	}
	rc = add_event(scan, target, at, LINK_KIND_NAME, value,
		       other->directory ? value : 0, key->inode);
	return rc < 0 ? rc :
			add_event(scan, key->inode, at, LINK_KIND_ENTRY, value,
				  other->directory ? value : 0, 0);
}

static int by_place(const void *a, const void *b)
{
	const struct version *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->gen < y->gen ? -1 : x->gen > y->gen;
}

/* The last version in [first, end) with a generation not above limit. */
static const struct version *last_of(const struct item_scan *scan, size_t first,
				     size_t end, uint32_t limit)
{
	size_t low = first, high = end;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (scan->versions[middle].gen <= limit)
			low = middle + 1;
		else
			high = middle;
	}
	return low > first ? &scan->versions[low - 1] : NULL;
}

/* What was seen on the line of versions[at], its first, before that. */
static const struct version *seen_before(struct item_scan *scan, size_t at,
					 size_t *depth)
{
	const struct past *past = &scan->check->past;
	const struct version *version = &scan->versions[at];
	size_t level;

	while (*depth > 0) {
		const struct version *top =
			&scan->versions[scan->stack[*depth - 1].first];
		const struct past_line *line =
			&past->lines[scan->viewers->by_place[top->place]];

		if (version->place < line->end)
			break;
		--*depth;
	}
	for (level = *depth; level-- > 0;) {
		const struct span *span = &scan->stack[level];
		const struct version *found =
			last_of(scan, span->first, span->end,
				past_limit(past, version->line, 0,
					   scan->versions[span->first].line));

		if (found)
			return found;
	}
	return NULL;
}

static int add_versions(struct item_scan *scan, const struct item_key *key)
{
	static const struct version none;
	size_t i, depth = 0;
	int rc = 0;

	if (scan->stack_capacity < scan->count) {
		free(scan->stack);
		scan->stack_capacity = scan->capacity;
		scan->stack = calloc(scan->capacity, sizeof(*scan->stack));
		if (!scan->stack) {
			scan->stack_capacity = 0;
			return -ENOMEM;
		}
	}
	qsort(scan->versions, scan->count, sizeof(*scan->versions), by_place);
	for (i = 0; rc == 0 && i < scan->count; i++) {
		const struct version *now = &scan->versions[i], *before;

		if (i > 0 && scan->versions[i - 1].place == now->place) {
			before = now - 1;
		} else {
			if (depth > 0 && scan->stack[depth - 1].end == 0)
				scan->stack[depth - 1].end = i;
			before = seen_before(scan, i, &depth);
			scan->stack[depth++] = (struct span){ i, 0 };
		}
		if (!before)
			before = &none;
		if (before->target == now->target &&
		    before->directory == now->directory)
			continue;
		rc = add_change(scan, key, now, before, -1);
		if (rc == 0)
			rc = add_change(scan, key, now, now, 1);
	}
	return rc;
}

static int end_key(struct item_scan *scan)
{
	struct item_key key;
	size_t i;
	int rc = 0;

	if (scan->count == 0 ||
	    item_key_decode(scan->key, scan->key_bytes, &key) < 0)
		return 0;
	if (key.type == ITEM_TYPE_DIRENT || key.type == ITEM_TYPE_ORPHAN)
		rc = add_versions(scan, &key);
	for (i = 0; key.type == ITEM_TYPE_INODE && rc == 0 && i < scan->count;
	     i++) {
		const struct version *at = &scan->versions[i];

		rc = add_event(scan, key.inode, at, LINK_KIND_INODE, at->nlink,
			       at->mode, at->parent);
	}
	scan->count = 0;
	return rc;
}

static int keep_version(struct item_scan *scan, const struct item_key *key,
			const struct item_identity *identity,
			const uint8_t *payload, size_t payload_bytes)
{
	const struct past_line *line =
		past_find_line(&scan->check->past, identity->line);
	struct version version = { .line = identity->line,
				   .gen = identity->gen };
	struct dirent_item dirent;
	struct inode_item inode;

	if (!line)
		return 0;
	if (scan->count == scan->capacity) {
		size_t capacity = scan->capacity ? 2 * scan->capacity : 64;
		struct version *list =
			reallocarray(scan->versions, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		scan->versions = list;
		scan->capacity = capacity;
	}
	version.place = line->begin;
	version.nlink = -1;
	if (payload_bytes == 0) {
		version.target = 0;
	} else if (key->type == ITEM_TYPE_DIRENT &&
		   dirent_item_decode(payload, payload_bytes, &dirent) == 0) {
		version.target = dirent.inode;
		version.directory = dirent.inode &&
				    dirent.kind == S_IFDIR >> 12;
	} else if (key->type == ITEM_TYPE_INODE &&
		   inode_item_decode(payload, payload_bytes, &inode) == 0) {
		version.nlink = inode.nlink;
		version.mode = inode.mode;
		version.parent = inode.parent;
	} else {
		version.target = 1;
	}
	scan->versions[scan->count++] = version;
	return 0;
}

/* 1: index.bak has the same version, and it is sound. */
static int from_backup(struct check *check, sqlite3_stmt *row,
		       const struct item_identity *identity)
{
	AUTO_STATEMENT sqlite3_stmt *other = NULL;
	sqlite3 *backup = backup_connection(check);
	const void *value;
	size_t bytes;

	if (!backup ||
	    sqlite3_prepare_v2(backup,
			       "SELECT value FROM items WHERE key = ? AND "
			       "line = ? AND gen = ?",
			       -1, &other, NULL) != SQLITE_OK)
		return 0;
	if (sqlite3_bind_blob64(other, 1, identity->key, identity->key_bytes,
				SQLITE_TRANSIENT) != SQLITE_OK ||
	    sqlite3_bind_int64(other, 2, identity->line) != SQLITE_OK ||
	    sqlite3_bind_int64(other, 3, identity->gen) != SQLITE_OK ||
	    sqlite3_step(other) != SQLITE_ROW)
		return 0;
	value = work_blob(other, 0, &bytes);
	if (!value || item_value_verify(check->seed, identity, value, bytes))
		return 0;
	return work_repair(check, "UPDATE items SET value = ? WHERE id = ?",
			   "bi", value, bytes,
			   sqlite3_column_int64(row, 0)) < 0 ?
		       -EIO :
		       1;
}

/* What can be read of it is kept, with a checksum that is right. */
static int keep_readable(struct check *check, sqlite3_stmt *row,
			 const struct item_key *key,
			 const struct item_identity *identity)
{
	size_t bytes;
	const uint8_t *value = work_blob(row, 3, &bytes);

	if (!value || bytes <= ITEM_CHECKSUM_BYTES ||
	    bytes > ITEM_VALUE_BYTES_MAX ||
	    (key->type != ITEM_TYPE_INODE && key->type != ITEM_TYPE_DIRENT &&
	     key->type != ITEM_TYPE_TARGET) ||
	    item_payload_verify(key->type, value + ITEM_CHECKSUM_BYTES,
				bytes - ITEM_CHECKSUM_BYTES) < 0)
		return 0;
	return item_row_put(check, key, identity->line, identity->gen,
			    value + ITEM_CHECKSUM_BYTES,
			    bytes - ITEM_CHECKSUM_BYTES) < 0 ?
		       -EIO :
		       1;
}

/* 1: it is sound; 0: it is not; key and identity say what they can. */
static int is_sound(struct check *check, sqlite3_stmt *row,
		    struct item_key *key, struct item_identity *identity)
{
	size_t bytes;
	const uint8_t *value = work_blob(row, 4, &bytes);
	bool origin;

	identity->key = work_blob(row, 1, &identity->key_bytes);
	if (!identity->key || !work_u32(row, 2, &identity->line) ||
	    !work_u32(row, 3, &identity->gen) ||
	    item_key_decode(identity->key, identity->key_bytes, key) < 0)
		return -1;
	origin = key->type == ITEM_TYPE_ORIGIN;
	if ((identity->line == 0) != origin || (identity->gen == 0) != origin)
		return -1;
	if (!value ||
	    item_value_verify(check->seed, identity, value, bytes) < 0 ||
	    (bytes > ITEM_CHECKSUM_BYTES &&
	     item_payload_verify(key->type, value + ITEM_CHECKSUM_BYTES,
				 bytes - ITEM_CHECKSUM_BYTES) < 0))
		return 0;
	return 1;
}

static int repair(struct check *check, sqlite3_stmt *row, bool known,
		  const struct item_key *key,
		  const struct item_identity *identity)
{
	struct problem_where where = { 0 };
	int64_t id = sqlite3_column_int64(row, 0);
	int rc = 0;

	if (known) {
		where.inode = key->inode;
		where.line = identity->line;
		where.gen = identity->gen;
		(void)past_name_view(&check->past, where.line, where.gen,
				     &where);
	}
	if (!problem(check, PROBLEM_ITEM, &where, "type %d",
		     known ? (int)key->type : 0))
		return 0;
	if (known)
		rc = from_backup(check, row, identity);
	if (known && rc == 0) {
		AUTO_STATEMENT sqlite3_stmt *again = NULL;

		rc = work_query(check, &again,
				"SELECT id, line, gen, value FROM items WHERE "
				"id = ?",
				"i", id);
		if (rc == 0)
			rc = work_step(check, again);
		if (rc > 0)
			rc = keep_readable(check, again, key, identity);
	}
	if (rc == 0)
		rc = work_repair(check, "DELETE FROM items WHERE id = ?", "i",
				 id);
	return rc < 0 ? rc : 0;
}

/* Repairs what is not sound; the next scan finds it so, or gone. */
static int check_rows(struct check *check, uint64_t total)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	uint64_t done = 0;
	int rc = work_query(check, &rows,
			    "SELECT id, key, line, gen, value FROM items "
			    "ORDER BY id",
			    "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		struct item_identity identity = { 0 };
		struct item_key key = { 0 };
		int sound = is_sound(check, rows, &key, &identity);

		rc = 0;
		if (sound <= 0)
			rc = repair(check, rows, sound == 0, &key, &identity);
		if (rc == 0 && ++done % 1024 == 0)
			rc = check_progress(check, done / 3, total);
	}
	return rc;
}

static bool matters(const struct item_key *key)
{
	return key->type == ITEM_TYPE_DIRENT || key->type == ITEM_TYPE_INODE ||
	       key->type == ITEM_TYPE_ORPHAN;
}

static int gather(struct item_scan *scan, uint64_t total)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	struct check *check = scan->check;
	uint64_t done = 0;
	int rc = work_query(check, &rows,
			    "SELECT id, key, line, gen, value FROM items "
			    "ORDER BY key, line, gen",
			    "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		struct item_identity identity = { 0 };
		struct item_key key = { 0 };
		const uint8_t *value;
		size_t bytes;

		rc = 0;
		if (++done % 1024 == 0)
			rc = check_progress(check, (total + done) / 3, total);
		if (rc < 0 || is_sound(check, rows, &key, &identity) <= 0 ||
		    !matters(&key))
			continue;
		if (identity.key_bytes != scan->key_bytes ||
		    memcmp(identity.key, scan->key, scan->key_bytes) != 0) {
			rc = end_key(scan);
			scan->key_bytes = identity.key_bytes;
			memcpy(scan->key, identity.key, identity.key_bytes);
		}
		value = work_blob(rows, 4, &bytes);
		if (rc == 0 && value)
			rc = keep_version(scan, &key, &identity,
					  value + ITEM_CHECKSUM_BYTES,
					  bytes - ITEM_CHECKSUM_BYTES);
	}
	return rc == 0 ? end_key(scan) : rc;
}

static int count_items(struct check *check, uint64_t *out)
{
	AUTO_STATEMENT sqlite3_stmt *row = NULL;
	int rc = work_query(check, &row, "SELECT count(*) FROM items", "");

	if (rc == 0)
		rc = work_step(check, row);
	*out = rc > 0 ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
	return rc < 0 ? rc : 0;
}

int pass4_items(struct check *check, const struct viewers *viewers)
{
	struct item_scan scan = { .check = check, .viewers = viewers };
	uint64_t total = 0;
	int rc = count_items(check, &total);

	if (rc == 0)
		rc = check_rows(check, total);
	if (rc == 0)
		rc = work_run(check,
			      "CREATE TEMP TABLE links(inode INTEGER, place "
			      "INTEGER, gen INTEGER, kind INTEGER, value "
			      "INTEGER, extra INTEGER, other INTEGER)",
			      "");
	if (rc == 0)
		rc = work_query(check, &scan.insert,
				"INSERT INTO links VALUES(?, ?, ?, ?, ?, ?, ?)",
				"");
	if (rc == 0)
		rc = gather(&scan, total);
	sqlite3_finalize(scan.insert);
	free(scan.versions);
	free(scan.stack);
	return rc;
}
