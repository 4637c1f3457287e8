/*
 * Rows of items: the versions of inodes, names and xattrs of directory trees.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "index_impl.h"

int item_read_value(struct index *index, enum statement s, int column,
		    const uint8_t **out_value, size_t *out_value_bytes)
{
	int rc = 0;

	*out_value = sql_blob(index, s, column, out_value_bytes, &rc);
	if (rc < 0 || *out_value_bytes > ITEM_VALUE_BYTES_MAX)
		return -EUCLEAN; /* F-56 */
	return 0;
}

int item_read_key(struct index *index, enum statement s, int column,
		  const uint8_t **out_key, size_t *out_key_bytes)
{
	int rc = 0;

	*out_key = sql_blob(index, s, column, out_key_bytes, &rc);
	if (rc < 0 || *out_key_bytes == 0 ||
	    *out_key_bytes > ITEM_KEY_BYTES_MAX)
		return -EUCLEAN; /* F-56 */
	return 0;
}

/* Copies column 2, the value. -ERANGE: it does not fit. */
static int copy_value(struct index *index, enum statement s, void *value,
		      size_t value_capacity_bytes, size_t *out_value_bytes)
	REQUIRES(index->lock)
{
	const uint8_t *found;
	int rc = item_read_value(index, s, 2, &found, out_value_bytes);

	if (rc < 0)
		return rc;
	if (*out_value_bytes > value_capacity_bytes)
		return -ERANGE;
	if (*out_value_bytes > 0)
		memcpy(value, found, *out_value_bytes);
	return 0;
}

int index_item_find(struct index *index, const struct line_path *path,
		    const uint8_t *key, size_t key_bytes,
		    struct item_version *out_version, void *value,
		    size_t value_capacity_bytes, size_t *out_value_bytes)
{
	const struct version_key wanted = { .statement = STATEMENT_ITEM_FIND,
					    .key = key,
					    .key_bytes = key_bytes };
	struct item_version version = { 0 };
	size_t value_bytes = 0;
	int rc;

	mutex_lock(&index->lock);
	rc = version_find(index, path, &wanted, &version.line, &version.gen);
	if (rc == 0)
		rc = copy_value(index, STATEMENT_ITEM_FIND, value,
				value_capacity_bytes, &value_bytes);
	sql_end(index, STATEMENT_ITEM_FIND);
	mutex_unlock(&index->lock);
	if (rc == 0 || rc == -ERANGE) {
		*out_version = version;
		*out_value_bytes = value_bytes;
	}
	return rc;
}

int index_item_put(struct index *index, const uint8_t *key, size_t key_bytes,
		   const struct item_version *version, const void *value,
		   size_t value_bytes)
{
	assert(key_bytes > 0 && key_bytes <= ITEM_KEY_BYTES_MAX &&
	       value_bytes <= ITEM_VALUE_BYTES_MAX);
	return sql_run(index, STATEMENT_ITEM_PUT, "biib", key, key_bytes,
		       (int64_t)version->line, (int64_t)version->gen, value,
		       value_bytes);
}

int index_item_delete(struct index *index, const uint8_t *key, size_t key_bytes,
		      const struct item_version *version)
{
	return sql_run(index, STATEMENT_ITEM_DELETE, "bii", key, key_bytes,
		       (int64_t)version->line, (int64_t)version->gen);
}

int index_item_relabel(struct index *index, const uint8_t *key,
		       size_t key_bytes, const struct item_version *version,
		       uint32_t new_line, const void *value, size_t value_bytes)
{
	const enum statement statement = STATEMENT_ITEM_RELABEL;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, statement, "ibbii", (int64_t)new_line, value,
		       value_bytes, key, key_bytes, (int64_t)version->line,
		       (int64_t)version->gen);
	if (rc == 0)
		rc = sql_step(index, statement);
	if (rc == 0 && sqlite3_changes(index->connection) == 0)
		rc = -ENOENT;
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	return rc;
}

static int neighbour(struct index *index, enum statement statement,
		     const uint8_t *key, size_t key_bytes,
		     const struct item_version *from,
		     struct item_version *out_version, void *value,
		     size_t value_capacity_bytes, size_t *out_value_bytes)
{
	struct item_version version = *from;
	size_t value_bytes = 0;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, statement, "bii", key, key_bytes,
		       (int64_t)from->line, (int64_t)from->gen);
	if (rc == 0)
		rc = sql_step(index, statement);
	if (rc > 0) {
		rc = 0;
		version.line = sql_u32(index, statement, 0, &rc);
		version.gen = sql_u32(index, statement, 1, &rc);
		if (rc == 0)
			rc = copy_value(index, statement, value,
					value_capacity_bytes, &value_bytes);
	} else if (rc == 0) {
		rc = -ENOENT;
	}
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	if (rc == 0 || rc == -ERANGE) {
		*out_version = version;
		*out_value_bytes = value_bytes;
	}
	return rc;
}

int index_item_next_version(struct index *index, const uint8_t *key,
			    size_t key_bytes, const struct item_version *from,
			    struct item_version *out_version, void *value,
			    size_t value_capacity_bytes,
			    size_t *out_value_bytes)
{
	return neighbour(index, STATEMENT_ITEM_NEXT, key, key_bytes, from,
			 out_version, value, value_capacity_bytes,
			 out_value_bytes);
}

int index_item_previous_version(struct index *index, const uint8_t *key,
				size_t key_bytes,
				const struct item_version *from,
				struct item_version *out_version, void *value,
				size_t value_capacity_bytes,
				size_t *out_value_bytes)
{
	return neighbour(index, STATEMENT_ITEM_PREVIOUS, key, key_bytes, from,
			 out_version, value, value_capacity_bytes,
			 out_value_bytes);
}

int index_item_version_after(struct index *index, const uint8_t *key,
			     size_t key_bytes, const struct item_version *from,
			     struct item_version *out_version, void *value,
			     size_t value_capacity_bytes,
			     size_t *out_value_bytes)
{
	return neighbour(index, STATEMENT_ITEM_VERSION, key, key_bytes, from,
			 out_version, value, value_capacity_bytes,
			 out_value_bytes);
}

static int read_line_key(struct index *index, enum statement s,
			 const struct version_place *place, void *keys)
	REQUIRES(index->lock)
{
	struct item_row_key *to = (struct item_row_key *)keys + place->nr;
	const uint8_t *key;
	size_t key_bytes;
	int rc = item_read_key(index, s, 2, &key, &key_bytes);

	if (rc < 0)
		return rc;
	to->gen = place->gen;
	to->key_bytes = (uint32_t)key_bytes;
	memcpy(to->key, key, key_bytes);
	return 0;
}

int index_items_of_line(struct index *index, uint32_t line, uint32_t gen_begin,
			uint32_t gen_end, struct item_row_key *keys, int most,
			int64_t *cursor)
{
	const struct version_walk walk = {
		.of_gen = STATEMENT_ITEMS_OF_GEN,
		.of_line = STATEMENT_ITEMS_OF_LINE,
		.line = line,
		.gen_begin = gen_begin,
		.gen_end = gen_end,
		.most = most,
	};

	return versions_of_line(index, &walk, read_line_key, keys, cursor);
}
