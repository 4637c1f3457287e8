/*
 * Rule files: which of the names below a mount live where. The language is
 * that of divergefs, and a few words of our own; docs/rules.md is its manual.
 * Nothing here touches the mount: a rule is asked about a subject, that is
 * what the caller says of a file. All functions but rules_free may be called
 * by several threads at the same time for the same rules.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "failure.h"

#define RULES_FILE_BYTES_MAX ((size_t)1 << 20)

/* Where a file lives that a rule matches: what stands first on its line. */
enum rule_place {
	RULE_PLACE_DIRECTORY,  /* a path: a plain file below it */
	RULE_PLACE_STORE,      /* @store: in the store, as without rules */
	RULE_PLACE_SCRATCH,    /* @scratch: not in snapshots, gone at unmount */
	RULE_PLACE_NOCOMPRESS, /* @nocompress: in the store, never packed */
	RULE_PLACE_READONLY,   /* @readonly: base's, changes are EROFS */
	RULE_PLACE_HIDE,       /* @hide: not to be seen, ENOENT */
};

struct rule_test;

struct rule {
	enum rule_place place;
	char *directory; /* absolute; NULL unless RULE_PLACE_DIRECTORY */
	unsigned line;	 /* where it stands in its file, from 1 */
	struct rule_test *test;
};

/* What a rule may look at. Pointers are borrowed for the call. */
struct rules_subject {
	const char *path;   /* from the mount's root: "a/b.8"; the root: "" */
	const char *name;   /* the last part of path: "b.8" */
	mode_t mode;	    /* S_IFMT bits at least */
	unsigned access;    /* R_OK | W_OK | X_OK that the asker has or gets */
	bool exists;	    /* in the mount by now; not: about to be made */
	bool append_only;   /* chattr +a */
	bool exclusive_use; /* mandatory locking: setgid, no group execute */
};

/* Who wants to know; for the r, w, x of mode<>. */
struct rules_asker {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary ones, NULL if there are none */
	size_t group_count;
};

struct rules;

/*
 * Parses the text of a rule file. file_name is for messages; what is relative
 * is below base_directory, which is absolute. One wrong character refuses all
 * of it: -EINVAL, and *failure has "LINE:COLUMN: expected ..., found ...",
 * both counted from 1, columns in bytes. -ENOMEM. Free with rules_free.
 */
NODISCARD int rules_parse(const char *text, size_t text_bytes,
			  const char *file_name, const char *base_directory,
			  struct rules **out_rules, struct failure *failure);
/* As rules_parse, of a regular file of up to RULES_FILE_BYTES_MAX bytes; or
 * the errno of reading it. */
NODISCARD int rules_load(const char *path, const char *base_directory,
			 struct rules **out_rules, struct failure *failure);
/* NULL is fine. */
void rules_free(struct rules *rules);

/* The rules from top to bottom: the top one is the top layer. at returns NULL
 * past the end; it is borrowed until rules_free. */
size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t index);

/*
 * The first rule, from the top, that matches. -ENOENT when none does: then
 * it depends on the mount (cowd diverge: EROFS; rules=: the store).
 */
NODISCARD int rules_match(const struct rules *rules,
			  const struct rules_subject *subject,
			  const struct rule **out_rule);

/*
 * Fills a subject with what its path and its st_mode say: name, exclusive use
 * and what asker may do; exists is set, append_only is not. path is kept, not
 * copied.
 */
void rules_subject_init(struct rules_subject *subject, const char *path,
			mode_t mode, uid_t uid, gid_t gid,
			const struct rules_asker *asker);

/* The rules as text, with parentheses wherever || and && were grouped and
 * with absolute paths: parses to the same rules. Caller frees; NULL when out
 * of memory. */
char *rules_format(const struct rules *rules);

/*
 * A path as a rule file spells it: as it is, or in single quotes. Writes up
 * to text_bytes with the NUL. -ENAMETOOLONG; -EINVAL for a path that no rule
 * can have: empty, or with a newline.
 */
NODISCARD int rules_quote_path(const char *path, char *text, size_t text_bytes);
