/* The insides of tree_diff, shared by tree_diff*.c only. */
#pragma once

#include <sys/stat.h>

#include "hash.h"
#include "tree_diff.h"
#include "tree_impl.h"

enum { KIND_DIRECTORY = S_IFDIR >> MODE_KIND_SHIFT };

enum place_state {
	PLACE_UNKNOWN,
	PLACE_PENDING, /* being found out */
	PLACE_THERE,
	PLACE_GONE,
};

/* A directory in one of the trees. */
struct place {
	uint64_t inode;
	enum place_state state;
	struct place *parent; /* THERE, but for the root */
	char *name;
	struct tree_node *node; /* THERE; the tree's until it is closed */
	bool moved;		/* a name of it is not in the other tree */
	bool searched;		/* for names */
	UT_hash_handle hh;
};

struct places {
	struct place **list;
	size_t count, capacity, next;
};

struct diff_side {
	struct tree *tree;
	struct diff_side *other;
	bool same_layers; /* as the other */
	struct place *places;
	struct places moved;
};

/* --- tree_diff_places.c --- */

/* Its state is not UNKNOWN then. */
NODISCARD int place_find(struct diff_side *side, uint64_t inode,
			 struct place **out_place);
/* As it stands; made if there is none. */
NODISCARD int place_get(struct diff_side *side, uint64_t inode,
			struct place **out_place);
/* What was found by its name is there. */
NODISCARD int place_found(struct diff_side *side, struct place *parent,
			  const char *name, struct tree_node *node,
			  struct place **out_place);
NODISCARD int places_add(struct places *places, struct place *place);
/* Of malloc; NULL: no memory. */
char *place_path(const struct place *directory, const char *name);
void places_fini(struct diff_side *side);

/* Calls visit for all names in a directory that is there. */
typedef int place_visit(void *context, struct place *directory,
			const char *name, uint64_t inode, uint32_t kind);
NODISCARD int place_list(struct place *directory, place_visit *visit,
			 void *context);
/* All names of a tree. */
NODISCARD int side_walk(struct diff_side *side, place_visit *visit,
			void *context);

/* --- tree_diff_inode.c --- */

/* An inode as one tree shows it. */
struct diff_object {
	struct diff_side *side;
	struct tree_node *node; /* with a reference */
	struct inode_item item;
};

/* By its number. -ENOENT: not known there. */
NODISCARD int object_by_number(struct diff_side *side, uint64_t inode,
			       uint32_t kind, struct diff_object *out_object);
/* By its name. -ENOENT. */
NODISCARD int object_by_name(struct diff_side *side, struct place *directory,
			     const char *name, struct diff_object *out_object);
void object_fini(struct diff_object *object);

/* Windows of one inode that may differ. */
struct diff_windows {
	const uint64_t *numbers;
	size_t count;
};
/* What differs of one inode, or of two that took one place. */
NODISCARD int objects_compare(const struct diff_object *from,
			      const struct diff_object *to,
			      const struct diff_windows *windows,
			      unsigned *out_changes,
			      uint64_t *out_stored_bytes);

/* --- all of it --- */

/* A name that may differ. */
struct candidate {
	struct candidate *next;
	UT_hash_handle hh;
	struct {
		uint64_t directory;
		char name[ITEM_NAME_BYTES_MAX + 1];
	} key; /* only as much of it as is needed */
};

/* A name that goes or comes, with what it named. */
struct change_name {
	char *path;
	struct place *directory;
	const char *name; /* in the candidate */
	uint64_t inode;
	uint32_t kind;
	uint64_t size_bytes, stored_bytes;
	bool done;
};

struct change_names {
	struct change_name *list;
	size_t count, capacity;
};

struct inode_window {
	uint64_t inode, window;
};

struct numbers {
	struct inode_window *list;
	size_t count, capacity;
};

/* An inode that differs, of which names that did not change are wanted. */
struct modified {
	uint64_t inode;
	uint32_t kind;
	unsigned changes;
	uint64_t size_from, size_to, stored_bytes;
	uint32_t names_left;
	uint64_t parent; /* a hint */
	bool one_name;
	UT_hash_handle hh;
};

struct differ {
	struct diff_side from, to;
	bool with_times;
	struct candidate *by_name, *waiting, **waiting_end;
	struct numbers inodes, windows;
	struct change_names gone, come;
	struct modified *modified;
	struct tree_diff_entry *entries;
	size_t entry_count, entry_capacity;
};

/* Makes room for one more item behind count of a list. */
NODISCARD int differ_grow(void *list, size_t count, size_t *capacity,
			  size_t item_bytes);
/* Copies the paths. */
NODISCARD int differ_add(struct differ *differ,
			 const struct tree_diff_entry *entry);
/* Are these changes to be listed? */
bool differ_tells(const struct differ *differ, unsigned changes);
/* One inode, or two that took one place. */
NODISCARD int differ_compare(struct differ *differ,
			     const struct diff_object *from,
			     const struct diff_object *to,
			     struct modified *out_modified);

/* --- tree_diff_names.c: what became of names that go and come --- */

/* Leaves them sorted by inode. */
NODISCARD int differ_find_renamed(struct differ *differ);
/* How many of the names are of it; they are sorted by inode. */
uint32_t change_names_count(const struct change_names *names, uint64_t inode);
/* Leaves them sorted by path. */
NODISCARD int differ_find_replaced(struct differ *differ);
/* What was deleted, and what was added. */
NODISCARD int differ_add_left(struct differ *differ);
/* Is it the path of a name that comes? They are sorted by path. */
bool differ_comes(const struct differ *differ, const char *path);
void change_names_fini(struct change_names *names);

/* --- tree_diff_modified.c: inodes that differ, at names that did not --- */

/* Between differ_find_renamed and differ_find_replaced. */
NODISCARD int differ_compare_inodes(struct differ *differ);
/* After the latter. */
NODISCARD int differ_name_modified(struct differ *differ);
