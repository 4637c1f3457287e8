/* The options of `cowd diverge`: their defaults, and the files they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "diverge.h"
#include "rules.h"

struct world {
	char directory[64];
	char path[96]; /* P, not there yet */
	char files[112], rules[112];
	struct diverge_plan plan;
};

static int setup(void **state)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	snprintf(world.directory, sizeof(world.directory),
		 "/tmp/cowd-test-diverge.XXXXXX");
	assert_non_null(mkdtemp(world.directory));
	snprintf(world.path, sizeof(world.path), "%s/p", world.directory);
	snprintf(world.files, sizeof(world.files), "%s/files", world.path);
	snprintf(world.rules, sizeof(world.rules), "%s/rules", world.path);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	unlink(world->rules);
	rmdir(world->files);
	rmdir(world->path);
	assert_int_equal(rmdir(world->directory), 0);
	return 0;
}

static const struct diverge_plan *plan_of(void **state,
					  struct diverge_options options)
{
	struct world *world = *state;

	assert_int_equal(diverge_plan(&options, &world->plan, NULL), 0);
	return &world->plan;
}

static void test_002_1_mountpoint_alone_is_p_tmp(void **state)
{
	const struct diverge_plan *plan =
		plan_of(state, (struct diverge_options){ 0 });

	assert_string_equal(plan->default_path, "/tmp");
	assert_string_equal(plan->files, "/tmp/files");
	assert_string_equal(plan->rule_file, "/tmp/rules");
	assert_string_equal(plan->hole_file, "/tmp/holes");
	assert_string_equal(plan->rules_text, "/tmp/files all<>\n");
	assert_int_equal(plan->level, 3);
	plan = plan_of(state, (struct diverge_options){ .hole_file = "h" });
	assert_string_equal(plan->default_path, "/tmp");
	assert_string_equal(plan->hole_file, "h");
}

static void test_002_2_p_gives_rules_files_and_holes(void **state)
{
	const struct diverge_plan *plan = plan_of(
		state, (struct diverge_options){ .default_path = "/w/p" });

	assert_string_equal(plan->default_path, "/w/p");
	assert_string_equal(plan->files, "/w/p/files");
	assert_string_equal(plan->rule_file, "/w/p/rules");
	assert_string_equal(plan->hole_file, "/w/p/holes");
	assert_string_equal(plan->rules_text, "/w/p/files all<>\n");
	plan = plan_of(state, (struct diverge_options){ .default_path = "w/" });
	assert_string_equal(plan->rule_file, "w/rules");
	assert_string_equal(plan->rules_text, "w/files all<>\n");
	plan = plan_of(state, (struct diverge_options){ .default_path = "/" });
	assert_string_equal(plan->rule_file, "/rules");
}

static void test_002_2_text_of_an_odd_path_can_be_read_back(void **state)
{
	static const char *const paths[] = { "/a b", "@scratch", "#p", "/it's",
					     "'" };
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct diverge_plan *plan =
			plan_of(state, (struct diverge_options){
					       .default_path = paths[i] });
		struct rules *rules = NULL;
		char expected[64];

		assert_int_equal(rules_parse(plan->rules_text,
					     strlen(plan->rules_text), "t",
					     "/s", &rules, NULL),
				 0);
		snprintf(expected, sizeof(expected), "%s%s/files",
			 paths[i][0] == '/' ? "" : "/s/", paths[i]);
		assert_string_equal(rules_at(rules, 0)->directory, expected);
		rules_free(rules);
	}
}

static void test_002_1_f_alone_has_no_default_path(void **state)
{
	const struct diverge_plan *plan = plan_of(
		state, (struct diverge_options){ .rule_file = "my.rules" });

	assert_string_equal(plan->default_path, "");
	assert_string_equal(plan->files, "");
	assert_string_equal(plan->rule_file, "my.rules");
	assert_string_equal(plan->rules_text, "");
	assert_string_equal(plan->hole_file, "/tmp/holes");
}

