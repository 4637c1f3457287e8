/* The language of rule files: what is read, and where each mistake is. */
#include "rules_world.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules_memory.h"

static void assert_reads_as(const char *text, const char *canonical)
{
	struct rules *rules = rules_of(text), *again;
	char *formatted = rules_format(rules), *twice;

	assert_string_equal(formatted, canonical);
	again = rules_of(formatted);
	twice = rules_format(again);
	assert_string_equal(twice, canonical);
	free(formatted);
	free(twice);
	rules_free(rules);
	rules_free(again);
}

static void test_002_5_or_and_group_to_the_right(void **state)
{
	(void)state;
	assert_reads_as("/a all<> || ext<b> && ext<c>\n",
			"/a all<> || (ext<b> && ext<c>)\n");
	assert_reads_as("/a all<> && ext<b> || ext<c>\n",
			"/a all<> && (ext<b> || ext<c>)\n");
	assert_reads_as("/a ext<1>||ext<2>||ext<3>||ext<4>\n",
			"/a ext<1> || (ext<2> || (ext<3> || ext<4>))\n");
}

static void test_002_5_parentheses_group_as_they_stand(void **state)
{
	(void)state;
	assert_reads_as("/a (all<> || ext<b>) && ext<c>\n",
			"/a (all<> || ext<b>) && ext<c>\n");
	assert_reads_as("/a ( ( all<> ) )\n", "/a all<>\n");
	assert_reads_as("/a (ext<1>&&(ext<2>||ext<3>))&&ext<4>",
			"/a (ext<1> && (ext<2> || ext<3>)) && ext<4>\n");
}

static void test_002_5_comments_and_blank_lines_are_left_out(void **state)
{
	(void)state;
	assert_reads_as("# top\n"
			"\n"
			" \t \n"
			"/a\tall<>  # behind a rule\r\n"
			"   # alone\n"
			"  /b#c ext<#d>#e\n"
			"# no newline at the end",
			"/a all<>\n/b#c ext<#d>\n");
	assert_reads_as("", "");
	assert_reads_as("\n\n", "");
}

static void test_002_5_relative_paths_are_below_the_start(void **state)
{
	(void)state;
	assert_reads_as("w/files all<>\n", "/start/w/files all<>\n");
	assert_reads_as("./w//x/. all<>\n", "/start/w/x all<>\n");
	assert_reads_as(". all<>\n", "/start all<>\n");
	assert_reads_as("../w all<>\n", "/start/../w all<>\n");
	assert_reads_as("/ all<>\n", "/ all<>\n");
	assert_reads_as("./@hide all<>\n", "/start/@hide all<>\n");
}

static void test_paths_with_blanks_are_in_quotes(void **state)
{
	(void)state;
	assert_reads_as("'/a b/it''s' all<>\n", "'/a b/it''s' all<>\n");
	assert_reads_as("'plain' all<>\n", "/start/plain all<>\n");
	assert_reads_as("'@hide' all<>\n", "/start/@hide all<>\n");
	assert_reads_as("'#x' all<>\n", "/start/#x all<>\n");
}

static void test_words_are_places_of_our_own(void **state)
{
	const char *text = "@hide ext<a>\n@scratch ext<b>\n@nocompress ext<c>\n"
			   "@readonly ext<d>\n@store ext<e>\n/x all<>\n";
	static const enum rule_place places[] = {
		RULE_PLACE_HIDE,     RULE_PLACE_SCRATCH, RULE_PLACE_NOCOMPRESS,
		RULE_PLACE_READONLY, RULE_PLACE_STORE,	 RULE_PLACE_DIRECTORY,
	};
	struct rules *rules = rules_of(text);
	size_t i;

	(void)state;
	assert_reads_as(text, text);
	assert_int_equal(rules_count(rules), 6);
	for (i = 0; i < 6; i++) {
		assert_int_equal(rules_at(rules, i)->place, places[i]);
		assert_int_equal(rules_at(rules, i)->line, i + 1);
	}
	assert_null(rules_at(rules, 0)->directory);
	assert_string_equal(rules_at(rules, 5)->directory, "/x");
	assert_null(rules_at(rules, 6));
	rules_free(rules);
}

#define KINDS "all, mode, ext, fregex, dregex, regex, path or '('"
#define WORDS                                                   \
	"@store, @scratch, @nocompress, @readonly or @hide (a " \
	"path is ./@NAME)"

