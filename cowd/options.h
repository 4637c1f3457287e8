/* Options: what each is called, and taking them out of an argv. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

enum option_id {
	/* Global: accepted by every command. */
	OPTION_STORE,
	OPTION_JSON,
	OPTION_JSON_LINES,
	OPTION_OUTPUT,
	OPTION_NO_HEADING,
	OPTION_BYTES,
	OPTION_SORT,
	OPTION_TIME,
	OPTION_COLOR,
	OPTION_DRY_RUN,
	OPTION_YES,
	OPTION_FORCE,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION,
	/* Of one command or a few. */
	OPTION_BASE,
	OPTION_BRANCHES,
	OPTION_SIZE,
	OPTION_BRANCH,
	OPTION_COMPRESS,
	OPTION_BASE_ID,
	OPTION_BELOW,
	OPTION_BOTTOM,
	OPTION_MOUNT_OPTIONS,
	OPTION_FOREGROUND,
	OPTION_DEBUG,
	OPTION_UNION,
	OPTION_BIND,
	OPTION_VOLATILE,
	OPTION_LAZY,
	OPTION_NOTE,
	OPTION_HOLD,
	OPTION_IF_CHANGED,
	OPTION_TREE,
	OPTION_TRASH,
	OPTION_OLDER_THAN,
	OPTION_NOW,
	OPTION_KEEP_LAST,
	OPTION_KEEP_HOURLY,
	OPTION_KEEP_DAILY,
	OPTION_KEEP_WEEKLY,
	OPTION_KEEP_MONTHLY,
	OPTION_ALL,
	OPTION_LIVE,
	OPTION_COUNT_LINES,
	OPTION_SHRINK,
	OPTION_DOT,
	OPTION_ASCII,
	OPTION_BLOCKS,
	OPTION_STAT,
	OPTION_NAME_STATUS,
	OPTION_TIMES,
	OPTION_EXIT_CODE,
	OPTION_FORMAT,
	OPTION_SINCE,
	OPTION_TO,
	OPTION_WHITEOUTS,
	OPTION_TRASH_OLDER_THAN,
	OPTION_THRESHOLD,
	OPTION_RATE,
	OPTION_WAIT,
	OPTION_DUMP_OPTIONS,
	OPTION_RULES,
	OPTION_HOLES,
	OPTION_DEFAULT_PATH,
	OPTION_LEVEL,
	OPTION_STRICT_DIVERGE,
	OPTION_COUNT,
};

struct option_spec {
	enum option_id id;
	char letter;	      /* 0: none */
	const char *name;     /* NULL ends a list */
	const char *argument; /* what to call it in --help; NULL: a flag */
	const char *help;     /* NULL: hidden */
};

struct cli;

/* Ended by a name of NULL. */
extern const struct option_spec options_global[];

/*
 * Takes the options out of argv[1..argc) into cli. own (may be NULL) goes
 * before the global ones where both have a letter. Without permute it stops
 * at the first word that is no option. *out_first is the index of the first
 * argument in argv, which is reordered. Errors: usage.
 */
NODISCARD int options_parse(struct cli *cli, const struct option_spec *own,
			    int argc, char **argv, bool permute,
			    int *out_first);
/* Whether one of own takes the letter of the global option. */
bool options_hides_letter(const struct option_spec *own, char letter);
