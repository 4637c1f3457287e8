/* What tells one directory from another. */
#include "layers_world.h"

static const char *path_of(struct layers_world *world, const char *name)
{
	static char path[WORLD_PATH];

	snprintf(path, sizeof(path), "%s/%s", world->root, name);
	return path;
}

static void take(struct layers_world *world, const char *name,
		 struct base_fingerprint *f)
{
	assert_int_equal(layer_fingerprint_take(path_of(world, name), f,
						&world->failure),
			 0);
}

static int check(struct layers_world *world, const struct base_fingerprint *f,
		 const char *name, struct base_fingerprint *now)
{
	memset(&world->failure, 0, sizeof(world->failure));
	return layer_fingerprint_check(f, name ? path_of(world, name) : NULL,
				       now, &world->failure);
}

static void test_fingerprint_tells_resolved_path_and_inode(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f;
	struct stat st;

	assert_int_equal(symlinkat("1", world->fd, "link"), 0);
	take(world, "link", &f);
	assert_int_equal(fstatat(world->fd, "1", &st, 0), 0);
	assert_int_equal(f.kind, BASE_KIND_DIRECTORY);
	assert_string_equal(f.path, path_of(world, "1"));
	assert_int_equal(f.inode, st.st_ino);
	assert_int_equal(f.device, st.st_dev);
	assert_int_equal(f.size_bytes, 0);
	assert_int_equal(f.mtime_ns, 0);
	assert_false(f.has_full_hash);
}

static void test_changes_in_it_make_it_no_other(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f, now;

	take(world, "1", &f);
	world_write(world, "1/new", "");
	assert_int_equal(fchmodat(world->fd, "1", 0700, 0), 0);
	assert_int_equal(check(world, &f, NULL, NULL), 0);
	assert_int_equal(renameat(world->fd, "1", world->fd, "moved"), 0);
	assert_int_equal(check(world, &f, NULL, NULL), -ENOENT);
	assert_non_null(strstr(world->failure.hint, "--base"));
	assert_int_equal(check(world, &f, "moved", &now), 0);
	assert_string_equal(now.path, path_of(world, "moved"));
}

static void test_another_directory_is_refused_with_advice(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f;

	take(world, "1", &f);
	assert_int_equal(check(world, &f, "2", NULL), -ESTALE);
	assert_int_equal(world->failure.code, FAILURE_BASE_CHANGED);
	assert_non_null(strstr(world->failure.message, "another directory"));
	assert_non_null(strstr(world->failure.hint, "original"));
}

static void test_inode_used_again_is_another_directory(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f;

	take(world, "1", &f);
	if (!f.sample_hash)
		skip(); /* no time of birth here */
	f.sample_hash++;
	assert_int_equal(check(world, &f, NULL, NULL), -ESTALE);
}

static void test_device_number_counts_only_without_birth(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f;

	take(world, "1", &f);
	if (!f.sample_hash)
		skip();
	f.device++;
	assert_int_equal(check(world, &f, NULL, NULL), 0);
	f.sample_hash = 0;
	assert_int_equal(check(world, &f, NULL, NULL), -ESTALE);
	f.device--;
	assert_int_equal(check(world, &f, NULL, NULL), 0);
}

static void test_file_or_symlink_in_its_place_is_refused(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f;

	take(world, "1", &f);
	assert_int_equal(renameat(world->fd, "1", world->fd, "moved"), 0);
	world_write(world, "1", "a file");
	assert_int_equal(check(world, &f, NULL, NULL), -ESTALE);
	assert_int_equal(world->failure.code, FAILURE_BASE_CHANGED);
	assert_int_equal(unlinkat(world->fd, "1", 0), 0);
	assert_int_equal(symlinkat("moved", world->fd, "1"), 0);
	assert_int_equal(check(world, &f, NULL, NULL), -ESTALE);
	assert_int_equal(world->failure.code, FAILURE_BASE_CHANGED);
	/* Named by the user, it may lead there. */
	assert_int_equal(check(world, &f, "1", NULL), 0);
}

static void test_image_is_no_layer(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f;

	take(world, "1", &f);
	f.kind = BASE_KIND_FILE;
	assert_int_equal(check(world, &f, NULL, NULL), -ESTALE);
	world_write(world, "file", "");
	assert_int_equal(layer_fingerprint_take(path_of(world, "file"), &f,
						NULL),
			 -ENOTDIR);
}

static void test_unreadable_directory_is_told_at_once(void **state)
{
	struct layers_world *world = *state;
	struct base_fingerprint f;
	int rc;

	assert_int_equal(fchmodat(world->fd, "1", 0311, 0), 0);
	assert_int_equal(chmod(world->root, 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	rc = layer_fingerprint_take(path_of(world, "1"), &f, &world->failure);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -EACCES);
	assert_non_null(strstr(world->failure.message, "can't read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		WORLD_TEST(test_fingerprint_tells_resolved_path_and_inode),
		WORLD_TEST(test_changes_in_it_make_it_no_other),
		WORLD_TEST(test_another_directory_is_refused_with_advice),
		WORLD_TEST(test_inode_used_again_is_another_directory),
		WORLD_TEST(test_device_number_counts_only_without_birth),
		WORLD_TEST(test_file_or_symlink_in_its_place_is_refused),
		WORLD_TEST(test_image_is_no_layer),
		WORLD_TEST(test_unreadable_directory_is_told_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
