/*
 * Damages a store with checksums that are right, for cases of cowd-fsck.
 *
 *   damage STORE records               LSN, type, segment, block, offset, size
 *   damage STORE flip LSN              a bit of a record
 *   damage STORE field LSN OFFSET SIZE VALUE  of a record's payload
 *   damage STORE slots                 row, inode, window, line, gen, block,
 *                                      kind, segment, place, birth, sum
 *   damage STORE add INODE             a row of zeros
 *   damage STORE slot ROW NR FIELD VALUE  of the NR-th slot: kind, segment,
 *                                      place, birth, sum; first: of the key
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "log_survey.h"
#include "window_scan.h"

static struct queries queries;
static struct segment_reader reader;
static uint64_t seed, want_lsn;

static int fail(const char *text)
{
	fprintf(stderr, "damage: %s\n", text);
	exit(1);
}

static struct record_place found_place;
static size_t found_bytes;

static int list(void *context, const struct record_place *place,
		const struct record *record)
{
	(void)context;
	if (want_lsn == 0)
		printf("%" PRIu64 " %d %u %u %u %zu\n", record->lsn,
		       (int)record->type, place->segment, place->block,
		       place->offset, record->record_bytes);
	if (record->lsn == want_lsn) {
		found_place = *place;
		found_bytes = record->record_bytes;
	}
	return 0;
}

static void visit_records(void)
{
	const struct log_position everywhere = { 0 };
	struct log_survey survey = { 0 };

	if (log_survey_begin(&survey, &reader, &everywhere) < 0 ||
	    log_survey_visit(&survey, &everywhere, list, NULL) < 0)
		fail("can't read the log");
	log_survey_fini(&survey);
	if (want_lsn && !found_bytes)
		fail("there is no such record");
}

static int open_segment(int segments_fd)
{
	char name[16];
	int fd;

	log_segment_name(found_place.segment, name);
	fd = openat(segments_fd, name, O_RDWR | O_CLOEXEC);
	return fd < 0 ? fail("can't open the segment") : fd;
}

static off_t record_at(void)
{
	return (off_t)found_place.block * FORMAT_BLOCK_BYTES +
	       found_place.offset;
}

static void flip(int segments_fd)
{
	int fd = open_segment(segments_fd);
	uint8_t byte;

	if (pread(fd, &byte, 1, record_at() + 30) != 1)
		fail("can't read");
	byte ^= 4;
	if (pwrite(fd, &byte, 1, record_at() + 30) != 1)
		fail("can't write");
	close(fd);
}

static void put_number(uint8_t *at, int size, uint64_t value)
{
	int i;

	for (i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void change_field(int segments_fd, int offset, int size, uint64_t value)
{
	uint8_t bytes[FORMAT_BLOCK_BYTES], payload[FORMAT_BLOCK_BYTES];
	int fd = open_segment(segments_fd);
	struct record record;

	if (pread(fd, bytes, found_bytes, record_at()) != (ssize_t)found_bytes)
		fail("can't read");
	if (record_decode(&found_place, bytes, found_bytes, &record) < 0)
		fail("no record");
	memcpy(payload, record.payload, record.payload_bytes);
	put_number(payload + offset, size, value);
	record.payload = payload;
	record_encode(&found_place, &record, bytes);
	if (pwrite(fd, bytes, found_bytes, record_at()) != (ssize_t)found_bytes)
		fail("can't write");
	close(fd);
}

static int list_slots(void *context, const struct window_row *row, bool first,
		      bool last)
{
	size_t i;

	(void)context, (void)first, (void)last;
	for (i = 0; i < row->slot_count; i++)
		printf("%" PRId64 " %" PRIu64 " %" PRIu64
		       " %u %u %u %d %u %u %u %" PRIu64 "\n",
		       row->id, row->key.inode, row->key.window, row->key.line,
		       row->key.gen, row->slots[i].first, row->slots[i].kind,
		       row->slots[i].segment, row->slots[i].block,
		       row->slots[i].birth, row->slots[i].sum);
	return 0;
}

struct slot_change {
	int64_t row;
	size_t nr;
	const char *field;
	uint64_t value;
	struct window_row found;
};

static int find_row(void *context, const struct window_row *row, bool first,
		    bool last)
{
	struct slot_change *change = context;

	(void)first, (void)last;
	if (row->id == change->row)
		change->found = *row;
	return 0;
}

static void change_slot(struct slot_change *change)
{
	struct window_row *row = &change->found;
	uint8_t blob[WINDOW_ROW_BYTES_MAX];
	struct slot *slot;

	if (window_scan(&queries, seed, find_row, change) < 0 ||
	    row->id != change->row || change->nr >= row->slot_count)
		fail("there is no such slot");
	slot = &row->slots[change->nr];
	if (strcmp(change->field, "kind") == 0)
		slot->kind = (uint8_t)change->value;
	else if (strcmp(change->field, "segment") == 0)
		slot->segment = (uint32_t)change->value;
	else if (strcmp(change->field, "place") == 0)
		slot->block = (uint16_t)change->value;
	else if (strcmp(change->field, "birth") == 0)
		slot->birth = (uint32_t)change->value;
	else if (strcmp(change->field, "sum") == 0)
		slot->sum = change->value;
	else if (strcmp(change->field, "line") == 0)
		row->key.line = (uint32_t)change->value;
	else if (strcmp(change->field, "gen") == 0)
		row->key.gen = (uint32_t)change->value;
	else if (strcmp(change->field, "inode") == 0)
		row->key.inode = change->value;
	else
		fail("there is no such field");
	if (query_run(&queries,
		      "UPDATE windows SET slots = ?, line = ?, gen = ?,"
		      " inode = ? WHERE id = ?",
		      "biiii", blob,
		      window_encode(seed, &row->key, row->slots,
				    row->slot_count, blob),
		      (int64_t)row->key.line, (int64_t)row->key.gen,
		      (int64_t)row->key.inode, row->id) < 0)
		fail("can't change the row");
}

static void add_row(uint64_t inode)
{
	const struct window_key key = { inode, 0, 1, 1 };
	const struct slot zeros = { .kind = SLOT_KIND_ZERO,
				    .count = 9,
				    .birth = 1 };
	uint8_t blob[WINDOW_ROW_BYTES_MAX];

	if (query_run(&queries,
		      "INSERT INTO windows(inode, window, line, gen, slots)"
		      " VALUES(?, 0, 1, 1, ?)",
		      "ib", (int64_t)inode, blob,
		      window_encode(seed, &key, &zeros, 1, blob)) < 0)
		fail("can't add a row");
}

static void get_seed(uint8_t *uuid)
{
	sqlite3_stmt *row;

	if (query_begin(&queries, &row,
			"SELECT (SELECT value FROM meta WHERE key = 'uuid'),"
			" (SELECT value FROM meta WHERE key = 'seed')",
			"") != 1)
		fail("no seed");
	memcpy(uuid, sqlite3_column_blob(row, 0), FORMAT_UUID_BYTES);
	seed = (uint64_t)sqlite3_column_int64(row, 1);
	query_end(row);
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static void run(int count, char **words, int segments_fd)
{
	const char *what = words[0];
	struct slot_change change = { 0 };

	if (strcmp(what, "slots") == 0) {
		(void)!window_scan(&queries, seed, list_slots, NULL);
		return;
	}
	if (strcmp(what, "add") == 0 && count == 2) {
		add_row(number(words[1]));
		return;
	}
	if (strcmp(what, "slot") == 0 && count == 5) {
		change.row = (int64_t)number(words[1]);
		change.nr = number(words[2]);
		change.field = words[3];
		change.value = number(words[4]);
		change_slot(&change);
		return;
	}
	want_lsn = count > 1 ? number(words[1]) : 0;
	visit_records();
	if (strcmp(what, "flip") == 0)
		flip(segments_fd);
	else if (strcmp(what, "field") == 0 && count == 5)
		change_field(segments_fd, (int)number(words[2]),
			     (int)number(words[3]), number(words[4]));
}

int main(int argc, char **argv)
{
	uint8_t uuid[FORMAT_UUID_BYTES];
	char path[4096];
	sqlite3 *db;
	int fd;

	if (argc < 3)
		return fail("what?");
	snprintf(path, sizeof(path), "%s/index.db", argv[1]);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK)
		return fail("no index");
	queries_init(&queries, db);
	get_seed(uuid);
	snprintf(path, sizeof(path), "%s/segments", argv[1]);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	segment_reader_init(&reader, fd, uuid, seed);
	run(argc - 2, argv + 2, fd);
	segment_reader_fini(&reader);
	queries_fini(&queries);
	sqlite3_close(db);
	return 0;
}
