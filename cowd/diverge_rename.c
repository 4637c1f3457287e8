/*
 * Renaming. A plain file goes to the layer that the rule of its new name says;
 * a directory is renamed in each layer that has it, and of base a note says
 * where it is: O(1) for any size.
 *
 * A crash between the layers and the notes leaves base's names where they
 * were, beside those that were renamed; nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "diverge_front.h"
#include "logging.h"

struct renaming {
	fuse_req_t req;
	struct diverge *diverge;
	const char *from, *to;
	unsigned flags;
	struct diverge_found source, target; /* target.fd -1: none */
	unsigned place;			     /* of the new name */
};

static int rename_between(const struct diverge *diverge, unsigned layer,
			  const char *from, unsigned new_layer, const char *to,
			  unsigned flags)
{
	const char *name, *new_name;
	AUTO_CLOSE int fd = diverge_layer_parent(diverge, layer, from, &name);
	AUTO_CLOSE int new_fd =
		diverge_layer_parent(diverge, new_layer, to, &new_name);

	if (fd < 0 || new_fd < 0)
		return fd < 0 ? fd : new_fd;
	return renameat2(fd, name, new_fd, new_name, flags) < 0 ? -errno : 0;
}

/* The plain file under its new name; the old one may be there, too. */
static int move_file(const struct renaming *renaming)
{
	struct diverge *diverge = renaming->diverge;
	const struct diverge_found *source = &renaming->source;
	int rc = -EXDEV;

	if (!diverge_is_fixed(diverge, source->layer))
		rc = rename_between(diverge, source->layer, renaming->from,
				    renaming->place, renaming->to,
				    renaming->flags & RENAME_WHITEOUT);
	if (rc == -EXDEV)
		rc = diverge_copy(diverge, source, renaming->place,
				  renaming->to, INT64_MAX);
	return rc;
}

