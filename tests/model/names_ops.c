/* tree_names: operations on data, attributes and nodes. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "names_impl.h"

static int64_t started_ns;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct held *held_of(struct open_branch *branch, int object)
{
	int i, first = (int)below(HELD);

	for (i = 0; i < HELD; i++) {
		struct held *held = &branch->held[(first + i) % HELD];

		if (held->node && held->object == object)
			return held;
	}
	return NULL;
}

bool is_open(const struct open_branch *branch, int object)
{
	int i;

	for (i = 0; i < HELD; i++)
		if (branch->held[i].file && branch->held[i].object == object)
			return true;
	return false;
}

bool is_held(struct open_branch *branch, int object)
{
	return held_of(branch, object) != NULL;
}

struct tree_node *get_node(struct open_branch *branch,
			   const struct names_tree *model, int object)
{
	struct held *held = held_of(branch, object);

	if (held && (!has_name(model, object) || below(2)))
		return tree_node_get(held->node);
	return object_node(branch->tree, model, object);
}

void touched(struct open_branch *branch, struct names_tree *model, int nr,
	     unsigned what)
{
	struct object *object = &model->objects[nr];
	struct tree_node *node;
	struct tree_attr attr;

	if (!object->used)
		return;
	node = get_node(branch, model, nr);
	CHECK(tree_get_attr(node, &attr) == 0);
	if (what & TOUCHED_MTIME) {
		CHECK(attr.mtime_ns >= started_ns);
		object->mtime_ns = attr.mtime_ns;
	}
	if (what & TOUCHED_CTIME) {
		CHECK(attr.ctime_ns >= started_ns);
		object->ctime_ns = attr.ctime_ns;
	}
	check_object(node, object);
	tree_node_put(node, 1);
}

int pick_object(const struct names_tree *model, bool directory)
{
	int nr;

	do
		nr = (int)below(OBJECTS);
	while (!model->objects[nr].used ||
	       (directory && !is_dir(&model->objects[nr])));
	return nr;
}

static bool is_file(const struct object *object)
{
	return S_ISREG(object->mode);
}

/* --- data --- */

static void change_data(struct file *file, struct object *object)
{
	uint8_t data[DATA_BYTES];
	uint64_t offset = below(DATA_BYTES), dice = below(10), i;
	uint64_t bytes = 1 + below(below(2) ? 50 : DATA_BYTES);

	if (offset + bytes > DATA_BYTES)
		bytes = DATA_BYTES - offset;
	if (dice < 7) {
		for (i = 0; i < bytes; i++)
			data[i] = below(8) ? (uint8_t)below(256) : 0;
		CHECK(file_write(file, offset, data, bytes) == 0);
		memcpy(object->data + offset, data, bytes);
		if (offset + bytes > object->size)
			object->size = offset + bytes;
	} else if (dice < 8 && offset < object->size) {
		if (offset + bytes > object->size)
			bytes = object->size - offset;
		CHECK(file_zero(file, offset, bytes) == 0);
		memset(object->data + offset, 0, bytes);
	} else {
		CHECK(file_resize(file, offset) == 0);
		memset(object->data + offset, 0, DATA_BYTES - offset);
		object->size = offset;
	}
}

static void do_data(struct open_branch *branch, struct names_tree *model)
{
	int nr = pick_object(model, false);
	struct object *object = &model->objects[nr];
	struct held *held = held_of(branch, nr);
	struct tree_node *node;
	struct file *file;

	if (!is_file(object))
		return;
	if (held && held->writable) {
		change_data(held->file, object);
		touched(branch, model, nr, 0);
		return;
	}
	node = get_node(branch, model, nr);
	CHECK(tree_file_open(node, true, &file) == 0);
	change_data(file, object);
	if (below(2)) {
		tree_node_put(node, 1);
		touched(branch, model, nr, 0);
		node = get_node(branch, model, nr);
	}
	tree_file_close(node);
	tree_node_put(node, 1);
	touched(branch, model, nr, 0);
}

/* --- attributes --- */

static void do_set_attr(struct open_branch *branch, struct names_tree *model)
{
	int nr = pick_object(model, false);
	struct object *object = &model->objects[nr];
	struct tree_node *node = get_node(branch, model, nr);
	struct tree_attr attr = {
		.mode = (uint32_t)below(010000),
		.uid = (uint32_t)below(5),
		.gid = (uint32_t)below(5),
		.size_bytes = below(DATA_BYTES),
		.mtime_ns = (int64_t)below(1000000),
	};
	unsigned mask = (unsigned)below(16), what = TOUCHED_CTIME;

	if (!is_file(object))
		mask &= ~(unsigned)TREE_SET_SIZE;
	mask |= below(4) ? 0 : TREE_SET_MTIME;
	if (mask & TREE_SET_MODE)
		object->mode = (object->mode & S_IFMT) | attr.mode;
	if (mask & TREE_SET_UID)
		object->uid = attr.uid;
	if (mask & TREE_SET_GID)
		object->gid = attr.gid;
	if (mask & TREE_SET_SIZE) {
		memset(object->data + attr.size_bytes, 0,
		       DATA_BYTES - attr.size_bytes);
		object->size = attr.size_bytes;
		what |= mask & TREE_SET_MTIME ? 0 : TOUCHED_MTIME;
	}
	if (mask & TREE_SET_MTIME)
		object->mtime_ns = attr.mtime_ns;
	CHECK(tree_set_attr(node, mask, &attr, below(2) ? &attr : NULL) == 0);
	tree_node_put(node, 1);
	touched(branch, model, nr, mask ? what : 0);
}

