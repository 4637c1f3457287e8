/* Extended attributes and targets of symlinks of base. */
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include "layers_world.h"

static void set(struct layers_world *world, const char *path, const char *name,
		const void *value, size_t value_bytes)
{
	char full[WORLD_PATH];

	snprintf(full, sizeof(full), "%s/%s", world->root, path);
	if (lsetxattr(full, name, value, value_bytes, 0) < 0) {
		assert_true(errno == ENOTSUP || errno == EPERM);
		skip(); /* the file system of /tmp does not have them */
	}
}

static bool is_listed(const char *names, size_t names_bytes, const char *name)
{
	size_t at;

	for (at = 0; at < names_bytes; at += strlen(names + at) + 1)
		if (strcmp(names + at, name) == 0)
			return true;
	return false;
}

static void assert_value(struct base_node *node, const char *name,
			 const char *value)
{
	char got[256];
	size_t got_bytes = 0;

	assert_int_equal(
		base_get_xattr(node, name, got, sizeof(got), &got_bytes), 0);
	assert_int_equal(got_bytes, strlen(value));
	assert_memory_equal(got, value, got_bytes);
}

static void check_one(struct layers_world *world, const char *path,
		      const char *name)
{
	struct base_stat stat;
	struct base_node *node = world_node(world, path, &stat);
	char names[256];
	size_t bytes = 0;

	assert_value(node, name, "value");
	assert_int_equal(base_get_xattr(node, name, NULL, 0, &bytes), 0);
	assert_int_equal(bytes, 5);
	assert_int_equal(base_get_xattr(node, name, names, 4, &bytes), -ERANGE);
	assert_int_equal(base_get_xattr(node, "trusted.none", NULL, 0, &bytes),
			 -ENODATA);
	assert_int_equal(base_list_xattr(node, NULL, 0, &bytes), 0);
	assert_true(bytes > strlen(name));
	assert_int_equal(base_list_xattr(node, names, 1, &bytes), -ERANGE);
	assert_int_equal(base_list_xattr(node, names, sizeof(names), &bytes),
			 0);
	assert_true(is_listed(names, bytes, name));
	base_node_put(node);
}

static void test_attributes_of_files_and_directories(void **state)
{
	struct layers_world *world = *state;

	world_write(world, "1/f", "");
	world_mkdir(world, "1/d");
	world_mkdir(world, "2/d");
	world_write(world, "2/d/g", "");
	set(world, "1/f", "user.name", "value", 5);
	set(world, "1/d", "user.name", "value", 5);
	set(world, "2/d", "user.name", "lower", 5);
	set(world, "2/d/g", "user.name", "value", 5);
	world_open(world, "123");
	check_one(world, "f", "user.name");
	check_one(world, "d", "user.name");
	check_one(world, "d/g", "user.name");
}

static void test_attributes_of_the_root(void **state)
{
	struct layers_world *world = *state;

	set(world, "1", "user.name", "value", 5);
	world_open(world, "123");
	assert_value(world->top, "user.name", "value");
}

/* As root: trusted ones are all that such objects can have. */
static void test_attributes_of_what_is_not_opened(void **state)
{
	struct layers_world *world = *state;

	if (geteuid() != 0)
		skip();
	world_write(world, "1/target", "");
	assert_int_equal(symlinkat("target", world->fd, "1/link"), 0);
	assert_int_equal(mkfifoat(world->fd, "1/fifo", 0600), 0);
	set(world, "1/target", "trusted.name", "of the target", 13);
	set(world, "1/link", "trusted.name", "value", 5);
	set(world, "1/fifo", "trusted.name", "value", 5);
	world_open(world, "123");
	check_one(world, "link", "trusted.name");
	check_one(world, "fifo", "trusted.name");
}

static void test_acls_are_attributes(void **state)
{
	struct layers_world *world = *state;
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[5];
	} acl = {
		.header = { .a_version = POSIX_ACL_XATTR_VERSION },
		.entries = {
			{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
			{ ACL_USER, 4, 1234 },
			{ ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID },
			{ ACL_MASK, 4, ACL_UNDEFINED_ID },
			{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
		},
	};
	struct base_node *node;
	struct base_stat stat;
	char got[sizeof(acl)];
	size_t bytes = 0;

	world_write(world, "1/f", "");
	set(world, "1/f", "system.posix_acl_access", &acl, sizeof(acl));
	world_open(world, "123");
	node = world_node(world, "f", &stat);
	assert_int_equal(base_get_xattr(node, "system.posix_acl_access", got,
					sizeof(got), &bytes),
			 0);
	assert_int_equal(bytes, sizeof(acl));
	assert_memory_equal(got, &acl, sizeof(acl));
	base_node_put(node);
}

static void test_attributes_of_what_took_its_place_are_not_read(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node;
	struct base_stat stat;
	size_t bytes;

	world_write(world, "1/f", "");
	world_write(world, "1/other", "");
	world_open(world, "123");
	node = world_node(world, "f", &stat);
	assert_int_equal(unlinkat(world->fd, "1/f", 0), 0);
	assert_int_equal(base_list_xattr(node, NULL, 0, &bytes), -ESTALE);
	assert_int_equal(symlinkat("other", world->fd, "1/f"), 0);
	assert_int_equal(base_list_xattr(node, NULL, 0, &bytes), -ESTALE);
	base_node_put(node);
}

static void test_target_of_a_symlink(void **state)
{
	struct layers_world *world = *state;
	char longest[PATH_MAX] = { 0 };
	char target[PATH_MAX];
	struct base_node *node;
	struct base_stat stat;

	memset(longest, 'x', sizeof(longest) - 1);
	assert_int_equal(symlinkat("../../\xff etc", world->fd, "2/l"), 0);
	assert_int_equal(symlinkat(longest, world->fd, "2/longest"), 0);
	world_write(world, "2/f", "");
	world_open(world, "123");
	node = world_node(world, "l", &stat);
	assert_int_equal(base_readlink(node, target, sizeof(target)), 0);
	assert_string_equal(target, "../../\xff etc");
	assert_int_equal(base_readlink(node, target, 11), -ERANGE);
	assert_int_equal(base_readlink(node, target, 12), 0);
	assert_int_equal(unlinkat(world->fd, "2/l", 0), 0);
	assert_int_equal(base_readlink(node, target, 12), -ESTALE);
	base_node_put(node);
	node = world_node(world, "longest", &stat);
	assert_int_equal(base_readlink(node, target, sizeof(target)), 0);
	assert_string_equal(target, longest);
	base_node_put(node);
	node = world_node(world, "f", &stat);
	assert_int_equal(base_readlink(node, target, sizeof(target)), -EINVAL);
	base_node_put(node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		WORLD_TEST(test_attributes_of_files_and_directories),
		WORLD_TEST(test_attributes_of_the_root),
		WORLD_TEST(test_attributes_of_what_is_not_opened),
		WORLD_TEST(test_acls_are_attributes),
		WORLD_TEST(test_attributes_of_what_took_its_place_are_not_read),
		WORLD_TEST(test_target_of_a_symlink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
