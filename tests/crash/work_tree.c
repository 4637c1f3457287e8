/* Workloads on trees: names, data, xattrs, restore, layers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "history.h"
#include "space.h"
#include "store_impl.h"
#include "store_layers.h"
#include "tree_restore.h"
#include "world.h"

static const struct actor actor = { .uid = 7 };
static const struct tree_caller caller = { .uid = 1, .gid = 2 };

/* The node of a path; *out_name: the last name, if wanted: its parent. */
static struct tree_node *find(struct world *world, const char *path,
			      const char **out_name)
{
	struct tree_node *node = tree_node_get(tree_root(world->tree));

	while (node && *path) {
		size_t len = strcspn(path, "/");
		struct tree_node *child = NULL;
		struct tree_attr attr;
		char name[256];

		if (out_name && path[len] == '\0') {
			*out_name = path;
			return node;
		}
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		if (tree_lookup(node, name, &child, &attr) < 0)
			child = NULL;
		tree_node_put(node, 1);
		node = child;
		path += len + (path[len] == '/');
	}
	return node;
}

static int make(struct world *world, const char *path, uint32_t mode,
		const char *target)
{
	const char *name;
	struct tree_node *parent = find(world, path, &name), *node;
	struct tree_attr attr;
	int rc;

	if (!parent)
		return -EIO;
	rc = tree_create(parent, name, mode, 0, target, &caller, &node, &attr);
	if (rc == 0)
		tree_node_put(node, 1);
	tree_node_put(parent, 1);
	return rc;
}

static int put_data(struct world *world, const char *path, uint64_t offset,
		    size_t len, int byte)
{
	struct tree_node *node = find(world, path, NULL);
	uint8_t data[32768];
	struct file *file;
	int rc;

	if (!node)
		return -EIO;
	memset(data, byte, sizeof(data));
	rc = tree_file_open(node, true, &file);
	if (rc == 0) {
		rc = file_write(file, offset, data, len);
		tree_file_close(node);
	}
	tree_node_put(node, 1);
	return rc;
}

static int link_to(struct world *world, const char *path, const char *to)
{
	const char *name;
	struct tree_node *node = find(world, path, NULL);
	struct tree_node *parent = find(world, to, &name);
	struct tree_attr attr;
	int rc = node && parent ? tree_link(node, parent, name, &attr) : -EIO;

	if (node)
		tree_node_put(node, 1);
	if (parent)
		tree_node_put(parent, 1);
	return rc;
}

static int drop(struct world *world, const char *path, bool directory)
{
	const char *name;
	struct tree_node *parent = find(world, path, &name);
	int rc;

	if (!parent)
		return -EIO;
	rc = directory ? tree_rmdir(parent, name) : tree_unlink(parent, name);
	tree_node_put(parent, 1);
	return rc;
}

static int move(struct world *world, const char *path, const char *to,
		unsigned flags)
{
	const char *name, *new_name;
	struct tree_node *parent = find(world, path, &name);
	struct tree_node *new_parent = find(world, to, &new_name);
	int rc = parent && new_parent ? tree_rename(parent, name, new_parent,
						    new_name, flags, &caller) :
					-EIO;

	if (parent)
		tree_node_put(parent, 1);
	if (new_parent)
		tree_node_put(new_parent, 1);
	return rc;
}

static int set_attr(struct world *world, const char *path, unsigned mask,
		    uint64_t size, uint32_t mode)
{
	struct tree_node *node = find(world, path, NULL);
	struct tree_attr attr = {
		.size_bytes = size, .mode = mode, .uid = 9, .mtime_ns = 77777
	};
	int rc = node ? tree_set_attr(node, mask, &attr, NULL) : -EIO;

	if (node)
		tree_node_put(node, 1);
	return rc;
}

static int set_xattr(struct world *world, const char *path, const char *name,
		     size_t len)
{
	struct tree_node *node = find(world, path, NULL);
	char value[9000];
	int rc;

	if (!node)
		return -EIO;
	memset(value, 'v', sizeof(value));
	rc = len ? tree_set_xattr(node, name, value, len, 0) :
		   tree_remove_xattr(node, name);
	tree_node_put(node, 1);
	return rc;
}

static int take(struct world *world, const char *name)
{
	struct snapshot_info info;

	return history_snapshot(world->store, "main", name, "",
				SNAPSHOT_KIND_MANUAL, &actor, &info,
				&world->failure);
}

/* The head moves, or another stack: nobody has it open. */
static int reopen_head(struct world *world)
{
	struct view *view;
	int rc = view_open_branch(world->store, "main", &view, &world->failure);

	return rc < 0 ? rc : tree_open(view, &world->tree, &world->failure);
}

static void close_head(struct world *world)
{
	if (world->tree)
		tree_close(world->tree);
	world->tree = NULL;
}

/* What failed once is there now, but nobody has it open. */
static void check_head(struct world *world)
{
	if (!world->over && !world->tree && reopen_head(world) < 0)
		world->over = true;
}

