/*
 * The problems that a store may have: one table, which messages, the manual
 * page, JSON and the tests are made of.
 *
 * Numbers are never used again for something else: pass * 100 + n.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "scope.h"

struct check;

enum problem_number {
	/* 1: the directory and its files */
	PROBLEM_DIRECTORY_MODE = 101,
	PROBLEM_FILE_NAMES = 102,
	PROBLEM_FILE_KIND = 103,
	PROBLEM_SEGMENT_KIND = 104,
	PROBLEM_STRAY_FILE = 105,
	PROBLEM_LEFT_OVER = 106,
	PROBLEM_JOURNAL = 107,
	/* 2: the index as a database */
	PROBLEM_INDEX_MISSING = 201,
	PROBLEM_INDEX_DAMAGED = 202,
	PROBLEM_INDEX_ORDER = 203,
	PROBLEM_INDEX_VERSION = 204,
	PROBLEM_INDEX_SCHEMA = 205,
	PROBLEM_INDEX_EXTRA = 206,
	PROBLEM_INDEX_META = 207,
	PROBLEM_INDEX_MODE = 208,
	PROBLEM_BACKUP_DAMAGED = 209,
	PROBLEM_BACKUP_MISSING = 210,
	/* 2: the log behind it */
	PROBLEM_LOG_REPLAY = 220,
	PROBLEM_LOG_TORN = 221,
	PROBLEM_LOG_DAMAGED = 222,
	PROBLEM_LOG_RECORD = 223,
	PROBLEM_LOG_GENERATION = 224,
	PROBLEM_INDEX_REBUILD = 225,
	PROBLEM_INDEX_SEGMENTS = 226,
	/* 3: lines, branches, snapshots, holds, operations, counters */
	PROBLEM_LINE = 301,
	PROBLEM_LINE_LOST = 302,
	PROBLEM_LINE_UNKNOWN = 303,
	PROBLEM_BRANCH = 304,
	PROBLEM_BRANCH_NAME = 305,
	PROBLEM_BRANCH_HEAD = 306,
	PROBLEM_BRANCH_SHARED = 307,
	PROBLEM_BRANCH_NONE = 308,
	PROBLEM_BRANCH_LOST = 309,
	PROBLEM_SNAPSHOT = 310,
	PROBLEM_SNAPSHOT_NAME = 311,
	PROBLEM_SNAPSHOT_LOST = 312,
	PROBLEM_HOLD = 313,
	PROBLEM_OPERATION = 314,
	PROBLEM_COUNTER = 315,
	/* 4: names and inodes */
	PROBLEM_ITEM = 401,
	PROBLEM_NO_INODE = 402,
	PROBLEM_LINK_COUNT = 403,
	PROBLEM_NAMELESS = 404,
	PROBLEM_NAMELESS_KEPT = 405,
	PROBLEM_PARENT = 406,
	PROBLEM_ORPHAN = 407,
	/* 5: windows */
	PROBLEM_WINDOW_ROW = 501,
	PROBLEM_WINDOW_LOST = 502,
	PROBLEM_WINDOW_GEN = 503,
	PROBLEM_WINDOW_BIRTH = 504,
	PROBLEM_WINDOW_INODE = 505,
	/* 6: segments and what is stored in them */
	PROBLEM_SEGMENT_HEADER = 601,
	PROBLEM_SEGMENT_MISSING = 602,
	PROBLEM_SEGMENT_LOST = 603,
	PROBLEM_BLOCK_HEALED = 604,
	PROBLEM_BLOCK_LOST = 605,
	/* 7: space */
	PROBLEM_SPACE_FREE = 701,
	PROBLEM_SPACE_SHARED = 702,
	PROBLEM_SPACE_LEAK = 703,
	PROBLEM_SPACE_METADATA = 704,
	PROBLEM_SPACE_USED = 705,
	PROBLEM_SPACE_SEALED = 706,
	PROBLEM_SPACE_ROW = 707,
	PROBLEM_SPACE_UNKNOWN = 708,
	/* 8: base */
	PROBLEM_BASE_ROW = 801,
	PROBLEM_BASE_LOST = 802,
	PROBLEM_BASE_MISSING = 803,
	PROBLEM_BASE_CHANGED = 804,
	PROBLEM_BASE_SNAPSHOT = 805,
};

enum problem_severity {
	PROBLEM_SEVERITY_NOTE,	  /* harmless; the next mount sees to it */
	PROBLEM_SEVERITY_WARNING, /* nothing is lost, nothing is wrong yet */
	PROBLEM_SEVERITY_ERROR,
};

enum problem_class {
	PROBLEM_CLASS_NOTE,  /* is said; nothing is to be repaired */
	PROBLEM_CLASS_SAFE,  /* repaired by -p: nothing is lost */
	PROBLEM_CLASS_LOSES, /* repaired by -y: something is lost */
	PROBLEM_CLASS_NONE,  /* can't be repaired */
};

struct problem_row {
	enum problem_number number;
	const char *code; /* "P3-LINE": never changes */
	enum problem_severity severity;
	enum problem_class class;
	const char *text;  /* what is wrong, of the place in front of it */
	const char *fix;   /* what a repair does, "remove the ..." */
	const char *loses; /* what is lost by it; NULL: nothing */
};

extern const struct problem_row problem_rows[];
extern const unsigned problem_row_count;

/* NULL: there is no such problem. */
const struct problem_row *problem_row(enum problem_number number);
const char *problem_class_slug(enum problem_class class);
const char *problem_severity_slug(enum problem_severity severity);

/* Where it is; what is 0 or NULL is not said. */
struct problem_where {
	const char *branch, *snapshot, *path, *file;
	uint32_t line, gen;
	uint64_t inode;
	uint32_t segment, block; /* block: of the segment */
	bool has_offset;
	uint64_t offset_bytes; /* in the file that has the inode */
};

/*
 * Reports a problem; where may be NULL, format says more, or is NULL. Returns
 * whether to repair it now, in the working copy of the index and by
 * change_*(): whoever gets true does it. With -n it is true, too: the working
 * copy is thrown away, and later passes see what a repair would leave.
 */
bool problem(struct check *check, enum problem_number number,
	     const struct problem_where *where, const char *format, ...)
	PRINTF_LIKE(4, 5);
