/*
 * Where an object of base is, by its number: the names in ORIGIN items lead
 * there from a directory above it whose place is known.
 *
 * I1: a file or a symlink is the object of one layer, whatever the stack: of
 *     one that is not in the stack, it is read there alone.
 * I2: a directory stands for its place in the merged base: it shows what the
 *     stack has there, under the number that it has had. If the stack has
 *     none there, all that is seen in it is what was changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree_impl.h"

/* On the way from an object of base up to one whose place is known. */
struct step {
	uint64_t inode;
	struct item_copy *copy;
	struct origin_item origin; /* its name is in the copy */
	char name[ITEM_NAME_BYTES_MAX + 1];
	struct step *below;
};

static bool is_directory(const struct step *step)
{
	return step->origin.kind == S_IFDIR >> MODE_KIND_SHIFT;
}

static int read_origin(struct tree *tree, uint64_t inode, struct step *step)
{
	const struct item_key key = { .inode = inode,
				      .type = ITEM_TYPE_ORIGIN };
	struct origin_item *origin = &step->origin;
	int rc = view_item_get(tree->view, &key, &step->copy);

	if (rc == 0)
		rc = origin_item_decode(step->copy->payload,
					step->copy->payload_bytes, origin);
	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : rc;
	step->inode = inode;
	memcpy(step->name, origin->name, origin->name_bytes);
	step->name[origin->name_bytes] = '\0';
	return 0;
}

static struct step *pop(struct step *step)
{
	struct step *below = step->below;

	free(step->copy);
	free(step);
	return below;
}

/* It is another than it was, unless its kind, and a file's number, are the
 * same. */
static int check(const struct step *step, const struct base_stat *stat,
		 struct base_node *base)
{
	if (stat->stat.st_mode >> MODE_KIND_SHIFT != step->origin.kind)
		return base_stale(base);
	if (is_directory(step)) {
		base_node_set_number(base, step->inode);
		return 0;
	}
	return stat->stat.st_ino == step->origin.base_inode ? 0 :
							      base_stale(base);
}

static int look_in(struct base_node *parent, const struct step *step,
		   struct base_node **out_base)
{
	struct base_stat stat;
	int rc = base_lookup_in(parent, step->name, step->origin.layer,
				out_base, &stat);

	if (rc < 0)
		return rc;
	rc = check(step, &stat, *out_base);
	if (rc < 0)
		base_node_put(*out_base);
	return rc;
}

/* I2. *out_base NULL: there is none. */
static int look_at_place(struct base_node *parent, const struct step *step,
			 struct base_node **out_base)
{
	struct base_stat stat;
	int rc;

	*out_base = NULL;
	if (!parent)
		return 0;
	rc = base_lookup(parent, step->name, out_base, &stat);
	if (rc == 0 && S_ISDIR(stat.stat.st_mode)) {
		base_node_set_number(*out_base, step->inode);
		return 0;
	}
	if (rc == 0) /* hidden by what is no directory */
		base_node_put(*out_base);
	*out_base = NULL;
	if (rc == 0)
		rc = look_in(parent, step, out_base);
	if (rc < 0)
		*out_base = NULL;
	return rc == -ENOENT || rc == -ESTALE ? 0 : rc;
}

/* I1: from base, where the first step begins, down to the last one. */
static int look_alone(struct tree *tree, struct base_node *base,
		      const struct step *first, const struct step *last,
		      struct base_node **out_base)
{
	struct base_node *at = NULL, *child;
	const struct step *step;
	struct base_stat stat;
	int rc = lone_layer_find(tree, base, last->origin.layer, &at);

	for (step = first; rc == 0; step = step->below) {
		rc = base_lookup(at, step->name, &child, &stat);
		if (rc < 0)
			break;
		base_node_put(at);
		at = child;
		if (step == last || S_ISDIR(stat.stat.st_mode))
			rc = check(step, &stat, at);
		if (step == last)
			break;
	}
	if (rc == 0)
		*out_base = at;
	else
		base_node_put(at);
	return rc;
}

static int descend(struct tree *tree, struct base_node *base,
		   const struct step *steps, struct base_node **out_base)
{
	struct base_node *at = base_node_get(base), *child;
	const struct step *step;
	int rc = 0;

	for (step = steps; step && rc == 0; step = step->below) {
		child = NULL;
		if (is_directory(step)) {
			rc = look_at_place(at, step, &child);
		} else {
			rc = at ? look_in(at, step, &child) : -ENOENT;
			if (rc == -ENOENT)
				rc = look_alone(tree, base, steps, step,
						&child);
		}
		base_node_put(at);
		at = rc == 0 ? child : NULL;
	}
	if (rc == 0)
		*out_base = at;
	return rc;
}

int base_of_inode(struct tree *tree, uint64_t inode,
		  struct base_node **out_base)
{
	struct base_node *base = NULL;
	struct step *steps = NULL;
	unsigned depth = 0;
	int rc = 0;

	while (rc == 0 && !(base = node_known_base(tree, inode))) {
		struct step *step = calloc(1, sizeof(*step));

		if (!step) {
			rc = -ENOMEM;
			break;
		}
		step->below = steps;
		steps = step;
		rc = read_origin(tree, inode, step);
		if (rc == 0 && ++depth > DEPTH_MAX)
			rc = -EUCLEAN;
		inode = step->origin.parent;
	}
	if (rc == 0)
		rc = descend(tree, base, steps, out_base);
	base_node_put(base);
	while (steps)
		steps = pop(steps);
	return rc == -ENOENT || rc == -ENOTDIR ? -ESTALE : rc;
}
