/* Which rule decides about a file: each kind, and their order. */
#include "rules_world.h"

#include <stdio.h>
#include <stdlib.h>

static void test_002_6_all_matches_anything(void **state)
{
	(void)state;
	assert_true(matches("all<>", "a/b.c", REG(0644)));
	assert_true(matches("all<>", "a", DIR_MODE));
	assert_true(matches("all<>", "", DIR_MODE));
	assert_true(matches("all<>", "fifo", S_IFIFO | 0600));
}

static void test_002_7_mode_f_is_all_but_directories(void **state)
{
	static const mode_t others[] = { S_IFREG,  S_IFLNK, S_IFIFO,
					 S_IFSOCK, S_IFCHR, S_IFBLK };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_true(matches("mode<f>", "a", others[i] | 0600));
		assert_false(matches("mode<d>", "a", others[i] | 0600));
	}
	assert_false(matches("mode<f>", "a", DIR_MODE));
	assert_true(matches("mode<d>", "a", DIR_MODE));
}

static void test_002_7_mode_rwx_is_what_the_asker_may(void **state)
{
	static const gid_t groups[] = { 7, 8 };
	static const struct {
		struct rules_asker asker;
		mode_t mode;
		const char *letters;
	} cases[] = {
		{ { .uid = 1000, .gid = 9 }, REG(0461), "r" },
		{ { .uid = 1, .gid = 1000 }, REG(0461), "rw" },
		{ { .uid = 1, .gid = 1 }, REG(0461), "x" },
		{ { .uid = 1000, .gid = 1000 }, REG(0077), "" },
		{ { .uid = 0, .gid = 0 }, REG(0000), "rw" },
		{ { .uid = 0, .gid = 0 }, REG(0001), "rwx" },
		{ { .uid = 0, .gid = 0 }, S_IFDIR, "rwx" },
	};
	struct rules_asker member = {
		.uid = 1, .gid = 1, .groups = groups, .group_count = 2
	};
	struct rules_subject subject;
	const char *letter;
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rules_subject_init(&subject, "a", cases[i].mode, 1000, 1000,
				   &cases[i].asker);
		for (letter = "rwx"; *letter; letter++) {
			snprintf(text, sizeof(text), "/x mode<%c>", *letter);
			assert_int_equal(line_for(text, &subject),
					 strchr(cases[i].letters, *letter) !=
						 NULL);
		}
	}
	rules_subject_init(&subject, "a", REG(0040), 1000, 8, &member);
	assert_int_equal(line_for("/x mode<r>", &subject), 1);
}

static void test_002_7_mode_e_tells_new_from_old(void **state)
{
	struct rules_subject subject = subject_of("a", REG(0644));

	(void)state;
	assert_int_equal(line_for("/x mode<e>", &subject), 1);
	subject.exists = false;
	assert_int_equal(line_for("/x mode<e>", &subject), 0);
	/* What is about to be made has the mode that it will have. */
	assert_int_equal(line_for("/x mode<f> && mode<w>", &subject), 1);
}

static void test_002_7_mode_A_and_L(void **state)
{
	struct rules_subject subject = subject_of("log", REG(0644));

	(void)state;
	assert_int_equal(line_for("/x mode<A>", &subject), 0);
	assert_int_equal(line_for("/x mode<L>", &subject), 0);
	subject.append_only = true;
	assert_int_equal(line_for("/x mode<A>", &subject), 1);
	assert_true(matches("mode<L>", "lock", REG(02644)));
	assert_false(matches("mode<L>", "setgid", REG(02755)));
	assert_false(matches("mode<L>", "dir", S_IFDIR | 02700));
}

static void test_002_8_ext_is_the_final_extension(void **state)
{
	(void)state;
	assert_true(matches("ext<8>", "a/b.8", REG(0644)));
	assert_true(matches("ext<8>", "a/b.c.8", REG(0644)));
	assert_true(matches("ext<8>", "a/.8", REG(0644)));
	assert_false(matches("ext<8>", "a/b.8.c", REG(0644)));
	assert_false(matches("ext<8>", "a/b8", REG(0644)));
	assert_false(matches("ext<8>", "a/8", REG(0644)));
	assert_false(matches("ext<8>", "a/b.88", REG(0644)));
	assert_false(matches("ext<8>", "a.8/b", REG(0644)));
	assert_false(matches("ext<C>", "b.c", REG(0644)));
	assert_true(matches("ext<a\\>b>", "x.a>b", REG(0644)));
	assert_true(matches("ext<a\\\\b>", "x.a\\b", REG(0644)));
	assert_true(matches("ext<a b>", "x.a b", REG(0644)));
}

static void test_002_9_fregex_files_dregex_directories_regex_any(void **state)
{
	(void)state;
	assert_true(matches("fregex<^core$>", "a/core", REG(0644)));
	assert_true(matches("fregex<^core$>", "a/core", S_IFLNK | 0777));
	assert_false(matches("fregex<^core$>", "a/core", DIR_MODE));
	assert_false(matches("dregex<^core$>", "a/core", REG(0644)));
	assert_true(matches("dregex<^core$>", "a/core", DIR_MODE));
	assert_true(matches("regex<^core$>", "a/core", REG(0644)));
	assert_true(matches("regex<^core$>", "a/core", DIR_MODE));
	/* Anywhere in the name, and in nothing but the name. */
	assert_true(matches("regex<or>", "a/core", REG(0644)));
	assert_false(matches("regex<a>", "a/core", REG(0644)));
	assert_false(matches("regex</>", "a/core", REG(0644)));
}

