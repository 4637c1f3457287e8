/* What differs between two trees, as lines of text. */
#include "tree_world.h"

#include <sys/xattr.h>

#include "tree_diff.h"

static int print_entry(void *context, const struct tree_diff_entry *entry)
{
	static const char letters[] = "AMDRT";
	char line[600];

	snprintf(line, sizeof(line), "%c%s%s%s%s%s %s%s%s\n",
		 letters[entry->kind],
		 entry->changes & TREE_DIFF_DATA ? "d" : "",
		 entry->changes & TREE_DIFF_MODE ? "m" : "",
		 entry->changes & TREE_DIFF_OWNER ? "o" : "",
		 entry->changes & TREE_DIFF_XATTRS ? "x" : "",
		 entry->kind == TREE_DIFF_MODIFIED &&
				 entry->changes == TREE_DIFF_TIMES ?
			 "t" :
			 "",
		 entry->path_from ? entry->path_from : "",
		 entry->path_from ? " > " : "", entry->path);
	strncat(context, line, 4096 - strlen(context) - 1);
	return 0;
}

enum { BASE, HEAD, SNAPSHOTS };

/* A side: BASE, HEAD, or SNAPSHOTS + the id of one. */
static struct tree *open_side(struct tree_world *world, uint32_t side,
			      struct tree *head)
{
	struct tree *tree;
	struct view *view;

	if (side == BASE) {
		assert_ok(world, tree_open_base(head, &tree, &world->failure));
		return tree;
	}
	if (side == HEAD)
		assert_ok(world, view_open_branch(world->store, "main", &view,
						  &world->failure));
	else
		assert_ok(world,
			  view_open_snapshot(world->store, side - SNAPSHOTS,
					     &view, &world->failure));
	assert_ok(world, tree_open_reader(view, &tree, &world->failure));
	return tree;
}

static void expect_times(struct tree_world *world, uint32_t from, uint32_t to,
			 bool with_times, const char *expected)
{
	struct tree *a = open_side(world, from, world->tree);
	struct tree *b = open_side(world, to, world->tree);
	char all[4096] = "";

	assert_int_equal(tree_diff(a, b, with_times, print_entry, all), 0);
	assert_string_equal(all, expected);
	tree_close(a);
	tree_close(b);
}

static void expect(struct tree_world *world, uint32_t from, uint32_t to,
		   const char *expected)
{
	expect_times(world, from, to, false, expected);
}

static uint32_t snapshot(struct tree_world *world, const char *name)
{
	const struct actor actor = { 0 };
	struct snapshot_info info;

	assert_ok(world, history_snapshot(world->store, "main", name, NULL,
					  SNAPSHOT_KIND_MANUAL, &actor, &info,
					  &world->failure));
	return SNAPSHOTS + info.id;
}

static void make(struct tree_world *world, const char *directory,
		 const char *name, uint32_t mode)
{
	struct tree_node *parent = world_node(world, directory), *node;
	struct tree_attr attr;

	assert_int_equal(tree_create(parent, name, mode, 0,
				     S_ISLNK(mode) ? "target" : NULL,
				     &world_caller, &node, &attr),
			 0);
	tree_node_put(node, 1);
	tree_node_put(parent, 1);
}

static void remove_directory(struct tree_world *world, const char *parent_path,
			     const char *name)
{
	struct tree_node *parent = world_node(world, parent_path);

	assert_int_equal(tree_rmdir(parent, name), 0);
	tree_node_put(parent, 1);
}

static void set(struct tree_world *world, const char *path, unsigned mask,
		struct tree_attr attr)
{
	struct tree_node *node = world_node(world, path);

	assert_int_equal(tree_set_attr(node, mask, &attr, NULL), 0);
	tree_node_put(node, 1);
}

static void test_nothing_differs_from_itself(void **state)
{
	struct tree_world *world = *state;
	uint32_t s;

	expect(world, BASE, HEAD, "");
	expect(world, HEAD, HEAD, "");
	world_put(world, "d", "f", "IN");
	make(world, "d", "new", S_IFDIR | 0755);
	s = snapshot(world, "s");
	expect(world, s, HEAD, "");
	expect(world, s, s, "");
}

