/* Paths in JSON and for people. */
#include "path_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *path, *json, *printed;
} cases[] = {
	{ "a/b c", "a/b c", "a/b c" },
	{ "", "", "" },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x84",
	  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x84",
	  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x84" },
	{ "\303", "\\303", "\"\\303\"" },
	{ "x\303y", "x\\303y", "\"x\\303y\"" },
	{ "\xe2\x82", "\\342\\202", "\"\\342\\202\"" },
	{ "\xc0\x80", "\\300\\200", "\"\\300\\200\"" }, /* too long */
	{ "\xed\xa0\x80", "\\355\\240\\200", "\"\\355\\240\\200\"" },
	{ "\xf4\x90\x80\x80", "\\364\\220\\200\\200",
	  "\"\\364\\220\\200\\200\"" },
	{ "a\\303", "a\\\\303", "\"a\\\\303\"" },
	{ "a\\", "a\\\\", "\"a\\\\\"" },
	{ "a\n\tb", "a\n\tb", "\"a\\n\\tb\"" },
	{ "\001\177", "\001\177", "\"\\001\\177\"" },
	{ "a\"b", "a\"b", "\"a\\\"b\"" },
};

static void test_json_holds_every_byte(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = path_json(cases[i].path);
		char *back;

		assert_non_null(json);
		assert_string_equal(json_string_value(json), cases[i].json);
		back = path_of_json(cases[i].json);
		assert_string_equal(back, cases[i].path);
		free(back);
		json_decref(json);
	}
}

static void test_what_is_odd_is_quoted_for_people(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256] = "";
		FILE *out = fmemopen(text, sizeof(text), "w");

		assert_non_null(out);
		path_print(cases[i].json, out);
		fclose(out);
		assert_string_equal(text, cases[i].printed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_holds_every_byte),
		cmocka_unit_test(test_what_is_odd_is_quoted_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