static const struct {
	const char *text;
	const char *message;
} wrong[] = {
	/* place */
	{ "/a", "1:3: expected a blank and a rule, found the end of the file" },
	{ "/a\n", "1:3: expected a blank and a rule, found the end of the "
		  "line" },
	{ "\n\n  @hid all<>", "3:3: expected " WORDS ", found '@hid'" },
	{ "@hides all<>", "1:1: expected " WORDS ", found '@hides'" },
	{ "@ all<>", "1:1: expected " WORDS ", found '@'" },
	{ "@hide", "1:6: expected a blank and a rule, found the end of the "
		   "file" },
	{ "@hide/x all<>", "1:6: expected a blank and a rule, found '/'" },
	{ "'/a all<>\n", "1:10: expected a quote behind the path, found the "
			 "end of the line" },
	{ "'/a'all<>\n", "1:5: expected a blank and a rule, found 'all'" },
	{ "'' all<>\n", "1:1: expected a path, found '''" },
	/* complex */
	{ "/a  \n", "1:5: expected " KINDS ", found the end of the line" },
	{ "/a # all<>", "1:11: expected " KINDS ", found the end of the file" },
	{ "/a all<> | all<>", "1:11: expected '||', found a blank" },
	{ "/a all<> &", "1:11: expected '&&', found the end of the file" },
	{ "/a all<> &| all<>", "1:11: expected '&&', found '|'" },
	{ "/a all<> ||", "1:12: expected " KINDS ", found the end of the "
			 "file" },
	{ "/a all<> &&\nall<>", "1:12: expected " KINDS ", found the end of "
				"the line" },
	{ "/a || all<>", "1:4: expected " KINDS ", found '|'" },
	{ "/a all<> all<>", "1:10: expected '||', '&&' or the end of the line, "
			    "found 'all'" },
	{ "/a all<>)", "1:9: expected '||', '&&' or the end of the line, found "
		       "')'" },
	/* simple */
	{ "/a (all<>", "1:10: expected '||', '&&' or ')', found the end of the "
		       "file" },
	{ "/a (all<> ext<b>)", "1:11: expected '||', '&&' or ')', found "
			       "'ext'" },
	{ "/a ()", "1:5: expected " KINDS ", found ')'" },
	{ "/a bogus<x>", "1:4: expected " KINDS ", found 'bogus'" },
	{ "/a extra<x>", "1:4: expected " KINDS ", found 'extra'" },
	{ "/a ex<x>", "1:4: expected " KINDS ", found 'ex'" },
	{ "/a ALL<>", "1:4: expected " KINDS ", found 'ALL'" },
	{ "/a <x>", "1:4: expected " KINDS ", found '<'" },
	{ "/a \xc3\xa4<x>", "1:4: expected " KINDS ", found '\xc3\xa4'" },
	{ "/a \x01", "1:4: expected " KINDS ", found the byte 0x01" },
	/* concrete and setting */
	{ "/a all", "1:7: expected '<', found the end of the file" },
	{ "/a all <>", "1:7: expected '<', found a blank" },
	{ "/a all(x)", "1:7: expected '<', found '('" },
	{ "/a all<x>", "1:8: expected '>', as all takes no setting, found "
		       "'x'" },
	{ "/a all< >", "1:8: expected '>', as all takes no setting, found a "
		       "blank" },
	{ "/a ext<b", "1:9: expected '>' behind the setting, found the end of "
		      "the file" },
	{ "/a ext<b\\>\n", "1:11: expected '>' behind the setting, found the "
			   "end of the line" },
	{ "/a ext<b\\\n", "1:10: expected '>' behind the setting, found the "
			  "end of the line" },
	{ "/a ext<>", "1:8: expected an extension, found '>'" },
	{ "/a ext<.8>", "1:8: expected what follows a name's last dot, found "
			"'.'" },
	{ "/a ext<tar.gz>", "1:11: expected what follows a name's last dot, "
			    "found '.'" },
	{ "/a ext<a/b>", "1:9: expected what follows a name's last dot, found "
			 "'/'" },
	{ "/a mode<>", "1:9: expected one of A L f d r w x e, found '>'" },
	{ "/a mode<z>", "1:9: expected one of A L f d r w x e, found 'z'" },
	{ "/a mode<a>", "1:9: expected one of A L f d r w x e, found 'a'" },
	{ "/a mode<rw>", "1:10: expected '>' behind one letter of mode, found "
			 "'w'" },
	/* expressions: the column is within the setting */
	{ "/a regex<>", "1:10: expected an expression, found its end" },
	{ "# \n/a fregex<a(b>", "2:12: expected ')' for this '('" },
	{ "/a dregex<a)>", "1:12: expected no ')': there is no '(' for it" },
	{ "/a path<a|*>", "1:11: expected something to repeat, found '*'" },
	{ "/a all<> || regex<[z-a]>", "1:19: is no regular expression: Invalid "
				      "range end" },
	/* the whole file is looked at */
	{ "/a all<>\n/b all<>\n/c nothing<>\n",
	  "3:4: expected " KINDS ", found 'nothing'" },
};

static void test_002_5_each_mistake_is_told_with_line_and_column(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct failure failure = { .code = FAILURE_NONE };
		struct rules *rules = NULL;

		assert_int_equal(rules_parse(wrong[i].text,
					     strlen(wrong[i].text), FILE_NAME,
					     "/start", &rules, &failure),
				 -EINVAL);
		assert_string_equal(failure.message, wrong[i].message);
		assert_string_equal(failure.object, FILE_NAME);
		assert_int_equal(failure.code, FAILURE_USAGE);
		assert_null(rules);
	}
}

