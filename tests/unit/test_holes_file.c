/* The holefile: whose it is, what is refused, and what failures leave. */
#include "holes_world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "logging.h"

static void test_002_15_file_in_use_is_refused(void **state)
{
	struct world *world = *state;

	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_not_opened(world, -EBUSY, "in use by the session of /mnt/a");
	/* The lock moves along when the file is written anew. */
	assert_int_equal(holes_remove(world->holes, "a"), 0);
	open_again(world);
	assert_not_opened(world, -EBUSY, "in use");
	close_holes(world);
	open_as(world, OWNER);
}

static void test_002_15_file_stays_locked_while_it_is_packed(void **state)
{
	struct world *world = *state;
	char name[32];
	unsigned i;

	open_as(world, OWNER);
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(holes_add(world->holes, name), 0);
		assert_int_equal(holes_remove(world->holes, name), 0);
		if (i % 20 == 0)
			assert_not_opened(world, -EBUSY, "in use");
	}
}

static void test_002_15_another_owners_file_is_refused(void **state)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct world *world = *state;

	open_as(world, "/mnt/b");
	assert_int_equal(holes_add(world->holes, "a"), 0);
	close_holes(world);
	assert_not_opened(world, -EEXIST,
			  "names removed from /mnt/b, not from /mnt/a");
	assert_int_equal(holes_open(world->path, OWNER, &world->holes,
				    &failure),
			 -EEXIST);
	assert_int_equal(failure.code, FAILURE_EXISTS);
	assert_non_null(strstr(failure.hint, "-h FILE"));
	/* What the hint says works. */
	put_text(world, "/a\n");
	open_as(world, OWNER);
	assert_true(holes_has(world->holes, "a"));
	assert_string_equal(text_of(world->path), MARK "/a\n");
}

static void test_002_3_file_by_hand_is_taken_over(void **state)
{
	struct world *world = *state;
	struct stat st;

	put_text(world, "# mine\n/a/b\n\nc/d e\n/last");
	assert_int_equal(chmod(world->path, 0640), 0);
	open_as(world, OWNER);
	assert_int_equal(holes_count(world->holes), 3);
	assert_true(holes_has(world->holes, "a/b"));
	assert_true(holes_has(world->holes, "c/d e"));
	assert_true(holes_has(world->holes, "last"));
	assert_string_equal(text_of(world->path), MARK "/a/b\n/c/d e\n/last\n");
	assert_int_equal(stat(world->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void test_what_is_no_holefile_is_not_changed(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *message;
	} cases[] = {
		{ "/a\n/b/../c\n", -EINVAL, "no holefile: line 2" },
		{ "\x7f"
		  "ELF\x02\x01\n",
		  -EINVAL, "no holefile: line 1" },
		{ "/a\n" MARK, -EINVAL, "no holefile: line 2" },
		{ MARK "/a\n/b\\q\n", -EUCLEAN, "line 3" },
		{ MARK MARK, -EUCLEAN, "line 2" },
		{ MARK "-/\n", -EUCLEAN, "line 2" },
		{ "# cowd holes 1 \\9\n", -EUCLEAN, "line 1" },
		{ "# cowd holes 2 x\n/a\n", -EOPNOTSUPP, "newer cowd" },
	};
	struct world *world = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_text(world, cases[i].text);
		assert_not_opened(world, cases[i].rc, cases[i].message);
		assert_string_equal(text_of(world->path), cases[i].text);
	}
	put(world->path, "/a\0b\n", 5);
	assert_not_opened(world, -EINVAL, "no holefile: line 1");
}

static void test_002_15_only_a_plain_file_is_opened(void **state)
{
	struct world *world = *state;
	char other[160];

	snprintf(other, sizeof(other), "%s/other", world->directory);
	put(other, "/a\n", 3);
	assert_int_equal(symlink("other", world->path), 0);
	assert_not_opened(world, -EINVAL, "symbolic link");
	assert_int_equal(unlink(world->path), 0);
	assert_int_equal(link(other, world->path), 0);
	assert_not_opened(world, -EINVAL, "just one name");
	assert_int_equal(unlink(world->path), 0);
	assert_int_equal(mkfifo(world->path, 0600), 0);
	assert_not_opened(world, -EINVAL, "no regular file");
	assert_int_equal(unlink(world->path), 0);
	assert_int_equal(mkdir(world->path, 0700), 0);
	assert_not_opened(world, -EISDIR, "can't open");
	assert_int_equal(rmdir(world->path), 0);
	assert_string_equal(text_of(other), "/a\n");
	assert_int_equal(unlink(other), 0);
}

static void test_002_15_strangers_file_where_all_write(void **state)
{
	struct world *world = *state;
	struct holes *holes = NULL;
	int rc;

	if (geteuid() != 0)
		skip();
	put_text(world, "/a\n");
	assert_int_equal(chown(world->path, 12345, 12345), 0);
	assert_int_equal(chmod(world->directory, 01777), 0);
	/* The kernel may know better than to open it (protected_regular). */
	rc = holes_open(world->path, OWNER, &holes, NULL);
	assert_true(rc == -EINVAL || rc == -EACCES);
	assert_string_equal(text_of(world->path), "/a\n");
	assert_int_equal(chmod(world->directory, 0755), 0);
	open_as(world, OWNER);
}

static void test_missing_directory_is_told(void **state)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct world *world = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/none/holes", world->directory);
	assert_int_equal(holes_open(path, OWNER, &world->holes, &failure),
			 -ENOENT);
	assert_string_equal(failure.object, path);
	snprintf(path, sizeof(path), "%s/", world->directory);
	assert_int_equal(holes_open(path, OWNER, &world->holes, NULL), -EISDIR);
	assert_null(world->holes);
}

