/* Inside of lib/rules: what a rule looks for, as parsed. */
#pragma once

#include <regex.h>

#include "rules.h"

/* Tests of a rule, and as many '(': bounds the recursion over them. */
#define RULE_TESTS_MAX 256

enum rule_kind {
	RULE_KIND_OR,
	RULE_KIND_AND,
	RULE_KIND_ALL,
	RULE_KIND_MODE,
	RULE_KIND_EXT,
	RULE_KIND_FREGEX,
	RULE_KIND_DREGEX,
	RULE_KIND_REGEX,
	RULE_KIND_PATH,
};

/* A node of a rule's condition. Those of a rule are in one array. */
struct rule_test {
	enum rule_kind kind;
	struct rule_test *left, *right; /* of OR and AND */
	char *setting;			/* of the others: as written */
	char *value;			/* what ext compares with */
	regex_t *expression;		/* of the expressions */
};

struct rules {
	struct rule *rules;
	size_t count;
};

/* NULL for OR and AND. */
const char *rule_kind_name(enum rule_kind kind);
/* "@scratch"; NULL for a directory. */
const char *rule_place_word(enum rule_place place);

void rule_test_free(struct rule_test *test);
bool rule_test_holds(const struct rule_test *test,
		     const struct rules_subject *subject);

/* What is wrong with an expression, and where: a byte's number in it. */
struct regex_error {
	size_t at;
	char text[160];
};

/*
 * Compiles a setting of regexp(2)'s dialect. -EINVAL with *out_error filled
 * in; -ENOMEM. The caller frees it: regfree, free.
 */
NODISCARD int rules_regex_compile(const char *setting, regex_t **out_regex,
				  struct regex_error *out_error);
