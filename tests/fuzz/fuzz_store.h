/*
 * A small store in memory (/dev/shm) for targets that take a whole one, and
 * what an input does to its files.
 *
 * The store is made once, by the core; its files are kept and put back for each
 * input. An input is a script of steps of 8 bytes, so that an offset stays in
 * its place when something before it changes: see fuzz_damage.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file.h"
#include "history.h"
#include "record_format.h"
#include "store.h"

enum { STORE_FILES_MAX = 16, STORE_RECORDS_MAX = 512, SCRIPT_STEP_BYTES = 8 };

struct stored_file {
	char name[64]; /* in the store */
	uint8_t *bytes;
	size_t len_bytes;
};

/* A record of the log, in the file of a segment. */
struct stored_record {
	unsigned file;
	struct record_place place;
	size_t at_bytes, len_bytes;
};

struct fuzz_store {
	char directory[64], path[96], base[96];
	bool is_tree;
	struct stored_file files[STORE_FILES_MAX];
	size_t file_count;
	struct stored_record records[STORE_RECORDS_MAX];
	size_t record_count;
	uint64_t seed;
};

/* Makes it; ends the program if that fails. The directory goes at exit; *store
 * is to stay until then. */
void fuzz_store_new(struct fuzz_store *store, bool is_tree);
/* Keeps its files as they are now; new does. What was kept before is not
 * freed. */
void fuzz_store_take(struct fuzz_store *store);
/* Writes the files as they were, whatever is there. */
void fuzz_store_put_back(const struct fuzz_store *store);

/*
 * Plays the script on the files. True: all of it is damage by accident, to
 * segments alone, that checksums must show: nothing is hidden, cut off, or
 * sealed again.
 */
bool fuzz_store_damage(const struct fuzz_store *store, const uint8_t *script,
		       size_t script_bytes);
/* A column of a row becomes a number, a text or NULL, or a number is put into
 * its blob; what checks it is sealed again. fuzz_damage_rows.c */
void fuzz_store_change_row(const struct fuzz_store *store, unsigned table,
			   uint32_t where, uint64_t value, unsigned width);
/* Changes a byte and the script behind it: a step more, less, or another. */
size_t fuzz_store_mutate(uint8_t *data, size_t len_bytes, size_t max_bytes,
			 unsigned seed);
