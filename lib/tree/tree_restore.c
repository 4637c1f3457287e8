/* Restoring: the head is walked beside the snapshot, and made equal. */
#include "tree_restore.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_path.h"
#include "tree_restore_impl.h"

/* --- names --- */

static int check_links(void *context, const char *name, uint64_t inode,
		       uint32_t kind)
{
	struct base_node *base;
	struct base_stat stat;
	int rc = base_lookup(context, name, &base, &stat);

	(void)inode;
	(void)kind;
	if (rc < 0)
		return rc;
	if (S_ISDIR(stat.stat.st_mode))
		rc = base_list(base, check_links, base);
	else if (stat.stat.st_nlink > 1)
		rc = -EMLINK;
	base_node_put(base);
	return rc;
}

/* Has no file of it, or below it, another name, of which some may have been
 * removed? Then how many there are is not what base says. */
static bool has_single_names(struct base_node *base,
			     const struct base_stat *stat)
{
	return S_ISDIR(stat->stat.st_mode) ?
		       base_list(base, check_links, base) == 0 :
		       stat->stat.st_nlink == 1;
}

/* Is it base's, as nobody has ever changed it, and would be seen again if no
 * item hid it? */
static bool can_uncover(struct restore *restore, const struct pair *pair)
{
	struct base_node *base = NULL;
	struct base_stat stat;
	struct inode_item item;
	bool can = false;

	if (!pair->from->base || !pair->parent->base ||
	    atomic_load(&pair->from->stored) != STORED_NO ||
	    view_inode_get(restore->to->view, pair->from->inode, &item) !=
		    -ENOENT)
		return false;
	if (base_lookup(pair->parent->base, pair->name, &base, &stat) == 0)
		can = stat.inode == pair->from->inode &&
		      has_single_names(base, &stat);
	base_node_put(base);
	return can;
}

static int uncover(struct restore *restore, struct pair *pair)
{
	struct touched *directory;
	struct change change;
	int rc;

	change_init(&change, restore->to);
	pthread_rwlock_wrlock(&restore->to->names_lock);
	rc = change_touch(&change, pair->parent, &directory);
	if (rc == 0)
		rc = change_begin(&change);
	if (rc == 0) {
		if (pair->from->kind == DIRECTORY)
			change_count_directory(directory, 1);
		change_drop_name(&change, pair->parent, pair->name, false);
		change_directory(&change, directory);
		rc = change_commit(&change);
	}
	pthread_rwlock_unlock(&restore->to->names_lock);
	change_fini(&change);
	return rc < 0 ? rc :
			tree_lookup(pair->parent, pair->name, &pair->to,
				    &pair->to_attr);
}

static int create(struct pair *pair)
{
	const struct tree_attr *attr = &pair->from_attr;
	const struct tree_caller caller = { .uid = attr->uid,
					    .gid = attr->gid };
	char target[PATH_MAX + 1];
	int rc = 0;

	if (S_ISLNK(attr->mode))
		rc = tree_readlink(pair->from, target, sizeof(target));
	if (rc == 0)
		rc = tree_create(pair->parent, pair->name, attr->mode,
				 attr->rdev,
				 S_ISLNK(attr->mode) ? target : NULL, &caller,
				 &pair->to, &pair->to_attr);
	return rc;
}

static int note_link(struct restore *restore, const struct pair *pair)
{
	struct linked *linked;

	if (pair->from_attr.nlink < 2 || pair->from->kind == DIRECTORY)
		return 0;
	linked = calloc(1, sizeof(*linked));
	if (!linked)
		return -ENOMEM;
	linked->from = pair->from->inode;
	linked->to = tree_node_get(pair->to);
	HASH_ADD(hh, restore->linked, from, sizeof(linked->from), linked);
	if (linked->hh.tbl)
		return 0;
	tree_node_put(linked->to, 1);
	free(linked);
	return -ENOMEM;
}

static struct linked *find_link(struct restore *restore,
				const struct tree_node *from)
{
	struct linked *linked;

	HASH_FIND(hh, restore->linked, &from->inode, sizeof(from->inode),
		  linked);
	return linked;
}

