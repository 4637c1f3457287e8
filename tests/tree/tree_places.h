/*
 * tree_places: every kind of operation, in each place that an object can come
 * from. Rows are operations, columns are places; see tree_places.c.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum place { PLACE_BASE, PLACE_DELTA, PLACE_BOTH, PLACE_SNAPSHOT, PLACE_COUNT };

enum { KIT_BYTES = 10000, KIT_TIME = 981173106, KIT_USER = 12345 };

/* What the rows find in their working directory, a fresh one for each row and
 * place:
 *   file    10,000 bytes, 0644, root's, old times, xattr user.x = "one";
 *           "hard" is another name of it
 *   other   a file of 3 bytes, 4755
 *   secret  a file with mode 0600
 *   run     an executable script
 *   empty   a directory; full: one with file in it; bits: 1777; group: 2775
 *           of group KIT_USER, full/deep/er a directory in full
 *   link    -> file; dangling -> nothing; loop -> loop; todir -> full
 *   fifo, socket, and null (1:3), as root
 */
struct row {
	const char *name;
	/* 0, the errno of the operation, or broken(). */
	int (*act)(void);
	int expected[PLACE_COUNT];
};

extern const struct row places_name_rows[], places_attr_rows[],
	places_data_rows[], places_open_rows[];

/* Any of these will do in that place. */
enum { ANY_RESULT = 1000 };

/* Columns for operations that change something: the first error is what the
 * three writable places answer. */
#define WRITES(error)                      \
	{                                  \
		error, error, error, EROFS \
	}
/* For operations that change nothing. */
#define READS(error)                       \
	{                                  \
		error, error, error, error \
	}

#define TRY(expression)               \
	do {                          \
		if ((expression) < 0) \
			return errno; \
	} while (0)
#define CHECK(condition)                                               \
	do {                                                           \
		if (!(condition))                                      \
			return broken(__FILE__, __LINE__, #condition); \
	} while (0)

int broken(const char *file, int line, const char *condition);
enum place place_now(void);
/* The byte that the kit's file has at a place. */
unsigned char kit_byte(size_t at);
/* The file has the kit's content. */
bool kit_is(const char *name);
/* lstat; st_mode is 0 if that fails. */
struct stat stat_of(const char *path);
bool exists(const char *path);
/* From now on this process is another user. */
void become_other(void);
bool write_file(const char *name, const char *text);
bool text_is(const char *name, const char *text);
