/* tree_names: operations on names. */
#include <errno.h>
#include <string.h>

#include "names_impl.h"

static const struct tree_caller caller = { .uid = 3, .gid = 4 };

static bool has_room(const struct names_tree *model)
{
	int objects = 0, entries = 0, i;

	for (i = 0; i < OBJECTS; i++)
		objects += model->objects[i].used;
	for (i = 0; i < ENTRIES; i++)
		entries += model->entries[i].used;
	return objects < OBJECTS - 4 && entries < ENTRIES - 4;
}

static void count_directory(struct object *parent, int by)
{
	if (parent->nlink > 1) /* else nobody counts them */
		parent->nlink += (uint32_t)by;
}

static int set_new(struct names_tree *model, int directory, uint32_t mode,
		   const char *target)
{
	const struct object *parent = &model->objects[directory];
	int nr = object_new(model);
	struct object *object = &model->objects[nr];

	object->mode = mode;
	object->uid = caller.uid;
	object->gid = caller.gid;
	object->nlink = S_ISDIR(mode) ? 2 : 1;
	object->parent = S_ISDIR(mode) ? directory : NONE;
	if (parent->mode & S_ISGID) {
		object->gid = parent->gid;
		object->mode |= S_ISDIR(mode) ? S_ISGID : 0;
	}
	if (S_ISCHR(mode))
		object->rdev = 259;
	if (target) {
		snprintf(object->target, TARGET_BYTES, "%s", target);
		object->size = strlen(target);
	}
	return nr;
}

void do_create(struct open_branch *branch, struct names_tree *model)
{
	static const uint32_t modes[] = { S_IFREG | 0640, S_IFREG | 0600,
					  S_IFREG | 0644, S_IFDIR | 0755,
					  S_IFDIR | 0700, S_IFLNK | 0777,
					  S_IFCHR | 0600, S_IFSOCK | 0600 };
	int directory = pick_object(model, true), name = (int)below(NAMES), nr;
	uint32_t mode = modes[below(8)];
	struct tree_node *parent, *node;
	struct tree_attr attr;
	char target[TARGET_BYTES];
	int rc;

	if (!has_room(model))
		return;
	snprintf(target, sizeof(target), "new%u", (unsigned)below(10000));
	parent = get_node(branch, model, directory);
	rc = tree_create(parent, names[name], mode, S_ISCHR(mode) ? 259 : 0,
			 S_ISLNK(mode) ? target : NULL, &caller, &node, &attr);
	tree_node_put(parent, 1);
	if (entry_find(model, directory, name) != NONE) {
		CHECK(rc == -EEXIST);
		touched(branch, model, directory, 0);
		return;
	}
	CHECK(rc == 0);
	nr = set_new(model, directory, mode, S_ISLNK(mode) ? target : NULL);
	note_new_inode(attr.inode);
	model->objects[nr].inode = attr.inode;
	(void)!entry_add(model, directory, name, nr);
	if (S_ISDIR(mode))
		count_directory(&model->objects[directory], 1);
	tree_node_put(node, 1);
	touched(branch, model, nr, TOUCHED_MTIME | TOUCHED_CTIME);
	touched(branch, model, directory, TOUCHED_MTIME | TOUCHED_CTIME);
}

void do_unnamed(struct open_branch *branch, struct names_tree *model)
{
	int directory = pick_object(model, true), nr;
	struct held *held = free_held(branch);
	struct tree_node *parent;
	struct tree_attr attr;

	if (!held || !has_room(model))
		return;
	parent = get_node(branch, model, directory);
	CHECK(tree_create_unnamed(parent, S_IFREG | 0600, &caller, &held->node,
				  &attr) == 0);
	tree_node_put(parent, 1);
	nr = set_new(model, directory, S_IFREG | 0600, NULL);
	note_new_inode(attr.inode);
	model->objects[nr].inode = attr.inode;
	model->objects[nr].nlink = 0;
	held->object = nr;
	held->writable = below(2);
	if (held->writable)
		CHECK(tree_file_open(held->node, true, &held->file) == 0);
	touched(branch, model, nr, TOUCHED_MTIME | TOUCHED_CTIME);
	touched(branch, model, directory, 0);
}

