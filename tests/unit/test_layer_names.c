/* Names that are written down before layers change. */
#include "layered_world.h"

#include "layer_names.h"
#include "view_items.h"

/* In the layer top, which has the id 1. */
struct object {
	uint64_t inode;
	uint32_t mode;
};

static struct object make(struct store_world *world, const char *name,
			  bool directory)
{
	const char *path = world_place(world, name);
	struct stat st;

	if (directory)
		assert_int_equal(mkdir(path, 0750), 0);
	else
		assert_true(close(open(path, O_CREAT | O_WRONLY, 0640)) == 0);
	assert_int_equal(stat(path, &st), 0);
	return (struct object){ base_number(1, st.st_ino), st.st_mode };
}

static struct view *open_view(struct store_world *world)
{
	struct view *view;

	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	return view;
}

/* Its first item, with its origin; or only that. */
static void change(struct view *view, const struct object *object,
		   uint64_t parent, const char *name, bool item)
{
	const struct item_key key = { .inode = object->inode,
				      .type = ITEM_TYPE_ORIGIN };
	const struct origin_item origin = {
		.layer = 1,
		.parent = parent,
		.base_inode = object->inode & 0xffffffff,
		.kind = object->mode >> 12,
		.name = name,
		.name_bytes = strlen(name),
	};
	const struct inode_item inode = {
		.mode = object->mode,
		.nlink = S_ISDIR(object->mode) ? 3 : 1,
		.parent = parent,
	};
	uint8_t payload[ORIGIN_ITEM_BYTES_MAX];
	struct view_edit edit;

	assert_int_equal(view_edit_begin(view, &edit), 0);
	view_edit_put(&edit, &key, payload,
		      origin_item_encode(&origin, payload));
	if (item)
		view_edit_put_inode(&edit, object->inode, &inode);
	assert_int_equal(view_edit_commit(&edit), 0);
}

static void put_name(struct view *view, uint64_t directory, const char *name,
		     const struct object *object)
{
	const struct item_key key = { .inode = directory,
				      .type = ITEM_TYPE_DIRENT,
				      .name = name,
				      .name_bytes = strlen(name) };
	const struct dirent_item dirent = {
		object ? object->inode : 0,
		object ? (uint8_t)(object->mode >> 12) : 0
	};
	uint8_t payload[DIRENT_ITEM_BYTES];
	struct view_edit edit;

	assert_int_equal(view_edit_begin(view, &edit), 0);
	view_edit_put(&edit, &key, payload,
		      dirent_item_encode(&dirent, payload));
	assert_int_equal(view_edit_commit(&edit), 0);
}

/* UINT64_MAX: no item says anything. */
static uint64_t named(struct view *view, uint64_t directory, const char *name)
{
	const struct item_key key = { .inode = directory,
				      .type = ITEM_TYPE_DIRENT,
				      .name = name,
				      .name_bytes = strlen(name) };
	struct item_copy *copy;
	struct dirent_item dirent;
	int rc = view_item_get(view, &key, &copy);

	if (rc == -ENOENT)
		return UINT64_MAX;
	assert_int_equal(rc, 0);
	assert_int_equal(dirent_item_decode(copy->payload, copy->payload_bytes,
					    &dirent),
			 0);
	free(copy);
	return dirent.inode;
}