static void test_path_sees_all_of_it(void **state)
{
	(void)state;
	assert_true(matches("path<^build(/|$)>", "build", DIR_MODE));
	assert_true(matches("path<^build(/|$)>", "build/a/b.o", REG(0644)));
	assert_false(matches("path<^build(/|$)>", "src/build", DIR_MODE));
	assert_false(matches("path<^build(/|$)>", "builder", REG(0644)));
}

static void test_or_and_take_what_they_say(void **state)
{
	static const struct {
		const char *test;
		bool first, second, third, holds;
	} cases[] = {
		{ "ext<1> || ext<2> && ext<3>", true, false, false, true },
		{ "ext<1> && ext<2> || ext<3>", false, false, true, false },
		{ "(ext<1> && ext<2>) || ext<3>", false, false, true, true },
		{ "ext<1> && ext<2> || ext<3>", true, false, true, true },
		{ "ext<1> && ext<2> && ext<3>", true, true, false, false },
		{ "ext<1> || ext<2> || ext<3>", false, false, false, false },
	};
	char text[256], *to;
	const char *from;
	size_t i;

	(void)state;
	/* all<> for true, and an extension that it has not for false. */
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool value[] = { cases[i].first, cases[i].second,
				 cases[i].third };

		to = text;
		for (from = cases[i].test; *from; from++) {
			if (strncmp(from, "ext<", 4) != 0) {
				*to++ = *from;
				continue;
			}
			to = stpcpy(to,
				    value[from[4] - '1'] ? "all<>" : "ext<no>");
			from += 5;
		}
		*to = '\0';
		assert_int_equal(matches(text, "a", REG(0644)), cases[i].holds);
	}
}

static void test_002_10_first_rule_from_the_top_decides(void **state)
{
	const char *text = "/n/junk ext<8>\n/tmp/pcbuild all<>\n";
	struct rules_subject object = subject_of("9/pc/main.8", REG(0644));
	struct rules_subject other = subject_of("9/pc/main.c", REG(0644));

	(void)state;
	assert_int_equal(line_for(text, &object), 1);
	assert_int_equal(line_for(text, &other), 2);
	assert_int_equal(line_for("/b all<>\n/a ext<8>\n", &object), 1);
}

static void test_002_11_example_of_the_manual(void **state)
{
	const char *text = "# executables, then objects\n"
			   "/tmp/bin mode<f> && mode<x>\n"
			   "/tmp     ext<8>\n";
	struct rules_subject program = subject_of("8.out", REG(0755));
	struct rules_subject object = subject_of("main.8", REG(0644));
	struct rules_subject both = subject_of("run.8", REG(0755));
	struct rules_subject source = subject_of("main.c", REG(0644));
	struct rules_subject folder = subject_of("lib", DIR_MODE);

	(void)state;
	assert_int_equal(line_for(text, &program), 2);
	assert_int_equal(line_for(text, &object), 3);
	assert_int_equal(line_for(text, &both), 2);
	assert_int_equal(line_for(text, &source), 0);
	assert_int_equal(line_for(text, &folder), 0);
}

static void test_002_13_no_rule_is_enoent(void **state)
{
	struct rules_subject subject = subject_of("a", REG(0644));
	struct rules *rules = rules_of("/x ext<8>\n");
	const struct rule *rule = (const struct rule *)rules;

	(void)state;
	assert_int_equal(rules_match(rules, &subject, &rule), -ENOENT);
	assert_ptr_equal(rule, rules); /* not touched */
	rules_free(rules);
	assert_int_equal(line_for("", &subject), 0);
}

static void test_words_and_paths_are_one_list(void **state)
{
	const char *text = "@store ext<keep>\n@scratch path<^build(/|$)>\n"
			   "/d all<>\n";
	struct rules_subject kept = subject_of("build/a.keep", REG(0644));
	struct rules_subject built = subject_of("build/a.o", REG(0644));
	struct rules_subject other = subject_of("a.o", REG(0644));

	(void)state;
	assert_int_equal(line_for(text, &kept), 1);
	assert_int_equal(line_for(text, &built), 2);
	assert_int_equal(line_for(text, &other), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_002_6_all_matches_anything),
		cmocka_unit_test(test_002_7_mode_f_is_all_but_directories),
		cmocka_unit_test(test_002_7_mode_rwx_is_what_the_asker_may),
		cmocka_unit_test(test_002_7_mode_e_tells_new_from_old),
		cmocka_unit_test(test_002_7_mode_A_and_L),
		cmocka_unit_test(test_002_8_ext_is_the_final_extension),
		cmocka_unit_test(
			test_002_9_fregex_files_dregex_directories_regex_any),
		cmocka_unit_test(test_path_sees_all_of_it),
		cmocka_unit_test(test_or_and_take_what_they_say),
		cmocka_unit_test(test_002_10_first_rule_from_the_top_decides),
		cmocka_unit_test(test_002_11_example_of_the_manual),
		cmocka_unit_test(test_002_13_no_rule_is_enoent),
		cmocka_unit_test(test_words_and_paths_are_one_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