/* The inode is still there under another name that it had. */
static int link_again(struct restore *restore, struct pair *pair)
{
	struct tree_node *node;
	int rc;

	if (pair->from_attr.nlink < 2 || pair->from->kind == DIRECTORY)
		return -ENOENT;
	rc = tree_node_find(restore->to, pair->from->inode, &node);
	if (rc < 0)
		return rc == -ESTALE ? -ENOENT : rc;
	rc = tree_link(node, pair->parent, pair->name, &pair->to_attr);
	if (rc == 0)
		pair->to = node;
	else
		tree_node_put(node, 1);
	return rc;
}

/* What is in the way goes, unless it can become what is wanted. */
static int clear_place(struct restore *restore, struct pair *pair,
		       const struct linked *linked)
{
	bool fits;
	int rc;

	if (!pair->to)
		return 0;
	fits = pair->from->kind == DIRECTORY ?
		       pair->to->kind == DIRECTORY :
		       pair->to->inode == pair->from->inode;
	if (linked)
		fits = pair->to == linked->to;
	if (fits)
		return 0;
	tree_node_put(pair->to, 1);
	pair->to = NULL;
	rc = tree_remove_all(pair->parent, pair->name,
			     &restore->counts->removed);
	return rc;
}

static int restore_directory(struct restore *restore, struct pair *pair);

static bool is_same(const struct pair *pair)
{
	return pair->from->inode == pair->to->inode &&
	       atomic_load(&pair->from->stored) == STORED_NO &&
	       atomic_load(&pair->to->stored) == STORED_NO;
}

static int restore_content(struct restore *restore, struct pair *pair,
			   bool is_new)
{
	int rc = 0;

	if (pair->from->kind == DIRECTORY)
		rc = restore_directory(restore, pair);
	if (rc < 0 || is_same(pair))
		return rc;
	if (S_ISREG(pair->from_attr.mode))
		rc = restore_data(restore, pair, is_new);
	if (rc == 0)
		rc = restore_xattrs(restore, pair);
	if (rc == 0)
		rc = restore_attributes(pair);
	restore->counts->changed += rc == 0 && !is_new;
	return rc;
}

static int restore_pair(struct restore *restore, struct pair *pair)
{
	const struct linked *linked = find_link(restore, pair->from);
	bool is_new;
	int rc = tree_lookup(pair->parent, pair->name, &pair->to,
			     &pair->to_attr);

	if (rc == -ENOENT)
		rc = 0;
	if (rc == 0)
		rc = clear_place(restore, pair, linked);
	if (rc < 0 || (linked && pair->to))
		return rc;
	restore->counts->created += !pair->to;
	if (linked)
		return tree_link(linked->to, pair->parent, pair->name,
				 &pair->to_attr);
	is_new = false;
	if (!pair->to && can_uncover(restore, pair))
		rc = uncover(restore, pair);
	else if (!pair->to)
		rc = link_again(restore, pair);
	if (rc == -ENOENT) {
		is_new = true;
		rc = create(pair);
	}
	if (rc == 0)
		rc = note_link(restore, pair);
	return rc < 0 ? rc : restore_content(restore, pair, is_new);
}

static int restore_name(struct restore *restore, struct tree_node *from_parent,
			struct tree_node *to_parent, const char *name)
{
	struct pair pair = { .parent = to_parent, .name = name };
	int rc = tree_lookup(from_parent, name, &pair.from, &pair.from_attr);

	if (rc < 0)
		return rc;
	rc = restore_pair(restore, &pair);
	tree_node_put(pair.from, 1);
	if (pair.to)
		tree_node_put(pair.to, 1);
	return rc;
}

static int by_name(const void *a_, const void *b_)
{
	const struct tree_entry *a = a_, *b = b_;

	return strcmp(a->name, b->name);
}

