/*
 * Asking rules about a file. The first rule that holds decides, and within a
 * rule || and && look no further than they must.
 *
 * What A L f d r w x e mean is what test(1) of Plan 9 says: a "file" there is
 * all that is no directory.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "rules_impl.h"

static bool mode_holds(char letter, const struct rules_subject *subject)
{
	switch (letter) {
	case 'A':
		return subject->append_only;
	case 'L':
		return subject->exclusive_use;
	case 'f':
		return !S_ISDIR(subject->mode);
	case 'd':
		return S_ISDIR(subject->mode);
	case 'r':
		return subject->access & R_OK;
	case 'w':
		return subject->access & W_OK;
	case 'x':
		return subject->access & X_OK;
	case 'e':
		return subject->exists;
	default:
		abort(); /* the parser lets no other pass */
	}
}

static bool ext_holds(const char *extension, const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && strcmp(dot + 1, extension) == 0;
}

static bool found_in(const struct rule_test *test, const char *text)
{
	/* Out of memory counts as no match: there is no better answer. */
	return regexec(test->expression, text, 0, NULL, 0) == 0;
}

bool rule_test_holds(const struct rule_test *test,
		     const struct rules_subject *subject)
{
	switch (test->kind) {
	case RULE_KIND_OR:
		return rule_test_holds(test->left, subject) ||
		       rule_test_holds(test->right, subject);
	case RULE_KIND_AND:
		return rule_test_holds(test->left, subject) &&
		       rule_test_holds(test->right, subject);
	case RULE_KIND_ALL:
		return true;
	case RULE_KIND_MODE:
		return mode_holds(test->setting[0], subject);
	case RULE_KIND_EXT:
		return ext_holds(test->value, subject->name);
	case RULE_KIND_FREGEX:
		return !S_ISDIR(subject->mode) && found_in(test, subject->name);
	case RULE_KIND_DREGEX:
		return S_ISDIR(subject->mode) && found_in(test, subject->name);
	case RULE_KIND_REGEX:
		return found_in(test, subject->name);
	case RULE_KIND_PATH:
		return found_in(test, subject->path);
	}
	abort();
}

int rules_match(const struct rules *rules, const struct rules_subject *subject,
		const struct rule **out_rule)
{
	size_t i;

	for (i = 0; i < rules->count; i++) {
		if (!rule_test_holds(rules->rules[i].test, subject))
			continue;
		*out_rule = &rules->rules[i];
		return 0;
	}
	return -ENOENT;
}

static bool in_group(const struct rules_asker *asker, gid_t gid)
{
	size_t i;

	for (i = 0; i < asker->group_count; i++)
		if (asker->groups[i] == gid)
			return true;
	return asker->gid == gid;
}

void rules_subject_init(struct rules_subject *subject, const char *path,
			mode_t mode, uid_t uid, gid_t gid,
			const struct rules_asker *asker)
{
	const char *slash = strrchr(path, '/');
	unsigned shift = asker->uid == uid ? 6 : in_group(asker, gid) ? 3 : 0;

	*subject = (struct rules_subject){
		.path = path,
		.name = slash ? slash + 1 : path,
		.mode = mode,
		.access = (mode >> shift) & (R_OK | W_OK | X_OK),
		.exists = true,
		.exclusive_use = S_ISREG(mode) && (mode & S_ISGID) &&
				 !(mode & S_IXGRP),
	};
	/* Root may do all, but run only what somebody may run. */
	if (asker->uid == 0)
		subject->access = R_OK | W_OK |
				  (S_ISDIR(mode) || (mode & 0111) ? X_OK : 0);
}
