/*
 * cowd-fsck as a call: looks at a store that nobody has open, says what is
 * wrong with it, repairs it if it may. For the command and for tests: no
 * global state, no exit(), nothing printed but where the options say.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scope.h"

enum fsck_mode {
	FSCK_MODE_NO,	/* writes nothing, says what it would do */
	FSCK_MODE_SAFE, /* repairs what loses nothing */
	FSCK_MODE_YES,	/* repairs all it can */
	FSCK_MODE_ASK,	/* asks before each repair */
};

/* Bits, as fsck(8) has them. */
enum fsck_exit {
	FSCK_EXIT_FIXED = 1,
	FSCK_EXIT_LEFT = 4,
	FSCK_EXIT_FAILED = 8,
	FSCK_EXIT_USAGE = 16,
	FSCK_EXIT_CANCELLED = 32,
};

/* What is looked at besides the store's directory; bits. */
enum fsck_part {
	FSCK_PART_INDEX = 1,  /* the index and all that it holds */
	FSCK_PART_CHUNKS = 2, /* every stored byte */
	FSCK_PART_BASE = 4,
	FSCK_PART_ALL = 7,
};

enum fsck_rebuild {
	FSCK_REBUILD_NO,
	FSCK_REBUILD_INDEX,    /* from index.bak and the log */
	FSCK_REBUILD_SEGMENTS, /* from the segments alone */
};

enum { FSCK_HEAL_MAX = 16 };

/* All zeros but the path: -n, everything, silent. */
struct fsck_options {
	const char *path; /* of the store */
	enum fsck_mode mode;
	unsigned parts; /* 0: FSCK_PART_ALL */
	bool quick;	/* what opening the store would look at, no more */
	enum fsck_rebuild rebuild;
	const char *heal_from[FSCK_HEAL_MAX];
	unsigned heal_count;
	FILE *undo_file;       /* where the old bytes go; NULL: nowhere */
	const char *temporary; /* directory for the working copy; NULL: $TMPDIR
				* or the like */
	FILE *out;	       /* the report; NULL: none */
	bool json, verbose;
	FILE *progress;	     /* a line that moves; NULL: none */
	FILE *progress_pipe; /* as fsck(8) -C wants it; NULL: none */
	/* FSCK_MODE_ASK: true: go on and repair. */
	bool (*ask)(void *context, const char *question);
	void *context;
	const volatile sig_atomic_t *stop; /* not 0: end; NULL: never */
	volatile sig_atomic_t *tell;	   /* not 0: one line of progress */
};

struct fsck_result {
	int exit_code; /* enum fsck_exit */
	uint64_t found_count, fixed_count, left_count;
	uint64_t lost_count;   /* repairs that lost something */
	uint64_t note_count;   /* what is harmless and said only */
	unsigned first_number; /* of the first problem; 0: none */
	char uuid[37];	       /* empty: not known */
	char message[512];     /* why exit_code has FSCK_EXIT_FAILED */
	char hint[512];
};

/* Returns result->exit_code. */
int fsck_run(const struct fsck_options *options, struct fsck_result *result);

/* Puts back what a repair changed, from its undo file; 0 when all is back. */
int fsck_undo(const struct fsck_options *options, FILE *undo_file,
	      struct fsck_result *result);

/* The table of problems, one line each: number, code, severity, class, text,
 * repair and what that loses, with tabs between. */
void fsck_print_problems(FILE *out);