static void test_a_changed_file_and_what_is_above_get_names(void **state)
{
	struct store_world *world = *state;
	struct object d = make(world, "top/d", true);
	struct object e = make(world, "top/d/e", true);
	struct object f = make(world, "top/d/e/f", false);
	struct object same = make(world, "top/d/same", false);
	struct view *view = open_view(world);
	struct inode_item item;

	change(view, &d, ROOT_INODE, "d", false);
	change(view, &e, d.inode, "e", false);
	change(view, &f, e.inode, "f", true);
	assert_ok(world, layer_names_keep(view, &world->failure));
	assert_int_equal(named(view, e.inode, "f"), f.inode);
	assert_int_equal(named(view, d.inode, "e"), e.inode);
	assert_int_equal(named(view, ROOT_INODE, "d"), d.inode);
	assert_int_equal(named(view, d.inode, "same"), UINT64_MAX);
	assert_int_equal(view_inode_get(view, same.inode, &item), -ENOENT);
	assert_int_equal(view_inode_get(view, e.inode, &item), 0);
	assert_int_equal(item.mode, S_IFDIR | 0750);
	assert_int_equal(item.nlink, 1);
	assert_int_equal(item.parent, d.inode);
	assert_int_equal(view_inode_get(view, ROOT_INODE, &item), 0);
	view_put(view);
}

static void test_names_that_the_store_gave_stay(void **state)
{
	struct store_world *world = *state;
	struct object d = make(world, "top/d", true);
	struct object f = make(world, "top/d/f", false);
	struct object g = make(world, "top/g", false);
	struct view *view = open_view(world);
	struct inode_item item;

	change(view, &d, ROOT_INODE, "d", true);
	change(view, &f, d.inode, "f", true);
	change(view, &g, ROOT_INODE, "g", true);
	put_name(view, d.inode, "f", NULL); /* it was moved */
	put_name(view, ROOT_INODE, "g", &f);
	assert_ok(world, layer_names_keep(view, &world->failure));
	assert_int_equal(named(view, d.inode, "f"), 0);
	assert_int_equal(named(view, ROOT_INODE, "g"), f.inode);
	assert_int_equal(view_inode_get(view, d.inode, &item), 0);
	assert_int_equal(item.nlink, 1); /* nobody counts in another stack */
	view_put(view);
}

static void test_what_is_in_a_removed_directory_gets_none(void **state)
{
	struct store_world *world = *state;
	struct object d = make(world, "top/d", true);
	struct object f = make(world, "top/d/f", false);
	struct view *view = open_view(world);

	change(view, &d, ROOT_INODE, "d", false);
	change(view, &f, d.inode, "f", true);
	put_name(view, ROOT_INODE, "d", NULL);
	put_name(view, ROOT_INODE, "moved", &f);
	assert_ok(world, layer_names_keep(view, &world->failure));
	assert_int_equal(named(view, d.inode, "f"), UINT64_MAX);
	view_put(view);
}

static void test_many_names_take_several_batches(void **state)
{
	struct store_world *world = *state;
	struct object object = { 0, S_IFREG | 0600 };
	struct view *view = open_view(world);
	char name[16];
	unsigned i;

	for (i = 1; i <= 600; i++) {
		object.inode = base_number(2, i);
		snprintf(name, sizeof(name), "%u", i);
		change(view, &object, ROOT_INODE, name, true);
	}
	assert_ok(world, layer_names_keep(view, &world->failure));
	assert_int_equal(named(view, ROOT_INODE, "1"), base_number(2, 1));
	assert_int_equal(named(view, ROOT_INODE, "600"), base_number(2, 600));
	view_put(view);
}

static void test_a_head_that_others_use_is_left_alone(void **state)
{
	struct store_world *world = *state;
	struct object f = make(world, "top/f", false);
	struct view *view = open_view(world), *other = open_view(world);

	change(view, &f, ROOT_INODE, "f", true);
	assert_int_equal(layer_names_keep(view, &world->failure), -EBUSY);
	assert_int_equal(named(view, ROOT_INODE, "f"), UINT64_MAX);
	view_put(other);
	view_put(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYERED_TEST(test_a_changed_file_and_what_is_above_get_names),
		LAYERED_TEST(test_names_that_the_store_gave_stay),
		LAYERED_TEST(test_what_is_in_a_removed_directory_gets_none),
		LAYERED_TEST(test_many_names_take_several_batches),
		LAYERED_TEST(test_a_head_that_others_use_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