void do_link(struct open_branch *branch, struct names_tree *model)
{
	int directory = pick_object(model, true), name = (int)below(NAMES);
	int nr = pick_object(model, false), rc;
	struct tree_node *parent, *node;
	struct tree_attr attr;

	if (!has_room(model))
		return;
	parent = get_node(branch, model, directory);
	node = get_node(branch, model, nr);
	rc = tree_link(node, parent, names[name], &attr);
	tree_node_put(parent, 1);
	tree_node_put(node, 1);
	if (entry_find(model, directory, name) != NONE) {
		CHECK(rc == -EEXIST);
		return;
	}
	if (is_dir(&model->objects[nr])) {
		CHECK(rc == -EPERM);
		return;
	}
	CHECK(rc == 0);
	CHECK(attr.nlink == ++model->objects[nr].nlink);
	(void)!entry_add(model, directory, name, nr);
	touched(branch, model, nr, TOUCHED_CTIME);
	touched(branch, model, directory, TOUCHED_MTIME | TOUCHED_CTIME);
}

/* An entry is gone that pointed there. */
static void unlink_object(struct open_branch *branch, struct names_tree *model,
			  int nr)
{
	struct object *object = &model->objects[nr];
	int i;

	object->nlink = is_dir(object) ? 0 : object->nlink - 1;
	if (object->nlink > 0) { /* base may have links that nobody sees */
		object->used = has_name(model, nr) || is_held(branch, nr);
		return;
	}
	if (is_open(branch, nr))
		return;
	object->used = false;
	for (i = 0; i < HELD; i++)
		if (branch->held[i].node && branch->held[i].object == nr)
			branch->held[i].object = NONE;
}

static int expect_remove(const struct names_tree *model, int entry,
			 bool directory)
{
	int nr;

	if (entry == NONE)
		return -ENOENT;
	nr = model->entries[entry].object;
	if (directory != is_dir(&model->objects[nr]))
		return directory ? -ENOTDIR : -EISDIR;
	return directory && children_of(model, nr) > 0 ? -ENOTEMPTY : 0;
}

static void remove_entry(struct open_branch *branch, struct names_tree *model,
			 int entry, bool rmdir)
{
	int directory = model->entries[entry].parent;
	int nr = model->entries[entry].object;

	model->entries[entry].used = false;
	if (rmdir)
		count_directory(&model->objects[directory], -1);
	unlink_object(branch, model, nr);
	touched(branch, model, nr, TOUCHED_CTIME);
	touched(branch, model, directory, TOUCHED_MTIME | TOUCHED_CTIME);
}

void do_remove(struct open_branch *branch, struct names_tree *model)
{
	int directory = pick_object(model, true), name = (int)below(NAMES);
	int entry = entry_find(model, directory, name), expected, rc;
	bool rmdir = below(2);
	struct tree_node *parent;

	if (entry != NONE && below(8))
		rmdir = is_dir(&model->objects[model->entries[entry].object]);
	expected = expect_remove(model, entry, rmdir);
	parent = get_node(branch, model, directory);
	rc = rmdir ? tree_rmdir(parent, names[name]) :
		     tree_unlink(parent, names[name]);
	tree_node_put(parent, 1);
	CHECK(rc == expected);
	if (rc == 0)
		remove_entry(branch, model, entry, rmdir);
}

/* Is a directory another, or above it? */
static bool is_above(const struct names_tree *model, int above, int directory)
{
	for (; directory != ROOT; directory = model->objects[directory].parent)
		if (directory == above)
			return true;
	return above == ROOT;
}

struct renaming {
	int from_dir, from_name, from; /* from, to: objects */
	int to_dir, to_name, to;
	unsigned flags;
};

static int expect_rename(const struct names_tree *model,
			 const struct renaming *r)
{
	const struct object *from, *to;

	if (r->from == NONE)
		return -ENOENT;
	from = &model->objects[r->from];
	to = r->to == NONE ? NULL : &model->objects[r->to];
	if ((r->flags & RENAME_NOREPLACE) && to)
		return -EEXIST;
	if ((r->flags & RENAME_EXCHANGE) && !to)
		return -ENOENT;
	if (is_dir(from) && is_above(model, r->from, r->to_dir))
		return -EINVAL;
	if (to && is_dir(to) && is_above(model, r->to, r->from_dir))
		return r->flags & RENAME_EXCHANGE ? -EINVAL :
		       is_dir(from)		  ? -ENOTEMPTY :
						    -EISDIR;
	if (!to || r->from == r->to || (r->flags & RENAME_EXCHANGE))
		return 0;
	if (is_dir(from) != is_dir(to))
		return is_dir(from) ? -ENOTDIR : -EISDIR;
	return is_dir(to) && children_of(model, r->to) > 0 ? -ENOTEMPTY : 0;
}

static void move_directory(struct names_tree *model, int object, int from,
			   int to)
{
	if (!is_dir(&model->objects[object]))
		return;
	count_directory(&model->objects[from], -1);
	count_directory(&model->objects[to], 1);
	model->objects[object].parent = to;
}

