/* A new store is whole, or nothing is left of it. */
#include "store_world.h"

#include <signal.h>
#include <sys/resource.h>

static int create(struct store_world *world, const char *name,
		  const char *base_path, uint64_t size_bytes)
{
	struct store_create_params params = { .base_path = base_path,
					      .size_bytes = size_bytes };
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	params.path = path;
	world_config(&params.config);
	return store_create(&params, &world->failure);
}

static bool exists(const struct store_world *world, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	return access(path, F_OK) == 0;
}

static void assert_reads_as(struct store_world *world, const char *name,
			    const struct world_copy *copy)
{
	struct store *other;
	struct view *view;
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	assert_ok(world, store_open(path, NULL, &other, &world->failure));
	assert_ok(world,
		  view_open_branch(other, "main", &view, &world->failure));
	world_check_file(view_image(view), copy->data, copy->size_bytes);
	view_put(view);
	assert_int_equal(store_close(other), 0);
}

static void test_a_store_without_a_base_is_zeros(void **state)
{
	struct world_copy zeros = { calloc(1, 10001), 10000 };
	struct store_world *world = *state;

	assert_ok(world, create(world, "zeros", NULL, 10000));
	assert_reads_as(world, "zeros", &zeros);
	free(zeros.data);
}

static void test_a_size_cuts_or_extends_the_base(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy = { world->expected, 5000 };

	assert_ok(world, create(world, "small", world->base_path, 5000));
	assert_reads_as(world, "small", &copy);
	world_expect_size(world, WORLD_BASE_BYTES + 5000);
	copy = (struct world_copy){ world->expected, world->size_bytes };
	assert_ok(world,
		  create(world, "large", world->base_path, world->size_bytes));
	assert_reads_as(world, "large", &copy);
}

static void test_base_past_a_smaller_size_is_never_seen(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	struct store *other;
	struct view *view;
	char path[96];

	assert_ok(world, create(world, "small", world->base_path, 5000));
	snprintf(path, sizeof(path), "%s/small", world->directory);
	assert_ok(world, store_open(path, NULL, &other, &world->failure));
	assert_ok(world,
		  view_open_branch(other, "main", &view, &world->failure));
	assert_int_equal(file_resize(view_image(view), 9000), 0);
	view_put(view);
	assert_int_equal(store_close(other), 0);
	memset(world->expected + 5000, 0, 4000);
	copy = (struct world_copy){ world->expected, 9000 };
	assert_reads_as(world, "small", &copy);
}

/* No file may be longer than a block: the log can't be made. */
static void test_a_store_that_fails_half_way_is_removed(void **state)
{
	struct store_world *world = *state;
	struct rlimit old, tight;
	int rc;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	rc = create(world, "new", NULL, 1 << 20);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(rc < 0);
	assert_false(exists(world, "new"));
	world->failure = (struct failure){ 0 };
	assert_ok(world, create(world, "new", NULL, 1 << 20));
}

static void test_only_its_owner_may_enter(void **state)
{
	struct store_world *world = *state;
	struct stat st;

	assert_int_equal(stat(world->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_what_is_there_is_not_overwritten(void **state)
{
	struct store_world *world = *state;

	world_write(world, 0, 100, 2);
	assert_failure(world, create(world, "store", world->base_path, 0),
		       FAILURE_EXISTS);
	assert_failure(world, create(world, "base", NULL, 4096),
		       FAILURE_EXISTS);
	world_reopen(world);
	world_check(world);
}

static void test_a_store_that_cannot_be_made_leaves_nothing(void **state)
{
	struct store_world *world = *state;

	assert_failure(world, create(world, "new", NULL, 0), FAILURE_USAGE);
	assert_failure(world, create(world, "new", NULL, UINT64_MAX),
		       FAILURE_USAGE);
	assert_true(create(world, "new", "/nonexistent/base", 0) < 0);
	world->failure = (struct failure){ 0 };
	assert_true(create(world, "new", world->directory, 0) < 0);
	assert_false(exists(world, "new"));
	world->failure = (struct failure){ 0 };
	assert_true(create(world, "no/such/place", NULL, 4096) < 0);
}

static void test_a_store_is_not_made_inside_another(void **state)
{
	struct store_world *world = *state;

	assert_failure(world, create(world, "store/inner", NULL, 4096),
		       FAILURE_USAGE);
	assert_failure(world, create(world, "store/segments/inner", NULL, 4096),
		       FAILURE_USAGE);
	assert_false(exists(world, "store/inner"));
}

static void test_a_bad_name_of_the_first_branch_is_refused(void **state)
{
	struct store_world *world = *state;
	struct store_create_params params = { .branch = "a@b",
					      .size_bytes = 4096 };
	char path[96];

	snprintf(path, sizeof(path), "%s/new", world->directory);
	params.path = path;
	world_config(&params.config);
	assert_failure(world, store_create(&params, &world->failure),
		       FAILURE_USAGE);
	assert_false(exists(world, "new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_store_without_a_base_is_zeros),
		WORLD_TEST(test_a_size_cuts_or_extends_the_base),
		WORLD_TEST(test_base_past_a_smaller_size_is_never_seen),
		WORLD_TEST(test_a_store_that_fails_half_way_is_removed),
		WORLD_TEST(test_only_its_owner_may_enter),
		WORLD_TEST(test_what_is_there_is_not_overwritten),
		WORLD_TEST(test_a_store_that_cannot_be_made_leaves_nothing),
		WORLD_TEST(test_a_store_is_not_made_inside_another),
		WORLD_TEST(test_a_bad_name_of_the_first_branch_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
