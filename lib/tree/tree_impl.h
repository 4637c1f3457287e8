/*
 * The tree's insides, shared by lib/tree only.
 *
 * Lock order: names_lock -> nodes_lock -> the store's locks.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file.h"
#include "hash.h"
#include "layers.h"
#include "mutex.h"
#include "tree.h"
#include "view_items.h"

enum { MODE_KIND_SHIFT = 12, DEPTH_MAX = 100000 };

/* Does the view have an item of the inode? Found out once. */
enum stored { STORED_UNKNOWN, STORED_NO, STORED_YES };

struct tree_node {
	struct tree *tree;
	uint64_t inode;
	uint32_t kind;		/* S_IFMT >> 12 */
	struct base_node *base; /* what is below it, or NULL; never changes */
	/* nodes_lock */
	uint64_t references;
	uint32_t open_count;
	struct file *file; /* while it is open */
	atomic_int stored; /* enum stored */
	bool has_origin;   /* its ORIGIN item is there; names_lock */
	/* No name, but an item; changes with names_lock held exclusively. */
	atomic_bool orphan;
	struct gone *remembered; /* it is deleted: what it was */
	UT_hash_handle hh;
};

struct tree {
	struct view *view;
	struct layers *layers;
	/* Names, links and what an inode is: shared to look, exclusive to
	 * change. */
	pthread_rwlock_t names_lock;
	struct mutex nodes_lock;
	struct tree_node *nodes;	/* by inode */
	struct lone_layer *lone_layers; /* nodes_lock; they stay */
	struct tree_node *root;
	/* An object has another number than its hash; it may be true late. */
	atomic_bool shares_numbers;
	bool follow; /* shows new versions of base's files */
};

/* --- tree_layer.c --- */

/* The directory that is where place is, but in one layer alone, which the tree
 * does not see. -ENOENT; -ESTALE: the layer can't be opened. */
NODISCARD int lone_layer_find(struct tree *tree, struct base_node *place,
			      uint32_t id, struct base_node **out_node);
void lone_layers_free(struct tree *tree);

/* --- tree_base.c --- */

/* Where base has the inode. NULL: a directory that is nowhere in the stack.
 * -ESTALE: there is no ORIGIN item, or what it tells of is gone. */
NODISCARD int base_of_inode(struct tree *tree, uint64_t inode,
			    struct base_node **out_base);

/* --- tree_number.c --- */

/* Makes the number in stat, of the object that base is, the one that it has
 * here, where several may hash to one. */
NODISCARD int object_number(struct tree *tree, struct base_node *base,
			    struct base_stat *stat);
/* The same when somebody else may have taken *number meanwhile. *out_known:
 * what the node of the number is over, or NULL: there is none. */
NODISCARD int object_number_again(struct tree *tree, struct base_node *base,
				  uint64_t *number,
				  struct base_node **out_known);

/* --- tree_node.c --- */

/* Of a node that is there, with a reference; or NULL. */
struct base_node *node_known_base(struct tree *tree, uint64_t inode);

/* The node of an inode, with a reference more; made if it is not known. Takes
 * over base. base NULL: it is looked for if the inode is one of base. */
NODISCARD int node_open(struct tree *tree, uint64_t inode, uint32_t kind,
			struct base_node *base, struct tree_node **out_node);
void node_free(struct tree_node *node);
/* It was deleted, and base shows it again, as it ever was; names_lock is held
 * exclusively. */
void node_comes_back(struct tree *tree, uint64_t inode);
/* What the inode is, with names_lock held. -ESTALE. */
NODISCARD int node_load(struct tree_node *node, struct inode_item *out_item);
/* The same; 1: it is base's own, whose attributes are in *seen. */
NODISCARD int node_load_seen(struct tree_node *node,
			     struct inode_item *out_item,
			     struct base_stat *seen);
NODISCARD int node_attr(struct tree_node *node, struct tree_attr *out_attr);
/* stat: of its base, looked at just now; NULL: not known. */
NODISCARD int node_attr_seen(struct tree_node *node,
			     const struct base_stat *stat,
			     struct tree_attr *out_attr);
/* The directory that it is in. out_base: where base has that, or NULL: it is
 * to be looked for by its number; the caller's. */
NODISCARD int node_parent(struct tree_node *node, uint64_t *out_inode,
			  struct base_node **out_base);

/* --- tree_gone.c: what is known of a deleted inode that is used --- */

struct gone {
	struct inode_item item;
	char *target; /* of a symlink made in the store */
	struct gone_xattr *xattrs;
};
/* In the edit that deletes it, before its items go. */
NODISCARD int gone_new(const struct tree_node *node,
		       const struct inode_item *item, bool is_used,
		       struct gone **out_gone);
