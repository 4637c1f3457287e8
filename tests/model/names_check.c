/* tree_names: is a tree what the model says? */
#include <errno.h>
#include <string.h>

#include "names_model.h"
#include "store_impl.h"

/* Numbers of new inodes that were given so far. */
static uint64_t highest_new;

void note_new_inode(uint64_t inode)
{
	CHECK(inode > highest_new);
	CHECK(inode < INODE_NEW_END);
	highest_new = inode;
}

size_t make_value(uint32_t value, uint8_t *bytes)
{
	size_t len_bytes = value % 7 * 30, i;

	for (i = 0; i < len_bytes; i++)
		bytes[i] = (uint8_t)(value * 31 + i);
	return len_bytes;
}

struct tree_node *object_node(struct tree *tree, const struct names_tree *model,
			      int object)
{
	const struct entry *entry;
	struct tree_node *parent, *node;
	struct tree_attr attr;
	int first, i;

	if (object == ROOT)
		return tree_node_get(tree_root(tree));
	first = (int)below(ENTRIES);
	for (i = 0; i < ENTRIES; i++) {
		entry = &model->entries[(first + i) % ENTRIES];
		if (entry->used && entry->object == object)
			break;
	}
	CHECK(i < ENTRIES);
	parent = object_node(tree, model, entry->parent);
	CHECK(tree_lookup(parent, names[entry->name], &node, &attr) == 0);
	tree_node_put(parent, 1);
	CHECK(attr.inode == model->objects[object].inode);
	return node;
}

static void check_attr(struct tree_node *node, const struct object *object)
{
	struct tree_attr attr;

	CHECK(tree_get_attr(node, &attr) == 0);
	CHECK(attr.inode == object->inode);
	CHECK(attr.mode == object->mode);
	CHECK(attr.uid == object->uid);
	CHECK(attr.gid == object->gid);
	CHECK(attr.nlink == object->nlink);
	CHECK(attr.mtime_ns == object->mtime_ns);
	CHECK(attr.ctime_ns == object->ctime_ns);
	if (!S_ISDIR(attr.mode))
		CHECK(attr.size_bytes == object->size);
	if (S_ISCHR(attr.mode))
		CHECK(attr.rdev == object->rdev);
}

static void check_data(struct tree_node *node, const struct object *object)
{
	uint8_t data[DATA_BYTES];
	struct file *file;
	size_t bytes;

	CHECK(tree_file_open(node, false, &file) == 0);
	CHECK(file_read(file, 0, data, sizeof(data), &bytes) == 0);
	CHECK(bytes == object->size);
	CHECK(memcmp(data, object->data, bytes) == 0);
	tree_file_close(node);
}

static void check_xattrs(struct tree_node *node, const struct object *object)
{
	uint8_t value[1000], expected[1000];
	size_t i, bytes, names_bytes = 0, at;
	char list[1000];

	for (i = 0; i < XATTRS; i++) {
		int rc = tree_get_xattr(node, xattr_names[i], value,
					sizeof(value), &bytes);

		CHECK(rc == (object->xattrs[i] ? 0 : -ENODATA));
		if (rc < 0)
			continue;
		CHECK(make_value(object->xattrs[i], expected) == bytes);
		CHECK(memcmp(value, expected, bytes) == 0);
		names_bytes += strlen(xattr_names[i]) + 1;
	}
	CHECK(tree_list_xattr(node, list, sizeof(list), &bytes) == 0);
	for (at = 0; at < bytes; at += strlen(list + at) + 1) {
		for (i = 0; i < XATTRS; i++)
			if (strcmp(list + at, xattr_names[i]) == 0)
				break;
		/* The host may have its own, such as of SELinux. */
		if (i == XATTRS && strncmp(list + at, "user.", 5) != 0)
			names_bytes += strlen(list + at) + 1;
	}
	CHECK(bytes == names_bytes);
}

void check_object(struct tree_node *node, const struct object *object)
{
	char target[4096];

	check_attr(node, object);
	if (S_ISREG(object->mode))
		check_data(node, object);
	if (S_ISLNK(object->mode)) {
		CHECK(tree_readlink(node, target, sizeof(target)) == 0);
		CHECK(strcmp(target, object->target) == 0);
	} else {
		check_xattrs(node, object);
	}
}