static void test_relative_path_is_not_followed_by_chdir(void **state)
{
	struct world *world = *state;
	char before[256];

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(world->directory), 0);
	assert_int_equal(holes_open("holes", OWNER, &world->holes, NULL), 0);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	assert_int_equal(holes_add(world->holes, "b"), 0);
	assert_int_equal(holes_remove(world->holes, "a"), 0);
	close_holes(world);
	assert_string_equal(text_of(world->path), MARK "/b\n");
}

static void test_line_that_was_not_written_whole_is_dropped(void **state)
{
	struct world *world = *state;

	log_set_level(LOG_LEVEL_ERROR);
	put_text(world, MARK "/a\n/b/lon");
	open_as(world, OWNER);
	assert_int_equal(holes_count(world->holes), 1);
	assert_true(holes_has(world->holes, "a"));
	assert_string_equal(text_of(world->path), MARK "/a\n");
	close_holes(world);
	/* So is what a file system may show of it. */
	put(world->path, MARK "/a\n\0\0\0", strlen(MARK) + 6);
	open_as(world, OWNER);
	assert_string_equal(text_of(world->path), MARK "/a\n");
	log_set_level(LOG_LEVEL_NOTICE);
}

static void test_left_over_of_a_rewrite_is_replaced(void **state)
{
	struct world *world = *state;
	char left[160];

	snprintf(left, sizeof(left), "%s.new", world->path);
	put(left, "half", 4);
	put_text(world, MARK "/a\n-/a\n/b\n");
	open_as(world, OWNER);
	assert_string_equal(text_of(world->path), MARK "/b\n");
	assert_int_equal(access(left, F_OK), -1);
}

static void test_kill_loses_nothing_that_was_done(void **state)
{
	struct world *world = *state;
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct holes *holes;

		if (holes_open(world->path, OWNER, &holes, NULL) == 0 &&
		    holes_add(holes, "a") == 0 && holes_add(holes, "b") == 0 &&
		    holes_remove(holes, "a") == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	open_as(world, OWNER);
	assert_int_equal(holes_count(world->holes), 1);
	assert_true(holes_has(world->holes, "b"));
}

static void test_002_3_full_disk_changes_nothing(void **state)
{
	struct rlimit limit, before;
	struct world *world = *state;
	char *text;

	log_set_level((enum log_level)0);
	signal(SIGXFSZ, SIG_IGN);
	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "before"), 0);
	text = strdup(text_of(world->path));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = strlen(text) + 4; /* room for half a line */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(holes_add(world->holes, "too-long"), -EFBIG);
	assert_int_equal(holes_remove(world->holes, "before"), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_false(holes_has(world->holes, "too-long"));
	assert_true(holes_has(world->holes, "before"));
	assert_string_equal(text_of(world->path), text);
	free(text);
	/* And works again when there is room. */
	assert_int_equal(holes_add(world->holes, "after"), 0);
	assert_int_equal(holes_sync(world->holes), 0);
	open_again(world);
	assert_int_equal(holes_count(world->holes), 2);
	log_set_level(LOG_LEVEL_NOTICE);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
static bool sync_fails;

int __wrap_fdatasync(int fd)
{
	if (!sync_fails)
		return __real_fdatasync(fd);
	errno = EIO;
	return -1;
}

static void test_after_a_failed_sync_nothing_is_believed(void **state)
{
	struct world *world = *state;

	log_set_level((enum log_level)0);
	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "a"), 0);
	sync_fails = true;
	assert_int_equal(holes_sync(world->holes), -EIO);
	sync_fails = false;
	assert_int_equal(holes_sync(world->holes), -EIO);
	assert_int_equal(holes_add(world->holes, "b"), -EIO);
	assert_int_equal(holes_remove(world->holes, "a"), -EIO);
	assert_true(holes_has(world->holes, "a"));
	assert_false(holes_has(world->holes, "b"));
	open_again(world);
	assert_int_equal(holes_sync(world->holes), 0);
	log_set_level(LOG_LEVEL_NOTICE);
}

static void test_failed_packing_keeps_the_old_file(void **state)
{
	struct world *world = *state;
	char name[32];
	unsigned i;

	log_set_level((enum log_level)0);
	open_as(world, OWNER);
	assert_int_equal(holes_add(world->holes, "stays"), 0);
	sync_fails = true;
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(holes_add(world->holes, name), 0);
		assert_int_equal(holes_remove(world->holes, name), 0);
	}
	close_holes(world);
	sync_fails = false;
	assert_true(strlen(text_of(world->path)) > 1000);
	open_as(world, OWNER);
	assert_int_equal(holes_count(world->holes), 1);
	assert_string_equal(text_of(world->path), MARK "/stays\n");
	log_set_level(LOG_LEVEL_NOTICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_002_15_file_in_use_is_refused),
		CASE(test_002_15_file_stays_locked_while_it_is_packed),
		CASE(test_002_15_another_owners_file_is_refused),
		CASE(test_002_3_file_by_hand_is_taken_over),
		CASE(test_what_is_no_holefile_is_not_changed),
		CASE(test_002_15_only_a_plain_file_is_opened),
		CASE(test_002_15_strangers_file_where_all_write),
		CASE(test_missing_directory_is_told),
		CASE(test_relative_path_is_not_followed_by_chdir),
		CASE(test_line_that_was_not_written_whole_is_dropped),
		CASE(test_left_over_of_a_rewrite_is_replaced),
		CASE(test_kill_loses_nothing_that_was_done),
		CASE(test_002_3_full_disk_changes_nothing),
		CASE(test_after_a_failed_sync_nothing_is_believed),
		CASE(test_failed_packing_keeps_the_old_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