void gone_free(struct gone *gone);
/* As items: view_item_get, view_edit_put and view_items_scan. */
NODISCARD int gone_get_xattr(const struct gone *gone, const char *name,
			     struct item_copy **out_copy);
NODISCARD int gone_set_xattr(struct gone *gone, const char *name,
			     const void *payload, size_t payload_bytes);
NODISCARD int gone_visit_xattrs(const struct gone *gone, uint64_t inode,
				view_items_visit *visit, void *context);

/* --- tree_lookup.c --- */

struct found_name {
	uint64_t inode;
	uint32_t kind;
	bool from_base; /* no item says so */
	bool in_base;	/* base has this name, too: only if from_base, or asked
			 * for with find_below */
	struct base_node *base; /* from_base: its place, owned */
	struct base_stat stat;	/* from_base */
};

NODISCARD int check_name(const char *name);
/* names_lock is held. -ENOENT: found->base is NULL. */
NODISCARD int find_name(struct tree_node *parent, const char *name,
			struct found_name *found);
void found_fini(struct found_name *found);
/* Would base show a name here, if no item said otherwise, or can it show it
 * again in another stack? node: what has the name now, or NULL. */
NODISCARD int find_below(struct tree_node *parent, const char *name,
			 const struct tree_node *node, bool *out_there);

/* --- tree_change.c: one operation that changes names or inodes --- */

enum { CHANGE_NODES_MAX = 6 };

struct touched {
	struct tree_node *node;
	struct inode_item item; /* to be changed between begin and commit */
	bool put;		/* it was: save it */
	bool remove;		/* the inode goes */
	unsigned xattr_count;	/* that go with it, in the same batch */
	bool orphan;		/* it loses its last name, but is used */
	struct origin_note *origins; /* facts to be noted with it */
	struct gone *gone;	     /* what stays of it */
};

struct change {
	struct tree *tree;
	struct view_edit edit;
	int64_t now_ns;
	struct touched touched[CHANGE_NODES_MAX];
	unsigned count;
};

/* Before names_lock is taken, which is held exclusively from then to the
 * end. */
void change_init(struct change *change, struct tree *tree);
/* Before change_begin: looks at the inode and, if it is one of base, at where
 * it is. The same node twice gives the same entry. */
NODISCARD int change_touch(struct change *change, struct tree_node *node,
			   struct touched **out_touched);
/* From here on the store waits. */
NODISCARD int change_begin(struct change *change);
/* When an inode changes that was as in item: not before its last change. */
int64_t change_time(const struct change *change, const struct inode_item *item);
/* Modification and change of a directory: no two at the same time, for those
 * who know a state by it. */
void change_directory(struct change *change, struct touched *directory);
/* It has so many directories more. One link says that nobody counts them. */
void change_count_directory(struct touched *parent, int by);
void change_put_name(struct change *change, const struct tree_node *parent,
		     const char *name, uint64_t inode, uint32_t kind);
/* hidden: base has it. */
void change_drop_name(struct change *change, const struct tree_node *parent,
		      const char *name, bool hidden);
/* A new inode without a name. */
void change_put_orphan(struct change *change, uint64_t inode);
NODISCARD int change_commit(struct change *change);
void change_fini(struct change *change);

/* --- tree_create.c --- */

/* What an object made there by the caller is. */
void new_item(const struct change *change, const struct inode_item *directory,
	      uint32_t mode, const struct tree_caller *caller,
	      struct inode_item *item);
/* Its item, and what the caller gives it. */
void change_put_new(struct change *change, uint64_t inode,
		    const struct inode_item *item,
		    const struct tree_caller *caller);

/* --- tree_remove.c --- */

/* One link of the inode less; without links it goes, now or when nobody
 * uses it any more. replaced: something else takes its name. Between
 * change_begin and change_commit. */
void change_unlink(struct change *change, struct touched *touched,
		   bool replaced);
/* Deletes what has no name, if nobody but the owner of so many references
 * uses it. */
void node_delete_orphan(struct tree_node *node, uint64_t count);
NODISCARD int tree_delete_orphans(struct tree *tree);
/* Whiteouts in a directory that is gone hide nothing. names_lock is held. */
void node_forget_names(struct tree_node *node);
/* Nor do xattrs tell of what is gone. */
void node_forget_xattrs(struct tree_node *node);
/* -ENOTEMPTY. names_lock is held. */
NODISCARD int node_check_empty(struct tree_node *node);
