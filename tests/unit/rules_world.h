/* What tests of rules share: text to rules, and subjects. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rules.h"

#define FILE_NAME "test.rules"

static inline struct rules *rules_of(const char *text)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct rules *rules = NULL;

	if (rules_parse(text, strlen(text), FILE_NAME, "/start", &rules,
			&failure) < 0)
		fail_msg("%s: %s", text, failure.message);
	return rules;
}

static inline struct rules_subject subject_of(const char *path, mode_t mode)
{
	static const struct rules_asker asker = { .uid = 1000, .gid = 1000 };
	struct rules_subject subject;

	rules_subject_init(&subject, path, mode, 1000, 1000, &asker);
	return subject;
}

/* The line of the rule that matches, or 0. */
static inline unsigned line_for(const char *text,
				const struct rules_subject *subject)
{
	struct rules *rules = rules_of(text);
	const struct rule *rule = NULL;
	int rc = rules_match(rules, subject, &rule);
	unsigned line = rc == 0 ? rule->line : 0;

	assert_true(rc == 0 || rc == -ENOENT);
	rules_free(rules);
	return line;
}

static inline bool matches(const char *test, const char *path, mode_t mode)
{
	struct rules_subject subject = subject_of(path, mode);
	char text[2048];

	snprintf(text, sizeof(text), "/x %s\n", test);
	return line_for(text, &subject) == 1;
}

#define REG(permissions) (S_IFREG | (permissions))
#define DIR_MODE (S_IFDIR | 0755)