static void test_002_1_p_and_f_and_h_go_together(void **state)
{
	const struct diverge_plan *plan =
		plan_of(state, (struct diverge_options){ .default_path = "/p",
							 .rule_file = "/f" });

	assert_string_equal(plan->default_path, "/p");
	assert_string_equal(plan->rule_file, "/f");
	assert_string_equal(plan->rules_text, "");
	assert_string_equal(plan->hole_file, "/p/holes");
	plan = plan_of(state, (struct diverge_options){ .default_path = "/p",
							.rule_file = "/f",
							.hole_file = "/h" });
	assert_string_equal(plan->hole_file, "/h");
}

static void test_002_4_level_is_1_to_5_and_3_by_default(void **state)
{
	static const char *const wrong[] = { "",  "0",	"6",  "-1",
					     "x", "3x", "33", " 3" };
	char level[2] = "1";
	size_t i;

	for (; level[0] <= '5'; level[0]++)
		assert_int_equal(
			plan_of(state,
				(struct diverge_options){ .level = level })
				->level,
			level[0] - '0');
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct failure failure = { .code = FAILURE_NONE };
		struct diverge_options options = { .level = wrong[i] };
		struct diverge_plan plan = { .level = 9 };

		assert_int_equal(diverge_plan(&options, &plan, &failure),
				 -EINVAL);
		assert_int_equal(failure.code, FAILURE_USAGE);
		assert_int_equal(plan.level, 9);
	}
	assert_int_equal(diverge_log_level(1), LOG_LEVEL_ERROR);
	assert_int_equal(diverge_log_level(3), LOG_LEVEL_NOTICE);
	assert_int_equal(diverge_log_level(5), LOG_LEVEL_DEBUG);
}

static void test_paths_that_can_not_be_are_refused(void **state)
{
	char longest[PATH_MAX + 1];
	struct diverge_plan plan;

	(void)state;
	memset(longest, 'x', PATH_MAX);
	longest[PATH_MAX] = '\0';
	assert_int_equal(
		diverge_plan(&(struct diverge_options){ .default_path = "" },
			     &plan, NULL),
		-EINVAL);
	assert_int_equal(
		diverge_plan(&(struct diverge_options){ .rule_file = "" },
			     &plan, NULL),
		-EINVAL);
	assert_int_equal(
		diverge_plan(&(struct diverge_options){ .hole_file = "" },
			     &plan, NULL),
		-EINVAL);
	assert_int_equal(
		diverge_plan(&(struct diverge_options){ .hole_file = longest },
			     &plan, NULL),
		-ENAMETOOLONG);
	/* P fits, P/rules does not. */
	longest[PATH_MAX - 4] = '\0';
	assert_int_equal(
		diverge_plan(&(struct diverge_options){ .default_path =
								longest },
			     &plan, NULL),
		-ENAMETOOLONG);
	assert_int_equal(
		diverge_plan(&(struct diverge_options){ .default_path = "a\n" },
			     &plan, NULL),
		-EINVAL);
}

static const char *text_of(const char *path)
{
	static char text[4096];
	FILE *in = fopen(path, "r");
	size_t n;

	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	fclose(in);
	return text;
}

