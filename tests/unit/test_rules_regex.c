/* Expressions: regexp(2)'s, and what is refused where it differs. */
#include "rules_world.h"

#include <locale.h>
#include <stdlib.h>

#include "rules_impl.h"

static bool finds(const char *expression, const char *text)
{
	struct regex_error error = { 0 };
	regex_t *regex = NULL;
	bool found;

	if (rules_regex_compile(expression, &regex, &error) < 0)
		fail_msg("%s: %zu: %s", expression, error.at, error.text);
	found = regexec(regex, text, 0, NULL, 0) == 0;
	regfree(regex);
	free(regex);
	return found;
}

static void test_002_9_operators_of_regexp(void **state)
{
	static const struct {
		const char *expression, *yes, *no;
	} cases[] = {
		{ "a.c", "xabcx", "ac" },
		{ "^ab*c$", "abbbc", "abxc" },
		{ "^ab+c$", "abbc", "ac" },
		{ "^ab?c$", "ac", "abbc" },
		{ "^(ab|cd)$", "cd", "abcd" },
		{ "^a|b$", "xb", "xbx" },
		{ "^(ab)+$", "abab", "aba" },
		{ "[a-c]x", "bx", "dx" },
		{ "^[^a-c]$", "d", "b" },
		{ "^[a-]$", "-", "b" },
		{ "^[]x]$", "]", "a" },
		{ "^[^]x]$", "a", "]" },
		{ "^[[:digit:]]$", "7", "x" },
		{ "^[.*]$", "*", "a" },
		{ "^a\\.c$", "a.c", "abc" },
		{ "^\\(\\*\\)$", "(*)", "*" },
		{ "^\\\\$", "\\", "a" },
		{ "^\\[\\]\\^\\$\\|\\?\\+$", "[]^$|?+", "x" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(finds(cases[i].expression, cases[i].yes));
		assert_false(finds(cases[i].expression, cases[i].no));
	}
}

static void test_002_9_no_operators_that_regexp_has_not(void **state)
{
	(void)state;
	/* Braces are no intervals. */
	assert_true(finds("^a{2}$", "a{2}"));
	assert_false(finds("^a{2}$", "aa"));
	assert_true(finds("^{}$", "{}"));
	assert_true(finds("^\\{$", "{"));
	/* A backslash makes nothing an operator. */
	assert_true(finds("^\\w\\<\\b$", "w<b"));
	assert_false(finds("^\\w$", "x"));
	assert_true(finds("^(a)\\1$", "a1"));
	assert_false(finds("^(a)\\1$", "aa"));
	/* ... and is how a setting spells its own end. */
	assert_true(finds("^a\\>b$", "a>b"));
	assert_true(finds("^[\\>]$", ">"));
	assert_false(finds("^[\\>]$", "\\"));
}

static void test_mistakes_are_told_where_they_are(void **state)
{
	static const struct {
		const char *expression;
		size_t at;
	} cases[] = {
		{ "", 0 },	   { "a|", 2 },		{ "|a", 0 },
		{ "a||b", 2 },	   { "()", 1 },		{ "(a", 0 },
		{ "a(b(c)", 1 },   { "a)", 1 },		{ "(a|)", 3 },
		{ "*a", 0 },	   { "a|+", 2 },	{ "(?a)", 1 },
		{ "^*", 1 },	   { "a$+", 2 },	{ "a]", 1 },
		{ "a[b", 1 },	   { "[]", 0 },		{ "[^]", 0 },
		{ "[[:a]", 0 },	   { "ab\\", 2 },	{ "[\\]]", 1 },
		{ "x[a\\-z]", 3 }, { "[[:nope:]]", 0 }, { "x[z-a]", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regex_error error = { 0 };
		regex_t *regex = NULL;

		assert_int_equal(rules_regex_compile(cases[i].expression,
						     &regex, &error),
				 -EINVAL);
		assert_null(regex);
		assert_true(error.text[0] != '\0');
		assert_int_equal(error.at, cases[i].at);
	}
}

/* sign behind each of depth groups. */
static int nested(size_t depth, char sign)
{
	char text[256] = "", *to = text;
	struct regex_error error = { 0 };
	regex_t *regex = NULL;
	size_t i;
	int rc;

	for (i = 0; i < depth; i++)
		*to++ = '(';
	*to++ = 'a';
	for (i = 0; i < depth; i++) {
		*to++ = ')';
		*to++ = sign;
	}
	rc = rules_regex_compile(text, &regex, &error);
	if (rc == 0) {
		regfree(regex);
		free(regex);
	}
	return rc;
}

static void test_expression_that_would_explode_is_refused(void **state)
{
	(void)state;
	assert_int_equal(nested(6, '+'), 0);
	assert_int_equal(nested(20, '+'), -EINVAL);
	assert_int_equal(nested(8, '*'), 0);
	assert_int_equal(nested(31, '*'), 0);
	assert_int_equal(nested(32, '*'), -EINVAL);
	/* Those in a row are one. */
	assert_true(finds("^a+++$", "aaa"));
	assert_false(finds("^a+++$", ""));
	assert_true(finds("^a??$", ""));
	assert_false(finds("^a??$", "aa"));
	assert_true(finds("^a+?$", ""));
	assert_true(finds("^a?+$", "aaa"));
	assert_true(finds("^(ab)**+?*+$", "abab"));
}

static size_t refused_at(const char *expression)
{
	struct regex_error error = { 0 };
	regex_t *regex = NULL;

	assert_int_equal(rules_regex_compile(expression, &regex, &error),
			 -EINVAL);
	return error.at;
}

static void test_anchors_are_few_and_not_repeated(void **state)
{
	(void)state;
	assert_int_equal(refused_at("(^|a)*"), 5);
	assert_int_equal(refused_at("((x|a$)b)+"), 9);
	assert_int_equal(refused_at("^?"), 1);
	assert_int_equal(refused_at("^^^^^^^^^a"), 8);
	assert_int_equal(refused_at("(^|$)(^|$)(^|$)(^|$)(^|$)(^|$)(^|$)(^|$)"
				    "(^|$)"),
			 44);
	/* Side by side they are no trouble. */
	assert_true(finds("^a$|^b$|^c$|^d$|^e$|^f$|^g$", "f"));
	assert_true(finds("(^|/)build(/|$)", "build"));
}

static void test_characters_are_those_of_the_locale(void **state)
{
	(void)state;
	assert_true(finds("^..$", "\xc3\xa4"));
	assert_true(finds("^a.b$", "a\nb"));
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	assert_true(finds("^.$", "\xc3\xa4"));
	assert_true(finds("^[\xc3\xa4x]$", "\xc3\xa4"));
	assert_false(finds("^.$", "\xff"));
	assert_true(finds("x$", "\xffx"));
	setlocale(LC_CTYPE, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_002_9_operators_of_regexp),
		cmocka_unit_test(test_002_9_no_operators_that_regexp_has_not),
		cmocka_unit_test(test_mistakes_are_told_where_they_are),
		cmocka_unit_test(test_expression_that_would_explode_is_refused),
		cmocka_unit_test(test_anchors_are_few_and_not_repeated),
		cmocka_unit_test(test_characters_are_those_of_the_locale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