#define CLOSED_STEP(world, call) CLOSED(STEP, world, call)
#define CLOSED(STEP_HERE, world, call)                      \
	do {                                                \
		if ((world)->over)                          \
			break;                              \
		STEP(world, false, (close_head(world), 0)); \
		STEP_HERE(world, true, call);               \
		STEP(world, false, reopen_head(world));     \
		check_head(world);                          \
	} while (0)

static int roll_back(struct world *world, const char *name)
{
	struct rollback_result result;

	return history_rollback(world->store, "main", snapshot_id(world, name),
				NULL, &actor, &result, &world->failure);
}

static int undo(struct world *world)
{
	struct undo_result result;

	return history_undo(world->store, 0, false, &actor, &result,
			    &world->failure);
}

static int restore_path(struct world *world, const char *snapshot,
			const struct work *work, const char *path)
{
	struct tree *from = NULL, *to = NULL;
	struct tree_restored result;
	struct view *view;
	int rc = view_open_snapshot(world->store, snapshot_id(world, snapshot),
				    &view, &world->failure);

	if (rc == 0)
		rc = tree_open_reader(view, &from, &world->failure);
	if (rc == 0)
		rc = view_open_branch(world->store, work->branch, &view,
				      &world->failure);
	if (rc == 0)
		rc = tree_open(view, &to, &world->failure);
	if (rc == 0)
		rc = tree_restore(from, to, path, &result);
	if (to)
		tree_close(to);
	if (from)
		tree_close(from);
	return rc;
}

/* As cowd restore does it. */
static int restore(struct world *world, const char *snapshot, const char *path)
{
	struct rollback_result result;
	struct work work;
	int rc = history_begin_work(world->store, "main", &actor, &work,
				    &world->failure);

	if (rc < 0)
		return rc;
	rc = restore_path(world, snapshot, &work, path);
	if (rc == 0)
		rc = history_adopt_work(world->store, "main", &work, snapshot,
					path, &actor, &result, &world->failure);
	if (rc < 0)
		history_drop_work(world->store, &work);
	return rc;
}

static int delete_snapshot(struct world *world, const char *name)
{
	return history_delete_snapshot(world->store, snapshot_id(world, name),
				       true, &actor, &world->failure);
}

static int copy_file(struct world *world, const char *from, const char *to,
		     uint64_t offset, uint64_t len)
{
	struct tree_node *source = find(world, from, NULL);
	struct tree_node *target = find(world, to, NULL);
	struct file *in = NULL, *out = NULL;
	uint64_t n = 0;
	int rc = source && target ? tree_file_open(source, false, &in) : -EIO;

	if (rc == 0)
		rc = tree_file_open(target, true, &out);
	if (rc == 0)
		rc = file_share(in, offset, out, offset, len, &n);
	if (rc == 0 && n < len)
		rc = -EIO;
	if (out)
		tree_file_close(target);
	if (in)
		tree_file_close(source);
	if (source)
		tree_node_put(source, 1);
	if (target)
		tree_node_put(target, 1);
	return rc;
}

static void work_names(struct world *world)
{
	do_create_tree(world);
	do_open(world);
	STEP(world, false, make(world, "dir", S_IFDIR | 0755, NULL));
	STEP(world, false, make(world, "dir/file", S_IFREG | 0644, NULL));
	STEP_IN_PARTS(world, false,
		      set_attr(world, "dir/file", TREE_SET_SIZE, 4096, 0));
	STEP(world, false, put_data(world, "dir/file", 0, 4096, 1));
	STEP(world, false, make(world, "dir/link", S_IFLNK | 0777, "target"));
	do_sync(world);
	STEP(world, false, link_to(world, "dir/file", "hard"));
	STEP(world, false, move(world, "d0", "dir/moved", 0));
	STEP(world, false, drop(world, "d1/f3", false));
	STEP(world, false, set_xattr(world, "hard", "user.one", 100));
	STEP(world, true, take(world, "s1"));
	STEP(world, false, set_xattr(world, "hard", "user.big", 9000));
	STEP(world, false, set_xattr(world, "hard", "user.one", 0));
	STEP(world, false, move(world, "dir", "d2/dir", 0));
	STEP(world, false, drop(world, "hard", false));
	do_sync(world);
	STEP(world, false, drop(world, "d2/dir/file", false));
	STEP(world, false, make(world, "d2/dir/file", S_IFREG | 0600, NULL));
	STEP_IN_PARTS(world, false,
		      set_attr(world, "d2/dir/file", TREE_SET_SIZE, 12288, 0));
	STEP(world, false, put_data(world, "d2/dir/file", 8192, 4096, 2));
	STEP(world, false, move(world, "d2/dir/file", "d2/f5", 2));
	do_checkpoint(world);
	STEP(world, false, drop(world, "d2/dir/link", false));
	STEP(world, false, drop(world, "d1/f2", false));
	STEP(world, false, drop(world, "d1", true));
	STEP(world, false,
	     set_attr(world, "link", TREE_SET_UID | TREE_SET_MTIME, 0, 0));
	do_close(world);
	do_open(world);
	STEP(world, false, move(world, "d2", "d3", 0));
	do_sync(world);
	STEP(world, false, drop(world, "d3/f4", false));
}

