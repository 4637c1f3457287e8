/* What a tree still reads of a layer that it does not see any more. */
#include "tree_world.h"

#include "store_layers.h"

static const struct actor actor = { .uid = 7 };

enum change { REMOVE, ADD_BELOW, ADD_ABOVE };

static void change(struct tree_world *world, const char *name, enum change what)
{
	const struct layer_place place = { NULL, what == ADD_BELOW };
	struct layer_info info;

	tree_close(world->tree);
	assert_ok(world,
		  what != REMOVE ?
			  store_layer_add(world->store, "main", name, &place,
					  false, &actor, &info,
					  &world->failure) :
			  store_layer_remove(world->store, "main", name, false,
					     &actor, &info, &world->failure));
	assert_int_equal(store_close(world->store), 0);
	world_open(world);
}

/* A directory beside base, "x" for a file "x" with that text, "x/" for a
 * directory. */
static void make_layer(struct tree_world *world, char path[64],
		       const char *const *names)
{
	char base[64];

	memcpy(base, world->base, sizeof(base));
	snprintf(path, 64, "%s/other", world->directory);
	assert_int_equal(mkdir(path, 0755), 0);
	memcpy(world->base, path, sizeof(base));
	for (; *names; names++)
		world_base(world, *names,
			   strchr(*names, 0)[-1] == '/' ? NULL : "other");
	memcpy(world->base, base, sizeof(base));
}

static void test_a_changed_file_is_read_from_its_own_layer(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d/low").inode;

	assert_int_equal(world_rename(world, "d", "low", "", "mine", 0), 0);
	world_put(world, "", "mine", "H");
	change(world, world->low, REMOVE);
	assert_int_equal(world_lookup_rc(world, "z"), -ENOENT);
	world_expect(world, "mine", "How");
	assert_int_equal(world_attr(world, "mine").inode, inode);
	change(world, world->low, ADD_BELOW);
	world_expect(world, "mine", "How");
	world_expect(world, "z", "below");
}

/* d has the number of its topmost layer, which goes. */
static void test_a_file_below_a_directory_of_another_layer(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "d/sub", "l", "", "mine", 0), 0);
	world_put(world, "", "mine", "x");
	change(world, world->base, REMOVE);
	world_expect(world, "mine", "x");
	assert_int_equal(world_lookup_rc(world, "d/f"), -ENOENT);
	world_expect(world, "d/low", "low");
}

static void test_a_moved_directory_shows_its_own_layer(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "d", "more", "", "moved", 0), 0);
	world_put(world, "moved", "new", "text");
	change(world, world->low, REMOVE);
	world_expect(world, "moved/new", "text");
}

static void test_a_layer_that_is_missing_is_stale(void **state)
{
	struct tree_world *world = *state;
	char away[80];
	int rc;

	assert_int_equal(world_rename(world, "d", "low", "", "mine", 0), 0);
	change(world, world->low, REMOVE);
	world_close(world);
	snprintf(away, sizeof(away), "%s/away", world->directory);
	assert_int_equal(rename(world->low, away), 0);
	world_open(world);
	assert_null(world_find(world, "mine", &rc));
	assert_int_equal(rc, -ESTALE);
	world_expect(world, "d/f", "in d");
	assert_int_equal(rename(away, world->low), 0);
	world_expect(world, "mine", "low");
}

static const char *const other_names[] = { "d/",      "d/f",	"d/g",
					   "d/t",     "d/sub/", "d/sub/h",
					   "d/sub/t", "a",	NULL };

static void assert_changes(struct tree_world *world)
{
	world_expect(world, "d/f", "IN d");
	world_expect(world, "d/new", "made");
	world_expect(world, "d/sub/h", "DEEP");
	world_expect(world, "d/sub/made", "x");
	assert_int_equal(world_lookup_rc(world, "d/g"), -ENOENT);
}

static void make_changes(struct tree_world *world)
{
	world_put(world, "d", "f", "IN");
	world_put(world, "d", "new", "made");
	world_put(world, "d/sub", "h", "DEEP");
	world_put(world, "d/sub", "made", "x");
	assert_int_equal(world_unlink(world, "d", "g"), 0);
	assert_changes(world);
}

static void test_a_layer_above_hides_no_change(void **state)
{
	struct tree_world *world = *state;
	uint64_t d = world_attr(world, "d").inode;
	uint64_t sub = world_attr(world, "d/sub").inode;
	uint64_t f = world_attr(world, "d/f").inode;
	char other[64];

	make_changes(world);
	make_layer(world, other, other_names);
	change(world, other, ADD_ABOVE);
	assert_changes(world);
	world_expect(world, "d/t", "other");
	world_expect(world, "d/sub/t", "other");
	world_expect(world, "a", "other");
	assert_int_equal(world_attr(world, "d").inode, d);
	assert_int_equal(world_attr(world, "d/sub").inode, sub);
	assert_int_equal(world_attr(world, "d/f").inode, f);
	assert_int_equal(world_listed(world, "", "d"), d);
	assert_int_equal(world_listed(world, "d", "sub"), sub);
	world_expect_names(world, "d", "f low more new sub t ");
	world_crash(world);
	assert_changes(world);
	change(world, other, REMOVE);
	assert_changes(world);
	assert_int_equal(world_attr(world, "d/sub").inode, sub);
	world_expect_names(world, "d", "f low more new sub ");
	world_expect(world, "a", "hello");
}

