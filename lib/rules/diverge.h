/*
 * What the options of `cowd diverge` mean: those of divergefs, with its
 * defaults. Planning is pure; preparing makes the files that are missing.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "failure.h"
#include "logging.h"

/* As given, NULL for what is not. */
struct diverge_options {
	const char *default_path; /* -p */
	const char *rule_file;	  /* -f */
	const char *hole_file;	  /* -h */
	const char *level;	  /* -d */
};

/* Relative paths stay so: they mean the directory of the start. */
struct diverge_plan {
	char default_path[PATH_MAX]; /* P; "" without one: nothing to make */
	char files[PATH_MAX];	     /* P/files; "" unless it is to be made */
	char rule_file[PATH_MAX];
	char hole_file[PATH_MAX];
	/* "P/files all<>\n", the text of P/rules if that is missing; "" when
	 * the rule file was named. */
	char rules_text[2 * PATH_MAX + 32];
	unsigned level; /* 1..5 */
};

/*
 * Neither -p nor -f: -p /tmp. With a default path P: the holefile is P/holes,
 * and without -f the rule file is P/rules. Else the holefile is /tmp/holes.
 * The level is 3. -EINVAL for an empty path, or a level other than 1..5;
 * -ENAMETOOLONG.
 */
NODISCARD int diverge_plan(const struct diverge_options *options,
			   struct diverge_plan *out_plan,
			   struct failure *failure);
/* 1 errors, 2 warnings, 3 notices, 4 information, 5 all. */
enum log_level diverge_log_level(unsigned level);

/*
 * Makes P, P/files and P/rules where they are missing. What is there stays as
 * it is, P/rules too: it may have been changed since, and *out_found_rules
 * tells so. What another user put there, where all may write, is refused.
 */
NODISCARD int diverge_prepare(const struct diverge_plan *plan,
			      bool *out_found_rules, struct failure *failure);
