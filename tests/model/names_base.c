/* tree_names: random directories as layers, and what their merge shows. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "layers.h"
#include "names_model.h"

enum { LAYER_OBJECTS = 14 };

/* A place in a layer, by chance: "" or names of what may be directories. */
static void pick_place(const char *layer, char path[600])
{
	uint64_t depth = below(3);
	struct stat st;

	snprintf(path, 600, "%s", layer);
	while (depth-- > 0) {
		char next[600];

		if (snprintf(next, sizeof(next), "%s/%s", path,
			     names[below(NAMES)]) >= (int)sizeof(next))
			return;
		if (lstat(next, &st) == 0 && S_ISDIR(st.st_mode))
			memcpy(path, next, sizeof(next));
	}
}

static void make_file(const char *path)
{
	uint8_t data[DATA_BYTES];
	size_t bytes = below(3) ? below(DATA_BYTES) : below(20), i;
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

	if (fd < 0)
		return;
	for (i = 0; i < bytes; i++)
		data[i] = (uint8_t)below(256);
	CHECK(write(fd, data, bytes) == (ssize_t)bytes);
	close(fd);
}

static void make_base_object(const char *layer, bool may_link)
{
	char place[600], other[900], path[900], target[TARGET_BYTES];
	uint64_t dice = below(100);
	uint8_t value[300];
	int rc = 0;

	pick_place(layer, place);
	snprintf(path, sizeof(path), "%s/%s", place, names[below(NAMES)]);
	if (dice < 35) {
		make_file(path);
	} else if (dice < 65) {
		rc = mkdir(path, below(2) ? 0755 : 0700);
	} else if (dice < 85 && may_link) {
		pick_place(layer, place);
		snprintf(other, sizeof(other), "%s/%s", place,
			 names[below(NAMES)]);
		rc = link(other, path);
	} else if (dice < 95) {
		snprintf(target, sizeof(target), "to%u", (unsigned)below(1000));
		rc = symlink(target, path);
	} else {
		rc = mknod(path, S_IFIFO | 0600, 0);
	}
	if (rc == 0 && below(4) == 0)
		(void)!lsetxattr(path, xattr_names[below(XATTRS - 1)], value,
				 make_value((uint32_t)(1 + below(100)), value),
				 0);
}

static uint32_t find_value(const char *path, const char *name)
{
	uint8_t found[1000], made[1000];
	ssize_t bytes = lgetxattr(path, name, found, sizeof(found));
	uint32_t value;

	for (value = 1; bytes >= 0 && value <= 100; value++)
		if (make_value(value, made) == (size_t)bytes &&
		    memcmp(made, found, (size_t)bytes) == 0)
			return value;
	return 0;
}

static void read_object(struct object *object, const char *path)
{
	int fd, i;

	for (i = 0; i < XATTRS; i++)
		object->xattrs[i] = find_value(path, xattr_names[i]);
	if (S_ISLNK(object->mode))
		CHECK(readlink(path, object->target, TARGET_BYTES - 1) > 0);
	if (!S_ISREG(object->mode))
		return;
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK(read(fd, object->data, DATA_BYTES) == (ssize_t)object->size);
	close(fd);
}

static void set_object(struct object *object, const struct stat *st,
		       uint32_t layer, const char *path)
{
	object->mode = st->st_mode;
	object->uid = st->st_uid;
	object->gid = st->st_gid;
	object->nlink = (uint32_t)st->st_nlink;
	object->inode = base_number(layer, st->st_ino);
	object->size = (uint64_t)st->st_size;
	object->mtime_ns =
		(int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	object->ctime_ns =
		(int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
	object->parent = NONE;
	read_object(object, path);
}

static int object_numbered(const struct names_tree *model, uint64_t inode)
{
	int i;

	for (i = 0; i < OBJECTS; i++)
		if (model->objects[i].used && model->objects[i].inode == inode)
			return i;
	return NONE;
}

/* paths: of one directory in the layers that are merged, topmost first. */
struct merged {
	unsigned count;
	uint32_t layer[LAYERS];
	char path[LAYERS][700];
};

/* What one name is: in the first layer that has it. */
static void merge_name(struct names_tree *model, int parent, int name,
		       const struct merged *directory, struct merged *below_)
{
	struct object *object = NULL;
	struct stat st;
	char path[960];
	unsigned i;
	int nr;

	below_->count = 0;
	for (i = 0; i < directory->count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory->path[i],
			 names[name]);
		if (lstat(path, &st) < 0)
			continue;
		if (object && !S_ISDIR(st.st_mode))
			return;
		if (!object) {
			nr = object_numbered(model,
					     base_number(directory->layer[i],
							 st.st_ino));
			if (nr == NONE) {
				nr = object_new(model);
				set_object(&model->objects[nr], &st,
					   directory->layer[i], path);
			}
			(void)!entry_add(model, parent, name, nr);
			object = &model->objects[nr];
		}
		if (!S_ISDIR(st.st_mode))
			return;
		object->parent = parent;
		below_->layer[below_->count] = directory->layer[i];
		snprintf(below_->path[below_->count++], sizeof(below_->path[0]),
			 "%.699s", path);
	}
}

static void merge(struct names_tree *model, int object,
		  const struct merged *directory)
{
	struct merged next;
	int name;

	if (directory->count > 1)
		model->objects[object].nlink = 1; /* nobody counts them */
	for (name = 0; name < NAMES; name++) {
		merge_name(model, object, name, directory, &next);
		if (next.count > 0)
			merge(model,
			      model->entries[entry_find(model, object, name)]
				      .object,
			      &next);
	}
}

/* Hard links that an upper layer hides are links all the same. */
static bool find_lasting(const struct names_tree *model)
{
	int i, j;

	for (i = 0; i < OBJECTS; i++) {
		const struct object *object = &model->objects[i];
		uint32_t links = 0;

		if (!object->used || is_dir(object))
			continue;
		for (j = 0; j < ENTRIES; j++)
			links += model->entries[j].used &&
				 model->entries[j].object == i;
		CHECK(links <= object->nlink);
		if (links < object->nlink)
			return true;
	}
	return false;
}

bool make_layers(struct names_tree *model, char paths[LAYERS][160])
{
	struct merged root = { .count = LAYERS };
	bool all_link = below(2);
	struct stat st;
	unsigned i, j;

	CHECK(mkdir(base_path, 0755) == 0);
	for (i = 0; i < LAYERS; i++) {
		snprintf(paths[i], 160, "%s/%u", base_path, i);
		CHECK(mkdir(paths[i], 0755) == 0);
		for (j = 0; j < LAYER_OBJECTS; j++)
			make_base_object(paths[i], i == 0 || all_link);
		root.layer[i] = i + 1;
		snprintf(root.path[i], sizeof(root.path[i]), "%s", paths[i]);
	}
	CHECK(lstat(paths[0], &st) == 0);
	model->objects[ROOT].used = true;
	set_object(&model->objects[ROOT], &st, 1, paths[0]);
	model->objects[ROOT].inode = ROOT_INODE;
	model->objects[ROOT].parent = ROOT;
	merge(model, ROOT, &root);
	return find_lasting(model);
}