static void leave_whiteout(struct open_branch *branch, struct names_tree *model,
			   const struct renaming *r)
{
	int nr = set_new(model, r->from_dir, S_IFCHR, NULL);
	struct object *object = &model->objects[nr];
	struct tree_node *parent, *node;
	struct tree_attr attr;

	parent = get_node(branch, model, r->from_dir);
	CHECK(tree_lookup(parent, names[r->from_name], &node, &attr) == 0);
	tree_node_put(parent, 1);
	tree_node_put(node, 1);
	note_new_inode(attr.inode);
	object->inode = attr.inode;
	object->rdev = 0;
	(void)!entry_add(model, r->from_dir, r->from_name, nr);
	touched(branch, model, nr, TOUCHED_MTIME | TOUCHED_CTIME);
}

static void rename_in_model(struct open_branch *branch,
			    struct names_tree *model, const struct renaming *r)
{
	int from = entry_find(model, r->from_dir, r->from_name);
	int to = entry_find(model, r->to_dir, r->to_name);

	if (r->flags & RENAME_EXCHANGE) {
		model->entries[from].object = r->to;
		model->entries[to].object = r->from;
		move_directory(model, r->from, r->from_dir, r->to_dir);
		move_directory(model, r->to, r->to_dir, r->from_dir);
		return;
	}
	if (to != NONE) {
		model->entries[to].used = false;
		if (is_dir(&model->objects[r->to]))
			count_directory(&model->objects[r->to_dir], -1);
		unlink_object(branch, model, r->to);
	}
	model->entries[from].used = false;
	(void)!entry_add(model, r->to_dir, r->to_name, r->from);
	move_directory(model, r->from, r->from_dir, r->to_dir);
}

static int object_at(const struct names_tree *model, int directory, int name)
{
	int entry = entry_find(model, directory, name);

	return entry == NONE ? NONE : model->entries[entry].object;
}

static int try_rename(struct open_branch *branch,
		      const struct names_tree *model, const struct renaming *r)
{
	struct tree_node *from = get_node(branch, model, r->from_dir);
	struct tree_node *to = get_node(branch, model, r->to_dir);
	int rc = tree_rename(from, names[r->from_name], to, names[r->to_name],
			     r->flags, &caller);

	tree_node_put(from, 1);
	tree_node_put(to, 1);
	return rc;
}

void do_rename(struct open_branch *branch, struct names_tree *model)
{
	static const unsigned flags[] = { 0,
					  0,
					  0,
					  RENAME_NOREPLACE,
					  RENAME_EXCHANGE,
					  RENAME_EXCHANGE,
					  RENAME_WHITEOUT };
	struct renaming r = {
		.from_dir = pick_object(model, true),
		.from_name = (int)below(NAMES),
		.to_dir = pick_object(model, true),
		.to_name = (int)below(NAMES),
		.flags = flags[below(7)],
	};
	int rc;

	if ((r.flags & RENAME_WHITEOUT) && !has_room(model))
		return;
	r.from = object_at(model, r.from_dir, r.from_name);
	r.to = object_at(model, r.to_dir, r.to_name);
	rc = try_rename(branch, model, &r);
	if (rc != expect_rename(model, &r))
		fprintf(stderr, "rename %x: %d, not %d\n", r.flags, rc,
			expect_rename(model, &r));
	CHECK(rc == expect_rename(model, &r));
	if (rc < 0 || r.from == r.to)
		return;
	rename_in_model(branch, model, &r);
	if (r.flags & RENAME_WHITEOUT)
		leave_whiteout(branch, model, &r);
	touched(branch, model, r.from, TOUCHED_CTIME);
	if (r.to != NONE && model->objects[r.to].used)
		touched(branch, model, r.to, TOUCHED_CTIME);
	if (r.from_dir != r.to_dir)
		touched(branch, model, r.from_dir,
			TOUCHED_MTIME | TOUCHED_CTIME);
	touched(branch, model, r.to_dir, TOUCHED_MTIME | TOUCHED_CTIME);
}

static void remove_below(struct open_branch *branch, struct names_tree *model,
			 int directory)
{
	struct tree_node *node;
	int i;

	for (i = 0; i < ENTRIES; i++) {
		struct entry *entry = &model->entries[i];
		bool rmdir = is_dir(&model->objects[entry->object]);

		if (!entry->used || entry->parent != directory)
			continue;
		if (rmdir)
			remove_below(branch, model, entry->object);
		node = object_node(branch->tree, model, directory);
		CHECK((rmdir ? tree_rmdir :
			       tree_unlink)(node, names[entry->name]) == 0);
		tree_node_put(node, 1);
		entry->used = false;
	}
}

void remove_all(struct open_branch *branch, struct names_tree *model)
{
	remove_below(branch, model, ROOT);
	drop_unnamed(model);
}
