/* tree_names: what the model knows of a tree, and its parts. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "model.h"
#include "tree.h"

enum {
	OBJECTS = 80,
	ENTRIES = 140,
	NAMES = 9,
	XATTRS = 3,
	DATA_BYTES = 13000,
	TARGET_BYTES = 16,
	LAYERS = 3,
	HELD = 8,
	ROOT = 0, /* its object */
	NONE = -1,
};

struct object {
	bool used;
	uint32_t mode, uid, gid, nlink;
	uint64_t inode, rdev, size;
	int64_t mtime_ns, ctime_ns;
	int parent;		 /* of a directory */
	uint32_t xattrs[XATTRS]; /* what the value is made from; 0: none */
	char target[TARGET_BYTES];
	uint8_t data[DATA_BYTES]; /* zeros from size on */
};

struct entry {
	bool used;
	int parent, name, object;
};

struct names_tree {
	struct object objects[OBJECTS];
	struct entry entries[ENTRIES];
};

/* What somebody has looked up or open in a branch. */
struct held {
	struct tree_node *node;
	struct file *file; /* NULL: it is just known */
	bool writable;
	int object; /* NONE: it is gone */
};

struct open_branch {
	struct tree *tree; /* NULL: closed */
	struct held held[HELD];
};

extern struct open_branch opened[BRANCHES_MAX];
extern const char *const names[NAMES];
extern const char *const xattr_names[XATTRS];

struct names_tree *model_of(const struct image *image);
bool is_dir(const struct object *object);
int entry_find(const struct names_tree *model, int parent, int name);
int entry_add(struct names_tree *model, int parent, int name, int object);
int object_new(struct names_tree *model);
bool has_name(const struct names_tree *model, int object);
int children_of(const struct names_tree *model, int directory);
/* Frees what has no name. */
void drop_unnamed(struct names_tree *model);

/* names_base.c */
/* Makes random layers below base_path; the merge is what model is then. True:
 * some have links that an upper layer hides, so that not all can be removed. */
bool make_layers(struct names_tree *model, char paths[LAYERS][160]);

/* names_check.c */
size_t make_value(uint32_t value, uint8_t *bytes);
/* By any of its names; a reference. */
struct tree_node *object_node(struct tree *tree, const struct names_tree *model,
			      int object);
void check_object(struct tree_node *node, const struct object *object);
void check_tree(struct tree *tree, const struct names_tree *model);
/* An inode number that must never have been seen. */
void note_new_inode(uint64_t inode);
void check_held(const struct open_branch *branch,
		const struct names_tree *model);

/* names_ops.c: one random operation on the names, nodes and data of a
 * branch. */
void tree_operation(struct open_branch *branch, struct names_tree *model);
void tree_close_branch(int nr, bool gently);
void remove_all(struct open_branch *branch, struct names_tree *model);