static void put(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void test_002_2_what_is_missing_is_made(void **state)
{
	struct world *world = *state;
	const struct diverge_plan *plan = plan_of(
		state, (struct diverge_options){ .default_path = world->path });
	bool found = true;
	char text[256];
	struct stat st;

	assert_int_equal(diverge_prepare(plan, &found, NULL), 0);
	assert_false(found);
	assert_int_equal(stat(world->files, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	snprintf(text, sizeof(text), "%s all<>\n", world->files);
	assert_string_equal(text_of(world->rules), text);
}

static void test_002_2_what_is_there_stays(void **state)
{
	struct world *world = *state;
	const struct diverge_plan *plan = plan_of(
		state, (struct diverge_options){ .default_path = world->path });
	bool found = false;

	assert_int_equal(diverge_prepare(plan, &found, NULL), 0);
	put(world->rules, "/mine all<>\n");
	assert_int_equal(diverge_prepare(plan, &found, NULL), 0);
	assert_true(found);
	assert_string_equal(text_of(world->rules), "/mine all<>\n");
}

static void test_002_2_with_f_only_p_is_made(void **state)
{
	struct world *world = *state;
	const struct diverge_plan *plan = plan_of(
		state, (struct diverge_options){ .default_path = world->path,
						 .rule_file = "/none" });
	bool found = false;

	assert_int_equal(diverge_prepare(plan, &found, NULL), 0);
	assert_int_equal(access(world->path, F_OK), 0);
	assert_int_equal(access(world->files, F_OK), -1);
	assert_int_equal(access(world->rules, F_OK), -1);
	plan = plan_of(state, (struct diverge_options){ .rule_file = "/x" });
	assert_int_equal(diverge_prepare(plan, &found, NULL), 0);
	assert_true(found);
}

static void assert_refused(const struct diverge_plan *plan, const char *object,
			   int rc)
{
	struct failure failure = { .code = FAILURE_NONE };
	bool found;

	assert_int_equal(diverge_prepare(plan, &found, &failure), rc);
	assert_string_equal(failure.object, object);
}

static void test_what_is_of_another_kind_is_refused(void **state)
{
	struct world *world = *state;
	const struct diverge_plan *plan = plan_of(
		state, (struct diverge_options){ .default_path = world->path });

	put(world->path, "");
	assert_refused(plan, world->path, -ENOTDIR);
	assert_int_equal(unlink(world->path), 0);
	assert_int_equal(mkdir(world->path, 0700), 0);
	put(world->files, "");
	assert_refused(plan, world->files, -EEXIST);
	assert_int_equal(unlink(world->files), 0);
	assert_int_equal(symlink("/etc", world->files), 0);
	assert_refused(plan, world->files, -EEXIST);
	assert_int_equal(unlink(world->files), 0);
	assert_int_equal(symlink("none", world->rules), 0);
	assert_refused(plan, world->rules, -EEXIST);
	assert_int_equal(access(world->files, F_OK), 0);
}

static void test_what_a_stranger_put_there_is_refused(void **state)
{
	struct world *world = *state;
	const struct diverge_plan *plan = plan_of(
		state, (struct diverge_options){ .default_path = world->path });

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(world->path, 0700), 0);
	assert_int_equal(chmod(world->path, 01777), 0);
	assert_int_equal(mkdir(world->files, 0700), 0);
	assert_int_equal(chown(world->files, 12345, 12345), 0);
	assert_refused(plan, world->files, -EEXIST);
	assert_int_equal(chown(world->files, 0, 0), 0);
	put(world->rules, "/mine all<>\n");
	assert_int_equal(chown(world->rules, 12345, 12345), 0);
	assert_refused(plan, world->rules, -EEXIST);
}

static void test_missing_parent_of_p_is_told(void **state)
{
	struct world *world = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/none/p", world->directory);
	assert_refused(plan_of(state, (struct diverge_options){ .default_path =
									path }),
		       path, -ENOENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_002_1_mountpoint_alone_is_p_tmp),
		CASE(test_002_2_p_gives_rules_files_and_holes),
		CASE(test_002_2_text_of_an_odd_path_can_be_read_back),
		CASE(test_002_1_f_alone_has_no_default_path),
		CASE(test_002_1_p_and_f_and_h_go_together),
		CASE(test_002_4_level_is_1_to_5_and_3_by_default),
		CASE(test_paths_that_can_not_be_are_refused),
		CASE(test_002_2_what_is_missing_is_made),
		CASE(test_002_2_what_is_there_stays),
		CASE(test_002_2_with_f_only_p_is_made),
		CASE(test_what_is_of_another_kind_is_refused),
		CASE(test_what_a_stranger_put_there_is_refused),
		CASE(test_missing_parent_of_p_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