static void test_files_come_go_and_change(void **state)
{
	struct tree_world *world = *state;
	uint32_t s;

	world_put(world, "d", "f", "IN");
	world_put(world, "d", "new", "text");
	assert_int_equal(world_unlink(world, "d", "g"), 0);
	expect(world, BASE, HEAD, "Md d/f\nD d/g\nA d/new\n");
	s = snapshot(world, "s");
	world_put(world, "d", "new", "TEXT");
	expect(world, s, HEAD, "Md d/new\n");
	expect(world, HEAD, s, "Md d/new\n");
	expect(world, HEAD, BASE, "Md d/f\nA d/g\nD d/new\n");
	assert_int_equal(world_unlink(world, "d", "new"), 0);
	expect(world, s, HEAD, "D d/new\n");
	expect(world, BASE, HEAD, "Md d/f\nD d/g\n");
	world_reopen(world);
	expect(world, s, HEAD, "D d/new\n");
	expect(world, BASE, s, "Md d/f\nD d/g\nA d/new\n");
}

static void test_attributes_are_told_apart(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "d/g");

	set(world, "d/f", TREE_SET_MODE, (struct tree_attr){ .mode = 0600 });
	set(world, "d", TREE_SET_UID, (struct tree_attr){ .uid = 5 });
	assert_int_equal(tree_set_xattr(node, "user.k", "v", 1, 0), 0);
	tree_node_put(node, 1);
	expect(world, BASE, HEAD, "Mo d\nMm d/f\nMx d/g\n");
	set(world, "d/sub/h", TREE_SET_MTIME,
	    (struct tree_attr){ .mtime_ns = 5 });
	expect(world, BASE, HEAD, "Mo d\nMm d/f\nMx d/g\n");
	expect_times(world, BASE, HEAD, true,
		     "Mo d\nMm d/f\nMx d/g\nMt d/sub/h\n");
	set(world, "d/g", TREE_SET_SIZE, (struct tree_attr){ .size_bytes = 3 });
	expect(world, BASE, HEAD, "Mo d\nMm d/f\nMdx d/g\n");
	set(world, "", TREE_SET_MODE, (struct tree_attr){ .mode = 0700 });
	expect(world, BASE, HEAD, "Mm .\nMo d\nMm d/f\nMdx d/g\n");
}

static void test_a_renamed_directory_is_one_entry(void **state)
{
	struct tree_world *world = *state;
	uint32_t s;

	assert_int_equal(world_rename(world, "", "d", "", "e", 0), 0);
	expect(world, BASE, HEAD, "R d > e\n");
	expect(world, HEAD, BASE, "R e > d\n");
	s = snapshot(world, "s");
	world_put(world, "e/sub", "h", "DEEP");
	assert_int_equal(world_unlink(world, "e", "g"), 0);
	expect(world, s, HEAD, "D e/g\nMd e/sub/h\n");
	expect(world, BASE, HEAD, "D d/g\nR d > e\nMd e/sub/h\n");
	assert_int_equal(world_rename(world, "e", "sub", "", "sub", 0), 0);
	expect(world, BASE, HEAD, "D d/g\nR d > e\nR d/sub > sub\nMd sub/h\n");
	expect(world, HEAD, BASE,
	       "R e > d\nA d/g\nR sub > d/sub\nMd d/sub/h\n");
}

static void test_a_removed_directory_of_base_is_listed(void **state)
{
	struct tree_world *world = *state;
	uint32_t s;

	assert_int_equal(world_unlink(world, "d", "f"), 0);
	assert_int_equal(world_unlink(world, "d", "g"), 0);
	assert_int_equal(world_unlink(world, "d/sub", "h"), 0);
	remove_directory(world, "d", "sub");
	remove_directory(world, "", "d");
	expect(world, BASE, HEAD, "D d\nD d/f\nD d/g\nD d/sub\nD d/sub/h\n");
	expect(world, HEAD, BASE, "A d\nA d/f\nA d/g\nA d/sub\nA d/sub/h\n");
	s = snapshot(world, "s");
	make(world, "", "d", S_IFDIR | 0755);
	world_put(world, "d", "f", "another");
	expect(world, s, HEAD, "A d\nA d/f\n");
	expect(world, BASE, HEAD, "Mo d\nMdo d/f\nD d/g\nD d/sub\nD d/sub/h\n");
}

static void test_what_moved_out_of_a_removed_directory(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "d", "sub", "", "kept", 0), 0);
	assert_int_equal(world_rename(world, "d", "f", "kept", "f", 0), 0);
	assert_int_equal(world_unlink(world, "d", "g"), 0);
	remove_directory(world, "", "d");
	expect(world, BASE, HEAD,
	       "D d\nD d/g\nR d/sub > kept\nR d/f > kept/f\n");
	expect(world, HEAD, BASE,
	       "A d\nR kept/f > d/f\nA d/g\nR kept > d/sub\n");
}