static void assert_refused(const char *text, size_t text_bytes,
			   const char *message)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct rules *rules = NULL;

	assert_int_equal(rules_parse(text, text_bytes, FILE_NAME, "/start",
				     &rules, &failure),
			 -EINVAL);
	assert_string_equal(failure.message, message);
	assert_null(rules);
}

static void test_nul_byte_is_refused_where_it_is(void **state)
{
	static const char text[] = "/a all<>\n/b ext<\0>\n";

	(void)state;
	assert_refused(text, sizeof(text) - 1,
		       "2:8: expected text, found the byte 0x00");
}

/* "/a " and count times piece. */
static char *many(const char *begin, const char *piece, size_t count,
		  const char *end)
{
	char *text =
		malloc(strlen(begin) + count * strlen(piece) + strlen(end) + 1);
	char *to = stpcpy(text, begin);

	while (count-- > 0)
		to = stpcpy(to, piece);
	stpcpy(to, end);
	return text;
}

static void test_rule_has_at_most_256_tests(void **state)
{
	char *most = many("/a all<>", "||all<>", 255, "\n");
	char *more = many("/a all<>", "||all<>", 256, "\n");
	char *deep = many("/a ", "(", 100000, "\n");
	struct rules *rules;
	char *formatted;

	(void)state;
	rules = rules_of(most);
	formatted = rules_format(rules);
	rules_free(rules);
	rules_free(rules_of(formatted)); /* with all its parentheses */
	free(formatted);
	assert_refused(more, strlen(more),
		       "1:1796: expected at most 256 tests in a rule, found "
		       "one more");
	assert_refused(deep, strlen(deep),
		       "1:260: expected at most 256 '(' in a rule, found one "
		       "more");
	free(most);
	free(more);
	free(deep);
}

static void test_setting_has_at_most_1024_bytes(void **state)
{
	char *most = many("/a ext<", "x", 1024, ">\n");
	char *more = many("/a ext<", "x", 1025, ">\n");

	(void)state;
	rules_free(rules_of(most));
	assert_refused(more, strlen(more),
		       "1:8: expected at most 1024 bytes between < and >, "
		       "found 1025");
	free(most);
	free(more);
}

static void test_path_fits_into_path_max_with_the_start(void **state)
{
	/* "/start/" and this, and the NUL: all of PATH_MAX. */
	char *most = many("", "x", PATH_MAX - 8, " all<>\n");
	char *more = many("", "x", PATH_MAX - 7, " all<>\n");
	char *word = many("", "x", PATH_MAX, " all<>\n");

	(void)state;
	rules_free(rules_of(most));
	assert_refused(more, strlen(more),
		       "1:1: expected a path of less than 4096 bytes");
	assert_refused(word, strlen(word),
		       "1:1: expected a path of less than 4096 bytes");
	free(most);
	free(more);
	free(word);
}

static void test_many_rules_keep_their_order(void **state)
{
	char *text = many("", "/a all<>\n", 1000, "");
	struct rules *rules = rules_of(text);
	size_t i;

	(void)state;
	assert_int_equal(rules_count(rules), 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(rules_at(rules, i)->line, i + 1);
	rules_free(rules);
	free(text);
}

static void test_without_memory_nothing_is_kept(void **state)
{
	static const char text[] =
		"'/a b' (ext<8> || mode<f>) && regex<^(a|b)+$>\n"
		"w/x all<>\n"
		"@hide path<x> || fregex<y>\n";
	struct rules *rules = NULL;
	int failing, rc;

	(void)state;
	for (failing = 0; failing < 1000; failing++) {
		struct failure failure = { .code = FAILURE_NONE };

		allocations_left = failing;
		rc = rules_parse(text, strlen(text), FILE_NAME, "/start",
				 &rules, &failure);
		allocations_left = -1;
		if (rc == 0)
			break;
		assert_int_equal(rc, -ENOMEM);
		assert_string_equal(failure.object, FILE_NAME);
		assert_null(rules);
	}
	assert_in_range(failing, 20, 999);
	assert_int_equal(rules_count(rules), 3);
	rules_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_002_5_or_and_group_to_the_right),
		cmocka_unit_test(test_002_5_parentheses_group_as_they_stand),
		cmocka_unit_test(
			test_002_5_comments_and_blank_lines_are_left_out),
		cmocka_unit_test(test_002_5_relative_paths_are_below_the_start),
		cmocka_unit_test(test_paths_with_blanks_are_in_quotes),
		cmocka_unit_test(test_words_are_places_of_our_own),
		cmocka_unit_test(
			test_002_5_each_mistake_is_told_with_line_and_column),
		cmocka_unit_test(test_nul_byte_is_refused_where_it_is),
		cmocka_unit_test(test_rule_has_at_most_256_tests),
		cmocka_unit_test(test_setting_has_at_most_1024_bytes),
		cmocka_unit_test(test_path_fits_into_path_max_with_the_start),
		cmocka_unit_test(test_many_rules_keep_their_order),
		cmocka_unit_test(test_without_memory_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