static int restore_directory(struct restore *restore, struct pair *pair)
{
	struct tree_listing *from = NULL, *to = NULL;
	size_t i;
	int rc = tree_list(pair->from, &from);

	if (rc == 0)
		rc = tree_list(pair->to, &to);
	if (rc == 0 && from->count > 0)
		qsort(from->entries, from->count, sizeof(*from->entries),
		      by_name);
	for (i = 0; rc == 0 && i < to->count; i++)
		if (from->count == 0 ||
		    !bsearch(&to->entries[i], from->entries, from->count,
			     sizeof(*from->entries), by_name))
			rc = tree_remove_all(pair->to, to->entries[i].name,
					     &restore->counts->removed);
	for (i = 0; rc == 0 && i < from->count; i++)
		rc = restore_name(restore, pair->from, pair->to,
				  from->entries[i].name);
	tree_listing_free(from);
	tree_listing_free(to);
	return rc;
}

/* One step down to the path: the directory is there, or it is made. */
static int step_down(struct restore *restore, struct pair *step)
{
	int rc = tree_lookup(step->parent, step->name, &step->to,
			     &step->to_attr);

	if (rc == 0 && step->to->kind != DIRECTORY)
		rc = -ENOTDIR;
	if (rc != -ENOENT)
		return rc;
	rc = create(step);
	if (rc == 0)
		rc = restore_xattrs(restore, step);
	if (rc == 0)
		rc = restore_attributes(step);
	restore->counts->created += rc == 0;
	return rc;
}

static int restore_root(struct restore *restore)
{
	struct pair root = { .from = tree_root(restore->from),
			     .to = tree_root(restore->to) };
	int rc = tree_get_attr(root.from, &root.from_attr);

	return rc < 0 ? rc : restore_content(restore, &root, false);
}

static char *next_part(char **rest)
{
	char *part;

	do
		part = strtok_r(*rest, "/", rest);
	while (part && strcmp(part, ".") == 0);
	return part;
}

/* Both parents with a reference; name is the last one of path. */
static int find_parents(struct restore *restore, char *path,
			struct tree_node **from, struct tree_node **to,
			char **name)
{
	char *rest = path, *next;
	int rc = 0;

	*from = tree_node_get(tree_root(restore->from));
	*to = tree_node_get(tree_root(restore->to));
	*name = next_part(&rest);
	while (rc == 0 && (next = next_part(&rest))) {
		struct pair step = { .parent = *to, .name = *name };

		rc = tree_lookup(*from, *name, &step.from, &step.from_attr);
		if (rc == 0 && step.from->kind != DIRECTORY)
			rc = -ENOENT;
		if (rc == 0)
			rc = step_down(restore, &step);
		if (step.from) {
			tree_node_put(*from, 1);
			*from = step.from;
		}
		if (step.to) {
			tree_node_put(*to, 1);
			*to = step.to;
		}
		*name = next;
	}
	return rc;
}

static int restore_path(struct restore *restore, const char *path)
{
	AUTO_FREE char *copy = strdup(path);
	struct tree_node *from, *to;
	struct tree_attr attr;
	char *name;
	int rc = copy ? tree_find_path(restore->from, path, &from, &attr) :
			-ENOMEM;

	if (rc < 0) /* before anything is made */
		return rc == -ENOTDIR ? -ENOENT : rc;
	tree_node_put(from, 1);
	rc = find_parents(restore, copy, &from, &to, &name);
	if (rc == 0)
		rc = name ? restore_name(restore, from, to, name) :
			    restore_root(restore);
	tree_node_put(from, 1);
	tree_node_put(to, 1);
	return rc;
}

int tree_restore(struct tree *from, struct tree *to, const char *path,
		 struct tree_restored *out_restored)
{
	struct restore restore = {
		.from = from,
		.to = to,
		.counts = out_restored,
		.buffer = malloc(2 * COPY_BYTES),
	};
	struct linked *linked, *next;
	int rc;

	memset(out_restored, 0, sizeof(*out_restored));
	rc = restore.buffer ? restore_path(&restore, path) : -ENOMEM;
	HASH_ITER(hh, restore.linked, linked, next)
	{
		HASH_DEL(restore.linked, linked);
		tree_node_put(linked->to, 1);
		free(linked);
	}
	free(restore.buffer);
	return rc;
}
