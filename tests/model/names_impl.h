/* tree_names: what the operations share. */
#pragma once

#include <sys/xattr.h>

#include "names_model.h"

enum { TOUCHED_MTIME = 1, TOUCHED_CTIME = 2 };

/* names_ops.c */
int pick_object(const struct names_tree *model, bool directory);
/* A reference, by any way. */
struct tree_node *get_node(struct open_branch *branch,
			   const struct names_tree *model, int object);
/* Its times have become those of this operation; all is as the model says. */
void touched(struct open_branch *branch, struct names_tree *model, int nr,
	     unsigned what);
bool is_open(const struct open_branch *branch, int object);
bool is_held(struct open_branch *branch, int object);
struct held *free_held(struct open_branch *branch);

/* names_links.c */
void do_create(struct open_branch *branch, struct names_tree *model);
void do_unnamed(struct open_branch *branch, struct names_tree *model);
void do_link(struct open_branch *branch, struct names_tree *model);
void do_remove(struct open_branch *branch, struct names_tree *model);
void do_rename(struct open_branch *branch, struct names_tree *model);
