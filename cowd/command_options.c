/* The options that each command has of its own. */
#include "command_options.h"

#define END                  \
	{                    \
		.name = NULL \
	}

const struct option_spec options_create[] = {
	{ OPTION_BASE, 0, "base", "PATH",
	  "image, device or directory below; directories: topmost first" },
	{ OPTION_BRANCHES, 0, "branches", "DIR=RW:DIR=RO...",
	  "directories as unionfs-fuse has them, in the place of --base" },
	{ OPTION_SIZE, 0, "size", "SIZE",
	  "size of the image (default: the base's)" },
	{ OPTION_BRANCH, 0, "branch", "NAME",
	  "name of the first branch (default: main)" },
	{ OPTION_COMPRESS, 0, "compress", "MODE",
	  "idle (default), inline or off" },
	{ OPTION_BASE_ID, 0, "base-id", "KIND",
	  "quick: remember size, time and samples; full: read all of it" },
	END
};

const struct option_spec options_mount[] = {
	{ OPTION_MOUNT_OPTIONS, 'o', "options", "OPTIONS",
	  "mount options, separated by commas" },
	{ OPTION_FOREGROUND, 'f', "foreground", NULL,
	  "stay in the foreground until unmounted" },
	{ OPTION_DEBUG, 'd', "debug", NULL,
	  "as -f, and tell each request of the kernel" },
	{ OPTION_BASE, 0, "base", "PATH",
	  "where the base is now, if it was moved; a layer: NAME=DIR; or "
	  "'follow': show files of it that change underneath as they are" },
	{ OPTION_UNION, 0, "union", "MODE",
	  "reveal: what is removed in the delta shows base's again; or hide" },
	{ OPTION_BIND, 0, "bind", "SUB=DST[:ro]",
	  "show a directory of the tree elsewhere, too; may be repeated" },
	{ OPTION_VOLATILE, 0, "volatile", NULL,
	  "keep changes in memory and forget them: over --base, no STORE" },
	END
};

const struct option_spec options_umount[] = {
	{ OPTION_LAZY, 'l', "lazy", NULL,
	  "detach now, finish when nobody uses it" },
	END
};

const struct option_spec options_snapshot_create[] = {
	{ OPTION_NOTE, 'm', "message", "TEXT", "a note" },
	{ OPTION_HOLD, 0, "hold", "TAG", "hold it at once" },
	{ OPTION_IF_CHANGED, 0, "if-changed", NULL,
	  "only if anything changed since the last one" },
	END
};

const struct option_spec options_snapshot_list[] = {
	{ OPTION_TREE, 0, "tree", NULL, "as a tree: cowd tree" },
	{ OPTION_TRASH, 0, "trash", NULL, "also deleted ones" },
	{ OPTION_OLDER_THAN, 0, "older-than", "AGE",
	  "only those older than, as 12h or 7d" },
	END
};

const struct option_spec options_delete[] = {
	{ OPTION_NOW, 0, "now", NULL, "past the trash; can't be undone" }, END
};

const struct option_spec options_prune[] = {
	{ OPTION_KEEP_LAST, 0, "keep-last", "N", "keep the newest N" },
	{ OPTION_KEEP_HOURLY, 0, "keep-hourly", "N",
	  "keep the last of each of N hours" },
	{ OPTION_KEEP_DAILY, 0, "keep-daily", "N",
	  "keep the last of each of N days" },
	{ OPTION_KEEP_WEEKLY, 0, "keep-weekly", "N",
	  "keep the last of each of N weeks" },
	{ OPTION_KEEP_MONTHLY, 0, "keep-monthly", "N",
	  "keep the last of each of N months" },
	{ OPTION_ALL, 0, "all", NULL,
	  "every kind of snapshot, not only automatic ones" },
	END
};

const struct option_spec options_rollback[] = {
	{ OPTION_NOTE, 'm', "message", "TEXT", "a note for the log" },
	{ OPTION_LIVE, 0, "live", NULL,
	  "also while writers have the image open: they get errors" },
	END
};

const struct option_spec options_log[] = {
	{ OPTION_COUNT_LINES, 'N', "count", "COUNT",
	  "the newest COUNT operations (default: 20)" },
	END
};

const struct option_spec options_undo[] = {
	{ OPTION_LIVE, 0, "live", NULL,
	  "also while writers have the image open: they get errors" },
	END
};

const struct option_spec options_resize[] = {
	{ OPTION_SHRINK, 0, "shrink", NULL,
	  "allow a smaller size; what is beyond it is cut off" },
	END
};

const struct option_spec options_tree[] = {
	{ OPTION_DOT, 0, "dot", NULL, "as input for graphviz" },
	{ OPTION_ASCII, 0, "ascii", NULL, "draw with ASCII characters" },
	END
};

const struct option_spec options_diff[] = {
	{ OPTION_BLOCKS, 0, "blocks", NULL,
	  "list extents: all that a store over an image knows" },
	{ OPTION_STAT, 0, "stat", NULL, "sizes; of an image totals only" },
	{ OPTION_NAME_STATUS, 0, "name-status", NULL,
	  "letters, tabs and paths only" },
	{ OPTION_TIMES, 0, "times", NULL,
	  "also where only the time of modification differs" },
	{ OPTION_EXIT_CODE, 0, "exit-code", NULL,
	  "exit 1 if there are differences" },
	END
};

const struct option_spec options_layer_add[] = {
	{ OPTION_BELOW, 0, "below", "NAME",
	  "right below this layer (default: on top)" },
	{ OPTION_BOTTOM, 0, "bottom", NULL, "below all others" },
	END
};

const struct option_spec options_restore[] = {
	{ OPTION_LIVE, 0, "live", NULL,
	  "even if files are open for writing; their handles then fail" },
	END
};

const struct option_spec options_commit[] = {
	{ OPTION_TO, 0, "to", "DIR", "a copy of the base" }, END
};

const struct option_spec options_export[] = {
	{ OPTION_FORMAT, 'O', "format", "FORMAT", "raw; of a tree dir or tar" },
	{ OPTION_SINCE, 0, "since", "SNAPSHOT", "a layer: what has changed" },
	{ OPTION_WHITEOUTS, 0, "whiteouts", "KIND",
	  "in a layer: oci (.wh.NAME), or overlay (device 0:0)" },
	END
};

const struct option_spec options_gc[] = {
	{ OPTION_TRASH_OLDER_THAN, 0, "trash-older-than", "AGE",
	  "leave newer things in the trash (default: 0, empty it)" },
	END
};

const struct option_spec options_compact[] = {
	{ OPTION_THRESHOLD, 0, "threshold", "PERCENT",
	  "rewrite segments that are this dead (default: 30%)" },
	END
};

const struct option_spec options_scrub[] = {
	{ OPTION_RATE, 0, "rate", "SIZE",
	  "read no more than this in a second" },
	{ OPTION_WAIT, 'w', "wait", NULL, "until it has ended" },
	END
};

const struct option_spec options_stats[] = {
	{ OPTION_FORMAT, 0, "format", "FORMAT", "table or prometheus" }, END
};

const struct option_spec options_help[] = {
	{ OPTION_DUMP_OPTIONS, 0, "dump-options", NULL, NULL }, END
};