/* What is above the new place would hide it. */
static int unlink_above(const struct renaming *renaming)
{
	struct diverge *diverge = renaming->diverge;
	unsigned i;

	for (i = 0; i < renaming->place; i++) {
		const char *name;
		AUTO_CLOSE int fd =
			diverge_layer_parent(diverge, i, renaming->to, &name);

		if (fd >= 0 && unlinkat(fd, name, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int rename_file(const struct renaming *renaming)
{
	struct diverge *diverge = renaming->diverge;
	const struct stat *st = &renaming->source.st;
	bool was_masked = diverge->holes &&
			  holes_has(diverge->holes, renaming->to);
	int rc = diverge_make_parents(diverge, renaming->place, renaming->to);

	if (rc == 0)
		rc = diverge_clear_masked(diverge, renaming->to);
	if (rc == 0)
		rc = diverge_unmask(diverge, renaming->to, st->st_mode);
	if (rc < 0)
		return rc;
	rc = move_file(renaming);
	if (rc == 0)
		rc = unlink_above(renaming);
	if (rc < 0) {
		if (was_masked && holes_add(diverge->holes, renaming->to) < 0)
			log_message(LOG_LEVEL_ERROR, "%s: base's shows again",
				    renaming->to);
		return rc;
	}
	/* Base's alone: what is there now is the whiteout. */
	return renaming->flags & RENAME_WHITEOUT ?
		       0 :
		       diverge_remove_rest(diverge, renaming->from,
					   st->st_mode);
}

/* In the layers [0, end) that have it and may be changed. */
static int rename_layers(const struct renaming *renaming, unsigned end,
			 const char *from, const char *to, unsigned *out_count)
{
	struct diverge *diverge = renaming->diverge;
	unsigned i, count = 0;
	int rc = 0;

	for (i = 0; i < end && rc == 0; i++) {
		unsigned flags = i == diverge_base(diverge) ?
					 renaming->flags & RENAME_WHITEOUT :
					 0;
		AUTO_CLOSE int fd = -1;

		if (diverge_is_fixed(diverge, i))
			continue;
		fd = diverge_layer_open(diverge, i, from, O_PATH | O_DIRECTORY);
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue;
		rc = fd < 0 ? fd : diverge_make_parents(diverge, i, to);
		if (rc == 0)
			rc = rename_between(diverge, i, from, i, to, flags);
		count += rc == 0;
	}
	*out_count = count;
	if (rc < 0 && i > 1) {
		unsigned ignored;

		(void)!rename_layers(renaming, i - 1, to, from, &ignored);
	}
	return rc;
}

/* Where base has it, if it shows: "" else. */
static int find_origin(const struct renaming *renaming, char *origin)
{
	struct diverge *diverge = renaming->diverge;
	AUTO_CLOSE int fd = -1;
	int rc;

	origin[0] = '\0';
	if (!diverge->holes)
		return 0;
	fd = diverge_layer_open(diverge, diverge_base(diverge), renaming->from,
				O_PATH | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	rc = fd < 0 ? fd :
		      holes_base_path(diverge->holes, renaming->from, origin);
	return rc == 0 && diverge->strict ? -EROFS : rc;
}

static int note_directory(const struct renaming *renaming, const char *origin)
{
	struct diverge *diverge = renaming->diverge;
	mode_t old_kind, new_kind;
	int rc;

	if (!diverge->holes)
		return 0;
	rc = diverge_base_has(diverge, renaming->from, &old_kind);
	if (rc == 0)
		rc = diverge_base_has(diverge, renaming->to, &new_kind);
	if (rc < 0)
		return rc;
	return holes_rename_directory(
		diverge->holes, renaming->from, renaming->to,
		*origin || S_ISDIR(new_kind) ? origin : NULL, old_kind != 0);
}

static int rename_directory(const struct renaming *renaming)
{
	struct diverge *diverge = renaming->diverge;
	char origin[PATH_MAX];
	unsigned count, ignored;
	int rc = find_origin(renaming, origin);

	if (rc == 0 && renaming->target.fd >= 0)
		rc = diverge_remove(renaming->req, renaming->to,
				    &renaming->target);
	if (rc == 0)
		rc = diverge_clear_masked(diverge, renaming->to);
	if (rc == 0)
		rc = rename_layers(renaming, diverge->layer_count,
				   renaming->from, renaming->to, &count);
	if (rc == 0 && count == 0) {
		rc = diverge_make_parents(diverge, renaming->place,
					  renaming->to);
		if (rc == 0)
			rc = diverge_copy_directory(diverge, &renaming->source,
						    renaming->place,
						    renaming->to);
	}
	if (rc < 0)
		return rc;
	rc = note_directory(renaming, origin);
	if (rc < 0)
		(void)!rename_layers(renaming, diverge->layer_count,
				     renaming->to, renaming->from, &ignored);
	return rc;
}

/* Is it in this layer alone? */
static bool is_whole(const struct diverge *diverge, const char *path,
		     const struct diverge_found *found)
{
	AUTO_FOUND struct diverge_found next = DIVERGE_FOUND_NONE;

	return !S_ISDIR(found->st.st_mode) ||
	       (!diverge_is_fixed(diverge, found->layer) &&
		diverge_find_next(diverge, path, found->layer, &next) ==
			-ENOENT);
}

static int exchange(struct renaming *renaming)
{
	struct diverge *diverge = renaming->diverge;
	int rc;

	if (renaming->target.fd < 0)
		return -ENOENT;
	if (!is_whole(diverge, renaming->from, &renaming->source) ||
	    !is_whole(diverge, renaming->to, &renaming->target))
		return -EXDEV;
	rc = diverge_make_own(renaming->req, NULL, renaming->from, INT64_MAX,
			      &renaming->source);
	if (rc == 0)
		rc = diverge_make_own(renaming->req, NULL, renaming->to,
				      INT64_MAX, &renaming->target);
	if (rc == 0 && renaming->source.layer != renaming->target.layer)
		rc = -EXDEV;
	return rc < 0 ? rc :
			rename_between(diverge, renaming->source.layer,
				       renaming->from, renaming->target.layer,
				       renaming->to, RENAME_EXCHANGE);
}

static int check_target(struct renaming *renaming)
{
	const struct diverge_found *target = &renaming->target;
	bool is_directory = S_ISDIR(renaming->source.st.st_mode);
	int rc = diverge_find(renaming->diverge, renaming->to,
			      &renaming->target);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (diverge_is_hidden(renaming->req, renaming->to, target))
		return -EROFS;
	rc = diverge_check_change(renaming->req, renaming->to, target);
	if (rc < 0 || (renaming->flags & RENAME_EXCHANGE))
		return rc;
	if (renaming->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (S_ISDIR(target->st.st_mode) != is_directory)
		return is_directory ? -ENOTDIR : -EISDIR;
	return is_directory ?
		       diverge_check_empty(renaming->diverge, renaming->to) :
		       0;
}

static int rename_it(struct renaming *renaming)
{
	const struct diverge_found *source = &renaming->source;
	unsigned ignored;
	int rc = diverge_see(renaming->req, renaming->from, &renaming->source);

	if (rc == 0)
		rc = diverge_check_change(renaming->req, renaming->from,
					  source);
	if (rc == 0)
		rc = check_target(renaming);
	if (rc == 0)
		rc = diverge_place(renaming->req, renaming->to, &source->st,
				   true, &renaming->place);
	/* The old name of base's goes: that, too, takes a rule. */
	if (rc == 0 && diverge_is_fixed(renaming->diverge, source->layer))
		rc = diverge_place(renaming->req, renaming->from, &source->st,
				   true, &ignored);
	/* One of base's in a place of base's: nobody else knows whiteouts. */
	if (rc == 0 && (renaming->flags & RENAME_WHITEOUT) &&
	    (source->layer != diverge_base(renaming->diverge) ||
	     renaming->place != source->layer))
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	if (renaming->flags & RENAME_EXCHANGE)
		return exchange(renaming);
	/* Two names of one file: nothing is to be done. */
	if (renaming->target.fd >= 0 && !S_ISDIR(source->st.st_mode) &&
	    renaming->target.st.st_ino == source->st.st_ino &&
	    renaming->target.st.st_dev == source->st.st_dev)
		return 1;
	return S_ISDIR(source->st.st_mode) ? rename_directory(renaming) :
					     rename_file(renaming);
}

/* The nodes follow, and who reads base's file goes on with its copy. */
static int rename_nodes(const struct renaming *renaming,
			struct diverge_node *parent, const char *name,
			struct diverge_node *new_parent, const char *new_name)
{
	struct diverge *diverge = renaming->diverge;
	const struct stat *before = &renaming->source.st;
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge_node *node;
	bool is_copy;
	int rc;

	if (renaming->flags & RENAME_EXCHANGE) {
		diverge_node_exchange(diverge, parent, name, new_parent,
				      new_name);
		return 0;
	}
	rc = diverge_find(diverge, renaming->to, &found);
	is_copy = rc == 0 && !S_ISDIR(before->st_mode) &&
		  (found.st.st_ino != before->st_ino ||
		   found.st.st_dev != before->st_dev);
	if (rc == 0)
		rc = diverge_node_rename(diverge, parent, name, new_parent,
					 new_name, is_copy);
	if (rc < 0 || !S_ISREG(before->st_mode) ||
	    !diverge_is_fixed(diverge, renaming->source.layer))
		return rc;
	rc = diverge_node_know(diverge, new_parent, new_name, &found, &node);
	if (rc == 0) {
		diverge_switch_handles(diverge, node, renaming->place,
				       renaming->to);
		diverge_node_put(diverge, node, 1);
	}
	return 0;
}

static int rename_begun(struct renaming *renaming,
			struct diverge_request *request,
			struct diverge_node *parent, const char *name,
			const char *new_name)
{
	char directory[PATH_MAX], from[PATH_MAX];
	int rc = diverge_node_path(renaming->diverge, parent, directory);

	if (rc == 0)
		rc = diverge_join(directory, name, from);
	if (rc < 0)
		return rc;
	renaming->from = from;
	renaming->to = request->path;
	rc = rename_it(renaming);
	if (rc == 0) {
		diverge_touch_parent(renaming->req, from);
		diverge_touch_parent(renaming->req, renaming->to);
		log_message(LOG_LEVEL_INFO, "%s: renamed to %s", from,
			    renaming->to);
		rc = rename_nodes(renaming, parent, name, request->node,
				  new_name);
	}
	return rc;
}

void diverge_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		    fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct diverge *diverge = diverge_of(req);
	struct renaming renaming = { .req = req,
				     .diverge = diverge,
				     .flags = flags,
				     .source.fd = -1,
				     .target.fd = -1 };
	unsigned known = RENAME_NOREPLACE | RENAME_EXCHANGE |
			 (diverge->holes ? 0 : RENAME_WHITEOUT);
	struct diverge_request request;
	struct diverge_node *node;
	int rc = flags & ~known ? -EINVAL :
				  diverge_node_get(diverge, parent, &node);

	if (rc == 0) {
		rc = diverge_begin(&request, req, new_parent, new_name, true);
		if (rc == 0) {
			rc = rename_begun(&renaming, &request, node, name,
					  new_name);
			diverge_end(&request);
		}
		diverge_node_put(diverge, node, 1);
	}
	diverge_found_close(&renaming.source);
	diverge_found_close(&renaming.target);
	fuse_reply_err(req, rc < 0 ? -rc : 0);
}
