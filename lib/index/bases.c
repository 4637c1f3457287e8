/* What the store was made over: a row for an image, or one for each layer. */
#include <errno.h>
#include <string.h>

#include "index_impl.h"

enum { LAYER_MAX = 255 };

int index_base_put(struct index *index, uint32_t layer, const char *name,
		   const struct base_fingerprint *fingerprint)
{
	const struct base_fingerprint *f = fingerprint;

	return sql_run(index, STATEMENT_BASE_PUT, "isisiiiiiii", (int64_t)layer,
		       name, (int64_t)f->kind, f->path, f->device, f->inode,
		       f->size_bytes, f->mtime_ns, f->sample_hash,
		       (int64_t)f->has_full_hash, f->full_hash);
}

static int read_base(struct index *index, enum statement s,
		     struct base_row *row) REQUIRES(index->lock)
{
	struct base_fingerprint *f = &row->fingerprint;
	uint32_t kind;
	int rc = 0;

	memset(row, 0, sizeof(*row));
	row->layer = sql_u32(index, s, 0, &rc);
	sql_text(index, s, 1, row->name, sizeof(row->name), &rc);
	kind = sql_u32(index, s, 2, &rc);
	sql_text(index, s, 3, f->path, sizeof(f->path), &rc);
	f->device = (uint64_t)sql_int(index, s, 4, &rc);
	f->inode = (uint64_t)sql_int(index, s, 5, &rc);
	f->size_bytes = (uint64_t)sql_int(index, s, 6, &rc);
	f->mtime_ns = sql_int(index, s, 7, &rc);
	f->sample_hash = (uint64_t)sql_int(index, s, 8, &rc);
	f->has_full_hash = sql_int(index, s, 9, &rc) != 0;
	f->full_hash = (uint64_t)sql_int(index, s, 10, &rc);
	if (kind == BASE_KIND_SNAPSHOT &&
	    (f->inode == 0 || f->inode > UINT32_MAX || !strchr(f->path, '@')))
		rc = -EUCLEAN; /* F-56 */
	if (row->layer > LAYER_MAX || kind > BASE_KIND_SNAPSHOT ||
	    f->size_bytes > INT64_MAX)
		rc = -EUCLEAN; /* F-56 */
	f->kind = (enum base_kind)kind;
	return rc;
}

int index_base_get(struct index *index, uint32_t layer,
		   struct base_fingerprint *out_fingerprint)
{
	struct base_row row;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, STATEMENT_BASE_GET, "i", (int64_t)layer);
	if (rc == 0)
		rc = sql_step(index, STATEMENT_BASE_GET);
	if (rc > 0)
		rc = read_base(index, STATEMENT_BASE_GET, &row);
	else if (rc == 0)
		rc = -ENOENT;
	sql_end(index, STATEMENT_BASE_GET);
	mutex_unlock(&index->lock);
	if (rc == 0)
		*out_fingerprint = row.fingerprint;
	return rc;
}

int index_bases_load(struct index *index, index_base_visit *visit,
		     void *context)
{
	struct base_row row;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, STATEMENT_BASES, "");
	while (rc >= 0 && (rc = sql_step(index, STATEMENT_BASES)) > 0) {
		rc = read_base(index, STATEMENT_BASES, &row);
		if (rc == 0)
			rc = visit(context, &row);
	}
	sql_end(index, STATEMENT_BASES);
	mutex_unlock(&index->lock);
	return rc;
}

int index_base_delete(struct index *index, uint32_t layer)
{
	return sql_run(index, STATEMENT_BASE_DELETE, "i", (int64_t)layer);
}
