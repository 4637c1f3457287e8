/* What cowd-fsck says, as text or JSON. Nothing that a store holds reaches a
 * terminal as it is. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "problem.h"

struct check;
struct pass;

enum { REPORT_CODE_LINES_MAX = 50 }; /* of one problem, without -v */

struct report {
	const struct pass *pass;
	uint64_t pass_found_count;
	bool titled;	   /* the pass's line is written */
	bool json_began;   /* there is an element in the list */
	json_t *pending;   /* problem whose changes are not complete */
	bool show_changes; /* of the problem that was told last */
	uint64_t *counts;  /* for each row of the table */
	uint64_t started_ns, pass_started_ns, shown_ns;
	bool line_shown; /* of progress */
};

int report_begin(struct check *check);
void report_pass_begin(struct check *check, const struct pass *pass);
void report_pass_end(struct check *check);
void report_problem(struct check *check, const struct problem_row *row,
		    const struct problem_where *where, const char *detail,
		    bool fix);
/* One exact change that belongs to the problem before it. */
void report_change(struct check *check, const char *format, ...)
	PRINTF_LIKE(2, 3);
void report_say(struct check *check, const char *format, ...) PRINTF_LIKE(2, 3);
void report_end(struct check *check);
void report_fini(struct check *check);
void report_progress(struct check *check, uint64_t done, uint64_t total);

/* "main@s1, /etc/passwd, offset 4096"; empty: no place is known. */
void report_place(const struct problem_where *where, char *text,
		  size_t text_bytes);
/*
 * Copies text so that it can be shown: control characters, what is no UTF-8,
 * and characters that turn the direction of text become \ooo. Cut at
 * text_bytes - 1. len_bytes SIZE_MAX: up to the NUL.
 */
void report_escape(const char *from, size_t len_bytes, char *text,
		   size_t text_bytes);