static void test_what_took_a_place_is_modified(void **state)
{
	struct tree_world *world = *state;
	uint32_t s;

	world_put(world, "d", "tmp", "new text");
	assert_int_equal(world_rename(world, "d", "tmp", "d", "f", 0), 0);
	assert_int_equal(world_unlink(world, "d", "g"), 0);
	make(world, "d", "g", S_IFLNK | 0777);
	expect(world, BASE, HEAD, "Mdo d/f\nT d/g\n");
	s = snapshot(world, "s");
	/* As an editor, and as logrotate. */
	assert_int_equal(world_rename(world, "d", "f", "d", "f~", 0), 0);
	world_put(world, "d", "f", "newer text");
	expect(world, s, HEAD, "A d/f\nR d/f > d/f~\n");
	assert_int_equal(
		world_rename(world, "d", "f", "d", "g", RENAME_EXCHANGE), 0);
	expect(world, s, HEAD, "R d/g > d/f\nR d/f > d/f~\nA d/g\n");
}

static void test_every_name_of_a_changed_file(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "a");
	struct tree_node *root = world_node(world, "");
	struct tree_node *d = world_node(world, "d");
	struct tree_attr attr;
	uint32_t s;

	world_put(world, "", "b", "HELLO");
	expect(world, BASE, HEAD, "Md a\nMd b\n");
	assert_int_equal(tree_link(node, d, "c", &attr), 0);
	expect(world, BASE, HEAD, "Md a\nMd b\nA d/c\n");
	s = snapshot(world, "s");
	assert_int_equal(world_unlink(world, "", "a"), 0);
	expect(world, s, HEAD, "D a\n");
	world_put(world, "", "b", "hello");
	expect(world, s, HEAD, "D a\nMd b\nMd d/c\n");
	assert_int_equal(tree_link(node, root, "z", &attr), 0);
	expect(world, s, HEAD, "Md b\nMd d/c\nRd a > z\n");
	tree_node_put(node, 1);
	tree_node_put(root, 1);
	tree_node_put(d, 1);
}

static void test_after_a_rollback_both_sides_count(void **state)
{
	struct tree_world *world = *state;
	const struct actor actor = { 0 };
	struct rollback_result result;
	uint32_t s1, s2;

	world_put(world, "d", "one", "1");
	s1 = snapshot(world, "s1");
	world_put(world, "d", "two", "2");
	assert_int_equal(world_rename(world, "d", "sub", "", "sub", 0), 0);
	s2 = snapshot(world, "s2");
	tree_close(world->tree);
	assert_ok(world,
		  history_rollback(world->store, "main", s1 - SNAPSHOTS, NULL,
				   &actor, &result, &world->failure));
	assert_int_equal(store_close(world->store), 0);
	world_open(world);
	expect(world, s1, HEAD, "");
	expect(world, s2, HEAD, "R sub > d/sub\nD d/two\n");
	world_put(world, "d", "three", "3");
	expect(world, s2, HEAD, "R sub > d/sub\nA d/three\nD d/two\n");
	expect(world, HEAD, s2, "D d/three\nA d/two\nR d/sub > sub\n");
}

static void test_trees_in_new_directories(void **state)
{
	struct tree_world *world = *state;
	uint32_t s;

	make(world, "", "n", S_IFDIR | 0755);
	make(world, "n", "m", S_IFDIR | 0755);
	world_put(world, "n/m", "f", "text");
	expect(world, BASE, HEAD, "A n\nA n/m\nA n/m/f\n");
	s = snapshot(world, "s");
	world_put(world, "n/m", "f", "TEXT");
	expect(world, s, HEAD, "Md n/m/f\n");
	assert_int_equal(world_rename(world, "n", "m", "d", "m", 0), 0);
	expect(world, s, HEAD, "R n/m > d/m\nMd d/m/f\n");
	assert_int_equal(world_unlink(world, "d/m", "f"), 0);
	remove_directory(world, "d", "m");
	expect(world, s, HEAD, "D n/m\nD n/m/f\n");
	expect(world, HEAD, s, "A n/m\nA n/m/f\n");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_differs_from_itself),
		TEST(test_files_come_go_and_change),
		TEST(test_attributes_are_told_apart),
		TEST(test_a_renamed_directory_is_one_entry),
		TEST(test_a_removed_directory_of_base_is_listed),
		TEST(test_what_moved_out_of_a_removed_directory),
		TEST(test_what_took_a_place_is_modified),
		TEST(test_every_name_of_a_changed_file),
		TEST(test_after_a_rollback_both_sides_count),
		TEST(test_trees_in_new_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
