/* Pass 8: is base still what the store was made over? It is only read. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base.h"
#include "check.h"
#include "item_format.h"
#include "layers.h"
#include "witness.h"

enum { READ_BYTES = 1 << 20 };

struct base_entry {
	uint32_t layer;
	char name[256];
	struct base_fingerprint fingerprint;
};

/* F-56 */
static bool take(sqlite3_stmt *row, struct base_entry *out)
{
	struct base_fingerprint *f = &out->fingerprint;
	int64_t device, inode, size, mtime, sample, has_full, full;
	uint32_t kind = 0;
	bool good = work_u32(row, 0, &out->layer);

	memset(f, 0, sizeof(*f));
	good &= work_text(row, 1, out->name, sizeof(out->name));
	good &= work_u32(row, 2, &kind);
	good &= work_text(row, 3, f->path, sizeof(f->path));
	good &= work_int(row, 4, &device);
	good &= work_int(row, 5, &inode);
	good &= work_int(row, 6, &size);
	good &= work_int(row, 7, &mtime);
	good &= work_int(row, 8, &sample);
	good &= work_int(row, 9, &has_full);
	good &= work_int(row, 10, &full);
	f->kind = (enum base_kind)kind;
	f->device = (uint64_t)device;
	f->inode = (uint64_t)inode;
	f->size_bytes = (uint64_t)size;
	f->mtime_ns = mtime;
	f->sample_hash = (uint64_t)sample;
	f->has_full_hash = has_full != 0;
	f->full_hash = (uint64_t)full;
	return good && out->layer <= 255 && kind > BASE_KIND_NONE &&
	       kind <= BASE_KIND_SNAPSHOT && size >= 0 && f->path[0] == '/' &&
	       (out->layer == 0) == (kind < BASE_KIND_DIRECTORY);
}

/* As index.bak has it. */
static int restore(struct check *check, int64_t layer)
{
	AUTO_STATEMENT sqlite3_stmt *row = NULL;
	AUTO_FREE struct base_entry *entry = malloc(sizeof(*entry));
	const struct base_fingerprint *f;
	struct problem_where where = { .file = "base" };
	int rc = entry ? witness_row(check, "base", layer, &row) : -ENOMEM;

	if (rc < 0)
		return rc;
	if (rc == 0 || !take(row, entry)) {
		problem(check, PROBLEM_BASE_LOST, &where, "layer %" PRId64,
			layer);
		return 0;
	}
	f = &entry->fingerprint;
	if (!problem(check, PROBLEM_BASE_ROW, &where, "layer %" PRId64, layer))
		return 0;
	return work_repair(
		check,
		"INSERT OR REPLACE INTO base VALUES(?,?,?,?,?,?,?,?,?,?,?)",
		"isisiiiiiii", layer, entry->name, (int64_t)f->kind, f->path,
		(int64_t)f->device, (int64_t)f->inode, (int64_t)f->size_bytes,
		f->mtime_ns, (int64_t)f->sample_hash, (int64_t)f->has_full_hash,
		(int64_t)f->full_hash);
}

/* All bytes, if their hash is known. */
static int check_bytes(struct check *check, struct base *base,
		       const struct base_fingerprint *f)
{
	struct problem_where where = { .file = f->path };
	AUTO_FREE uint8_t *data = malloc(READ_BYTES);
	XXH3_state_t *state = XXH3_createState();
	uint64_t at = 0;
	int rc = data && state ? 0 : -ENOMEM;

	if (rc == 0)
		XXH3_64bits_reset(state);
	while (rc == 0 && at < f->size_bytes) {
		uint64_t left = f->size_bytes - at;
		size_t len = left < READ_BYTES ? (size_t)left : READ_BYTES;

		rc = base_read(base, at, data, len);
		if (rc == -EIO || rc == -ESTALE)
			break;
		if (rc == 0)
			XXH3_64bits_update(state, data, len);
		at += len;
		if (rc == 0)
			rc = check_progress(check, at, f->size_bytes);
	}
	if (rc == -EIO || rc == -ESTALE ||
	    (rc == 0 && XXH3_64bits_digest(state) != f->full_hash)) {
		where.has_offset = rc < 0;
		where.offset_bytes = at;
		problem(check, PROBLEM_BASE_CHANGED, &where, "%s",
			rc < 0 ? strerror(-rc) : "its bytes are others");
		rc = 0;
	}
	XXH3_freeState(state);
	return rc;
}

