/*
 * The twin is in the temporary directory, beside the working copy. Lines that
 * were folded since index.bak was made are not folded in it: a row is looked
 * for along the path of its line.
 */
#include "twin.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_impl.h"
#include "backup.h"
#include "check.h"

struct twin {
	sqlite3 *db; /* NULL: there is none that is any good */
	struct queries queries;
	struct segment_reader reader;
	struct block_map map;
	struct apply *apply;
};

/* A copy of index.bak. */
static sqlite3 *copy(struct check *check)
{
	sqlite3 *from = backup_connection(check), *to = NULL;
	char path[PATH_MAX + 16];
	sqlite3_backup *backup;

	if (!from)
		return NULL;
	snprintf(path, sizeof(path), "%s/twin.db", check->temporary);
	if (sqlite3_open_v2(path, &to,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				    SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		goto fail;
	backup = sqlite3_backup_init(to, "main", from, "main");
	if (!backup)
		goto fail;
	(void)sqlite3_backup_step(backup, -1);
	if (sqlite3_backup_finish(backup) != SQLITE_OK)
		goto fail;
	sqlite3_db_config(to, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (sqlite3_exec(to,
			 "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
			 "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0;"
			 "PRAGMA cell_size_check=ON",
			 NULL, NULL, NULL) == SQLITE_OK)
		return to;
fail:
	sqlite3_close(to);
	return NULL;
}

static int bring_to_end(struct check *check, struct twin *twin)
{
	struct apply_result result = { 0 };
	struct log_position from;
	int rc;

	queries_init(&twin->queries, twin->db);
	segment_reader_init(&twin->reader, check->segments_fd, check->uuid,
			    check->seed);
	rc = block_map_load(&twin->map, &twin->queries);
	if (rc == 0)
		rc = apply_new(&twin->queries, &twin->reader, &twin->map,
			       &twin->apply);
	if (rc == 0)
		rc = apply_get_position(&twin->queries, &from);
	if (rc == 0)
		rc = apply_log(twin->apply, &from, &result);
	if (rc == 0 && (result.how == LOG_END_DAMAGED || result.troubles > 0))
		rc = -EUCLEAN;
	return rc;
}

static void close_db(struct twin *twin)
{
	apply_free(twin->apply);
	twin->apply = NULL;
	queries_fini(&twin->queries);
	segment_reader_fini(&twin->reader);
	block_map_fini(&twin->map);
	sqlite3_close(twin->db);
	twin->db = NULL;
}

static int find(struct check *check, struct twin **out_twin)
{
	struct twin *twin = check->twin;

	if (!twin) {
		twin = check->twin = calloc(1, sizeof(*twin));
		if (!twin)
			return check_failed(check, -ENOMEM, "index.bak");
		twin->db = copy(check);
		if (twin->db && bring_to_end(check, twin) < 0)
			close_db(twin);
	}
	*out_twin = twin;
	return twin->db ? 1 : 0;
}

void twin_close(struct check *check)
{
	if (!check->twin)
		return;
	if (check->twin->db)
		close_db(check->twin);
	free(check->twin);
	check->twin = NULL;
}

int twin_window(struct check *check, const struct window_key *key, uint8_t *row,
		size_t *out_bytes)
{
	struct slot slots[WINDOW_BLOCKS];
	struct window_key found = *key;
	struct twin *twin;
	size_t count, bytes = 0;
	int rc = find(check, &twin);

	if (rc <= 0)
		return rc;
	rc = apply_row_of_window(twin->apply, &found, row, &bytes);
	if (rc != 1 || found.gen != key->gen ||
	    window_decode(check->seed, &found, row, bytes, slots, &count) < 0)
		return 0;
	*out_bytes = window_encode(check->seed, key, slots, count, row);
	return 1;
}

int twin_item(struct check *check, const uint8_t *key, size_t key_bytes,
	      uint32_t line, uint32_t gen, uint8_t *value, size_t *out_bytes)
{
	struct item_identity identity = { key, key_bytes, line, gen };
	AUTO_FREE uint8_t *found = malloc(ITEM_VALUE_BYTES_MAX);
	struct twin *twin;
	size_t bytes = 0;
	int rc = found ? find(check, &twin) :
			 check_failed(check, -ENOMEM, "index.bak");

	if (rc <= 0)
		return rc;
	rc = apply_row_of_item(twin->apply, &identity, found, &bytes);
	if (rc != 1 || identity.gen != gen ||
	    item_value_verify(check->seed, &identity, found, bytes) < 0)
		return 0;
	identity.line = line;
	*out_bytes = item_value_encode(check->seed, &identity,
				       found + ITEM_CHECKSUM_BYTES,
				       bytes - ITEM_CHECKSUM_BYTES, value);
	return 1;
}