static void work_files(struct world *world)
{
	do_create_tree(world);
	do_open(world);
	STEP(world, false, put_data(world, "d1/f3", 4096, 4096, 3));
	STEP(world, false, make(world, "a", S_IFREG | 0644, NULL));
	STEP_IN_PARTS(world, false,
		      set_attr(world, "a", TREE_SET_SIZE, 40960, 0));
	STEP(world, false, put_data(world, "a", 4096, 16384, 4));
	STEP(world, false, make(world, "b", S_IFREG | 0644, NULL));
	STEP_IN_PARTS(world, false,
		      set_attr(world, "b", TREE_SET_SIZE, 40960, 0));
	do_sync(world);
	STEP(world, false, copy_file(world, "a", "b", 4096, 16384));
	STEP(world, false, put_data(world, "b", 8192, 4096, 5));
	STEP(world, true, take(world, "s1"));
	STEP_IN_PARTS(world, false,
		      set_attr(world, "a", TREE_SET_SIZE, 8192, 0));
	STEP(world, false,
	     set_attr(world, "a", TREE_SET_MTIME | TREE_SET_MODE, 0,
		      S_IFREG | 0600));
	STEP_IN_PARTS(world, false,
		      set_attr(world, "d2/f5", TREE_SET_SIZE, 0, 0));
	STEP(world, false, drop(world, "b", false));
	do_checkpoint(world);
	STEP(world, false, put_data(world, "d1/f3", 0, 8192, 6));
	CLOSED_STEP(world, roll_back(world, "s1"));
	STEP(world, false, put_data(world, "b", 0, 4096, 7));
	CLOSED_STEP(world, undo(world));
	STEP(world, true, delete_snapshot(world, "s1"));
	do_background(world);
	STEP(world, false, put_data(world, "a", 0, 4096, 8));
	do_close(world);
}

static void work_restore(struct world *world)
{
	do_create_tree(world);
	do_open(world);
	STEP(world, false, make(world, "d0/new", S_IFREG | 0644, NULL));
	STEP_IN_PARTS(world, false,
		      set_attr(world, "d0/new", TREE_SET_SIZE, 8192, 0));
	STEP(world, false, put_data(world, "d0/new", 0, 8192, 1));
	STEP(world, true, take(world, "s1"));
	STEP(world, false, put_data(world, "d0/new", 4096, 4096, 2));
	STEP(world, false, drop(world, "d0/f1", false));
	STEP(world, false, make(world, "d0/other", S_IFDIR | 0755, NULL));
	CLOSED_STEP(world, restore(world, "s1", "d0"));
	STEP(world, false, drop(world, "d0/new", false));
	CLOSED_STEP(world, undo(world));
	CLOSED_STEP(world, restore(world, "s1", "d0/new"));
	do_background(world);
	do_close(world);
}

static int add_layer(struct world *world)
{
	struct layer_place place = { 0 };
	struct layer_info info;
	char spec[96];

	snprintf(spec, sizeof(spec), "two=%s/layer2", world->directory);
	return store_layer_add(world->store, "main", spec, &place, false,
			       &actor, &info, &world->failure);
}

static int remove_layer(struct world *world, const char *name)
{
	struct layer_info info;

	return store_layer_remove(world->store, "main", name, false, &actor,
				  &info, &world->failure);
}

static void work_layers(struct world *world)
{
	do_create_tree(world);
	do_open(world);
	STEP(world, false, put_data(world, "d1/f3", 0, 4096, 1));
	STEP(world, false, drop(world, "d0/f0", false));
	STEP(world, true, take(world, "s1"));
	CLOSED(STEP_IN_PARTS, world, add_layer(world));
	STEP(world, false, put_data(world, "d1/f2", 0, 4096, 2));
	STEP(world, false, move(world, "d2", "moved", 0));
	CLOSED(STEP_IN_PARTS, world, remove_layer(world, "one"));
	STEP(world, false, make(world, "new", S_IFREG | 0644, NULL));
	CLOSED(STEP_IN_PARTS, world, undo(world));
	do_checkpoint(world);
	do_close(world);
}

void second_life_tree(struct world *world)
{
	do_open(world);
	if (world->over)
		return;
	STEP(world, false, make(world, "later", S_IFREG | 0644, NULL));
	do_sync(world);
	STEP(world, false, set_xattr(world, "later", "user.x", 5000));
	STEP(world, false, drop(world, "link", false));
	STEP(world, true, take(world, "later"));
	STEP(world, false, move(world, "later", "d9", 0));
	do_checkpoint(world);
	STEP(world, false, make(world, "last", S_IFDIR | 0755, NULL));
}

const struct named_workload tree_workloads[] = {
	{ "names", work_names },
	{ "files", work_files },
	{ "restore", work_restore },
	{ "layers", work_layers },
};

const size_t tree_workload_count =
	sizeof(tree_workloads) / sizeof(tree_workloads[0]);
