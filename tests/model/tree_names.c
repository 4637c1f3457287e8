/*
 * Model test of directory trees, without FUSE: random operations on the
 * names, nodes and data of branches over three random layers, with all that
 * history can do to them, and the same on plain memory.
 *
 *   tree_names [SEED [OPERATIONS]]
 *
 * Every branch and snapshot must show its model's names, attributes and
 * bytes; an object keeps its inode number over everything. In the end, when
 * all is removed from the one branch that is left, the store is empty.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "names_model.h"
#include "store_impl.h"

struct open_branch opened[BRANCHES_MAX];
static char long_name[256];
const char *const names[NAMES] = { "a",	   "b",	       "c",
				   "d",	   "a\001",    "\xff.tar",
				   "name", "\xc3\xa4", long_name };
const char *const xattr_names[XATTRS] = { "user.a", "user.other", "trusted.t" };
static size_t root_names; /* of base */
static bool some_last;

struct names_tree *model_of(const struct image *image)
{
	return (struct names_tree *)(void *)image->data;
}

bool is_dir(const struct object *object)
{
	return S_ISDIR(object->mode);
}

int entry_find(const struct names_tree *model, int parent, int name)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (model->entries[i].used &&
		    model->entries[i].parent == parent &&
		    model->entries[i].name == name)
			return i;
	return NONE;
}

int entry_add(struct names_tree *model, int parent, int name, int object)
{
	int i;

	for (i = 0; i < ENTRIES && model->entries[i].used; i++)
		;
	CHECK(i < ENTRIES);
	model->entries[i] = (struct entry){ true, parent, name, object };
	return i;
}

int object_new(struct names_tree *model)
{
	int i;

	for (i = 0; i < OBJECTS && model->objects[i].used; i++)
		;
	CHECK(i < OBJECTS);
	memset(&model->objects[i], 0, sizeof(model->objects[i]));
	model->objects[i].used = true;
	return i;
}

int children_of(const struct names_tree *model, int directory)
{
	int i, count = 0;

	for (i = 0; i < ENTRIES; i++)
		count += model->entries[i].used &&
			 model->entries[i].parent == directory;
	return count;
}

bool has_name(const struct names_tree *model, int object)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (model->entries[i].used &&
		    model->entries[i].object == object)
			return true;
	return object == ROOT;
}

void drop_unnamed(struct names_tree *model)
{
	int i;

	for (i = 0; i < OBJECTS; i++)
		if (model->objects[i].used && !has_name(model, i))
			model->objects[i].used = false;
}

static struct names_tree *open_model(int nr)
{
	struct view *view;

	if (!opened[nr].tree) {
		view = open_branch(nr);
		CHECK(tree_open(view, &opened[nr].tree, &failure) == 0);
	}
	return model_of(&branches[nr].image);
}

static void close_all(bool gently)
{
	int nr;

	for (nr = 0; nr < BRANCHES_MAX; nr++)
		tree_close_branch(nr, gently);
}

static void abandon_all(void)
{
	int nr;

	for (nr = 0; nr < BRANCHES_MAX; nr++) {
		if (!opened[nr].tree)
			continue;
		tree_abandon(opened[nr].tree);
		memset(&opened[nr], 0, sizeof(opened[nr]));
		drop_unnamed(model_of(&branches[nr].image));
	}
}

static void look(int nr)
{
	struct view *view = open_branch(nr);

	if (below(4))
		compare_some(view, &branches[nr].image);
	else
		compare_all(view, &branches[nr].image);
	view_put(view);
}

static void do_history(int nr)
{
	uint64_t dice = below(100);

	if (dice < 20) {
		do_snapshot(nr);
	} else if (dice < 40) {
		do_clone(nr);
	} else if (dice < 55) {
		do_delete_snapshot();
	} else if (dice < 58) {
		do_undelete_snapshot();
	} else if (dice < 70) {
		tree_close_branch(nr, below(2));
		do_rollback(nr);
	} else if (dice < 76) {
		tree_close_branch(nr, below(2));
		do_undo_rollback(nr);
	} else if (dice < 85) {
		close_all(below(2));
		do_delete_branch();
	} else if (dice < 90) {
		do_upkeep();
	} else if (dice < 96) {
		abandon_all();
		do_reopen(true);
	} else {
		close_all(below(2));
		do_reopen(false);
	}
}

static void step(void)
{
	uint64_t dice = below(1000);
	int nr = pick_branch();

	if (dice < 850)
		tree_operation(&opened[nr], open_model(nr));
	else if (dice < 880)
		look(nr);
	else if (dice < 900)
		CHECK(store_checkpoint(store) == 0);
	else if (dice < 910)
		tree_close_branch(nr, below(2));
	else if (dice < 950)
		do_history(nr);
}

static void make_store(void)
{
	char paths[LAYERS][160];
	const char *layers[LAYERS] = { paths[0], paths[1], paths[2] };
	struct store_create_params params = { .path = store_path,
					      .layer_paths = layers,
					      .layer_count = LAYERS };
	struct image *image = &branches[0].image;

	image->size = sizeof(struct names_tree);
	image->data = calloc(1, image->size);
	some_last = make_layers(model_of(image), paths);
	root_names = (size_t)children_of(model_of(image), ROOT);
	make_first_branch(&params);
}

static size_t item_rows(uint32_t line)
{
	struct item_row_key row;
	int64_t cursor[2] = { 0, 0 };
	size_t count = 0;

	while (index_items_of_line(store->index, line, 0, UINT32_MAX, &row, 1,
				   cursor) == 1)
		count++;
	return count;
}

/* Nothing but the root, whiteouts of what base has in it, and the layers. */
static void check_empty(void)
{
	int nr = pick_branch();
	const struct object *root = &open_model(nr)->objects[ROOT];
	size_t rows = 0, expected = 2 + root_names, i;
	struct space_map *map = &store->space;
	uint32_t line;

	remove_all(&opened[nr], open_model(nr));
	for (i = 0; i < XATTRS; i++)
		expected += root->xattrs[i] != 0;
	close_all(true);
	do_gc(0);
	CHECK(store_checkpoint(store) == 0);
	for (line = 1; line < store->next_line; line++)
		rows += item_rows(line);
	if (some_last)
		return;
	if (rows != expected)
		fprintf(stderr, "tree_names: %zu rows, not %zu\n", rows,
			expected);
	CHECK(rows == expected);
	mutex_lock(&map->lock);
	CHECK(map->live_blocks == map->metadata_blocks);
	mutex_unlock(&map->lock);
}

int main(int argc, char **argv)
{
	uint64_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : 20000;
	uint64_t i;

	memset(long_name, 'n', sizeof(long_name) - 1);
	begin(argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
	make_store();
	for (i = 0; i < operations; i++) {
		memset(&failure, 0, sizeof(failure));
		step();
		if (i % 1000 == 999)
			check_everything();
	}
	close_all(below(2));
	check_and_reopen();
	keep_one_branch();
	check_empty();
	finish();
	printf("tree_names: seed %s, %" PRIu64 " operations: equal\n",
	       argc > 1 ? argv[1] : "1", operations);
	return 0;
}