static int check_there(struct check *check, const struct base_entry *entry)
{
	const struct base_fingerprint *f = &entry->fingerprint;
	struct problem_where where = { .file = f->path };
	struct failure failure = { 0 };
	struct base *base = NULL;
	int rc;

	if (f->kind == BASE_KIND_SNAPSHOT) {
		problem(check, PROBLEM_BASE_SNAPSHOT, &where, NULL);
		return 0;
	}
	if (f->kind == BASE_KIND_DIRECTORY)
		rc = layer_fingerprint_check(f, NULL, NULL, &failure);
	else
		rc = base_reopen(f, NULL, &base, &failure);
	if (rc == 0 && base && f->has_full_hash)
		rc = check_bytes(check, base, f);
	else if (rc == -ESTALE)
		problem(check, PROBLEM_BASE_CHANGED, &where, "%s",
			failure.message);
	else if (rc < 0 && rc != -ENOMEM)
		problem(check, PROBLEM_BASE_MISSING, &where, "%s",
			failure.message);
	base_close(base);
	return rc == -EINTR || rc == -ENOMEM ? rc : 0;
}

/* Layers that stacks name must be known: rows of base never go. */
static int check_stacks(struct check *check)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	AUTO_FREE struct stack_item *stack = malloc(sizeof(*stack));
	bool seen[256] = { false };
	int rc = !stack ? -ENOMEM :
			  work_query(check, &rows,
				     "SELECT value FROM items WHERE key = "
				     "x'000000000000000005'",
				     "");
	uint32_t i;

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		size_t bytes;
		const uint8_t *value = work_blob(rows, 0, &bytes);

		rc = 0;
		if (!value || bytes <= ITEM_CHECKSUM_BYTES ||
		    stack_item_decode(value + ITEM_CHECKSUM_BYTES,
				      bytes - ITEM_CHECKSUM_BYTES, stack) < 0)
			continue;
		for (i = 0; i < stack->count; i++)
			seen[stack->layers[i]] = true;
	}
	for (i = 0; rc == 0 && i < 256; i++) {
		AUTO_STATEMENT sqlite3_stmt *row = NULL;

		if (!seen[i])
			continue;
		rc = work_query(check, &row,
				"SELECT 1 FROM base WHERE layer = ?", "i",
				(int64_t)i);
		if (rc == 0)
			rc = work_step(check, row);
		work_finalize(&row);
		if (rc == 0)
			rc = restore(check, i);
		else if (rc > 0)
			rc = 0;
	}
	return rc;
}

static int check_rows(struct check *check, struct base_entry *entry, bool look)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	int rc = work_query(check, &rows,
			    "SELECT layer, name, kind, path, device, inode, "
			    "size_bytes, mtime_ns, sample_hash, has_full_hash, "
			    "full_hash FROM base ORDER BY layer",
			    "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		bool good = take(rows, entry);

		rc = 0;
		if (good && look)
			rc = check_there(check, entry);
		else if (!good && !look)
			rc = restore(check, sqlite3_column_int64(rows, 0));
	}
	return rc;
}

int pass8_base(struct check *check)
{
	AUTO_FREE struct base_entry *entry = malloc(sizeof(*entry));
	int rc = entry ? check_rows(check, entry, false) : -ENOMEM;

	if (rc == 0)
		rc = check_stacks(check);
	return rc == 0 ? check_rows(check, entry, true) : rc;
}