static void test_an_unchanged_directory_keeps_its_number(void **state)
{
	struct tree_world *world = *state;
	uint64_t d = world_attr(world, "d").inode;
	uint64_t sub = world_attr(world, "d/sub").inode;
	struct tree_node *node, *parent;
	struct tree_attr attr;
	char other[64];

	make_layer(world, other, other_names);
	change(world, other, ADD_ABOVE);
	assert_int_equal(world_attr(world, "d").inode, d);
	assert_int_equal(world_listed(world, "", "d"), d);
	assert_int_equal(world_listed(world, "d", "sub"), sub);
	world_put(world, "d/sub", "made", "x");
	world_reopen(world);
	node = world_node(world, "d/sub");
	assert_int_equal(tree_parent(node, &parent, &attr), 0);
	assert_int_equal(attr.inode, d);
	tree_node_put(parent, 1);
	tree_node_put(node, 1);
	world_expect(world, "d/sub/made", "x");
	world_expect(world, "d/sub/t", "other");
}

static void test_what_was_changed_outlives_its_layer(void **state)
{
	struct tree_world *world = *state;
	const char *const names[] = { "n/",	   "n/in/",  "n/in/file",
				      "n/in/left", "n/left", NULL };
	uint64_t in, file;
	char other[64];

	make_layer(world, other, names);
	change(world, other, ADD_BELOW);
	in = world_attr(world, "n/in").inode;
	file = world_attr(world, "n/in/file").inode;
	world_put(world, "n/in", "file", "OT");
	world_put(world, "n/in", "made", "x");
	change(world, other, REMOVE);
	world_expect_names(world, "n", "in ");
	world_expect_names(world, "n/in", "file made ");
	world_expect(world, "n/in/file", "OTher");
	assert_int_equal(world_attr(world, "n/in").inode, in);
	assert_int_equal(world_listed(world, "n", "in"), in);
	assert_int_equal(world_attr(world, "n/in/file").inode, file);
	assert_int_equal(world_rename(world, "n", "in", "", "moved", 0), 0);
	world_reopen(world);
	world_expect(world, "moved/file", "OTher");
	assert_int_equal(world_attr(world, "moved").inode, in);
	change(world, other, ADD_ABOVE);
	world_expect_names(world, "moved", "file left made ");
	world_expect_names(world, "n", "left ");
	assert_int_equal(world_unlink(world, "moved", "file"), 0);
	world_expect_names(world, "moved", "left made ");
}

/* What the user can't see any more, or could never: changed files behind
 * one of another kind. */
static void test_what_was_changed_is_not_hidden_by_another_kind(void **state)
{
	struct tree_world *world = *state;
	const char *const names[] = { "d", "a/", "a/x", NULL };
	char other[64];

	world_put(world, "", "a", "H");
	make_changes(world);
	make_layer(world, other, names);
	change(world, other, ADD_ABOVE);
	assert_changes(world);
	world_expect(world, "a", "Hello");
	world_expect_names(world, "d", "f low more new sub ");
	change(world, world->base, REMOVE);
	assert_changes(world);
	/* A file above cuts it off now. */
	world_expect_names(world, "d", "f new sub ");
}

/* low: d/low "low", d/more/, d/sub/l; its d has main's number. */
static void test_a_directory_below_a_file_is_cut_off(void **state)
{
	struct tree_world *world = *state;
	const struct layer_place place = { world->base, false };
	const char *const names[] = { "d", NULL };
	struct layer_info info;
	char other[64];

	world_put(world, "d", "low", "L");
	make_layer(world, other, names);
	tree_close(world->tree);
	assert_ok(world,
		  store_layer_add(world->store, "main", other, &place, false,
				  &actor, &info, &world->failure));
	assert_int_equal(store_close(world->store), 0);
	world_open(world);
	world_expect(world, "d/low", "Low");
	world_expect(world, "d/f", "in d");
	assert_int_equal(world_lookup_rc(world, "d/more"), -ENOENT);
}

static void test_a_missing_layer_can_go(void **state)
{
	struct tree_world *world = *state;
	char away[80];

	world_put(world, "d", "f", "IN");
	world_put(world, "d", "low", "LOW");
	world_put(world, "d", "new", "made");
	tree_close(world->tree);
	snprintf(away, sizeof(away), "%s/away", world->directory);
	assert_int_equal(rename(world->base, away), 0);
	{
		struct layer_info info;

		assert_ok(world, store_layer_remove(world->store, "main",
						    world->base, false, &actor,
						    &info, &world->failure));
	}
	assert_int_equal(store_close(world->store), 0);
	world_open(world);
	world_expect(world, "d/low", "LOW");
	world_expect(world, "d/new", "made");
	assert_int_equal(world_lookup_rc(world, "d/f"), -ESTALE);
	assert_int_equal(rename(away, world->base), 0);
	world_expect(world, "d/f", "IN d");
}

#define MERGED_TEST(test)                                         \
	cmocka_unit_test_setup_teardown(test, world_setup_merged, \
					world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MERGED_TEST(test_a_changed_file_is_read_from_its_own_layer),
		MERGED_TEST(test_a_file_below_a_directory_of_another_layer),
		MERGED_TEST(test_a_moved_directory_shows_its_own_layer),
		MERGED_TEST(test_a_layer_that_is_missing_is_stale),
		MERGED_TEST(test_a_layer_above_hides_no_change),
		MERGED_TEST(test_an_unchanged_directory_keeps_its_number),
		MERGED_TEST(test_what_was_changed_outlives_its_layer),
		MERGED_TEST(
			test_what_was_changed_is_not_hidden_by_another_kind),
		MERGED_TEST(test_a_directory_below_a_file_is_cut_off),
		MERGED_TEST(test_a_missing_layer_can_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
