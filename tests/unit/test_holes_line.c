/* Lines of a holefile: there and back, and what is none. */
#include "holes_world.h"

#include <stdlib.h>

#include "holes_impl.h"

static void test_every_byte_comes_back(void **state)
{
	enum hole_line_kind kind;
	char name[4], line[64], text[64];
	int byte;

	(void)state;
	for (byte = 1; byte < 256; byte++) {
		size_t bytes;

		if (byte == '/')
			continue;
		name[0] = 'a';
		name[1] = (char)byte;
		name[2] = '7';
		name[3] = '\0';
		bytes = hole_line_encode(HOLE_LINE_ADDED, name, line);
		assert_int_equal(bytes, strlen(line));
		assert_ptr_equal(strchr(line, '\n'), line + bytes - 1);
		assert_int_equal(hole_line_decode(line, bytes - 1, &kind, text),
				 0);
		assert_int_equal(kind, HOLE_LINE_ADDED);
		assert_string_equal(text, name);
	}
}

static void test_line_shows_only_what_a_terminal_may(void **state)
{
	char line[256];
	size_t i;

	(void)state;
	hole_line_encode(HOLE_LINE_ADDED, "\033[2J\xc2\x9b\tx y\\\n", line);
	assert_string_equal(line, "/\\033[2J\\302\\233\\011x y\\\\\\n\n");
	for (i = 0; line[i + 1]; i++)
		assert_true(line[i] >= ' ' && line[i] < 0x7f);
}

static void test_kinds_of_lines(void **state)
{
	static const struct {
		const char *line;
		enum hole_line_kind kind;
		const char *text;
	} cases[] = {
		{ "", HOLE_LINE_EMPTY, NULL },
		{ "# by hand", HOLE_LINE_EMPTY, NULL },
		{ "# cowd holes 1 ", HOLE_LINE_EMPTY, NULL },
		{ "# cowd holes 1 /mnt", HOLE_LINE_OWNER, "/mnt" },
		{ "# cowd holes 1 a\\nb", HOLE_LINE_OWNER, "a\nb" },
		{ "/a/b", HOLE_LINE_ADDED, "a/b" },
		{ "a/b", HOLE_LINE_ADDED, "a/b" },
		{ "-a", HOLE_LINE_ADDED, "-a" },
		{ "/-/a", HOLE_LINE_ADDED, "-/a" },
		{ "-/a", HOLE_LINE_REMOVED, "a" },
		{ "=/a\t/b", HOLE_LINE_ORIGIN, "a" },
		{ "=/a\t", HOLE_LINE_ORIGIN, "a" },
		{ "=a", HOLE_LINE_ADDED, "=a" },
		{ "/\xc3\xa4", HOLE_LINE_ADDED, "\xc3\xa4" },
		{ "/\\303\\244", HOLE_LINE_ADDED, "\xc3\xa4" },
	};
	enum hole_line_kind kind;
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(hole_line_decode(cases[i].line,
						  strlen(cases[i].line), &kind,
						  text),
				 0);
		assert_int_equal(kind, cases[i].kind);
		if (cases[i].text)
			assert_string_equal(text, cases[i].text);
	}
}

static void test_what_is_no_line_is_refused(void **state)
{
	static const char *const lines[] = {
		"/",	   "//",     "/a/",    "/a//b",	      "/..",
		"/a/../b", "/.",     "-/",     "/a\\",	      "/a\\x41",
		"/\\7",	   "/\\78",  "/\\400", "/\\000",      "/\\08",
		"/\033",   "/a\r",   "/\\0",   "-/..",	      "=/a",
		"=/a\tb",  "=/a\t/", "=/\t/b", "=/a\t/b\tc/",
	};
	enum hole_line_kind kind;
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(hole_line_decode(lines[i], strlen(lines[i]),
						  &kind, text),
				 -EINVAL);
	assert_int_equal(hole_line_decode("/a\0b", 4, &kind, text), -EINVAL);
}

static void test_room_for_the_longest_line(void **state)
{
	char name[256], line[HOLE_LINE_BYTES(255)];

	(void)state;
	memset(name, '\x01', 255);
	name[255] = '\0';
	assert_true(hole_line_encode(HOLE_LINE_OWNER, name, line) <
		    sizeof(line));
	assert_true(hole_line_encode(HOLE_LINE_REMOVED, name, line) <
		    sizeof(line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_comes_back),
		cmocka_unit_test(test_line_shows_only_what_a_terminal_may),
		cmocka_unit_test(test_kinds_of_lines),
		cmocka_unit_test(test_what_is_no_line_is_refused),
		cmocka_unit_test(test_room_for_the_longest_line),
	};

	(void)setup, (void)teardown;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