static bool is_same_value(uint32_t a, uint32_t b)
{
	uint8_t a_bytes[1000], b_bytes[1000];
	size_t bytes;

	if (!a || !b)
		return a == b;
	bytes = make_value(a, a_bytes);
	return make_value(b, b_bytes) == bytes &&
	       memcmp(a_bytes, b_bytes, bytes) == 0;
}

static void do_xattr(struct open_branch *branch, struct names_tree *model)
{
	int nr = pick_object(model, false);
	struct object *object = &model->objects[nr];
	struct tree_node *node = get_node(branch, model, nr);
	size_t name = below(XATTRS);
	uint32_t *there = &object->xattrs[name];
	uint32_t value = below(3) ? (uint32_t)(1 + below(1000)) : 0;
	int flags = (int)below(3), expected = 0, rc;
	uint8_t bytes[1000];
	bool same;

	if (S_ISLNK(object->mode)) {
		tree_node_put(node, 1);
		return;
	}
	if (*there && value && flags == XATTR_CREATE)
		expected = -EEXIST;
	if (!*there && (!value || flags == XATTR_REPLACE))
		expected = -ENODATA;
	/* What is set to what it is stays untouched. */
	same = is_same_value(*there, value);
	if (value)
		rc = tree_set_xattr(node, xattr_names[name], bytes,
				    make_value(value, bytes), flags);
	else
		rc = tree_remove_xattr(node, xattr_names[name]);
	tree_node_put(node, 1);
	CHECK(rc == expected);
	if (rc == 0)
		*there = value;
	touched(branch, model, nr, rc == 0 && !same ? TOUCHED_CTIME : 0);
}

/* --- nodes --- */

struct held *free_held(struct open_branch *branch)
{
	int i;

	for (i = 0; i < HELD; i++)
		if (!branch->held[i].node)
			return &branch->held[i];
	return NULL;
}

static void open_held(struct held *held, bool for_writing)
{
	CHECK(tree_file_open(held->node, for_writing, &held->file) == 0);
	held->writable = for_writing;
}

static void do_hold(struct open_branch *branch, struct names_tree *model)
{
	struct held *held = free_held(branch);
	int nr = pick_object(model, false);

	if (!held)
		return;
	*held = (struct held){ .object = nr };
	held->node = get_node(branch, model, nr);
	if (is_file(&model->objects[nr]) && below(2))
		open_held(held, below(2));
}

static void release(struct open_branch *branch, struct names_tree *model,
		    struct held *held)
{
	int nr = held->object;

	if (held->file)
		tree_file_close(held->node);
	tree_node_put(held->node, 1);
	*held = (struct held){ 0 };
	if (nr != NONE && !has_name(model, nr) && !held_of(branch, nr))
		model->objects[nr].used = false;
}

static void do_release(struct open_branch *branch, struct names_tree *model)
{
	struct held *held = &branch->held[below(HELD)];

	if (held->node)
		release(branch, model, held);
}

/* What is removed, but known. */
static void do_gone(struct open_branch *branch)
{
	static const struct tree_caller caller = { .uid = 1, .gid = 1 };
	struct held *held = &branch->held[below(HELD)];
	struct tree_listing *listing;
	struct tree_node *node;
	struct tree_attr attr;
	struct file *file;

	if (!held->node || held->object != NONE)
		return;
	CHECK(tree_get_attr(held->node, &attr) == 0);
	CHECK(attr.nlink == 0);
	if (S_ISREG(attr.mode))
		CHECK(tree_file_open(held->node, false, &file) == -ESTALE);
	if (!S_ISDIR(attr.mode))
		return;
	CHECK(tree_list(held->node, &listing) == 0);
	CHECK(listing->count == 0);
	tree_listing_free(listing);
	CHECK(tree_lookup(held->node, names[below(NAMES)], &node, &attr) ==
	      -ENOENT);
	CHECK(tree_create(held->node, names[below(NAMES)], S_IFREG | 0600, 0,
			  NULL, &caller, &node, &attr) == -ENOENT);
	CHECK(tree_unlink(held->node, names[below(NAMES)]) == -ENOENT);
}

void tree_operation(struct open_branch *branch, struct names_tree *model)
{
	uint64_t dice = below(100);

	started_ns = now_ns() - 20000000; /* some clocks are coarse */
	if (dice < 20)
		do_create(branch, model);
	else if (dice < 27)
		do_link(branch, model);
	else if (dice < 42)
		do_remove(branch, model);
	else if (dice < 60)
		do_rename(branch, model);
	else if (dice < 65)
		do_set_attr(branch, model);
	else if (dice < 70)
		do_xattr(branch, model);
	else if (dice < 84)
		do_data(branch, model);
	else if (dice < 88)
		do_hold(branch, model);
	else if (dice < 92)
		do_release(branch, model);
	else if (dice < 94)
		do_gone(branch);
	else if (dice < 97)
		do_unnamed(branch, model);
	else
		check_held(branch, model);
}

void tree_close_branch(int nr, bool gently)
{
	struct open_branch *branch = &opened[nr];
	struct names_tree *model = model_of(&branches[nr].image);
	int i;

	if (!branch->tree)
		return;
	for (i = 0; gently && i < HELD; i++)
		if (branch->held[i].node)
			release(branch, model, &branch->held[i]);
	tree_close(branch->tree);
	memset(branch, 0, sizeof(*branch));
	drop_unnamed(model);
}