static int name_nr(const char *name)
{
	int i;

	for (i = 0; i < NAMES; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	fprintf(stderr, "tree_names: a name appears: %s\n", name);
	abort();
}

static void check_listing(struct tree_node *node,
			  const struct names_tree *model, int directory)
{
	bool seen[NAMES] = { false };
	struct tree_listing *listing;
	uint64_t last = 2;
	size_t i;

	CHECK(tree_list(node, &listing) == 0);
	for (i = 0; i < listing->count; i++) {
		const struct tree_entry *entry = &listing->entries[i];
		int name = name_nr(entry->name);
		int nr = entry_find(model, directory, name);
		const struct object *object;

		CHECK(nr != NONE);
		object = &model->objects[model->entries[nr].object];
		CHECK(!seen[name]);
		seen[name] = true;
		CHECK(entry->inode == object->inode);
		CHECK(entry->kind == object->mode >> 12);
		CHECK(entry->cookie > last);
		CHECK(tree_listing_after(listing, last) == i);
		last = entry->cookie;
	}
	CHECK((int)listing->count == children_of(model, directory));
	tree_listing_free(listing);
}

static void check_directory(struct tree_node *node,
			    const struct names_tree *model, int directory)
{
	struct tree_node *parent, *child;
	struct tree_attr attr;
	int name;

	check_object(node, &model->objects[directory]);
	check_listing(node, model, directory);
	CHECK(tree_parent(node, &parent, &attr) == 0);
	CHECK(attr.inode ==
	      model->objects[model->objects[directory].parent].inode);
	tree_node_put(parent, 1);
	for (name = 0; name < NAMES; name++) {
		int nr = entry_find(model, directory, name);
		int rc = tree_lookup(node, names[name], &child, &attr);
		int object = nr == NONE ? NONE : model->entries[nr].object;

		CHECK(rc == (nr == NONE ? -ENOENT : 0));
		if (rc < 0)
			continue;
		if (is_dir(&model->objects[object]))
			check_directory(child, model, object);
		else
			check_object(child, &model->objects[object]);
		tree_node_put(child, 1);
	}
}

void check_tree(struct tree *tree, const struct names_tree *model)
{
	check_directory(tree_root(tree), model, ROOT);
}

void check_held(const struct open_branch *branch,
		const struct names_tree *model)
{
	struct tree_attr attr;
	int i;

	for (i = 0; i < HELD; i++) {
		const struct held *held = &branch->held[i];

		if (held->node && held->object != NONE) {
			check_object(held->node, &model->objects[held->object]);
		} else if (held->node) {
			CHECK(tree_get_attr(held->node, &attr) == 0);
			CHECK(attr.nlink == 0);
		}
	}
}

static struct tree *open_tree(struct view *view)
{
	struct tree *tree;

	mutex_lock(&store->order_lock);
	view->references++;
	mutex_unlock(&store->order_lock);
	CHECK(tree_open(view, &tree, &failure) == 0);
	return tree;
}

static void compare(struct view *view, const struct image *image, bool all)
{
	struct tree *tree = NULL;
	int nr, directory;

	for (nr = 0; nr < BRANCHES_MAX; nr++)
		if (opened[nr].tree && tree_view(opened[nr].tree) == view)
			break;
	tree = nr < BRANCHES_MAX ? opened[nr].tree : open_tree(view);
	if (all) {
		check_tree(tree, model_of(image));
		if (nr < BRANCHES_MAX)
			check_held(&opened[nr], model_of(image));
	} else {
		do
			directory = (int)below(OBJECTS);
		while (!model_of(image)->objects[directory].used);
		if (has_name(model_of(image), directory)) {
			struct tree_node *node =
				object_node(tree, model_of(image), directory);

			check_object(node,
				     &model_of(image)->objects[directory]);
			tree_node_put(node, 1);
		}
	}
	if (nr == BRANCHES_MAX)
		tree_close(tree);
}

void compare_all(struct view *view, const struct image *image)
{
	compare(view, image, true);
}

void compare_some(struct view *view, const struct image *image)
{
	compare(view, image, false);
}

void copy_image(struct image *to, const struct image *from)
{
	if (!to->data)
		to->data = malloc(sizeof(struct names_tree));
	memcpy(to->data, from->data, sizeof(struct names_tree));
	to->size = from->size;
	/* Who has it open has it open in the head that it was in. */
	drop_unnamed(model_of(to));
}
